"""An ad's best candidates and a pair's share of them, against loops over the pairs."""

import pickle
from itertools import combinations
from math import exp, inf, log

import numpy as np
import pytest

from nrl_dedup.scoring.match_curve import MatchCurve, MatchShares, best_candidates
from nrl_dedup.scoring.pair_scores import Context

ADS = 14
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def made_pairs(seed: int = 0) -> Pairs:
    draw = np.random.default_rng(seed)
    some = [pair for pair in combinations(range(ADS - 1), 2) if draw.random() < 0.5]
    left, right = np.array(some).T
    return left, right, draw.normal(0, 3, size=len(left))


def clusters(kind: str) -> np.ndarray:
    """Of each ad its cluster: all alone, or some together."""
    cluster = np.arange(ADS)
    if kind == "some":
        cluster[[1, 4, 5]] = 1
        cluster[[2, 9]] = 2
        cluster[[10, 12]] = 10
    return cluster


def partners(pairs: Pairs, ad: int) -> dict[int, float]:
    found = {}
    for left, right, score in zip(*pairs, strict=True):
        if ad in (left, right):
            found[int(left + right) - ad] = float(score)
    return found


def share_of(pairs: Pairs, cluster: np.ndarray, ad: int, other: int, score: float) -> float:
    """exp(score) over itself and the candidates of `ad` outside its cluster and that of `other`."""
    total = exp(score)
    for partner, of_partner in partners(pairs, ad).items():
        if cluster[partner] not in (cluster[ad], cluster[other]):
            total += exp(of_partner)
    return exp(score) / total


@pytest.mark.parametrize("kind", ["alone", "some"])
def test_the_share_is_that_of_a_loop_over_the_pairs(kind: str) -> None:
    pairs, cluster = made_pairs(), clusters(kind)
    shares = MatchShares.of(*pairs, cluster)
    assert isinstance(shares, Context)
    left, right = np.triu_indices(ADS, 1)  # those that are no candidates, too
    scores = np.random.default_rng(1).normal(0, 3, size=len(left))
    is_candidate = {(int(a), int(b)): s for a, b, s in zip(*pairs, strict=True)}
    for at, pair in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        scores[at] = is_candidate.get(pair, scores[at])
    expected = []
    for one, other, score in zip(left.tolist(), right.tolist(), scores.tolist(), strict=True):
        of_one = share_of(pairs, cluster, one, other, score)
        of_other = share_of(pairs, cluster, other, one, score)
        expected.append((of_one * of_other) ** 0.5)
    found = shares.evidence(left, right, scores)
    assert found.columns(["share"])[:, 0] == pytest.approx(expected, rel=1e-5)
    assert found.columns(["first_look"])[:, 0] == pytest.approx(scores, rel=1e-6)
    swapped = shares.evidence(right, left, scores)
    np.testing.assert_array_equal(swapped.values, found.values)


def test_ads_of_one_cluster_do_not_compete() -> None:
    left, right = np.array([0, 0, 1, 0]), np.array([1, 2, 2, 3])
    scores = np.array([5.0, 5.0, 5.0, 1.0])
    alone = MatchShares.of(left, right, scores, np.arange(4)).evidence(left, right, scores)
    together = MatchShares.of(left, right, scores, np.array([0, 0, 0, 3]))
    shares = together.evidence(left, right, scores).columns(["share"])[:, 0]
    of_first = exp(5) / (exp(5) + exp(1))  # of its candidates, the fourth alone competes
    assert shares[:3] == pytest.approx([of_first**0.5, of_first**0.5, 1.0])
    assert alone.columns(["share"])[0, 0] < 0.6


def test_the_best_of_an_ad_and_pairs_that_nobody_proposed() -> None:
    pairs, cluster = made_pairs(), clusters("some")
    shares = MatchShares.of(*pairs, cluster)
    totals = []
    for ad in range(ADS):
        outside = [exp(s) for p, s in partners(pairs, ad).items() if cluster[p] != cluster[ad]]
        totals.append(sum(outside))
    assert totals[-1] == 0 and shares.best[-1] == pytest.approx(-30)
    assert shares.best[:-1] == pytest.approx(np.log(totals[:-1]))
    score = np.array([-1.0])
    found = shares.beside_nothing(score, shares.best[[3]], shares.best[[-1]])
    expected = (exp(-1) / (exp(-1) + totals[3])) ** 0.5  # the other ad has no candidate
    assert found.columns(["share"])[0, 0] == pytest.approx(expected, rel=1e-5)


def test_without_pairs_every_share_is_whole() -> None:
    none = np.zeros(0, np.int64)
    shares = MatchShares.of(none, none, np.zeros(0), np.arange(3))
    found = shares.evidence(np.array([0, 1]), np.array([1, 2]), np.array([-5.0, 5.0]))
    assert found.columns(["share"])[:, 0].tolist() == [1, 1]


def test_the_order_of_the_pairs_does_not_matter() -> None:
    left, right, scores = made_pairs()
    cluster = clusters("some")
    order = np.random.default_rng(0).permutation(len(left))
    mixed = right[order], left[order], scores[order]
    plain = MatchShares.of(left, right, scores, cluster).evidence(left, right, scores)
    again = MatchShares.of(*mixed, cluster).evidence(left, right, scores)
    np.testing.assert_allclose(again.values, plain.values, rtol=1e-6)
    lists = best_candidates(left, right, scores, cluster)
    assert best_candidates(*mixed, cluster).equals(lists)


@pytest.mark.parametrize("kind", ["alone", "some"])
def test_best_candidates_are_those_of_a_loop(kind: str) -> None:
    pairs, cluster = made_pairs(), clusters(kind)
    expected = []
    for ad in range(ADS):
        found = partners(pairs, ad)
        if not found:
            continue
        best = max(found, key=lambda other: found[other])
        wrong = [s for p, s in found.items() if cluster[p] not in (cluster[ad], cluster[best])]
        if wrong:
            expected.append((ad, found[best], max(wrong)))
    assert best_candidates(*pairs, cluster).rows() == expected and len(expected) > 5


def test_of_two_best_candidates_the_first_ad_counts() -> None:
    left, right, scores = np.array([0, 0, 0]), np.array([3, 1, 2]), np.array([2.0, 2.0, 1.0])
    cluster = np.array([0, 1, 2, 1])  # the two best are one thing
    first, *_ = best_candidates(left, right, scores, cluster).rows()
    assert first == (0, 2.0, 1.0)


def test_all_in_one_cluster_have_no_best_wrong_candidate() -> None:
    assert best_candidates(*made_pairs(), np.zeros(ADS, np.int64)).is_empty()


CURVE = MatchCurve((-2.0, 0.0, 4.0), (0.0, 0.2, 1.0), 0.5)


def test_the_curve_is_a_line_between_its_points() -> None:
    found = CURVE(np.array([-9.0, -1.0, 0.0, 2.0, 4.0, 9.0]))
    assert found == pytest.approx([0, 0.1, 0.2, 0.6, 1, 1])


def test_log_odds_are_those_of_the_product() -> None:
    scores, share = np.array([0.0, 2.0, 4.0, 4.0]), np.array([0.5, 1.0, 0.75, 1.0])
    probabilities = [0.1, 0.6, 0.75]
    # A hundredth of the score is added, so that equal probabilities keep the order of the scores.
    expected = [log(p / (1 - p)) + s / 100 for p, s in zip(probabilities, scores[:3], strict=True)]
    assert CURVE.log_odds(scores, share) == pytest.approx([*expected, 9.04])


def test_log_odds_are_finite_and_keep_the_order_where_the_curve_is_flat() -> None:
    scores = np.array([-inf, -25.0, -20.0, 5.0, 20.0, inf])
    found = CURVE.log_odds(scores, np.ones(6))
    assert np.isfinite(found).all() and (np.diff(found) > 0).all()


def test_curve_and_shares_can_be_sent_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(CURVE)) == CURVE
    left, right, scores = made_pairs()
    shares = MatchShares.of(left, right, scores, clusters("some"))
    again = pickle.loads(pickle.dumps(shares)).evidence(left, right, scores)
    np.testing.assert_array_equal(again.values, shares.evidence(left, right, scores).values)
