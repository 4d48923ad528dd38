"""What surrounds a thing in its photos: one seller's photos are alike in their colours and in where these are, though
they show the thing from two sides."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nrl_dedup.blocking.photo_source import mean_of_items, shown_photos
from nrl_dedup.features.network_inputs import AdPhotos
from nrl_dedup.features.pca import whitened
from nrl_dedup.features.photos.background_descriptors import colours, descriptor_rows, layouts
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

LAYOUT, COLOURS = (48, 0.2), (32, 0.1)  # directions, and how much their cosine weighs
POWER = 0.5


def background_vectors(
    photos: AdPhotos, sketches: PhotoDescriptors, ads: Int64[np.ndarray, "ads"], seed: int = 0
) -> Float32[np.ndarray, "ads size"]:
    """The mean, over the photos of each of some ads, of vectors whose product is 0.2 times the cosine of two photos'
    layouts of colours and 0.1 times that of their colours, both whitened; 0 of an ad without photos.

    :param photos, sketches: of the catalogue that `ads` are rows of.
    """
    shown = shown_photos(photos, ads)
    distinct, number = np.unique(shown.items, return_inverse=True)
    at = descriptor_rows(photos, sketches, distinct)
    known = np.flatnonzero(at >= 0)
    if not len(known):
        return np.zeros((len(ads), 0), np.float32)
    parts = [
        np.float32(np.sqrt(weight))
        * whitened(partial(_read, read, sketches.stored, at[known]), len(known), size, POWER, seed)
        for read, (size, weight) in ((layouts, LAYOUT), (colours, COLOURS))
    ]
    vectors = np.zeros((len(distinct), sum(part.shape[1] for part in parts)), np.float32)
    vectors[known] = np.concatenate(parts, axis=1)
    found = np.zeros((len(ads), vectors.shape[1]), np.float32)
    some, means = mean_of_items(shown, vectors[number])
    found[some] = means
    return found


def _read(
    read: Callable[[Shaped[np.ndarray, "some"]], Float32[np.ndarray, "some size"]],
    stored: Shaped[np.ndarray, "rows"],
    rows: Int64[np.ndarray, "photos"],
    some: Int64[np.ndarray, "some"],
) -> Float32[np.ndarray, "some size"]:
    return read(stored[rows[some]])
