"""The methods that do not chain, against plain loops over all pairs and SciPy; and a catalogue with a hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, product
from math import log, tanh

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from nrl_dedup.clustering import DEFAULT, METHODS, greedy_merging
from nrl_dedup.clustering.correlation import MAX_LOG_ODDS
from nrl_dedup.evaluation.cluster_quality import bcubed_quality, pairwise_quality
from nrl_dedup.tables import SCORED_PAIRS


@contextmanager
def exactly() -> Iterator[None]:
    """Contraction without its tolerance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy_merging, "TOLERANCE", 0.0)
        yield


def scored_pairs(scores: dict[tuple[int, int], float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(*pair, score) for pair, score in scores.items()], schema=SCORED_PAIRS, orient="row"
    )


def sets(label: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(label == name).tolist()) for name in set(label.tolist())}


@st.composite
def graphs(
    draw: st.DrawFn, share: float | None = None
) -> tuple[int, dict[tuple[int, int], float], float]:
    """Some of the pairs of a few ads, with scores that do not tie, and a threshold."""
    ads = draw(st.integers(2, 9))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    share = draw(st.sampled_from([0.3, 0.6, 0.9])) if share is None else share
    pairs = [pair for pair in combinations(range(ads), 2) if random.random() < share]
    return (
        ads,
        {pair: float(np.float32(random.random())) for pair in pairs},
        draw(st.sampled_from([0.3, 0.5, 0.7])),
    )


def all_weights(
    ads: int, scores: dict[tuple[int, int], float], threshold: float, weigh
) -> np.ndarray:
    """[ads, ads], the weight of each pair, scored or not, by the definition in `EdgeWeights`."""
    near = [[score for pair, score in scores.items() if ad in pair] for ad in range(ads)]
    share = [np.mean([score >= threshold for score in of]) if of else 0.0 for of in near]
    weight = np.zeros((ads, ads))
    for a, b in combinations(range(ads), 2):
        none = weigh(0.0, threshold) * (1 - share[a] * share[b])
        weight[a, b] = weight[b, a] = weigh(scores[a, b], threshold) if (a, b) in scores else none
    return weight


def difference(score: float, threshold: float) -> float:
    return score - float(np.float32(threshold))


def log_odds(score: float, threshold: float) -> float:
    score = min(max(score, 1e-7), 1 - 1e-7)
    return MAX_LOG_ODDS * tanh(
        (log(score / (1 - score)) - log(threshold / (1 - threshold))) / MAX_LOG_ODDS
    )


def contracted(
    weight: np.ndarray, scores: dict[tuple[int, int], float], priority
) -> set[frozenset[int]]:
    """Merge the two sets of the highest priority that a scored pair joins, while their weights sum to 0 or more."""
    clusters = {frozenset([ad]) for ad in range(len(weight))}
    while True:
        joined = [
            (a, b)
            for a, b in combinations(clusters, 2)
            if any(tuple(sorted(p)) in scores for p in product(a, b))
        ]
        between = {(a, b): weight[np.ix_(sorted(a), sorted(b))] for a, b in joined}
        possible = [pair for pair, of in between.items() if of.sum() >= 0]
        if not possible:
            return clusters
        a, b = max(possible, key=lambda pair: priority(between[pair]))
        clusters = (clusters - {a, b}) | {a | b}


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_average_linkage_is_that_of_a_loop_over_all_pairs(graph: tuple) -> None:
    ads, scores, threshold = graph
    expected = contracted(all_weights(ads, scores, threshold, difference), scores, np.mean)
    with exactly():
        assert sets(METHODS["average-linkage"](scored_pairs(scores), ads, threshold)) == expected


@given(graphs(share=1.0))
@settings(max_examples=200, deadline=None)
def test_average_linkage_of_pairs_that_are_all_scored_is_scipys(graph: tuple) -> None:
    ads, scores, threshold = graph
    distances = 1 - np.array([scores[pair] for pair in combinations(range(ads), 2)])
    expected = fcluster(linkage(distances, "average"), 1 - threshold, "distance")
    with exactly():
        assert sets(METHODS["average-linkage"](scored_pairs(scores), ads, threshold)) == sets(
            expected
        )


def agreement(clusters: set[frozenset[int]], weight: np.ndarray) -> float:
    return sum(weight[a, b] for cluster in clusters for a, b in combinations(sorted(cluster), 2))


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_no_move_of_one_ad_improves_correlation_clusters_nor_is_contraction_better(
    graph: tuple,
) -> None:
    ads, scores, threshold = graph
    weight = all_weights(ads, scores, threshold, log_odds)
    with exactly():
        found = sets(METHODS["correlation"](scored_pairs(scores), ads, threshold))
    value = agreement(found, weight) + 1e-6
    assert agreement(contracted(weight, scores, np.sum), weight) <= value
    for ad in range(ads):
        rest = {cluster - {ad} for cluster in found} - {frozenset()}
        for home in (frozenset(), *rest):
            assert agreement((rest - {home}) | {home | {ad}}, weight) <= value


def test_correlation_clusters_where_contraction_alone_goes_wrong() -> None:
    """0 and 1 are merged first; then 1 is more at home with 2 and 3, and 0 alone."""
    scores = {(0, 1): 0.9, (1, 2): 0.88, (1, 3): 0.88, (2, 3): 0.6, (0, 2): 0.1, (0, 3): 0.1}
    assert sets(METHODS["correlation"](scored_pairs(scores), 4, 0.5)) == {
        frozenset({0}),
        frozenset({1, 2, 3}),
    }
    assert contracted(all_weights(4, scores, 0.5, log_odds), scores, np.sum) == {
        frozenset({0, 1}),
        frozenset({2, 3}),
    }


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_centre_clusters_are_those_of_the_first_place_that_each_ad_takes(graph: tuple) -> None:
    ads, scores, threshold = graph
    links = sorted(
        (-score, *pair) for pair, score in scores.items() if score >= np.float32(threshold)
    )
    degree = [sum(ad in pair[1:] for pair in links) for ad in range(ads)]
    centres: dict[int, set[int]] = {}
    placed: set[int] = set()
    for _, a, b in links:
        for one, other in ((a, b), (b, a)):
            if one in centres and other not in placed:
                centres[one].add(other)
                placed.add(other)
        free = {a, b} - placed
        if len(free) == 2:
            centre = min(free, key=lambda ad: (-degree[ad], ad))
            centres[centre] = {a, b}
        elif free:
            centres[free.copy().pop()] = set(free)
        placed |= {a, b}
    expected = {frozenset(members) for members in centres.values()} | {
        frozenset([ad]) for ad in set(range(ads)) - placed
    }
    assert sets(METHODS["centre"](scored_pairs(scores), ads, threshold)) == expected


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"connected-components"}))
def test_a_chain_is_not_one_cluster(method: str) -> None:
    """Each of 12 ads is linked with the next, but with none further away."""
    scores = {(a, b): 0.8 if b == a + 1 else 0.1 for a, b in combinations(range(12), 2)}
    label = METHODS[method](scored_pairs(scores), 12, 0.5)
    assert max(map(len, sets(label))) <= 3


def reposts(
    size: int, candidates: int, random: np.random.Generator
) -> dict[tuple[int, int], float]:
    """`size` re-posts of one thing: each is paired with `candidates` others that blocking happened to find."""
    pairs = {
        tuple(sorted((a, int(b))))
        for a in range(size)
        for b in random.choice(size, candidates)
        if a != b
    }
    return {pair: float(np.float32(random.uniform(0.85, 1))) for pair in sorted(pairs)}


@pytest.mark.parametrize("method", ["average-linkage", "correlation"])
def test_many_reposts_stay_together_although_most_of_their_pairs_were_not_scored(
    method: str,
) -> None:
    random = np.random.default_rng(0)
    scores = reposts(300, 20, random)
    other = {
        (ad, 300 + ad): 0.02 for ad in range(0, 300, 3)
    }  # every third has a candidate that is something else
    label = METHODS[method](scored_pairs(scores | other), 600, 0.5)
    assert max(map(len, sets(label))) == 300


def hub_catalogue(random: np.random.Generator) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """500 things with two or three ads each; all ads show one placeholder photo, and each is a candidate of the photo's
    30 neighbours, drawn at random, and of its own twins.

    Ads of one thing score high. Of the others the photo alone makes one in twelve a link, and some of them near ones.
    """
    entity = np.repeat(np.arange(500), 2 + (np.arange(500) % 2))
    twins = {
        pair for e in range(500) for pair in combinations(np.flatnonzero(entity == e).tolist(), 2)
    }
    drawn = {
        tuple(sorted((a, int(b))))
        for a in range(len(entity))
        for b in random.choice(len(entity), 30)
        if a != b
    }
    scores = {pair: random.beta(6, 1.5) for pair in sorted(twins)}
    for pair in sorted(drawn - twins):
        scores[pair] = random.uniform(0.5, 0.85) if random.random() < 1 / 12 else random.beta(1, 8)
    return entity, scores


@pytest.mark.parametrize("seed", [0, 1])
def test_one_placeholder_photo_in_a_thousand_ads_does_not_glue_them_together(seed: int) -> None:
    entity, scores = hub_catalogue(np.random.default_rng(seed))
    glued = METHODS["connected-components"](scored_pairs(scores), len(entity), 0.5)
    assert max(map(len, sets(glued))) > 1_000 and pairwise_quality(glued, entity).precision < 0.01
    label = METHODS[DEFAULT](scored_pairs(scores), len(entity), 0.5)
    assert max(map(len, sets(label))) <= 6
    assert bcubed_quality(label, entity).f1 > 0.85
    assert pairwise_quality(label, entity).f1 > 0.75
