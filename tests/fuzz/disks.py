"""Runs commands on disks that are too small, then makes room and runs them again.

`python -m tests.fuzz.disks --command train|link|all --sizes 20`

The disk is a tmpfs that root mounts; where that is not allowed, a limit on the length of a file stands for it, and the
first line says so. Sizes are spread from what the inputs take to a little more than an undisturbed run leaves. At each:
status 1 with one line that begins with "Error:", and no traceback, or else success; nothing half-written under a final
name; and with room the same command gives the undisturbed bytes and leaves no other file.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.commands import COMMANDS, Command, Ended, fresh, make_inputs, run, state
from tests.fuzz.kills import go_on, half_written

_ROOMY = 2 << 30
_MORE = 1.15  # of what an undisturbed run leaves: the last sizes are enough for it


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A tmpfs at `folder`; False if it cannot be mounted."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "none", folder],
        capture_output=True,
        check=False,
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)


def resize(folder: Path, size: int) -> None:
    """Give the tmpfs so many bytes in all."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def starve(
    command: Command, size: int, mounted: bool, inputs: Path, folder: Path, wanted: dict[str, str]
) -> list[str]:
    """Run the command with `size` bytes and then with room; what is wrong, in words."""
    if mounted:
        resize(folder.parent, _ROOMY)
    fresh(folder, inputs)
    if mounted:
        resize(folder.parent, size)
    ended = run(command, folder, file_size=None if mounted else size)
    said = _wrong_with(ended) + half_written(command, folder, wanted)
    if mounted:
        resize(folder.parent, _ROOMY)
    return said + go_on(command, folder, ended, wanted)


def _wrong_with(ended: Ended) -> list[str]:
    if ended.status == 0:
        return []
    lines = [line for line in ended.said.splitlines() if line.strip()]
    said = [] if ended.status == 1 else [f"status {ended.status}"]
    if ended.traceback:
        said.append("a traceback")
    if not lines or not lines[-1].startswith("Error:"):
        said.append(f"the last line is {lines[-1][:200] if lines else ''!r}")
    return said


def _starve_all(command: Command, count: int, only: list[int] | None) -> int:
    with tempfile.TemporaryDirectory(prefix="disks-") as scratch:
        inputs, disk = Path(scratch) / "inputs", Path(scratch) / "disk"
        inputs.mkdir()
        make_inputs(inputs)
        with small_disk(disk) as mounted:
            if not mounted:
                print(
                    "no tmpfs can be mounted here: a limit on the length of a file stands for a full disk"
                )
            folder = fresh(disk / "run", inputs)
            ended = run(command, folder)
            if ended.status:
                sys.exit(
                    f"{command.name}: fails undisturbed with status {ended.status}:\n{ended.said[-2000:]}"
                )
            wanted, begin, most = state(folder), _bytes(inputs), _bytes(folder)
            if not mounted:
                begin, most = (
                    0,
                    max(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
                )
            wrong = 0
            numbers = only if only is not None else range(count)
            for number in numbers:
                size = int(begin + (number + 0.5) / count * (most - begin) * _MORE)
                said = starve(command, size, mounted, inputs, folder, wanted)
                print(
                    f"  {command.name} {number:2} {size:>11,} bytes: {'; '.join(said) or 'right'}",
                    flush=True,
                )
                wrong += bool(said)
            shutil.rmtree(folder)
    print(
        f"{command.name}: {len(numbers)} sizes up to {int(most * _MORE):,} bytes, {wrong} wrong",
        flush=True,
    )
    return wrong


def _bytes(folder: Path) -> int:
    """On a disk of pages of 4 KiB."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files)


def main() -> None:
    """Starves as the options say; a line for each size; status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.disks")
    parser.add_argument("--command", choices=("train", "link", "all"), default="all")
    parser.add_argument("--sizes", type=int, default=20)
    parser.add_argument("--only", type=int, nargs="*", help="these sizes alone")
    options = parser.parse_args()
    names = ("train", "link") if options.command == "all" else (options.command,)
    wrong = sum(_starve_all(COMMANDS[name], options.sizes, options.only) for name in names)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
