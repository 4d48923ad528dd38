"""Average linkage: two clusters become one while the mean score of the pairs between them is that of a link."""

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.clustering.edge_weights import gather_edge_weights
from nrl_dedup.clustering.greedy_merging import merge_greedily


def average_linkage(scored: pl.DataFrame, ads: int, threshold: float) -> Int64[np.ndarray, "ads"]:
    """Agglomerative clustering by the mean score between clusters (UPGMA; Sokal & Michener 1958), inside the
    connected components of the links.

    Merged are, one pair after the other, the two clusters of the highest mean of score - `threshold` over all pairs
    between them, while it is 0 or more. A pair that was not scored counts as one of score 0, or for less where the
    lists of candidates had no room for it (`EdgeWeights`).

    One core takes 5 s for a component of 50,000 ads and a million pairs, a tenth of them links; where all pairs are
    links, 23 s for 20,000 ads and 400,000 pairs, and 2.5 times as long for twice as many.

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too.
    :return: one label per ad, the row of one of its cluster's ads.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    edges = gather_edge_weights(scored, ads, threshold, np.subtract)
    return merge_greedily(edges, _mean)


def _mean(total: float, size_a: int, size_b: int) -> float:
    pairs = size_a * size_b
    return total / pairs
