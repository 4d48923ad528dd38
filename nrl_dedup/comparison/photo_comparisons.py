"""What the photos of two ads have in common: over all pairs of a photo of the one and a photo of the other."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64

from nrl_dedup.comparison.base import (
    PHOTOS,
    Columns,
    Comparison,
    Measure,
    RelativeSimilarity,
    measure_columns,
    similarity_columns,
)
from nrl_dedup.comparison.columns import Column, Direction, Unit
from nrl_dedup.comparison.neighbourhoods import NeighbourhoodStatistics
from nrl_dedup.comparison.photo_statistics import (
    PhotoStatistics,
    ShownPhotos,
    SketchedPhotos,
    file_digests,
)
from nrl_dedup.comparison.rarities import Rarities
from nrl_dedup.comparison.similarities import (
    PhotoSimilarity,
    Rows,
    Similarity,
    Values,
)
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import colours
from nrl_dedup.features.photos.bit_counts import count_bits
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

_BITS = 64  # of a perceptual hash

# What `explain` calls them.
_SIMILARITIES = {
    "photos": "what the photos show",
    "layout": "where the colours are",
    "colours": "colours",
}
_COUNTS = {"photo_count": "photos of an ad"}
_MEASURES = {
    "file_rarity": "how rare the photo files are",
    "proportion": "proportions of the first photo",
}
_PHOTO_COLUMNS = {
    "same_picture": Column("same picture", Unit.SHARE_OF_BITS, Direction.NEVER_LOWERS),
    "same_file": Column("same photo file", Unit.YES_OR_NO, Direction.NEVER_LOWERS),
    "same_size": Column("same photo size in pixels", Unit.YES_OR_NO),
    "same_proportions": Column("same proportions of photos"),
}
PHOTO_COLUMNS = {
    **similarity_columns(_SIMILARITIES),
    **_PHOTO_COLUMNS,
    **measure_columns(_COUNTS, Unit.COUNT),
    **measure_columns(_MEASURES),
}

Numbers = Int64[np.ndarray, "some"]


def photo_comparisons(
    statistics: PhotoStatistics,
    photos: AdPhotos,
    shown: ShownPhotos,
    sketches: PhotoDescriptors | None,
    known: Int64[np.ndarray, "ads known"],
) -> list[Comparison]:
    """Cosines of the network's features, of where the colours are and of how many there are of each; the same file, the
    same picture, the same size; how many photos an ad has, and how many ads show them.

    Without sketches (image descriptors), of these photos or of the sample's, what rests on them is left out.

    :param known: `neighbourhoods.known_neighbours`.
    """
    distinct = shown.rows
    lists = shown.lists
    if not len(distinct):
        return []
    photo_count = np.diff(photos.offsets).astype(np.float32)
    digest = SharedValue.of(file_digests(photos, distinct), statistics.files)
    spaces: dict[str, Similarity] = {"photos": lists.space(Cosine(shown.features))}
    comparisons: list[Comparison] = [
        Measure("photo_count", PHOTOS, _COUNTS["photo_count"], photo_count, Unit.COUNT),
        PhotoColumn("same_file", lists.space(digest)),
        _measure("file_rarity", lists.least(digest.rarities())),
    ]
    if sketches is not None and statistics.sketches is not None:
        sketched = SketchedPhotos.of(photos, sketches, distinct, lists)
        stored = sketched.stored
        layout = statistics.sketches.layout.unit_vectors(sketched.layouts, len(stored))
        spaces["layout"] = sketched.lists.space(Cosine(layout))
        spaces["colours"] = sketched.lists.space(Cosine(colours(stored)))
        proportion = np.log(stored["width"] / stored["height"]).astype(np.float32)
        size = SharedValue.of(sketched.pixels(), statistics.sketches.sizes)
        comparisons += [
            PhotoColumn("same_picture", sketched.lists.space(HashSimilarity(stored["hashes"]))),
            PhotoColumn("same_size", sketched.lists.space(size)),
            PhotoColumn("same_proportions", sketched.lists.space(Nearness(proportion))),
            _measure("proportion", sketched.lists.first(proportion)),
        ]
    similarities: list[Comparison] = []
    for name, space in spaces.items():
        neighbourhoods = NeighbourhoodStatistics.fit(space, known)
        similarities.append(
            RelativeSimilarity(name, PHOTOS, _SIMILARITIES[name], space, neighbourhoods)
        )
    return similarities + comparisons


def _measure(name: str, values: Float32[np.ndarray, "ads"]) -> Measure:
    return Measure(name, PHOTOS, _MEASURES[name], values)


@dataclass(frozen=True)
class SharedValue:
    """Compares photos by a value such as their size: ln(ads / ads with a photo of it) where it is the same, else 0."""

    codes: Int64[np.ndarray, "photos"]
    rarity: Float32[np.ndarray, "values"]

    @classmethod
    def of(cls, values: Int64[np.ndarray, "photos"], rarities: Rarities) -> "SharedValue":
        """:param rarities: of these ads' photos or of others (`PhotoLists.rarities`)."""
        distinct, codes = np.unique(values, return_inverse=True)
        return cls(codes, rarities.of(pl.Series(distinct)))

    def rarities(self) -> Float32[np.ndarray, "photos"]:
        return self.rarity[self.codes]

    def __call__(self, one: Numbers, other: Numbers) -> Values:
        code = self.codes[one]
        same = code == self.codes[other]
        return np.where(same, self.rarity[code], np.float32(0))


@dataclass(frozen=True)
class PhotoColumn:
    """A comparison of photos that is not related to the neighbourhoods of the two ads."""

    name: str
    space: PhotoSimilarity
    group: str = PHOTOS

    @property
    def columns(self) -> dict[str, Column]:
        return {self.name: _PHOTO_COLUMNS[self.name]}

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        return {self.name: self.space.similarity(rows_l, rows_r)}


@dataclass(frozen=True)
class Cosine:
    """Compares photos by the cosine of vectors of length 1."""

    vectors: Float32[np.ndarray, "photos size"]

    def __call__(self, one: Numbers, other: Numbers) -> Values:
        return np.einsum("ij,ij->i", self.vectors[one], self.vectors[other])


@dataclass(frozen=True)
class Nearness:
    """Compares photos by -|a - b| of a number of each, such as its proportion."""

    values: Float32[np.ndarray, "photos"]

    def __call__(self, one: Numbers, other: Numbers) -> Values:
        return -np.abs(self.values[one] - self.values[other])


@dataclass(frozen=True)
class HashSimilarity:
    """1 - (different bits) / 64 of the most alike hashes: one of the four of either photo, the first of the other.

    `hashes`: of the whole photo, mirrored; of its middle, mirrored.
    """

    hashes: UInt64[np.ndarray, "photos 4"]

    def __call__(self, one: Numbers, other: Numbers) -> Values:
        left = self.hashes[one]
        right = self.hashes[other]
        to_right = _different_bits(left, right[:, :1])
        to_left = _different_bits(right, left[:, :1])
        apart = np.minimum(to_right, to_left)
        return 1 - apart.astype(np.float32) / _BITS


def _different_bits(
    crops: UInt64[np.ndarray, "pairs 4"], whole: UInt64[np.ndarray, "pairs 1"]
) -> Int64[np.ndarray, "pairs"]:
    """The fewest bits by which one of the crops differs from the whole photo's hash."""
    return count_bits(crops ^ whole).min(axis=1)
