"""Small photos of every kind that is read, and damage to them: to any bytes, and to what their formats rest on."""

import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, features

from tests.fuzz.byte_mutations import mutate, write_integer

PHOTO = "photo"
_SIDES = (0, 1, 2, 255, 4000, 9459, 16383, 30000, 65500, 65535, 2**20, 2**31 - 1, 2**31, 2**32 - 1)
_LARGE = (
    (3000, 3000),
    (6000, 6000),
    (9459, 9459),
    (1, 60000),
    (60000, 1),
    (900, 70000),
    (20000, 4000),
)
_RARE = 0.004  # of mutants that cost seconds to decode even where they are in order


def make_image(random: Random, folder: Path) -> str:
    """Write `photo` into the folder."""
    if random.random() < _RARE:
        data, what = random.choice((_large_png, _many_scans))(random)
    else:
        name = random.choice(sorted(_bases()))
        data, what = _bases()[name], name
        for _ in range(random.choice((0, 1, 1, 2))):
            change = random.choice(_changes(name))
            data, done = change(random, data)
            what += f", {done}"
    (folder / PHOTO).write_bytes(data)
    return what


def _changes(name: str) -> list[Any]:
    known = {
        "jpeg": (_jpeg_size, _jpeg_scans, _jpeg_segments),
        "png": (_png_header, _png_chunk, _png_length),
    }
    own = known.get(name.split()[0], ())
    return [_any, _any, _any, _header, _concatenated, *own, *own]


@cache
def _bases() -> dict[str, bytes]:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 60, 3), np.uint8)
    smooth = Image.fromarray(np.linspace(0, 255, 40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8))
    noise, grey = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    deep = Image.fromarray(draw.integers(0, 65536, (40, 60)).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 300
    frames = [Image.fromarray(draw.integers(0, 256, (30, 30, 3), np.uint8)) for _ in range(4)]
    alpha = noise.copy()
    alpha.putalpha(grey)
    palette = noise.convert("P")
    made = {
        "jpeg": (smooth, "JPEG", {}),
        "jpeg progressive": (noise, "JPEG", {"progressive": True}),
        "jpeg cmyk": (noise.convert("CMYK"), "JPEG", {}),
        "jpeg grey": (grey, "JPEG", {"quality": 5}),
        "jpeg exif": (smooth, "JPEG", {"exif": exif.tobytes(), "icc_profile": bytes(3000)}),
        "jpeg large": (smooth.resize((1500, 1100)), "JPEG", {"quality": 40}),
        "png": (noise, "PNG", {}),
        "png 16": (deep, "PNG", {}),
        "png palette": (palette, "PNG", {"transparency": 3}),
        "png alpha": (alpha, "PNG", {"exif": exif.tobytes()}),
        "png 1": (grey.convert("1"), "PNG", {}),
        "png animated": (frames[0], "PNG", {"save_all": True, "append_images": frames[1:]}),
        "gif": (palette, "GIF", {}),
        "gif animated": (
            frames[0],
            "GIF",
            {"save_all": True, "append_images": frames[1:], "duration": 50},
        ),
        "webp": (noise, "WEBP", {}),
        "webp lossless": (alpha, "WEBP", {"lossless": True, "exif": exif.tobytes()}),
        "webp animated": (frames[0], "WEBP", {"save_all": True, "append_images": frames[1:]}),
        "bmp": (noise, "BMP", {}),
        "bmp palette": (palette, "BMP", {}),
        "tiff": (noise, "TIFF", {}),
        "tiff 16": (deep, "TIFF", {}),
        "tiff float": (grey.convert("F"), "TIFF", {}),
        "tiff deflate": (smooth, "TIFF", {"compression": "tiff_adobe_deflate", "exif": exif}),
        "tiff lzw": (grey, "TIFF", {"compression": "tiff_lzw"}),
        "tiff jpeg": (noise, "TIFF", {"compression": "jpeg"}),
        "mpo": (frames[0], "MPO", {"save_all": True, "append_images": frames[1:]}),
    }
    if features.check("avif"):
        made["avif"] = (smooth, "AVIF", {"speed": 10, "max_threads": 1})
    found = {name: _saved(image, kind, options) for name, (image, kind, options) in made.items()}
    return found | {"png interlaced": _interlaced_png(random_rows=pixels)}


def _saved(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _interlaced_png(random_rows: np.ndarray) -> bytes:
    """8 x 8 by Adam7: Pillow reads it and does not write it."""
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    parts = [random_rows[top:8:down, left:8:right] for top, left, down, right in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1)
    return _png([(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def _any(random: Random, data: bytes) -> tuple[bytes, str]:
    return mutate(random, data, random.choice((1, 1, 2, 4)))


def _header(random: Random, data: bytes) -> tuple[bytes, str]:
    start = bytearray(data[:64])
    if len(start) > 8:
        write_integer(random, start)
    return bytes(start) + data[64:], "an extreme number in the first 64 bytes"


def _concatenated(random: Random, data: bytes) -> tuple[bytes, str]:
    name = random.choice(sorted(_bases()))
    cut = random.choice((len(data), random.randrange(len(data) + 1)))
    return data[:cut] + _bases()[name], f"cut at {cut}, then {name}"


def _jpeg_size(random: Random, data: bytes) -> tuple[bytes, str]:
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    if at < 0:
        return data, "no size"
    height, width = (min(random.choice(_SIDES), 65535) for _ in range(2))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[
        at + 9 :
    ], f"{width} x {height}"


def _jpeg_scans(random: Random, data: bytes) -> tuple[bytes, str]:
    at, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    if at < 0 or end < at:
        return data, "no scan"
    times = random.choice((1, 2, 50, 1000))
    return data[:end] + data[at:end] * times + data[end:], f"{times} more scans"


def _jpeg_segments(random: Random, data: bytes) -> tuple[bytes, str]:
    """Segments before the picture: EXIF, a colour profile in parts, comments, whose lengths may be wrong."""
    parts = []
    for number in range(random.choice((1, 3, 300))):
        body = random.choice(
            (b"Exif\0\0" + random.randbytes(200), b"ICC_PROFILE\0" + bytes([number % 256, 255]))
        )
        body = (body * random.choice((1, 1, 300)))[: random.choice((50, 1000, 65533))]
        length = len(body) + 2 if random.random() < 0.8 else random.choice((0, 1, 2, 65535))
        parts.append(
            b"\xff"
            + random.choice((b"\xe1", b"\xe2", b"\xfe", b"\xed"))
            + struct.pack(">H", length)
            + body
        )
    return data[:2] + b"".join(parts) + data[2:], f"{len(parts)} segments"


def _png_header(random: Random, data: bytes) -> tuple[bytes, str]:
    """Extreme sizes, depths and kinds, with the right checksum."""
    chunks = _png_chunks(data)
    if not chunks or len(chunks[0][1]) != 13:
        return data, "no header"
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    if random.random() < 0.7:
        width, height = random.choice((*_SIDES, width)), random.choice((*_SIDES, height))
    else:
        depth, colour = (
            random.choice((0, 1, 2, 4, 8, 16, 32, 255)),
            random.choice((0, 2, 3, 4, 6, 7)),
        )
    chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, *rest))
    return _png(chunks), f"{width} x {height}, {depth} bits, colour {colour}"


def _png_chunk(random: Random, data: bytes) -> tuple[bytes, str]:
    """A chunk removed, repeated, cut, or a new one, such as text that unpacks to 70 MB; checksums right."""
    chunks = _png_chunks(data)
    if not chunks:
        return data, "no chunks"
    at = random.randrange(len(chunks))
    way = random.choice(("removed", "repeated", "cut", "text", "profile", "animation"))
    bomb = _bomb()
    if way == "removed":
        del chunks[at]
    elif way == "repeated":
        chunks[at:at] = [chunks[at]] * random.choice((1, 500))
    elif way == "cut":
        chunks[at] = (chunks[at][0], chunks[at][1][: random.randrange(len(chunks[at][1]) + 1)])
    elif way == "text":
        new = random.choice(
            (
                (b"zTXt", b"a\0\0" + bomb),
                (b"iTXt", b"a\0\1\0\0\0" + bomb),
                (b"tEXt", b"a" * 100_000),
            )
        )
        chunks[1:1] = [new] * random.choice((1, 40))
    elif way == "profile":
        chunks.insert(1, (b"iCCP", b"a\0\0" + bomb))
    else:
        chunks.insert(1, (b"acTL", struct.pack(">II", random.choice((0, 1, 2**31)), 0)))
    return _png(chunks), f"chunk {at} {way}"


def _png_length(random: Random, data: bytes) -> tuple[bytes, str]:
    places = [
        at
        for at in range(8, len(data) - 8)
        if data[at + 4 : at + 8] in (b"IDAT", b"IHDR", b"PLTE", b"tRNS", b"IEND")
    ]
    if not places:
        return data, "no chunks"
    at, length = random.choice(places), random.choice((0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1))
    return data[:at] + struct.pack(">I", length) + data[at + 4 :], f"length {length} at {at}"


@cache
def _bomb() -> bytes:
    return zlib.compress(bytes(70_000_000), 1)


@cache
def _zeros(size: int) -> bytes:
    packer = zlib.compressobj(1)
    whole, rest = divmod(size, 1 << 20)
    return b"".join(
        [packer.compress(bytes(1 << 20)) for _ in range(whole)]
        + [packer.compress(bytes(rest)), packer.flush()]
    )


def _large_png(random: Random) -> tuple[bytes, str]:
    """All black; of as many pixels as may be read, or more."""
    width, height = random.choice(_LARGE)
    depth, colour, channels = random.choice(
        ((8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3), (8, 6, 4), (16, 6, 4), (1, 0, 1))
    )
    size = height * (1 + (width * depth * channels + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = _png([(b"IHDR", header), (b"IDAT", _zeros(size)), (b"IEND", b"")])
    return data, f"png {width} x {height}, {depth} bits, colour {colour}"


@cache
def _large_progressive() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    return _saved(
        Image.fromarray(pixels).resize((3200, 2400)), "JPEG", {"progressive": True, "quality": 30}
    )


def _many_scans(random: Random) -> tuple[bytes, str]:
    return _jpeg_scans(random, _large_progressive())
