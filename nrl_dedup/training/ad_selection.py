"""Which ads and pairs a training uses."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from nrl_dedup.tables import catalogue_ends

# Ads that choose the epoch of training without labels: their loss costs one batch of embeddings per epoch. Not tuned.
MAX_HELD_OUT = 2048


def some_ads(ads: Int64[np.ndarray, "ads"], seed: int) -> Int64[np.ndarray, "some"]:
    """At most `MAX_HELD_OUT` of them, at random."""
    return np.sort(np.random.default_rng(seed).permutation(ads)[:MAX_HELD_OUT])


def ads_of_pairs(sides: Sequence[pl.DataFrame]) -> Int64[np.ndarray, "ads"]:
    """The rows of the ads of these pairs, each once, in order."""
    ends: list[np.ndarray] = []
    for side in sides:
        ends += catalogue_ends(side)
    return np.unique(np.concatenate(ends))


def complete_pairs(pairs: pl.DataFrame, keep: Bool[np.ndarray, "ads"]) -> pl.DataFrame:
    """The pairs of which both ads have words and a readable photo (`--complete-only`)."""
    row_l, row_r = catalogue_ends(pairs)
    return pairs.filter(pl.Series(keep[row_l] & keep[row_r]))
