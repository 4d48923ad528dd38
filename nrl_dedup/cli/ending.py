"""How a run ends: in whatever way, there are lines that say what to do, and a status that says whether it worked."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import click

from nrl_dedup.cli.environment import check_current_folder, leave_out_bad_thread_counts
from nrl_dedup.cli.failure import failure_in_a_line
from nrl_dedup.cli.signals import INTERRUPTED, Terminated, ending_signals
from nrl_dedup.cli.streams import lasting_streams
from nrl_dedup.cli.visible import visible
from nrl_dedup.errors import NrlDedupError

STOPPED = "Stopped. The photos done so far are kept; the same command goes on from there."


def run_to_its_end(command: Callable[[], object]) -> int:
    """Run a command of the command line, and say what became of it.

    :param command: returns True where what it made lies in files: then it has worked whether or not anybody could read
        what it printed.
    :return: the exit status.
    """
    with lasting_streams() as (out, _), ending_signals(), _other_threads():
        for line in leave_out_bad_thread_counts():
            _say(f"Warning: {line}")
        status, in_files = _status(command)
        out.flush()
        if out.failure is not None and not out.was_closed_by_reader:
            _say(
                f"Warning: standard output could not be written ({out.failure.strerror}); results shown there are lost."
            )
            return status or int(not in_files)
    return status


def _status(command: Callable[[], object]) -> tuple[int, bool]:
    """The status, and whether what was made lies in files."""
    try:
        check_current_folder()
        made = command()
        return 0, made is True
    except click.exceptions.Exit as stop:
        return stop.exit_code, False
    except click.ClickException as error:
        text = StringIO()
        error.show(text)
        sys.stderr.write(visible(text.getvalue(), lines=True))
        return error.exit_code, False
    except (click.Abort, KeyboardInterrupt):
        _say(STOPPED)
        return INTERRUPTED, False
    except Terminated as stop:
        _say(STOPPED)
        return 128 + stop.number, False
    except NrlDedupError as error:
        _say(f"Error: {error}")
        return 1, False
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None), False
    except BaseException as error:  # some libraries' own do not derive from Exception
        _say(f"Error: {failure_in_a_line(error, _command_name())}")
        return 1, False


@contextmanager
def _other_threads() -> Iterator[None]:
    """What goes wrong in a thread, or while an object is thrown away, is one line too."""

    def thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            _say(f"Warning: {failure_in_a_line(failed.exc_value, _command_name())}")

    def unraisable(failed: Any) -> None:
        if failed.exc_value is not None:
            _say(f"Warning: {failure_in_a_line(failed.exc_value, _command_name())}")

    before = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = thread, unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = before


def _say(line: str) -> None:
    sys.stderr.write(f"{visible(line)}\n")


def _command_name() -> str:
    return sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "nrl-dedup"
