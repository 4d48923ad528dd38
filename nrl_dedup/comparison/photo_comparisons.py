"""What the photos of two ads have in common: over all pairs of a photo of the one and a photo of the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt64

from nrl_dedup.blocking.photo_source import rooted_features
from nrl_dedup.comparison.base import PHOTOS, Columns, Comparison, Measure, RelativeSimilarity
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
from nrl_dedup.features.network_inputs import AdPhotos
from nrl_dedup.features.pca import unit, whitened
from nrl_dedup.features.photos.background_descriptors import colours, descriptor_rows, layouts
from nrl_dedup.features.photos.bit_counts import count_bits
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors

SIZE, POWER = 256, 0.75  # of the network's features
LAYOUT_SIZE, LAYOUT_POWER = 100, 0.5
_BITS = 64

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

    Without sketches, what rests on them is left out.

    :param known: `neighbourhoods.known_neighbours`.
    """
    distinct, ads = shown.rows, shown.ads
    if not len(distinct):
        return []
    parts: list[Comparison] = [
        Measure("photo_count", PHOTOS, np.diff(photos.offsets).astype(np.float32))
    ]
    spaces: dict[str, Similarity] = {"photos": ads.space(cosine_of(shown.features))}
    digest = SharedValue.of(photos.centre.digests[distinct], ads)
    parts += [
        PhotoColumn("same_file", ads.space(digest)),
        Measure("file_rarity", PHOTOS, ads.least(digest.rarities())),
    ]
    if sketches is not None:
        at = descriptor_rows(photos, sketches, distinct)
        sketched, stored = ads.only(at >= 0), sketches.stored[np.maximum(at, 0)]
        layout = whitened(
            lambda some: layouts(stored[some]), len(stored), LAYOUT_SIZE, LAYOUT_POWER, seed
        )
        spaces["layout"] = sketched.space(cosine_of(layout))
        spaces["colours"] = sketched.space(cosine_of(colours(stored)))
        proportion = np.log(stored["width"] / stored["height"]).astype(np.float32)
        size = SharedValue.of(stored["width"].astype(np.int64) << 16 | stored["height"], sketched)
        parts += [
            PhotoColumn("same_picture", sketched.space(hash_similarity_of(stored["hashes"]))),
            PhotoColumn("same_size", sketched.space(size)),
            PhotoColumn(
                "same_proportions",
                sketched.space(lambda one, other: -np.abs(proportion[one] - proportion[other])),
            ),
            Measure("proportion", PHOTOS, sketched.first(proportion)),
        ]
    return [
        *(
            RelativeSimilarity(name, PHOTOS, space, neighbourhood_statistics(space, known))
            for name, space in spaces.items()
        ),
        *parts,
    ]


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
        return _Lists(self.of_ad[stay], np.concatenate([[0], np.cumsum(stay)])[self.offsets])

    def first(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The value of each ad's first photo; NaN without one."""
        found, full = np.full(len(self.offsets) - 1, NAN), np.diff(self.offsets) > 0
        found[full] = values[self.of_ad[self.offsets[:-1][full]]]
        return found

    def least(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The least value of each ad's photos; NaN without any."""
        found, full = np.full(len(self.offsets) - 1, NAN), np.diff(self.offsets) > 0
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
        of_ad = np.repeat(np.arange(len(ads.offsets) - 1), np.diff(ads.offsets))
        shown = np.unique(np.stack([codes[ads.of_ad], of_ad]), axis=1)[0]
        counts = np.bincount(shown, minlength=len(distinct))
        return cls(codes, np.log((len(ads.offsets) - 1) / np.maximum(counts, 1)).astype(np.float32))

    def rarities(self) -> Float32[np.ndarray, "photos"]:
        return self.rarity[self.codes]

    def __call__(self, one: Numbers, other: Numbers) -> Values:
        same = self.codes[one] == self.codes[other]
        return np.where(same, self.rarity[self.codes[one]], np.float32(0))


@dataclass(frozen=True)
class PhotoColumn:
    """A comparison of photos that is not judged against surroundings."""

    name: str
    space: PhotoSimilarity
    group: str = PHOTOS

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        return {self.name: self.space.similarity(rows_l, rows_r)}


def cosine_of(vectors: Float32[np.ndarray, "photos size"]) -> Compare:
    """The cosine of vectors of length 1."""
    return lambda one, other: np.einsum("ij,ij->i", vectors[one], vectors[other])


def hash_similarity_of(hashes: UInt64[np.ndarray, "photos 4"]) -> Compare:
    """1 - (different bits) / 64 of the most alike hashes: one of the four of either photo, the first of the other."""

    def compare(one: Numbers, other: Numbers) -> Values:
        left, right = hashes[one], hashes[other]
        apart = np.minimum(_different_bits(left, right[:, :1]), _different_bits(right, left[:, :1]))
        return 1 - apart.astype(np.float32) / _BITS

    return compare


def _different_bits(
    views: UInt64[np.ndarray, "pairs 4"], whole: UInt64[np.ndarray, "pairs 1"]
) -> Int64[np.ndarray, "pairs"]:
    """The fewest bits by which one of the views differs from the whole photo's hash."""
    return count_bits(views ^ whole).min(axis=1)
