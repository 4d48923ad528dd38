"""How runs end: a line and a status whatever happens, and no work is lost because nobody reads what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import polars as pl
import pytest

from nrl_dedup import pipeline
from nrl_dedup.cli.ending import run_to_its_end
from nrl_dedup.cli.environment import THREADS, leave_out_bad_thread_counts
from nrl_dedup.cli.plain_console import PlainConsole, styled
from nrl_dedup.cli.streams import Outlet
from nrl_dedup.cli.visible import visible
from nrl_dedup.runtime.run import Run
from tests.conftest import RunCommand, Shop, train_arguments


class PanicException(BaseException):
    """As a library written in Rust raises it: not an Exception."""


ERRORS = {
    "disk full": (OSError(28, "No space left on device"), "Make room"),
    "not allowed": (PermissionError(13, "Permission denied"), "rights"),
    "pipe": (BrokenPipeError(32, "Broken pipe"), "files that you named"),
    "memory": (MemoryError(), "--candidates"),
    "polars": (pl.exceptions.ComputeError("something\nin several\nlines"), "report it"),
    "encoding": (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "UTF-8"),
    "import": (ImportError("no module"), "install it anew"),
    "program": (KeyError("row"), "report it"),
    "panic": (PanicException("called `Result::unwrap()`"), "report it"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_of_a_library_is_one_line_and_a_report(
    run: RunCommand,
    shop: Shop,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    error, hint = ERRORS[case]

    def fail(
        _catalogue: object, _bundle: object, _photos: object, shared: Run, **__: object
    ) -> None:
        with shared.progress.task("photo sketches", 2):
            raise error

    monkeypatch.setattr(pipeline, "link", fail)
    options = (
        "--model",
        trained,
        "--images",
        shop.images,
        "--work-dir",
        tmp_path,
        "--device",
        "cpu",
    )
    status, out, err = run("link", shop.items, "-o", tmp_path / "dupes.csv", *options)
    (last,) = [
        line for line in err.splitlines() if not line.startswith(f"{shop.items}: ")
    ]  # which says its columns
    assert status == 1 and not out
    assert last.startswith("Error: link while at photo sketches, in cli/link_command.py, line ")
    assert type(error).__name__ in err and hint in err
    (report,) = tmp_path.glob("nrl-dedup-error-*.log")
    assert str(report) in err
    text = report.read_text("utf-8")
    assert "Traceback" in text and type(error).__name__ in text and str(shop.items) in text


def test_a_report_that_cannot_be_written(
    run: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("nrl_dedup.bundle.load.load_bundle", fail)
    monkeypatch.setattr("nrl_dedup.cli.failure.report_folders", lambda: [tmp_path / "gone"])
    (tmp_path / "items.csv").write_text("id,title\n1,a\n")
    status, _, err = run("link", tmp_path / "items.csv", "-o", tmp_path / "dupes.csv")
    assert (
        status == 1
        and f"could not be written to {tmp_path / 'gone'}" in err
        and len(err.splitlines()) == 1
    )


def test_an_outlet_takes_what_nobody_reads() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        outlet = Outlet(full)
        outlet.write("lost")
        outlet.flush()
        assert (
            outlet.failure is not None
            and outlet.failure.errno == 28
            and not outlet.was_closed_by_reader
        )
        outlet.write("and this")
        outlet.flush()
    read, written = os.pipe()
    os.close(read)
    with open(written, "w") as pipe:  # noqa: PTH123
        outlet = Outlet(pipe)
        outlet.write("lost")
        outlet.flush()
        assert outlet.was_closed_by_reader
    with open("/dev/null", "w", encoding="ascii") as ascii_only:  # noqa: PTH123
        assert Outlet(ascii_only).write("диван") == 5


COMMAND = "import sys; from nrl_dedup.cli.main import main; main()"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", COMMAND, *map(str, arguments)]


def test_an_adverse_environment_changes_nothing(shop: Shop, trained: Path, tmp_path: Path) -> None:
    """No docstrings, no number of threads, only ASCII letters, nowhere to read from, and a full device to print on."""

    def link(name: str, **more: object) -> tuple[subprocess.CompletedProcess, bytes]:
        options = (
            "--model",
            trained,
            "--images",
            shop.images,
            "--work-dir",
            tmp_path / "work",
            "--device",
            "cpu",
        )
        arguments = command("link", shop.items, "-o", tmp_path / name, *options)
        ended = subprocess.run(arguments, stderr=subprocess.PIPE, check=False, **more)  # type: ignore[call-overload]
        return ended, (tmp_path / name).read_bytes()

    usual, expected = link("usual.csv", stdout=subprocess.DEVNULL)
    assert usual.returncode == 0, usual.stderr
    adverse = {
        "PYTHONOPTIMIZE": "2",
        "POLARS_MAX_THREADS": "0",
        "OMP_NUM_THREADS": "x",
        "PYTHONIOENCODING": "ascii",
    }
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended, found = link(
            "adverse.csv", stdout=full, env=os.environ | adverse, preexec_fn=lambda: os.close(0)
        )
    assert ended.returncode == 0 and found == expected and b"Traceback" not in ended.stderr, (
        ended.stderr
    )
    assert b"POLARS_MAX_THREADS=0 is no number of threads" in ended.stderr
    assert b"standard output could not be written (No space left on device)" in ended.stderr
    ended, found = link("closed.csv", preexec_fn=lambda: (os.close(1), os.close(0)))
    assert ended.returncode == 0 and found == expected


def test_a_training_outlives_who_reads_it(shop: Shop, tmp_path: Path) -> None:
    arguments = command(*train_arguments(shop, tmp_path / "bundle", "--epochs", 1))
    read, written = os.pipe()
    os.close(read)
    ended = subprocess.run(arguments, stdout=written, stderr=written, check=False)
    os.close(written)
    assert ended.returncode == 0 and (tmp_path / "bundle" / "evidence").is_dir()


def test_help_is_the_same_without_docstrings() -> None:
    said = [
        subprocess.run(
            [sys.executable, *flags, "-c", COMMAND, "link", "--help"],
            capture_output=True,
            check=True,
        ).stdout
        for flags in ([], ["-OO"])
    ]
    assert said[0] == said[1] and b"Find the ads of CATALOGUE" in said[0]


def test_results_that_lie_in_no_file_are_lost_with_a_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for made, status in ((True, 0), (False, 1), (None, 1)):
        with open("/dev/full", "w") as full, monkeypatch.context() as patch:  # noqa: PTH123
            patch.setattr("sys.stdout", full)
            assert run_to_its_end(lambda made=made: click.echo("figures") or made) == status


def test_a_current_folder_that_is_gone(
    run: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    status, _, err = run("link", "items.csv", "-o", "dupes.csv")
    monkeypatch.chdir(tmp_path)
    assert (
        status == 1 and err.startswith("Error: The current folder") and len(err.splitlines()) == 1
    )


def test_a_user_without_a_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from nrl_dedup.cli.work_folder import work_dir
    from nrl_dedup.errors import NrlDedupError

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"nrl-dedup-{os.getuid()}"
    for _ in range(2):
        assert work_dir({"work_dir": None}) == folder and folder.stat().st_mode & 0o777 == 0o700
    assert str(folder) in capsys.readouterr().err
    folder.chmod(0o777)
    with pytest.raises(NrlDedupError, match=r"not this user's own.*--work-dir"):
        work_dir({"work_dir": None})


@pytest.mark.parametrize("value", ["0", "", "-1", "garbage", "1.5", "4,0", "99999999"])
def test_what_is_no_number_of_threads_is_not_heeded(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLARS_MAX_THREADS", value)
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert [line.split("=")[0] for line in leave_out_bad_thread_counts()] == ["POLARS_MAX_THREADS"]
    assert "POLARS_MAX_THREADS" not in os.environ and os.environ["OMP_NUM_THREADS"] == "4,2"


def test_control_and_direction_characters_are_made_visible() -> None:
    assert visible("a\x1b[31m\x00\x7f\x9b\u202e\u2066\u200f\u2028\udcff\n\t") == (
        r"a\x1b[31m\x00\x7f\x9b\u202e\u2066\u200f\u2028\xff\n\t"
    )
    assert visible("two\nlines\r", lines=True) == "two\nlines\\r"
    assert visible("Ελλάδα 😀 हिन्दी e\u0301 [b] :car:") == "Ελλάδα 😀 हिन्दी e\u0301 [b] :car:"


def test_a_console_shows_what_it_is_given(capsys: pytest.CaptureFixture) -> None:
    console, text = (
        PlainConsole(highlight=False, soft_wrap=True, force_terminal=True),
        "a:car:b [bold]x[/bold] \x1b]0;t\x07",
    )
    console.print(text, styled(text))
    shown = r"a:car:b [bold]x[/bold] \x1b]0;t\x07"
    assert capsys.readouterr().out == f"{shown} {shown}\n"


def test_data_never_drives_the_terminal(run: RunCommand, trained: Path, tmp_path: Path) -> None:
    evil = "\x1b[2J\u202e:car:[red]"
    (tmp_path / "images").mkdir()
    rows = [f'{number},"{evil} диван икеа {number}",{evil}{number}.jpg' for number in range(3)]
    (tmp_path / "items.csv").write_text(
        "\n".join(["id,title,image", *rows, "short"]) + "\n", "utf-8"
    )
    where = ("--items", tmp_path / "items.csv", "--images", tmp_path / "images", "--device", "cpu")
    status, out, err = run("explain", trained, "0", "1", *where)
    assert status == 0, err
    assert r"\x1b[2J\u202e:car:[red] диван" in out
    for path in (tmp_path / evil, tmp_path / "items.csv"):
        status, more, said = run(
            "link", path, "--images", tmp_path / "images", "--model", trained, "-o", tmp_path / "d"
        )
        assert status == (0 if path.exists() else 1)
        out, err = out + more, err + said
    assert r"\x1b[2J\u202e:car:[red]0.jpg" in err and "photos could be read" in err, err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out + err)
