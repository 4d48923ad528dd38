"""The commands that are killed and starved: small, real inputs cut from the examples, and what a run of one leaves."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
HOOK = Path(__file__).resolve().parent / "hook"
PAIRS_KEPT = 150
LINKED_ADS = 70
_PATIENCE = 300  # seconds
_TIMED = (
    "seconds",
)  # of each epoch in bundle.json: the one thing there that two equal runs do not share

_BACKBONE = (
    "--backbone",
    "mobilenet_v3_small",
    "--backbone-weights",
    str(ROOT / "weights/default/backbone.safetensors"),
)
_SMALL = (
    "--fusion",
    "text",
    "--hidden-size",
    "8",
    "--fused-size",
    "8",
    "--branch-sizes",
    "8",
    "4",
    "--device",
    "cpu",
)
_QUICK = (*_SMALL, *_BACKBONE, "--views", "0", "--photos-per-ad", "1")


@dataclass(frozen=True)
class Command:
    """`arguments` of `nrl-dedup`; `outputs`: the files or the folder that it makes, in the folder it runs in.

    `bundle`: whether its output is one.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    bundle: bool


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "train",
            (
                "train",
                "items.csv",
                "pairs.csv",
                "-o",
                "model",
                "--epochs",
                "2",
                "--pretrain-epochs",
                "1",
                *_QUICK,
            ),
            ("model",),
            True,
        ),
        Command(
            "train-unlabelled",
            ("train", "items.csv", "-o", "model", "--pretrain-epochs", "2", *_QUICK),
            ("model",),
            True,
        ),
        Command(
            "train-seeds",
            (
                "train",
                "items.csv",
                "pairs.csv",
                "-o",
                "model",
                "--seeds",
                "2",
                "--epochs",
                "1",
                *_QUICK,
            ),
            ("model",),
            True,
        ),
        Command(
            "link",
            (
                "link",
                "ads.csv",
                "--images",
                "images",
                "-o",
                "dupes.csv",
                "--links",
                "links.csv",
                "--device",
                "cpu",
            ),
            ("dupes.csv", "links.csv"),
            False,
        ),
    )
}


def make_inputs(folder: Path) -> None:
    """`items.csv` and `pairs.csv` to train on, `ads.csv` and `images` to link: parts of the examples."""
    with (EXAMPLES / "catalogue.csv").open(newline="", encoding="utf-8") as file:
        header, *ads = list(csv.reader(file))
    with (EXAMPLES / "pairs.csv").open(newline="", encoding="utf-8") as file:
        names, *pairs = list(csv.reader(file))
    pairs = pairs[:PAIRS_KEPT]
    paired = {item for pair in pairs for item in pair[:2]}
    _write(folder / "pairs.csv", [names, *pairs])
    _write(folder / "items.csv", [header, *(ad for ad in ads if ad[0] in paired)])
    _write(folder / "ads.csv", [header, *ads[:LINKED_ADS]])
    (folder / "images").symlink_to(EXAMPLES / "images")


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its status (below 0: by that signal) and what it said."""

    status: int
    said: str

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.said


def run(
    command: Command,
    folder: Path,
    *,
    hook: Mapping[str, str] | None = None,
    after: float | None = None,
    by: signal.Signals = signal.SIGKILL,
    work_dir: Path | None = None,
    file_size: int | None = None,
) -> Ended:
    """Run a command in `folder`, its features and other work in `folder`/work.

    :param hook: variables for `hook/sitecustomize.py`, which is loaded if they are given.
    :param after: seconds after which it gets the signal `by`.
    :param file_size: bytes that a file may have at most.
    """
    environment = {**os.environ, **(hook or {}), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
    environment |= {
        "XDG_CACHE_HOME": str(work_dir or folder / "work"),
        "COLUMNS": "160",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment["PYTHONPATH"] = os.pathsep.join(
        ([str(HOOK)] if hook else []) + [path for path in sys.path if path]
    )
    script = "from nrl_dedup.cli.main import main; main()"
    if file_size is not None:
        script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({file_size},) * 2); {script}"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *command.arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        try:
            said, _ = process.communicate(timeout=_PATIENCE if after is None else after)
        except subprocess.TimeoutExpired:
            if after is None:
                raise
            process.send_signal(by)
            said, _ = process.communicate(timeout=_PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return Ended(process.returncode, said)


def state(folder: Path) -> dict[str, str]:
    """Every file, folder and link below `folder`: relative path -> digest of its content.

    Of JSON files the seconds of epochs are taken out first. Of the work folder only the names count: features that were
    computed in two goes stand in other files than those of one.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        compared = path.is_file() and not path.is_symlink() and name.parts[0] != "work"
        found[str(name)] = _digest(path) if compared else "not compared"
    return found


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".json":
        with suppress(ValueError):  # half a file is told by its bytes
            data = json.dumps(_without_times(json.loads(data)), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(part) for key, part in value.items() if key not in _TIMED}
    return [_without_times(part) for part in value] if isinstance(value, list) else value


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What stands in a folder otherwise than it should, in words."""
    said = [f"{name} is missing" for name in wanted if name not in found]
    said += [f"{name} is too much" for name in found if name not in wanted]
    return said + [
        f"{name} differs" for name, digest in wanted.items() if found.get(name, digest) != digest
    ]


def fresh(folder: Path, inputs: Path, work: Path | None = None) -> Path:
    """An empty folder with the inputs, and a copy of a work folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs, folder, symlinks=True)
    if work is not None:
        shutil.copytree(work, folder / "work")
    return folder
