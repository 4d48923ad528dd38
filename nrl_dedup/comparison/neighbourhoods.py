"""An ad's surroundings: how alike its nearest ads are, so that a similarity can be judged by where it occurs."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE, Neighbours
from nrl_dedup.comparison.similarities import NAN, Rows, Similarity, Values

NEAREST = 10
KEPT = 20
KNOWN = 25
_PAIRS_AT_ONCE = 1 << 16


def known_neighbours(searched: Iterable[Neighbours]) -> Int64[np.ndarray, "ads known"]:
    """Of each ad, the `KNOWN` nearest in each searched space, each ad once, in ascending order; the rest is NONE."""
    rows = np.sort(np.concatenate([space.rows[:, :KNOWN] for space in searched], axis=1), axis=1)
    repeated = np.zeros(rows.shape, dtype=bool)
    repeated[:, 1:] = rows[:, 1:] == rows[:, :-1]
    return np.where(repeated, NONE, rows)


@dataclass(frozen=True)
class NeighbourhoodStatistics:
    """Of each ad, its `KEPT` highest similarities to known neighbours, the highest first, NaN where there are fewer;
    and its level, the mean of the ten highest (or as many as there are), NaN without any. An ad without a neighbour
    in any space, as in a catalogue of copies of one ad, has nothing like it around: its level is 0."""

    nearest: Float32[np.ndarray, "ads kept"]
    levels: Float32[np.ndarray, "ads"]

    @classmethod
    def of(
        cls, nearest: Float32[np.ndarray, "ads kept"], alone: Bool[np.ndarray, "ads"]
    ) -> "NeighbourhoodStatistics":
        """:param alone: which ads have no neighbour in any space."""
        top = nearest[:, :NEAREST]
        count = (~np.isnan(top)).sum(axis=1)
        levels = np.where(count > 0, np.nansum(top, axis=1) / np.maximum(count, 1), NAN).astype(
            np.float32
        )
        levels[alone] = 0
        return cls(nearest, levels)

    def ranks(self, rows: Rows, similarities: Values) -> Values:
        """How many of the kept similarities of each row's ad are higher than the given one; NaN of NaN."""
        higher = (self.nearest[rows] > similarities[:, None]).sum(axis=1).astype(np.float32)
        return np.where(np.isnan(similarities), NAN, higher)


def neighbourhood_statistics(
    space: Similarity, known: Int64[np.ndarray, "ads known"]
) -> NeighbourhoodStatistics:
    """The surroundings of every ad in one space.

    The neighbours were searched in a few spaces, and are ranked anew in this one: its own nearest ads may be missing
    among them. On the real ads that moves the average precision of no similarity by more than 0.001.
    """
    kept = min(KEPT, known.shape[1])
    nearest = np.empty((len(known), kept), np.float32)
    step = max(1, _PAIRS_AT_ONCE // max(1, known.shape[1]))
    for start in range(0, len(known), step):
        part = known[start : start + step]
        ad, place = np.nonzero(part != NONE)
        found = np.full(part.shape, -np.inf, np.float32)
        found[ad, place] = np.nan_to_num(space.similarity(start + ad, part[ad, place]), nan=-np.inf)
        nearest[start : start + step] = -np.sort(-found, axis=1)[:, :kept]
    return NeighbourhoodStatistics.of(
        np.where(np.isinf(nearest), NAN, nearest), (known == NONE).all(axis=1)
    )
