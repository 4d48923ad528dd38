"""What surrounds a thing in its photos: one seller's photos are alike in their colours and in where these are, though
they show the thing from two sides."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nrl_dedup.blocking.photo_source import mean_of_items, shown_photos
from nrl_dedup.features.pca import whitened
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import colours, descriptor_rows, layouts
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

# Directions that are kept, and how much their cosine weighs. Not tuned.
LAYOUT_SIZE = 48
LAYOUT_WEIGHT = 0.2
COLOURS_SIZE = 32
COLOURS_WEIGHT = 0.1
POWER = 0.5  # half way between the plain components (0) and components of equal variance (1). Not tuned.

Stored = Shaped[np.ndarray, "some"]
Vectors = Float32[np.ndarray, "some size"]


def background_vectors(
    photos: AdPhotos, sketches: PhotoDescriptors, ads: Int64[np.ndarray, "ads"], seed: int = 0
) -> Float32[np.ndarray, "ads size"]:
    """The mean, over the photos of each of some ads, of vectors whose product is 0.2 times the cosine of two photos'
    layouts of colours and 0.1 times that of their colours, both whitened; 0 of an ad without photos.

    :param photos, sketches: of the catalogue that `ads` are rows of.
    """
    shown = shown_photos(photos, ads)
    distinct, number = np.unique(shown.items, return_inverse=True)
    descriptor_row = descriptor_rows(photos, sketches, distinct)
    known = np.flatnonzero(descriptor_row >= 0)
    if not len(known):
        return np.zeros((len(ads), 0), np.float32)
    rows = descriptor_row[known]
    of_layout = _whitened(layouts, sketches, rows, LAYOUT_SIZE, seed)
    of_colours = _whitened(colours, sketches, rows, COLOURS_SIZE, seed)
    layout_part = np.float32(np.sqrt(LAYOUT_WEIGHT)) * of_layout
    colours_part = np.float32(np.sqrt(COLOURS_WEIGHT)) * of_colours
    of_known = np.concatenate([layout_part, colours_part], axis=1)
    size = of_known.shape[1]
    vectors = np.zeros((len(distinct), size), np.float32)
    vectors[known] = of_known
    found = np.zeros((len(ads), size), np.float32)
    has_photos, means = mean_of_items(shown, vectors[number])
    found[has_photos] = means
    return found


def _whitened(
    decode: Callable[[Stored], Vectors],
    sketches: PhotoDescriptors,
    rows: Int64[np.ndarray, "photos"],
    size: int,
    seed: int,
) -> Float32[np.ndarray, "photos size"]:
    """One kind of descriptor of the photos at these rows of `sketches.stored`, `decode`d and whitened."""
    read = partial(_read, decode, sketches.stored, rows)
    return whitened(read, len(rows), size, POWER, seed)


def _read(
    decode: Callable[[Stored], Vectors],
    stored: Shaped[np.ndarray, "rows"],
    rows: Int64[np.ndarray, "photos"],
    some: Int64[np.ndarray, "some"],
) -> Vectors:
    return decode(stored[rows[some]])
