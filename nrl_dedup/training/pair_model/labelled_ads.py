"""The labelled pairs of a bundle as pairs of a catalogue's distinct ads: whom training may learn from, and whom not."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.training.pair_model.held_out import held_out_ads

Ads = Bool[np.ndarray, "distinct"]


@dataclass(frozen=True)
class LabelledAds:
    """The labelled pairs as positions of `BlockingResult.rows` (-1: an ad with neither words nor a readable photo), and
    as rows of the catalogue.

    `side`: of each pair. `ads`: the positions in pairs that are not of the test; `tested`: in test pairs alone;
    `held_out`: in none of training; `every`: in any. `group`: of duplicates, of each position.
    """

    rows: Int64[np.ndarray, "2 pairs"]
    ends: Int64[np.ndarray, "2 pairs"]
    labels: Bool[np.ndarray, "pairs"]
    side: Shaped[np.ndarray, "pairs"]
    ads: Ads
    tested: Ads
    held_out: Ads
    every: Ads
    group: Int64[np.ndarray, "distinct"]

    @classmethod
    def of(cls, bundle: Bundle, catalogue: Catalogue, blocked: BlockingResult) -> "LabelledAds":
        count = len(blocked.rows)
        ids = catalogue.ids.implode()
        has_both = pl.col("item_id_l").is_in(ids) & pl.col("item_id_r").is_in(ids)
        split = bundle.split.filter(has_both)
        rows_l = catalogue.rows_of(split["item_id_l"]).to_numpy()
        rows_r = catalogue.rows_of(split["item_id_r"]).to_numpy()
        rows = np.stack([rows_l, rows_r]).astype(np.int64)
        ends = blocked.position[rows]
        labels = split["is_duplicate"].to_numpy()
        side = split["side"].to_numpy()
        there = (ends >= 0).all(axis=0)

        def ads_in(pairs: Bool[np.ndarray, "pairs"]) -> Ads:
            found = np.zeros(count + 1, dtype=bool)
            found[ends[:, pairs]] = True
            return found[:count]

        ads = ads_in(side != "test")
        sides = pl.DataFrame({"row_l": ends[0], "row_r": ends[1], "side": side})
        return cls(
            rows, ends, labels, side,
            ads=ads,
            tested=ads_in(side == "test") & ~ads,
            held_out=held_out_ads(sides, count),
            every=ads_in(np.ones(len(labels), dtype=bool)),
            group=duplicate_groups(ends[0, labels & there], ends[1, labels & there], count),
        )  # fmt: skip
