"""The languages: a row each, with the letters it keeps, its transliteration of Latin words and its lemmas."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from nrl_dedup.errors import NrlDedupError

Stages = tuple[Mapping[str, str], ...]
"""A transliteration: its replacements by stages. In a stage all keys have one length, so none hides another."""


# First and last of the blocks of Latin letters beyond ASCII, as in the Unicode standard.
_BEYOND_ASCII = (
    (0x00DF, 0x024F),
    (0x1E00, 0x1EFF),
    (0xFB00, 0xFB06),
    (0xFF41, 0xFF5A),
)


def _paired(letters: str, others: str) -> dict[str, str]:
    return dict(zip(letters.split(), others.split(), strict=True))


def _plain_latin() -> dict[str, str]:
    """Lower-case Latin letters beyond a to z in letters of a to z: e acute as e, full-width a as a, sharp s as ss."""
    plain = _paired("ß æ œ ø đ ð þ ł ħ ı", "ss ae oe o d d th l h i")
    for start, end in _BEYOND_ASCII:
        for letter in map(chr, range(start, end + 1)):
            parts = unicodedata.normalize("NFKD", letter)
            base = "".join(part for part in parts if part.isascii())
            if base.isalpha() and letter.islower() and letter != "ë":
                plain[letter] = base
    return plain


TRANSLITERATIONS: dict[str, Stages] = {
    # The romanisation of Russian by BGN/PCGN (1947) read backwards, with yo beside its yë as most people type it. A y
    # after a vowel is the short i, any other one is y as in ryba. The letters that it does not use stand for what they
    # mean in brand names: c q = k, h = kh, j = dzh, w = v, x = ks.
    "bgn-pcgn": (
        _plain_latin(),
        _paired("shch", "щ"),
        _paired("zh kh ts ch sh yu ya yo yë ye", "ж х ц ч ш ю я ё ё е"),
        {vowel + "y": vowel + "й" for vowel in "aeiouëюяёе"},
        _paired(
            "a b c d e ë f g h i j k l m n o p q r s t u v w x y z",
            "а б к д е ё ф г х и дж к л м н о п к р с т у в в кс ы з",
        ),
    ),
}


@cache
def _russian_analyser() -> Any:
    import pymorphy3  # its dictionary takes 0.3 s to open, and only Russian needs it

    return pymorphy3.MorphAnalyzer(lang="ru")


def _russian_lemmas(words: Sequence[str]) -> list[str]:
    """The normal form of pymorphy3's most probable parse of each word; it also restores yo where people write ye."""
    parse = _russian_analyser().parse
    return [parse(word)[0].normal_form for word in words]


@dataclass(frozen=True)
class Language:
    """How the words of one language are read.

    `letters`: the letters that are kept, as the inside of a regular expression's character class;
    `transliteration`: a name in `TRANSLITERATIONS`, or None to leave Latin words as they are;
    `lemmas`: the lemma of each of some distinct words, or None where a word is its own lemma.
    """

    letters: str
    transliteration: str | None
    lemmas: Callable[[Sequence[str]], list[str]] | None


LANGUAGES: dict[str, Language] = {
    "ru": Language(r"[\p{Latin}\p{Cyrillic}]&&\p{L}", "bgn-pcgn", _russian_lemmas),
    "en": Language(r"[\p{Latin}\p{Cyrillic}]&&\p{L}", None, None),
    # For any other language: the letters of every script, with the vowel signs that some scripts write as marks.
    "none": Language(r"\p{L}\p{M}", None, None),
}

AUTO = "auto"  # as `--language`: a row is chosen by the text of the ads, before anything is learned


def check_language(name: str) -> None:
    """:raises NrlDedupError: `--language` can be neither `AUTO` nor a row of that name."""
    if name != AUTO:
        language_row(name, (AUTO, *LANGUAGES))


def language_row(name: str, wanted: Iterable[str] = LANGUAGES) -> Language:
    """The row of `LANGUAGES` that `--language` names.

    :param wanted: the names that a message offers.
    :raises NrlDedupError: there is no such row.
    """
    if name not in LANGUAGES:
        raise NrlDedupError(f"--language {name}: wanted one of {', '.join(wanted)}.")
    return LANGUAGES[name]
