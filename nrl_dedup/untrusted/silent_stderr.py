"""Standard error switched off for a while, down to the file descriptor."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STDERR = 2


@contextmanager
def silent_stderr() -> Iterator[None]:
    """What the Rust libraries print when a damaged file makes them panic goes nowhere: the exception says it."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # it is closed, so nothing is printed
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
