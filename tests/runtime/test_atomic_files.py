"""Files and folders come whole or not at all, and what dead runs leave is removed, never what living ones hold."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime import atomic_files as writing
from nrl_dedup.runtime.atomic_files import (
    folder_written_beside,
    put_back,
    put_in_place,
    write_csv,
    write_together,
    written_beside,
)
from nrl_dedup.runtime.hidden_parts import new_part


def test_a_full_disk_is_told_and_no_csv_is_half_written(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": range(250_000), "name": ["a, \"b\" 'c'"] * 250_000})
    with pytest.raises(OSError, match="No space left"):
        write_csv(table, Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        write_csv(table.head(1), Path("/dev/full"))
    write_csv(table, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text("utf-8") == table.write_csv()
    write_csv(table.head(0), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text("utf-8") == "id,name\n"


def test_several_files_come_together_or_not_at_all(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("old")
    with pytest.raises(
        NrlDedupError, match=r"other: could not be written \(No space left on device\)"
    ):
        write_together({one: lambda path: path.write_text("new"), other: full})
    assert one.read_text() == "old" and list(tmp_path.iterdir()) == [one]
    write_together(
        {one: partial(Path.write_text, data="new"), other: partial(Path.write_text, data="too")}
    )
    assert (one.read_text(), other.read_text()) == ("new", "too") and len(
        list(tmp_path.iterdir())
    ) == 2
    (tmp_path / "folder").mkdir()
    with pytest.raises(NrlDedupError, match="folder: could not be written"):
        write_together({tmp_path / "folder": Path.touch, tmp_path / "behind": Path.touch})
    assert {path.name for path in tmp_path.iterdir()} == {"one", "other", "folder"}


def test_a_link_is_written_through_and_one_that_dangles_too(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    for text in ("first", "second"):
        with written_beside(tmp_path / "link") as part:
            part.write_text(text)
        assert (tmp_path / "link").is_symlink() and (
            tmp_path / "there" / "file"
        ).read_text() == text
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("я" * 127 + "a")  # 255 bytes
    with written_beside(path) as part:
        part.write_text("whole")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "whole"


HOLDS_A_PART = """
import sys
from pathlib import Path
from nrl_dedup.runtime.hidden_parts import new_part

print(new_part(Path(sys.argv[1]), folder=sys.argv[2] == "folder")[0], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_parts_of_dead_runs_are_removed_and_those_of_living_ones_are_not(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "dupes.csv"
    command = [sys.executable, "-c", HOLDS_A_PART, str(path), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        part = Path(run.stdout.readline().rstrip("\n"))
        with written_beside(path) as own:
            own.write_text("whole")
        assert part.exists()
        run.kill()
    assert part.exists()
    with written_beside(path) as own:
        assert not part.exists() and own.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_parts_of_other_outputs_stay(tmp_path: Path) -> None:
    part, held = new_part(tmp_path / "other.csv")
    os.close(held)
    with written_beside(tmp_path / "dupes.csv"):
        pass
    assert part.exists()


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(writing, "_exchanged", lambda one, other: False)
    place = tmp_path / "bundle"
    for text in ("first", "second"):
        with folder_written_beside(place) as part:
            (part / "file").write_text(text)
        assert (place / "file").read_text() == text and list(tmp_path.iterdir()) == [place]


def test_two_names_are_exchanged_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    if not writing._exchanged(one, other):
        pytest.skip("this file system cannot exchange two names")
    assert (one / "other").exists() and (other / "one").exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("rename", [1, 2, 3])
def test_a_kill_between_two_renames_loses_nothing(tmp_path: Path, monkeypatch, rename: int) -> None:
    """A kill runs no clean-up, so from the fatal rename on none works; the next run then puts things right."""
    made, place = tmp_path / "made", tmp_path / "bundle"
    for folder in (made, place):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    calls, original = [], Path.rename

    def killed(self: Path, target: Path) -> Path:
        calls.append(1)
        if len(calls) >= rename:
            raise Killed
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_exchanged", lambda one, other: False)
        patch.setattr(Path, "rename", killed)
        if rename < 3:
            with pytest.raises(Killed):
                put_in_place(made, place)
        else:
            patch.setattr(writing, "remove", lambda path: None)
            put_in_place(made, place)
    put_back(place)
    assert (place / "file").read_text() == ("bundle" if rename < 3 else "made")
    shutil.rmtree(made, ignore_errors=True)
    assert list(tmp_path.iterdir()) == [place]
