"""What a Parquet file declares of itself, checked against its size before anything is allocated for it.

Layout: `PAR1`, pages, the footer (Thrift's compact protocol), its length in 4 bytes, `PAR1`. The footer has the schema,
depth first, and for each row group and column where its pages are; each page has a header with its sizes.
"""

from collections.abc import Collection
from pathlib import Path
from typing import IO

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.thrift_compact import Reader, Struct

_MAGIC = b"PAR1"
_DEEPEST = 32  # levels of the schema; a list takes three
_NESTED = 16  # levels of Thrift structs and lists; Parquet's own go to eight
_LARGEST_FOOTER = 1 << 28
_MOST_UNPACKED, _MOST_TIMES = (
    1 << 28,
    200,
)  # text of ads is packed to a third or a tenth, never to a hundredth
_MOST_ROWS, _ROWS_A_BYTE = 1 << 20, 100  # ids differ, so rows take room
_PAGE_HEADER = 1 << 16  # statistics in it are short, but for those of long texts


class _MalformedError(Exception):
    pass


def check_parquet(path: Path, columns: Collection[str] | None = None) -> None:
    """Check what `path` declares: the depth of its schema, its rows, and the place and sizes of its columns and pages.

    :param columns: those whose pages are checked too, by the names of the top level; None for all.
    :raises NrlDedupError: one of them cannot be, for a file of this size.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            footer = _footer(file, size)
            _check_schema(footer.get(2))
            rows = [group.get(3) for group in footer.get(4) or []]
            if any(not isinstance(count, int) or count < 0 for count in rows) or footer.get(
                3
            ) != sum(rows):
                raise _MalformedError("its row groups have other rows than it declares")
            if sum(rows) > max(_MOST_ROWS, _ROWS_A_BYTE * size):
                raise _MalformedError(f"it declares {sum(rows):,} rows in {size:,} bytes")
            most = max(_MOST_UNPACKED, _MOST_TIMES * size)
            for group in footer.get(4) or []:
                for chunk in group.get(1) or []:
                    most -= _check_chunk(file, chunk.get(3), group[3], size, most, columns)
    except (_MalformedError, ValueError, AttributeError, TypeError, IndexError) as error:
        told = isinstance(error, _MalformedError | ValueError)
        reason = str(error) if told else "a field has another type than it should"
        raise NrlDedupError(
            f"{path}: this Parquet file is damaged: {reason}. Fetch or write it anew."
        ) from error


def _footer(file: IO[bytes], size: int) -> Struct:
    if size < 12:
        raise _MalformedError("it ends too early")
    file.seek(size - 8)
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > min(size - 12, _LARGEST_FOOTER):
        raise _MalformedError("it ends without a footer, as files do that were cut short")
    file.seek(size - 8 - length)
    return _read(file.read(length))[0]


def _read(data: bytes) -> tuple[Struct, int]:
    """The Thrift struct that `data` starts with, and how many bytes it takes."""
    reader = Reader(data, 0, len(data))
    return reader.struct(_NESTED), reader.at


def _check_schema(elements: list[Struct] | None) -> None:
    """Depth first, each element with the number of its children."""
    if not elements:
        raise _MalformedError("it has no schema")
    open_ends = [1]  # how many elements are still to come on each level
    for element in elements:
        while open_ends and open_ends[-1] == 0:
            open_ends.pop()
        if not open_ends:
            raise _MalformedError("its schema has elements that belong nowhere")
        open_ends[-1] -= 1
        children = element.get(5) or 0
        if not 0 <= children < len(elements):
            raise _MalformedError(f"an element of its schema has {children} children")
        open_ends.append(children)
        if len(open_ends) > _DEEPEST:
            raise _MalformedError(f"its schema is more than {_DEEPEST} levels deep")
    if any(open_ends):
        raise _MalformedError("its schema lacks elements")


def _check_chunk(
    file: IO[bytes], about: Struct, rows: int, size: int, most: int, columns: Collection[str] | None
) -> int:
    """Check one column of one row group; the bytes that it unpacks to.

    `about`: ColumnMetaData. 3 path, 5 values, 6 and 7 unpacked and packed bytes, 9 and 11 offsets of its first pages.
    """
    name = b".".join(about[3]).decode("utf-8", "replace") if about.get(3) else "?"
    values, unpacked, packed = (about.get(number, -1) for number in (5, 6, 7))
    starts = [about[number] for number in (9, 11) if about.get(number)]
    start = min(starts, default=-1)
    if not (0 <= start <= size and 0 <= packed <= size - start and 0 <= unpacked <= most):
        raise _MalformedError(
            f"its column {name} declares {packed:,} bytes at {start:,}, {unpacked:,} unpacked"
        )
    if not 0 <= values <= max(_MOST_ROWS, rows, _ROWS_A_BYTE * size):
        raise _MalformedError(f"its column {name} declares {values:,} values in {rows:,} rows")
    if columns is None or name.split(".")[0] in columns:
        _check_pages(file, name, start, start + packed, values, unpacked)
    return int(unpacked)


def _check_pages(file: IO[bytes], name: str, at: int, end: int, values: int, unpacked: int) -> None:
    """PageHeader: 1 type, 2 and 3 unpacked and packed bytes; 5, 7 and 8: 1 values."""
    found = 0
    while at < end:
        file.seek(at)
        header, length = _read(file.read(min(end - at, _PAGE_HEADER)))
        kind, larger, smaller = (header.get(number, -1) for number in (1, 2, 3))
        about = header.get({0: 5, 2: 7, 3: 8}.get(kind, -1)) or {}
        count = about.get(1, 0)
        at += length + smaller
        if (
            smaller < 0
            or at > end
            or not 0 <= larger <= unpacked
            or not 0 <= count <= max(values, unpacked)
        ):
            raise _MalformedError(
                f"a page of its column {name} declares {smaller:,} bytes, {larger:,} unpacked, {count:,} values"
            )
        found += count if kind != 2 else 0
    if found != values:
        raise _MalformedError(
            f"its column {name} declares {values:,} values, and its pages {found:,}"
        )
