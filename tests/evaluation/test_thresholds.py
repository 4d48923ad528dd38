"""Against scikit-learn's isotonic regression, plain loops, and a population whose precision is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.bootstrap import REPLICATES, PairGroups, resampled_weights
from nrl_dedup.evaluation.thresholds import (
    ChosenThreshold,
    HeldOut,
    threshold_for_precision,
    threshold_for_recall,
)

scored = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([-np.inf, *map(float, range(8))]),
        st.sampled_from([0.5, 1.0, 3.0]),
    ),
    min_size=1,
    max_size=40,
)
targets = st.sampled_from([0.2, 0.5, 0.8, 0.95])


def held_out(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> HeldOut:
    """Each pair between two ads of its own."""
    left = np.arange(0, 2 * len(labels), 2)
    groups = PairGroups.of(left, left + 1, labels)
    return HeldOut(labels, scores, np.ones(len(labels)) if weights is None else weights, groups)


def of_rows(rows: list) -> HeldOut:
    return held_out(*map(np.array, zip(*rows, strict=True)))


@given(scored, targets)
@settings(deadline=None, max_examples=60)
def test_precision_is_reached_by_the_lowest_threshold_of_the_monotone_curve(
    rows: list, target: float
) -> None:
    pairs = of_rows(rows)
    rows = [(False, 99.0, pairs.weights.mean())] + [row for row in rows if row[1] > -np.inf]
    labels, scores, weights = map(np.array, zip(*rows, strict=True))
    share = IsotonicRegression().fit(scores, labels, weights).predict(scores)
    reached = []
    for threshold in set(scores[1:].tolist()):
        linked = scores >= threshold
        if np.average(share[linked], weights=weights[linked]) >= target - 1e-9:
            reached.append(threshold)
    if not reached:
        with pytest.raises(
            NrlDedupError, match=f"--precision {target}: of the {len(pairs.labels)} held-out pairs"
        ):
            threshold_for_precision(pairs, target)
        return
    chosen = threshold_for_precision(pairs, target)
    assert chosen.threshold == min(reached)
    linked = (scores >= chosen.threshold) & (scores < 99)
    assert chosen.precision == pytest.approx(np.average(labels[linked], weights=weights[linked]))


@given(scored, targets)
@settings(deadline=None, max_examples=60)
def test_recall_is_reached_by_the_highest_threshold(rows: list, target: float) -> None:
    pairs = of_rows(rows)
    duplicates = sum(weight for label, _, weight in rows if label)
    recall = {
        threshold: sum(weight for label, score, weight in rows if label and score >= threshold)
        / duplicates
        for threshold in {score for _, score, _ in rows if score > -np.inf}
        if duplicates
    }
    reached = [threshold for threshold, found in recall.items() if found >= target - 1e-9]
    if not reached:
        with pytest.raises(
            NrlDedupError,
            match=f"--recall {target}: blocking finds {max(recall.values(), default=0):.3f}",
        ):
            threshold_for_recall(pairs, target)
        return
    chosen = threshold_for_recall(pairs, target)
    assert chosen.threshold == max(reached)
    assert chosen.recall == pytest.approx(recall[chosen.threshold])


def population(pairs: int, seed: int) -> HeldOut:
    """Scores from 0 to 1, each the probability of a duplicate: from threshold t on, (1 + t) / 2 of the pairs are.
    Of the other pairs every second is kept, and counts twice."""
    draw = np.random.default_rng(seed)
    scores = draw.random(pairs)
    labels = draw.random(pairs) < scores
    kept = labels | (draw.random(pairs) < 0.5)
    return held_out(labels[kept], scores[kept], np.where(labels, 1.0, 2.0)[kept])


def chosen_at(target: float) -> list[ChosenThreshold]:
    return [threshold_for_precision(population(4_000, seed), target) for seed in range(25)]


def test_the_precision_that_is_wanted_is_the_populations() -> None:
    for target in (0.8, 0.95):
        chosen = chosen_at(target)
        true = np.array([(1 + c.threshold) / 2 for c in chosen])
        assert true.mean() == pytest.approx(target, abs=0.005)
        assert true.std() < 0.02
        held = [
            c.precision_interval.low <= p <= c.precision_interval.high
            for c, p in zip(chosen, true, strict=True)
        ]
        assert np.mean(held) >= 0.8


def test_expected_recall_is_the_populations() -> None:
    for chosen in chosen_at(0.8):
        # of the integral of s from 0 to 1, 1/2, the part from t on
        assert chosen.recall == pytest.approx(1 - chosen.threshold**2, abs=0.03)


def test_intervals_are_those_of_all_pairs_drawn_by_group() -> None:
    draw = np.random.default_rng(3)
    left, right = draw.integers(30, size=(2, 200))
    labels, scores = (
        draw.random(200) < 0.3,
        draw.integers(5, size=200).astype(float) + (draw.random(200) < 0.5),
    )
    groups = PairGroups.of(left, right, labels)
    weights = draw.choice([1.0, 2.5], 200)
    chosen = threshold_for_recall(HeldOut(labels, scores, weights, groups), 0.6, seed=5)
    linked = scores >= chosen.threshold
    precisions, recalls = [], []
    for drawn in resampled_weights(groups, weights, REPLICATES, 5):
        if drawn[linked].sum():
            precisions.append(drawn[linked & labels].sum() / drawn[linked].sum())
        if drawn[labels].sum():
            recalls.append(drawn[linked & labels].sum() / drawn[labels].sum())
    for found, expected in (
        (chosen.precision_interval, precisions),
        (chosen.recall_interval, recalls),
    ):
        assert (found.low, found.high) == pytest.approx(
            np.quantile(expected, [0.025, 0.975]), abs=1e-12
        )
        assert found.undefined == REPLICATES - len(expected)


def test_the_precision_of_a_few_right_pairs_is_not_promised() -> None:
    """18 right ones and the one that stands above are 18 of 19; 19 are 19 of 20, which is 0.95. One wrong pair of the
    highest score is no reason to stop at it."""
    scores = np.arange(100.0, 0, -1)
    for right, reached in ((18, False), (19, True)):
        pairs = held_out(np.arange(100) < right, scores)
        if reached:
            assert threshold_for_precision(pairs, 0.95).threshold == scores[right - 1]
        else:
            with pytest.raises(
                NrlDedupError, match=r"18 of them duplicates, those .* promise 0\.947"
            ):
                threshold_for_precision(pairs, 0.95)
    chosen = threshold_for_precision(
        held_out((np.arange(100) > 0) & (np.arange(100) < 60), scores), 0.95
    )
    assert chosen.threshold == scores[60]
    assert chosen.precision == pytest.approx(59 / 61)


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, float("nan")])
def test_a_target_that_is_no_share_is_refused_by_its_flag(target: float) -> None:
    for choose, flag in (
        (threshold_for_precision, "--precision"),
        (threshold_for_recall, "--recall"),
    ):
        with pytest.raises(NrlDedupError, match=f"{flag} {target}: wanted a share above 0"):
            choose(population(50, 0), target)


def test_pairs_without_a_duplicate_reach_nothing() -> None:
    pairs = held_out(np.zeros(9, dtype=bool), np.arange(9.0))
    with pytest.raises(NrlDedupError, match=r"promise 0\.000"):
        threshold_for_precision(pairs, 0.1)
    with pytest.raises(NrlDedupError, match=r"finds 0\.000 of the 0 held-out duplicates"):
        threshold_for_recall(pairs, 0.1)
