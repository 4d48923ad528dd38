"""Whom else an ad could be a duplicate of: what a second look at a pair sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nrl_dedup.comparison.base import RIVALS
from nrl_dedup.comparison.columns import Column, Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.comparison.similarities import Rows

NOBODY = -1
LEAST = -30.0  # log-odds of a rival that is none
COLUMNS = {
    "first_look": Column("this pair by itself, log-odds", direction=Direction.NEVER_LOWERS),
    "rival_min": Column("best other pair of the ads, log-odds (lower)"),
    "rival_max": Column("best other pair of the ads, log-odds (higher)"),
}
_DIRECTIONS = {name: column.direction for name, column in COLUMNS.items()}

Scores = Float64[np.ndarray, "pairs"]
End = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"], Float64[np.ndarray, "_"]]


@dataclass(frozen=True)
class Competitors:
    """Of each ad, the highest score of its candidate pairs, with which ad, and the highest with any other ad.

    `LEAST` where it has no candidate, or no other.
    """

    best: Float64[np.ndarray, "ads"]
    partner: Int64[np.ndarray, "ads"]
    next_best: Float64[np.ndarray, "ads"]

    @classmethod
    def of(cls, ends: Sequence[End], ads: int) -> "Competitors":
        """:param ends: ads, their candidate partners, and the scores of these pairs: each pair once for either ad."""
        best, partner, next_best = np.full(ads, LEAST), np.full(ads, NOBODY), np.full(ads, LEAST)
        for rows, _, scores in ends:
            np.maximum.at(best, rows, scores)
        for rows, others, scores in ends:
            first = scores == best[rows]
            np.maximum.at(partner, rows[first], others[first])
        for rows, others, scores in ends:
            rest = others != partner[rows]
            np.maximum.at(next_best, rows[rest], scores[rest])
        return cls(best, partner, next_best)

    def evidence(self, rows_l: Rows, rows_r: Rows, pairwise_log_odds: Scores) -> ComparisonVectors:
        """Of each pair, its own score and the highest that either ad has with a third one, the lower and the higher.

        An ad of -1, which says nothing, has none.
        """
        left, right = self._without(rows_l, rows_r), self._without(rows_r, rows_l)
        values = np.stack(
            [pairwise_log_odds, np.minimum(left, right), np.maximum(left, right)], axis=1
        )
        groups = (RIVALS,) * len(COLUMNS)
        return ComparisonVectors(values.astype(np.float32), tuple(COLUMNS), groups, _DIRECTIONS)

    def _without(self, rows: Rows, others: Rows) -> Scores:
        found = np.where(self.partner[rows] == others, self.next_best[rows], self.best[rows])
        return np.where(rows == NOBODY, LEAST, found)
