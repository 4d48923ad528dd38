"""Greedy agglomeration: the two clusters that most belong together become one, again and again, until none do."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import numpy as np
from jaxtyping import Int64

from nrl_dedup.clustering.edge_weights import EdgeWeights

ROUNDING = (
    1e-9  # of sums of weights: what is less below 0 counts as 0; far above the rounding of 64 bits
)
TOLERANCE = 1e-3  # priorities that differ by less may come in either order. Not tuned.

Priority = Callable[[float, int, int], float]


def merge_greedily(edges: EdgeWeights, priority: Priority) -> Int64[np.ndarray, "ads"]:
    """Start with each ad alone; while there are clusters A, B with a scored pair between them and E(A, B) >= 0, merge
    the two of the highest `priority`(E(A, B), n_A, n_B). E is the sum of the weights of all pairs between the two,
    scored or not, and n the number of ads. Priorities that differ by less than `TOLERANCE` count as equal; which of
    them comes first is the same in every run.

    `priority` must have the sign of E, rise with it and, where it is not negative, not rise with an n.

    Returns one label per ad: the row of one of its cluster's ads.

    A heap holds pairs of clusters, each at a priority that it had at some time. That can only have fallen, by merges
    that changed the clusters' sizes and nothing else (other merges put the pair in anew): so the first of the heap is
    the highest, unless it has fallen; then it goes back to where it belongs. Without the tolerance every merge of
    a large cluster would send all of its pairs back (Dhulipala et al. 2021, "Hierarchical Agglomerative Graph
    Clustering in Nearly-Linear Time", gain the same by a factor). The smaller of two clusters' lists is merged into
    the larger, so that a pair moves O(log pairs) times. Memory is for the scored pairs alone.
    """
    near = edges.near()
    size = dict.fromkeys(near, 1)
    ads = list(near)
    share_of_ads = edges.share[ads].tolist()
    share = dict(zip(ads, share_of_ads, strict=True))

    def key(a: int, b: int) -> float:
        """Minus the priority: a heap gives its smallest first."""
        pairs = size[a] * size[b]
        links = share[a] * share[b]
        total = near[a][b] + edges.unscored * (pairs - links)
        return -priority(total, size[a], size[b])

    heap: list[tuple[float, int, int]] = []
    for a in near:
        for b in near[a]:
            if a >= b:
                continue  # each pair once
            at = key(a, b)
            if at <= ROUNDING:
                heap.append((at, a, b))
    heapify(heap)
    merged_into: dict[int, int] = {}
    while heap:
        at, a, b = heappop(heap)
        if a in merged_into or b in merged_into:
            continue
        now = key(a, b)
        if now > at + TOLERANCE:
            if now <= ROUNDING:
                heappush(heap, (now, a, b))
            continue
        if len(near[a]) < len(near[b]):
            a, b = b, a
        merged_into[b] = a
        size[a] += size[b]
        share[a] += share[b]
        near_a = near[a]
        del near_a[b]
        near_b = near.pop(b)
        del near_b[a]
        for c, value in near_b.items():
            del near[c][b]
            total = near_a.get(c, 0.0) + value
            near_a[c] = total
            near[c][a] = total
            first = min(a, c)
            second = max(a, c)
            now = key(first, second)
            if now <= ROUNDING:
                heappush(heap, (now, first, second))
    label = edges.undecided()
    last_merged_first = reversed(merged_into)  # what an ad was merged into has its label by then
    for b in last_merged_first:
        label[b] = label[merged_into[b]]
    return label
