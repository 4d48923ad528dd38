"""The score that is learned without labels: one forest for each group of comparisons (text, photos, price, other)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.trees import Trees

# Pairs that are taken for others, for each that is taken for a duplicate, where a forest is grown. Not tuned.
OTHERS_PER_DUPLICATE = 10

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class ModalityModels:
    """A forest for each group, which gives its log-likelihood ratio; and the log-odds of a duplicate before any.

    Given whether a pair is a duplicate, the groups are taken for independent: log-odds = prior + sum of their ratios.
    They are not quite independent, so the log-odds are too large either way until labelled pairs correct their scale.
    """

    trees: Mapping[str, Trees]
    prior: float

    def ratios(self, evidence: ComparisonVectors) -> dict[str, Scores]:
        """The log-likelihood ratio of each group; 0 for a pair that has no value in it."""
        return {group: self._ratio(evidence, trees) for group, trees in self.trees.items()}

    def log_odds(self, evidence: ComparisonVectors) -> Scores:
        prior = np.full(len(evidence), self.prior)
        return np.sum([prior, *self.ratios(evidence).values()], axis=0)

    @staticmethod
    def _ratio(evidence: ComparisonVectors, trees: Trees) -> Scores:
        is_known = ~np.isnan(evidence.columns(trees.names)).all(axis=1)
        # The trees' log-odds are of a sample with this many others for each duplicate.
        ratio = trees.log_odds(evidence) + np.log(OTHERS_PER_DUPLICATE)
        return np.where(is_known, ratio, 0.0)
