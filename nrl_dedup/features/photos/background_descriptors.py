"""The colours of photos as vectors, from their stored image descriptors."""

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, Shaped

from nrl_dedup.features.pca import unit
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

Stored = Shaped[np.ndarray, "some"]


def descriptor_rows(
    photos: AdPhotos, descriptors: PhotoDescriptors, rows: Int64[np.ndarray, "some"]
) -> Int64[np.ndarray, "some"]:
    """The row of the image descriptor of each photo (rows of the feature store `photos.centre`); -1 without one."""
    names = pl.DataFrame({"row": rows}).join(
        photos.centre.photos, on="row", how="left", maintain_order="left"
    )
    return descriptors.rows_of(names["photo"])


def layouts(stored: Stored) -> Float32[np.ndarray, "some cells"]:
    """Where the colours are: red, green and blue of each cell, from 0 to 1."""
    return stored["layout"].reshape(len(stored), -1).astype(np.float32) / 255


def colours(stored: Stored) -> Float32[np.ndarray, "some bins"]:
    """Square roots of the shares of the pixels: the cosine of two is the Bhattacharyya coefficient."""
    return unit(stored["colours"].astype(np.float32))
