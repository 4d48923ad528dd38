"""The records of a CSV file (RFC 4180): where each one starts, and whether the file is in good order.

Quoted fields may hold separators and newlines. Lines end with LF or CRLF, and are counted from 1 by their LF; a CR
alone, but at the end of the file, is text.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

# Bytes of a record; so much memory one stray quote, or a file without a line feed, may cost.
LONGEST = 1 << 26
_CHUNK = 1 << 22  # bytes surveyed at a time; so that memory stays small. Not tuned.
_PIECE = 1 << 20  # bytes of a line that is passed over, read at a time. Not tuned.
BOM = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR = b'"\n\r'
_LONE_CR = "\ud800"  # replaces it inside the csv module, which would end the line; no decoded text holds it
_UNDECODED = re.compile("[\udc80-\udcff]")  # what bytes that are not UTF-8 are decoded to
_SAMPLE = 1 << 14  # bytes of rows that are not UTF-8, kept to guess their encoding from


@runtime_checkable
class ByteFile(Protocol):
    """What is asked of a file that is open for its bytes."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...


@dataclass(frozen=True)
class Dialect:
    """How a file is cut into fields. `ahead`: the lines before the header (Excel's `sep=;`), 0 or 1."""

    separator: str
    ahead: int = 0


@dataclass(frozen=True)
class Survey:
    """A file in good order: every record has the `width` of the first, and quotes are only where RFC 4180 has them.

    `lines`: int64, the line on which each record after the first starts.
    """

    width: int
    lines: np.ndarray


class Records:
    """Line, fields and "" for each record; for a malformed one its line, no fields and what is wrong with it.

    Blank lines are passed over. After a malformed record (text after a closing quote, a quote never closed, more than
    64 MiB) reading goes on at the *line* after its first, so that one stray quote costs its own row and not those that
    it seems to swallow. A record with a byte that is not UTF-8, or is zero, is malformed too.
    """

    def __init__(self, file: ByteFile, dialect: Dialect, encoding: str = "UTF-8") -> None:
        self.beyond_ascii = 0  # well-formed records with other characters than ASCII's
        self.undecodable = 0
        self.first_undecodable = ""
        self.sample = b""  # of what is undecodable
        self.returning = (
            b""  # the record given last, where it has carriage returns that end no line
        )
        self._lines = _Lines(file, dialect.ahead, encoding)
        self._separator = dialect.separator

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
        while True:
            reader = csv.reader(self._lines, delimiter=self._separator, strict=True)
            try:
                for fields in reader:
                    record = self._lines.accept()
                    self.returning = record.returning
                    if record.undecodable:
                        self._count(record)
                    elif not record.reason and fields:
                        self.beyond_ascii += not record.ascii
                    if record.reason:
                        yield record.line, [], record.reason
                    elif fields:
                        yield record.line, [field.replace(_LONE_CR, "\r") for field in fields], ""
                return
            except (csv.Error, _TooLongError) as error:
                record = self._lines.reject()
                self.returning = record.returning
                if record.undecodable:
                    self._count(record)
                yield record.line, [], record.reason or _REASONS.get(str(error), str(error))

    def _count(self, record: "_Record") -> None:
        self.undecodable += 1
        self.first_undecodable = self.first_undecodable or f"{record.reason} (line {record.line})"
        if len(self.sample) < _SAMPLE:
            self.sample += record.undecodable


_REASONS = {"unexpected end of data": "a quote is opened and never closed"}


class _TooLongError(Exception):
    def __init__(self) -> None:
        super().__init__(f"it is longer than {LONGEST >> 20} MiB, or a quote in it is never closed")


@dataclass(frozen=True)
class _Record:
    line: int
    reason: str  # what is wrong with its bytes
    undecodable: bytes  # its first line that is not UTF-8
    ascii: bool
    returning: bytes


class _Lines:
    """The lines of a file; can go back to the second of those that were taken since the last record. Counts them."""

    def __init__(self, file: ByteFile, ahead: int, encoding: str) -> None:
        self._file, self._encoding = file, encoding
        file.seek(0)
        self._at = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(self._at)
        for _ in range(ahead):
            self._at += len(file.readline(_PIECE))
        self._start = 1 + ahead
        self._forget()

    def _forget(self) -> None:
        self._ends: list[int] = []  # the offset after each line taken
        self._size = 0
        self._raw: list[bytes] = []
        self._returns = False
        self._wrong: dict[
            int, tuple[str, bytes]
        ] = {}  # the place of a line -> what is wrong, itself if undecodable
        self._ascii = True

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._file.readline(LONGEST + 1 - self._size)
        if not raw:
            raise StopIteration
        self._size += len(raw)
        self._raw.append(raw)
        self._returns = self._returns or raw.count(b"\r") > raw.endswith(b"\r\n")
        self._ends.append(self._at + len(raw))
        line = raw.decode("utf-8", "surrogateescape")
        self._look(raw, line)
        self._at += len(raw)
        if self._size > LONGEST:
            raise _TooLongError
        ending = next((end for end in ("\r\n", "\r") if line.endswith(end)), "")
        return line.removesuffix(ending).replace("\r", _LONE_CR) + ending

    def _look(self, raw: bytes, line: str) -> None:
        place = len(self._ends) - 1
        if not raw.isascii():
            self._ascii = False
            if found := _UNDECODED.search(line):
                offset = self._at + len(line[: found.start()].encode())
                byte = ord(found[0]) - 0xDC00
                self._wrong[place] = (self._undecodable(byte, offset), raw[:_SAMPLE])
                return
        if b"\0" in raw:
            self._wrong[place] = (f"the byte at offset {self._at + raw.index(0)} is zero", b"")

    def _undecodable(self, byte: int, offset: int) -> str:
        if self._encoding.lower().startswith("utf-8"):
            return f"the byte at offset {offset} (0x{byte:02x}) is not UTF-8"
        return f"it holds bytes that are no text in {self._encoding}"

    def accept(self) -> _Record:
        """The record just read."""
        reason, undecodable = next(iter(self._wrong.values()), ("", b""))
        returning = b"".join(self._raw) if self._returns else b""
        record = _Record(self._start, reason, undecodable, self._ascii, returning)
        self._start += len(self._ends)
        self._forget()
        return record

    def reject(self) -> _Record:
        """The first line of the record; the others will be read again."""
        if self._size > LONGEST and len(self._ends) == 1:
            self._pass_over_line()
        if len(self._ends) > 1:
            del self._ends[1:], self._raw[1:]
            self._at = self._ends[0]
            self._file.seek(self._at)
        self._wrong = {0: self._wrong[0]} if 0 in self._wrong else {}
        return self.accept()

    def _pass_over_line(self) -> None:
        piece = b""
        while not piece.endswith(b"\n") and (piece := self._file.readline(_PIECE)):
            self._at += len(piece)


def survey(file: ByteFile, dialect: Dialect) -> Survey | None:
    """One pass over the bytes of `file`, UTF-8; holds a few MB and one int64 a record. None where it is not in good
    order: another width, a quote out of place, a byte that is not UTF-8 or is zero, a record of more than 64 MiB."""
    separator = ord(dialect.separator)
    special = np.zeros(256, dtype=bool)
    special[[_QUOTE, _LF, _CR, separator]] = True
    starts: list[np.ndarray] = []
    widths: list[np.ndarray] = []
    quoted = False
    fields = 1
    open_record = False
    file.seek(0)
    offset = len(BOM) if file.read(len(BOM)) == BOM else 0
    file.seek(offset)
    for _ in range(dialect.ahead):
        offset += len(file.readline(_PIECE))
    line = 1 + dialect.ahead
    last_end = offset
    while chunk := file.read(_CHUNK) + file.readline(LONGEST):
        if not _is_text(chunk):
            return None
        data = np.frombuffer(chunk, dtype=np.uint8)
        at = np.flatnonzero(special[data])  # bytes that mean something
        kind = data[at]
        inside = (np.cumsum(kind == _QUOTE) + quoted) % 2 == 1  # after this byte
        is_end = ~inside & (kind == _LF)
        ends = offset + at[is_end] + 1  # of the records, each after its line feed
        lengths = np.diff([*ends, offset + len(chunk)], prepend=last_end)
        if lengths.max() > LONGEST or not _well_formed(data, at, kind, inside, separator):
            return None
        so_far = np.cumsum(~inside & (kind == separator)) + fields
        so_far_at_ends = so_far[is_end]
        widths_here = np.diff(so_far_at_ends, prepend=0)
        widths_here[1:] += 1
        widths.append(widths_here)
        starts.append(line + np.cumsum(kind == _LF)[is_end])
        if len(at):
            fields = int(so_far[-1])
            quoted = bool(inside[-1])
        if len(ends):
            fields += 1 - int(so_far_at_ends[-1])
            last_end = int(ends[-1])
        open_record = not chunk.endswith(b"\n") or quoted
        line += chunk.count(b"\n")
        offset += len(chunk)
    if open_record:
        widths.append(np.array([fields]))
    all_widths = np.concatenate([np.zeros(0, np.int64), *widths])
    first_start = 1 + dialect.ahead
    all_starts = np.concatenate([[first_start], *starts]).astype(np.int64)
    width = int(all_widths[0]) if len(all_widths) else 0
    if quoted or (all_widths != width).any():
        return None
    return Survey(width, all_starts[1 : len(all_widths)])


def _well_formed(
    data: np.ndarray, at: np.ndarray, kind: np.ndarray, inside: np.ndarray, separator: int
) -> bool:
    """Quotes open at the start of a field and close at its end; a CR outside quotes is followed by an LF.

    `data` starts at the start of a line and ends at the end of one, or of the file. A doubled quote inside a
    quoted field closes it and opens it again, so a quote is a good neighbour to a quote.
    """
    quotes = kind == _QUOTE
    opens = at[quotes & inside & (at > 0)]
    closes = at[quotes & ~inside & (at < len(data) - 1)]
    returns = at[~inside & (kind == _CR)]  # versions of polars differ about those that stand alone
    before_open = data[opens - 1]
    after_close = data[closes + 1]
    after_return = data[np.minimum(returns + 1, len(data) - 1)]
    return bool(
        np.isin(before_open, (separator, _LF, _QUOTE)).all()
        and np.isin(after_close, (separator, _LF, _CR, _QUOTE)).all()
        and (after_return == _LF).all()
    )


def _is_text(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return 0 not in chunk
