"""Kills commands at moments of their work, runs them again, and asks for the bytes of a run that nothing disturbed.

`python -m tests.fuzz.kills --command train|train-unlabelled|train-seeds|link|all --moments 60 --seed 0`

Two of three moments are steps on the file system (`hook/sitecustomize.py`), spread over all of them; the third is a
random time. Most are SIGKILL, every fifth SIGTERM or SIGINT. At each moment:

- before the second run nothing that is half-written stands under a final name: a bundle loads, with its pair model if
  the undisturbed one has it; a CSV file has the undisturbed one's bytes;
- after it, status 0, and the same files with the same bytes as after the undisturbed run, and no other file beside. Of
  `bundle.json` the seconds of the epochs are left out (`commands.state`): two undisturbed runs differ in them.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.fuzz.commands import (
    COMMANDS,
    Command,
    Ended,
    differences,
    fresh,
    make_inputs,
    run,
    state,
)

_SOFT = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when it is left alone: the files after it, its steps, and its seconds."""

    files: dict[str, str]
    steps: list[str]
    seconds: float


@dataclass(frozen=True)
class Moment:
    """Before a step on the file system, counted from 1, or after some seconds."""

    number: int
    by: signal.Signals
    step: int | None = None
    after: float | None = None

    def __str__(self) -> str:
        where = f"step {self.step}" if self.after is None else f"{self.after:.2f} s"
        return f"{self.number:3} {self.by.name} at {where}"


def watch(command: Command, inputs: Path, scratch: Path) -> Undisturbed:
    """Run a command undisturbed, twice: the second run must leave the same bytes.

    :raises SystemExit: it fails, or two runs leave other bytes; then a kill can show nothing.
    """
    folder = fresh(
        scratch / "run", inputs
    )  # the place of all runs: what is kept of photos is kept by their folder
    begun = time.monotonic()
    ended = run(command, folder)
    seconds = time.monotonic() - begun
    if ended.status:
        sys.exit(
            f"{command.name}: fails undisturbed with status {ended.status}:\n{ended.said[-2000:]}"
        )
    files = state(folder)
    steps = scratch / "steps"
    folder = fresh(scratch / "run", inputs)
    run(command, folder, hook={"FUZZ_BELOW": str(folder), "FUZZ_COUNT": str(steps)})
    if unlike := differences(state(folder), files):
        sys.exit(f"{command.name}: two undisturbed runs differ: {'; '.join(unlike)}")
    return Undisturbed(files, steps.read_text("utf-8").splitlines(), seconds)


def moments(undisturbed: Undisturbed, count: int, seed: int, name: str) -> Iterator[Moment]:
    """The same for the same seed and the same number of steps."""
    random = Random(f"kills {name} {seed}")
    at_steps = [number for number in range(count) if number % 3 != 2]
    for number in range(count):
        by = signal.SIGKILL if number % 5 != 4 else random.choice(_SOFT)
        share, place = random.random(), random.random()
        if number % 3 == 2:
            yield Moment(number, by, after=0.3 + share * undisturbed.seconds)
        else:
            part = (at_steps.index(number) + place) / len(at_steps)
            yield Moment(number, by, step=1 + int(part * len(undisturbed.steps)))


def disturb(
    command: Command, moment: Moment, undisturbed: Undisturbed, inputs: Path, folder: Path
) -> list[str]:
    """Kill the command at a moment and run it again; what is wrong, in words."""
    folder = fresh(folder, inputs)
    hook = None
    if moment.step is not None:
        hook = {
            "FUZZ_BELOW": str(folder),
            "FUZZ_STEP": str(moment.step),
            "FUZZ_SIGNAL": str(int(moment.by)),
        }
    ended = run(command, folder, hook=hook, after=moment.after, by=moment.by)
    said = ["the killed run shows a traceback"] if ended.traceback else []
    said += half_written(command, folder, undisturbed.files)
    return said + go_on(command, folder, ended, undisturbed.files)


def go_on(command: Command, folder: Path, ended: Ended, wanted: dict[str, str]) -> list[str]:
    """Run the command again; what is wrong after that, in words.

    A bundle that was whole when the signal came is not made again. A training that Ctrl-C ends early keeps its best
    epoch and ends with status 0: it is made anew with `--force`.
    """
    if command.bundle and ended.status == 0:
        if not differences(state(folder), wanted):
            return []
        command = replace(command, arguments=(*command.arguments, "--force"))
    again = run(command, folder)
    said = ["the second run shows a traceback"] if again.traceback else []
    unlike = differences(state(folder), wanted)
    if again.status and not (command.bundle and again.status == 1 and not unlike):
        return [*said, f"the second run ends with status {again.status}: {_last_line(again)}"]
    return said + [f"after the second run {what}" for what in unlike]


def half_written(command: Command, folder: Path, wanted: dict[str, str]) -> list[str]:
    """What stands under a final name and is not whole."""
    found = state(folder)
    if not command.bundle:
        there = {name: digest for name, digest in found.items() if name in command.outputs}
        return [f"half-written: {name}" for name, digest in there.items() if digest != wanted[name]]
    if not (folder / "model" / "bundle.json").exists():
        return (
            ["half-written: the folder model without bundle.json"]
            if (folder / "model").exists()
            else []
        )
    missing = [name for name in wanted if name.startswith("model/") and name not in found]
    return (
        [f"half-written: the bundle lacks {', '.join(missing)}"] if missing else _unloadable(folder)
    )


def _unloadable(folder: Path) -> list[str]:
    import torch

    from nrl_dedup.bundle.load import load_bundle
    from nrl_dedup.errors import NrlDedupError

    try:
        load_bundle(folder / "model", torch.device("cpu"))
    except NrlDedupError as error:
        return [f"half-written: the bundle does not load: {error}"]
    return []


def _last_line(ended: Ended) -> str:
    return ended.said.strip().rpartition("\n")[2][:300]


def main() -> None:
    """Kills as the options say; a line for each moment; status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kills")
    parser.add_argument("--command", choices=(*COMMANDS, "all"), default="all")
    parser.add_argument("--moments", type=int, default=60)
    parser.add_argument(
        "--from", type=int, default=0, dest="first", help="the moment to begin with"
    )
    parser.add_argument("--to", type=int, help="the moment to end before")
    parser.add_argument("--only", type=int, nargs="*", help="these moments alone")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = 0
    for command in COMMANDS.values():
        if options.command in (command.name, "all"):
            wrong += _kill(command, options)
    sys.exit(1 if wrong else 0)


def _kill(command: Command, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        inputs = Path(scratch) / "inputs"
        inputs.mkdir()
        make_inputs(inputs)
        undisturbed = watch(command, inputs, Path(scratch))
        print(
            f"{command.name}: {undisturbed.seconds:.1f} s and {len(undisturbed.steps)} steps undisturbed",
            flush=True,
        )
        wanted = options.only or range(
            options.first, options.to if options.to is not None else options.moments
        )
        wrong = done = 0
        for moment in moments(undisturbed, options.moments, options.seed, command.name):
            if moment.number in wanted:
                said = disturb(command, moment, undisturbed, inputs, Path(scratch) / "run")
                place = "" if moment.step is None else f" ({undisturbed.steps[moment.step - 1]})"
                print(f"  {moment}{place}: {'; '.join(said) or 'right'}", flush=True)
                done += 1
                wrong += bool(said)
        print(f"{command.name}, seed {options.seed}: {done} moments, {wrong} wrong", flush=True)
        return wrong


if __name__ == "__main__":
    main()
