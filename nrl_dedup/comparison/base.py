"""The comparisons of pairs: each compares the two ads of a pair in one respect, in named columns of one group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from scipy import sparse

from nrl_dedup.comparison.columns import Column, Direction, Unit, columns_of_each, with_endings
from nrl_dedup.comparison.neighbourhoods import NeighbourhoodStatistics
from nrl_dedup.comparison.similarities import NAN, Rows, Similarity, Values
from nrl_dedup.comparison.tokens import Counts
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies

TEXT, CODES, PHOTOS, BOTH, PRICE, OTHER = GROUPS = (
    "text",
    "codes",
    "photos",
    "text and photos",
    "price",
    "other",
)
RIVALS = "rivals"  # not of the pair alone: what is known of either ad's other pairs

ABOVE_MEAN = "_above_mean"  # ending of the column that learning without labels starts from
_MIN_WEIGHT = 1e-9  # in place of a denominator of 0; one term's weight is at least 1

Columns = dict[str, Values]


@runtime_checkable
class Comparison(Protocol):
    """Symmetric: the two ads may change places. It can be pickled: it holds arrays and no functions."""

    @property
    def group(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns that `compare` gives, in its order, whatever the pairs."""

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns: ...


def ends(name: str, values: Float32[np.ndarray, "ads"], rows_l: Rows, rows_r: Rows) -> Columns:
    """The smaller and the larger of the two ads' values; NaN where either is."""
    left = values[rows_l]
    right = values[rows_r]
    return {f"{name}_min": np.minimum(left, right), f"{name}_max": np.maximum(left, right)}


_OF_SIMILARITY = {
    "": Column("{} alike", direction=Direction.NEVER_LOWERS),
    ABOVE_MEAN: Column(
        "{}: more alike than the ads around",
        direction=Direction.NEVER_LOWERS,
    ),
    "_above_max": Column(
        "{}: more alike than the closer of the ads around",
        direction=Direction.NEVER_LOWERS,
    ),
    "_level_min": Column("{}: how alike the ads around are (lower)"),
    "_level_max": Column("{}: how alike the ads around are (higher)"),
    "_rank_min": Column("{}: ads that are nearer (fewer)", Unit.COUNT),
    "_rank_max": Column("{}: ads that are nearer (more)", Unit.COUNT),
}


def similarity_columns(words_of: Mapping[str, str]) -> dict[str, Column]:
    """The columns of a `RelativeSimilarity` for each name; `words_of`: the words for what each one compares."""
    return columns_of_each(words_of, _OF_SIMILARITY)


@dataclass(frozen=True)
class RelativeSimilarity:
    """A similarity v; v less the mean, and less the higher, of both ads' levels m (the mean similarity of their ten
    nearest); the levels; and the ranks of v among the nearest of either ad, 0 being the nearest.

    No similarity, by itself or against the levels, can lower the log-odds by being higher.
    """

    name: str
    group: str
    words: str
    space: Similarity
    neighbourhoods: NeighbourhoodStatistics

    @property
    def columns(self) -> dict[str, Column]:
        return with_endings(self.name, self.words, _OF_SIMILARITY)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        value = self.space.similarity(rows_l, rows_r)
        levels = self.neighbourhoods.levels
        low, high = np.sort([levels[rows_l], levels[rows_r]], axis=0)
        rank_l = self.neighbourhoods.ranks(rows_l, value)
        rank_r = self.neighbourhoods.ranks(rows_r, value)
        return {
            self.name: value,
            f"{self.name}{ABOVE_MEAN}": value - (low + high) / 2,
            f"{self.name}_above_max": value - high,
            f"{self.name}_level_min": low,
            f"{self.name}_level_max": high,
            f"{self.name}_rank_min": np.minimum(rank_l, rank_r),
            f"{self.name}_rank_max": np.maximum(rank_l, rank_r),
        }


_OF_TERMS = {
    "_shared": Column("{} in common", Unit.COUNT),
    "_weight": Column("{} in common, rare ones counting more"),
    "_rarest": Column("rarity of the rarest of the {} in common"),
    "_jaccard": Column("share of the {} that both have", Unit.SHARE),
    "_contained": Column("share of the shorter ad's {} that both have", Unit.SHARE),
    "_left_min": Column("{} of one ad alone (fewer), by rarity"),
    "_left_max": Column("{} of one ad alone (more), by rarity"),
    "_count_min": Column("{} of the ad with fewer", Unit.COUNT),
    "_count_max": Column("{} of the ad with more", Unit.COUNT),
}


def term_columns(words_of: Mapping[str, str]) -> dict[str, Column]:
    """The columns of `SharedTerms` for each name; `words_of`: the words for its terms."""
    return columns_of_each(words_of, _OF_TERMS)


@dataclass(frozen=True)
class SharedTerms:
    """The terms that both ads have, each weighing its idf: what they share, and what they do not.

    `roots`: sqrt(idf) at each ad's terms. Count and weight of the shared terms; the rarest one's idf; their weight over
    that of all terms of either ad (a weighted Jaccard similarity), and over that of the ad with less (containment); the
    weight not shared of the one and of the other ad. NaN where an ad has no terms.
    """

    name: str
    group: str
    words: str
    roots: sparse.csr_array

    @classmethod
    def of(
        cls, name: str, group: str, words: str, counts: Counts, frequencies: InverseFrequencies
    ) -> "SharedTerms":
        """:param counts: terms of each ad; how often one occurs does not count.
        :param frequencies: of these ads' terms or of others.
        """
        idf = frequencies.of(counts.distinct).astype(np.float32)
        matrix = counts.matrix
        weights = np.sqrt(idf)[matrix.indices]
        entries = (weights, matrix.indices, matrix.indptr)
        roots = sparse.csr_array(entries, shape=matrix.shape)
        return cls(name, group, words, roots)

    @property
    def columns(self) -> dict[str, Column]:
        return with_endings(self.name, self.words, _OF_TERMS)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left = self.roots[rows_l]
        right = self.roots[rows_r]
        low, high = np.sort([_weights(left), _weights(right)], axis=0)
        common = sparse.csr_array(left.multiply(right))
        weight = common.sum(axis=1)
        sizes = np.sort([np.diff(left.indptr), np.diff(right.indptr)], axis=0).astype(np.float32)
        found = {
            "shared": np.diff(common.indptr),
            "weight": weight,
            "rarest": _largest(common),
            "jaccard": weight / np.maximum(low + high - weight, _MIN_WEIGHT),
            "contained": weight / np.maximum(low, _MIN_WEIGHT),
            "left_min": low - weight,
            "left_max": high - weight,
        }
        both = sizes[0] > 0
        columns: Columns = {}
        for key, values in found.items():
            columns[f"{self.name}_{key}"] = np.where(both, values, NAN).astype(np.float32)
        columns[f"{self.name}_count_min"] = sizes[0]
        columns[f"{self.name}_count_max"] = sizes[1]
        return columns


def _weights(roots: sparse.csr_array) -> Values:
    """The sum of the idf of each row's terms."""
    return roots.multiply(roots).sum(axis=1)


def _largest(rows: sparse.csr_array) -> Values:
    """The largest value of each row, 0 of an empty one."""
    largest = np.zeros(rows.shape[0], np.float32)
    full = np.diff(rows.indptr) > 0
    if full.any():
        largest[full] = np.maximum.reduceat(rows.data, rows.indptr[:-1][full])
    return largest


_OF_MEASURE = {
    "_min": Column("{} (lower)"),
    "_max": Column("{} (higher)"),
    "_apart": Column("{}: difference"),
}
_OF_COUNT = {
    "_min": Column("{} (lower)", Unit.COUNT),
    "_max": Column("{} (higher)", Unit.COUNT),
    "_apart": Column("{}: difference", Unit.COUNT),
}


def measure_columns(words_of: Mapping[str, str], unit: Unit = Unit.NUMBER) -> dict[str, Column]:
    """The columns of a `Measure` for each name; `words_of`: the words for what is measured."""
    endings = _OF_COUNT if unit is Unit.COUNT else _OF_MEASURE
    return columns_of_each(words_of, endings)


@dataclass(frozen=True)
class Measure:
    """A number of each ad, such as a length: both ads' numbers, and how far apart they are."""

    name: str
    group: str
    words: str
    values: Float32[np.ndarray, "ads"]
    unit: Unit = Unit.NUMBER  # or a count

    @property
    def columns(self) -> dict[str, Column]:
        return measure_columns({self.name: self.words}, self.unit)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        columns = ends(self.name, self.values, rows_l, rows_r)
        columns[f"{self.name}_apart"] = np.abs(self.values[rows_l] - self.values[rows_r])
        return columns
