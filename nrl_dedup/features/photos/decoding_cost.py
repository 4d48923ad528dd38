"""What decoding a photo would cost, from its headers: no clock decides what is read, so every machine agrees.

The limits hold each photo to a few seconds of one core and to less than 1 GB of memory. Measured on one core of 2020:
a byte of unpacked pixels costs at most 15 ns (PNG), a pixel in one scan of a progressive JPEG 1 to 2 ns.
"""

import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile

from PIL import Image

from nrl_dedup.features.photos.unreadable import UnreadablePhoto

MAX_PIXELS = 89_478_485  # Pillow's own warning level: 256 MiB of RGB
MAX_SIDE = 2**18  # a JPEG's longest is 65,535; the weights of a resize grow with the side
# Of pixels as the file's decoder writes them: 2 s of PNG. 44 million pixels of RGB, 67 million of 16-bit grey.
MAX_PIXEL_BYTES = 128 * 2**20
MAX_SCANS = 100  # encoders write 10 or so, mozjpeg up to 23
MAX_SCANNED = 1_500_000_000  # pixels times scans: the largest photo with 16 scans, 3 s
ARITHMETIC_COST = 5  # arithmetic coding is times as slow as Huffman's code
# Of a file's parts ahead of its pixels, each of which costs Pillow some microseconds: 8 KiB a part in the largest PNG.
MAX_PARTS = 2**16
MAX_RLE_PIXELS = 2**22  # Pillow unpacks run lengths of a BMP in Python
MAX_MEMORY_IN_USE = 512 * 2**20  # bytes, by all threads together; a single photo may need more

_SCAN = b"\xff\xda"
# Not a stuffed byte, nor one that restarts the decoder.
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_ARITHMETIC_FRAMES = range(0xC9, 0xD0)
_TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_TIFF_PIECES = (273, 324)  # offsets of strips, of tiles
_TIFF_TILE = (322, 323)  # a tile's width and length


def check_structure(data: bytes) -> None:
    """What Pillow would work through before it finds out how large the photo is.

    :raises UnreadablePhoto: it would take too long.
    """
    if data.startswith(b"\xff\xd8"):
        _check_parts(_jpeg_segments(data))
    elif data.startswith(b"\x89PNG"):
        _check_parts(_png_chunks(data))
    elif data.startswith(b"GIF8"):
        _check_parts(_gif_blocks(data))
    elif data[:4] in _TIFF_STARTS:
        _check_tiff(data)


def check_cost(image: Image.Image, data: bytes) -> int:
    """The bytes of memory that decoding an opened photo takes, roughly and at most.

    :raises UnreadablePhoto: too many pixels, or too costly ones.
    """
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise UnreadablePhoto(f"more than {MAX_PIXELS:,} pixels")
    if max(image.size) > MAX_SIDE:
        raise UnreadablePhoto(f"a side of more than {MAX_SIDE:,} pixels")
    if image.format in ("JPEG", "MPO"):
        return _check_jpeg(image, data, pixels)
    tiles = getattr(image, "tile", ())
    if tiles and tiles[0][0] == "bmp_rle" and max(pixels, len(data)) > MAX_RLE_PIXELS:
        raise UnreadablePhoto(
            f"packed by run lengths, and more than {MAX_RLE_PIXELS:,} pixels or bytes"
        )
    unpacked = pixels * _bytes_per_pixel(image)
    if unpacked > MAX_PIXEL_BYTES:
        raise UnreadablePhoto(f"more than {MAX_PIXEL_BYTES:,} bytes of pixels")
    # Measured: WebP and AVIF are decoded into canvases of their own, which are copied; all become 4 bytes of RGB.
    return pixels * (16 if image.format in ("WEBP", "AVIF") else 8)


class MemoryInUse:
    """Lets threads decode at once only as much as fits a limit; a photo that is larger than that waits to be alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Holds so many bytes of the limit while the block runs; waits until they are free."""
        size = min(size, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._used + size <= self._limit)
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def _check_parts(parts: Iterator[int]) -> None:
    for count, _ in enumerate(parts, start=1):
        if count > MAX_PARTS:
            raise UnreadablePhoto(f"more than {MAX_PARTS:,} parts in its file")


def _bytes_per_pixel(image: Image.Image) -> int:
    """As the decoder writes them. Of a mode's samples each has 8 bits, or as many as the mode or the file states."""
    raw = next((arg for tile in getattr(image, "tile", ()) for arg in _names(tile[3])), image.mode)
    sample_bytes = 1
    if image.mode in ("I", "F"):
        sample_bytes = 4
    elif "16" in image.mode or "16" in raw:
        sample_bytes = 2
    return len(image.getbands()) * sample_bytes


def _names(arguments: object) -> Iterator[str]:
    several = arguments if isinstance(arguments, tuple) else (arguments,)
    return (argument for argument in several if isinstance(argument, str))


def _check_jpeg(image: Image.Image, data: bytes, pixels: int) -> int:
    # Those of a thumbnail too; so it is counted rightly only where it matters.
    scans = data.count(_SCAN)
    ahead = takewhile(lambda marker: marker != 0xDA, _jpeg_segments(data))
    factor = ARITHMETIC_COST if any(marker in _ARITHMETIC_FRAMES for marker in ahead) else 1
    if scans > MAX_SCANS or scans * pixels * factor > MAX_SCANNED:
        scans = sum(1 for marker in _jpeg_segments(data) if marker == 0xDA)
    if scans > MAX_SCANS:
        raise UnreadablePhoto(f"a JPEG of more than {MAX_SCANS} scans")
    if scans * pixels * factor > MAX_SCANNED:
        raise UnreadablePhoto(
            f"a JPEG of {scans} scans, more than {MAX_SCANNED:,} pixels in all of them"
        )
    memory = 8 * pixels
    if scans > 1:  # the coefficients are kept until the last scan
        memory += 2 * len(image.getbands()) * pixels
    return memory


def _jpeg_segments(data: bytes) -> Iterator[int]:
    """The markers of a JPEG up to its end; fill bytes count as markers."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xD9:
        marker = data[at + 1]
        yield marker
        if marker == 0xFF:
            at += 1
            continue
        has_length = marker != 1 and not 0xD0 <= marker <= 0xD8
        if has_length:
            at += int.from_bytes(data[at + 2 : at + 4])
        at += 2
        if marker == 0xDA:
            found = _NEXT_MARKER.search(data, at)
            at = len(data) if found is None else found.start()


def _png_chunks(data: bytes) -> Iterator[int]:
    at = 8
    while at + 8 <= len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4])


def _gif_blocks(data: bytes) -> Iterator[int]:
    """The blocks of a GIF ahead of its first picture."""
    at = 13 + _colours(data[10:11])
    while at + 2 <= len(data) and data[at] != 0x2C:
        yield at
        if data[at] != 0x21:  # Pillow looks for the next block byte by byte
            at += 1
            continue
        at += 2
        while at < len(data) and data[at]:
            yield at
            at += 1 + data[at]
        at += 1


def _colours(flags: bytes) -> int:
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _check_tiff(data: bytes) -> None:
    """Pillow makes an object of each strip or tile; LibTIFF makes room for a whole tile, however small the photo."""
    tile = 1
    for tag, count, value in _tiff_tags(data):
        if tag in _TIFF_PIECES and count > MAX_PARTS:
            raise UnreadablePhoto(f"more than {MAX_PARTS:,} parts in its file")
        if tag in _TIFF_TILE:
            tile *= value
    if tile > MAX_PIXELS:
        raise UnreadablePhoto(f"tiles of more than {MAX_PIXELS:,} pixels")


def _tiff_tags(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, count and value (or offset of the values) of each entry of the first directory."""
    order, big = _TIFF_STARTS[data[:4]], data[2:3] == b"+" or data[3:4] == b"+"
    start, number, entry = ("Q", "Q", "HHQ8s") if big else ("L", "H", "HHL4s")
    try:
        (at,) = struct.unpack_from(order + start, data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + number, data, at)
        at += struct.calcsize(order + number)
        for _ in range(min(entries, MAX_PARTS)):
            tag, kind, count, value = struct.unpack_from(order + entry, data, at)
            yield (
                tag,
                count,
                int.from_bytes(
                    value[:2] if kind == 3 else value, "little" if order == "<" else "big"
                ),
            )
            at += struct.calcsize(order + entry)
    except (struct.error, OverflowError):
        return  # cut short: Pillow raises an error for it
