"""From a score to log-odds that can be believed, learned from pairs that the score was not learned from."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import calibration_bins, expected_calibration_error, sigmoid

LARGEST = 1e6  # of a calibration's numbers: far beyond any log-odds, and so small that no score is infinite

Scores = Float64[np.ndarray, "pairs"]
Labels = Bool[np.ndarray, "pairs"]


@dataclass(frozen=True)
class Calibration:
    """log-odds = slope * score + intercept (Platt), then bent along `knots` where there are some.

    `knots`: log-odds before and after, both rising; between two of them a straight line, beyond the last ones one of
    slope 1. So the order of the scores stays.
    """

    slope: float
    intercept: float
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, scores: Scores) -> Scores:
        log_odds = self.slope * scores + self.intercept
        if not self.knots:
            return log_odds
        before, after = np.array(self.knots).T
        inside = np.clip(log_odds, before[0], before[-1])
        return np.interp(inside, before, after) + log_odds - inside

    def saved(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def loaded(cls, saved: Any) -> "Calibration":
        """:raises NrlDedupError: `saved` is not what `saved()` gives: a number is none, is not finite or beyond
        `LARGEST`, or the order of the scores would not stay."""
        if not isinstance(saved, dict) or saved.keys() != {"slope", "intercept", "knots"}:
            raise NrlDedupError("wanted a calibration of slope, intercept and knots; found others")
        knots, rows = saved["knots"], list | tuple
        if not isinstance(knots, rows) or not all(
            isinstance(knot, rows) and len(knot) == 2 for knot in knots
        ):
            raise NrlDedupError("wanted knots of two numbers each in a calibration; found others")
        figures = [
            saved["slope"],
            saved["intercept"],
            *(figure for knot in knots for figure in knot),
        ]
        if not all(type(figure) in (int, float) and abs(figure) <= LARGEST for figure in figures):
            raise NrlDedupError(
                f"wanted the numbers of a calibration from -{LARGEST:,.0f} to {LARGEST:,.0f}"
            )
        falls = any(later[end] < knot[end] for knot, later in pairwise(knots) for end in (0, 1))
        if falls or saved["slope"] < 0:
            raise NrlDedupError(
                "wanted a calibration that rises, found a slope below 0 or knots that fall"
            )
        return cls(
            float(saved["slope"]),
            float(saved["intercept"]),
            tuple((float(x), float(y)) for x, y in knots),
        )


def platt(scores: Scores, labels: Labels, weights: Scores) -> Calibration:
    """Logistic regression of one feature (Platt, 1999); a slope of at least 0."""
    mean = np.average(scores, weights=weights)
    deviation = np.sqrt(np.average((scores - mean) ** 2, weights=weights))
    deviation = float(deviation) if deviation > 0 else 1.0
    model = LogisticRegression().fit(
        (scores - mean)[:, None] / deviation, labels, sample_weight=weights
    )
    slope = max(0.0, float(model.coef_[0, 0])) / deviation
    return Calibration(slope, float(model.intercept_[0] - slope * mean))


def isotonic(scores: Scores, labels: Labels, weights: Scores) -> Calibration:
    """`platt`, bent to the isotonic regression's steps, each a knot at its mean score (Oron and Flournoy, 2017).

    A step's share of duplicates is drawn towards its Platt value as by one more pair, so that none is 0 or 1.
    """
    straight = platt(scores, labels, weights)
    if straight.slope == 0:
        return straight
    log_odds = straight(scores)
    steps = IsotonicRegression().fit_transform(
        log_odds, labels.astype(np.float64), sample_weight=weights
    )
    _, place = np.unique(steps, return_inverse=True)
    at = np.bincount(place, weights * log_odds) / np.bincount(place, weights)
    duplicates, others = np.bincount(place, weights * labels), np.bincount(place, weights * ~labels)
    # Not by way of the share, which rounds to 1 where Platt is very sure: its log-odds would be infinite.
    after = np.maximum.accumulate(np.log(duplicates + sigmoid(at)) - np.log(others + sigmoid(-at)))
    return Calibration(
        straight.slope, straight.intercept, tuple(zip(at.tolist(), after.tolist(), strict=True))
    )


def fit_calibration(
    scores: Scores, labels: Labels, weights: Scores, folds: Int64[np.ndarray, "pairs"]
) -> Calibration:
    """Platt's, or the isotonic one where its calibration error is lower on folds that it was not fitted on.

    :param scores: of each pair, by a model that has not seen it; `folds`: a number for each pair.
    """
    errors = {}
    for fit in (platt, isotonic):
        log_odds = np.empty(len(scores))
        for fold in np.unique(folds):
            held, rest = folds == fold, folds != fold
            if labels[rest].all() or not labels[rest].any():
                return platt(scores, labels, weights)
            log_odds[held] = fit(scores[rest], labels[rest], weights[rest])(scores[held])
        errors[fit] = expected_calibration_error(calibration_bins(labels, log_odds, weights))
    return min(errors, key=lambda fit: errors[fit] or 0.0)(scores, labels, weights)


def cross_calibrated(
    scores: Scores, labels: Labels, weights: Scores, folds: Int64[np.ndarray, "pairs"]
) -> Scores:
    """The log-odds of each fold's pairs by a calibration fitted to the other folds, so that their error is honest.

    Pairs that weigh nothing get theirs too. Where the other folds are all of one class, by one fitted to all.
    """
    log_odds = np.empty(len(scores))
    for fold in np.unique(folds):
        held, rest = folds == fold, (folds != fold) & (weights > 0)
        if labels[rest].all() or not labels[rest].any():
            rest = weights > 0
        log_odds[held] = fit_calibration(scores[rest], labels[rest], weights[rest], folds[rest])(
            scores[held]
        )
    return log_odds
