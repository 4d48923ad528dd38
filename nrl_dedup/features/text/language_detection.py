"""Which row of `LANGUAGES` some ads are of: counted letters and a few function words, not a trained detector.

There are two languages to know, and a catalogue has letters by the thousand: counting them tells Russian from its
neighbours, which a detector of single sentences confuses where an ad is a list of brand names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

MAX_ADS = 20_000  # read, evenly spaced: a million letters or more, in a tenth of a second
# Of all letters: below it, what is in this script is brand names. The titles of the examples are 64 % Cyrillic.
_MIN_CYRILLIC = 1 / 3
_MIN_LATIN = 2 / 3
# Of the Cyrillic letters, those that Russian lacks. Ukrainian, Belarusian, Serbian, Kazakh, Kyrgyz, Uzbek and Mongolian
# have 4 to 12 %: up to about a third of a Russian catalogue may be in one of these.
_MAX_FOREIGN_CYRILLIC = 0.02
# Of the Latin words. Products and addresses in English have 1 to 8 % (seven catalogues), other languages next to none.
_MIN_ENGLISH_WORDS = 0.005
# Of the Latin letters, those beyond a to z: English has 0.0 to 0.3 % (the same), German and Romanian several per cent.
_MAX_ACCENTED = 0.01

_RUSSIAN = "[а-яё]"
# Bulgarian has the letters of Russian, but writes a hard sign where Russian has other vowels, and neither ы, э nor ё.
_ONLY_RUSSIAN = "[ыэё]"
_BULGARIAN = r"ъ|\b(?:се|са|ще|е)\b"
# None of them is a word of a language nearby, as `for` is in Danish, `of` in Dutch, `to` in Polish and `on` in French.
_ENGLISH_WORDS = r"\b(?:the|and|with|from|this|that|you|your)\b"


@dataclass(frozen=True)
class DetectedLanguage:
    """`name`: a row of `LANGUAGES`; `reason`: why, to go on after the name."""

    name: str
    reason: str


def detect_language(columns: Sequence[pl.Series]) -> DetectedLanguage:
    """The language of most of the text; `none` where it is neither of the others, or cannot be told.

    :param columns: String columns of one length, such as titles and descriptions; null counts as empty.
    """
    ads = len(columns[0])
    step = max(1, -(-ads // MAX_ADS))
    some = np.arange(0, ads, step)
    lowered = []
    for column in columns:
        texts = column.fill_null("").gather(some)
        lowered.append(texts.str.to_lowercase())
    texts = pl.concat(lowered)
    letters = _count(texts, r"\p{L}")
    if letters == 0:
        return DetectedLanguage("none", "there are no letters to tell it by")
    if _count(texts, r"\p{Cyrillic}") >= _MIN_CYRILLIC * letters and _is_russian(texts):
        return DetectedLanguage("ru", "by its letters")
    if _count(texts, r"\p{Latin}") >= _MIN_LATIN * letters and _is_english(texts):
        return DetectedLanguage("en", "by its letters, and words such as 'the' and 'with'")
    return DetectedLanguage("none", "by its letters and words it is neither Russian nor English")


def _is_russian(texts: pl.Series) -> bool:
    cyrillic = _count(texts, r"\p{Cyrillic}")
    russian = _count(texts, _RUSSIAN)
    foreign = cyrillic - russian
    if foreign > _MAX_FOREIGN_CYRILLIC * cyrillic:
        return False
    return _count(texts, _BULGARIAN) <= _count(texts, _ONLY_RUSSIAN)


def _is_english(texts: pl.Series) -> bool:
    latin = _count(texts, r"\p{Latin}")
    plain = _count(texts, "[a-z]")
    accented = latin - plain
    if accented > _MAX_ACCENTED * latin:
        return False
    words = _count(texts, r"\p{Latin}+")
    return _count(texts, _ENGLISH_WORDS) >= _MIN_ENGLISH_WORDS * words


def _count(texts: pl.Series, pattern: str) -> int:
    counts = texts.str.count_matches(pattern)
    return int(counts.sum())
