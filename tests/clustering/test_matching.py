"""Clusters of ads of several sources, against all matchings of small graphs."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.clustering import method_across
from nrl_dedup.clustering.matching import one_to_many, one_to_one
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import SCORED_PAIRS

Scores = dict[tuple[int, int], float]


@st.composite
def graphs(draw: st.DrawFn, sources: int) -> tuple[np.ndarray, Scores, float]:
    """The source of each of a few ads, the scores of some pairs of two sources, and a threshold."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ads = draw(st.integers(1, 9))
    source_of = random.integers(0, sources, ads)
    scores = {}
    for pair in combinations(range(ads), 2):
        if source_of[pair[0]] != source_of[pair[1]] and random.random() < 0.7:
            scores[pair] = float(np.float32(random.random()))
    return source_of, scores, draw(st.sampled_from([0.2, 0.5, 0.8]))


def table(scores: Scores) -> pl.DataFrame:
    rows = [(*pair, score) for pair, score in scores.items()]
    return pl.DataFrame(rows, schema=SCORED_PAIRS, orient="row")


def clusters(label: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(label == name).tolist() for name in np.unique(label)]


def log_odds(score: float) -> float:
    return float(np.log(score / (1 - score)))


def total(pairs: list[tuple[int, int]], scores: Scores, threshold: float) -> float:
    return sum(log_odds(scores[pair]) - log_odds(threshold) for pair in pairs)


def best_matching(scores: Scores, threshold: float) -> float:
    """The highest sum over all sets of links that share no ad."""
    links = [pair for pair, score in scores.items() if score >= threshold]
    best = 0.0
    for size in range(1, 5):
        for chosen in combinations(links, size):
            ends = [ad for pair in chosen for ad in pair]
            if len(set(ends)) == len(ends):
                best = max(best, total(list(chosen), scores, threshold))
    return best


@given(graphs(2))
@settings(max_examples=150, deadline=None)
def test_two_sources_are_matched_by_the_highest_sum(
    graph: tuple[np.ndarray, Scores, float],
) -> None:
    source_of, scores, threshold = graph
    label = one_to_one(table(scores), len(source_of), threshold, source_of)
    pairs = [tuple(ads) for ads in clusters(label) if len(ads) > 1]
    assert all(len(pair) == 2 and scores[pair] >= threshold for pair in pairs)
    wanted = best_matching(scores, threshold)
    assert total(pairs, scores, threshold) == pytest.approx(wanted, abs=1e-4)


@given(graphs(4))
@settings(max_examples=150, deadline=None)
def test_more_sources_are_joined_by_the_best_links_first(
    graph: tuple[np.ndarray, Scores, float],
) -> None:
    source_of, scores, threshold = graph
    if source_of.max() < 2:
        return
    label = one_to_one(table(scores), len(source_of), threshold, source_of)
    sets = [{ad} for ad in range(len(source_of))]
    for (one, other), score in sorted(scores.items(), key=lambda pair: -pair[1]):
        mine = next(ads for ads in sets if one in ads)
        theirs = next(ads for ads in sets if other in ads)
        sources = [source_of[ad] for ad in mine | theirs]
        if score >= threshold and mine is not theirs and len(set(sources)) == len(sources):
            mine |= theirs
            sets.remove(theirs)
    assert sorted(clusters(label)) == sorted(sorted(ads) for ads in sets)


@given(graphs(3))
@settings(max_examples=150, deadline=None)
def test_an_ad_goes_to_its_best_partner_in_the_source_of_many(
    graph: tuple[np.ndarray, Scores, float],
) -> None:
    source_of, scores, threshold = graph
    label = one_to_many(table(scores), len(source_of), threshold, source_of, 1)
    for ad in range(len(source_of)):
        links = {
            (one if other == ad else other): score
            for (one, other), score in scores.items()
            if ad in (one, other) and score >= threshold and 1 in source_of[[one, other]]
        }
        best = max(links, key=lambda partner: links[partner]) if links else ad
        assert label[ad] == (ad if source_of[ad] == 1 else best)


def test_a_chain_of_ever_better_links_is_not_taken_greedily() -> None:
    """The best link, 1-2, costs two others that are nearly as good."""
    scores = {(0, 1): 0.9, (1, 2): 0.95, (2, 3): 0.9}
    label = one_to_one(table(scores), 4, 0.5, np.array([0, 1, 0, 1]))
    assert clusters(label) == [[0, 1], [2, 3]]


def test_links_at_the_threshold_and_at_1_count() -> None:
    scores = {(0, 1): 0.5, (2, 3): 1.0}
    label = one_to_one(table(scores), 4, 0.5, np.array([0, 1, 0, 1]))
    assert clusters(label) == [[0, 1], [2, 3]]


def test_sources_are_wanted_and_named() -> None:
    with pytest.raises(NrlDedupError, match="--one-to-one is about ads of different sources"):
        method_across(None, (), None)
    with pytest.raises(
        NrlDedupError, match="--one-to-many c: there is no such source; wanted one of a, b"
    ):
        method_across(np.array([0, 1]), ("a", "b"), "c")
