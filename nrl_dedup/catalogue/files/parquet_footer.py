"""What a Parquet file declares of itself, checked against its size before anything is allocated for it.

The footer has the schema, depth first, and for each row group and column where its pages are (`parquet_layout.py`).
"""

from collections.abc import Collection, Sequence
from io import BufferedIOBase
from pathlib import Path

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.parquet_layout import read_footer, read_pages
from nrl_dedup.untrusted.thrift_compact import Struct

_MAX_SCHEMA_LEVELS = 32  # a list takes three
_MAX_UNPACKED = 1 << 28  # bytes, that any file may unpack to
_MAX_PACKING = 200  # times; text of ads is packed to a third or a tenth, never to a hundredth
_MAX_ROWS = 1 << 20  # that any file may declare
_MAX_ROWS_PER_BYTE = 100  # of a larger file; ids differ, so rows take room


def check_parquet(path: Path, columns: Collection[str] | None = None) -> None:
    """Check what `path` declares: the depth of its schema, its rows, and the place and sizes of its columns and pages.

    :param columns: those whose pages are checked too, by the names of the top level; None for all.
    :raises NrlDedupError: one of them cannot be, for a file of this size.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            footer, _ = read_footer(file, size)
            _check_schema(footer.get(2))
            groups = footer.get(4) or []
            _check_rows(groups, footer.get(3), size)
            unpacked_left = max(_MAX_UNPACKED, _MAX_PACKING * size)
            for group in groups:
                for column in group.get(1) or []:
                    unpacked_left -= _check_column(
                        file, column.get(3), group[3], size, unpacked_left, columns
                    )
    except ValueError as error:
        raise NrlDedupError(_damaged(path, str(error))) from error
    except (AttributeError, TypeError, LookupError) as error:
        reason = "a field has another type than it should"
        raise NrlDedupError(_damaged(path, reason)) from error


def _damaged(path: Path, reason: str) -> str:
    return f"{path}: this Parquet file is damaged: {reason}. Fetch or write it anew."


def _check_schema(elements: Sequence[Struct] | None) -> None:
    """Depth first, each element with the number of its children."""
    if not elements:
        raise ValueError("it has no schema")
    still_to_come = [1]  # elements on each level
    for element in elements:
        while still_to_come and still_to_come[-1] == 0:
            still_to_come.pop()
        if not still_to_come:
            raise ValueError("its schema has elements that belong nowhere")
        still_to_come[-1] -= 1
        children = element.get(5) or 0
        if not 0 <= children < len(elements):
            raise ValueError(f"an element of its schema has {children} children")
        still_to_come.append(children)
        if len(still_to_come) > _MAX_SCHEMA_LEVELS:
            raise ValueError(f"its schema is more than {_MAX_SCHEMA_LEVELS} levels deep")
    if any(still_to_come):
        raise ValueError("its schema lacks elements")


def _check_rows(groups: Sequence[Struct], declared: int | None, size: int) -> None:
    total = 0
    for group in groups:
        rows = group.get(3)
        if not isinstance(rows, int) or rows < 0:
            raise ValueError("a row group declares no number of rows")
        total += rows
    if declared != total:
        raise ValueError("its row groups have other rows than it declares")
    if total > max(_MAX_ROWS, _MAX_ROWS_PER_BYTE * size):
        raise ValueError(f"it declares {total:,} rows in {size:,} bytes")


def _check_column(
    file: BufferedIOBase,
    about: Struct,
    rows: int,
    size: int,
    unpacked_left: int,
    columns: Collection[str] | None,
) -> int:
    """Check one column of one row group; the bytes that it unpacks to.

    :param about: ColumnMetaData. 3 path, 5 values, 6 and 7 unpacked and packed bytes, 9 and 11 offsets of its first
        pages.
    """
    name = "?"
    if about.get(3):
        name = b".".join(about[3]).decode("utf-8", "replace")
    values = about.get(5, -1)
    unpacked = about.get(6, -1)
    packed = about.get(7, -1)
    starts = [about[number] for number in (9, 11) if about.get(number)]
    start = min(starts, default=-1)
    lies_inside = 0 <= start <= size and 0 <= packed <= size - start
    if not lies_inside or not 0 <= unpacked <= unpacked_left:
        raise ValueError(
            f"its column {name} declares {packed:,} bytes at {start:,}, {unpacked:,} unpacked"
        )
    max_values = max(_MAX_ROWS, rows, _MAX_ROWS_PER_BYTE * size)
    if not 0 <= values <= max_values:
        raise ValueError(f"its column {name} declares {values:,} values in {rows:,} rows")
    if columns is None or name.split(".")[0] in columns:
        _check_pages(file, name, start, start + packed, values, unpacked)
    return int(unpacked)


def _check_pages(
    file: BufferedIOBase, name: str, start: int, end: int, values: int, unpacked: int
) -> None:
    found = 0
    for page in read_pages(file, start, end):
        if page.unpacked > unpacked or page.values > max(values, unpacked):
            raise ValueError(
                f"a page of its column {name} declares {page.unpacked:,} bytes unpacked, {page.values:,} values"
            )
        if not page.is_dictionary:
            found += page.values
    if found != values:
        raise ValueError(f"its column {name} declares {values:,} values, and its pages {found:,}")
