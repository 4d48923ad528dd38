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
    pairs = check(scored, SCORED_PAIRS, "scored pairs")
    is_link = pl.col("score") >= threshold
    links = pairs.filter(is_link)
    links = links.sort("score", "row_l", "row_r", descending=[True, False, False])
    left = links["row_l"].to_numpy()
    right = links["row_r"].to_numpy()
    ends = np.concatenate([left, right])
    degree = np.bincount(ends, minlength=ads)
    left_first = degree[left] >= degree[right]
    first = np.where(left_first, left, right)
    second = np.where(left_first, right, left)
    centre = _take_places(first.tolist(), second.tolist())
    label = np.arange(ads)
    placed = list(centre)
    centres = list(centre.values())
    label[placed] = centres
    return label


def _take_places(first: list[int], second: list[int]) -> dict[int, int]:
    """The centre of each ad of a link. `first`, `second`: the ads of each link, the best link first; of two without a
    place the first becomes a centre."""
    centre: dict[int, int] = {}
    for a, b in zip(first, second, strict=True):
        if a not in centre:
            b_is_centre = centre.get(b) == b
            centre[a] = b if b_is_centre else a
        if b not in centre:
            a_is_centre = centre[a] == a
            centre[b] = a if a_is_centre else b
    return centre
