"""The pair model that `link` makes for the catalogue at hand, without labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.base import CODES, RIVALS
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.agreement_weights import AgreementWeights
from nrl_dedup.scoring.match_curve import MatchCurve, match_vectors
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import BASE

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class AdaptedModel:
    """pairwise score = log-odds of the views + weights of the identifiers' agreement;
    log-odds = those of curve(pairwise score) * the pair's share of its ads' candidates (`MatchShares`).

    `views`: each a forest of one group. `agreement`: fitted to this catalogue. `curve`: the same.
    """

    views: ModalityModels
    agreement: AgreementWeights
    curve: MatchCurve

    @property
    def columns(self) -> frozenset[str]:
        """The names of all columns of pair evidence that it reads."""
        names = set(self.agreement.of_column)
        for trees in self.views.trees.values():
            names.update(trees.names)
        return frozenset(names)

    @property
    def has_context(self) -> bool:
        """Whether it looks at the other candidates of a pair's ads."""
        return True

    def pairwise_log_odds(self, evidence: ComparisonVectors) -> Scores:
        """The score of each pair by itself."""
        return self.views.log_odds(evidence) + self.agreement.log_odds(evidence)

    def calibrated_log_odds(
        self, pairwise_log_odds: Scores, competitors: ComparisonVectors | None = None
    ) -> Scores:
        """The log-odds of each pair being a duplicate.

        :param competitors: `MatchShares.evidence` of the pairs; None: as if they had no other candidates.
        """
        if competitors is None:
            competitors = match_vectors(pairwise_log_odds, np.ones(len(pairwise_log_odds)))
        share = competitors.columns(["share"])[:, 0].astype(np.float64)
        return self.curve.log_odds(pairwise_log_odds, share)

    def log_odds(
        self, evidence: ComparisonVectors, competitors: ComparisonVectors | None = None
    ) -> Scores:
        """`calibrated_log_odds` of the pairwise score of each pair."""
        return self.calibrated_log_odds(self.pairwise_log_odds(evidence), competitors)

    def contributions(
        self, evidence: ComparisonVectors, competitors: ComparisonVectors | None = None
    ) -> dict[str, Scores]:
        """What each group of columns adds to the log-odds; `base` is the prior, and what the curve and the other
        candidates make of the sum is that of the competitors. They sum to `log_odds`."""
        found: dict[str, Scores] = {BASE: np.full(len(evidence), self.views.prior)}
        found.update(self.views.ratios(evidence))
        found[CODES] = self.agreement.log_odds(evidence)
        pairwise = np.sum(list(found.values()), axis=0)
        found[RIVALS] = self.calibrated_log_odds(pairwise, competitors) - pairwise
        return found
