"""What every clustering method keeps to; components against networkx, cohesion against its definition."""

from functools import partial
from itertools import combinations

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.clustering import METHODS, clustering_method, cohesion, find_clusters
from nrl_dedup.clustering.cohesion import cohesion_of
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import CLUSTERS, SCORED_PAIRS


def links_of(*pairs):
    return pl.DataFrame(pairs, schema=SCORED_PAIRS, orient="row")


def clusters_of(*members):
    """`tables.CLUSTERS` from the rows of each cluster."""
    rows = [(min(rows), row, 0.5) for rows in members for row in sorted(rows)]
    return pl.DataFrame(sorted(rows), schema=CLUSTERS, orient="row")


def as_sets(clusters):
    return {
        frozenset(rows) for rows in clusters.group_by("cluster_row").agg("row")["row"].to_list()
    }


def clustered(method, pairs, ads, threshold=0.5, identical=()):
    return find_clusters(METHODS[method], links_of(*pairs), links_of(*identical), ads, threshold)


components = partial(clustered, "connected-components")


@st.composite
def graphs(draw):
    ads = draw(st.integers(1, 30))
    row = st.integers(0, ads - 1)
    ends = draw(st.lists(st.tuples(row, row).map(sorted).map(tuple), unique=True, max_size=60))
    scores = draw(st.lists(st.floats(0, 1, width=32), min_size=len(ends), max_size=len(ends)))
    return ads, [(left, right, score) for (left, right), score in zip(ends, scores, strict=True)]


@pytest.mark.parametrize("method", METHODS)
@given(graphs(), st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_method_gives_clusters_that_links_hold_together(method, graph, threshold, random):
    """The contract: each ad at most once, two or more together, named by the smallest, joined by links inside; and the
    order of the pairs does not matter."""
    ads, pairs = graph
    clusters = clustered(method, pairs, ads, threshold)
    assert clusters.schema == pl.Schema(CLUSTERS)
    assert clusters["row"].is_unique().all()
    assert clusters.rows() == sorted(clusters.rows())
    links = nx.Graph([pair[:2] for pair in pairs if pair[2] >= np.float32(threshold)])
    for rows in as_sets(clusters):
        assert len(rows) > 1
        assert nx.is_connected(links.subgraph(rows)) and rows <= set(links)
        inside = clusters.filter(pl.col("row").is_in(sorted(rows)))
        assert set(inside["cluster_row"]) == {min(rows)}
        for row, score in inside.select("row", "score").iter_rows():
            best = [
                s
                for left, right, s in pairs
                if left != right and row in (left, right) and {left, right} <= rows
            ]
            assert score == max(best)
    random.shuffle(pairs)
    assert clustered(method, pairs, ads, threshold).equals(clusters)


@pytest.mark.parametrize("method", METHODS)
def test_two_ads_with_a_link_are_a_cluster_and_without_one_are_not(method):
    clusters = clustered(method, [(0, 3, 0.7), (1, 2, 0.6999)], 5, 0.7)
    assert as_sets(clusters) == {frozenset({0, 3})}


@pytest.mark.parametrize("method", METHODS)
def test_ads_that_are_all_linked_are_a_cluster(method):
    clusters = clustered(method, [(a, b, 0.7) for a, b in combinations(range(2, 9), 2)], 12, 0.7)
    assert as_sets(clusters) == {frozenset(range(2, 9))}


@pytest.mark.parametrize("method", METHODS)
def test_identical_ads_go_where_the_one_goes_that_represents_them(method):
    """Whatever their score, and without influence: 2 and 4 are one ad, 6 and 7 another, 0 has no copy and no link."""
    clusters = clustered(
        method, [(0, 2, 0.1), (2, 3, 0.9)], 8, identical=[(2, 4, 0.4), (2, 5, 0.4), (6, 7, 0.4)]
    )
    assert clusters.select("cluster_row", "row").rows() == [
        (2, 2),
        (2, 3),
        (2, 4),
        (2, 5),
        (6, 6),
        (6, 7),
    ]
    np.testing.assert_allclose(clusters["score"], [0.9, 0.9, 0.4, 0.4, 0.4, 0.4], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_no_links_no_ads_and_links_to_oneself_give_no_clusters(method):
    assert clustered(method, [], 5).rows() == []
    assert clustered(method, [], 0).rows() == []
    assert clustered(method, [(2, 2, 1.0), (0, 1, 0.3)], 5).rows() == []


@pytest.mark.parametrize("method", METHODS)
def test_a_link_to_oneself_is_no_best_link(method):
    clusters = clustered(method, [(2, 2, 1.0), (2, 4, 0.6)], 5)
    np.testing.assert_allclose(clusters["score"], [0.6, 0.6], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_pairs_without_a_score_are_refused(method):
    with pytest.raises(NrlDedupError, match="score"):
        METHODS[method](links_of().drop("score"), 3, 0.5)


def test_an_unknown_method_is_refused_by_its_flag():
    with pytest.raises(NrlDedupError, match=r"--clustering stars: wanted one of .*average-linkage"):
        clustering_method("stars")


# ---- connected components


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_components_are_those_of_networkx(graph):
    ads, pairs = graph
    links = nx.Graph([pair[:2] for pair in pairs if pair[2] >= 0.5])
    assert as_sets(components(pairs, ads)) == {
        frozenset(rows) for rows in nx.connected_components(links) if len(rows) > 1
    }


def test_a_chain_is_one_component():
    clusters = components([(3, 5, 0.9), (5, 8, 0.6), (1, 8, 0.7)], 10)
    assert clusters.select("cluster_row", "row").rows() == [(1, 1), (1, 3), (1, 5), (1, 8)]
    np.testing.assert_allclose(clusters["score"], [0.7, 0.9, 0.9, 0.7], rtol=1e-6)


def test_a_hub_is_one_component():
    clusters = components([(7, row, 0.8) for row in range(8, 508)], 600)
    assert as_sets(clusters) == {frozenset(range(7, 508))}


def test_links_that_repeat_many_times_still_join():
    assert as_sets(components([(0, 1, 0.5)] * 512, 2)) == {frozenset({0, 1})}


# ---- cohesion


def test_chaining_is_the_mean_over_all_pairs_of_a_small_cluster():
    apart = [2, 3, 5, 11, 12, 40]
    clusters = clusters_of(apart, [1, 9], [4, 6, 7])
    asked = []

    def score(left, right):
        asked.extend(zip(left.tolist(), right.tolist(), strict=True))
        return (1 / (right - left)).astype(np.float32)

    table = cohesion_of(clusters, score, seed=0)
    expected = [
        np.mean([1 / (b - a) for a, b in combinations(rows, 2)]) for rows in (apart, [4, 6, 7])
    ]
    assert table.select("cluster_row", "size").rows() == [(2, 6), (4, 3)]
    np.testing.assert_allclose(table["mean_score"], expected, rtol=1e-6)
    assert sorted(asked) == sorted([*combinations(apart, 2), *combinations([4, 6, 7], 2)])


@pytest.mark.parametrize("size", [20, 21, 1_000])
def test_of_a_large_cluster_different_pairs_are_drawn(size):
    """20 ads have 190 pairs, all of them taken; 21 have 210."""
    rows = list(range(100, 100 + size))
    asked = []

    def score(left, right):
        asked.extend(zip(left.tolist(), right.tolist(), strict=True))
        return ((left + right) % 2 == 0).astype(np.float32)

    table = cohesion_of(clusters_of(rows), score, seed=1)
    assert len(asked) == len(set(asked)) == min(200, size * (size - 1) // 2)
    assert set(asked) <= set(combinations(rows, 2))
    assert table["mean_score"].item() == pytest.approx(
        np.mean([(a + b) % 2 == 0 for a, b in asked])
    )


def test_drawn_pairs_are_spread_over_the_cluster():
    left, right = [], []

    def score(row_l, row_r):
        left.extend(row_l)
        right.extend(row_r)
        return np.zeros(len(row_l), dtype=np.float32)

    cohesion_of(clusters_of(range(3_000)), score, seed=2, sample=4_000)
    # Of two uniform draws from 0 .. 2999 the smaller is 1000 and the larger 2000 on average, +- 11 (one deviation).
    assert np.mean(left) == pytest.approx(1_000, abs=50)
    assert np.mean(right) == pytest.approx(2_000, abs=50)


@pytest.mark.parametrize("j", [1, 2, 3, 1_000, 4_300_000, 200_000_000])
def test_pair_numbers_are_counted_without_rounding(j):
    """The first and the last pair of j are 0j and (j - 1)j, also where a square root in 64 bits is rounded up."""
    before = j * (j - 1) // 2
    first, second = cohesion._pair(np.array([before, before + j - 1]))
    assert first.tolist() == [0, j - 1]
    assert second.tolist() == [j, j]


def test_a_clusters_figure_does_not_depend_on_the_others():
    def score(left, right):
        return ((left * 31 + right * 17) % 101 / 101).astype(np.float32)

    big = list(range(50, 150))
    alone = cohesion_of(clusters_of(big), score, seed=4)
    beside = cohesion_of(clusters_of(big, range(200, 500), [1, 2, 3]), score, seed=4)
    assert beside.filter(pl.col("cluster_row") == 50).equals(alone)
    assert not cohesion_of(clusters_of(big), score, seed=5).equals(alone)


def test_only_the_largest_clusters_are_looked_at(monkeypatch):
    monkeypatch.setattr(cohesion, "MAX_CLUSTERS", 2)
    table = cohesion_of(
        clusters_of([0, 1, 2], [3, 4, 5], [6, 7, 8, 9]),
        lambda left, right: np.ones(len(left), np.float32),
        seed=0,
    )
    assert table.rows() == [(6, 4, 1.0), (0, 3, 1.0)]


def test_without_a_cluster_of_three_nothing_is_scored():
    def score(left, right):
        raise AssertionError("asked for scores")

    for clusters in (clusters_of(), clusters_of([0, 4], [2, 3])):
        assert cohesion_of(clusters, score, seed=0).rows() == []
