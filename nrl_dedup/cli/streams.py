"""Standard output and error that outlive whoever reads them: a closed pipe or a full disk ends no work."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Outlet:
    """A text stream that is written to as long as that can be done; what comes after that is dropped.

    `failure`: what went wrong, if anything did.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        # A stream that a caller put in its place may not know this.
        with suppress(AttributeError, ValueError):
            # What its encoding lacks is shown as \u..., and ends no run.
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    @property
    def was_closed_by_reader(self) -> bool:
        """As `| head` does when it has seen enough."""
        return self.failure is not None and self.failure.errno == errno.EPIPE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        """From now on all that is written goes nowhere; what the stream still holds too, or Python would try it again
        at its end."""
        self.failure = self.failure or error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting_streams() -> Iterator[tuple[Outlet, Outlet]]:
    """Let `sys.stdout` and `sys.stderr` be `Outlet`s."""
    _open_what_is_closed()
    before = sys.stdout, sys.stderr
    outlets = Outlet(sys.stdout), Outlet(sys.stderr)
    sys.stdout, sys.stderr = outlets
    try:
        yield outlets
    finally:
        for outlet in outlets:
            outlet.flush()
        sys.stdout, sys.stderr = before


def _open_what_is_closed() -> None:
    """Where a program was started without a standard stream (`>&-`), open one that leads nowhere: else the next file
    that is opened has its number, and what a library prints would be written into that file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
