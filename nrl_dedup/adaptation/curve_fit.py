"""fit_match_curve(): how often an ad's best candidate is its duplicate, by its score, without labels.

The scores of best candidates are a mixture: those of duplicates, and those of the best wrong candidates. What the best
wrong candidate of an ad scores is seen where the best one is right: it is the second best there. So the two are told
apart by expectation maximisation, from the probabilities that the model had learned from other catalogues.
"""

import numpy as np
from jaxtyping import Float64
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from nrl_dedup.scoring.match_curve import MatchCurve

# Where few ads have a duplicate, many rounds take the best wrong candidates for duplicates; with few rounds the curve
# stays the one of other catalogues. Of 3, 10 and 30, ten are best on the mean of six catalogues in which all, half, a
# fifth or none of the duplicates were left.
ROUNDS = 10
BINS = 30  # of equally many scores. Not tuned.
_SMOOTHING = 0.2  # ads in each bin beside those that are there. Not tuned.

Scores = Float64[np.ndarray, "ads"]


def fit_match_curve(best: Scores, best_wrong: Scores) -> MatchCurve:
    """From the scores (log-odds) of each ad's best candidate, and of the best that is wrong if that is right.

    :param best: at least one ad.
    """
    edges = _edges(best, best_wrong)
    middles = (edges[1:] + edges[:-1]) / 2
    ads_in_bin = np.histogram(best, edges)[0] + _SMOOTHING
    probability = expit(best)
    for _ in range(ROUNDS):
        share = float(probability.mean())
        wrong = np.histogram(best, edges, weights=1 - probability)[0]
        wrong += np.histogram(best_wrong, edges, weights=probability)[0]
        right = np.histogram(best, edges, weights=probability)[0]
        of_wrong = _density(wrong)
        of_right = _density(right)
        joint = share * of_right
        posterior = joint / (joint + (1 - share) * of_wrong)
        rising = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        rising.fit(middles, posterior, sample_weight=ads_in_bin)
        probability = rising.predict(best)
    at_middles = rising.predict(middles)
    return MatchCurve(
        tuple(middles.tolist()), tuple(at_middles.tolist()), float(probability.mean())
    )


def _edges(best: Scores, best_wrong: Scores) -> Float64[np.ndarray, "bins_1"]:
    """Of bins with equally many scores; the outer ones reach a little further."""
    together = np.concatenate([best, best_wrong])
    edges = np.unique(np.quantile(together, np.linspace(0, 1, BINS + 1)))
    edges[0] -= 1
    edges[-1] += 1
    if len(edges) == 1:  # one score alone
        return np.array([edges[0] - 1, edges[0] + 1])
    return edges


def _density(counts: Float64[np.ndarray, "bins"]) -> Float64[np.ndarray, "bins"]:
    smooth = counts + _SMOOTHING
    return smooth / smooth.sum()
