"""A table as it was read: its rows, and those that were left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

LISTED = 10  # bad rows that are kept to be shown; all are counted
LINE = "line"
_UNUSED = 30  # columns that are named in a line


@dataclass(frozen=True)
class BadRow:
    """A row that was left out: the line of the file on which it starts (CSV) or its number (Parquet), from 1."""

    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    """What was read: the columns under the names of `wanted`, no nulls, and `line` (Int64) as in `BadRow`.

    `taken`: what the file calls each of them. `header`: all the names of its columns. `notes`: what there is to say
    about how they were chosen.
    """

    frame: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0
    taken: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def without(self, bad: pl.Expr, reason: str) -> "Table":
        """The rows where `bad` is false; the others are counted as bad rows."""
        is_bad = self.frame.select(bad).to_series()
        if not is_bad.any():
            return self
        lines = self.frame.filter(is_bad)[LINE]
        listed = sorted(
            [*self.bad_rows, *(BadRow(line, reason) for line in lines.head(LISTED))],
            key=lambda row: row.line,
        )
        return replace(
            self,
            frame=self.frame.filter(~is_bad),
            bad_rows=tuple(listed[:LISTED]),
            bad_count=self.bad_count + len(lines),
        )


def columns_taken(path: Path, taken: Mapping[str, str], header: Sequence[str]) -> str:
    """One line: which columns of a file were taken for what, and which are not used."""
    used = ", ".join(f'{role} <- "{name}"' for role, name in taken.items())
    unused = [name for name in dict.fromkeys(header) if name not in taken.values()]
    more = f" and {len(unused) - _UNUSED} more" if len(unused) > _UNUSED else ""
    return f"{path}: {used}" + (
        f"; not used: {', '.join(unused[:_UNUSED])}{more}" if unused else ""
    )
