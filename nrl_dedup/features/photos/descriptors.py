"""An image descriptor of each photo: perceptual hashes, where its colours are, how many of each.

The network's features describe what is to be seen; the descriptor shows whether it is the same picture, or was taken in
the same place.
"""

from functools import cache

import numpy as np
from jaxtyping import Float64, Shaped, UInt64
from PIL import Image

LAYOUT = 8  # cells along a side, as in the colour layout of MPEG-7
HSV_BINS = (8, 4, 4)  # of hue, saturation and value. Not tuned.
VIEWS = 4  # that are hashed: whole and middle, each also mirrored
_HASH_SIDE = 8  # 64 bits fit in one whole number
_DCT_SIDE = 32  # four times the frequencies that are kept, as usual for this hash
_MIDDLE = 0.8  # of each side: what is left if a seller crops the borders. Not tuned.
_THUMB = 64  # pixels along a side, which layout and colours are counted on. Not tuned.

_BINS = int(np.prod(HSV_BINS))

DESCRIPTOR = np.dtype(
    [
        ("hashes", "<u8", (VIEWS,)),  # whole, mirrored, its middle, its middle mirrored
        ("layout", "u1", (LAYOUT, LAYOUT, 3)),  # mean RGB of each cell
        ("colours", "u1", (_BINS,)),  # sqrt of each bin's share of the pixels, 255 for 1
        ("width", "<u2"),  # in pixels, the largest number that this holds for any more
        ("height", "<u2"),
    ]
)


def describe_image(image: Image.Image) -> Shaped[np.ndarray, ""]:
    """The image descriptor of a decoded photo (RGB), a record of `DESCRIPTOR`."""
    thumb = image.resize((_THUMB, _THUMB), Image.Resampling.BOX)
    pixels = np.asarray(thumb)
    cell = _THUMB // LAYOUT
    means = pixels.reshape(LAYOUT, cell, LAYOUT, cell, 3).mean(axis=(1, 3))
    hsv = np.asarray(thumb.convert("HSV")).reshape(-1, 3).astype(np.int64)
    channel_bins = hsv * np.array(HSV_BINS) // 256
    hues, saturations, values = channel_bins.T
    bins = (hues * HSV_BINS[1] + saturations) * HSV_BINS[2] + values
    shares = np.bincount(bins, minlength=_BINS) / len(bins)
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
    edges = [(1 - _MIDDLE) / 2 * side for side in image.size]
    middle = (edges[0], edges[1], image.width - edges[0], image.height - edges[1])
    found = []
    for box in (None, middle):
        resized = grey.resize((_DCT_SIDE, _DCT_SIDE), Image.Resampling.BOX, box=box)
        small = np.asarray(resized, np.float64)
        low = _cosines() @ small @ _cosines().T
        signs = (-1.0) ** np.arange(_HASH_SIDE)
        found.append(_bits(low))
        found.append(_bits(low * signs))
    return np.array(found, np.uint64)


@cache
def _cosines() -> Float64[np.ndarray, "8 32"]:
    frequency = np.arange(_HASH_SIDE)[:, None]
    place = np.arange(_DCT_SIDE)
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _DCT_SIDE))


def _bits(coefficients: Float64[np.ndarray, "8 8"]) -> int:
    above = coefficients > np.median(coefficients)
    return int.from_bytes(np.packbits(above).tobytes(), "little")
