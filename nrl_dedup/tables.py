"""The tables that pass between the stages: their columns, and how they are checked.

An ad has two numbers, and the columns of a table of pairs say which one is meant:

    row_l, row_r             rows of the catalogue, which is ordered by item id. So `row_l < row_r` says the same as
                             `item_id_l < item_id_r`, and ids are needed only where a file is read or written.
    distinct_l, distinct_r   places among the catalogue's distinct ads, the only ones that blocking and scoring see.

`blocking.distinct_ads.DistinctAds` makes the one of the other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.errors import NrlDedupError

CATALOGUE = {
    "item_id": pl.String,  # unique
    "title": pl.String,
    "description": pl.String,
    "photos": pl.List(pl.String),
}
LABELLED_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64, "is_duplicate": pl.Boolean}
# distinct_l < distinct_r, unique.
CANDIDATE_PAIRS = {"distinct_l": pl.Int64, "distinct_r": pl.Int64}
# `row_r`: a copy of `row_l`, which represents it.
IDENTICAL_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64}
# row_l < row_r, unique. Scores are in [0, 1], higher = more likely the same.
SCORED_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64, "score": pl.Float32}
# `cluster_row`: the smallest row in the cluster.
CLUSTERS = {
    "cluster_row": pl.Int64,
    "row": pl.Int64,
    "score": pl.Float32,
}

Schema = Mapping[str, Any]  # column -> polars type
# To a type checker these two are the same array; what a function is given is checked by the columns of its table
# (`catalogue_ends`, `distinct_ends`) and by `DistinctAds`, which refuses numbers that no ad has.
CatalogueRows = Int64[np.ndarray, "pairs"]  # an end of each pair: a row of the catalogue
DistinctRows = Int64[np.ndarray, "pairs"]  # an end of each pair: a place among the distinct ads


def check(frame: pl.DataFrame, schema: Schema, what: str) -> pl.DataFrame:
    """`frame` with exactly the columns of `schema`, in its order.

    :raises NrlDedupError: a column is missing or has another type; the message names wanted and found.
    """
    wrong = [
        name
        for name, kind in schema.items()
        if name not in frame.columns or frame.schema[name] != kind
    ]
    if wrong:
        wanted = ", ".join(f"{name} ({schema[name]})" for name in wrong)
        raise NrlDedupError(f"{what}: wanted the columns {wanted}; found {dict(frame.schema)}.")
    return frame.select(list(schema))


def catalogue_ends(pairs: pl.DataFrame) -> tuple[CatalogueRows, CatalogueRows]:
    """The left and the right ads of pairs of catalogue rows.

    :raises NrlDedupError: they are pairs of distinct ads, or none at all.
    """
    return _ends(pairs, "row_l", "row_r")


def distinct_ends(pairs: pl.DataFrame) -> tuple[DistinctRows, DistinctRows]:
    """The left and the right ads of pairs of distinct ads.

    :raises NrlDedupError: they are pairs of catalogue rows, or none at all.
    """
    return _ends(pairs, "distinct_l", "distinct_r")


def _ends(pairs: pl.DataFrame, left: str, right: str) -> tuple[np.ndarray, np.ndarray]:
    if not {left, right} <= set(pairs.columns):
        found = ", ".join(pairs.columns)
        raise NrlDedupError(f"wanted pairs with the columns {left} and {right}; found {found}.")
    return pairs[left].to_numpy(), pairs[right].to_numpy()
