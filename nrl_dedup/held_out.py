"""What `link` would score of the ads that training held out: the pairs that a threshold is chosen from.

Labelled pairs do not do for it: among the candidates of a catalogue are far more pairs of different things than among
the pairs that somebody labelled.
"""

from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int64

from nrl_dedup.bootstrap import PairGroups
from nrl_dedup.bundle import HELD_OUT, Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import sigmoid
from nrl_dedup.pipeline import CANDIDATES, Blocked, block, prepare
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.scoring import logits_of
from nrl_dedup.thresholds import ChosenThreshold, HeldOut, threshold_for_precision, threshold_for_recall


def held_out_candidates(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    most: int = CANDIDATES,
    device: torch.device,
    progress: Progress = SILENT,
) -> pl.DataFrame:
    """The candidate pairs, among all labelled ads, of those that stand in validation or test pairs and in no training
    pair (`bundle.HELD_OUT`).

    A candidate is a duplicate if labelled duplicates join its ads. Else the two count as different, labelled or not:
    where the labels miss duplicates, precision is better than it looks here. A pair of a held-out ad with a training
    ad weighs half of a pair of two: it stands in one held-out ad's list of candidates. Held-out duplicates that
    blocking loses have the logit -inf.

    :param catalogue: that of the training.
    """
    labelled = bundle.split.select(
        row_l=catalogue.rows_of(bundle.split["item_id_l"]),
        row_r=catalogue.rows_of(bundle.split["item_id_r"]),
        is_duplicate="is_duplicate",
        side="side",
    )
    rows = np.unique(np.concatenate([labelled["row_l"].to_numpy(), labelled["row_r"].to_numpy()]))
    part = catalogue.take(rows)
    labelled = labelled.with_columns(
        pl.Series(name, np.searchsorted(rows, labelled[name].to_numpy())) for name in ("row_l", "row_r")
    )
    held_out = held_out_ads(labelled, len(part))
    if not held_out.any():
        return pl.DataFrame(schema=HELD_OUT)
    prepared = prepare(part, bundle, photo_folder, work_dir, device=device, progress=progress)
    blocked = block(part, bundle, prepared, most, device=device, progress=progress)
    found = blocked.candidates.frame
    left, right = found["row_l"].to_numpy(), found["row_r"].to_numpy()
    wanted = held_out[blocked.rows[left]] | held_out[blocked.rows[right]]
    left, right = left[wanted], right[wanted]
    logits = logits_of(bundle.model, blocked.embeddings, left, right, device=device, progress=progress)
    scored = pl.DataFrame({"row_l": blocked.rows[left], "row_r": blocked.rows[right], "logit": logits})
    return pl.concat([_labelled(scored, labelled, held_out), _lost(blocked, labelled, held_out)])


def held_out_ads(labelled: pl.DataFrame, ads: int) -> Bool[np.ndarray, "ads"]:
    """Which rows stand in pairs of validation or test and in none of training (columns row_l, row_r, side)."""
    stands = {}
    for trains, pairs in labelled.group_by(pl.col("side") == "train"):
        at = np.concatenate([pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy()])
        stands[trains[0]] = np.isin(np.arange(ads), at)
    nowhere = np.zeros(ads, dtype=bool)
    return stands.get(False, nowhere) & ~stands.get(True, nowhere)


def choose_threshold(
    bundle: Bundle, *, precision: float | None = None, recall: float | None = None
) -> ChosenThreshold | None:
    """The logit from which links have this precision, or recall, on the bundle's held-out candidates; None if neither
    is wanted.

    :raises NrlDedupError: the bundle holds nothing out, or what is wanted cannot be reached.
    """
    if precision is None and recall is None:
        return None
    kept = bundle.held_out
    if kept is None or not kept["is_duplicate"].any():
        flag = "--recall" if precision is None else "--precision"
        raise NrlDedupError(
            f"{flag}: {bundle.folder} remembers no duplicates that its training held out, so nothing is known of its "
            "links. Name --threshold, or train with labelled pairs: nrl-dedup train ITEMS PAIRS."
        )
    groups, place = np.unique(np.concatenate([kept["group_l"], kept["group_r"]]), return_inverse=True)
    left, right = place.reshape(2, -1)
    labels, logits, weights = (kept[name].to_numpy() for name in ("is_duplicate", "logit", "weight"))
    pairs = HeldOut(labels, logits, weights, PairGroups(left, right, len(groups)))
    if recall is not None:
        return threshold_for_recall(pairs, recall)
    assert precision is not None
    return threshold_for_precision(pairs, precision)


def score_of(chosen: ChosenThreshold) -> float:
    """The chosen logit as a score (`tables.SCORED_PAIRS` has 32 bits of it)."""
    return float(np.float32(sigmoid(np.array([chosen.threshold]))[0]))


def _labelled(scored: pl.DataFrame, labelled: pl.DataFrame, held_out: Bool[np.ndarray, "ads"]) -> pl.DataFrame:
    left, right = scored["row_l"].to_numpy(), scored["row_r"].to_numpy()
    group = _groups(labelled, len(held_out))
    return pl.DataFrame(
        {
            "group_l": group[left],
            "group_r": group[right],
            "is_duplicate": group[left] == group[right],
            "weight": (held_out[left].astype(float) + held_out[right]) / 2,
            "logit": scored["logit"],
        },
        schema=HELD_OUT,
    )


def _lost(blocked: Blocked, labelled: pl.DataFrame, held_out: Bool[np.ndarray, "ads"]) -> pl.DataFrame:
    duplicates = labelled.filter("is_duplicate")
    left, right = duplicates["row_l"].to_numpy(), duplicates["row_r"].to_numpy()
    lost = (held_out[left] & held_out[right]) & ~blocked.finds(left, right)
    group = _groups(labelled, len(held_out))
    return pl.DataFrame(
        {
            "group_l": group[left[lost]],
            "group_r": group[right[lost]],
            "is_duplicate": True,
            "weight": 1.0,
            "logit": -np.inf,
        },
        schema=HELD_OUT,
    )


def _groups(labelled: pl.DataFrame, ads: int) -> Int64[np.ndarray, "ads"]:
    duplicates = labelled.filter("is_duplicate")
    return duplicate_groups(duplicates["row_l"].to_numpy(), duplicates["row_r"].to_numpy(), ads)
