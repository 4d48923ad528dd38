"""The folder in which photo features are kept between runs, where nobody names another."""

import os
import tempfile
from pathlib import Path

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import SILENT, Progress


def make_work_folder(named: Path | None, progress: Progress = SILENT) -> Path:
    """The folder that the user named, or else the default, made if need be.

    :raises NrlDedupError: it cannot be made.
    """
    folder = named or default_work_folder(progress)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NrlDedupError(
            f"--work-dir {folder}: cannot be made ({error.strerror}). Name another."
        ) from error
    return folder


def default_work_folder(progress: Progress = SILENT) -> Path:
    """Below the user's cache; for a user without a home folder, below the system's folder for temporary files.

    :raises NrlDedupError: there is none that is this user's own.
    """
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / "nrl-dedup"
    try:
        return Path.home() / ".cache" / "nrl-dedup"
    except RuntimeError:  # a user without a home folder, as in a container
        return _temporary(progress)


def _temporary(progress: Progress) -> Path:
    """A folder of this user's own for temporary files: nobody else may have made it, or could put features there."""
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
    progress.warn(
        f"there is no home folder, so photo features are kept in {folder}. Name another with --work-dir."
    )
    return folder
