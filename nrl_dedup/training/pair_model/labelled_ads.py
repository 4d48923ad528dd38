"""The labelled pairs of a bundle as pairs of a catalogue's distinct ads: whom training may learn from, and whom not."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped

from nrl_dedup.blocking.distinct_ads import DistinctAds, DistinctPairs
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.sides import rows_of_pairs
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.tables import CatalogueRows

Ads = Bool[np.ndarray, "distinct"]
PairMask = Bool[np.ndarray, "pairs"]


@dataclass(frozen=True)
class LabelledAds:
    """The labelled pairs whose ads are in the catalogue, and which of its distinct ads are in them.

    Here, and nowhere else, the ids of labelled pairs become rows of the catalogue (`row_l`, `row_r`), and these
    distinct ads (`pairs`).

    `labels`, `side`: of each labelled pair. `is_of_new_ads`: whether it is none of training, nor any of its ads in one.
    Of each distinct ad, `ads`: whether it is in pairs that are not of the test; `tested`: in test pairs alone;
    `held_out`: in pairs of validation or test, and in none of training; `every`: in any. `group`: of duplicates.
    """

    row_l: CatalogueRows
    row_r: CatalogueRows
    pairs: DistinctPairs
    labels: PairMask
    side: Shaped[np.ndarray, "pairs"]
    is_of_new_ads: PairMask
    ads: Ads
    tested: Ads
    held_out: Ads
    every: Ads
    group: Int64[np.ndarray, "distinct"]

    @classmethod
    def of(cls, split: pl.DataFrame, catalogue: Catalogue, ads: DistinctAds) -> "LabelledAds":
        """:param split: the labelled pairs that a bundle remembers (`Bundle.split`)."""
        left, right = rows_of_pairs(catalogue, split)
        has_both = left.is_not_null() & right.is_not_null()
        own = split.filter(has_both)
        row_l = left.filter(has_both).to_numpy().astype(np.int64)
        row_r = right.filter(has_both).to_numpy().astype(np.int64)
        labels = own["is_duplicate"].to_numpy()
        side = own["side"].to_numpy()
        pairs = ads.pairs(row_l, row_r)

        def ads_in(chosen: PairMask) -> Ads:
            rows = np.concatenate([row_l[chosen], row_r[chosen]])
            found = np.zeros(len(ads), dtype=bool)
            found[ads.of_rows(rows[ads.has(rows)])] = True
            return found

        in_training = ads_in(side == "train")
        is_seen = ads.spread(in_training, left_out=False)
        learned = ads_in(side != "test")
        is_duplicate = labels[pairs.is_there]
        group = duplicate_groups(
            pairs.distinct_l[is_duplicate], pairs.distinct_r[is_duplicate], len(ads)
        )
        return cls(
            row_l=row_l,
            row_r=row_r,
            pairs=pairs,
            labels=labels,
            side=side,
            is_of_new_ads=(side != "train") & ~is_seen[row_l] & ~is_seen[row_r],
            ads=learned,
            tested=ads_in(side == "test") & ~learned,
            held_out=ads_in(side != "train") & ~in_training,
            every=learned | ads_in(side == "test"),
            group=group,
        )

    def distinct(self, chosen: PairMask) -> DistinctPairs:
        """Of the chosen labelled pairs, those whose two ads are distinct ads."""
        some = chosen[self.pairs.is_there]
        return DistinctPairs(
            self.pairs.is_there & chosen, self.pairs.distinct_l[some], self.pairs.distinct_r[some]
        )
