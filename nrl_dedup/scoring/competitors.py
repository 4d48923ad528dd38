"""Competitor features: the best score of either ad with a third ad. The input of the re-ranking model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nrl_dedup.comparison.base import RIVALS
from nrl_dedup.comparison.columns import Column, Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.comparison.similarities import Rows

NOBODY = -1
MIN_LOG_ODDS = -30.0  # of an ad without a competitor: below any that occurs
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

    `MIN_LOG_ODDS` where it has no candidate, or no other.
    """

    best: Float64[np.ndarray, "ads"]
    partner: Int64[np.ndarray, "ads"]
    next_best: Float64[np.ndarray, "ads"]

    @classmethod
    def of(cls, ends: Sequence[End], ads: int) -> "Competitors":
        """:param ends: ads, their candidate partners, and the scores of these pairs: each pair once for either ad."""
        best = np.full(ads, MIN_LOG_ODDS)
        partner = np.full(ads, NOBODY)
        next_best = np.full(ads, MIN_LOG_ODDS)
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

        -1: an ad with neither words nor a readable photo, which has no competitor.
        """
        left = self._without(rows_l, rows_r)
        right = self._without(rows_r, rows_l)
        lower = np.minimum(left, right)
        higher = np.maximum(left, right)
        values = np.stack([pairwise_log_odds, lower, higher], axis=1)
        groups = (RIVALS,) * len(COLUMNS)
        return ComparisonVectors(values.astype(np.float32), tuple(COLUMNS), groups, _DIRECTIONS)

    def _without(self, rows: Rows, others: Rows) -> Scores:
        """The highest score of each ad with any ad but the other one of its pair."""
        is_best = self.partner[rows] == others
        found = np.where(is_best, self.next_best[rows], self.best[rows])
        return np.where(rows == NOBODY, MIN_LOG_ODDS, found)
