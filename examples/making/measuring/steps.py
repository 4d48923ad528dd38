"""Commands that are run once: each fills a folder of its own, which is there when the command has ended well.

A step works in `NAME.part`, which becomes `NAME`. One that fails becomes `NAME.failed`, with what it said, and is tried
again the next time.
"""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND, OUTPUT, SECONDS = "command.txt", "output.txt", "seconds.txt"
WIDE = {"COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}  # tables in the output are not folded


@dataclass(frozen=True)
class Step:
    """`nrl-dedup WORDS`, and the folder that it fills: `{}` in a word stands for that folder.

    `needs`: the folders of the steps that must have ended well before.
    """

    folder: Path
    words: tuple[str, ...]
    needs: tuple[Path, ...] = ()

    @property
    def part(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.part")

    @property
    def failed(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.failed")

    @property
    def finished(self) -> bool:
        return self.folder.is_dir()

    def command(self, folder: Path) -> list[str]:
        return ["nrl-dedup", *(word.replace("{}", str(folder)) for word in self.words)]

    @property
    def shown(self) -> list[str]:
        """The words as one would type them, without the program."""
        return self.command(self.folder)[1:]

    @property
    def seconds(self) -> float:
        """Of wall clock, that the finished command took."""
        return float((self.folder / SECONDS).read_text())

    @property
    def output(self) -> str:
        """All that the finished command said."""
        return (self.folder / OUTPUT).read_text("utf-8")


def step(folder: Path, *words: object, needs: Sequence[Step] = ()) -> Step:
    return Step(folder, tuple(str(word) for word in words), tuple(one.folder for one in needs))


def run_all(steps: Sequence[Step], out: Path) -> None:
    """All that are not finished, in their order; those whose needs have failed are left out."""
    for number, one in enumerate(steps, 1):
        name = f"[{number}/{len(steps)}] {one.folder.relative_to(out)}"
        missing = [folder for folder in one.needs if not folder.is_dir()]
        if one.finished:
            _refuse_other_command(one)
            print(f"{name}: finished before", flush=True)
        elif missing:
            print(f"{name}: left out, for {missing[0].relative_to(out)} failed", flush=True)
        else:
            print(f"{name}: {shlex.join(one.command(one.folder))}", flush=True)
            said = f"{one.seconds:.0f} seconds" if run(one) else f"FAILED: {reason(one)}"
            print(f"{name}: {said}", flush=True)


def run(one: Step) -> bool:
    """Whether it ended well. What it says is kept in the folder, line by line as it comes."""
    for folder in (one.part, one.failed):
        shutil.rmtree(folder, ignore_errors=True)
    one.part.mkdir(parents=True)
    start = time.perf_counter()
    with (one.part / OUTPUT).open("w", encoding="utf-8") as output:
        environment = {**os.environ, **WIDE}
        ended = subprocess.run(
            one.command(one.part), stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    (one.part / SECONDS).write_text(f"{time.perf_counter() - start:.2f}\n")
    (one.part / COMMAND).write_text(shlex.join(one.shown) + "\n", "utf-8")
    one.part.rename(one.failed if ended.returncode else one.folder)
    return ended.returncode == 0


def reason(one: Step) -> str:
    """The last line of what a failed step said."""
    lines = (one.failed / OUTPUT).read_text("utf-8").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def state(one: Step) -> str:
    if one.finished:
        return "finished"
    if one.failed.is_dir():
        return f"failed: {reason(one)}"
    return "not run"


def _refuse_other_command(one: Step) -> None:
    path = one.folder / COMMAND
    was, now = path.read_text("utf-8").strip(), shlex.join(one.shown)
    if was != now:
        raise SystemExit(
            f"{path} says\n  {was}\nand wanted is now\n  {now}\nName another OUT, or remove {path.parent}."
        )
