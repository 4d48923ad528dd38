"""A table's text as UTF-8 with line feeds, whatever the file is packed with, encoded in or ends its lines with.

What is so already is read in place. All else is copied to a temporary file that has no name, in pieces, so that
memory stays small whatever the file's size, and nothing is left of it when the program is killed.
"""

import bz2
import codecs
import gzip
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, cast

from nrl_dedup.catalogue.files.csv_records import ByteFile
from nrl_dedup.catalogue.files.file_kinds import HEAD, PARQUET, packing_of, refuse_foreign
from nrl_dedup.catalogue.files.text_encodings import (
    UTF8,
    check_encoding,
    is_wide,
    refuse_other_encodings,
)
from nrl_dedup.errors import NrlDedupError

_PIECE = 1 << 20
# Text of ads is packed to a third or a tenth, never to a hundredth.
_MAX_UNPACKED, _MAX_TIMES = (
    1 << 30,
    200,
)
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, OSError)
_UNDECODABLE = "nrl_dedup.undecodable"
# Three bytes that are no UTF-8 once encoded, so that the row is found to be no text.
codecs.register_error(_UNDECODABLE, lambda error: ("\udcff", cast(UnicodeDecodeError, error).end))


@dataclass(frozen=True)
class PlainText:
    """`file`: UTF-8 with line feeds, from its first byte. `encoding`: that of the file as it was."""

    file: IO[bytes]
    encoding: str


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[PlainText]:
    """The text of `path`, unpacked (gzip, bzip2, zstd), in UTF-8, its lines ended by line feeds.

    A file whose lines end with carriage returns alone (old Mac) gets line feeds in their place. Bytes that are no text
    in `encoding` stay bytes that are no UTF-8.

    :param encoding: any text encoding that Python knows; None for UTF-8. A file without a zero byte among its first is
        in no encoding such as UTF-16, and is read as UTF-8.
    :raises NrlDedupError: a file of another kind, text in another encoding, an unknown encoding, a file that is damaged
        or unpacks to more than 1 GiB and more than 200 times its size; no room for the temporary file.
    """
    codec = None if encoding is None else check_encoding(encoding)
    with path.open("rb") as packed, _unpacked(path, packed) as file:
        head = _head(file)
        refuse_foreign(path, head)
        if codec is None or (is_wide(codec) and 0 not in head):
            codec = UTF8
        if codec == UTF8:
            refuse_other_encodings(path, head)
        old_mac = b"\r" in head and b"\n" not in head  # UTF-16 has these bytes too, among zeros
        if codec == UTF8 and not old_mac:
            yield PlainText(file, UTF8)
            return
        with _copied(path, _in_utf8(file, codec, old_mac=old_mac), None) as copy:
            yield PlainText(copy, codec)


@contextmanager
def _unpacked(path: Path, packed: IO[bytes]) -> Iterator[IO[bytes]]:
    packing = packing_of(_head(packed))
    if packing is None:
        yield packed
        return
    most = max(_MAX_UNPACKED, _MAX_TIMES * path.stat().st_size)
    with _copied(path, _unpack(path, packed, packing), most, packing) as copy:
        if _head(copy).startswith(PARQUET):
            raise NrlDedupError(
                f"{path}: this is a Parquet file packed with {packing}. Unpack it first."
            )
        yield copy


@contextmanager
def _copied(
    path: Path, pieces: Iterator[bytes], most: int | None, packing: str = ""
) -> Iterator[IO[bytes]]:
    """A temporary file of these pieces, at its start."""
    with tempfile.TemporaryFile() as copy:
        size = 0
        while (piece := _next(path, pieces, packing)) is not None:
            size += len(piece)
            if most is not None and size > most:
                raise NrlDedupError(
                    f"{path}: it unpacks to more than {most:,} bytes, which no table of ads does. Unpack it first if "
                    "it is one all the same, and name that file."
                )
            try:
                copy.write(piece)
            except OSError as error:
                raise NrlDedupError(
                    f"{path}: no room to unpack or decode it in {tempfile.gettempdir()} ({error.strerror}). Name "
                    "another folder with the variable TMPDIR, or save the file as plain CSV in UTF-8."
                ) from error
        copy.flush()
        copy.seek(0)
        yield cast(IO[bytes], copy)


def _next(path: Path, pieces: Iterator[bytes], packing: str) -> bytes | None:
    try:
        return next(pieces, None)
    except _DAMAGED as error:
        if not packing:
            raise
        raise NrlDedupError(
            f"{path}: this {packing} file is damaged ({error}). Fetch or pack it anew."
        ) from error
    except UnicodeError as error:
        raise NrlDedupError(
            f"{path}: it cannot be decoded ({error}). Name another --encoding."
        ) from error


def _unpack(path: Path, packed: IO[bytes], packing: str) -> Iterator[bytes]:
    if packing == "gzip":
        return _pieces(gzip.open(packed))
    if packing == "bzip2":
        return _pieces(bz2.open(packed))
    program = shutil.which("zstd") if packing == "zstd" else None
    if program is None:
        raise NrlDedupError(
            f"{path}: this file is packed with {packing}, which is not read here. Unpack it first, and name the file: "
            f"{packing} -d {path}"
        )
    return _zstd(path, program)


def _zstd(path: Path, program: str) -> Iterator[bytes]:
    """By the program of that name: Python has no such module, and polars holds a whole line, however long."""
    with (
        path.open("rb") as packed,
        subprocess.Popen(
            [program, "-dcq"], stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        yield from _pieces(cast(IO[bytes], process.stdout))
        said = cast(IO[bytes], process.stderr).read(_PIECE).decode(errors="replace")
        if process.wait():
            raise EOFError(" ".join(said.split()))


def _pieces(file: ByteFile) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _in_utf8(file: ByteFile, codec: str, *, old_mac: bool) -> Iterator[bytes]:
    if codec == UTF8:
        yield from (piece.replace(b"\r", b"\n") for piece in _pieces(file))
        return
    decode = codecs.getincrementaldecoder(codec)(_UNDECODABLE).decode
    for piece in chain(_pieces(file), [b""]):
        text = decode(piece, final=not piece)
        yield (text.replace("\r", "\n") if old_mac else text).encode(UTF8, "surrogatepass")


def _head(file: ByteFile) -> bytes:
    """The first bytes; the file is at its start again."""
    head = file.read(HEAD)
    file.seek(0)
    return head
