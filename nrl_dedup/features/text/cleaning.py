"""From raw text to cleaned words, over whole columns. NFC and the look-alike letters are not in the thesis."""

import polars as pl

from nrl_dedup.features.text.languages import TRANSLITERATIONS, Language, language_row

LATIN_TWINS, CYRILLIC_TWINS = "ABCEHKMOPTXYaceopxy", "АВСЕНКМОРТХУасеорху"

_INSIDE_WORD = r"[\p{Latin}\p{Cyrillic}\p{Nd}\p{M}\p{Cf}--\u200B]"
_BETWEEN = r"[\p{Nd}\p{M}\p{Cf}--\u200B]*"
_MIXED = rf"\p{{Latin}}{_BETWEEN}\p{{Cyrillic}}|\p{{Cyrillic}}{_BETWEEN}\p{{Latin}}"
_ONLY_LATIN = rf"[\p{{Latin}}--[{LATIN_TWINS}]]"
_ONLY_CYRILLIC = rf"[\p{{Cyrillic}}--[{CYRILLIC_TWINS}]]"
_NUMBER = r"\d+(?:[.,]\d+)*"
_MARKS = r"[\p{M}\p{Cf}]"


def clean(texts: pl.Series, language: str) -> pl.Series:
    """The cleaned words of each text, separated by single spaces; lemmas come later, in `read_words`.

    In this order: Unicode NFC; look-alike letters (`LATIN_TWINS`) inside a word that mixes Latin and Cyrillic go
    over to the script of its other letters (a word with none, or with some of both scripts, is left alone); lower
    case; every number (digits, with points and commas between them) becomes 0 at its place: `iPhone6s` is
    `iphone0s`; everything but the language's letters and that 0 becomes a space, though marks and invisible
    characters vanish; white space collapses; Latin words are transliterated if the language says so. Yo is kept.

    :param texts: String column, one text each row; null counts as empty.
    :return: String column of the same length and name, without nulls.
    :raises NrlDedupError: `language` is not a row of `LANGUAGES`.
    """
    row = language_row(language)
    return transliterate(spell(texts, row), row)


def spell(texts: pl.Series, row: Language) -> pl.Series:
    """`clean` without its last step, the transliteration, which is cheaper over distinct words."""
    composed = texts.fill_null("").str.normalize("NFC")
    texts = fold_twins(composed)
    texts = texts.str.to_lowercase()
    has_marks = texts.str.contains(_MARKS)
    if has_marks.any():
        # Accents that NFC could not join to their letter, soft hyphens and joiners are no gap between two words;
        # the zero-width space is one.
        vanishing = rf"[{_MARKS}--[\u200B[{row.letters}]]]"
        texts = texts.str.replace_all(vanishing, "")
    numbered = texts.str.replace_all(_NUMBER, "0")
    gap = f"[^0[{row.letters}]]+"
    spaced = numbered.str.replace_all(gap, " ")
    return spaced.str.strip_chars(" ")


def transliterate(texts: pl.Series, row: Language) -> pl.Series:
    """Lower-case Latin letters in the language's own script, by its table; unchanged where it has none."""
    if row.transliteration is None:
        return texts
    for stage in TRANSLITERATIONS[row.transliteration]:
        latin = list(stage)
        own = list(stage.values())
        texts = texts.str.replace_many(latin, own)
    return texts


def fold_twins(texts: pl.Series) -> pl.Series:
    """Look-alike letters of words that mix scripts put right; only texts with such words are taken apart."""
    is_mixed = texts.str.contains(_MIXED)
    mixing = is_mixed.arg_true()
    if mixing.is_empty():
        return texts
    word_or_gap = rf"{_INSIDE_WORD}+|[^{_INSIDE_WORD}]+"
    pieces = texts[mixing].str.extract_all(word_or_gap)
    frame = pl.DataFrame({"text": mixing, "piece": pieces})
    frame = frame.explode("piece")
    words = frame["piece"].unique()
    words = words.filter(words.str.contains(_MIXED))
    folded = _fold_words(words)
    right = pl.col("piece").replace(words, folded)
    frame = frame.with_columns(right)
    by_text = frame.group_by("text", maintain_order=True)
    joined = pl.col("piece").str.join("")
    whole = by_text.agg(joined)
    repaired = texts.clone()
    return repaired.scatter(whole["text"], whole["piece"])


def _fold_words(words: pl.Series) -> pl.Series:
    """Words that mix scripts, the look-alike letters in the script of the others where these are of one."""
    has_latin = words.str.contains(_ONLY_LATIN)
    has_cyrillic = words.str.contains(_ONLY_CYRILLIC)
    latin = list(LATIN_TWINS)
    cyrillic = list(CYRILLIC_TWINS)
    in_latin = words.str.replace_many(cyrillic, latin)
    in_cyrillic = words.str.replace_many(latin, cyrillic)
    is_latin = has_latin & ~has_cyrillic
    is_cyrillic = has_cyrillic & ~has_latin
    folded = words.zip_with(~is_latin, in_latin)
    return folded.zip_with(~is_cyrillic, in_cyrillic)
