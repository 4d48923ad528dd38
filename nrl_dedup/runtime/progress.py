"""How a long stage tells what it is doing, without knowing who listens; and what each stage cost.

The stages call `Progress`; the command line passes one that draws bars, tests and library users need none.
"""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Task(Protocol):
    """One bar."""

    def advance(self, steps: int = 1) -> None: ...


@runtime_checkable
class Progress(Protocol):
    """What a stage may say while it works."""

    def task(self, what: str, total: int) -> AbstractContextManager[Task]: ...

    def say(self, message: str) -> None:
        """A fact worth a line, such as a count or a choice that was made."""

    def warn(self, message: str) -> None:
        """Something that the user should know about the result."""


class _NoTask:
    def advance(self, steps: int = 1) -> None:
        pass


class Silent:
    """Says nothing: the default of every stage."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Task]:
        yield _NoTask()

    def say(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


SILENT: Progress = Silent()


@dataclass(frozen=True)
class StageCost:
    """What one stage took; `peak_bytes` is the process's largest resident memory while it ran."""

    name: str
    seconds: float
    peak_bytes: int


@dataclass
class StageClock:
    """Measures stages one after another."""

    costs: list[StageCost] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, and note its peak memory."""
        _forget_peak_memory()
        start = time.perf_counter()
        yield
        self.costs.append(StageCost(name, time.perf_counter() - start, peak_memory()))


def peak_memory() -> int:
    """The largest resident memory of this process in bytes, since `_forget_peak_memory` where Linux allows that."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _forget_peak_memory() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is then that of the run so far
        return
