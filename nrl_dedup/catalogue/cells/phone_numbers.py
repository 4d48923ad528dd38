"""Phone numbers by their digits, so that two spellings of one are equal."""

import polars as pl

_MIN_DIGITS = 5  # of a phone number; text with fewer is kept as it is. Not tuned.
_WRITTEN = r"^(?:(?:tel|phone|mob|тел|телефон|моб)\.?:?)?[\d\s()+.\-‐‑–—/]+$"
_SEVERAL = r"[,;]|\s+(?:или|or|и|and)\s+"


def phones(texts: pl.Series) -> pl.Series:
    """Each cell's phone numbers as digits, in order and each once, joined by commas; other text in lower case.

    Spaces, brackets, dashes, points and a leading + or 00 say nothing. Of Russia's numbers 8 and 7 before ten digits
    are the same, and may be missing before a mobile number (9 and nine digits).
    """
    plain = texts.fill_null("").str.normalize("NFKC").str.to_lowercase().str.strip_chars()
    parts = plain.str.replace_all(_SEVERAL, "\x00").str.split("\x00").list.eval(_digits())
    is_phones = plain.to_frame("text").select(
        parts.list.eval(pl.element().str.contains(r"^\d+$")).list.all().alias("phones")
    )["phones"]
    joined = parts.list.unique().list.sort().list.join(",")
    return pl.select(pl.when(is_phones).then(joined).otherwise(plain)).to_series().alias(texts.name)


def _digits() -> pl.Expr:
    part = pl.element().str.strip_chars()
    bare = part.str.replace_all(r"\D", "").str.replace(r"^00", "")
    bare = bare.str.replace(r"^8(\d{10})$", "7${1}").str.replace(r"^(9\d{9})$", "7${1}")
    return (
        pl.when(part.str.contains(_WRITTEN) & (bare.str.len_chars() >= _MIN_DIGITS))
        .then(bare)
        .otherwise(part)
    )
