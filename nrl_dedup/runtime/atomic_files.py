"""Files and folders that come whole or not at all: written beside, under a hidden name, and renamed into place."""

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.hidden_parts import hidden_beside, new_part, remove

CHUNK_ROWS = 100_000  # of a CSV file, so that its text is not all in memory
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's <fcntl.h> and <linux/fs.h>


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A hidden file in `path`'s folder, renamed onto `path` only if the block ends without an exception. If `path` is a
    link, all this is done where it leads to.

    :raises NrlDedupError: the folder cannot be written, or the disk is full.
    """
    place = Path(os.path.realpath(path))
    try:
        part, held = new_part(place)
    except OSError as error:
        raise NrlDedupError(f"{path}: cannot write in {place.parent} ({reason(error)}).") from error
    try:
        yield part
        give_usual_mode(part)
        to_disk(part)
        part.replace(place)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _not_written(path, error) from error
    finally:
        remove(part)
        os.close(held)


@contextmanager
def folder_written_beside(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder`, renamed to it only if the block ends without an exception.

    What was there is thrown away when the new folder is in its place, and not before. If `folder` is a link, all
    this is done where it leads to.

    :raises NrlDedupError: the parent cannot be written, or the disk is full. It names `folder` as that of -o.
    """
    place = Path(os.path.realpath(folder))
    try:
        part, held = new_part(place, folder=True)
    except OSError as error:
        raise NrlDedupError(
            f"-o {folder}: cannot write in {place.parent} ({reason(error)})."
        ) from error
    try:
        yield part
        part.chmod(0o755)
        put_in_place(part, place)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NrlDedupError(f"-o {folder}: could not be written ({reason(error)}).") from error
    finally:
        remove(part)
        os.close(held)


def write_together(files: Mapping[Path, Callable[[Path], object]]) -> None:
    """Write several files, each by its function, and rename them in their order when all are written.

    :raises NrlDedupError: one of them cannot be written, and none is renamed; or one cannot be renamed, nor are
        those behind it.
    """
    with ExitStack() as renaming:
        for path, write in reversed(list(files.items())):  # the last one entered is renamed first
            part = renaming.enter_context(written_beside(path))
            try:
                write(part)
            except OSError as error:
                raise _not_written(path, error) from error


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """`table` as CSV, by Python's own file, which tells of every byte that could not be written.

    :raises OSError: the disk is full, or the file cannot be written.
    """
    with path.open("wb") as file:
        file.write(table.head(0).write_csv().encode())
        for part in table.iter_slices(CHUNK_ROWS):
            file.write(part.write_csv(include_header=False).encode())


def put_in_place(made: Path, place: Path) -> None:
    """Rename the folder `made` to `place`, on the disk as in name. What was there is thrown away afterwards.

    At every moment the one or the other is at `place` where the system can exchange two names. Where it cannot, a
    run that is killed between two renames leaves the old one beside, and `put_back` puts it back.

    :raises OSError: it cannot be done; what was there stays.
    """
    to_disk(made)
    if not os.path.lexists(place):
        made.rename(place)
    elif _exchanged(made, place):
        remove(made)
    else:
        _in_two_steps(made, place)
    _folder_to_disk(place.parent)


def put_back(place: Path) -> None:
    """Undo, or end, what `put_in_place` was doing when its run was killed."""
    old = _old(place)
    if not os.path.lexists(old):
        return
    if os.path.lexists(place):
        remove(old)
    else:
        old.rename(place)


def _old(place: Path) -> Path:
    return hidden_beside(place, ".old")


def _in_two_steps(made: Path, place: Path) -> None:
    old = _old(place)
    remove(old)
    place.rename(old)
    try:
        made.rename(place)
    except BaseException:  # Ctrl-C too
        old.rename(place)
        raise
    remove(old)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step. False: this system or file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0


def to_disk(path: Path) -> None:
    """Have the system write a file, or all files of a folder, to the disk itself: what is renamed into place after this
    is whole even if the power fails."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and not file.is_symlink():
            opened = os.open(file, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def _folder_to_disk(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError:  # some network file systems cannot do that of a folder
        return
    finally:
        os.close(opened)


def _not_written(path: Path, error: Exception) -> NrlDedupError:
    return NrlDedupError(
        f"{path}: could not be written ({reason(error)}). What was there is as it was."
    )


def give_usual_mode(*files: Path) -> None:
    """Let files that were made for their owner alone be read as any new file can."""
    umask = os.umask(0)
    os.umask(umask)
    for file in files:
        file.chmod(0o666 & ~umask)


def reason(error: Exception) -> str:
    """Why the system or a library could not do it, in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.strip().split("\n")[0] or type(error).__name__
