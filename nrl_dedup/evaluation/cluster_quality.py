"""How good clusters are against a truth: over all pairs of ads, and over all ads (B-cubed).

The truth says of every ad which thing it shows, or of some pairs of ads whether they are duplicates. `cluster_files.py`
reads both from files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from nrl_dedup.tables import catalogue_ends

ENTITIES = "entities"
LABELLED_PAIRS = "labelled pairs"


@dataclass(frozen=True)
class ClusterQuality:
    """Clusters against the truth, over all pairs of ads or over all ads."""

    precision: float
    recall: float
    f1: float


def pairwise_quality(
    clusters: Int64[np.ndarray, "ads"], entities: Int64[np.ndarray, "ads"]
) -> ClusterQuality:
    """Precision, recall and F1 of "these two ads are the same", counted from cluster sizes, not pair by pair.

    Precision is 1 where no two ads are claimed to be the same, recall where no two are.

    :param clusters: a label for each ad; ads of one cluster share it, an ad alone has its own.
    :param entities: the same for the truth.
    """
    both = _pairs_inside(clusters, entities)
    claimed = _pairs_inside(clusters)
    true = _pairs_inside(entities)
    return _quality_of_pairs(both, claimed, true)


def labelled_pair_quality(
    together: Bool[np.ndarray, "pairs"], is_duplicate: Bool[np.ndarray, "pairs"]
) -> ClusterQuality:
    """Precision, recall and F1 of "these two ads are the same" over labelled pairs alone.

    Precision is 1 where no labelled pair is in one cluster, recall where none is a duplicate.

    :param together: whether the two ads of each pair are in one cluster.
    """
    both = int((together & is_duplicate).sum())
    return _quality_of_pairs(both, int(together.sum()), int(is_duplicate.sum()))


def _quality_of_pairs(both: int, claimed: int, true: int) -> ClusterQuality:
    """From the numbers of pairs that are claimed and true, that are claimed, and that are true."""
    precision = both / claimed if claimed else 1.0
    recall = both / true if true else 1.0
    return ClusterQuality(precision, recall, 2 * both / (claimed + true) if claimed + true else 1.0)


def _pairs_inside(*labels: Int64[np.ndarray, "ads"]) -> int:
    counts = np.unique(np.stack(labels), axis=1, return_counts=True)[1].astype(np.int64)
    return int(np.sum(counts * (counts - 1) // 2))


def bcubed_quality(
    clusters: Int64[np.ndarray, "ads"], entities: Int64[np.ndarray, "ads"]
) -> ClusterQuality:
    """B-cubed precision, recall and F1 (Bagga & Baldwin 1998; Amigo et al. 2009), where each ad counts the same.

    Of ad a, in cluster C and entity E, precision is |C n E| / |C| and recall |C n E| / |E|; an ad is in its own C and
    E. The means over the N ads, with n_CE = |C n E|, are sum n_CE^2 / (N |C|) and sum n_CE^2 / (N |E|). F1 is the
    harmonic mean of the two means. Without ads all three are 1.

    :param clusters: a label for each ad; ads of one cluster share it, an ad alone has its own.
    :param entities: the same for the truth.
    """
    if not len(clusters):
        return ClusterQuality(1.0, 1.0, 1.0)
    _, number, count = np.unique(
        np.stack([clusters, entities]), axis=1, return_inverse=True, return_counts=True
    )
    together = count[number.ravel()]
    precision = float(np.mean(together / _sizes(clusters)))
    recall = float(np.mean(together / _sizes(entities)))
    return ClusterQuality(precision, recall, 2 * precision * recall / (precision + recall))


def _sizes(labels: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    """How many ads share the label of each."""
    _, number, count = np.unique(labels, return_inverse=True, return_counts=True)
    return count[number]


@dataclass(frozen=True)
class ClusterReport:
    """The figures of a file of clusters.

    `truth`: `ENTITIES` or `LABELLED_PAIRS`. `ads`: those of the truth; the others do not count. `pairs`: the labelled
    pairs, None where the truth is entities. `bcubed`: None where the truth is labelled pairs, since B-cubed needs to
    know of every ad with which others it belongs. `cluster_sizes`, `entity_sizes`: size -> how many clusters of the
    file, and how many entities, have so many ads; from two ads on, the smallest first; no entities where the truth is
    labelled pairs. `clustered`: the ads of the file of clusters. `unknown`: how many of them the truth does not have,
    `unknown_ids` the first ten.
    """

    truth: str
    ads: int
    pairs: int | None
    pairwise: ClusterQuality
    bcubed: ClusterQuality | None
    cluster_sizes: Mapping[int, int]
    entity_sizes: Mapping[int, int] | None
    clustered: int
    unknown: int
    unknown_ids: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What is not defined is None; sizes are keys, so they are texts."""
        return {
            "truth": self.truth,
            "ads": self.ads,
            "labelled_pairs": self.pairs,
            "pairwise": vars(self.pairwise),
            "bcubed": None if self.bcubed is None else vars(self.bcubed),
            "cluster_sizes": _with_text_keys(self.cluster_sizes),
            "entity_sizes": None
            if self.entity_sizes is None
            else _with_text_keys(self.entity_sizes),
            "clustered_ads": self.clustered,
            "clustered_ads_not_in_truth": self.unknown,
        }


def quality_against_entities(clusters: pl.DataFrame, truth: pl.DataFrame) -> ClusterReport:
    """How good clusters are where the truth names the entity of every ad.

    :param clusters: item_id (unique), cluster_id; texts. An ad of the truth that is not here is alone.
    :param truth: item_id (unique), entity; texts.
    """
    ads = truth.join(clusters, on="item_id", how="left", maintain_order="left")
    cluster_of_ad = _cluster_numbers(ads)
    entity_of_ad = _numbers(ads["entity"])
    return ClusterReport(
        truth=ENTITIES,
        ads=len(truth),
        pairs=None,
        pairwise=pairwise_quality(cluster_of_ad, entity_of_ad),
        bcubed=bcubed_quality(cluster_of_ad, entity_of_ad),
        cluster_sizes=_counts_by_size(clusters["cluster_id"]),
        entity_sizes=_counts_by_size(truth["entity"]),
        **_coverage(clusters, truth["item_id"]),
    )


def quality_against_pairs(
    clusters: pl.DataFrame, ids: pl.Series, pairs: pl.DataFrame
) -> ClusterReport:
    """How good clusters are where some pairs have a label; no other pair counts.

    :param clusters: as in `quality_against_entities`.
    :param ids: of the labelled ads, by row. :param pairs: tables.LABELLED_PAIRS, rows of `ids`.
    """
    ads = pl.DataFrame({"item_id": ids})
    ads = ads.join(clusters, on="item_id", how="left", maintain_order="left")
    cluster_of_ad = _cluster_numbers(ads)
    row_l, row_r = catalogue_ends(pairs)
    together = cluster_of_ad[row_l] == cluster_of_ad[row_r]
    return ClusterReport(
        truth=LABELLED_PAIRS,
        ads=len(ids),
        pairs=len(pairs),
        pairwise=labelled_pair_quality(together, pairs["is_duplicate"].to_numpy()),
        bcubed=None,
        cluster_sizes=_counts_by_size(clusters["cluster_id"]),
        entity_sizes=None,
        **_coverage(clusters, ids),
    )


def _cluster_numbers(ads: pl.DataFrame) -> Int64[np.ndarray, "ads"]:
    """A number for each ad, the same for ads of one cluster; an ad without `cluster_id` has one of its own."""
    in_cluster = pl.lit("in ") + pl.col("cluster_id")
    alone = pl.lit("alone ") + pl.col("item_id")
    return _numbers(ads.select(pl.coalesce(in_cluster, alone)).to_series())


def _numbers(labels: pl.Series) -> Int64[np.ndarray, "ads"]:
    return labels.rank("dense").cast(pl.Int64).to_numpy()


def _counts_by_size(labels: pl.Series) -> dict[int, int]:
    """Size -> how many labels so many ads have, from two ads on."""
    sizes = pl.DataFrame({"label": labels}).group_by("label").len("size")
    counts = sizes.filter(pl.col("size") > 1).group_by("size").len("count").sort("size")
    return dict(counts.iter_rows())


def _coverage(clusters: pl.DataFrame, known: pl.Series) -> dict[str, Any]:
    """How many ads are in the clusters, and those of them that the truth does not have."""
    unknown = clusters["item_id"].filter(~clusters["item_id"].is_in(known.implode()))
    return {
        "clustered": len(clusters),
        "unknown": len(unknown),
        "unknown_ids": tuple(unknown.head(10)),
    }


def _with_text_keys(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(size): count for size, count in counts.items()}
