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
        numbers = None if name in CODE_COLUMNS else numbers_of(further[name])
        as_text = further[name].str.strip_chars().str.to_lowercase()
        found[name] = as_text if numbers is None else pl.Series(numbers)
    return pl.DataFrame(found)
