"""Competitor features: the best score of either ad with a third ad. The input of the re-ranking model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nrl_dedup.comparison.base import RIVALS
from nrl_dedup.comparison.columns import Column, Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.tables import DistinctRows

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
        """
        :param ends: ads, their candidate partners, and the scores of these pairs: each pair once for either ad.
        :param ads: how many distinct ads there are.
        """
        best = np.full(ads, MIN_LOG_ODDS)
        partner = np.full(ads, NOBODY)
        next_best = np.full(ads, MIN_LOG_ODDS)
        for own, _, scores in ends:
            np.maximum.at(best, own, scores)
        for own, others, scores in ends:
            first = scores == best[own]
            np.maximum.at(partner, own[first], others[first])
        for own, others, scores in ends:
            rest = others != partner[own]
            np.maximum.at(next_best, own[rest], scores[rest])
        return cls(best, partner, next_best)

    def evidence(
        self, distinct_l: DistinctRows, distinct_r: DistinctRows, pairwise_log_odds: Scores
    ) -> ComparisonVectors:
        """Of each pair, its own score and the highest that either ad has with a third one, the lower and the higher."""
        left = self._without(distinct_l, distinct_r)
        right = self._without(distinct_r, distinct_l)
        return competitor_vectors(pairwise_log_odds, left, right)

    def beside_nothing(
        self, pairwise_log_odds: Scores, best_l: Scores, best_r: Scores
    ) -> ComparisonVectors:
        """As `evidence`, of pairs that are nobody's candidates, from `best` of their ads."""
        return competitor_vectors(pairwise_log_odds, best_l, best_r)

    def _without(self, distinct: DistinctRows, others: DistinctRows) -> Scores:
        """The highest score of each ad with any ad but the other one of its pair."""
        is_best = self.partner[distinct] == others
        return np.where(is_best, self.next_best[distinct], self.best[distinct])


def competitor_vectors(pairwise_log_odds: Scores, left: Scores, right: Scores) -> ComparisonVectors:
    """Of each pair, its own score, and the lower and the higher of its ads' best scores with a third one."""
    lower = np.minimum(left, right)
    higher = np.maximum(left, right)
    values = np.stack([pairwise_log_odds, lower, higher], axis=1)
    groups = (RIVALS,) * len(COLUMNS)
    return ComparisonVectors(values.astype(np.float32), tuple(COLUMNS), groups, _DIRECTIONS)
