"""The tables that pass between the stages: their columns, and how they are checked and written.

Inside the stages an ad is its *row*: its position in the catalogue, which is ordered by item id. So for two ads
`row_l < row_r` says the same as `item_id_l < item_id_r`, and ids are needed only where a file is read or written.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.errors import NrlDedupError

CATALOGUE = {
    "item_id": pl.String,  # unique
    "title": pl.String,
    "description": pl.String,
    "photos": pl.List(pl.String),
}
LABELLED_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64, "is_duplicate": pl.Boolean}
CANDIDATE_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64}  # row_l < row_r, unique
SCORED_PAIRS = {**CANDIDATE_PAIRS, "score": pl.Float32}  # in [0, 1], higher = more likely the same
CLUSTERS = {"cluster_row": pl.Int64, "row": pl.Int64, "score": pl.Float32}  # cluster_row = smallest row in it

Schema = Mapping[str, Any]  # column -> polars type


def check(frame: pl.DataFrame, schema: Schema, what: str) -> pl.DataFrame:
    """`frame` with exactly the columns of `schema`, in its order.

    :raises NrlDedupError: a column is missing or has another type; the message names wanted and found.
    """
    wrong = [name for name, kind in schema.items() if name not in frame.columns or frame.schema[name] != kind]
    if wrong:
        wanted = ", ".join(f"{name} ({schema[name]})" for name in wrong)
        raise NrlDedupError(f"{what}: wanted the columns {wanted}; found {dict(frame.schema)}.")
    return frame.select(list(schema))


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A temporary path in `path`'s folder, renamed onto `path` only if the block ends without an exception.

    :raises NrlDedupError: the folder cannot be written, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise NrlDedupError(f"{path}: cannot write in {path.parent} ({error.strerror}).") from error
    part = Path(name)
    try:
        yield part
        give_usual_mode(part)
        part.replace(path)
    except OSError as error:
        raise NrlDedupError(f"{path}: could not be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder_written_beside(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, renamed to it only if the block ends without an exception.

    What was there is thrown away when the new folder stands in its place, and not before. If `folder` is a link, all
    this is done where it leads to.

    :raises NrlDedupError: the parent cannot be written, or the disk is full. It names `folder` as that of -o.
    """
    place = Path(os.path.realpath(folder))
    try:
        part = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part"))
    except OSError as error:
        raise NrlDedupError(f"-o {folder}: cannot write in {place.parent} ({error.strerror}).") from error
    try:
        yield part
        part.chmod(0o755)
        _exchange(part, place)
    except OSError as error:
        raise NrlDedupError(f"-o {folder}: could not be written ({error}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _exchange(part: Path, place: Path) -> None:
    old = part.with_suffix(".old")
    there = place.exists()
    if there:
        place.rename(old)
    try:
        part.rename(place)
    except BaseException:  # Ctrl-C too
        if there:
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def give_usual_mode(*files: Path) -> None:
    """Let files that were made for their owner alone be read as any new file can."""
    umask = os.umask(0)
    os.umask(umask)
    for file in files:
        file.chmod(0o666 & ~umask)


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None]) -> None:
    """Find out before the hours of work that the files of `outputs`, by their flags, can be written after them.

    :param inputs: the files that are read. Two paths are the same file through links too.
    :raises NrlDedupError: an output is one of `inputs` or another output; it exists and is a folder, a pipe or a
        device; or its folder does not exist or cannot be written.
    """
    taken = [(path, "is read, and would be replaced") for path in inputs if path]
    for flag, path in outputs.items():
        if path is None:
            continue
        what = f"{flag} {path}"
        check_folder_writable(path.parent, what)
        if path.is_dir():
            raise NrlDedupError(f"{what}: this is a folder; a file was wanted.")
        if path.exists() and not path.is_file():
            raise NrlDedupError(f"{what}: this is a pipe or a device, and would be replaced; a file was wanted.")
        for other, why in taken:
            if _is_same_file(path, other):
                raise NrlDedupError(f"{what}: this file {why}. Name another.")
        taken.append((path, f"is that of {flag} already"))


def check_outside(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Find out before the hours of work that what is read stays when `folder` is replaced.

    :param inputs: files and folders; None is passed over.
    :raises NrlDedupError: one of them lies in `folder`, or is it, through links too. It names `folder` as that of -o.
    """
    place = os.path.realpath(folder)
    for path in inputs:
        if path is not None and Path(os.path.realpath(path)).is_relative_to(place):
            raise NrlDedupError(
                f"-o {folder}: this folder is replaced whole, and {path} lies in it. Move that, or name another folder."
            )


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)


def check_folder_writable(folder: Path, what: str) -> None:
    """:raises NrlDedupError: `folder` does not exist or nothing can be written in it."""
    if not folder.is_dir():
        raise NrlDedupError(f"{what}: the folder {folder} does not exist. Make it first.")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".nrl-dedup."):
            pass
    except OSError as error:
        raise NrlDedupError(f"{what}: cannot write in {folder} ({error.strerror}).") from error
