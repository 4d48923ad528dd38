"""Greedy contraction: the two clusters that most belong together become one, again and again, until none do."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import numpy as np
from jaxtyping import Int64

from nrl_dedup.clustering.edge_weights import EdgeWeights

ROUNDING = 1e-9  # of sums of weights: what is less below 0 is 0
TOLERANCE = 1e-3  # priorities that differ by less may come in either order

Priority = Callable[[float, int, int], float]


def merge_greedily(evidence: EdgeWeights, priority: Priority) -> Int64[np.ndarray, "ads"]:
    """Start with each ad alone; while there are clusters A, B with a scored pair between them and E(A, B) >= 0, merge
    the two of the highest `priority`(E(A, B), n_A, n_B). E is the sum of the weights of all pairs between the two,
    scored or not, and n the number of ads. Priorities that differ by less than `TOLERANCE` count as equal; which of
    them comes first is the same in every run.

    `priority` must have the sign of E, rise with it and, where it is not negative, not rise with an n.

    Returns a label an ad: the row of one of its cluster's ads.

    A heap holds pairs of clusters, each at a priority that it had at some time. That can only have fallen, by merges
    that changed the clusters' sizes and nothing else (other merges put the pair in anew): so the first of the heap is
    the highest, unless it has fallen; then it goes back to where it belongs. Without the tolerance every merge of
    a large cluster would send all of its pairs back (Dhulipala et al. 2021, "Hierarchical Agglomerative Graph
    Clustering in Nearly-Linear Time", gain the same by a factor). The smaller of two clusters' lists is poured into
    the larger, so that a pair moves O(log pairs) times. Memory is for the scored pairs alone.
    """
    near = evidence.near()
    size = dict.fromkeys(near, 1)
    share = dict(zip(near, evidence.share[list(near)].tolist(), strict=True))

    def key(a: int, b: int) -> float:
        total = near[a][b] + evidence.unscored * (size[a] * size[b] - share[a] * share[b])
        return -priority(total, size[a], size[b])

    heap = [(key(a, b), a, b) for a in near for b in near[a] if a < b and key(a, b) <= ROUNDING]
    heapify(heap)
    label = evidence.undecided()
    into: dict[int, int] = {}
    while heap:
        at, a, b = heappop(heap)
        if a in into or b in into:
            continue
        now = key(a, b)
        if now > at + TOLERANCE:
            if now <= ROUNDING:
                heappush(heap, (now, a, b))
            continue
        if len(near[a]) < len(near[b]):
            a, b = b, a
        into[b] = a
        size[a] += size[b]
        share[a] += share[b]
        del near[a][b]
        poured = near.pop(b)
        del poured[a]
        for c, value in poured.items():
            del near[c][b]
            near[a][c] = near[c][a] = near[a].get(c, 0.0) + value
            first, second = min(a, c), max(a, c)
            if key(first, second) <= ROUNDING:
                heappush(heap, (key(first, second), first, second))
    for b in reversed(
        into
    ):  # the last to be merged first: what it was merged into has its label by then
        label[b] = label[into[b]]
    return label
