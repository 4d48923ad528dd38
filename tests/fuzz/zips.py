"""Mutated zips of photos, Avito's and plain ones, against `PhotoFolder`: `python -m tests.fuzz.zips`."""

import os
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from tests.fuzz.byte_mutations import mutate
from tests.fuzz.judging import Fuzzer, WrongResultError, command_line

_PHOTOS = {
    f"{number % 100}/{number}.jpg": b"photo %d " % number * 40
    for number in (100, 101, 203, 304, 1007, 9)
}
_SIZES = (0, 1, 2**16, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
_AVITO, _PLAIN = "Images_0.zip", "photos.zip"


def make_zip(random: Random, folder: Path) -> str:
    """Write `Images_0.zip` or `photos.zip` into the folder."""
    name = random.choice((_AVITO, _AVITO, _PLAIN))
    file = BytesIO()
    method = random.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
    )
    strange = random.random() < 0.2
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, content in _PHOTOS.items():
            info = zipfile.ZipInfo(
                random.choice(("", "", "Images_0/", "../", "/", "ж/", "a\\")) + path
            )
            info.compress_type = method
            info.extra = (
                random.choice((b"", _zip64(random), random.randbytes(9))) if strange else b""
            )
            archive.writestr(info, content)
    data, what = file.getvalue(), f"{name}, method {method}"
    for change in random.sample(
        (_large_entry, _large_entry, _entry_sizes, _end_sizes, _any, _any),
        random.choice((0, 1, 1, 2)),
    ):
        data, done = change(random, data)
        what += f", {done}"
    (folder / name).write_bytes(data)
    return what


def judge_zip(folder: Path) -> str:
    """Ask for every photo as the stores do: its size, then its bytes."""
    path = folder / _AVITO
    photos = PhotoFolder(folder if path.exists() else folder / _PLAIN)
    refs = [
        *(name.split("/")[1].removesuffix(".jpg") for name in _PHOTOS),
        *_PHOTOS,
        "203.jpg",
        "missing",
    ]
    sizes = photos.sizes(refs)
    read = 0
    for ref, size in zip(refs, sizes.tolist(), strict=True):
        try:
            data = photos.read(ref)
        except UnreadablePhoto:
            continue
        read += 1
        wanted = next(
            (
                content
                for name, content in _PHOTOS.items()
                if ref in (name, Path(name).name, Path(name).stem)
            ),
            b"",
        )
        if data != wanted or len(data) != size:
            raise WrongResultError(
                f"{ref}: {len(data)} bytes, of size {size}, that are not the photo's {len(wanted)}"
            )
    return f"{read} of {len(refs)} photos"


def _zip64(random: Random) -> bytes:
    numbers = [random.choice(_SIZES) for _ in range(random.choice((1, 2, 3)))]
    return struct.pack("<HH", 1, 8 * len(numbers)) + b"".join(
        struct.pack("<Q", number) for number in numbers
    )


def _large_entry(random: Random, data: bytes) -> tuple[bytes, str]:
    """An entry that says by zip64 how large it is, in a directory that is otherwise in order."""
    places = [at for at in range(len(data) - 46) if data[at : at + 4] == b"PK\1\2"]
    end = data.rfind(b"PK\5\6")
    if not places or end < places[-1] or end + 22 > len(data):
        return data, "no entries"
    at = random.choice(places)
    sizes = random.choice(_SIZES), random.choice(_SIZES)  # unpacked, packed
    extra = struct.pack("<HHQQ", 1, 16, *sizes)
    name, old = struct.unpack_from("<HH", data, at + 28)
    entry = bytearray(data[at : at + 46 + name])
    struct.pack_into("<II", entry, 20, 2**32 - 1, 2**32 - 1)
    struct.pack_into("<H", entry, 30, (old + len(extra)) % 2**16)
    tail = bytearray(data[end:])
    struct.pack_into("<I", tail, 12, (struct.unpack_from("<I", tail, 12)[0] + len(extra)) % 2**32)
    return data[:at] + bytes(entry) + extra + data[at + 46 + name : end] + bytes(
        tail
    ), f"zip64 sizes {sizes}"


def _entry_sizes(random: Random, data: bytes) -> tuple[bytes, str]:
    """Another size, offset, checksum, method or flag in one entry of the directory; 0xFFFFFFFF asks for zip64."""
    places = [at for at in range(len(data) - 46) if data[at : at + 4] == b"PK\1\2"]
    if not places:
        return data, "no entries"
    at = random.choice(places) + random.choice((8, 10, 16, 20, 24, 28, 30, 34, 42))
    value = random.choice(_SIZES) % 2**32
    return data[:at] + struct.pack("<I", value) + data[at + 4 :], f"{value} at {at}"


def _end_sizes(random: Random, data: bytes) -> tuple[bytes, str]:
    """Another number in the end record, or a zip64 one before it."""
    at = data.rfind(b"PK\5\6")
    if at < 0:
        return data, "no end"
    if random.random() < 0.5:
        numbers = [random.choice(_SIZES) for _ in range(4)]
        record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, random.choice((at, *_SIZES)), 1)
        return data[:at] + record + locator + data[at:], f"zip64 {numbers}"
    place = at + random.choice((4, 8, 10, 12, 16, 20))
    return data[:place] + struct.pack("<H", random.choice((0, 1, 65535))) + data[
        place + 2 :
    ], f"end {place - at}"


def _any(random: Random, data: bytes) -> tuple[bytes, str]:
    return mutate(random, data, random.choice((1, 2)))


ZIPS = Fuzzer("zips", make_zip, judge_zip, (NrlDedupError, UnreadablePhoto))

if __name__ == "__main__":
    command_line(ZIPS, 600)
