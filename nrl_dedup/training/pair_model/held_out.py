"""What `link` would score of the ads that a scorer has not learned from: the pairs that a threshold is chosen from.

Labelled pairs do not do for it: among the candidates of a catalogue are far more pairs of different things than among
the pairs that somebody labelled.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.bundle.load import HELD_OUT, Bundle
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.bootstrap import PairGroups
from nrl_dedup.evaluation.thresholds import (
    ChosenThreshold,
    HeldOut,
    threshold_for_precision,
    threshold_for_recall,
)
from nrl_dedup.scoring.score import scorer_name
from nrl_dedup.tables import CatalogueRows, DistinctRows


def choose_threshold(
    bundle: Bundle,
    *,
    scorer: str | None = None,
    precision: float | None = None,
    recall: float | None = None,
) -> ChosenThreshold | None:
    """The logit from which links have this precision, or recall, on the bundle's held-out candidates; None if neither
    is wanted.

    :param scorer: as in `pipeline.link`.
    :raises NrlDedupError: the bundle holds nothing out, what is wanted cannot be reached, or what `scorer_name` raises.
    """
    if precision is None and recall is None:
        return None
    kept = bundle.held_out
    if kept is not None:
        kept = kept.filter(
            pl.col("scorer") == scorer_name(scorer, bundle.pair_model, bundle.folder)
        )
    if kept is None or not kept["is_duplicate"].any():
        flag = "--recall" if precision is None else "--precision"
        raise NrlDedupError(
            f"{flag}: {bundle.folder} remembers no duplicates that its training held out, so nothing is known of its "
            "links. Name --threshold, or train with labelled pairs: nrl-dedup train ITEMS PAIRS."
        )
    groups, place = np.unique(
        np.concatenate([kept["group_l"], kept["group_r"]]), return_inverse=True
    )
    left, right = place.reshape(2, -1)
    labels = kept["is_duplicate"].to_numpy()
    logits = kept["logit"].to_numpy()
    weights = kept["weight"].to_numpy()
    pairs = HeldOut(labels, logits, weights, PairGroups(left, right, len(groups)))
    if recall is not None:
        return threshold_for_recall(pairs, recall)
    assert precision is not None
    return threshold_for_precision(pairs, precision)


def score_of(chosen: ChosenThreshold) -> float:
    """The chosen logit as a score (`tables.SCORED_PAIRS` has 32 bits of it)."""
    return float(np.float32(expit(np.array([chosen.threshold]))[0]))


def held_out_pairs(
    scorer: str,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    logits: Float64[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
    labels: Bool[np.ndarray, "pairs"],
    group: Int64[np.ndarray, "distinct"],
) -> pl.DataFrame:
    """`HELD_OUT` of scored pairs. `group`: the group of duplicates of each distinct ad."""
    return pl.DataFrame(
        {
            "scorer": [scorer] * len(distinct_l),
            "group_l": group[distinct_l],
            "group_r": group[distinct_r],
            "is_duplicate": labels,
            "weight": weights,
            "logit": logits,
        },
        schema=HELD_OUT,
    )


def lost_pairs(
    scorer: str,
    blocked: BlockingResult,
    row_l: CatalogueRows,
    row_r: CatalogueRows,
) -> pl.DataFrame:
    """`HELD_OUT` of those of some duplicates that blocking loses, each in a group of its own."""
    lost = int((~blocked.finds(row_l, row_r)).sum())
    groups = -1 - np.arange(lost)
    return pl.DataFrame(
        {
            "scorer": [scorer] * lost,
            "group_l": groups,
            "group_r": groups,
            "is_duplicate": [True] * lost,
            "weight": np.ones(lost),
            "logit": np.full(lost, -np.inf),
        },
        schema=HELD_OUT,
    )
