"""The statistics of a sample's photos, and the photos of any ads as they are compared."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, Shaped

from nrl_dedup.blocking.photo_source import rooted_features
from nrl_dedup.comparison.rarities import Rarities
from nrl_dedup.comparison.similarities import NAN, Compare, DenseSimilarity, PhotoSimilarity
from nrl_dedup.features.pca import PrincipalComponents, unit
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import descriptor_rows, layouts
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import offsets_of

# How many principal components are kept, and how far they are whitened (0: not at all, 1: fully).
SIZE = 256  # of the network's features. Not tuned.
POWER = 0.75  # of the network's features. Not tuned.
LAYOUT_SIZE = 100  # Not tuned.
LAYOUT_POWER = 0.5  # Not tuned.

StoreRows = Int64[np.ndarray, "photos"]
Stored = Shaped[np.ndarray, "photos"]


@dataclass(frozen=True)
class PhotoLists:
    """The photos of ad i, as numbers of the distinct photos, are `of_ad[offsets[i]:offsets[i + 1]]`."""

    of_ad: Int64[np.ndarray, "ad_photos"]
    offsets: Int64[np.ndarray, "ads_plus_1"]

    @property
    def ads(self) -> int:
        """How many ads there are."""
        return len(self.offsets) - 1

    def space(self, compare: Compare) -> PhotoSimilarity:
        return PhotoSimilarity(self.of_ad, self.offsets, compare)

    def only(self, kept: Bool[np.ndarray, "photos"]) -> "PhotoLists":
        """Without the photos that are not `kept`."""
        stay = kept[self.of_ad]
        kept_before = offsets_of(stay)
        return PhotoLists(self.of_ad[stay], kept_before[self.offsets])

    def first(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The value of each ad's first photo; NaN without one."""
        found = np.full(self.ads, NAN)
        full = np.diff(self.offsets) > 0
        found[full] = values[self.of_ad[self.offsets[:-1][full]]]
        return found

    def least(self, values: Float32[np.ndarray, "photos"]) -> Float32[np.ndarray, "ads"]:
        """The least value of each ad's photos; NaN without any."""
        found = np.full(self.ads, NAN)
        full = np.diff(self.offsets) > 0
        if full.any():
            found[full] = np.minimum.reduceat(values[self.of_ad], self.offsets[:-1][full])
        return found

    def rarities(self, values: Int64[np.ndarray, "photos"]) -> Rarities:
        """ln(ads / ads with a photo of the value), of a value of each photo."""
        ad = np.repeat(np.arange(self.ads), np.diff(self.offsets))
        shown = pl.DataFrame({"value": values[self.of_ad], "ad": ad})
        once_per_ad = shown.unique()
        return Rarities.fit(once_per_ad["value"], self.ads)


@dataclass(frozen=True)
class SketchedPhotos:
    """The image descriptors of distinct photos, and the lists of those photos that have one.

    `stored`: of each distinct photo; of one without a descriptor, that of another.
    """

    stored: Stored
    lists: PhotoLists

    @classmethod
    def of(
        cls, photos: AdPhotos, sketches: PhotoDescriptors, rows: StoreRows, lists: PhotoLists
    ) -> "SketchedPhotos":
        """:param rows: the distinct photos of `lists`, as rows of the feature store."""
        at = descriptor_rows(photos, sketches, rows)
        return cls(sketches.stored[np.maximum(at, 0)], lists.only(at >= 0))

    def layouts(self, some: StoreRows) -> Float32[np.ndarray, "some cells"]:
        return layouts(self.stored[some])

    def pixels(self) -> Int64[np.ndarray, "photos"]:
        """A number for each size, its width and its height."""
        width = self.stored["width"].astype(np.int64)
        return width << 16 | self.stored["height"]


@dataclass(frozen=True)
class SketchStatistics:
    """`layout`: the components of where the colours are; `sizes`: how rare the sizes in pixels are."""

    layout: PrincipalComponents
    sizes: Rarities

    @classmethod
    def fit(cls, sketched: SketchedPhotos, seed: int) -> "SketchStatistics":
        count = len(sketched.stored)
        layout = PrincipalComponents.fit(sketched.layouts, count, LAYOUT_SIZE, LAYOUT_POWER, seed)
        return cls(layout, sketched.lists.rarities(sketched.pixels()))


@dataclass(frozen=True)
class PhotoStatistics:
    """`components`: of the network's features; `files`: how rare the photo files are, by their digests; `sketches`:
    None without image descriptors."""

    components: PrincipalComponents
    files: Rarities
    sketches: SketchStatistics | None

    @classmethod
    def fit(
        cls, photos: AdPhotos, sketches: PhotoDescriptors | None, seed: int
    ) -> "PhotoStatistics | None":
        """None where no ad has a readable photo."""
        rows, number = np.unique(photos.rows, return_inverse=True)
        if not len(rows):
            return None
        lists = PhotoLists(number, photos.offsets)
        read = partial(_features, photos, rows)
        components = PrincipalComponents.fit(read, len(rows), SIZE, POWER, seed)
        files = lists.rarities(file_digests(photos, rows))
        if sketches is None:
            return cls(components, files, None)
        sketched = SketchedPhotos.of(photos, sketches, rows, lists)
        return cls(components, files, SketchStatistics.fit(sketched, seed))


@dataclass(frozen=True)
class ShownPhotos:
    """The distinct photos that ads show. `rows`: of the feature store; `features`: whitened, of length 1."""

    rows: StoreRows
    features: Float32[np.ndarray, "photos size"]
    lists: PhotoLists

    @classmethod
    def of(cls, photos: AdPhotos, components: PrincipalComponents | None) -> "ShownPhotos":
        """:param components: None where the sample had no photos: then those of these ads cannot be compared, and they
        count as ads without photos."""
        if components is None:
            photos = photos.of_ads(np.zeros(len(photos.offsets) - 1, dtype=bool))
        rows, number = np.unique(photos.rows, return_inverse=True)
        features = np.zeros((0, 1), np.float32)
        if components is not None and len(rows):
            features = components.unit_vectors(partial(_features, photos, rows), len(rows))
        return cls(rows, features, PhotoLists(number, photos.offsets))

    def mean(self) -> DenseSimilarity:
        """Each ad's photos as one vector of length 1."""
        counts = np.diff(self.lists.offsets)
        total = np.zeros((len(counts), self.features.shape[1]), np.float32)
        ad = np.repeat(np.arange(len(counts)), counts)
        np.add.at(total, ad, self.features[self.lists.of_ad])
        return DenseSimilarity(unit(total), counts > 0)


def file_digests(photos: AdPhotos, rows: StoreRows) -> Int64[np.ndarray, "photos"]:
    """A number for the bytes of each photo's file."""
    return photos.centre.digests[rows].view(np.int64)


def _features(
    photos: AdPhotos, rows: StoreRows, some: Int64[np.ndarray, "some"]
) -> Float32[np.ndarray, "some size"]:
    """Of the photos at some places of `rows`."""
    return rooted_features(photos, rows[some])
