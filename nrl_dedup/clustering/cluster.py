"""Scored pairs -> clusters, by one of the methods."""

from collections.abc import Callable

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.tables import CLUSTERS, SCORED_PAIRS, check

Labels = Int64[np.ndarray, "ads"]
Method = Callable[[pl.DataFrame, int, float], Labels]


def find_clusters(
    method: Method, scored: pl.DataFrame, identical: pl.DataFrame, ads: int, threshold: float
) -> pl.DataFrame:
    """The clusters that `method` makes of the scored pairs, each ad with those that are identical to it.

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too, of ads that represent identical ones.
    :param identical: `tables.SCORED_PAIRS`: each ad (row_r) that another (row_l) represents. It goes where that goes,
        whatever its score, and does not influence where.
    :return: `tables.CLUSTERS` of two ads or more, score = the ad's best scored pair inside its cluster, ordered by
        cluster_row and row.
    :raises NrlDedupError: `scored` or `identical` has other columns or types.
    """
    scored = check(scored, SCORED_PAIRS, "scored pairs")
    identical = check(identical, SCORED_PAIRS, "identical ads")
    label = method(scored, ads, threshold)
    representative = identical["row_l"].to_numpy()
    copy = identical["row_r"].to_numpy()
    with_copies = label.copy()
    with_copies[copy] = label[representative]
    pairs = pl.concat([scored, identical])
    return _table(with_copies, pairs)


def _table(label: Labels, pairs: pl.DataFrame) -> pl.DataFrame:
    _, smallest, number, size = np.unique(
        label,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    is_clustered = size[number] > 1
    rows = np.flatnonzero(is_clustered)
    best = _best_score_inside(label, pairs)
    columns = {
        "cluster_row": smallest[number[rows]],
        "row": rows,
        "score": best[rows],
    }
    table = pl.DataFrame(columns, schema=CLUSTERS)
    return table.sort("cluster_row", "row")


def _best_score_inside(label: Labels, pairs: pl.DataFrame) -> Float32[np.ndarray, "ads"]:
    """The highest score of each ad with another of its cluster; 0 without such a pair."""
    left = pairs["row_l"].to_numpy()
    right = pairs["row_r"].to_numpy()
    score = pairs["score"].to_numpy()
    same_cluster = label[left] == label[right]
    is_inside = same_cluster & (left != right)
    best = np.zeros(len(label), dtype=np.float32)
    np.maximum.at(best, left[is_inside], score[is_inside])
    np.maximum.at(best, right[is_inside], score[is_inside])
    return best
