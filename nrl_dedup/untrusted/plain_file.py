"""A plain file of a size that can be right: no link, pipe, device or socket, and nothing absurdly large."""

import os
import stat
from pathlib import Path

from nrl_dedup.errors import NrlDedupError

_OTHER_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_regular_file(path: Path, wanted: str) -> None:
    """Find out before a file is opened that it, or what a link leads to, can be read more than once and has an end.

    :param wanted: for the message, as "a CSV or Parquet file".
    :raises NrlDedupError: it is missing, or is a folder, a pipe, a socket or a device.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a zero byte in the name is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise NrlDedupError(f"{path}: cannot be read ({reason}); wanted {wanted}.") from error
    kind = _other_kind(found)
    if kind is None:
        return
    advice = ""
    if stat.S_ISFIFO(found.st_mode):
        advice = " A pipe can be read only once: save its content, and name that file."
    raise NrlDedupError(f"{path}: this is {kind}; wanted {wanted}.{advice}")


def check_plain(path: Path, most: int) -> int:
    """The size in bytes of a plain file. A link is not one, wherever it leads: it could lead to anything.

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
        # The file may have been exchanged since: a link is not followed, a pipe not waited for.
        no_follow = getattr(os, "O_NOFOLLOW", 0)
        no_wait = getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, os.O_RDONLY | no_follow | no_wait)
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
    kind = _other_kind(found)
    if kind is not None:
        raise NrlDedupError(f"{path.name}: wanted a plain file, found {kind}.")
    if found.st_size > most:
        raise NrlDedupError(f"{path.name}: wanted at most {most:,} bytes, found {found.st_size:,}.")
    return found.st_size


def _other_kind(found: os.stat_result) -> str | None:
    """What a path leads to that is no regular file, in words; None for a regular file."""
    if stat.S_ISREG(found.st_mode):
        return None
    for is_kind, name in _OTHER_KINDS:
        if is_kind(found.st_mode):
            return name
    return "a device"
