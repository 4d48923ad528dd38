"""The folder of `--work-dir`, where photo features are kept between runs."""

import tempfile
from pathlib import Path
from typing import Any

from nrl_dedup.runtime.default_work_folder import make_work_folder

_used: list[Path] = []  # by this run; the last one takes its report, if there is to be one


def work_dir(options: dict[str, Any]) -> Path:
    """The folder of `--work-dir` or its default, made if need be.

    :raises NrlDedupError: it cannot be made.
    """
    from nrl_dedup.cli.console import ConsoleProgress

    folder = make_work_folder(options["work_dir"], ConsoleProgress())
    _used.append(folder)
    return folder


def report_folders() -> list[Path]:
    """Where a report may be written, the best first: the work folder, then the system's folder for temporary files."""
    return [*reversed(_used), Path(tempfile.gettempdir())]
