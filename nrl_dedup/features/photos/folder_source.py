"""Where photo files can lie: a folder on the disk. Paths go down from it, with `/`; nothing outside is ever opened."""

import os
import posixpath
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from nrl_dedup.features.photos.unreadable import UnreadablePhoto

NOT_FOUND, OUTSIDE, LINKED_OUTSIDE = -1, -2, -3
MAX_LISTINGS = 1024  # folders whose names are remembered at a time. Not tuned.
# In the order in which they are tried for a name that has none.
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


class Found(NamedTuple):
    """A photo's bytes, unread: how many, when they last changed (a zip: their checksum), and the tree's own word for
    where they are. Of a photo that is not there: a negative size, which gives the reason."""

    size: int
    changed: int = 0
    place: object = None

    @property
    def there(self) -> bool:
        """Whether there is a photo."""
        return self.size >= 0


class PhotoTree(Protocol):
    """A folder of photos, or a zip of them."""

    def find(self, path: str) -> Found:
        """The photo at exactly this path."""

    def names(self, folder: str) -> "Names":
        """What lies in a folder; nothing in one that is not there."""

    def read(self, place: object) -> bytes:
        """The bytes at the place of what was found. :raises UnreadablePhoto: they cannot be read."""


class Names:
    """The names in one folder, looked up also by less than the exact name."""

    def __init__(self, files: Iterable[str], folders: Iterable[str]) -> None:
        self.folders = tuple(folders)
        self._files: dict[str, tuple[str, ...]] = {}  # by their names without ending
        for name in files:
            self._files[_stem(name)] = (*self._files.get(_stem(name), ()), name)

    def __iter__(self) -> Iterator[str]:
        return (name for names in (*self._files.values(), self.folders) for name in names)

    def best_file(self, name: str) -> str | None:
        """The file that is meant: the name itself, else with its ending in other capitals, else with an ending added;
        of several the first of `ENDINGS`, then the first in the order of their letters."""
        return _best(self._files, name)

    def alike_file(self, name: str) -> str | None:
        """The same with all letters in other capitals, or accents composed in the other way (NFC, NFD)."""
        return _best(self._folded_files, folded(name))

    def alike_folder(self, name: str) -> str | None:
        """The folder called so, or else the first one that is called so but for capitals and accents."""
        return name if name in self.folders else self._folded_folders.get(folded(name))

    @cached_property
    def _folded_files(self) -> dict[str, tuple[str, ...]]:
        alike: dict[str, tuple[str, ...]] = {}
        for names in self._files.values():
            for name in names:
                stem = folded(_stem(name))
                alike[stem] = (*alike.get(stem, ()), name)
        return alike

    @cached_property
    def _folded_folders(self) -> dict[str, str]:
        return {folded(name): name for name in sorted(self.folders, reverse=True)}


def folded(name: str) -> str:
    """One spelling for all that differ in capitals, or in how accents are composed."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def has_ending(name: str) -> bool:
    """Whether it ends as photo files do."""
    return _stem(name) != name


def _stem(name: str) -> str:
    """The name without its ending, where that is one of a photo's."""
    stem, dot, ending = name.rpartition(".")
    return stem if f"{dot}{ending}".lower() in ENDINGS else name


def _ending(name: str) -> str:
    """The ending of a photo's file, in small letters with its dot; "" for a name without one."""
    return name[len(_stem(name)) :].lower()


def _best(files: dict[str, tuple[str, ...]], name: str) -> str | None:
    same_stem = files.get(_stem(name), ())
    if name in same_stem:
        return name
    ending = _ending(name)
    alike = [found for found in same_stem if _ending(found) == ending]
    if alike:
        return min(alike)
    longer = [found for found in files.get(name, ()) if _ending(found)]
    by_ending = sorted(longer, key=lambda found: (ENDINGS.index(_ending(found)), found))
    return by_ending[0] if by_ending else None


class DiskTree:
    """The photos below a folder.

    A link that leads out of the folder is followed only if the user allows it; a path with `..` never leaves it. Safe
    to share by threads.
    """

    def __init__(self, folder: Path, *, follow_links: bool = False) -> None:
        self.folder = folder.resolve()
        self._follow_links = follow_links
        # Of each instance, so that they go when it goes.
        self._stays_inside = lru_cache(MAX_LISTINGS)(self._resolves_inside)
        self.names = lru_cache(MAX_LISTINGS)(self._names)

    def find(self, path: str) -> Found:
        """The photo at exactly this path; one look at the disk, and one at each new folder."""
        if leaves(path):
            return Found(OUTSIDE)
        if not self._stays_inside(posixpath.dirname(path)):
            return Found(LINKED_OUTSIDE)
        full = f"{self.folder}/{path}"  # strings: pathlib would double the time of ten million of these
        try:
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                if not self.contains(os.path.realpath(full)):
                    return Found(LINKED_OUTSIDE)
                found = os.lstat(os.path.realpath(full))
        except (OSError, ValueError):
            return Found(NOT_FOUND)
        if not stat.S_ISREG(found.st_mode):
            return Found(NOT_FOUND)
        return Found(found.st_size, found.st_mtime_ns, full)

    def contains(self, path: str) -> bool:
        """Whether a path without links may be read."""
        return self._follow_links or Path(path).is_relative_to(self.folder)

    def read(self, place: object) -> bytes:
        """The bytes of the file at a place that `find` gave.

        :raises UnreadablePhoto: it cannot be read.
        """
        try:
            return Path(str(place)).read_bytes()
        except OSError as error:
            raise UnreadablePhoto(f"cannot be read ({error.strerror})") from error

    def _resolves_inside(self, folder: str) -> bool:
        try:
            return self.contains(os.path.realpath(self.folder / folder))
        except (OSError, ValueError):
            return True  # a name that the disk cannot have: not found, rather than outside

    def _names(self, folder: str) -> Names:
        if leaves(folder) or not self._stays_inside(folder):
            return Names((), ())
        try:
            with os.scandir(self.folder / folder) as entries:
                found = [(entry.name, _is_folder(entry)) for entry in entries]
        except (OSError, ValueError):
            return Names((), ())
        files = [name for name, is_dir in found if not is_dir]
        folders = [name for name, is_dir in found if is_dir]
        return Names(files, folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def leaves(path: str) -> bool:
    """Whether a normalised path goes out of the folder in which it begins."""
    return path.startswith(("/", "../")) or path == ".."
