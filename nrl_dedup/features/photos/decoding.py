"""A photo's bytes as an upright RGB picture, whatever kind of file they are."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image

from nrl_dedup.features.photos.decoding_cost import (
    MAX_MEMORY_IN_USE,
    MAX_PIXELS,
    MemoryInUse,
    check_cost,
    check_structure,
)
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

# Only formats that Pillow decodes by itself: EPS, for one, would start Ghostscript on a stranger's file.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 256 * 2**20  # of a photo's file
# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps this many pixels, more than
# any view needs (480): four times as fast for a photo straight from a telephone.
DRAFT_SIDE = 512
# Converted at a time, so that no second copy of a large photo is made on the way.
CHUNK_PIXELS = 2**20

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_MEMORY = MemoryInUse(MAX_MEMORY_IN_USE)


def decode(data: bytes) -> Image.Image:
    """The photo in `data` as RGB, turned upright by its EXIF orientation; of an animation the first frame.

    Transparent parts are laid over white. 16-bit greyscale is scaled (65535 becomes 255), CMYK becomes
    (1 - ink)(1 - black) without its colour profile. A JPEG whose shorter side is 1024 pixels or more comes out
    at a half, a quarter or an eighth of its size, its shorter side never under `DRAFT_SIDE`.

    :raises UnreadablePhoto: zero bytes, no photo, truncated, more pixels or more costly ones than `decoding_cost`
        allows, or pixels of a kind that has no white (floating point).
    """
    if not data:
        raise UnreadablePhoto("zero bytes")
    try:
        return _upright(data)
    except UnreadablePhoto:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadablePhoto(f"more than {MAX_PIXELS:,} pixels") from error
    except Image.UnidentifiedImageError as error:
        raise UnreadablePhoto("not a photo in a format that can be read") from error
    except MemoryError as error:
        raise UnreadablePhoto("not enough memory to decode it") from error
    except Exception as error:
        # Pillow's plugins meet damaged files with nearly any exception: OSError, SyntaxError, struct.error, ...
        raise UnreadablePhoto(_reason(error)) from error


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings about odd files, for a stage that counts and lists those files itself.

    Enter it once, in the thread that starts the workers: the filters belong to the whole process, and workers
    that each set and restored them would leave them wrong.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _upright(data: bytes) -> Image.Image:
    check_structure(data)
    with (
        Image.open(BytesIO(data), formats=_readable_formats()) as image,
        _MEMORY.taken(check_cost(image, data)),
    ):
        image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        rgb = _to_rgb(image)
        return rgb if turn is None else rgb.transpose(turn)


def _readable_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _orientation(image: Image.Image) -> int:
    """After loading, because a TIFF turns itself while it loads. Damaged EXIF data do not spoil the pixels."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise UnreadablePhoto("floating-point pixels")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _by_strips(image, _from_16_bits)
    if image.has_transparency_data:
        return _by_strips(image, _over_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _by_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    converted = Image.new("RGB", image.size)
    rows = max(1, CHUNK_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        converted.paste(convert(strip), (0, top))
    return converted


def _over_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, coloured).convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion would cut at 255 instead of scaling. 32-bit values are cut at 65535."""
    values = np.asarray(image).astype(np.int64)
    grey = (values.clip(0, 65535) + 128) // 257
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _reason(error: Exception) -> str:
    text = str(error)
    return (
        "truncated"
        if "truncated" in text.lower()
        else f"damaged ({text[:80] or type(error).__name__})"
    )
