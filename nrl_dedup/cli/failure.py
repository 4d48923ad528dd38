"""What is shown of an error that nobody foresaw: one line, and where the whole report lies."""

import errno
import os
import platform
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nrl_dedup.cli.visible import visible
from nrl_dedup.cli.work_folder import report_folders

LONGEST_MESSAGE = 300  # signs; a library may put a whole file into its own
_LIBRARIES = (
    "nrl-dedup",
    "polars",
    "numpy",
    "torch",
    "torchvision",
    "lightgbm",
    "faiss-gpu",
    "faiss-cpu",
    "pillow",
)
_PACKAGE = Path(__file__).parent.parent
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}

_doing: list[
    str
] = []  # the tasks that are being done, the innermost last; of one that failed it stays


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Remember the task while the block runs, for the case that it fails."""
    count = len(_doing)
    _doing.append(what)
    yield
    del _doing[count:]


def failure_in_a_line(error: BaseException, command: str) -> str:
    """What was being done, what came in the way, what to do, and where the whole report is; which is written here.

    :param command: that of `nrl-dedup` which was run.
    """
    task = f" while at {_doing[-1]}" if _doing else ""
    message = " ".join(str(error).split())[:LONGEST_MESSAGE]
    what = f"{command}{task}, in {_place(error)}: {type(error).__name__}{': ' if message else ''}{message}"
    return f"{what.rstrip('.')}. {_hint(error)} {_where_the_report_is(error)}"


def _place(error: BaseException) -> str:
    """The innermost file of this package that the error came by."""
    inside = [
        f"{Path(frame.filename).relative_to(_PACKAGE)}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return inside[-1] if inside else "Python"


def _hint(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return "The memory does not do. End other programs, or ask for less: --candidates, --batch-size, --device cpu."
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return "Make room on the disk, or name another folder."
    if isinstance(error, OSError) and error.errno in _FORBIDDEN:
        return "See to the rights of the file or folder, or name another."
    if isinstance(error, OSError):
        return "See whether the files that you named are there and can be read."
    if isinstance(error, UnicodeError):
        return "A text is not in the encoding that it should be in; save the file as UTF-8."
    if isinstance(error, ImportError):
        return "The installation is not whole; install it anew: pip install --force-reinstall nrl-dedup."
    return "This was not foreseen: if your files are as they should be, please report it with the file below."


def _where_the_report_is(error: BaseException) -> str:
    name = f"nrl-dedup-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = visible(_report(error), lines=True).encode("utf-8", "backslashreplace")
    for folder in report_folders():
        with suppress(OSError):
            (folder / name).write_bytes(text)
            return f"The whole report is in {folder / name}."
    return f"A report of it could not be written to {' or '.join(map(str, report_folders()))}."


def _report(error: BaseException) -> str:
    lines = [
        f"command: {shlex.join(sys.argv)}",
        f"doing: {' > '.join(_doing) or '-'}",
        f"Python {sys.version} on {platform.platform()}",
        ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES if _version(name)),
        "",
        *traceback.format_exception(error),
    ]
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
