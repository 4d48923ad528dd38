"""Finding an ad's photos below a folder, and reading them; never anything outside it."""

import os
import posixpath
import re
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.decoding import UnreadablePhoto, decode
from nrl_dedup.features.photo_zip import PhotoZip, avito_path

__all__ = ["NOT_FOUND", "OUTSIDE", "PhotoFolder", "UnreadablePhoto", "decode", "find_photo_folder"]

NOT_FOUND = -1
OUTSIDE = -2
ABSENCES = {NOT_FOUND: "not found", OUTSIDE: "leaves the photo folder"}

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
AVITO_REFERENCE = re.compile(r"(?:Images_\d/\d{1,2}/)?(0|[1-9]\d{0,17})(?:\.jpg)?", re.ASCII)
AVITO_PARTS = [f"Images_{d}" for d in range(10)]
USUAL_FOLDERS = ("images", "imgs", "photos")
MAX_BYTES = 256 * 2**20
LISTINGS = 1024  # folders whose names are remembered at a time


def find_photo_folder(catalogue_path: Path) -> Path | None:
    """The photo folder beside a catalogue: its own folder if that holds `Images_0` ... `Images_9` or their zips,
    else `images/`, `imgs/` or `photos/` there; None if there is none of these."""
    beside = catalogue_path.resolve().parent
    if any((beside / part).is_dir() or (beside / f"{part}.zip").is_file() for part in AVITO_PARTS):
        return beside
    return next((beside / name for name in USUAL_FOLDERS if (beside / name).is_dir()), None)


Place = str | tuple[PhotoZip, int] | None


class PhotoFolder:
    """A folder of photos, found by an image id, a file name or a relative path, with or without its ending.

    A whole number i is first looked for in Avito's layout: `Images_{d}/{n}/{i}.jpg` (n = i mod 100, d = n div 10),
    unpacked, then inside `Images_{d}.zip`. Everything else, and a number that is not there, is a path below the
    folder: the exact name, the name with its ending in other capitals, or, for a name without an ending, the first
    of `ENDINGS` that exists. A path or a link that leaves the folder is never opened. Safe to share by threads.

    :raises NrlDedupError: there is no such folder, or one of its `Images_N.zip` is damaged.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NrlDedupError(f"--images {folder}: no such folder.")
        self.folder = folder.resolve()
        self._unpacked = {part for part in AVITO_PARTS if (self.folder / part).is_dir()}
        zips = ((part, self.folder / f"{part}.zip") for part in AVITO_PARTS)
        self._zips = {part: PhotoZip(path) for part, path in zips if path.is_file()}
        # Of each instance, so that they go when it goes.
        self._stays_inside = lru_cache(LISTINGS)(self._resolve)
        self._listing = lru_cache(LISTINGS)(self._list)

    def sizes(self, refs: Sequence[str]) -> Int64[np.ndarray, "refs"]:
        """The size of each photo in bytes; -1 where it is not found, -2 where it leaves the folder.

        One look at the disk for each photo; sorted references keep those looks close together.
        """
        return np.fromiter((self._locate(ref)[0] for ref in refs), dtype=np.int64, count=len(refs))

    def read(self, ref: str) -> bytes:
        """The photo's bytes, as they are in its file.

        :raises UnreadablePhoto: not found, outside the folder, larger than `MAX_BYTES`, or not readable.
        """
        size, place = self._locate(ref)
        if size > MAX_BYTES:
            raise UnreadablePhoto(f"a file of more than {MAX_BYTES:,} bytes")
        try:
            if isinstance(place, str):
                return Path(place).read_bytes()
            if place is not None:
                archive, image = place
                return archive.read(image)
        except OSError as error:
            raise UnreadablePhoto(f"cannot be read ({error.strerror})") from error
        raise UnreadablePhoto(ABSENCES[size])

    def _locate(self, ref: str) -> tuple[int, Place]:
        """The size of a photo and where it is: a path, or a zip and the id in it; a negative size for nowhere."""
        number = AVITO_REFERENCE.fullmatch(ref)
        if number:
            found = self._locate_image(int(number[1]), ref)
            if found[0] != NOT_FOUND:
                return found
        return self._locate_path(ref)

    def _locate_image(self, image: int, ref: str) -> tuple[int, Place]:
        path = avito_path(image)
        if "/" in ref and ref.removesuffix(".jpg") != path.removesuffix(".jpg"):
            return NOT_FOUND, None
        part = path.partition("/")[0]
        if part in self._unpacked:
            found = self._stat(path)
            if found[0] != NOT_FOUND:
                return found
        archive = self._zips.get(part)
        size = NOT_FOUND if archive is None else archive.size(image)
        return (NOT_FOUND, None) if archive is None or size < 0 else (size, (archive, image))

    def _locate_path(self, ref: str) -> tuple[int, Place]:
        path = posixpath.normpath(ref)
        if path.startswith(("/", "../")) or path == "..":
            return OUTSIDE, None
        folder, name = posixpath.split(path)
        if not self._stays_inside(folder):
            return OUTSIDE, None
        found = _best_name(self._listing(folder), name)
        return (NOT_FOUND, None) if found is None else self._stat(posixpath.join(folder, found))

    def _stat(self, path: str) -> tuple[int, Place]:
        """The size of the file at a path below the folder."""
        if not self._stays_inside(posixpath.dirname(path)):
            return OUTSIDE, None
        full = f"{self.folder}/{path}"  # strings: pathlib would double the time of ten million of these
        try:
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                if not self._contains(os.path.realpath(full)):
                    return OUTSIDE, None
                found = os.lstat(os.path.realpath(full))
        except (OSError, ValueError):
            return NOT_FOUND, None
        return (found.st_size, full) if stat.S_ISREG(found.st_mode) else (NOT_FOUND, None)

    def _resolve(self, folder: str) -> bool:
        """Whether this folder below ours is still there after its links are followed."""
        try:
            return self._contains(os.path.realpath(self.folder / folder))
        except (OSError, ValueError):
            return True  # a name that the disk cannot have: not found, rather than outside

    def _contains(self, path: str) -> bool:
        return Path(path).is_relative_to(self.folder)

    def _list(self, folder: str) -> dict[str, tuple[str, ...]]:
        """The files of a folder, by their names without ending; one reading in place of a look for each ending."""
        names: dict[str, tuple[str, ...]] = {}
        try:
            with os.scandir(self.folder / folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        stem = _stem(entry.name)
                        names[stem] = (*names.get(stem, ()), entry.name)
        except (OSError, ValueError):
            return {}
        return names


def _stem(name: str) -> str:
    """The name without its ending, where that is one of a photo's."""
    stem, dot, ending = name.rpartition(".")
    return stem if f"{dot}{ending}".lower() in ENDINGS else name


def _best_name(listing: dict[str, tuple[str, ...]], name: str) -> str | None:
    """The file that `name` means: itself, else with its ending in other capitals, else with an ending added; of
    several, the first of `ENDINGS`, then the first in the order of their letters."""
    stem = _stem(name)
    same_stem = listing.get(stem, ())
    if name in same_stem:
        return name
    ending = name[len(stem) :].lower()
    alike = [found for found in same_stem if found[len(stem) :].lower() == ending]
    longer = sorted(listing.get(name, ()), key=lambda found: (ENDINGS.index(found[len(name) :].lower()), found))
    return next(iter([*sorted(alike), *longer]), None)
