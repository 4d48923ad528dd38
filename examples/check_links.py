"""How good clusters are against the examples' truth: pairwise precision, recall and F1.

    python examples/check_links.py dupes.csv [truth.csv]

Exits with 1 if F1 is below 0.9.
"""

import sys
from pathlib import Path

import polars as pl

from nrl_dedup.evaluation.cluster_quality import ClusterQuality, pairwise_quality

WANTED_F1 = 0.9


def check(dupes: Path, truth: Path) -> ClusterQuality:
    """Compare `dupes` (cluster_id, item_id, score) with `truth` (itemID, entity); an ad in no cluster stands alone."""
    clusters = pl.read_csv(dupes, infer_schema=False)
    ads = pl.read_csv(truth, infer_schema=False).join(
        clusters, left_on="itemID", right_on="item_id", how="left"
    )
    ads = ads.with_columns(pl.coalesce("cluster_id", "itemID"))
    cluster, entity = (
        ads[name].rank("dense").cast(pl.Int64).to_numpy() for name in ("cluster_id", "entity")
    )
    return pairwise_quality(cluster, entity)


def main() -> None:
    dupes = Path(sys.argv[1])
    truth = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "truth.csv"
    found = check(dupes, truth)
    print(f"pairwise precision {found.precision:.3f}, recall {found.recall:.3f}, F1 {found.f1:.3f}")
    sys.exit(found.f1 < WANTED_F1)


if __name__ == "__main__":
    main()
