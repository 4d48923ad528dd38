"""Loaded by Python at the start of a command that is to die: sends it a signal at its n-th step on the file system.

A step is what Python's audit events tell of: a file opened for writing, a rename, a removal, a new folder, a link, a
change of length. Those below FUZZ_BELOW count. FUZZ_STEP: the number of the step, from 1, before which the signal
FUZZ_SIGNAL is sent; 0: none. FUZZ_COUNT: a file to which each step is written, a line each; it is not counted itself.
"""

import os
import sys
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset(
    (
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chmod",
        "shutil.rmtree",
    )
)


class _Steps:
    def __init__(self) -> None:
        self.below = os.environ.get("FUZZ_BELOW", "")
        self.last = int(os.environ.get("FUZZ_STEP", "0"))
        self.signal = int(os.environ.get("FUZZ_SIGNAL", "9"))
        self.count = os.environ.get("FUZZ_COUNT")
        self.done = 0
        self.busy = False

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.busy or not self.below or not (event == "open" or event in _CHANGES):
            return
        self.busy = True  # what is done here tells of events too
        try:
            path = self._path(event, arguments)
            if path is not None:
                self._step(event, path)
        finally:
            self.busy = False

    def _path(self, event: str, arguments: tuple) -> str | None:
        """The path that is about to be changed, if it counts."""
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if not (
                flags & _WRITING
                if isinstance(flags, int)
                else any(sign in (mode or "") for sign in "wax+")
            ):
                return None
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - pathlib would follow links
        return full if full.startswith(self.below) else None

    def _step(self, event: str, path: str) -> None:
        self.done += 1
        if self.count is not None:
            with Path(self.count).open("a", encoding="utf-8") as file:
                file.write(f"{event} {os.path.relpath(path, self.below)}\n")
        if self.done == self.last:
            os.kill(os.getpid(), self.signal)


if os.environ.get("FUZZ_BELOW"):
    sys.addaudithook(_Steps())
