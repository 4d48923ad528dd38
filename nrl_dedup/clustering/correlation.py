"""Correlation clustering: the clusters that agree most with the log-odds of all pairs."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from nrl_dedup.clustering.edge_weights import EdgeWeights, gather_edge_weights
from nrl_dedup.clustering.greedy_merging import ROUNDING, merge_greedily
from nrl_dedup.duplicate_groups import duplicate_groups

# c: no pair weighs more than odds of e^4, 55 to 1, against those at the threshold. Not tuned.
MAX_LOG_ODDS = 4.0
MAX_PASSES = 20  # over all ads, where moves do not end by themselves. Not tuned.
MIN_SCORE = 1e-7  # scores are kept so far from 0 and 1, whose log-odds are infinite: the resolution of 32 bits

Ads = Int64[np.ndarray, "ads"]


def correlation_clustering(scored: pl.DataFrame, ads: int, threshold: float) -> Ads:
    """Clusters of a high sum, over all pairs inside clusters, of c tanh(x / c), where x = logit(score) -
    logit(`threshold`): near the threshold this is x, and it levels off at +-c, so that no pair outweighs many.

    The best clusters cannot be found in reasonable time (Bansal, Blum & Chawla 2004). These are found by greedy
    additive edge contraction (GAEC; Keuper et al. 2015, "Efficient Decomposition of Image and Mesh Graphs by Lifted
    Multicuts"): merged are the two clusters of the highest sum between them, while it is 0 or more. Then, in the
    order of the rows, each ad moves to the cluster, or to one of its own, where the sum is highest, until no move
    gains anything or for `MAX_PASSES` passes. A pair that was not scored counts as one of score 0, or for less where
    the lists of candidates had no room for it (`EdgeWeights`).

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too.
    :return: one label per ad, which the ads of its cluster share.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    edges = gather_edge_weights(scored, ads, threshold, _weights)
    merged = merge_greedily(edges, _total)
    moved = _moved(edges, merged)
    return _held_by_links(edges, moved)


def _total(total: float, size_a: int, size_b: int) -> float:
    return total


def _weights(score: Float64[np.ndarray, "pairs"], threshold: float) -> Float64[np.ndarray, "pairs"]:
    """c tanh(x / c) of `correlation_clustering`."""
    log_odds = _log_odds(score)
    log_odds_of_threshold = _log_odds(threshold)
    x = log_odds - log_odds_of_threshold
    return MAX_LOG_ODDS * np.tanh(x / MAX_LOG_ODDS)


def _log_odds(score: np.ndarray | float) -> np.ndarray | float:
    inside = np.clip(score, MIN_SCORE, 1 - MIN_SCORE)
    odds = inside / (1 - inside)
    return np.log(odds)


class _Clusters:
    """The clusters while ads move: of each ad its cluster, of each cluster its size and the sum of its ads' shares."""

    def __init__(self, edges: EdgeWeights, near: Mapping[int, object], label: Ads) -> None:
        ads = list(near)
        self.unscored = edges.unscored
        self.of_ad: dict[int, int] = {}
        share_of_ads = edges.share[ads].tolist()
        self.share = dict(zip(ads, share_of_ads, strict=True))
        self.size: dict[int, int] = defaultdict(int)
        self.shares: dict[int, float] = defaultdict(float)
        labels = label[ads].tolist()
        for ad, cluster in zip(ads, labels, strict=True):
            self.put(ad, cluster)

    def put(self, ad: int, cluster: int) -> None:
        self.of_ad[ad] = cluster
        self.size[cluster] += 1
        self.shares[cluster] += self.share[ad]

    def take_out(self, ad: int) -> int:
        """Returns the cluster that the ad was in."""
        cluster = self.of_ad[ad]
        self.size[cluster] -= 1
        self.shares[cluster] -= self.share[ad]
        return cluster

    def total(self, ad: int, cluster: int, scored: float) -> float:
        """The sum of the weights of the ad with all of the cluster. `scored`: of the values in `EdgeWeights.near`."""
        links = self.share[ad] * self.shares[cluster]
        room = self.size[cluster] - links
        return scored + self.unscored * room


def _moved(edges: EdgeWeights, label: Ads) -> Ads:
    """Labels after each ad has moved to where it has the highest sum of weights."""
    near = edges.near()
    clusters = _Clusters(edges, near, label)
    new = len(label)  # the number of the next new cluster
    ads = sorted(near)
    for _ in range(MAX_PASSES):
        moves = 0
        for ad in ads:
            old = clusters.take_out(ad)
            best = _best_cluster(clusters, near[ad], ad, old, new)
            clusters.put(ad, best)
            if best != old:
                moves += 1
            if best == new:
                new += 1
        if not moves:
            break
    moved = label.copy()
    placed = list(clusters.of_ad)
    places = list(clusters.of_ad.values())
    moved[placed] = places
    return moved


def _best_cluster(
    clusters: _Clusters, near: Mapping[int, float], ad: int, old: int, new: int
) -> int:
    """The cluster with which the ad has the highest sum; `old` unless another gains something. `new`: an empty one."""
    scored: dict[int, float] = defaultdict(float)
    of_ad = clusters.of_ad
    for other, value in near.items():
        cluster = of_ad[other]
        scored[cluster] += value
    best = new
    best_total = 0.0
    for cluster, value in scored.items():
        total = clusters.total(ad, cluster, value)
        is_better = total > best_total
        is_tie = total == best_total
        if is_better or (is_tie and cluster < best):
            best = cluster
            best_total = total
    total_of_old = clusters.total(ad, old, scored[old])
    gains = best_total > total_of_old + ROUNDING
    return best if gains else old


def _held_by_links(edges: EdgeWeights, label: Ads) -> Ads:
    """Separate what no chain of links inside the cluster joins: the ad that made it one has moved on."""
    left = edges.left
    right = edges.right
    is_link = edges.weight >= 0
    same_cluster = label[left] == label[right]
    held = is_link & same_cluster
    decided = edges.undecided()
    rows = np.arange(len(decided))
    one = np.concatenate([left[held], decided])
    other = np.concatenate([right[held], rows])
    return duplicate_groups(one, other, len(decided))
