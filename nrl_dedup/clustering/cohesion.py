"""Do clusters chain? In a chain neighbours are alike and the ends are not: then the mean score inside is low."""

from collections.abc import Callable

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.tables import CLUSTERS, check

CHAINS = {"cluster_row": pl.Int64, "size": pl.Int64, "mean_score": pl.Float64}
MOST_CLUSTERS = 1_000

ScorePairs = Callable[
    [Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]], Float32[np.ndarray, "pairs"]
]


def cohesion_of(
    clusters: pl.DataFrame, score_pairs: ScorePairs, seed: int, sample: int = 200
) -> pl.DataFrame:
    """The mean score of pairs inside each of the largest clusters, linked or not.

    `clusters`: `tables.CLUSTERS`. `score_pairs`: scores of the pairs of the rows l < r. Looks at clusters of three
    ads or more, at most the `MOST_CLUSTERS` largest (of equally large ones, those of the smallest cluster_row): all
    pairs of a cluster that has at most `sample`, else `sample` different ones, drawn by `seed` for each cluster
    anew, so that a cluster's figure does not depend on the others.

    Returns cluster_row, size, mean_score; largest first, then by cluster_row.

    :raises NrlDedupError: `clusters` has other columns or types.
    """
    ordered = check(clusters, CLUSTERS, "clusters").sort("cluster_row", "row")
    sizes = (
        ordered.with_row_index("start")
        .group_by("cluster_row")
        .agg(pl.col("start").min(), size=pl.len())
    )
    largest = sizes.filter(pl.col("size") > 2).sort("size", "cluster_row", descending=[True, False])
    largest = largest.head(MOST_CLUSTERS)
    if largest.is_empty():
        return pl.DataFrame(schema=CHAINS)

    pairs = largest["size"].cast(pl.Int64).to_numpy()
    pairs = pairs * (pairs - 1) // 2
    drawn = [
        np.random.default_rng(seed).choice(count, min(count, sample), replace=False)
        for count in pairs
    ]
    counts = np.array([len(numbers) for numbers in drawn])
    first, second = _pair(np.concatenate(drawn))
    start = np.repeat(largest["start"].cast(pl.Int64).to_numpy(), counts)
    rows = ordered["row"].to_numpy()
    scores = score_pairs(rows[start + first], rows[start + second])
    totals = np.add.reduceat(scores.astype(np.float64), np.cumsum(counts) - counts)
    return largest.select("cluster_row", pl.col("size").cast(pl.Int64), mean_score=totals / counts)


def _pair(
    number: Int64[np.ndarray, "pairs"],
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """The i < j of the `number`-th pair in the order 01, 02, 12, 03, ...: number = j (j - 1) / 2 + i."""
    j = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) / 2).astype(np.int64)
    j -= j * (j - 1) // 2 > number  # where the square root was rounded up
    return number - j * (j - 1) // 2, j
