"""A short seeded run of each fuzzer of `tests/fuzz`, in a process of its own: it forks, and this one has threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUZZERS = {
    "tables": ("--count", "1000"),
    "images": ("--count", "500"),
    "zips": ("--count", "300"),
    "bundles": ("--count", "12", "--shipped"),
}


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
    }
    command = [sys.executable, "-m", f"tests.fuzz.{name}", "--seed", "7", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", FUZZERS)
def test_mutants_are_read_or_refused(name: str) -> None:
    ended = run(name, *FUZZERS[name])
    assert ended.returncode == 0, ended.stdout + ended.stderr
