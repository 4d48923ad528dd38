"""The further columns of a catalogue in a form in which ads that are near have rows that are near."""

import polars as pl

from nrl_dedup.catalogue.cells.written_numbers import numbers_of

# Their numbers are names: that two of them are close means nothing.
CODE_COLUMNS = ("category", "location", "metro", "phone", "brand")


def comparable_columns(further: pl.DataFrame) -> pl.DataFrame:
    """The columns by which ads are compared, the prices first, each as numbers if it is one of numbers, else as text in
    lower case."""
    found = {}
    for name in sorted(further.columns, key=lambda name: "price" not in name.lower()):
        texts = further[name]
        numbers = None
        if name not in CODE_COLUMNS:
            numbers = numbers_of(texts)
        if numbers is None:
            found[name] = texts.str.strip_chars().str.to_lowercase()
        else:
            found[name] = pl.Series(numbers)
    return pl.DataFrame(found)
