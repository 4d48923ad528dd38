"""Whether outputs can be written, and take the place of nothing that is read: asked before the hours of work."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.atomic_files import reason
from nrl_dedup.runtime.hidden_parts import new_part, remove

# Of a bundle, whether they are there or not: a file put at one of these names would be taken for a part of it.
BUNDLE_FILES = (
    "bundle.json",
    "model.safetensors",
    "vocabulary.txt",
    "split.parquet",
    "backbone.safetensors",
    "held_out.parquet",
    "trials.json",
    "trials.csv",
)
BUNDLE_FOLDERS = ("evidence", "trials")
PHOTO_ENDINGS = {
    *(
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".ico",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
    ),
    *(".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp", ".zip"),
}


def check_outputs(
    outputs: Mapping[str, Path | None],
    inputs: Iterable[Path | None],
    *,
    photos: Iterable[Path | None] = (),
    bundles: Iterable[Path | None] = (),
) -> None:
    """Find out that the files of `outputs`, by their flags, can be written and replace nothing that is read.

    Two paths are the same file through symbolic and hard links too.

    :param inputs: the files that are read.
    :param photos: the folders of photos; `check_photos_stay` says what may lie in them.
    :param bundles: the folders of the models that are read.
    :raises NrlDedupError: an output is an input or another output; it exists and is a folder, a pipe or a device; or
        its folder does not exist or cannot be written.
    """
    read, models = [path for path in inputs if path], [bundle for bundle in bundles if bundle]
    taken = [(path, "is read, and would be replaced") for path in read]
    named = {flag: path for flag, path in outputs.items() if path is not None}
    for flag, path in named.items():
        what = f"{flag} {path}"
        _check_is_no_stream(flag, path)
        check_folder_writable(Path(os.path.realpath(path)).parent, what)
        if path.is_dir():
            raise NrlDedupError(f"{what}: this is a folder; a file was wanted.")
        if path.exists() and not path.is_file():
            raise NrlDedupError(
                f"{what}: this is a pipe or a device, and would be replaced; a file was wanted."
            )
        for other, why in taken:
            if is_same_file(path, other):
                raise NrlDedupError(f"{what}: this file {why}. Name another.")
        _check_bundles_stay(path, what, models)
        taken.append((path, f"is that of {flag} already"))
    check_photos_stay(named, photos, read)


def check_photos_stay(
    outputs: Mapping[str, Path | None], photos: Iterable[Path | None], read: Sequence[Path]
) -> None:
    """Find out that no output lies among photos, or is one.

    Where a file that is read lies in the photo folder too, as Avito's catalogues do, an output may lie in it; but not
    under the name of a photo or a zip.

    :raises NrlDedupError: one does.
    """
    for folder in (Path(os.path.realpath(folder)) for folder in photos if folder):
        shared = any(Path(os.path.realpath(path)).is_relative_to(folder) for path in read)
        for flag, path in outputs.items():
            if path is None:
                continue
            place = Path(os.path.realpath(path))
            among = place.is_relative_to(folder) and (
                not shared or place.suffix.lower() in PHOTO_ENDINGS
            )
            if among or _is_linked_from(path, folder):
                raise NrlDedupError(
                    f"{flag} {path}: this lies among the photos of {folder}. Name another place."
                )


def check_pictures_stay_apart(
    flag: str,
    folder: Path,
    inputs: Sequence[Path | None],
    *,
    photos: Iterable[Path | None] = (),
    bundles: Iterable[Path | None] = (),
) -> None:
    """Find out that pictures can be put into `folder` and replace nothing that is read.

    :raises NrlDedupError: it is a file, or lies among photos or in a model's own folder.
    """
    _check_is_no_stream(flag, folder)
    if folder.exists() and not folder.is_dir():
        raise NrlDedupError(f"{flag} {folder}: this is a file; a folder was wanted.")
    check_photos_stay({flag: folder}, photos, [path for path in inputs if path])
    place = Path(os.path.realpath(folder))
    for other in [path for path in (*inputs, *bundles) if path]:
        if place == Path(os.path.realpath(other)):
            raise NrlDedupError(f"{flag} {folder}: this is read. Name a folder for pictures alone.")


def check_outside(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Find out that what is read stays when `folder` is replaced.

    :param inputs: files and folders; None is passed over.
    :raises NrlDedupError: one of them lies in `folder`, or is it, through links too. It names `folder` as that of -o.
    """
    _check_is_no_stream("-o", folder)
    place = os.path.realpath(folder)
    for path in inputs:
        if path is not None and Path(os.path.realpath(path)).is_relative_to(place):
            raise NrlDedupError(
                f"-o {folder}: this folder is replaced whole, and {path} lies in it. Move that, or name another folder."
            )


def check_folder_writable(folder: Path, what: str) -> None:
    """:raises NrlDedupError: `folder` does not exist or nothing can be written in it."""
    if not folder.is_dir():
        raise NrlDedupError(f"{what}: the folder {folder} does not exist. Make it first.")
    try:
        part, held = new_part(folder / "nrl-dedup")
    except OSError as error:
        raise NrlDedupError(f"{what}: cannot write in {folder} ({reason(error)}).") from error
    remove(part)
    os.close(held)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, which may not be there yet."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)


def _check_is_no_stream(flag: str, path: Path) -> None:
    if str(path) == "-":
        raise NrlDedupError(
            f"{flag} -: results are written whole, as a file, and not to standard output. Name a file, and print that "
            "afterwards."
        )


def _check_bundles_stay(path: Path, what: str, bundles: Sequence[Path]) -> None:
    place = Path(os.path.realpath(path))
    for bundle in bundles:
        folder = Path(os.path.realpath(bundle))
        files = [folder / name for name in BUNDLE_FILES]
        folders = [folder / name for name in BUNDLE_FOLDERS]
        inside = any(place.is_relative_to(os.path.realpath(part)) for part in folders)
        linked = any(_is_linked_from(path, part) for part in folders)
        if inside or linked or any(is_same_file(path, file) for file in files):
            raise NrlDedupError(
                f"{what}: this file belongs to the model {bundle}, which is read. Name another."
            )


def _is_linked_from(path: Path, folder: Path) -> bool:
    """Whether the file `path` has another name below `folder`, by a hard link; looked for only if it has one at all."""
    try:
        own = path.stat()
    except OSError:
        return False
    if own.st_nlink < 2:
        return False
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                if os.path.samestat(own, Path(parent, name).stat()):
                    return True
            except OSError:
                continue
    return False
