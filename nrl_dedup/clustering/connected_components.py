"""Clusters as connected components: two ads are together if a chain of links joins them."""

import numpy as np
import polars as pl
from scipy.sparse import coo_array, csgraph

from nrl_dedup.tables import CLUSTERS, SCORED_PAIRS, check


def connected_components(links: pl.DataFrame, ads: int) -> pl.DataFrame:
    """Connected components of the graph whose nodes are the rows 0 .. `ads` - 1 and whose edges are the links.

    `links`: `tables.SCORED_PAIRS`, all of them taken, whatever their score. A link of an ad with itself says
    nothing and is passed over.

    Returns `tables.CLUSTERS`: components of two ads or more, score = the ad's best link, ordered by cluster_row and
    row. Breadth-first search over a sparse matrix, O(ads + links).

    :raises NrlDedupError: `links` has other columns or types.
    """
    links = check(links, SCORED_PAIRS, "links").filter(pl.col("row_l") != pl.col("row_r"))
    left, right = links["row_l"].to_numpy(), links["row_r"].to_numpy()
    graph = coo_array((np.ones(len(links), dtype=bool), (left, right)), shape=(ads, ads))
    _, label = csgraph.connected_components(graph, directed=False)
    _, smallest, size = np.unique(label, return_index=True, return_counts=True)

    best = np.zeros(ads, dtype=np.float32)
    for end in (left, right):
        np.maximum.at(best, end, links["score"].to_numpy())
    rows = np.flatnonzero(size[label] > 1)
    columns = {"cluster_row": smallest[label[rows]], "row": rows, "score": best[rows]}
    return pl.DataFrame(columns, schema=CLUSTERS).sort("cluster_row", "row")
