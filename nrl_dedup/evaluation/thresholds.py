"""The threshold that reaches a wanted precision or recall, and what can be expected of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import isotonic_regression

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.bootstrap import (
    REPLICATES,
    Interval,
    PairGroups,
    percentile_interval,
    resampled_weights,
)


@dataclass(frozen=True)
class HeldOut:
    """Scored pairs that the scorer was not fitted on, and that are like those that the threshold is for.

    `scores`: probabilities, logits, or whatever rises with them; -inf for a pair that blocking lost, which no threshold
    links. `weights`: above 0. `groups`: what the intervals draw.
    """

    labels: Bool[np.ndarray, "pairs"]
    scores: Float64[np.ndarray, "pairs"]
    weights: Float64[np.ndarray, "pairs"]
    groups: PairGroups


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, from which a pair is a link, and the held-out pairs' precision (4.2) and recall (4.3) there.

    The intervals are 95 % ones over groups of duplicates (`bootstrap`), of this threshold: they say how well the
    held-out pairs know its precision and recall. Of as many new pairs the figures vary about 1.4 times as much.
    """

    threshold: float
    precision: float
    recall: float
    precision_interval: Interval
    recall_interval: Interval


def threshold_for_precision(held_out: HeldOut, target: float, *, seed: int = 0) -> ChosenThreshold:
    """The lowest threshold, so that of the highest recall, whose precision is at least `target`.

    The plain precision goes up and down with each pair, and a lowest threshold where it happens to be high enough is
    partly luck. A pair of a higher score is no less likely a duplicate: so the share of duplicates is first made to
    rise with the score (isotonic regression, weighted; Zadrozny & Elkan 2002), and precision is the mean of this share
    over the pairs at a threshold or above. It never falls as the threshold rises, so it crosses `target` once. No shape
    is supposed for the share: logistic regression, fitted to all pairs, is off at the end that matters.

    Above all pairs one more is assumed, of their mean weight, that is not a duplicate. So a few right pairs at the top
    promise nothing (a precision of 0.95 needs 19 of them), and what the fit takes too kindly is made up for. In a
    simulation with 2,600 and with 650 held-out duplicates, 0.95 wanted, the true precision at the threshold was 0.950
    +- 0.005 and 0.952 +- 0.013 (logistic regression: 0.969, 0.970).

    :raises NrlDedupError: `target` is not above 0 and below 1, or no threshold reaches it.
    """
    if not 0 < target < 1:
        raise NrlDedupError(f"--precision {target}: wanted a share above 0 and below 1.")
    scores, seen, hits = _by_score(held_out)
    seen = np.append(held_out.weights.mean(), seen)
    share = isotonic_regression(np.append(0.0, hits) / seen, weights=seen, increasing=False).x
    precision = np.cumsum(share * seen) / np.cumsum(seen)
    reached = np.flatnonzero(precision[1:] >= target - 1e-9)
    if not len(reached):
        best = precision[0]
        raise NrlDedupError(
            f"--precision {target}: of the {len(held_out.labels):,} held-out pairs, {held_out.labels.sum():,} of them "
            f"duplicates, those with the highest scores promise {best:.3f}. Ask for less, or train with more pairs."
        )
    return _chosen(held_out, float(scores[reached[-1]]), seed)


def threshold_for_recall(held_out: HeldOut, target: float, *, seed: int = 0) -> ChosenThreshold:
    """The highest threshold, so that of the highest precision to be hoped for, whose recall is at least `target`.

    :raises NrlDedupError: `target` is not above 0 and at most 1, or blocking loses too many duplicates to reach it.
    """
    if not 0 < target <= 1:
        raise NrlDedupError(f"--recall {target}: wanted a share above 0, at most 1.")
    scores, _, hits = _by_score(held_out)
    duplicates = held_out.weights[held_out.labels].sum()
    recall = np.cumsum(hits) / duplicates if duplicates else np.zeros(len(hits))
    reached = np.flatnonzero(recall >= target - 1e-9)
    if not len(reached):
        best = recall[-1] if len(recall) else 0.0
        raise NrlDedupError(
            f"--recall {target}: blocking finds {best:.3f} of the {held_out.labels.sum():,} held-out duplicates. "
            "Ask for less, or search with more --candidates."
        )
    return _chosen(held_out, float(scores[reached[0]]), seed)


def _by_score(
    held_out: HeldOut,
) -> tuple[
    Float64[np.ndarray, "scores"], Float64[np.ndarray, "scores"], Float64[np.ndarray, "scores"]
]:
    """Each score of a pair that blocking found, the highest first; the weight of its pairs, and of its duplicates."""
    found = np.isfinite(held_out.scores)
    labels, weights = held_out.labels[found], held_out.weights[found]
    scores, place = np.unique(-held_out.scores[found], return_inverse=True)
    return (
        -scores,
        np.bincount(place, weights) * 1.0,
        np.bincount(place, np.where(labels, weights, 0.0)) * 1.0,
    )


def _chosen(held_out: HeldOut, threshold: float, seed: int) -> ChosenThreshold:
    linked = held_out.scores >= threshold
    counted = np.flatnonzero(linked | held_out.labels)  # the others count for nothing
    linked, labels, weights = linked[counted], held_out.labels[counted], held_out.weights[counted]
    groups = PairGroups(
        held_out.groups.left[counted], held_out.groups.right[counted], held_out.groups.count
    )

    def precision_and_recall(weights: Float64[np.ndarray, "pairs"]) -> tuple[float, float]:
        hits = float(weights[linked & labels].sum())
        links = float(weights[linked].sum())
        duplicates = float(weights[labels].sum())
        return hits / links if links else np.nan, hits / duplicates if duplicates else np.nan

    resampled = resampled_weights(groups, weights, REPLICATES, seed)
    precisions, recalls = np.array([precision_and_recall(drawn) for drawn in resampled]).T
    precision, recall = precision_and_recall(weights)
    return ChosenThreshold(
        threshold, precision, recall, percentile_interval(precisions), percentile_interval(recalls)
    )
