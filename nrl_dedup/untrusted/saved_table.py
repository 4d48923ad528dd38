"""A table in a small Parquet file, whose declared sizes are checked against the file before it is unpacked."""

from collections.abc import Mapping, Sequence
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.parquet_layout import MAGIC, read_footer, read_pages
from nrl_dedup.untrusted.plain_file import read_plain
from nrl_dedup.untrusted.silent_stderr import silent_stderr
from nrl_dedup.untrusted.thrift_compact import Struct

_TYPES = {0: pl.Boolean, 2: pl.Int64, 5: pl.Float64, 6: pl.String}  # by Parquet's physical type
_MAX_PACKING = 100  # times; pages of our own tables take at most ten times less than their values
_SPARE = 1 << 20  # bytes, that a small file may unpack to at any rate


def read_table(path: Path, schema: Mapping[str, Any], most: int) -> pl.DataFrame:
    """The table in a plain file of at most `most` bytes, of flat columns; those of `schema`, as far as they are there,
    have its types and no gaps.

    :raises NrlDedupError: a size that it declares cannot be right, or it is no such table.
    """
    data = read_plain(path, most)
    try:
        _check_layout(data, schema)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        why = str(error) if isinstance(error, ValueError) else "a header lacks what it needs"
        raise NrlDedupError(
            f"{path.name}: wanted a whole Parquet file of this program; {why}."
        ) from error
    try:
        with silent_stderr():
            table = pl.read_parquet(BytesIO(data))
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = str(error).partition("\n")[0][:120]
        raise NrlDedupError(
            f"{path.name}: wanted a Parquet file, found damaged pages ({reason})."
        ) from error
    gaps = [name for name in schema if name in table.columns and table[name].null_count()]
    if gaps:
        raise NrlDedupError(
            f"{path.name}: wanted a value in each row, found rows without {', '.join(gaps)}."
        )
    return table


def _check_layout(data: bytes, schema: Mapping[str, Any]) -> None:
    if not data.startswith(MAGIC):
        raise ValueError("it is none")
    file = BytesIO(data)
    footer, footer_start = read_footer(file, len(data))
    columns = _columns(footer[2], schema)
    rows = footer[3]
    groups = footer.get(4, [])
    rows_of_groups = sum(group[3] for group in groups)
    if not 0 <= rows <= len(data) or rows_of_groups != rows:  # each row takes a byte at least
        raise ValueError(f"{len(data):,} bytes cannot hold {rows:,} rows")
    unpacked = 0
    for group in groups:
        if any(1 in column for column in group[1]):
            raise ValueError("a column is in another file")
        chunks = [column[3] for column in group[1]]
        if [(chunk[3], chunk[1]) for chunk in chunks] != columns:
            raise ValueError("a part has other columns than the whole")
        for chunk in chunks:
            unpacked += _check_chunk(file, chunk, group[3], footer_start)
    if unpacked > _MAX_PACKING * len(data) + _SPARE:
        raise ValueError(f"{len(data):,} bytes cannot hold {unpacked:,} unpacked")


def _columns(
    elements: Sequence[Struct], schema: Mapping[str, Any]
) -> list[tuple[list[bytes], int]]:
    """The path and the physical type of each column."""
    root, *columns = elements
    types = {}
    for column in columns:
        if column.get(5) or column.get(3) not in (0, 1):
            raise ValueError("its columns are not flat")
        name = column[4].decode("utf-8")
        found = _TYPES.get(column.get(1, -1))
        if found is None or found != schema.get(name, found) or name in types:
            raise ValueError(f"the column {name:.60} is of another type, or there twice")
        types[name] = found
    if root.get(5) != len(columns):
        raise ValueError("its columns are not flat")
    return [([column[4]], column[1]) for column in columns]


def _check_chunk(file: BufferedIOBase, chunk: Struct, rows: int, footer_start: int) -> int:
    """The unpacked size of a column's pages, by their headers.

    :param chunk: ColumnMetaData. 5 values, 7 packed bytes, 9 and 11 offsets of its first pages.
    """
    start = min(chunk[9], chunk.get(11) or chunk[9])
    packed = chunk[7]
    lies_inside = len(MAGIC) <= start and 0 <= packed <= footer_start - start
    if not lies_inside or chunk[5] != rows:
        raise ValueError("a column lies outside the file, or has other rows")
    values = 0
    unpacked = 0
    for page in read_pages(file, start, start + packed):
        if page.values > rows:
            raise ValueError(f"a page has {page.values:,} values for {rows:,} rows")
        if not page.is_dictionary:
            values += page.values
        unpacked += page.unpacked
    if values != rows:
        raise ValueError(f"its pages have {values:,} values for {rows:,} rows")
    return unpacked
