"""What a file is, by its first bytes: one that is no table of ads is refused by the name of its kind, with advice."""

import re
from pathlib import Path

from nrl_dedup.errors import NrlDedupError

HEAD = 1 << 16  # bytes that are looked at
PARQUET = b"PAR1"
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}

_AS_CSV = "Save it as CSV in UTF-8, and name that file."
_UNPACK = "Unpack it, and name the file that was in it."
_FOREIGN = (  # first bytes, what they begin, what to do; the longer of two that begin alike comes first
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file (.xls)", _AS_CSV),
    (b"%PDF", "a PDF", "Export its table as CSV in UTF-8."),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "Export the table with the ads as CSV in UTF-8.",
    ),
    (b"PARE", "an encrypted Parquet file", "Store it without encryption."),
    (b"ARROW1", "an Arrow (Feather) file", "Save it as Parquet or as CSV in UTF-8."),
    (b"ORC", "an ORC file", "Save it as Parquet or as CSV in UTF-8."),
    (b"Obj\x01", "an Avro file", "Save it as Parquet or as CSV in UTF-8."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Save it as Parquet or as CSV in UTF-8."),
    (b"\x93NUMPY", "a NumPy array", "Save it as Parquet or as CSV in UTF-8."),
    (b"{\\rtf", "a text document (RTF)", _AS_CSV),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (
        b"\x89PNG\r\n\x1a\n",
        "a picture (PNG)",
        "Name the table of the ads, and the photos' folder with --images.",
    ),
    (
        b"\xff\xd8\xff",
        "a picture (JPEG)",
        "Name the table of the ads, and the photos' folder with --images.",
    ),
    (
        b"GIF8",
        "a picture (GIF)",
        "Name the table of the ads, and the photos' folder with --images.",
    ),
    (b"\x7fELF", "a program", "Name the table of the ads."),
)
_TAR_AT, _TAR = 257, b"ustar"
_ZIPS = (  # what is among the first bytes of zips of each kind
    (b"xl/", "an Excel file (.xlsx)", _AS_CSV),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)", _AS_CSV),
    (b"word/", "a Word document (.docx)", _AS_CSV),
    (b"[Content_Types].xml", "an Excel or other Office file", _AS_CSV),
)
_AS_TABLE = "Convert it to CSV in UTF-8 or to Parquet: a row for each ad, a column for each field."
_OBJECT = re.compile(rb'\s*\{\s*("(?:[^"\\]|\\.)*"\s*:|\}\s*$)', re.DOTALL)
_WHOLE_OBJECT_ON_A_LINE = re.compile(rb"\s*\{[^\r\n]*\}\s*[\r\n]")
_ARRAY = re.compile(rb"\s*\[\s*[\[{\]]")
_MARKUP = re.compile(rb"\s*<(!doctype\s+html|html|\?xml|table)\b", re.IGNORECASE)


def packing_of(head: bytes) -> str | None:
    """How the file that begins with `head` is packed: gzip, bzip2, xz or zstd; None where it is not."""
    for magic, name in PACKED.items():
        if head.startswith(magic):
            return name
    return None


def refuse_foreign(path: Path, head: bytes) -> None:
    """:raises NrlDedupError: the file that begins with `head` is of a kind that is not read; the message names it."""
    found = _foreign(head)
    if found:
        what, advice = found
        raise NrlDedupError(f"{path}: this is {what}; a CSV or Parquet file was wanted. {advice}")


def _foreign(head: bytes) -> tuple[str, str] | None:
    for magic, what, advice in _FOREIGN:
        if head.startswith(magic):
            return what, advice
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return "a tar archive", _UNPACK
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        for mark, what, advice in _ZIPS:
            if mark in head:
                return what, advice
        return "a zip archive", _UNPACK
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _OBJECT.match(text):
        return ("JSON lines" if _WHOLE_OBJECT_ON_A_LINE.match(text) else "JSON"), _AS_TABLE
    if _ARRAY.match(text):
        return "JSON", _AS_TABLE
    if _MARKUP.match(text):
        return "HTML or XML", _AS_CSV
    return None
