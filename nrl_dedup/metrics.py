"""How good scores are: average precision, loss, precision and recall, and how much blocking keeps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit

BUCKETS = 11
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision (4.2) and recall (4.3) when every pair at a threshold or above is called linked."""

    thresholds: Float64[np.ndarray, "thresholds"]
    precision: Float64[np.ndarray, "thresholds"]
    recall: Float64[np.ndarray, "thresholds"]


def precision_recall_curve(
    labels: Bool[np.ndarray, "pairs"],
    scores: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
) -> PrecisionRecallCurve | None:
    """A point for each distinct score, the highest first, so recall never falls. Equal scores share one point.

    Drawn as steps that keep P_n from R_(n-1) to R_n, the area below it is `average_precision`.

    :param weights: above 0.
    :return: None where one class is absent, as in `average_precision`.
    """
    if labels.all() or not labels.any():
        return None
    distinct, place = np.unique(-scores, return_inverse=True)
    seen = np.cumsum(np.bincount(place, weights))
    hits = np.cumsum(np.bincount(place, np.where(labels, weights, 0.0)))
    return PrecisionRecallCurve(thresholds=-distinct, precision=hits / seen, recall=hits / hits[-1])


def average_precision(
    labels: Bool[np.ndarray, "pairs"],
    scores: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
) -> float | None:
    """AP = sum_n (R_n - R_(n-1)) P_n over the thresholds n, no interpolation (4.1).

    Equal scores share one threshold, so their order does not matter. Pass logits rather than probabilities:
    a sigmoid that rounds to 1.0 has lost its order.

    :return: None where AP is not defined, that is when one class is absent.
    """
    curve = precision_recall_curve(labels, scores, weights)
    return (
        None
        if curve is None
        else float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))
    )


def are_links(logits: Float64[np.ndarray, "pairs"], threshold: float) -> Bool[np.ndarray, "pairs"]:
    """Whether the score of each pair is at `threshold` or above, in the 32 bits that `link` compares and writes."""
    return expit(logits).astype(np.float32) >= np.float32(threshold)


def log_loss(
    labels: Bool[np.ndarray, "pairs"],
    logits: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
) -> float:
    """The mean binary cross-entropy (4.4) of expit(logits), in nats, of at least one pair."""
    losses = np.logaddexp(0.0, np.where(labels, -logits, logits))
    return float(np.average(losses, weights=weights))


@dataclass(frozen=True)
class Quality:
    """What one model reaches on labelled pairs. An undefined figure is None, never NaN.

    `pairs` and `positives` are plain counts; the other figures use the pairs' weights. `calibration_error`: see
    `expected_calibration_error`.
    """

    pairs: int
    positives: int
    average_precision: float | None
    loss: float | None
    precision: float | None
    recall: float | None
    calibration_error: float | None


def quality(
    labels: Bool[np.ndarray, "pairs"],
    logits: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
    threshold: float,
) -> Quality:
    """`Quality` of `logits`; precision (4.2) and recall (4.3) call a pair linked at `threshold` or above."""
    linked = are_links(logits, threshold)
    found = float(weights[linked & labels].sum())
    claimed = float(weights[linked].sum())
    wanted = float(weights[labels].sum())
    return Quality(
        pairs=len(labels),
        positives=int(labels.sum()),
        average_precision=average_precision(labels, logits, weights),
        loss=log_loss(labels, logits, weights) if len(labels) else None,
        precision=found / claimed if claimed else None,
        recall=found / wanted if wanted else None,
        calibration_error=expected_calibration_error(calibration_bins(labels, logits, weights)),
    )


@dataclass(frozen=True)
class CalibrationBins:
    """Pairs of like probability together, the lowest first; a bin that no pair fell into is left out.

    `predicted` is the weighted mean of expit(logits), `observed` the weighted share of duplicates, `weights` the
    sum of the weights and `pairs` the plain count.
    """

    predicted: Float64[np.ndarray, "bins"]
    observed: Float64[np.ndarray, "bins"]
    weights: Float64[np.ndarray, "bins"]
    pairs: Int64[np.ndarray, "bins"]


def calibration_bins(
    labels: Bool[np.ndarray, "pairs"],
    logits: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
    bins: int = CALIBRATION_BINS,
) -> CalibrationBins:
    """Quantile bins, each of about the same weight.

    A pair falls in bin floor(bins * (W_below + W_equal / 2) / W): W_below is the weight of the pairs with a lower
    logit, W_equal that of the pairs with its own logit, W that of all. So equal logits are never parted.
    """
    _, place = np.unique(logits, return_inverse=True)
    equal = np.bincount(place, weights)
    up_to = np.cumsum(equal)
    bin_of = (bins * (up_to - equal / 2) / up_to[-1:]).astype(np.int64)
    _, place = np.unique(np.minimum(bin_of, bins - 1)[place], return_inverse=True)
    # Of no pairs, bincount makes whole numbers.
    inside = np.bincount(place, weights).astype(np.float64)
    return CalibrationBins(
        predicted=np.bincount(place, weights * expit(logits)) / inside,
        observed=np.bincount(place, weights * labels) / inside,
        weights=inside,
        pairs=np.bincount(place).astype(np.int64),
    )


def expected_calibration_error(bins: CalibrationBins) -> float | None:
    """ECE = sum_b (W_b / W) |observed_b - predicted_b| (Naeini et al., 2015), here over quantile bins.

    :return: None without pairs.
    """
    if not len(bins.pairs):
        return None
    return float(np.average(np.abs(bins.observed - bins.predicted), weights=bins.weights))


def length_bucket(
    words_l: Int64[np.ndarray, "pairs"], words_r: Int64[np.ndarray, "pairs"]
) -> Int64[np.ndarray, "pairs"]:
    """The thesis's bucket of a pair: floor(m / 10), m the mean of the two descriptions' words, at most 100 each.

    Bucket 10 holds the pairs whose mean is exactly 100; a mean of 0 falls in bucket 0.
    """
    total = np.minimum(words_l, 100) + np.minimum(words_r, 100)
    return total // 20


def pairs_completeness(
    labels: Bool[np.ndarray, "pairs"], found: Bool[np.ndarray, "pairs"]
) -> float | None:
    """The share of the duplicate pairs that blocking finds; None if there are none."""
    return float(found[labels].mean()) if labels.any() else None


def reduction_ratio(candidates: int, pairs: int) -> float | None:
    """1 - candidates / pairs: the share of all pairs that need no look; None where there is no pair."""
    return 1 - candidates / pairs if pairs else None


def logits_after_blocking(
    logits: Float64[np.ndarray, "pairs"], found: Bool[np.ndarray, "pairs"]
) -> Float64[np.ndarray, "pairs"]:
    """The logits, those of pairs that blocking lost made one value below all that were found.

    So average precision counts the lost: they share the last threshold, whatever the model would have made of them,
    and duplicates among them add their recall only at the precision of the whole set, where every pair is claimed.
    """
    return np.where(found, logits, logits[found].min() - 1 if found.any() else 0.0)
