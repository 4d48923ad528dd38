"""What the photos of two ads have in common: over all pairs of a photo of the one and a photo of the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt64

from nrl_dedup.blocking.photo_source import rooted_features
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
from nrl_dedup.comparison.neighbourhoods import neighbourhood_statistics
from nrl_dedup.comparison.similarities import (
    NAN,
    Compare,
    DenseSimilarity,
    PhotoSimilarity,
    Rows,
    Similarity,
    Values,
)
from nrl_dedup.features.pca import unit, whitened
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import colours, descriptor_rows, layouts
from nrl_dedup.features.photos.bit_counts import count_bits
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import offsets_of

# How many principal components are kept, and how far they are whitened (0: not at all, 1: fully).
SIZE = 256  # of the network's features. Not tuned.
POWER = 0.75  # of the network's features. Not tuned.
LAYOUT_SIZE = 100  # Not tuned.
LAYOUT_POWER = 0.5  # Not tuned.
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


@dataclass(frozen=True)
class ShownPhotos:
    """The distinct photos that ads show. `rows`: of the feature store; `features`: whitened, of length 1."""

    rows: Int64[np.ndarray, "photos"]
    features: Float32[np.ndarray, "photos size"]
    ads: "_Lists"

    @classmethod
    def of(cls, photos: AdPhotos, seed: int = 0) -> "ShownPhotos":
        rows, number = np.unique(photos.rows, return_inverse=True)
        features = np.zeros((0, 1), np.float32)
        if len(rows):
            features = whitened(
                lambda some: rooted_features(photos, rows[some]), len(rows), SIZE, POWER, seed
            )
        return cls(rows, features, _Lists(number, photos.offsets))

    def mean(self) -> DenseSimilarity:
        """Each ad's photos as one vector of length 1."""
        counts = np.diff(self.ads.offsets)
        total = np.zeros((len(counts), self.features.shape[1]), np.float32)
        np.add.at(total, np.repeat(np.arange(len(counts)), counts), self.features[self.ads.of_ad])
        return DenseSimilarity(unit(total), counts > 0)


def photo_comparisons(
    photos: AdPhotos,
    shown: ShownPhotos,
    sketches: PhotoDescriptors | None,
    known: Int64[np.ndarray, "ads known"],
    seed: int = 0,
) -> list[Comparison]:
    """Cosines of the network's features, of where the colours are and of how many there are of each; the same file, the
    same picture, the same size; how many photos an ad has, and how many ads show them.

    Without sketches (image descriptors), what rests on them is left out.

    :param known: `neighbourhoods.known_neighbours`.
    """
    distinct = shown.rows
    ads = shown.ads
    if not len(distinct):
        return []
    photo_count = np.diff(photos.offsets).astype(np.float32)
    digest = SharedValue.of(photos.centre.digests[distinct], ads)
    spaces: dict[str, Similarity] = {"photos": ads.space(Cosine(shown.features))}
    comparisons: list[Comparison] = [
        Measure("photo_count", PHOTOS, _COUNTS["photo_count"], photo_count, Unit.COUNT),
        PhotoColumn("same_file", ads.space(digest)),
        _measure("file_rarity", ads.least(digest.rarities())),
    ]
    if sketches is not None:
        at = descriptor_rows(photos, sketches, distinct)
        sketched = ads.only(at >= 0)
        stored = sketches.stored[np.maximum(at, 0)]
        layout = whitened(
            lambda some: layouts(stored[some]), len(stored), LAYOUT_SIZE, LAYOUT_POWER, seed
        )
        spaces["layout"] = sketched.space(Cosine(layout))
        spaces["colours"] = sketched.space(Cosine(colours(stored)))
        proportion = np.log(stored["width"] / stored["height"]).astype(np.float32)
        pixels = stored["width"].astype(np.int64) << 16 | stored["height"]
        size = SharedValue.of(pixels, sketched)
        comparisons += [
            PhotoColumn("same_picture", sketched.space(HashSimilarity(stored["hashes"]))),
            PhotoColumn("same_size", sketched.space(size)),
            PhotoColumn("same_proportions", sketched.space(Nearness(proportion))),
            _measure("proportion", sketched.first(proportion)),
        ]
    similarities: list[Comparison] = []
    for name, space in spaces.items():
        neighbourhoods = neighbourhood_statistics(space, known)
        similarities.append(
            RelativeSimilarity(name, PHOTOS, _SIMILARITIES[name], space, neighbourhoods)
        )
    return similarities + comparisons


def _measure(name: str, values: Float32[np.ndarray, "ads"]) -> Measure:
    return Measure(name, PHOTOS, _MEASURES[name], values)


@dataclass(frozen=True)
class _Lists:
    """The photos of ad i, as numbers of the distinct photos, are `of_ad[offsets[i]:offsets[i + 1]]`."""

    of_ad: Int64[np.ndarray, "ad_photos"]
    offsets: Int64[np.ndarray, "ads_plus_1"]

    def space(self, compare: Compare) -> PhotoSimilarity:
        return PhotoSimilarity(self.of_ad, self.offsets, compare)

    def only(self, kept: Bool[np.ndarray, "photos"]) -> "_Lists":
        """Without the photos that are not `kept`."""
        stay = kept[self.of_ad]
        kept_before = offsets_of(stay)
        return _Lists(self.of_ad[stay], kept_before[self.offsets])

    def first(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The value of each ad's first photo; NaN without one."""
        found = np.full(len(self.offsets) - 1, NAN)
        full = np.diff(self.offsets) > 0
        found[full] = values[self.of_ad[self.offsets[:-1][full]]]
        return found

    def least(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The least value of each ad's photos; NaN without any."""
        found = np.full(len(self.offsets) - 1, NAN)
        full = np.diff(self.offsets) > 0
        if full.any():
            found[full] = np.minimum.reduceat(values[self.of_ad], self.offsets[:-1][full])
        return found


@dataclass(frozen=True)
class SharedValue:
    """Compares photos by a value such as their size: ln(ads / ads with a photo of it) where it is the same, else 0."""

    codes: Int64[np.ndarray, "photos"]
    rarity: Float32[np.ndarray, "values"]

    @classmethod
    def of(cls, values: Shaped[np.ndarray, "photos"], ads: _Lists) -> "SharedValue":
        distinct, codes = np.unique(values, return_inverse=True)
        count = len(ads.offsets) - 1
        of_ad = np.repeat(np.arange(count), np.diff(ads.offsets))
        shown = np.unique(np.stack([codes[ads.of_ad], of_ad]), axis=1)[0]
        ads_with_value = np.bincount(shown, minlength=len(distinct))
        rarity = np.log(count / np.maximum(ads_with_value, 1))
        return cls(codes, rarity.astype(np.float32))

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
