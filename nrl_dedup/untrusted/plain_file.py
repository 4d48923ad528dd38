"""A plain file of a size that can be right: no link, pipe, device or socket, and nothing absurdly large."""

import os
import stat
from pathlib import Path

from nrl_dedup.errors import NrlDedupError

_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_plain(path: Path, most: int) -> int:
    """The size in bytes of a plain file. A link is none, wherever it leads: it could lead to anything.

    :param most: bytes, more than any right file has.
    :raises NrlDedupError: it is missing, is something else, or is larger.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise NrlDedupError(
            f"{path.name}: wanted a plain file; it cannot be read ({error.strerror})."
        ) from error
    return _size(path, found, most)


def read_plain(path: Path, most: int) -> bytes:
    """The content of a plain file.

    :raises NrlDedupError: as `check_plain`.
    """
    check_plain(path, most)
    try:
        # What stands here may have been exchanged since: a link is not followed, a pipe not waited for.
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        )
        with os.fdopen(handle, "rb") as file:
            return file.read(_size(path, os.fstat(file.fileno()), most))
    except OSError as error:
        raise NrlDedupError(f"{path.name}: cannot be read ({error.strerror}).") from error


def read_text(path: Path, most: int) -> str:
    """The content of a plain file of UTF-8.

    :raises NrlDedupError: as `check_plain`, or it is no UTF-8.
    """
    try:
        return read_plain(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NrlDedupError(
            f"{path.name}: wanted UTF-8, found another byte at {error.start:,}."
        ) from error


def _size(path: Path, found: os.stat_result, most: int) -> int:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device")
        raise NrlDedupError(f"{path.name}: wanted a plain file, found {kind}.")
    if found.st_size > most:
        raise NrlDedupError(f"{path.name}: wanted at most {most:,} bytes, found {found.st_size:,}.")
    return found.st_size
