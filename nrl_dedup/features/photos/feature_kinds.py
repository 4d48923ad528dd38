"""What is kept of a photo: its pooled features, or its regions in one of several sizes on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor
from torch.nn.functional import avg_pool2d

from nrl_dedup.features.photos.backbones import Backbone, BackboneRow, pooled, regions

PROJECTED_SIZE = 128  # a quarter or less of the networks' sizes. Not tuned.
_PROJECTION_SEED = 0  # another seed is another projection: stored features would not fit
_STEPS = 127  # int8 without -128, so that both signs reach as far


@dataclass(frozen=True)
class Kind:
    """A form of photo features.

    `features`: images -> [n, *shape] on the backbone's device. `shape`: of one photo's features, as the network reads
    them. `stored`: dtype and shape of one photo on disk. `encode` and `decode` go between the two forms.
    """

    features: Callable[[Backbone, Tensor], Tensor]
    shape: Callable[[BackboneRow], tuple[int, ...]]
    stored: Callable[[tuple[int, ...]], tuple[np.dtype, tuple[int, ...]]]
    encode: Callable[[Float32[np.ndarray, "n ..."]], Shaped[np.ndarray, "n ..."]]
    decode: Callable[[Shaped[np.ndarray, "n ..."]], Float32[np.ndarray, "n ..."]]

    def bytes_per_photo(self, row: BackboneRow) -> int:
        """On disk, for one view."""
        dtype, shape = self.stored(self.shape(row))
        return dtype.itemsize * int(np.prod(shape))


def _fewer_regions(
    backbone: Backbone, images: Float32[Tensor, "n 3 224 224"]
) -> Float32[Tensor, "n fewer size"]:
    """Regions of two by two places: their mean, at an odd border the mean of the one or two that are there."""
    every = regions(backbone, images)
    side = _side(every.shape[1])
    grid = every.transpose(1, 2).unflatten(2, (side, side))
    pooled_grid = avg_pool2d(grid, 2, ceil_mode=True, count_include_pad=False)
    return pooled_grid.flatten(2).transpose(1, 2)


def _projected(
    backbone: Backbone, images: Float32[Tensor, "n 3 224 224"]
) -> Float32[Tensor, "n fewer projected"]:
    """`_fewer_regions` times a fixed random matrix with orthonormal columns, scaled so that lengths are kept on the
    average (Johnson and Lindenstrauss): sizes down to 128 without a look at any data."""
    fewer = _fewer_regions(backbone, images)
    size = fewer.shape[2]
    projection = _projection(size).to(fewer.device)
    return fewer @ projection


@cache
def _projection(size: int) -> Float32[Tensor, "size projected"]:
    draw = torch.Generator().manual_seed(_PROJECTION_SEED)
    gauss = torch.randn(size, PROJECTED_SIZE, generator=draw)
    orthonormal = torch.linalg.qr(gauss)[0]
    scale = (size / PROJECTED_SIZE) ** 0.5
    return orthonormal * scale


def _side(places: int) -> int:
    return round(places**0.5)


def _fewer_shape(row: BackboneRow) -> tuple[int, ...]:
    places, size = row.regions
    side = (_side(places) + 1) // 2
    return side**2, size


def _float(dtype: type) -> tuple[Callable, Callable, Callable]:
    """Stored as floating-point numbers; beyond the largest of them a value is cut."""
    limit = float(np.finfo(dtype).max)
    return (
        lambda shape: (np.dtype(dtype), shape),
        lambda values: np.clip(values, -limit, limit).astype(dtype, copy=False),
        lambda stored: stored.astype(np.float32, copy=False),
    )


def _int8_stored(shape: tuple[int, ...]) -> tuple[np.dtype, tuple[int, ...]]:
    dtype = np.dtype([("scale", "<f4"), ("steps", "i1", shape[-1:])])
    return dtype, shape[:-1]


def quantise(values: Float32[np.ndarray, "*n size"]) -> Shaped[np.ndarray, "*n"]:
    """Each row as a scale s = max |x| / 127 and x / s rounded to int8: an error of at most s / 2 a value."""
    scale = np.abs(values).max(axis=-1) / _STEPS
    dtype, shape = _int8_stored(values.shape)
    divisor = np.where(scale > 0, scale, 1)
    stored = np.empty(shape, dtype)
    stored["scale"] = scale
    stored["steps"] = np.rint(values / divisor[..., None])
    return stored


def dequantise(stored: Shaped[np.ndarray, "*n"]) -> Float[np.ndarray, "*n size"]:
    """The values that `quantise` kept, float32."""
    return stored["steps"] * stored["scale"][..., None]


_INT8 = (_int8_stored, quantise, dequantise)

KINDS = {
    "pooled": Kind(pooled, lambda row: (row.pooled_size,), *_float(np.float32)),
    "half": Kind(regions, lambda row: row.regions, *_float(np.float16)),
    "int8": Kind(regions, lambda row: row.regions, *_INT8),
    "int8-2x2": Kind(_fewer_regions, _fewer_shape, *_INT8),
    "int8-2x2-128": Kind(_projected, lambda row: (_fewer_shape(row)[0], PROJECTED_SIZE), *_INT8),
}
