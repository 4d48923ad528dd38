"""The folder of `--work-dir`, where photo features are kept between runs."""

import os
import tempfile
from pathlib import Path
from typing import Any

from nrl_dedup.errors import NrlDedupError

_used: list[Path] = []  # by this run; the last one takes its report, if there is to be one


def work_dir(options: dict[str, Any]) -> Path:
    """The folder of `--work-dir` or its default, made if need be.

    :raises NrlDedupError: it cannot be made.
    """
    folder: Path = options["work_dir"] or _default()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NrlDedupError(
            f"--work-dir {folder}: cannot be made ({error.strerror}). Name another."
        ) from error
    _used.append(folder)
    return folder


def report_folders() -> list[Path]:
    """Where a report may be written, the best first: the work folder, then the system's folder for temporary files."""
    return [*reversed(_used), Path(tempfile.gettempdir())]


def _default() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / "nrl-dedup"
    try:
        return Path.home() / ".cache" / "nrl-dedup"
    except RuntimeError:  # a user without a home folder, as in a container
        return _temporary()


def _temporary() -> Path:
    """A folder of this user's own for temporary files: nobody else may have made it, or could put features there."""
    from nrl_dedup.cli.console import warn

    folder = Path(tempfile.gettempdir()) / f"nrl-dedup-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise NrlDedupError(
            f"There is no home folder, and {folder} cannot be made ({error.strerror}). Name a folder with --work-dir."
        ) from error
    if (
        found.st_uid != os.getuid()
        or not folder.is_dir()
        or folder.is_symlink()
        or found.st_mode & 0o022
    ):
        raise NrlDedupError(
            f"There is no home folder, and {folder} is not this user's own. Name a folder with --work-dir."
        )
    warn(
        f"there is no home folder, so photo features are kept in {folder}. Name another with --work-dir."
    )
    return folder
