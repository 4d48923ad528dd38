"""A sketch of each photo, beside its network features: perceptual hashes, where its colours are, how many of each.

A network's features say what is to be seen; a sketch says whether it is the same picture, taken in the same place.
"""

from functools import cache

import numpy as np
from jaxtyping import Float64, Shaped, UInt64
from PIL import Image

LAYOUT = 8  # cells along a side
HSV_BINS = (8, 4, 4)
VIEWS = 4
_HASH_SIDE, _DCT_SIDE = 8, 32
_KEPT = 0.8  # of each side, in the middle
_THUMB = 64

DESCRIPTOR = np.dtype(
    [
        ("hashes", "<u8", (VIEWS,)),  # whole, mirrored, its middle, its middle mirrored
        ("layout", "u1", (LAYOUT, LAYOUT, 3)),  # mean RGB of each cell
        (
            "colours",
            "u1",
            (int(np.prod(HSV_BINS)),),
        ),  # sqrt of each bin's share of the pixels, 255 for 1
        ("width", "<u2"),  # in pixels, the largest number that this holds for any more
        ("height", "<u2"),
    ]
)


def describe_image(image: Image.Image) -> Shaped[np.ndarray, ""]:
    """The sketch of a decoded photo (RGB), a record of `DESCRIPTOR`."""
    thumb = image.resize((_THUMB, _THUMB), Image.Resampling.BOX)
    pixels = np.asarray(thumb)
    cell = _THUMB // LAYOUT
    means = pixels.reshape(LAYOUT, cell, LAYOUT, cell, 3).mean(axis=(1, 3))
    hsv = np.asarray(thumb.convert("HSV")).reshape(-1, 3).astype(np.int64)
    place = hsv * np.array(HSV_BINS) // 256 @ np.array([HSV_BINS[1] * HSV_BINS[2], HSV_BINS[2], 1])
    shares = np.bincount(place, minlength=int(np.prod(HSV_BINS))) / len(place)
    made = np.zeros((), DESCRIPTOR)
    made["hashes"] = perceptual_hashes(image)
    made["layout"] = np.rint(means)
    made["colours"] = np.rint(np.sqrt(shares) * 255)
    made["width"], made["height"] = np.minimum(image.size, np.iinfo(np.uint16).max)
    return made


def perceptual_hashes(image: Image.Image) -> UInt64[np.ndarray, "4"]:
    """64 bits each of the whole photo, its mirror image, its middle (0.8 of each side), and the middle's mirror image.

    Grey, 32 x 32; the 8 x 8 lowest coefficients of its cosine transform (DCT-II); a bit for each that is above their
    median. Mirroring changes the sign of the coefficients of odd horizontal frequency.
    """
    grey = image.convert("L")
    edges = [(1 - _KEPT) / 2 * side for side in image.size]
    middle = (edges[0], edges[1], image.width - edges[0], image.height - edges[1])
    found = []
    for box in (None, middle):
        small = np.asarray(
            grey.resize((_DCT_SIDE, _DCT_SIDE), Image.Resampling.BOX, box=box), np.float64
        )
        low = _cosines() @ small @ _cosines().T
        found += [_bits(low), _bits(low * (-1.0) ** np.arange(_HASH_SIDE))]
    return np.array(found, np.uint64)


@cache
def _cosines() -> Float64[np.ndarray, "8 32"]:
    frequency, place = np.arange(_HASH_SIDE)[:, None], np.arange(_DCT_SIDE)
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _DCT_SIDE))


def _bits(coefficients: Float64[np.ndarray, "8 8"]) -> int:
    above = coefficients > np.median(coefficients)
    return int.from_bytes(np.packbits(above).tobytes(), "little")
