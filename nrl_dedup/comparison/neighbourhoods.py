"""An ad's neighbourhood: how alike its nearest ads are, so that a similarity is seen relative to where it occurs.

Local scaling, as CSLS does it for words (Conneau et al., 2018).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE, Neighbours
from nrl_dedup.comparison.similarities import NAN, Rows, Similarity, Values

MAX_NEAREST = 10  # similarities of which an ad's level is the mean; as in CSLS. Not tuned.
MAX_RANKED = (
    20  # similarities among which a pair has a rank; a rank beyond that is this one. Not tuned.
)
MAX_KNOWN = 25  # nearest ads from each searched space. Not tuned.
_CHUNK_PAIRS = 1 << 16  # compared at once; bounds the memory


def known_neighbours(searched: Iterable[Neighbours]) -> Int64[np.ndarray, "ads known"]:
    """Of each ad, the `MAX_KNOWN` nearest in each searched space, each ad once, ascending; the rest is NONE."""
    nearest = [space.rows[:, :MAX_KNOWN] for space in searched]
    rows = np.sort(np.concatenate(nearest, axis=1), axis=1)
    repeated = np.zeros(rows.shape, dtype=bool)
    repeated[:, 1:] = rows[:, 1:] == rows[:, :-1]
    return np.where(repeated, NONE, rows)


@dataclass(frozen=True)
class NeighbourhoodStatistics:
    """Of each ad, its `MAX_RANKED` highest similarities to known neighbours, the highest first, NaN where there are
    fewer; and its level, the mean of the ten highest (or as many as there are), NaN without any. The level of an ad
    without a neighbour in any space, as in a catalogue of copies of one ad, is 0."""

    nearest: Float32[np.ndarray, "ads kept"]
    levels: Float32[np.ndarray, "ads"]

    @classmethod
    def fit(
        cls, space: Similarity, known: Int64[np.ndarray, "ads known"]
    ) -> "NeighbourhoodStatistics":
        """The neighbourhood of every ad in one space.

        It belongs to these ads alone: a new ad needs neighbours of its own. The neighbours were searched in a few
        spaces, and are ranked anew in this one: its own nearest ads may be missing among them. On the real ads that
        moves the average precision of no similarity by more than 0.001.

        :param known: `known_neighbours`.
        """
        kept = min(MAX_RANKED, known.shape[1])
        nearest = np.empty((len(known), kept), np.float32)
        step = max(1, _CHUNK_PAIRS // max(1, known.shape[1]))
        for start in range(0, len(known), step):
            part = known[start : start + step]
            is_known = part != NONE
            ad, place = np.nonzero(is_known)
            found = np.full(part.shape, -np.inf, np.float32)
            similarities = space.similarity(start + ad, part[ad, place])
            found[ad, place] = np.nan_to_num(similarities, nan=-np.inf)
            falling = -np.sort(-found, axis=1)
            nearest[start : start + step] = falling[:, :kept]
        nearest = np.where(np.isinf(nearest), NAN, nearest)
        alone = (known == NONE).all(axis=1)
        return cls.of(nearest, alone)

    @classmethod
    def of(
        cls, nearest: Float32[np.ndarray, "ads kept"], alone: Bool[np.ndarray, "ads"]
    ) -> "NeighbourhoodStatistics":
        """:param alone: which ads have no neighbour in any space."""
        top = nearest[:, :MAX_NEAREST]
        count = (~np.isnan(top)).sum(axis=1)
        means = np.nansum(top, axis=1) / np.maximum(count, 1)
        levels = np.where(count > 0, means, NAN).astype(np.float32)
        levels[alone] = 0
        return cls(nearest, levels)

    def ranks(self, rows: Rows, similarities: Values) -> Values:
        """How many of the kept similarities of each row's ad are higher than the given one; NaN of NaN."""
        is_higher = self.nearest[rows] > similarities[:, None]
        higher = is_higher.sum(axis=1).astype(np.float32)
        return np.where(np.isnan(similarities), NAN, higher)
