"""Scripts that are written without spaces: where a word ends is not written, so runs of two and of three signs do.

Two texts that share a word share its runs. It needs no dictionary of any language (Foo and Li 2004 find runs of two as
good as words for retrieving Chinese; words of three signs and Thai syllables gain from the third).
"""

import polars as pl

# Letters of Han, Hiragana, Katakana (with the mark of a long vowel), Thai, Lao, Khmer and Myanmar.
LETTER = (
    r"[[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]"
)
_SIGN = rf"{LETTER}\p{{M}}*"  # a letter with the vowels and tones above, below and behind it
_RUN_OR_REST = rf"(?:{_SIGN})+|[^{LETTER}]+"


def cut_unspaced(texts: pl.Series) -> pl.Series:
    """The same texts, each run of such letters as its overlapping runs of two and three signs, between spaces.

    `手机壳` becomes ` 手机 手机壳 机壳 `; a single sign stays. A text without such letters is not changed.

    :param texts: String column without nulls, in NFC.
    :return: String column of the same length and name.
    """
    is_unspaced = texts.str.contains(LETTER)
    rows = is_unspaced.arg_true()
    if rows.is_empty():
        return texts
    pieces = texts[rows].str.extract_all(_RUN_OR_REST)
    frame = pl.DataFrame({"row": rows, "piece": pieces})
    frame = frame.explode("piece")
    frame = frame.with_row_index("place")
    piece = pl.col("piece")
    is_run = piece.str.contains(LETTER)
    runs = _runs_of_signs(frame.filter(is_run))
    cut = frame.join(runs, on="place", how="left", maintain_order="left")
    written = pl.coalesce("runs", "piece")
    by_text = cut.group_by("row", maintain_order=True)
    whole = by_text.agg(text=written.str.join(""))
    changed = texts.clone()
    return changed.scatter(whole["row"], whole["text"])


def _runs_of_signs(runs: pl.DataFrame) -> pl.DataFrame:
    """Columns place and runs: what is written in place of each piece.

    :param runs: columns place and piece, which has such letters alone.
    """
    place = pl.col("place")
    piece = pl.col("piece")
    sign = pl.col("sign")
    pieces = runs.select("place", sign=piece.str.extract_all(_SIGN))
    signs = pieces.explode("sign")
    second = sign.shift(-1).over(place)
    third = sign.shift(-2).over(place)
    is_last = second.is_null()
    is_alone = is_last & place.is_first_distinct()
    alone = pl.when(is_alone).then(sign)
    two = sign + second
    three = two + third
    joined = pl.concat_str(
        alone,
        two,
        three,
        separator=" ",
        ignore_nulls=True,
    )
    words = signs.select("place", word=joined)
    word = pl.col("word")
    words = words.filter(word != "")
    by_piece = words.group_by("place", maintain_order=True)
    written = word.str.join(" ")
    return by_piece.agg(runs=" " + written + " ")
