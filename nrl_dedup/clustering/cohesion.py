"""Cohesion of clusters: the mean score inside. It is low in a chain: neighbours are alike, the ends are not."""

from collections.abc import Callable

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.tables import CLUSTERS, check

COHESION = {"cluster_row": pl.Int64, "size": pl.Int64, "mean_score": pl.Float64}
MAX_CLUSTERS = 1_000  # so at most 200,000 pairs are scored anew. Not tuned.

Rows = Int64[np.ndarray, "pairs"]
ScorePairs = Callable[[Rows, Rows], Float32[np.ndarray, "pairs"]]


def cohesion_of(
    clusters: pl.DataFrame, score_pairs: ScorePairs, seed: int, sample: int = 200
) -> pl.DataFrame:
    """The mean score of pairs inside each of the largest clusters, linked or not.

    `clusters`: `tables.CLUSTERS`. `score_pairs`: scores of the pairs of the rows l < r. Looks at clusters of three
    ads or more, at most the `MAX_CLUSTERS` largest (of equally large ones, those of the smallest cluster_row): all
    pairs of a cluster that has at most `sample`, else `sample` different ones, drawn by `seed` for each cluster
    anew, so that a cluster's figure does not depend on the others.

    Returns cluster_row, size, mean_score; largest first, then by cluster_row.

    :raises NrlDedupError: `clusters` has other columns or types.
    """
    checked = check(clusters, CLUSTERS, "clusters")
    ordered = checked.sort("cluster_row", "row")
    largest = _largest(ordered)
    if largest.is_empty():
        return pl.DataFrame(schema=COHESION)
    starts = largest["start"].to_numpy()
    sizes = largest["size"].to_numpy()
    drawn = []
    for size in sizes:
        pair_count = size * (size - 1) // 2
        random = np.random.default_rng(seed)
        draws = min(pair_count, sample)
        numbers = random.choice(pair_count, draws, replace=False)
        drawn.append(numbers)
    counts = np.array([len(numbers) for numbers in drawn])
    all_numbers = np.concatenate(drawn)
    first, second = _pair(all_numbers)
    start = np.repeat(starts, counts)
    rows = ordered["row"].to_numpy()
    left = rows[start + first]
    right = rows[start + second]
    scores = score_pairs(left, right).astype(np.float64)
    start_of_cluster = np.cumsum(counts) - counts
    totals = np.add.reduceat(scores, start_of_cluster)
    means = totals / counts
    return largest.select("cluster_row", "size", mean_score=means)


def _largest(ordered: pl.DataFrame) -> pl.DataFrame:
    """cluster_row, start (of its ads in `ordered`) and size of the largest clusters of three ads or more."""
    numbered = ordered.with_row_index("start")
    start = pl.col("start").cast(pl.Int64)
    size = pl.len().cast(pl.Int64)
    clusters = numbered.group_by("cluster_row").agg(
        start.min(),
        size=size,
    )
    several = clusters.filter(pl.col("size") > 2)
    by_size = several.sort("size", "cluster_row", descending=[True, False])
    return by_size.head(MAX_CLUSTERS)


def _pair(number: Rows) -> tuple[Rows, Rows]:
    """The i < j of the `number`-th pair in the order 01, 02, 12, 03, ...: number = j (j - 1) / 2 + i."""
    exact = number.astype(np.float64)
    root = np.sqrt(1 + 8 * exact)
    j = ((1 + root) / 2).astype(np.int64)
    first_of_j = j * (j - 1) // 2
    rounded_up = first_of_j > number
    j -= rounded_up
    first_of_j = j * (j - 1) // 2
    return number - first_of_j, j
