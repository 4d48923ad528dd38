"""The records of a CSV file (RFC 4180): where each one starts, and whether the file is in good order.

Quoted fields may hold separators and newlines. Lines end with LF or CRLF, and are counted from 1 by their LF; a CR
that stands alone, but at the end of the file, is text.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nrl_dedup.errors import NrlDedupError

_CHUNK = 1 << 22
_BOM = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR = b'"\n\r'
_LONE_CR = "\0"  # stands for it inside the csv module, which would end the line; no zero byte passes the survey


@dataclass(frozen=True)
class Survey:
    """What one pass over the bytes shows.

    `strict`: every record has the `width` of the first, and quotes stand only where RFC 4180 has them. Where it
    is false, `lines` is not to be used. `lines`: int64, the line on which each record after the first starts.
    """

    strict: bool
    width: int
    lines: np.ndarray


def separator_of(path: Path) -> str:
    """The comma, unless the first line has none and has a semicolon or, failing that, a tab."""
    with path.open("rb") as file:
        header = file.readline(1 << 20)
    return next((separator for separator in ",;\t" if separator.encode() in header), ",")


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str], str]]:
    """Line, fields and "" for each record; for a malformed one its line, no fields and what is wrong with it.

    Blank lines are passed over. After a malformed record (text behind a closing quote, a quote never closed, a
    field above the csv module's limit, 131,072 characters unless changed) reading goes on at the *line* after its
    first, so that one stray quote costs its own row and not those that it seems to swallow.
    """
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        lines = _Lines(file)
        while True:
            reader = csv.reader(lines, delimiter=separator, strict=True)
            try:
                for fields in reader:
                    start = lines.accept()
                    if fields:
                        yield start, [field.replace(_LONE_CR, "\r") for field in fields], ""
                return
            except csv.Error as error:
                unclosed = str(error) == "unexpected end of data"
                yield lines.reject(), [], "a quote is opened and never closed" if unclosed else str(error)


class _Lines:
    """Lines that can be handed back; counts them."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self._returned: deque[str] = deque()
        self._taken: list[str] = []
        self._start = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._file)
        self._taken.append(line)
        ending = next((end for end in ("\r\n", "\r") if line.endswith(end)), "")
        return line.removesuffix(ending).replace("\r", _LONE_CR) + ending

    def accept(self) -> int:
        """The line on which the record just read started."""
        start = self._start
        self._start += len(self._taken)
        self._taken.clear()
        return start

    def reject(self) -> int:
        """The same; all lines of the record but its first will be read again."""
        self._returned.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        return self.accept()


def survey(path: Path, separator: str) -> Survey:
    """One pass over the bytes of `path`; holds a few MB and one int64 a record.

    :raises NrlDedupError: a byte that is not UTF-8, or a zero byte, with its offset and line.
    """
    special = np.zeros(256, dtype=bool)
    special[[_QUOTE, _LF, _CR, ord(separator)]] = True
    starts: list[np.ndarray] = []
    widths: list[np.ndarray] = []
    well_formed, quoted, fields, open_record = True, False, 1, False
    offset, line = 0, 1
    with path.open("rb") as file:
        offset = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
        file.seek(offset)
        while chunk := file.read(_CHUNK) + file.readline():
            _check_text(path, chunk, offset, line)
            data = np.frombuffer(chunk, dtype=np.uint8)
            at = np.flatnonzero(special[data])  # bytes that mean something
            kind = data[at]
            quotes = kind == _QUOTE
            inside = (np.cumsum(quotes) + quoted) % 2 == 1  # after this byte
            well_formed = well_formed and _well_formed(data, at, kind, inside, ord(separator))
            ends = ~inside & (kind == _LF)
            so_far = np.cumsum(~inside & (kind == ord(separator))) + fields
            widths.append(np.diff(so_far[ends], prepend=0))
            widths[-1][1:] += 1
            starts.append(line + np.cumsum(kind == _LF)[ends])
            last = so_far[-1] if len(at) else fields
            fields = int(last - so_far[ends][-1] + 1) if ends.any() else int(last)
            quoted = bool(inside[-1]) if len(at) else quoted
            open_record = not chunk.endswith(b"\n") or quoted
            line += chunk.count(b"\n")
            offset += len(chunk)
    all_widths = np.concatenate([*widths, [fields] if open_record else []]).astype(np.int64)
    all_starts = np.concatenate([[1], *starts]).astype(np.int64)[: len(all_widths)]
    width = int(all_widths[0]) if len(all_widths) else 0
    strict = well_formed and not quoted and bool((all_widths == width).all())
    return Survey(strict, width, all_starts[1:])


def _well_formed(data: np.ndarray, at: np.ndarray, kind: np.ndarray, inside: np.ndarray, separator: int) -> bool:
    """Quotes open at the start of a field and close at its end; a CR outside quotes stands before an LF.

    `data` starts at the start of a line and ends at the end of one, or of the file. A doubled quote inside a
    quoted field closes it and opens it again, so a quote is a good neighbour to a quote.
    """
    quotes = kind == _QUOTE
    opens = at[quotes & inside & (at > 0)]
    closes = at[quotes & ~inside & (at < len(data) - 1)]
    returns = at[~inside & (kind == _CR)]  # versions of polars differ about those that stand alone
    return bool(
        np.isin(data[opens - 1], (separator, _LF, _QUOTE)).all()
        and np.isin(data[closes + 1], (separator, _LF, _CR, _QUOTE)).all()
        and (data[np.minimum(returns + 1, len(data) - 1)] == _LF).all()
    )


def _check_text(path: Path, chunk: bytes, offset: int, line: int) -> None:
    try:
        chunk.decode()
        at = chunk.find(b"\0")
        wrong = "is zero"
    except UnicodeDecodeError as error:
        at = error.start
        wrong = f"(0x{chunk[at]:02x}) is not UTF-8"
    if at >= 0:
        raise NrlDedupError(
            f"{path}: wanted text in UTF-8; the byte at offset {offset + at} "
            f"(line {line + chunk.count(bytes([_LF]), 0, at)}) {wrong}. Save the file as CSV in UTF-8."
        )
