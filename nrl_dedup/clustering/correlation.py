"""Correlation clustering: the clusters that agree most with the log-odds of all pairs."""

from collections import defaultdict

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from nrl_dedup.clustering.edge_weights import EdgeWeights, gather_edge_weights
from nrl_dedup.clustering.greedy_merging import ROUNDING, merge_greedily
from nrl_dedup.duplicate_groups import duplicate_groups

CERTAIN = 4.0  # c: no pair says more than odds of e^4, 55 to 1, against those at the threshold
PASSES = 20


def correlation_clustering(
    scored: pl.DataFrame, ads: int, threshold: float
) -> Int64[np.ndarray, "ads"]:
    """Clusters of a high sum, over all pairs inside clusters, of c tanh(x / c), where x = logit(score) -
    logit(`threshold`): near the threshold this is x, and it levels off at +-c, so that no pair outweighs many.

    The best clusters cannot be found in reasonable time (Bansal, Blum & Chawla 2004). These are found by greedy
    additive edge contraction (GAEC; Keuper et al. 2015, "Efficient Decomposition of Image and Mesh Graphs by Lifted
    Multicuts"): merged are the two clusters of the highest sum between them, while it is 0 or more. Then, in the
    order of the rows, each ad moves to the cluster, or to one of its own, where the sum is highest, until no move
    gains anything or for `PASSES` passes. A pair that was not scored counts as one of score 0, or for less where
    the lists of candidates had no room for it (`EdgeWeights`).

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too.
    :return: a label an ad, which the ads of its cluster share.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    evidence = gather_edge_weights(scored, ads, threshold, _log_odds)
    return _moved(evidence, merge_greedily(evidence, lambda total, n_a, n_b: total))


def _log_odds(
    score: Float64[np.ndarray, "pairs"], threshold: float
) -> Float64[np.ndarray, "pairs"]:
    odds, border = (
        np.log(x / (1 - x)) for x in (np.clip(x, 1e-7, 1 - 1e-7) for x in (score, threshold))
    )
    return CERTAIN * np.tanh((odds - border) / CERTAIN)


def _moved(evidence: EdgeWeights, label: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    near = evidence.near()
    cluster_of = dict(zip(near, label[list(near)].tolist(), strict=True))
    share = dict(zip(near, evidence.share[list(near)].tolist(), strict=True))
    size: dict[int, int] = defaultdict(int)
    shares: dict[int, float] = defaultdict(float)

    def put(ad: int, cluster: int) -> None:
        cluster_of[ad] = cluster
        size[cluster] += 1
        shares[cluster] += share[ad]

    def total(ad: int, cluster: int, scored: float) -> float:
        return scored + evidence.unscored * (size[cluster] - share[ad] * shares[cluster])

    for ad, cluster in cluster_of.items():
        put(ad, cluster)
    new = len(label)
    for _ in range(PASSES):
        moves = 0
        for ad in sorted(near):
            old = cluster_of[ad]
            size[old] -= 1
            shares[old] -= share[ad]
            scored: dict[int, float] = defaultdict(float)
            for other, value in near[ad].items():
                scored[cluster_of[other]] += value
            totals = {cluster: total(ad, cluster, value) for cluster, value in scored.items()}
            totals[new] = 0.0
            best = min(totals, key=lambda cluster: (-totals[cluster], cluster))
            stays = totals[best] <= total(ad, old, scored[old]) + ROUNDING
            put(ad, old if stays else best)
            moves += not stays
            new += best == new and not stays
        if not moves:
            break
    moved = label.copy()
    moved[list(cluster_of)] = list(cluster_of.values())
    return _held_by_links(evidence, moved)


def _held_by_links(
    evidence: EdgeWeights, label: Int64[np.ndarray, "ads"]
) -> Int64[np.ndarray, "ads"]:
    """Part what no chain of links inside the cluster joins: the ad that made it one has moved on."""
    left, right = evidence.left, evidence.right
    held = (evidence.weight >= 0) & (label[left] == label[right])
    decided = evidence.undecided()
    ends = (
        np.concatenate([left[held], decided]),
        np.concatenate([right[held], np.arange(len(decided))]),
    )
    return duplicate_groups(*ends, len(decided))
