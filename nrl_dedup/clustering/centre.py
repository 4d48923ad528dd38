"""Centre clustering: each cluster is one ad, its centre, and ads that are linked with it."""

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.tables import SCORED_PAIRS, check


def centre_clustering(scored: pl.DataFrame, ads: int, threshold: float) -> Int64[np.ndarray, "ads"]:
    """CENTER (Haveliwala, Gionis & Indyk 2000; Hassanzadeh & Miller 2009, "Creating probabilistic databases from
    duplicated data", VLDB Journal 18).

    The links, pairs with a score of at least `threshold`, are gone through from the best one down, equal ones in the
    order of their rows. An ad gets its place at its first link: if the other ad is a centre, it joins it; if the other
    has joined a centre, it becomes a centre; if neither has a place, the one with more links becomes a centre (of as
    many, the smaller row) and the other joins it. O(links log links).

    :param scored: `tables.SCORED_PAIRS`.
    :return: the centre of each ad's cluster.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    links = check(scored, SCORED_PAIRS, "scored pairs").filter(pl.col("score") >= threshold)
    links = links.sort("score", "row_l", "row_r", descending=[True, False, False])
    left, right = links["row_l"].to_numpy(), links["row_r"].to_numpy()
    count = np.bincount(np.concatenate([left, right]), minlength=ads)
    more = np.where(count[left] >= count[right], left, right)
    centre: dict[int, int] = {}
    for a, b in zip(more.tolist(), (left + right - more).tolist(), strict=True):
        if a not in centre:
            centre[a] = b if centre.get(b) == b else a
        if b not in centre:
            centre[b] = a if centre[a] == a else b
    label = np.arange(ads)
    label[list(centre)] = list(centre.values())
    return label
