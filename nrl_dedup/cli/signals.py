"""The signals by which a system or a scheduler asks a program to end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT  # the status after Ctrl-C
ENDING = (signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """One of `ENDING` came. As Ctrl-C does, it ends the run in good order; no stage takes it for a wish to go on with
    less, for the system may wait a few seconds only."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number))
        self.number = number


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise `Terminated` when one of `ENDING` comes, unless it is to be ignored (as with `nohup`)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    taken = [number for number in ENDING if before[number] == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise Terminated(number)
