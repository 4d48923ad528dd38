"""A table in a small Parquet file, whose declared sizes are checked against the file before it is unpacked.

The file ends in a footer (columns, rows, and where each column's pages lie); each page has a header (its size packed
and unpacked, its values). All of these are asked of our own reader first, as polars believes them.
"""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.plain_file import read_plain
from nrl_dedup.untrusted.thrift_compact import Reader, Struct

_MAGIC = b"PAR1"
_END = 8  # bytes: the footer's length and the magic
_KINDS = {0: pl.Boolean, 2: pl.Int64, 5: pl.Float64, 6: pl.String}  # Parquet's physical types
_DICTIONARY = 2  # a kind of page, the values of which are not rows
_MOST_PACKING = (
    100  # times; the pages of our own tables take at most ten times less than their values
)
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
        with _silent():
            table = pl.read_parquet(io.BytesIO(data))
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
    length = int.from_bytes(data[-_END:-4], "little")
    footer = len(data) - _END - length
    if data[:4] != _MAGIC or data[-4:] != _MAGIC or footer < len(_MAGIC):
        raise ValueError("it is none, or is cut short")
    about = Reader(data, footer, len(data) - _END).struct()
    kinds = _columns(about[2], schema)
    rows, groups = about[3], about.get(4, [])
    if not 0 <= rows <= len(data) or sum(group[3] for group in groups) != rows:
        raise ValueError(
            f"{len(data):,} bytes cannot hold {rows:,} rows"
        )  # each takes a byte at least
    unpacked = 0
    for group in groups:
        chunks = [column[3] for column in group[1]]
        if [(chunk[3], chunk[1]) for chunk in chunks] != kinds or any(
            1 in column for column in group[1]
        ):
            raise ValueError("a part has other columns than the whole")
        unpacked += sum(_check_chunk(data, chunk, group[3], footer) for chunk in chunks)
    if unpacked > _MOST_PACKING * len(data) + _SPARE:
        raise ValueError(f"{len(data):,} bytes cannot hold {unpacked:,} unpacked")


def _columns(elements: list[Struct], schema: Mapping[str, Any]) -> list[tuple[list[bytes], int]]:
    """The path and the physical type of each column."""
    root, *columns = elements
    if root.get(5) != len(columns) or any(
        column.get(5) or column.get(3) not in (0, 1) for column in columns
    ):
        raise ValueError("its columns are not flat")
    found = {column[4].decode("utf-8"): _KINDS.get(column.get(1, -1)) for column in columns}
    wrong = [name for name, kind in found.items() if kind is None or schema.get(name, kind) != kind]
    if wrong or len(found) < len(columns):
        raise ValueError(
            f"the column {(wrong or ['a name'])[0]:.60} is of another type, or there twice"
        )
    return [([column[4]], column[1]) for column in columns]


def _check_chunk(data: bytes, chunk: Struct, rows: int, footer: int) -> int:
    """The unpacked size of a column's pages, by their headers."""
    start, size = min(chunk[9], chunk.get(11) or chunk[9]), chunk[7]
    if not (len(_MAGIC) <= start and 0 <= size <= footer - start and chunk[5] == rows):
        raise ValueError("a column lies outside the file, or has other rows")
    pages, values, unpacked = Reader(data, start, start + size), 0, 0
    while pages.at < start + size:
        page = pages.struct()
        if not (page[2] >= 0 and 0 <= page[3] <= start + size - pages.at):
            raise ValueError("a page is larger than its column")
        about = page.get(5) or page.get(7) or page[8]
        if not 0 <= about[1] <= rows:
            raise ValueError(f"a page has {about[1]:,} values for {rows:,} rows")
        values += 0 if page[1] == _DICTIONARY else about[1]
        unpacked += page[2]
        pages.at += page[3]
    if values != rows:
        raise ValueError(f"its pages have {values:,} values for {rows:,} rows")
    return unpacked


@contextmanager
def _silent() -> Iterator[None]:
    """No word on standard error: polars' own code writes there by itself before it raises what is wrong."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed, and silent already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
