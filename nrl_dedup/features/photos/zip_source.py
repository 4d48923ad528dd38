"""Photos read in place from a zip: Avito's eleven million in `Images_N.zip`, which nobody wants to unpack, or any."""

import os
import posixpath
import re
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.decoding import MAX_BYTES, UnreadablePhoto
from nrl_dedup.features.photos.folder_source import NOT_FOUND, Found, Names

ENTRY_NAME = re.compile(r"(?:Images_(\d)/)?(\d{1,2})/(\d{1,18})\.jpg", re.ASCII)
ENTRY = np.dtype(
    [
        ("image", np.int64),
        ("header", np.int64),  # offset of the entry's local header
        ("packed", np.int64),
        ("size", np.int64),
        ("crc", np.uint32),
        ("method", np.uint16),
        ("flags", np.uint16),
    ]
)
LOCAL_HEADER = struct.Struct(
    "<4s22xHH"
)  # signature, ..., lengths of the name and of the extra field
ENCRYPTED = 0x1
BEYOND = 2**62  # stands for any larger size that a directory may state, up to 2^64


def avito_path(image: int) -> str:
    """Where Avito keeps the photo with this id: `Images_{d}/{n}/{i}.jpg`, n = i mod 100, d = n div 10."""
    n = image % 100
    return f"Images_{n // 10}/{n}/{image}.jpg"


class PackedFiles:
    """The entries of a zip, and their bytes. What its directory states is believed of no entry before it is checked.

    Of an entry, 48 bytes are kept beside its name (a million photos: 48 MB). Reading needs no lock: threads share one
    file descriptor and read at offsets of their own.

    :raises NrlDedupError: not a zip, or its directory is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                self._entries = archive.infolist()
            self._file = os.open(path, os.O_RDONLY)
        except (
            Exception
        ) as error:  # a damaged directory meets zipfile's code with nearly any exception
            raise NrlDedupError(
                f"{path}: this zip of photos cannot be opened ({error or type(error).__name__}). Fetch it again, or "
                "unpack what is left of it."
            ) from error
        weakref.finalize(self, os.close, self._file)
        self._bytes = os.fstat(self._file).st_size

    def entries(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        """The paths of its files, and what the directory says of them; once only."""
        for info in self._entries:
            if info.filename and not info.filename.endswith("/"):  # `is_dir` fails on an empty name
                yield info.filename.replace("\\", "/").removeprefix("./"), info
        self._entries = []

    def found(self, entry: np.void) -> Found:
        """An entry as a photo that is there."""
        return Found(int(entry["size"]), int(entry["crc"]), entry)

    def read(self, entry: np.void) -> bytes:
        """The bytes of an entry.

        :raises UnreadablePhoto: it is damaged, encrypted, too large or packed in an unknown way.
        """
        if entry["size"] > MAX_BYTES:
            raise UnreadablePhoto(f"a file of more than {MAX_BYTES:,} bytes")
        if entry["flags"] & ENCRYPTED:
            raise UnreadablePhoto("encrypted entry in its zip")
        if entry["method"] not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadablePhoto(
                f"its zip packs it by method {entry['method']}, only stored and deflated are read"
            )
        header_at, packed = int(entry["header"]), int(entry["packed"])
        if header_at + packed > self._bytes:
            raise UnreadablePhoto("damaged entry in its zip: it ends beyond the end of the zip")
        data = self._unpacked(header_at, packed, entry)
        if len(data) != entry["size"] or zlib.crc32(data) != entry["crc"]:
            raise UnreadablePhoto("damaged entry in its zip")
        return data

    def _unpacked(self, header_at: int, packed: int, entry: np.void) -> bytes:
        try:
            header = os.pread(self._file, LOCAL_HEADER.size, header_at)
            if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
                raise UnreadablePhoto("damaged entry in its zip")
            _, name, extra = LOCAL_HEADER.unpack(header)
            data = os.pread(self._file, packed, header_at + LOCAL_HEADER.size + name + extra)
        except OSError as error:
            raise UnreadablePhoto(f"cannot be read ({error.strerror})") from error
        if entry["method"] == zipfile.ZIP_STORED:
            return data
        try:
            # One byte more than promised is enough to see that the promise is broken.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, int(entry["size"]) + 1)
        except zlib.error as error:
            raise UnreadablePhoto("damaged entry in its zip") from error


class PhotoZip:
    """The photos in one of Avito's zips, found by image id; entries of other names are passed over.

    :raises NrlDedupError: not a zip, or its directory is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._files = PackedFiles(path)
        found = ((_image(name), info) for name, info in self._files.entries())
        table = np.array(
            [_entry(image, info) for image, info in found if image is not None], dtype=ENTRY
        )
        self._entries = table[np.argsort(table["image"], kind="stable")]
        self._images = np.ascontiguousarray(self._entries["image"])

    def find(self, image: int) -> Found:
        """The photo; of several entries for it the last, as zip tools do."""
        at = int(self._images.searchsorted(image, side="right")) - 1
        there = at >= 0 and self._images[at] == image
        return self._files.found(self._entries[at]) if there else Found(NOT_FOUND)

    def read(self, place: np.void) -> bytes:
        """The photo's bytes. :raises UnreadablePhoto: as `PackedFiles.read`."""
        return self._files.read(place)


class ZipTree:
    """The photos in a zip, found by their paths in it; a single folder at its top, which holds all, may be left out.

    Entries with absolute paths or `..` are passed over; of several with one path the last counts, as zip tools do.

    :raises NrlDedupError: not a zip, or its directory is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.resolve()
        self._files = PackedFiles(path)
        named = {name: info for name, info in self._files.entries() if _is_plain(name)}
        tops = {name.partition("/")[0] for name in named}
        self._top = f"{next(iter(tops))}/" if len(tops) == 1 and not tops & named.keys() else ""
        self._rows = dict(zip(named, range(len(named)), strict=True))
        self._entries = np.array([_entry(0, info) for info in named.values()], dtype=ENTRY)
        self._names = _by_folder(named)

    def find(self, path: str) -> Found:
        """The photo at exactly this path."""
        row = self._rows.get(path, self._rows.get(self._top + path))
        return Found(NOT_FOUND) if row is None else self._files.found(self._entries[row])

    def names(self, folder: str) -> Names:
        """What lies in a folder of the zip."""
        places = dict.fromkeys([folder, (self._top + folder).rstrip("/")])
        found = [self._names[place] for place in places if place in self._names]
        return Names(
            (name for files, _ in found for name in files),
            (name for _, names in found for name in names),
        )

    def read(self, place: object) -> bytes:
        """The photo's bytes. :raises UnreadablePhoto: as `PackedFiles.read`."""
        assert isinstance(place, np.void)
        return self._files.read(place)


def _image(name: str) -> int | None:
    match = ENTRY_NAME.fullmatch(name)
    if match is None or not avito_path(int(match[3])).endswith(name):
        return None
    return int(match[3])


def _entry(image: int, info: zipfile.ZipInfo) -> tuple[int, ...]:
    sizes = (min(size, BEYOND) for size in (info.header_offset, info.compress_size, info.file_size))
    return (image, *sizes, info.CRC, info.compress_type, info.flag_bits)


def _is_plain(name: str) -> bool:
    return bool(name) and posixpath.normpath(name) == name and not name.startswith(("/", "../"))


def _by_folder(paths: dict[str, zipfile.ZipInfo]) -> dict[str, tuple[list[str], list[str]]]:
    """The files and the folders in each folder of the zip."""
    files: dict[str, list[str]] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        files.setdefault(folder, []).append(name)
    folders: dict[str, dict[str, None]] = {}
    for folder in files:
        while folder:
            folder, name = posixpath.split(folder)
            folders.setdefault(folder, {})[name] = None
    return {
        folder: (files.get(folder, []), list(folders.get(folder, ())))
        for folder in files.keys() | folders.keys()
    }
