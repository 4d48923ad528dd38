"""Ads that are one thing: joined by duplicate pairs, directly or through others."""

import numpy as np
from jaxtyping import Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def duplicate_groups(
    row_l: Int64[np.ndarray, " pairs"], row_r: Int64[np.ndarray, " pairs"], ads: int
) -> Int64[np.ndarray, " ads"]:
    """A number for each of the rows 0 .. `ads` - 1, the same for ads that a chain of these duplicate pairs joins.

    The groups are 0, 1, 2, ...; an ad in none of the pairs is a group of its own.
    """
    graph = coo_array((np.ones(len(row_l), dtype=bool), (row_l, row_r)), shape=(ads, ads))
    return connected_components(graph, directed=False)[1].astype(np.int64)
