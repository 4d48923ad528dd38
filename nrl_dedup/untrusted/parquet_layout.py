"""Where a Parquet file declares its parts to be: its footer and the headers of its pages.

Layout: `PAR1`, pages, the footer (Thrift's compact protocol), its length in 4 bytes, `PAR1`. The footer has the schema,
and for each row group and column where its pages are; each page has a header with its sizes. All of these are read here
first, as polars allocates what they declare.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase

from nrl_dedup.untrusted.thrift_compact import Reader, Struct

MAGIC = b"PAR1"
_TAIL_BYTES = 8  # the footer's length and the magic
_MAX_FOOTER = 1 << 28  # bytes, so much memory it may cost. Not tuned.
_MAX_PAGE_HEADER = 1 << 16  # bytes; the statistics in it are short, but for those of long texts
_DICTIONARY_PAGE = 2
_FIELD_OF_KIND = {0: 5, _DICTIONARY_PAGE: 7, 3: 8}  # of PageHeader: what describes a kind of page


@dataclass(frozen=True)
class Page:
    """What a page's header declares: bytes packed and unpacked, and values, which of a dictionary are no rows."""

    packed: int
    unpacked: int
    values: int
    is_dictionary: bool


def read_footer(file: BufferedIOBase, size: int) -> tuple[Struct, int]:
    """The footer (FileMetaData) of a file of `size` bytes, and the offset at which it starts.

    :raises ValueError: the file is cut short, or has no footer.
    """
    if size < len(MAGIC) + _TAIL_BYTES:
        raise ValueError("it ends too early")
    file.seek(size - _TAIL_BYTES)
    tail = file.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    longest = min(size - len(MAGIC) - _TAIL_BYTES, _MAX_FOOTER)
    if tail[4:] != MAGIC or length > longest:
        raise ValueError("it ends without a footer, as files do that were cut short")
    start = size - _TAIL_BYTES - length
    file.seek(start)
    footer, _ = _read_struct(file.read(length))
    return footer, start


def read_pages(file: BufferedIOBase, start: int, end: int) -> Iterator[Page]:
    """What the pages of one column declare, which lie from `start` to `end`.

    :raises ValueError: a page goes beyond `end`, or a size is missing or negative.
    """
    while start < end:
        file.seek(start)
        header, length = _read_struct(file.read(min(end - start, _MAX_PAGE_HEADER)))
        kind = header.get(1, -1)
        unpacked = header.get(2, -1)
        packed = header.get(3, -1)
        description = header.get(_FIELD_OF_KIND.get(kind, -1), {})
        values = description.get(1, 0)
        start += length + packed
        if packed < 0 or unpacked < 0 or values < 0 or start > end:
            raise ValueError(
                f"a page declares {packed:,} bytes, {unpacked:,} unpacked, {values:,} values"
            )
        yield Page(packed, unpacked, values, kind == _DICTIONARY_PAGE)


def _read_struct(data: bytes) -> tuple[Struct, int]:
    """The Thrift struct that `data` starts with, and how many bytes it takes."""
    reader = Reader(data, 0, len(data))
    return reader.struct(), reader.at
