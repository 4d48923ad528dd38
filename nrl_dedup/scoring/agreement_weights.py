"""What the agreement of identifiers is worth: a log-likelihood ratio for each kind and each way to agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.compare import ComparisonVectors

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class AgreementWeights:
    """log(m / u) of each value of each column (Fellegi and Sunter, 1969): m is its share among duplicates, u among the
    other pairs that come into question.

    `of_column`: for each column of identifiers, the weight of `Agreement` 1, 2, 3 ...; a pair without a value has 0.
    """

    of_column: Mapping[str, tuple[float, ...]]

    def added(self, evidence: ComparisonVectors) -> dict[str, Scores]:
        """What each column adds to the log-odds of each pair."""
        found: dict[str, Scores] = {}
        for name, weights in self.of_column.items():
            agreement = evidence.columns([name])[:, 0]
            place = np.nan_to_num(agreement, nan=0).astype(np.int64)
            with_missing = np.array([0.0, *weights])
            found[name] = with_missing[place]
        return found

    def log_odds(self, evidence: ComparisonVectors) -> Scores:
        """The sum over all columns. Given whether a pair is a duplicate, they are taken for independent."""
        total = np.zeros(len(evidence))
        for values in self.added(evidence).values():
            total += values
        return total
