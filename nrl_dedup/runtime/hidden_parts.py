"""The hidden files and folders that a run writes into until they are whole, and whose they are.

A run holds the lock (flock) of what it writes for as long as it lives; the system takes the lock back however the run
ends. So the next run can tell what a dead one has left, and removes that and nothing else.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

PART = ".part"
LONGEST_NAME = 200  # bytes; file systems take 255, and a token and an ending are put to it
_NEW_NAMES = 100  # tries; a name is taken once in 2^64, or by a folder in which another program removes everything


class HeldElsewhere(Exception):
    """Another run that lives holds this file or folder."""


def hidden_beside(path: Path, ending: str) -> Path:
    """`.NAME` with `ending` beside `path`; a very long NAME is replaced by its digest."""
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}{ending}")


def hold(path: Path) -> int:
    """An open descriptor with the lock of the file or folder `path`. Close it to give the lock back.

    Where the file system knows no locks there is a descriptor without one.

    :raises HeldElsewhere: another run has the lock.
    :raises OSError: it cannot be opened, or is gone.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(opened)
        # Removed and made anew before we had the lock.
        if not os.path.samestat(os.fstat(opened), path.lstat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except BlockingIOError as error:
        os.close(opened)
        raise HeldElsewhere(str(path)) from error
    except BaseException:
        os.close(opened)
        raise
    return opened


def new_part(path: Path, *, folder: bool = False) -> tuple[Path, int]:
    """A new hidden file, or folder, beside `path` that nobody else writes to, and what `hold` gives of it.

    What dead runs have left of theirs is removed first.

    :raises OSError: it cannot be made.
    """
    remove_dead_parts(path)
    for _ in range(_NEW_NAMES):
        part = hidden_beside(path, f".{secrets.token_hex(8)}{PART}")
        if folder:
            part.mkdir(mode=0o700)
        else:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        # Another run took it for a dead one's just then.
        with suppress(HeldElsewhere, FileNotFoundError):
            return part, hold(part)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def remove_dead_parts(path: Path) -> None:
    """Remove what runs that have ended were writing beside `path`, as far as that can be found out and done."""
    beginning = hidden_beside(path, ".").name
    with suppress(OSError):
        with os.scandir(path.parent) as entries:  # of what may be a million photos
            names = [
                entry.name
                for entry in entries
                if entry.name.startswith(beginning) and entry.name.endswith(PART)
            ]
        for name in names:
            remove_if_dead(path.with_name(name))


def remove_if_dead(part: Path) -> None:
    """Remove a hidden file or folder unless a run that lives holds it."""
    with suppress(HeldElsewhere, OSError):
        held = hold(part)
        try:
            if _locks(held):
                remove(part)
        finally:
            os.close(held)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _lock(opened: int) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # this file system has none
        return


def _locks(opened: int) -> bool:
    """Whether the file system of this descriptor, whose lock is ours, knows locks at all."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
