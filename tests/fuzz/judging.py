"""Runs mutants, each a pure function of a seed and its number, in forked processes, and says how each one ended.

A batch of mutants shares a process, so that imports are paid for once; one that kills or blocks its process is known by
what that had begun, and the rest of its batch goes on in another. Only processor time counts as a hang, or half a
minute of waiting: the machine may be busy with other things.
"""

import argparse
import importlib
import importlib.util
import json
import os
import random
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READ, REFUSED = "read", "refused"  # the two that are right
WRONG, TRACEBACK, CRASH, HANG, MEMORY, SEVERAL_LINES = (
    "WRONG",
    "TRACEBACK",
    "CRASH",
    "HANG",
    "MEMORY",
    "SEVERAL LINES",
)

SECONDS = 10.0  # of processor time
WAITING = 30.0  # seconds by the clock, for what waits on a pipe without computing
GROWTH = 1 << 30  # bytes of resident memory above the start of the mutant
STOPPED_AT = 3 << 30  # where the process is ended, to spare the machine
_BATCH = 200
_POLL = 0.1
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """How a mutant ended. `what`: how it was made; `said`: the message, or what is wrong."""

    number: int
    kind: str
    what: str = ""
    said: str = ""
    seconds: float = 0.0  # of processor time
    growth: int = 0  # bytes
    noise: str = ""  # what a library wrote on standard error past Python

    @property
    def right(self) -> bool:
        return self.kind in (READ, REFUSED)


class WrongResultError(Exception):
    """Raised by a judge: it was read, and something of it is lost, moved or made up."""


Make = Callable[[random.Random, Path], str]
Judge = Callable[[Path], str]


@dataclass(frozen=True)
class Fuzzer:
    """`make` writes a mutant into an empty folder and says what it is; `judge` reads it and says what it found, raises
    one of `refusals`, or `WrongResultError`."""

    name: str
    make: Make
    judge: Judge
    refusals: tuple[type[BaseException], ...]
    batch: int = _BATCH


@dataclass
class _Child:
    """A process at work on `numbers`; `at`: the one begun last, `what`: how that was made."""

    pid: int
    pipe: int
    folder: Path
    numbers: deque[int]
    at: int | None = None
    what: str = ""
    begun: float = 0.0
    cpu_before: float = 0.0
    memory_before: int = 0
    rest: bytes = b""
    killed: str = ""
    outcomes: list[Outcome] = field(default_factory=list)


def run(
    fuzzer: Fuzzer, numbers: Sequence[int], seed: int, jobs: int = 1, keep: Path | None = None
) -> list[Outcome]:
    """The outcome of each mutant, in the order of their numbers.

    :param keep: where the files of mutants that end badly are copied to.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f"fuzz-{fuzzer.name}-"))
    waiting = deque(
        deque(numbers[at : at + fuzzer.batch]) for at in range(0, len(numbers), fuzzer.batch)
    )
    outcomes: list[Outcome] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                while waiting and len(selector.get_map()) < jobs:
                    child = _start(fuzzer, waiting.popleft(), seed, scratch)
                    selector.register(child.pipe, selectors.EVENT_READ, child)
                ready = {key.fd for key, _ in selector.select(_POLL)}
                for key in list(selector.get_map().values()):
                    child = key.data
                    if key.fd in ready and not _listen(child, fuzzer, seed, keep):
                        selector.unregister(child.pipe)
                        outcomes += _bury(child, fuzzer, seed, keep)
                        if child.numbers:
                            waiting.appendleft(child.numbers)
                    else:
                        _watch(child)
        finally:
            for key in list(selector.get_map().values()):
                os.kill(key.data.pid, signal.SIGKILL)
                os.waitpid(key.data.pid, 0)
            shutil.rmtree(scratch, ignore_errors=True)
    return sorted(outcomes, key=lambda outcome: outcome.number)


def _start(fuzzer: Fuzzer, numbers: deque[int], seed: int, scratch: Path) -> _Child:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            _work(fuzzer, numbers, seed, folder, writing)
            status = 0
        except BaseException:  # of the fuzzer's own making
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status)
    os.close(writing)
    return _Child(pid, reading, folder, numbers, begun=time.monotonic())


def _work(fuzzer: Fuzzer, numbers: Sequence[int], seed: int, folder: Path, pipe: int) -> None:
    """All of a batch, in the forked process; each step is told through the pipe as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    errors = os.open(folder / "stderr", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(errors, 1)  # LightGBM and OpenMP write there
    os.dup2(errors, 2)
    for number in list(numbers):
        place = folder / "mutant"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        what = fuzzer.make(random.Random(f"{fuzzer.name} {seed} {number}"), place)
        said = os.fstat(errors).st_size
        memory = _forget_peak()
        _tell(pipe, number=number, what=what, cpu=time.process_time(), memory=memory)
        begun = time.process_time()
        kind, message = _judged(fuzzer, place)
        seconds, growth = time.process_time() - begun, _peak() - memory
        if growth > GROWTH and kind in (READ, REFUSED):
            kind, message = MEMORY, f"{growth / _MEBIBYTE:,.0f} MiB; {message}"
        if seconds > SECONDS and kind in (READ, REFUSED):
            kind, message = HANG, f"{seconds:.1f} s; {message}"
        noise = os.pread(errors, 2000, said).decode("utf-8", "replace")
        _tell(
            pipe, done=number, kind=kind, said=message, seconds=seconds, growth=growth, noise=noise
        )


def _judged(fuzzer: Fuzzer, place: Path) -> tuple[str, str]:
    try:
        return READ, fuzzer.judge(place)
    except WrongResultError as error:
        return WRONG, str(error)
    except fuzzer.refusals as error:
        message = _printed(str(error))
        return (SEVERAL_LINES if "\n" in message or "\r" in message else REFUSED), message[:1000]
    except BaseException as error:  # a panic of Rust code is no Exception
        where = traceback.extract_tb(error.__traceback__)
        own = [
            f"{Path(frame.filename).name}:{frame.lineno}"
            for frame in where
            if "nrl_dedup" in frame.filename
        ]
        return (
            TRACEBACK,
            f"{type(error).__name__}: {str(error)[:200]!r} at {' < '.join(own[::-1][:3])}",
        )


def _printed(message: str) -> str:
    """As the commands print it; with control characters made visible, where they do that."""
    if importlib.util.find_spec("nrl_dedup.cli.visible") is None:
        return message
    visible: Callable[[str], str] = importlib.import_module("nrl_dedup.cli.visible").visible
    return visible(message)


def _tell(pipe: int, **said: Any) -> None:
    line = json.dumps(said).encode() + b"\n"
    while line:
        line = line[os.write(pipe, line) :]


def _listen(child: _Child, fuzzer: Fuzzer, seed: int, keep: Path | None) -> bool:
    """Take what the child tells; False when it has ended."""
    data = os.read(child.pipe, 1 << 16)
    *lines, child.rest = (child.rest + data).split(b"\n")
    for line in lines:
        said = json.loads(line)
        child.begun = time.monotonic()
        if "number" in said:
            child.at, child.what = said["number"], said["what"]
            child.cpu_before, child.memory_before = said["cpu"], said["memory"]
        else:
            child.numbers.popleft()
            child.at = None
            number = said.pop("done")
            outcome = Outcome(number, what=child.what, **said)
            child.outcomes.append(outcome)
            _keep(outcome, fuzzer, seed, keep)
    return bool(data)


def _watch(child: _Child) -> None:
    """End a child that takes too long or too much."""
    if child.killed:
        return
    try:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    if child.at is not None and cpu - child.cpu_before > 2 * SECONDS:
        child.killed = f"{HANG} more than {2 * SECONDS:.0f} s of processor time"
    elif time.monotonic() - child.begun > WAITING and (
        child.at is None or cpu - child.cpu_before < SECONDS / 10
    ):
        child.killed = f"{HANG} waits for more than {WAITING:.0f} s"
    elif pages * resource.getpagesize() - child.memory_before > STOPPED_AT and child.at is not None:
        child.killed = f"{MEMORY} more than {STOPPED_AT / _MEBIBYTE:,.0f} MiB"
    if child.killed:
        os.kill(child.pid, signal.SIGKILL)


def _bury(child: _Child, fuzzer: Fuzzer, seed: int, keep: Path | None) -> list[Outcome]:
    """The outcomes of a child that has ended, with that of the mutant that ended it."""
    _, status = os.waitpid(child.pid, 0)
    os.close(child.pipe)
    errors = (child.folder / "stderr").read_text("utf-8", "replace")[-2000:]
    if child.numbers:
        if child.at is None:
            raise RuntimeError(
                f"{fuzzer.name}: mutant {child.numbers[0]} could not be made:\n{errors}"
            )
        kind, _, said = (child.killed or f"{CRASH} {_ending(status)}").partition(" ")
        outcome = Outcome(child.numbers.popleft(), kind, child.what, said, noise=errors)
        child.outcomes.append(outcome)
        _keep(outcome, fuzzer, seed, keep)
    return child.outcomes


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"status {os.waitstatus_to_exitcode(status)}"


def _keep(outcome: Outcome, fuzzer: Fuzzer, seed: int, keep: Path | None) -> None:
    if keep is not None and not outcome.right:
        place = keep / f"{outcome.kind.replace(' ', '-').lower()}-{outcome.number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        fuzzer.make(random.Random(f"{fuzzer.name} {seed} {outcome.number}"), place)


def _forget_peak() -> int:
    """Let the peak of resident memory begin anew; the bytes that are resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10


def command_line(fuzzer: Fuzzer, count: int) -> None:
    """Runs the fuzzer as its options say; status 1 if a mutant ends badly."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{fuzzer.name}")
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument(
        "--from", type=int, default=0, dest="first", help="the first mutant's number"
    )
    parser.add_argument("--only", type=int, nargs="*", help="these mutants alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that end badly")
    parser.add_argument("--shown", type=int, default=5, help="bad ends of each kind that are shown")
    options = parser.parse_args()
    numbers = options.only or range(options.first, options.first + options.count)
    begun = time.monotonic()
    outcomes = run(fuzzer, numbers, options.seed, options.jobs, options.keep)
    report(
        fuzzer,
        outcomes,
        options.seed,
        time.monotonic() - begun,
        options.shown,
        every=bool(options.only),
    )
    sys.exit(0 if all(outcome.right for outcome in outcomes) else 1)


def report(
    fuzzer: Fuzzer,
    outcomes: Sequence[Outcome],
    seed: int,
    seconds: float,
    shown: int,
    *,
    every: bool = False,
) -> None:
    """Counts by kind, and the first bad ends of each."""
    counts = Counter(outcome.kind for outcome in outcomes)
    print(f"{fuzzer.name}, seed {seed}: {len(outcomes):,} mutants in {seconds:.0f} s")
    for kind, count in counts.most_common():
        print(f"  {kind:14}{count:7,}")
    if outcomes:
        slowest, largest = (
            max(outcomes, key=lambda o: o.seconds),
            max(outcomes, key=lambda o: o.growth),
        )
        print(f"  slowest: {slowest.seconds:.1f} s ({slowest.number}); ", end="")
        print(f"most memory: {largest.growth / _MEBIBYTE:,.0f} MiB ({largest.number})")
    noisy = [outcome for outcome in outcomes if "panicked" in outcome.noise and outcome.right]
    if noisy:
        print(
            f"  on standard error past Python: {len(noisy)}, first {noisy[0].number}: {noisy[0].noise[:150]!r}"
        )
    seen: Counter[str] = Counter()
    for outcome in outcomes:
        seen[outcome.kind] += 1
        if every or (not outcome.right and seen[outcome.kind] <= shown):
            print(f"- {outcome.number} {outcome.kind} [{outcome.what}] {outcome.said[:400]}")
            if outcome.kind == CRASH:
                print(f"    {outcome.noise[-300:]!r}")
