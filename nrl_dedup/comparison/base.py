"""The parts of pair evidence: each compares the two ads of a pair in one respect, in named columns of one group."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from scipy import sparse

from nrl_dedup.comparison.neighbourhoods import NeighbourhoodStatistics
from nrl_dedup.comparison.similarities import NAN, Rows, Similarity, Values
from nrl_dedup.comparison.tokens import inverse_frequencies

TEXT, PHOTOS, BOTH, PRICE, OTHER = GROUPS = ("text", "photos", "text and photos", "price", "other")
RIVALS = "rivals"  # not of the pair alone: what is known of either ad's other pairs

Columns = dict[str, Values]


@runtime_checkable
class Comparison(Protocol):
    """Symmetric: the two ads may change places. The columns depend on neither the pairs nor their number."""

    @property
    def group(self) -> str: ...

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns: ...


def ends(name: str, values: Float32[np.ndarray, "ads"], rows_l: Rows, rows_r: Rows) -> Columns:
    """The smaller and the larger of the two ads' values; NaN where either is."""
    left, right = values[rows_l], values[rows_r]
    return {f"{name}_min": np.minimum(left, right), f"{name}_max": np.maximum(left, right)}


@dataclass(frozen=True)
class RelativeSimilarity:
    """A similarity v; v less the mean, and less the higher, of both ads' levels m (the mean similarity of their ten
    nearest); the levels; and the ranks of v among the nearest of either ad, 0 being the nearest."""

    name: str
    group: str
    space: Similarity
    surroundings: NeighbourhoodStatistics

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        value, levels = self.space.similarity(rows_l, rows_r), self.surroundings.levels
        low, high = np.sort([levels[rows_l], levels[rows_r]], axis=0)
        ranks = [self.surroundings.ranks(rows, value) for rows in (rows_l, rows_r)]
        return {
            self.name: value,
            f"{self.name}_above_mean": value - (low + high) / 2,
            f"{self.name}_above_max": value - high,
            f"{self.name}_level_min": low,
            f"{self.name}_level_max": high,
            f"{self.name}_rank_min": np.minimum(*ranks),
            f"{self.name}_rank_max": np.maximum(*ranks),
        }


@dataclass(frozen=True)
class SharedTerms:
    """The terms that both ads have, each weighing its idf: what they share, and what they do not.

    `roots`: sqrt(idf) at each ad's terms. Count and weight of the shared terms; the rarest one's idf; their weight over
    that of all terms of either ad (a weighted Jaccard similarity), and over that of the ad with less (containment); the
    weight not shared of the one and of the other ad. NaN where an ad has no terms.
    """

    name: str
    group: str
    roots: sparse.csr_array

    @classmethod
    def of(cls, name: str, group: str, counts: sparse.csr_array) -> "SharedTerms":
        """:param counts: terms of each ad, [ads, terms]; how often one occurs does not count."""
        roots = np.sqrt(inverse_frequencies(counts))[counts.indices]
        return cls(
            name,
            group,
            sparse.csr_array((roots, counts.indices, counts.indptr), shape=counts.shape),
        )

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left, right = self.roots[rows_l], self.roots[rows_r]
        low, high = np.sort([(side.multiply(side)).sum(axis=1) for side in (left, right)], axis=0)
        common = sparse.csr_array(left.multiply(right))
        weight = common.sum(axis=1)
        sizes = np.sort([np.diff(left.indptr), np.diff(right.indptr)], axis=0).astype(np.float32)
        found = {
            "shared": np.diff(common.indptr),
            "weight": weight,
            "rarest": _largest(common),
            "jaccard": weight / np.maximum(low + high - weight, 1e-9),
            "contained": weight / np.maximum(low, 1e-9),
            "left_min": low - weight,
            "left_max": high - weight,
        }
        both = sizes[0] > 0
        columns = {
            f"{self.name}_{key}": np.where(both, x, NAN).astype(np.float32)
            for key, x in found.items()
        }
        return columns | {f"{self.name}_count_min": sizes[0], f"{self.name}_count_max": sizes[1]}


def _largest(rows: sparse.csr_array) -> Values:
    """The largest value of each row, 0 of an empty one."""
    largest = np.zeros(rows.shape[0], np.float32)
    full = np.diff(rows.indptr) > 0
    if full.any():
        largest[full] = np.maximum.reduceat(rows.data, rows.indptr[:-1][full])
    return largest


@dataclass(frozen=True)
class Measure:
    """A number of each ad, such as a length: both ads' numbers, and how far apart they are."""

    name: str
    group: str
    values: Float32[np.ndarray, "ads"]

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        apart = np.abs(self.values[rows_l] - self.values[rows_r])
        return {**ends(self.name, self.values, rows_l, rows_r), f"{self.name}_apart": apart}
