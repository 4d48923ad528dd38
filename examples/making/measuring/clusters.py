"""How good clusters and links of a whole catalogue are, for the ads of one fold.

Counted are the pairs with at least one ad of the fold. One with an ad of another fold belongs half to each of the two
folds: it counts as `across`, 1 or 1/2. With 1/2, each pair of the catalogue counts once over all folds together.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nrl_dedup.evaluation.cluster_quality import ClusterQuality


@dataclass(frozen=True)
class LinkQuality(ClusterQuality):
    """`ClusterQuality` of the pairs that score `threshold` or more."""

    threshold: float


def read_truth(path: Path, fold: str) -> pl.DataFrame:
    """item, entity (text) and inside, whether the ad is of that fold."""
    truth = pl.read_csv(path, infer_schema=False)
    return truth.select(item="itemID", entity="entity", inside=pl.col("fold") == fold)


def read_clusters(path: Path, truth: pl.DataFrame) -> pl.DataFrame:
    """The truth with `cluster` beside it; an ad in no cluster stands alone."""
    clusters = pl.read_csv(path, infer_schema=False).select(
        item="item_id", cluster=pl.lit("in ") + pl.col("cluster_id")
    )
    joined = truth.join(clusters, on="item", how="left", maintain_order="left")
    return joined.with_columns(pl.col("cluster").fill_null(pl.lit("alone ") + pl.col("item")))


def pairwise(ads: pl.DataFrame, across: float) -> ClusterQuality:
    """Precision, recall and F1 of "these two ads are the same", counted from the sizes of clusters.

    :param ads: a row for each ad of the catalogue: entity, cluster, inside.
    """
    both, claimed, true = (
        _pairs(ads, names, across) for names in (("cluster", "entity"), ("cluster",), ("entity",))
    )
    return _quality(both, claimed, true)


def bcubed(ads: pl.DataFrame) -> ClusterQuality:
    """`bcubed_quality` of `nrl_dedup.evaluation`, but the means are those over the ads of the fold alone.

    :param ads: as in `pairwise`.
    """
    sizes = {
        name: pl.len().over(over)
        for name, over in (("both", ["cluster", "entity"]), ("c", "cluster"), ("e", "entity"))
    }
    inside = ads.with_columns(**sizes).filter("inside")
    precision, recall = ((inside["both"] / inside[name]).mean() for name in ("c", "e"))
    return ClusterQuality(precision, recall, 2 * precision * recall / (precision + recall))


def read_links(path: Path, truth: pl.DataFrame) -> pl.DataFrame:
    """The links with an ad of the fold: score, same (whether the truth says so) and across."""
    links = pl.read_csv(
        path, schema_overrides={"item_id_l": pl.String, "item_id_r": pl.String, "score": pl.Float64}
    )
    for side in ("l", "r"):
        links = links.join(
            truth.rename(lambda name, side=side: f"{name}_{side}"),
            left_on=f"item_id_{side}",
            right_on=f"item_{side}",
        )
    links = links.filter(pl.col("inside_l") | pl.col("inside_r"))
    return links.select(
        "score",
        same=pl.col("entity_l") == pl.col("entity_r"),
        across=pl.col("inside_l") != pl.col("inside_r"),
    )


def linked(links: pl.DataFrame, truth: pl.DataFrame, across: float) -> ClusterQuality:
    """Of the links as they are, whatever clusters they make."""
    weights = _weights(links, across)
    return _quality(
        float((weights * links["same"]).sum()),
        float(weights.sum()),
        _pairs(truth, ("entity",), across),
    )


def best_linked(links: pl.DataFrame, truth: pl.DataFrame, across: float) -> LinkQuality | None:
    """The same of the links from that threshold on where F1 is highest; None without links."""
    true = _pairs(truth, ("entity",), across)
    weighted = links.select("score", claimed=_weights(links, across)).with_columns(
        both=pl.col("claimed") * links["same"]
    )
    steps = (
        weighted.group_by("score")
        .sum()
        .sort("score", descending=True)
        .with_columns(pl.col("claimed", "both").cum_sum())
    )
    if steps.is_empty():
        return None
    score, claimed, both = steps.row(int((2 * steps["both"] / (steps["claimed"] + true)).arg_max()))
    found = _quality(both, claimed, true)
    return LinkQuality(found.precision, found.recall, found.f1, threshold=score)


def _weights(links: pl.DataFrame, across: float) -> pl.Series:
    return links.select(weight=pl.when("across").then(across).otherwise(1.0)).to_series()


def _pairs(ads: pl.DataFrame, names: tuple[str, ...], across: float) -> float:
    """Pairs of ads that share all `names`, at least one of the fold: of n ads, m of the fold, m (m - 1) / 2 and, times
    `across`, m (n - m)."""
    sizes = ads.group_by(names).agg(
        n=pl.len().cast(pl.Int64), m=pl.col("inside").sum().cast(pl.Int64)
    )
    n, m = sizes["n"], sizes["m"]
    return float((m * (m - 1) / 2 + across * m * (n - m)).sum())


def _quality(both: float, claimed: float, true: float) -> ClusterQuality:
    precision, recall = both / claimed if claimed else 1.0, both / true if true else 1.0
    return ClusterQuality(precision, recall, 2 * both / (claimed + true) if claimed + true else 1.0)
