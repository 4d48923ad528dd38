"""Fitting a calibration to pairs that the score was not learned from."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from nrl_dedup.metrics import calibration_bins, expected_calibration_error
from nrl_dedup.scoring.calibration import Calibration

Scores = Float64[np.ndarray, "pairs"]
Labels = Bool[np.ndarray, "pairs"]


def platt(scores: Scores, labels: Labels, weights: Scores) -> Calibration:
    """Logistic regression of one feature (Platt, 1999); a slope of at least 0."""
    mean = np.average(scores, weights=weights)
    centred = scores - mean
    variance = np.average(centred**2, weights=weights)
    deviation = float(np.sqrt(variance))
    if not deviation > 0:
        deviation = 1.0
    z_scores = centred[:, None] / deviation
    model = LogisticRegression().fit(z_scores, labels, sample_weight=weights)
    coefficient = float(model.coef_[0, 0])
    slope = max(0.0, coefficient) / deviation
    intercept = model.intercept_[0] - slope * mean
    return Calibration(slope, float(intercept))


def isotonic(scores: Scores, labels: Labels, weights: Scores) -> Calibration:
    """`platt`, bent to the isotonic regression's steps, each a knot at its mean score (Oron and Flournoy, 2017).

    A step's share of duplicates is drawn towards its Platt value as by one more pair, so that none is 0 or 1.
    """
    straight = platt(scores, labels, weights)
    if straight.slope == 0:
        return straight
    log_odds = straight(scores)
    shares = labels.astype(np.float64)
    steps = IsotonicRegression().fit_transform(log_odds, shares, sample_weight=weights)
    _, place = np.unique(steps, return_inverse=True)
    weight_of_step = np.bincount(place, weights)
    at = np.bincount(place, weights * log_odds) / weight_of_step
    duplicates = np.bincount(place, weights * labels)
    others = np.bincount(place, weights * ~labels)
    # Not computed from the share, which rounds to 1 if Platt's log-odds are large: its own would be infinite.
    log_duplicates = np.log(duplicates + expit(at))
    log_others = np.log(others + expit(-at))
    step_log_odds = log_duplicates - log_others
    after = np.maximum.accumulate(step_log_odds)
    knots = tuple(zip(at.tolist(), after.tolist(), strict=True))
    return Calibration(straight.slope, straight.intercept, knots)


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
            held = folds == fold
            rest = folds != fold
            if labels[rest].all() or not labels[rest].any():
                return platt(scores, labels, weights)
            calibration = fit(scores[rest], labels[rest], weights[rest])
            log_odds[held] = calibration(scores[held])
        errors[fit] = expected_calibration_error(calibration_bins(labels, log_odds, weights))
    best_fit = min(errors, key=lambda fit: errors[fit] or 0.0)
    return best_fit(scores, labels, weights)


def cross_calibrated(
    scores: Scores, labels: Labels, weights: Scores, folds: Int64[np.ndarray, "pairs"]
) -> Scores:
    """The log-odds of each fold's pairs by a calibration fitted to the other folds, so that their error is honest.

    Pairs of weight 0 get theirs too. If the other folds are all of one class, the calibration is fitted to all.
    """
    log_odds = np.empty(len(scores))
    for fold in np.unique(folds):
        held = folds == fold
        rest = (folds != fold) & (weights > 0)
        if labels[rest].all() or not labels[rest].any():
            rest = weights > 0
        calibration = fit_calibration(scores[rest], labels[rest], weights[rest], folds[rest])
        log_odds[held] = calibration(scores[held])
    return log_odds
