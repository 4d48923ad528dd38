"""Avito's photos read in place from `Images_N.zip`: eleven million files that nobody wants to unpack."""

import os
import re
import struct
import weakref
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.decoding import UnreadablePhoto

ENTRY_NAME = re.compile(r"(?:Images_(\d)/)?(\d{1,2})/(\d{1,18})\.jpg")
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
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., lengths of the name and of the extra field
ENCRYPTED = 0x1


def avito_path(image: int) -> str:
    """Where Avito keeps the photo with this id: `Images_{d}/{n}/{i}.jpg`, n = i mod 100, d = n div 10."""
    n = image % 100
    return f"Images_{n // 10}/{n}/{image}.jpg"


class PhotoZip:
    """The photos in one of Avito's zips, found by image id; entries of other names are passed over.

    Of an entry, 48 bytes are kept (a million photos: 48 MB). Reading needs no lock: threads share one file
    descriptor and read at offsets of their own.

    :raises NrlDedupError: not a zip, or its directory is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for info in archive.infolist() if (entry := _entry(info)) is not None]
            self._file = os.open(path, os.O_RDONLY)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise NrlDedupError(
                f"{path}: this zip of photos cannot be opened ({error}). Fetch it again, or unpack what is left of it."
            ) from error
        weakref.finalize(self, os.close, self._file)
        table = np.array(entries, dtype=ENTRY)
        self._entries = table[np.argsort(table["image"], kind="stable")]
        self._images = np.ascontiguousarray(self._entries["image"])

    def size(self, image: int) -> int:
        """Bytes of the photo, unpacked; -1 where there is none."""
        entry = self._find(image)
        return -1 if entry is None else int(entry["size"])

    def read(self, image: int) -> bytes:
        """The photo's bytes.

        :raises UnreadablePhoto: no such photo, or its entry is damaged, encrypted or packed in an unknown way.
        """
        entry = self._find(image)
        if entry is None:
            raise UnreadablePhoto("not found")
        header = os.pread(self._file, LOCAL_HEADER.size, int(entry["header"]))
        if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise UnreadablePhoto("damaged entry in its zip")
        _, name, extra = LOCAL_HEADER.unpack(header)
        start = int(entry["header"]) + LOCAL_HEADER.size + name + extra
        data = _unpacked(os.pread(self._file, int(entry["packed"]), start), entry)
        if len(data) != entry["size"] or zlib.crc32(data) != entry["crc"]:
            raise UnreadablePhoto("damaged entry in its zip")
        return data

    def _find(self, image: int) -> np.void | None:
        """The last of several entries for one photo, as zip tools do."""
        at = int(self._images.searchsorted(image, side="right")) - 1
        return self._entries[at] if at >= 0 and self._images[at] == image else None


def _entry(info: zipfile.ZipInfo) -> tuple[int, ...] | None:
    match = ENTRY_NAME.fullmatch(info.filename)
    if match is None:
        return None
    image = int(match[3])
    if not avito_path(image).endswith(info.filename):
        return None
    sizes = (info.header_offset, info.compress_size, info.file_size)
    return (image, *sizes, info.CRC, info.compress_type, info.flag_bits)


def _unpacked(packed: bytes, entry: np.void) -> bytes:
    if entry["flags"] & ENCRYPTED:
        raise UnreadablePhoto("encrypted entry in its zip")
    if entry["method"] == zipfile.ZIP_STORED:
        return packed
    if entry["method"] != zipfile.ZIP_DEFLATED:
        raise UnreadablePhoto(f"its zip packs it by method {entry['method']}, only stored and deflated are read")
    try:
        # One byte more than promised is enough to see that the promise is broken.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, int(entry["size"]) + 1)
    except zlib.error as error:
        raise UnreadablePhoto("damaged entry in its zip") from error
