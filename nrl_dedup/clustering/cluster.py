"""Scored pairs -> clusters, by one of the methods."""

from collections.abc import Callable

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.tables import CLUSTERS, SCORED_PAIRS, check

Method = Callable[[pl.DataFrame, int, float], Int64[np.ndarray, "ads"]]


def find_clusters(
    method: Method, scored: pl.DataFrame, identical: pl.DataFrame, ads: int, threshold: float
) -> pl.DataFrame:
    """The clusters that `method` makes of the scored pairs, each ad with those that are identical to it.

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too, of ads that stand for identical ones.
    :param identical: `tables.SCORED_PAIRS`: each ad (row_r) that another (row_l) stands for. It goes where that goes,
        whatever its score, and has no say in where.
    :return: `tables.CLUSTERS` of two ads or more, score = the ad's best scored pair inside its cluster, ordered by
        cluster_row and row.
    :raises NrlDedupError: `scored` or `identical` has other columns or types.
    """
    identical = check(identical, SCORED_PAIRS, "identical ads")
    label = method(scored, ads, threshold)
    of_stand_in = label.copy()
    of_stand_in[identical["row_r"].to_numpy()] = label[identical["row_l"].to_numpy()]
    return _table(of_stand_in, pl.concat([check(scored, SCORED_PAIRS, "scored pairs"), identical]))


def _table(label: Int64[np.ndarray, "ads"], pairs: pl.DataFrame) -> pl.DataFrame:
    left, right, score = (pairs[name].to_numpy() for name in SCORED_PAIRS)
    inside = (label[left] == label[right]) & (left != right)
    best = np.zeros(len(label), dtype=np.float32)
    for end in (left, right):
        np.maximum.at(best, end[inside], score[inside])
    _, smallest, number, size = np.unique(
        label, return_index=True, return_inverse=True, return_counts=True
    )
    rows = np.flatnonzero(size[number] > 1)
    columns = {"cluster_row": smallest[number[rows]], "row": rows, "score": best[rows]}
    return pl.DataFrame(columns, schema=CLUSTERS).sort("cluster_row", "row")
