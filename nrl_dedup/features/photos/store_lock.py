"""One writer at a time in a folder of kept features, whichever process it is in."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nrl_dedup.errors import NrlDedupError


@contextmanager
def locked(folder: Path, not_written: Callable[[OSError], NrlDedupError]) -> Iterator[None]:
    """Holds the folder's lock; it goes with the process, however that ends.

    :param not_written: makes the error for a lock that cannot be had.
    :raises NrlDedupError: that one, or another run holds the lock.
    """
    try:
        # Not blocking: a named pipe in the lock's place would be waited for without end.
        lock = os.open(
            folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666
        )
    except OSError as error:
        raise not_written(error) from error
    try:
        _take(lock, folder, not_written)
        yield
    finally:
        os.close(lock)


def _take(lock: int, folder: Path, not_written: Callable[[OSError], NrlDedupError]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NrlDedupError(
            f"{folder}: another run is computing photo features there. Wait until it ends, or name another folder with "
            "--work-dir."
        ) from None
    except OSError as error:
        raise not_written(error) from error
