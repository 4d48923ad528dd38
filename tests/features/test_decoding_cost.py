"""A photo that would cost too much is refused by its headers, before anything is decoded; what is dear but not too
dear is read."""

import re
import struct
import threading
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nrl_dedup.features.photos import decoding_cost
from nrl_dedup.features.photos.decoding import decode
from nrl_dedup.features.photos.decoding_cost import MemoryInUse, check_structure
from nrl_dedup.features.photos.unreadable import UnreadablePhoto


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, colour_type: int, *chunks: bytes) -> bytes:
    """A PNG of zeros, written by hand."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    row = bytes(1 + width * samples * bits // 8)
    packer = zlib.compressobj(1)
    pixels = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(chunks)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def progressive(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan stands in it as often as is needed for so many."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", progressive=True)
    starts = [match.start() for match in re.finditer(b"\xff\xda", data)]
    return data[:-2] + data[starts[-1] : -2] * (scans - len(starts)) + data[-2:]


def tiff(*tags: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """A TIFF of one directory: tag, kind, count, value."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + data


GREY_TIFF = [(256, 4, 1, 2), (257, 4, 1, 2), (258, 3, 1, 8), (262, 3, 1, 1)]
BITMAP = (
    b"BM"
    + struct.pack("<IHHI", 0, 0, 0, 54 + 1024)
    + struct.pack("<IiiHHIIiiII", 40, 9000, 9, 1, 8, 1, *[0] * 5)
)

REFUSED = {
    "16 bits of grey": (png(9459, 9459, 16, 0), "more than 134,217,728 bytes of pixels"),
    "16 bits of colour": (png(4800, 4800, 16, 2), "more than 134,217,728 bytes of pixels"),
    "a long photo": (png(900, 70_000, 8, 2), "more than 134,217,728 bytes of pixels"),
    "a side": (png(2**18 + 1, 1, 8, 0), "a side of more than 262,144 pixels"),
    "1,000 scans": (progressive(16, 1000), "a JPEG of more than 100 scans"),
    "JPEG markers": (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 70_000, "more than 65,536 parts"),
    "JPEG fill bytes": (b"\xff\xd8" + b"\xff" * 70_000, "more than 65,536 parts"),
    "PNG chunks": (png(1, 1, 8, 0, chunk(b"teSt", b"") * 70_000), "more than 65,536 parts"),
    "GIF comments": (
        b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b"!\xfe" + b"\1a" * 70_000,
        "65,536 parts",
    ),
    "GIF without a picture": (
        b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b"\1" * 70_000,
        "65,536 parts",
    ),
    "TIFF strips": (
        tiff(*GREY_TIFF, (273, 4, 70_000, 200), data=bytes(280_200)),
        "more than 65,536 parts",
    ),
    "TIFF tiles": (
        tiff(*GREY_TIFF, (322, 4, 1, 10**6), (323, 4, 1, 10**5)),
        "tiles of more than 89,478,485 pixels",
    ),
    "BMP run lengths": (BITMAP + bytes(1024) + b"\1\2" * 2**22, "packed by run lengths"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_costs_too_much_is_refused(kind: str) -> None:
    data, reason = REFUSED[kind]
    with pytest.raises(UnreadablePhoto, match=reason):
        decode(data)


def test_pixels_times_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 x 64 pixels in 20 scans are 81,920."""
    data = progressive(64, 20)
    monkeypatch.setattr(decoding_cost, "MAX_SCANNED", 81_920)
    assert decode(data).size == (64, 64)
    monkeypatch.setattr(decoding_cost, "MAX_SCANNED", 81_919)
    with pytest.raises(
        UnreadablePhoto, match="a JPEG of 20 scans, more than 81,919 pixels in all of them"
    ):
        decode(data)


def test_scans_of_a_thumbnail_are_not_counted() -> None:
    plain = saved(Image.new("RGB", (16, 16), (200, 40, 10)), "JPEG")
    thumbnail = b"\xff\xda" * 300
    data = plain[:2] + b"\xff\xe5" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail + plain[2:]
    assert decode(data).tobytes() == decode(plain).tobytes()


@pytest.mark.parametrize("scans", [1, 3, 10, 100])
def test_usual_numbers_of_scans_are_read(scans: int) -> None:
    data = progressive(16, scans) if scans >= 10 else saved(Image.new("RGB", (16, 16)), "JPEG")
    assert decode(data).size == (16, 16)


def test_pixels_of_several_strips_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    grey = noise[..., 0].astype(np.uint16) * 257
    for data in (saved(Image.fromarray(noise), "PNG"), saved(Image.fromarray(grey), "PNG")):
        whole = decode(data)
        with monkeypatch.context() as patch:
            patch.setattr(
                "nrl_dedup.features.photos.decoding.CHUNK_PIXELS", 210
            )  # seven rows at a time
            assert decode(data).tobytes() == whole.tobytes()


def test_threads_wait_until_there_is_room() -> None:
    """Of a limit of 10, 6 and 6 do not go together, 6 and 4 do, and 50 waits to be alone."""
    room, order = MemoryInUse(10), []

    def take(size: int) -> None:
        with room.taken(size):
            order.append(size)

    with room.taken(6), room.taken(4):
        pass
    with room.taken(6):
        waiting = [threading.Thread(target=take, args=(size,)) for size in (6, 50)]
        for thread in waiting:
            thread.start()
        take(4)
        assert order == [4]
    for thread in waiting:
        thread.join(10)
    assert sorted(order) == [4, 6, 50]


@pytest.mark.parametrize(
    "start", [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]
)
def test_any_bytes_may_follow_a_start(start: bytes) -> None:
    draw = np.random.default_rng(0)
    for size in (*range(40), 1000, 5000):
        for high in (2, 256):
            check_structure(start + draw.integers(0, high, size, dtype=np.uint8).tobytes())
