"""Clusters as connected components: two ads are together if a chain of links joins them."""

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.tables import SCORED_PAIRS, check


def connected_components(
    scored: pl.DataFrame, ads: int, threshold: float
) -> Int64[np.ndarray, "ads"]:
    """Connected components of the graph whose nodes are the rows 0 .. `ads` - 1 and whose edges are the links.

    `scored`: `tables.SCORED_PAIRS`; those with a score of at least `threshold` are the links.

    Returns the smallest row of each ad's component. Breadth-first search over a sparse matrix, O(ads + links).

    :raises NrlDedupError: `scored` has other columns or types.
    """
    pairs = check(scored, SCORED_PAIRS, "scored pairs")
    is_link = pl.col("score") >= threshold
    links = pairs.filter(is_link)
    left = links["row_l"].to_numpy()
    right = links["row_r"].to_numpy()
    component = duplicate_groups(left, right, ads)
    _, smallest = np.unique(component, return_index=True)
    return smallest[component]
