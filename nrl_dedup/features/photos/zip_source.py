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
from nrl_dedup.features.photos.decoding import MAX_BYTES
from nrl_dedup.features.photos.folder_source import NOT_FOUND, Found, Names
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

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
# Signature, ..., lengths of the name and of the extra field.
LOCAL_HEADER = struct.Struct("<4s22xHH")
ENCRYPTED = 0x1
BEYOND = 2**62  # in place of any larger size that a directory may state, up to 2^64


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
        except Exception as error:
            # A damaged directory meets zipfile's code with nearly any exception.
            raise NrlDedupError(
                f"{path}: this zip of photos cannot be opened ({error or type(error).__name__}). Fetch it again, or "
                "unpack what is left of it."
            ) from error
        weakref.finalize(self, os.close, self._file)
        self._bytes = os.fstat(self._file).st_size

    def entries(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        """The paths of its files, and what the directory states of them; once only."""
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
        header_at = int(entry["header"])
        packed = int(entry["packed"])
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
            data_at = header_at + LOCAL_HEADER.size + name + extra
            data = os.pread(self._file, packed, data_at)
        except OSError as error:
            raise UnreadablePhoto(f"cannot be read ({error.strerror})") from error
        if entry["method"] == zipfile.ZIP_STORED:
            return data
        try:
            unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
            # One byte more than promised is enough to see that the promise is broken.
            limit = int(entry["size"]) + 1
            return unpacking.decompress(data, limit)
        except zlib.error as error:
            raise UnreadablePhoto("damaged entry in its zip") from error


class PhotoZip:
    """The photos in one of Avito's zips, found by image id; entries of other names are passed over.

    :raises NrlDedupError: not a zip, or its directory is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._files = PackedFiles(path)
        entries = []
        for name, info in self._files.entries():
            image = _image(name)
            if image is not None:
                entries.append(_entry(image, info))
        table = np.array(entries, dtype=ENTRY)
        order = np.argsort(table["image"], kind="stable")
        self._entries = table[order]
        self._images = np.ascontiguousarray(self._entries["image"])

    def find(self, image: int) -> Found:
        """The photo; of several entries for it the last, as zip tools do."""
        after = int(self._images.searchsorted(image, side="right"))
        at = after - 1
        if at < 0 or self._images[at] != image:
            return Found(NOT_FOUND)
        return self._files.found(self._entries[at])

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
        self._top = ""
        if len(tops) == 1 and not tops & named.keys():
            self._top = f"{tops.pop()}/"
        self._rows = {name: row for row, name in enumerate(named)}
        self._entries = np.array([_entry(0, info) for info in named.values()], dtype=ENTRY)
        self._names = _by_folder(named)

    def find(self, path: str) -> Found:
        """The photo at exactly this path."""
        below_top = self._rows.get(self._top + path)
        row = self._rows.get(path, below_top)
        if row is None:
            return Found(NOT_FOUND)
        return self._files.found(self._entries[row])

    def names(self, folder: str) -> Names:
        """What lies in a folder of the zip."""
        below_top = (self._top + folder).rstrip("/")
        all_files: list[str] = []
        all_folders: list[str] = []
        for place in dict.fromkeys([folder, below_top]):
            files, folders = self._names.get(place, ([], []))
            all_files.extend(files)
            all_folders.extend(folders)
        return Names(all_files, all_folders)

    def read(self, place: object) -> bytes:
        """The photo's bytes. :raises UnreadablePhoto: as `PackedFiles.read`."""
        assert isinstance(place, np.void)
        return self._files.read(place)


def _image(name: str) -> int | None:
    match = ENTRY_NAME.fullmatch(name)
    if match is None:
        return None
    image = int(match[3])
    if not avito_path(image).endswith(name):
        return None
    return image


def _entry(image: int, info: zipfile.ZipInfo) -> tuple[int, ...]:
    header = min(info.header_offset, BEYOND)
    packed = min(info.compress_size, BEYOND)
    size = min(info.file_size, BEYOND)
    return (image, header, packed, size, info.CRC, info.compress_type, info.flag_bits)


def _is_plain(name: str) -> bool:
    if not name or name.startswith(("/", "../")):
        return False
    return posixpath.normpath(name) == name


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
    contents = {}
    for folder in files.keys() | folders.keys():
        inside = list(folders.get(folder, ()))
        contents[folder] = (files.get(folder, []), inside)
    return contents
