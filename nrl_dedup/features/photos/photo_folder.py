"""Finding an ad's photos below a folder or in a zip, and reading them; never anything outside it."""

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.decoding import MAX_BYTES
from nrl_dedup.features.photos.folder_source import (
    LINKED_OUTSIDE,
    MAX_LISTINGS,
    NOT_FOUND,
    OUTSIDE,
    DiskTree,
    Found,
    Names,
    PhotoTree,
    has_ending,
    leaves,
)
from nrl_dedup.features.photos.link_following import LINKS_FOLLOWED
from nrl_dedup.features.photos.reference_rules import ReferenceContext, is_url, meanings
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from nrl_dedup.features.photos.zip_source import PhotoZip, ZipTree, avito_path
from nrl_dedup.runtime.run import Run

AT_A_URL = -4
ABSENCES = {
    NOT_FOUND: "not found",
    OUTSIDE: "leaves the photo folder",
    LINKED_OUTSIDE: "leaves the photo folder by a link (--follow-links reads it)",
    AT_A_URL: "not found; it looks like a URL: fetch the photos, and name their files",
}

AVITO_REFERENCE = re.compile(r"(?:Images_\d/\d{1,2}/)?(0|[1-9]\d{0,17})(?:\.jpg)?", re.ASCII)
AVITO_PARTS = [f"Images_{d}" for d in range(10)]
USUAL_FOLDERS = ("images", "imgs", "photos")


def find_photo_folder(catalogue_path: Path) -> Path | None:
    """The photo folder beside a catalogue: its own folder if that holds `Images_0` ... `Images_9` or their zips,
    else `images/`, `imgs/` or `photos/` there; None if none of these is there."""
    beside = catalogue_path.resolve().parent
    if any((beside / part).is_dir() or (beside / f"{part}.zip").is_file() for part in AVITO_PARTS):
        return beside
    return next((beside / name for name in USUAL_FOLDERS if (beside / name).is_dir()), None)


def open_photo_folder(folder: Path, beside: Path, run: Run) -> "PhotoFolder":
    """The photo folder, or the zip of photos, opened once in a run: Avito's zip directories take minutes to read.

    :param beside: as in `PhotoFolder`. :raises NrlDedupError: what `PhotoFolder` raises.
    """
    key = ("photo folder", folder, beside)
    if key not in run.opened:
        run.opened[key] = PhotoFolder(folder, beside=beside)
    opened: PhotoFolder = run.opened[key]
    return opened


class PhotoFolder:
    """A folder of photos, or a zip of them, found by an image id, a file name or a path, with or without its ending.

    A reference is taken as each of `reference_rules.meanings` in turn. A whole number i is first looked for in Avito's
    layout: `Images_{d}/{n}/{i}.jpg` (n = i mod 100, d = n div 10), unpacked, then inside `Images_{d}.zip`. Everything
    else, and a number that is not there, is a path: that very file, else one that differs in the capitals of its
    ending or has an ending added. If nothing is found, other capitals and accents are tried. A path or a link that
    leaves the folder is never opened, except a link where the user allows it. Safe to share by threads.

    :param beside: the folder of the catalogue, which references may start from.
    :param follow_links: whether links out of the folder are followed; None: as in `LINKS_FOLLOWED`.
    :raises NrlDedupError: there is no such folder, or a zip in it is damaged.
    """

    def __init__(
        self, folder: Path, *, beside: Path | None = None, follow_links: bool | None = None
    ) -> None:
        follow = LINKS_FOLLOWED.get() if follow_links is None else follow_links
        self.folder = folder.resolve()
        self.around = ReferenceContext.of(folder, beside)
        self._tree: PhotoTree
        self._zips: dict[str, PhotoZip | None] = {}  # None: a link out of the folder
        self._unpacked = set(AVITO_PARTS)
        if folder.is_dir():
            disk = self._tree = DiskTree(folder, follow_links=follow)
            self._unpacked = {part for part in AVITO_PARTS if (self.folder / part).is_dir()}
            for part in AVITO_PARTS:
                path = self.folder / f"{part}.zip"
                if path.is_file():
                    may_be_read = disk.contains(str(path.resolve()))
                    self._zips[part] = PhotoZip(path) if may_be_read else None
        elif folder.is_file():
            self._tree = _zip_tree(folder)
        else:
            raise NrlDedupError(f"--images {folder}: no such folder.")
        self._alike = lru_cache(MAX_LISTINGS)(self._alike_folder)

    def describe(self) -> str:
        """The path of the folder or the zip, links resolved."""
        return str(self.folder)

    def paths_of(self, ref: str) -> Sequence[str]:
        """Each of `reference_rules.meanings` of a reference."""
        return meanings(ref, self.around)

    def sizes(self, refs: Sequence[str]) -> Int64[np.ndarray, "refs"]:
        """The size of each photo in bytes; below 0, a key of `ABSENCES`, where it is not there.

        One look at the disk for each photo; sorted references keep those looks close together.
        """
        return self.stamps(refs)[0]

    def stamps(
        self, refs: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "refs"], Int64[np.ndarray, "refs"]]:
        """The size of each photo as `sizes` gives it, and when it last changed: in nanoseconds, in a zip its CRC-32.
        As long as both stay, the photo is taken for the same."""
        sizes = np.zeros(len(refs), np.int64)
        changed = np.zeros(len(refs), np.int64)
        for place, ref in enumerate(refs):
            found = self._locate(ref)
            sizes[place], changed[place] = found[:2]
        return sizes, changed

    def read(self, ref: str) -> bytes:
        """The photo's bytes, as they are in its file.

        :raises UnreadablePhoto: not found, outside the folder, larger than `MAX_BYTES`, or not readable.
        """
        found = self._locate(ref)
        if not found.there:
            raise UnreadablePhoto(ABSENCES[found.size])
        if found.size > MAX_BYTES:
            raise UnreadablePhoto(f"a file of more than {MAX_BYTES:,} bytes")
        if isinstance(found.place, tuple):
            archive, place = found.place
            data: bytes = archive.read(place)
            return data
        return self._tree.read(found.place)

    def names(self, folder: str) -> Names:
        """What lies in a folder below this one; nothing in one that is not there."""
        return self._tree.names(folder)

    def _locate(self, ref: str) -> Found:
        missed = NOT_FOUND
        paths = self.paths_of(ref)
        for look in (self._as_named, self._alike_named):
            for path in paths:
                found = look(path)
                if found.size >= 0:
                    return found
                missed = min(missed, found.size)
        return Found(AT_A_URL if missed == NOT_FOUND and is_url(ref) else missed)

    def _as_named(self, path: str) -> Found:
        number = AVITO_REFERENCE.fullmatch(path)
        if number:
            found = self._avito_photo(int(number[1]), path)
            if found.size != NOT_FOUND:
                return found
        folder, name = posixpath.split(path)
        found = Found(NOT_FOUND)
        if has_ending(name):  # the usual case is this one look at the disk
            found = self._tree.find(path)
            if found.size != NOT_FOUND:
                return found
        best = self._tree.names(folder).best_file(name)
        if best is None and has_ending(name):
            return found
        return self._tree.find(posixpath.join(folder, best or name))

    def _avito_photo(self, image: int, ref: str) -> Found:
        path = avito_path(image)
        if "/" in ref and ref.removesuffix(".jpg") != path.removesuffix(".jpg"):
            return Found(NOT_FOUND)
        part = path.partition("/")[0]
        if part in self._unpacked:
            found = self._tree.find(path)
            if found.size != NOT_FOUND:
                return found
        if part not in self._zips:
            return Found(NOT_FOUND)
        archive = self._zips[part]
        if archive is None:
            return Found(LINKED_OUTSIDE)
        found = archive.find(image)
        place = (archive, found.place)
        return found._replace(place=place)

    def _alike_named(self, path: str) -> Found:
        if leaves(path):
            return Found(OUTSIDE)
        folder, name = posixpath.split(path)
        there = self._alike(folder)
        if there is None:
            return Found(NOT_FOUND)
        alike = self._tree.names(there).alike_file(name)
        path_there = posixpath.join(there, alike or name)
        return self._tree.find(path_there)

    def _alike_folder(self, folder: str) -> str | None:
        """The folder that differs from this path in capitals and accents alone."""
        there = ""
        for part in filter(None, folder.split("/")):
            found = self._tree.names(there).alike_folder(part)
            if found is None:
                return None
            there = posixpath.join(there, found)
        return there


def _zip_tree(path: Path) -> ZipTree:
    """:raises NrlDedupError: the file is no zip."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as error:
        raise NrlDedupError(f"--images {path}: cannot be read ({error.strerror}).") from error
    if start != b"PK":
        raise NrlDedupError(
            f"--images {path}: no such folder; this is a file, and no zip either. Name the folder of the photos, or a "
            "zip of them."
        )
    return ZipTree(path)
