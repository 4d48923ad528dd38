"""Cells that say nothing though something is written in them: what programs write where there is no value."""

import polars as pl

# In upper or lower case.
_NOTHING = (
    "nan",
    "null",
    "none",
    "n/a",
    "#n/a",
    "<na>",
    "nat",
    r"\n",
    "-",
    "--",
    "–",
    "—",
)
NOTHING = "nan, NULL, None, N/A or -"  # for messages


def says_nothing(cells: pl.Series) -> pl.Series:
    """Whether each cell (String) is such a word or sign and no more, white space and case aside; Boolean."""
    return cells.str.strip_chars().str.to_lowercase().is_in(_NOTHING)


def emptied(cells: pl.Series) -> tuple[pl.Series, int]:
    """The cells, those that say nothing being "", and how many these are."""
    nothing = says_nothing(cells).fill_null(False)
    count = int(nothing.sum())
    return (cells.set(nothing, "") if count else cells), count


def emptied_lists(lists: pl.Series) -> tuple[pl.Series, int]:
    """The same of lists of cells: those that say nothing are left out."""
    kept = lists.list.eval(
        pl.element().filter(~pl.element().str.strip_chars().str.to_lowercase().is_in(_NOTHING))
    )
    count = int((lists.list.len().cast(pl.Int64) - kept.list.len().cast(pl.Int64)).sum() or 0)
    return (kept if count else lists), count
