"""CSV and Parquet files as text columns, each found by its usual names or by the name that the user gave.

A CSV file is surveyed first (`records.py`), because polars fills short rows with nulls and overlooks long ones
where it reads only some columns. A file in good order goes through polars; any other is read record by record,
and what is wrong in it is skipped, counted and listed by line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.records import records, separator_of, survey

LISTED = 10  # bad rows that are kept to be shown; all are counted
LINE = "line"
_BATCH = 50_000
_PARQUET = b"PAR1"
_NO_TEXTS = pl.lit([], pl.List(pl.String))


@dataclass(frozen=True)
class Column:
    """A column to look for.

    `names` are its usual names, the likeliest first, compared without case, `_`, `-` and spaces; `given` is the
    user's own name for it, compared exactly, and `flag` the option that takes it. A column without usual names may be
    one that is something else as well. `identifier` columns hold text or whole numbers: a Parquet column of floats,
    where 7 has become 7.0, is refused.
    """

    flag: str
    names: tuple[str, ...]
    given: str | None = None
    required: bool = True
    identifier: bool = False


@dataclass(frozen=True)
class BadRow:
    """A row that was left out: the line of the file on which it starts (CSV) or its number (Parquet), from 1."""

    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    """What was read: the columns under the names of `wanted`, no nulls, and `line` (Int64) as in `BadRow`."""

    frame: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0

    def without(self, bad: pl.Expr, reason: str) -> "Table":
        """The rows where `bad` is false; the others are counted as bad rows."""
        is_bad = self.frame.select(bad).to_series()
        if not is_bad.any():
            return self
        lines = self.frame.filter(is_bad)[LINE]
        listed = sorted(
            [*self.bad_rows, *(BadRow(line, reason) for line in lines.head(LISTED))], key=lambda row: row.line
        )
        return Table(self.frame.filter(~is_bad), tuple(listed[:LISTED]), self.bad_count + len(lines))


def read_table(path: Path, wanted: Mapping[str, Column]) -> Table:
    """The columns of `path` that `wanted` describes, under its keys; of those not required, one must be there.

    Everything is read as text and empty cells are ""; a Parquet column of lists stays one, of text. Rows come in
    the file's order. Where two columns of the file fit, the earlier of `Column.names` is taken, then the earlier
    in the file; a column that the user gave for one thing is not taken for another.

    :raises NrlDedupError: no such file; an empty file; bytes that are not UTF-8 text (with their offset); a
        required or named column that is not there; not one readable row where there are rows.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            raise NrlDedupError(f"{path}: the file is empty (0 bytes); a CSV or Parquet file was wanted.")
        table = _read_parquet(path, wanted) if start == _PARQUET else _read_csv(path, wanted)
    except OSError as error:
        raise NrlDedupError(f"{path}: cannot be read ({error.strerror}); wanted a CSV or Parquet file.") from error
    if table.bad_count and table.frame.is_empty():
        first = table.bad_rows[0]
        raise NrlDedupError(
            f"{path}: none of its {table.bad_count} rows can be read; line {first.line}: {first.reason}."
        )
    return table


def _find_columns(path: Path, header: list[str], wanted: Mapping[str, Column]) -> dict[str, int]:
    """The position in `header` of each wanted column that is there."""
    found = {}
    for key, column in wanted.items():
        if column.given is not None:
            if column.given not in header:
                raise NrlDedupError(f"{path}: no column {column.given!r} ({column.flag}). {_columns(header)}")
            found[key] = header.index(column.given)
    taken = {position for key, position in found.items() if wanted[key].names}
    plain = [_plain(name) if i not in taken else "" for i, name in enumerate(header)]
    for key, column in wanted.items():
        if column.given is not None:
            continue
        match = next((plain.index(_plain(name)) for name in column.names if _plain(name) in plain), None)
        if match is not None:
            found[key] = match
        elif column.required:
            raise NrlDedupError(
                f"{path}: wanted a column named one of {', '.join(column.names)}. {_columns(header)} "
                f"Name the right one with {column.flag}."
            )
    optional = {key: column for key, column in wanted.items() if not column.required}
    if optional and not optional.keys() & found.keys():
        names = ", ".join(name for column in optional.values() for name in column.names)
        flags = ", ".join(column.flag for column in optional.values())
        raise NrlDedupError(f"{path}: wanted at least one of {names}. {_columns(header)} Name one with {flags}.")
    return found


def _columns(header: list[str]) -> str:
    return f"Found the columns: {', '.join(header)}."


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _read_csv(path: Path, wanted: Mapping[str, Column]) -> Table:
    separator = separator_of(path)
    layout = survey(path, separator)
    _, header, reason = next(records(path, separator), (1, [], "no header"))
    if reason:
        raise NrlDedupError(f"{path}: the first row, the names of the columns, cannot be read ({reason}).")
    positions = _find_columns(path, header, wanted)
    if layout.strict and layout.width == len(header):
        frame = _read_strictly(path, separator, len(header), positions, layout.lines)
        if frame is not None:
            return Table(frame)
    return _read_each_record(path, separator, len(header), positions)


def _read_strictly(
    path: Path, separator: str, width: int, positions: Mapping[str, int], lines: np.ndarray
) -> pl.DataFrame | None:
    """The columns as polars reads them; None where it cannot, or finds other rows than the survey did."""
    line = pl.Series(LINE, lines, pl.Int64)
    if not len(lines):
        return pl.DataFrame({**{key: pl.Series([], dtype=pl.String) for key in positions}, LINE: line})
    names = [str(i) for i in range(width)]
    scan = pl.scan_csv(
        path,
        separator=separator,
        has_header=False,
        skip_rows=1,
        schema=dict.fromkeys(names, pl.String),
        glob=False,
    )
    try:
        frame = scan.select(
            pl.col(names[position]).fill_null("").alias(key) for key, position in positions.items()
        ).collect()
    except pl.exceptions.PolarsError:
        return None
    return frame.with_columns(line) if frame.height == len(lines) else None


def _read_each_record(path: Path, separator: str, width: int, positions: Mapping[str, int]) -> Table:
    """The slow way: one record at a time, those that are malformed or of another width left out and listed."""
    keys = [*positions, LINE]
    schema = {**dict.fromkeys(positions, pl.String), LINE: pl.Int64}
    batches = [pl.DataFrame(schema=schema)]
    rows: list[list[str | int]] = []
    bad_rows: list[BadRow] = []
    bad_count = 0
    reader = records(path, separator)
    next(reader)
    for line, fields, reason in reader:
        if not reason and len(fields) != width:
            reason = f"{len(fields)} fields where the header has {width}"
        if reason:
            bad_count += 1
            if len(bad_rows) < LISTED:
                bad_rows.append(BadRow(line, reason))
            continue
        rows.append([*(fields[position] for position in positions.values()), line])
        if len(rows) == _BATCH:
            batches.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    batches.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return Table(pl.concat(batches).select(keys), tuple(bad_rows), bad_count)


def _read_parquet(path: Path, wanted: Mapping[str, Column]) -> Table:
    try:
        scan = pl.scan_parquet(path, glob=False)
        schema = scan.collect_schema()
        header = schema.names()
        positions = _find_columns(path, header, wanted)
        for key, position in positions.items():
            kind = schema[header[position]]
            if wanted[key].identifier and (kind.is_float() or kind.is_decimal() or kind.is_nested()):
                raise NrlDedupError(
                    f"{path}: the column {header[position]} holds {kind}; ids must be text or whole numbers. "
                    "Store them as such."
                )
        frame = scan.select(pl.col(header[position]).alias(key) for key, position in positions.items()).collect()
        frame = frame.select(_as_text(column) for column in frame)
    except pl.exceptions.PolarsError as error:
        raise NrlDedupError(f"{path}: this Parquet file cannot be read ({error}).") from error
    return Table(frame.with_columns(pl.Series(LINE, np.arange(1, frame.height + 1), pl.Int64)))


def _as_text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String)).to_frame().select(pl.all().fill_null(_NO_TEXTS)).to_series()
    return column.cast(pl.String).fill_null("")
