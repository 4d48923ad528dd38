"""Which ads and pairs a training uses."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

# Ads that choose the epoch of training without labels: their loss costs one batch of embeddings per epoch. Not tuned.
MAX_HELD_OUT = 2048


def some_ads(ads: Int64[np.ndarray, "ads"], seed: int) -> Int64[np.ndarray, "some"]:
    """At most `MAX_HELD_OUT` of them, at random."""
    return np.sort(np.random.default_rng(seed).permutation(ads)[:MAX_HELD_OUT])


def ads_of_pairs(sides: Sequence[pl.DataFrame]) -> Int64[np.ndarray, "ads"]:
    """The rows of the ads of these pairs, each once, in order."""
    return np.unique(
        np.concatenate([side[name].to_numpy() for side in sides for name in ("row_l", "row_r")])
    )


def complete_pairs(pairs: pl.DataFrame, keep: Bool[np.ndarray, "ads"]) -> pl.DataFrame:
    """The pairs of which both ads have words and a readable photo (`--complete-only`)."""
    return pairs.filter(
        pl.Series(keep[pairs["row_l"].to_numpy()] & keep[pairs["row_r"].to_numpy()])
    )
