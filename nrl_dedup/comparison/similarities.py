"""Similarities of ads: one number for each pair, the higher, the more alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy import sparse

from nrl_dedup.features.text.words import ragged

Rows = Int64[np.ndarray, "pairs"]
Values = Float32[np.ndarray, "pairs"]
NAN = np.float32(np.nan)
_CHUNK_PHOTO_PAIRS = 1 << 16  # compared at once; bounds the memory


@runtime_checkable
class Similarity(Protocol):
    """A symmetric similarity of ads. NaN where one of the two is not in the space."""

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values: ...


@dataclass(frozen=True)
class SparseSimilarity:
    """The cosine of sparse vectors of length 1 (float32); an ad with an empty row is not in the space."""

    vectors: sparse.csr_array

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values:
        products = self.vectors[rows_l].multiply(self.vectors[rows_r])
        cosine = products.sum(axis=1).astype(np.float32)
        there = np.diff(self.vectors.indptr) > 0
        both = there[rows_l] & there[rows_r]
        return np.where(both, cosine, NAN)


@dataclass(frozen=True)
class DenseSimilarity:
    """The cosine of vectors of length 1; `there`: which ads have one."""

    vectors: Float32[np.ndarray, "ads size"]
    there: Bool[np.ndarray, "ads"]

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values:
        cosine = np.einsum("ij,ij->i", self.vectors[rows_l], self.vectors[rows_r])
        both = self.there[rows_l] & self.there[rows_r]
        return np.where(both, cosine, NAN)


Compare = Callable[[Int64[np.ndarray, "photo_pairs"], Int64[np.ndarray, "photo_pairs"]], np.ndarray]


@dataclass(frozen=True)
class PhotoSimilarity:
    """The similarity of the two photos that are the most alike, one of each ad. NaN if an ad has none.

    `photos`: those of ad i are `photos[offsets[i]:offsets[i + 1]]`, as the numbers that `compare` takes.
    """

    photos: Int64[np.ndarray, "ad_photos"]
    offsets: Int64[np.ndarray, "ads_plus_1"]
    compare: Compare

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values:
        counts = np.diff(self.offsets)
        pairs_of = counts[rows_l] * counts[rows_r]
        best = np.full(len(rows_l), NAN)
        some = np.flatnonzero(pairs_of)
        ends = np.cumsum(pairs_of[some])
        start = 0
        while start < len(some):
            before = ends[start] - pairs_of[some[start]]
            end = int(np.searchsorted(ends, before + _CHUNK_PHOTO_PAIRS, side="right"))
            end = max(end, start + 1)
            chunk = some[start:end]
            best[chunk] = self._best(rows_l[chunk], rows_r[chunk])
            start = end
        return best

    def _best(self, rows_l: Rows, rows_r: Rows) -> Values:
        """The same for pairs that all have photos on both sides."""
        counts = np.diff(self.offsets)
        other = counts[rows_r]
        pairs_of = counts[rows_l] * other
        pair = np.repeat(np.arange(len(rows_l)), pairs_of)
        place = ragged(np.zeros(len(pairs_of), np.int64), pairs_of)
        first_l = self.offsets[rows_l][pair]
        first_r = self.offsets[rows_r][pair]
        place_l = place // other[pair]
        place_r = place % other[pair]
        left = self.photos[first_l + place_l]
        right = self.photos[first_r + place_r]
        similarity = self.compare(left, right).astype(np.float32, copy=False)
        starts = np.cumsum(pairs_of) - pairs_of
        return np.maximum.reduceat(similarity, starts)
