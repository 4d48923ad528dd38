"""What a model of pairs is to those that score with it, and what it is told of the other candidates of a pair's ads."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.tables import DistinctRows

Scores = Float64[np.ndarray, "pairs"]
AdScores = Float64[np.ndarray, "ads"]


@runtime_checkable
class PairScores(Protocol):
    """From comparison vectors to log-odds: `PairModel`, `AdaptedModel`."""

    @property
    def has_context(self) -> bool:
        """Whether it looks at the other candidates of a pair's ads."""

    def pairwise_log_odds(self, evidence: ComparisonVectors) -> Scores:
        """The score of each pair by itself."""

    def calibrated_log_odds(
        self, pairwise_log_odds: Scores, competitors: ComparisonVectors | None = None
    ) -> Scores:
        """The log-odds of each pair being a duplicate. `competitors`: `Context.evidence` of the pairs."""

    def contributions(
        self, evidence: ComparisonVectors, competitors: ComparisonVectors | None = None
    ) -> dict[str, Scores]:
        """What each group of columns adds to the log-odds."""


@runtime_checkable
class Context(Protocol):
    """What is known of the other candidates of a pair's ads: `Competitors`, `MatchShares`."""

    @property
    def best(self) -> AdScores:
        """Of each ad, how good its candidates are."""

    def evidence(
        self, distinct_l: DistinctRows, distinct_r: DistinctRows, pairwise_log_odds: Scores
    ) -> ComparisonVectors:
        """The input of the score in context."""

    def beside_nothing(
        self, pairwise_log_odds: Scores, best_l: AdScores, best_r: AdScores
    ) -> ComparisonVectors:
        """The same of pairs that are nobody's candidates, from `best` of their ads."""
