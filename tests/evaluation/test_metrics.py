"""Against scikit-learn, and against pairs counted one by one."""

from fractions import Fraction
from math import exp, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve

from nrl_dedup import metrics

scored = st.lists(
    st.tuples(st.booleans(), st.integers(-4, 4).map(float), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=2,
    max_size=60,
)


def columns(rows: list[tuple[bool, float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, scores, weights = zip(*rows, strict=True)
    return np.array(labels), np.array(scores), np.array(weights)


@given(scored)
def test_average_precision_is_scikit_learns_ties_and_weights_included(rows: list) -> None:
    labels, scores, weights = columns(rows)
    if labels.all() or not labels.any():
        assert metrics.average_precision(labels, scores, weights) is None
        return
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert metrics.average_precision(labels, scores, weights) == pytest.approx(expected, abs=1e-12)


@given(scored)
def test_loss_is_scikit_learns(rows: list) -> None:
    labels, logits, weights = columns(rows)
    expected = log_loss(
        labels, 1 / (1 + np.exp(-logits)), sample_weight=weights, labels=[False, True]
    )
    assert metrics.log_loss(labels, logits, weights) == pytest.approx(expected, abs=1e-9)


def test_average_precision_by_hand() -> None:
    # thresholds 3, 2, 1: precision 1/1, 1/2, 2/3; recall 1/2, 1/2, 1
    value = metrics.average_precision(
        np.array([True, False, True]), np.array([3.0, 2.0, 1.0]), np.ones(3)
    )
    assert value == pytest.approx(0.5 * 1 + 0.0 * 0.5 + 0.5 * 2 / 3)


def test_the_order_of_saturated_scores_is_kept_in_logits() -> None:
    labels, logits = np.array([True, False]), np.array([60.0, 50.0])
    assert expit(logits)[0] == expit(logits)[1] == 1.0
    assert metrics.average_precision(labels, logits, np.ones(2)) == 1.0


def test_precision_and_recall_at_the_threshold() -> None:
    labels = np.array([True, True, False, False])
    quality = metrics.quality(
        labels, np.array([1.0, -1.0, 0.0, -2.0]), np.array([1.0, 1.0, 2.0, 2.0]), 0.5
    )
    assert (quality.pairs, quality.positives) == (4, 2)
    assert quality.precision == pytest.approx(
        1 / 3
    )  # logit 0 is exactly at the threshold, so it is linked
    assert quality.recall == pytest.approx(1 / 2)


def test_no_pairs_have_no_quality() -> None:
    empty = np.array([])
    quality = metrics.quality(empty.astype(bool), empty, empty, 0.5)
    assert quality == metrics.Quality(0, 0, None, None, None, None, None)


@pytest.mark.parametrize(
    ("left", "right", "bucket"),
    [
        (0, 0, 0),
        (9, 10, 0),
        (10, 10, 1),
        (0, 19, 0),
        (0, 20, 1),
        (99, 100, 9),
        (100, 100, 10),
        (250, 300, 10),
    ],
)
def test_length_buckets_are_the_thesiss(left: int, right: int, bucket: int) -> None:
    assert metrics.length_bucket(np.array([left]), np.array([right])) == [bucket]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-4, 4).map(float), st.booleans()),
        min_size=2,
        max_size=40,
    )
)
def test_lost_pairs_rank_below_all_that_blocking_finds(
    rows: list[tuple[bool, float, bool]],
) -> None:
    labels, logits, found = columns(rows)
    ranked = metrics.logits_after_blocking(logits, found)
    assert (ranked[found] == logits[found]).all() and len(set(ranked[~found])) <= 1
    lost_last = [(0, 0.0) if not kept else (1, logit) for _, logit, kept in rows]
    order = {key: place for place, key in enumerate(sorted(set(lost_last)))}
    if len(set(labels)) == 2:
        expected = average_precision_score(labels, [order[key] for key in lost_last])
        assert metrics.average_precision(labels, ranked, np.ones(len(rows))) == pytest.approx(
            expected, abs=1e-12
        )


def test_average_precision_after_blocking_by_hand() -> None:
    # found: a duplicate at 2, a negative at 1; lost: a duplicate and a negative, though the model knows which is which
    labels, logits = np.array([True, False, True, False]), np.array([2.0, 1.0, 5.0, -9.0])
    ranked = metrics.logits_after_blocking(logits, np.array([True, True, False, False]))
    assert metrics.average_precision(labels, ranked, np.ones(4)) == pytest.approx(
        0.5 * 1 + 0.5 * 2 / 4
    )


def test_what_blocking_keeps() -> None:
    labels, found = np.array([True, True, True, False]), np.array([True, False, True, True])
    assert metrics.pairs_completeness(labels, found) == pytest.approx(2 / 3)
    assert metrics.pairs_completeness(~labels[:3], found[:3]) is None
    assert metrics.reduction_ratio(9, 45) == pytest.approx(0.8)
    assert metrics.reduction_ratio(0, 0) is None


@given(scored)
def test_precision_recall_curve_is_scikit_learns_ties_and_weights_included(rows: list) -> None:
    labels, scores, weights = columns(rows)
    curve = metrics.precision_recall_curve(labels, scores, weights)
    if labels.all() or not labels.any():
        assert curve is None
        return
    precision, recall, thresholds = precision_recall_curve(labels, scores, sample_weight=weights)
    assert curve is not None
    assert curve.thresholds.tolist() == thresholds[::-1].tolist()
    np.testing.assert_allclose(
        curve.precision, precision[-2::-1], atol=1e-12
    )  # its last point is no threshold
    np.testing.assert_allclose(curve.recall, recall[-2::-1], atol=1e-12)


def test_precision_recall_curve_by_hand() -> None:
    labels, scores = np.array([True, False, True, False]), np.array([3.0, 2.0, 2.0, 1.0])
    curve = metrics.precision_recall_curve(labels, scores, np.array([1.0, 2.0, 1.0, 4.0]))
    assert curve is not None
    assert curve.thresholds.tolist() == [3.0, 2.0, 1.0]
    assert curve.precision.tolist() == [1.0, 2 / 4, 2 / 8]
    assert curve.recall.tolist() == [0.5, 1.0, 1.0]


@given(scored, st.integers(1, 12))
def test_calibration_bins_are_those_of_a_pair_by_pair_count(rows: list, bins: int) -> None:
    labels, logits, weights = columns(rows)
    total = Fraction(float(weights.sum()))
    members: dict[int, list[tuple[bool, float, float]]] = {}
    for label, logit, weight in rows:
        below = Fraction(sum(w for _, other, w in rows if other < logit))
        equal = Fraction(sum(w for _, other, w in rows if other == logit))
        members.setdefault(floor(bins * (below + equal / 2) / total), []).append(
            (label, logit, weight)
        )
    inside = [members[b] for b in sorted(members)]
    sums = [sum(w for _, _, w in part) for part in inside]
    predicted = [
        sum(w / (1 + exp(-x)) for _, x, w in part) / s for part, s in zip(inside, sums, strict=True)
    ]
    observed = [sum(w for y, _, w in part if y) / s for part, s in zip(inside, sums, strict=True)]
    error = sum(s * abs(o - p) for s, o, p in zip(sums, observed, predicted, strict=True)) / sum(
        sums
    )

    found = metrics.calibration_bins(labels, logits, weights, bins)
    assert found.pairs.tolist() == [len(part) for part in inside]
    assert found.weights.tolist() == sums
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)
    np.testing.assert_allclose(found.observed, observed, atol=1e-12)
    assert metrics.expected_calibration_error(found) == pytest.approx(error, abs=1e-12)


def test_calibration_of_distinct_scores_is_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, size=500)
    labels = draw.random(500) < 0.4
    found = metrics.calibration_bins(labels, logits, np.ones(500))
    observed, predicted = calibration_curve(
        labels, 1 / (1 + np.exp(-logits)), n_bins=10, strategy="quantile"
    )
    np.testing.assert_allclose(found.observed, observed, atol=1e-12)
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)
    assert found.pairs.tolist() == [50] * 10


def test_expected_calibration_error_by_hand() -> None:
    # two bins of two: probability 1/2 with one duplicate of two, 3/4 with none of two
    labels, logits = (
        np.array([True, False, False, False]),
        np.array([0.0, 0.0, np.log(3), np.log(3)]),
    )
    bins = metrics.calibration_bins(labels, logits, np.ones(4), 2)
    assert bins.observed.tolist() == [0.5, 0.0]
    assert metrics.expected_calibration_error(bins) == pytest.approx((0 + 3 / 4) / 2)


def test_no_pairs_have_no_calibration_error() -> None:
    empty = np.array([])
    assert (
        metrics.expected_calibration_error(
            metrics.calibration_bins(empty.astype(bool), empty, empty)
        )
        is None
    )
