"""Against pairs that are repeated one by one, scikit-learn and networkx."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from nrl_dedup.evaluation.bootstrap import PairGroups, Ranking, intervals, resampled_weights

labelled = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans(), st.integers(-3, 3).map(float)),
    min_size=1,
    max_size=40,
)


def columns(rows: list[tuple[int, int, bool, float]]) -> tuple[np.ndarray, ...]:
    left, right, labels, scores = zip(*rows, strict=True)
    return np.array(left), np.array(right), np.array(labels), np.array(scores)


def everything(labels: np.ndarray, scores: np.ndarray) -> Ranking:
    return Ranking.of(labels, scores, np.arange(len(labels)))


@given(labelled)
def test_groups_are_networkxs_components(rows: list) -> None:
    left, right, labels, _ = columns(rows)
    groups = PairGroups.of(left, right, labels)
    graph = nx.Graph()
    graph.add_nodes_from([*left, *right])
    graph.add_edges_from(zip(left[labels], right[labels], strict=True))
    group_of = dict(zip([*left, *right], [*groups.left, *groups.right], strict=True))
    found = {
        frozenset(ad for ad in group_of if group_of[ad] == group) for group in range(groups.count)
    }
    assert found == {frozenset(part) for part in nx.connected_components(graph)}


def repeated(rows: list, groups: PairGroups, times: np.ndarray) -> list[int]:
    """The pairs that stand between the copies of ads, `times` copies of each group: positions in `rows`."""
    pairs = []
    for place in range(len(rows)):
        a, b = groups.left[place], groups.right[place]
        copies = (
            {(i, i) for i in range(times[a])}
            if a == b
            else {(i, j) for i in range(times[a]) for j in range(times[b])}
        )
        pairs += [place] * len(copies)
    return pairs


@given(labelled, st.integers(0, 5))
def test_intervals_are_those_of_pairs_between_copies_of_the_ads(rows: list, seed: int) -> None:
    left, right, labels, scores = columns(rows)
    groups = PairGroups.of(left, right, labels)
    draw = np.random.default_rng(seed)
    expected = []
    for _ in range(20):
        drawn = draw.integers(groups.count, size=groups.count)
        at = repeated(rows, groups, np.bincount(drawn, minlength=groups.count))
        if len(set(labels[at])) == 2:
            expected.append(average_precision_score(labels[at], scores[at]))
    (found,) = intervals(
        [everything(labels, scores)], groups, np.ones(len(rows)), replicates=20, seed=seed
    )
    assert found.undefined == 20 - len(expected)
    if len(expected) < 10:
        assert found.low is None and found.high is None
    else:
        assert (found.low, found.high) == pytest.approx(
            np.quantile(expected, [0.025, 0.975]), abs=1e-12
        )


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-4, 4).map(float), st.sampled_from([0, 0, 1, 2.5])),
        min_size=1,
    ),
    st.data(),
)
def test_a_ranking_of_some_pairs_is_scikit_learns(rows: list, data: st.DataObject) -> None:
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    weights = weights.astype(float)
    members = np.array(sorted(data.draw(st.sets(st.integers(0, len(rows) - 1)))), dtype=np.int64)
    found = Ranking.of(labels, scores, members).average_precision(weights)
    at = members[weights[members] > 0]
    if len(set(labels[at])) < 2:
        assert np.isnan(found)
    else:
        expected = average_precision_score(labels[at], scores[at], sample_weight=weights[at])
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_pairs_own_weight_counts() -> None:
    groups = PairGroups(np.array([0, 0, 1]), np.array([0, 1, 2]), 3)
    times = [np.bincount(np.random.default_rng(4).integers(3, size=3), minlength=3)]
    (found,) = resampled_weights(groups, np.array([1.0, 2.0, 0.5]), 1, 4)
    assert found.tolist() == [
        times[0][0],
        2 * times[0][0] * times[0][1],
        0.5 * times[0][1] * times[0][2],
    ]


def test_replicates_without_a_class_are_left_out_and_counted() -> None:
    """The one negative needs both of two ads: it is there in (1 - 1/e)^2 = 0.40 of the replicates, the one group of
    duplicates in 0.63."""
    pairs = 200
    left, right = np.arange(0, 2 * pairs, 2), np.arange(1, 2 * pairs, 2)
    scores = np.linspace(1, 0, pairs)
    few = np.arange(pairs) == 0
    (found,) = intervals([everything(few, scores)], PairGroups.of(left, right, few), np.ones(pairs))
    assert (
        found.undefined / 1000 == pytest.approx(1 / np.e, abs=0.05)
        and found.low == found.high == 1.0
    )
    (found,) = intervals(
        [everything(~few, scores)], PairGroups.of(left, right, ~few), np.ones(pairs)
    )
    assert (
        found.undefined / 1000 == pytest.approx(1 - (1 - 1 / np.e) ** 2, abs=0.05)
        and found.low is None
    )


def test_an_interval_of_independent_pairs_is_the_normal_ones() -> None:
    """One score for all, so AP = D / (D + N); each pair on ads of its own. D copies of 400 duplicates have a variance
    of 400, N copies of 1200 negatives, each there m_a m_b times, one of 3 x 1200."""
    positives, negatives = 400, 1200
    labels = np.arange(positives + negatives) < positives
    ads = np.arange(2 * len(labels)).reshape(2, -1)
    groups = PairGroups.of(ads[0], ads[1], labels)
    (found,) = intervals(
        [everything(labels, np.zeros(len(labels)))], groups, np.ones(len(labels)), replicates=2000
    )
    share = positives / (positives + negatives)
    spread = share * (1 - share) * np.sqrt(1 / positives + 3 / negatives)
    assert (found.low, found.high) == pytest.approx(
        (share - 1.96 * spread, share + 1.96 * spread), abs=0.004
    )
