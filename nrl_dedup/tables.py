"""The tables that pass between the stages: their columns, and how they are checked.

Inside the stages an ad is its *row*: its position in the catalogue, which is ordered by item id. So for two ads
`row_l < row_r` says the same as `item_id_l < item_id_r`, and ids are needed only where a file is read or written.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from nrl_dedup.errors import NrlDedupError

CATALOGUE = {
    "item_id": pl.String,  # unique
    "title": pl.String,
    "description": pl.String,
    "photos": pl.List(pl.String),
}
LABELLED_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64, "is_duplicate": pl.Boolean}
CANDIDATE_PAIRS = {"row_l": pl.Int64, "row_r": pl.Int64}  # row_l < row_r, unique
SCORED_PAIRS = {**CANDIDATE_PAIRS, "score": pl.Float32}  # in [0, 1], higher = more likely the same
# `cluster_row`: the smallest row in the cluster.
CLUSTERS = {
    "cluster_row": pl.Int64,
    "row": pl.Int64,
    "score": pl.Float32,
}

Schema = Mapping[str, Any]  # column -> polars type


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
