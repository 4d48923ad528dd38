"""fit_pairs(): a trained network and its labelled pairs -> the pair model, fitted on what blocking really gives.

Two sorts of pairs are not learned from: those of the test, and, as far as the Siamese score goes, those of ads that the
network was trained on, whose scores are better than those of new ads will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float64, Int64, Shaped

from nrl_dedup.blocked import CANDIDATES, Blocked, block
from nrl_dedup.bundle import HELD_OUT, Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evidence import (
    AdEvidence,
    PairModel,
    TrainingPairs,
    Views,
    co_train,
    fit_pair_model,
    pair_evidence,
    pairs_to_learn_from,
    training_pairs,
    unlabelled_model,
)
from nrl_dedup.evidence.parts import SIAMESE as SIAMESE_GROUP
from nrl_dedup.held_out import held_out_ads, held_out_pairs, lost_pairs
from nrl_dedup.prepared import prepare
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.scorers import EVIDENCE, SIAMESE, describe, siamese_scorer

MOST_WEIGHT = 10.0

Positions = Int64[np.ndarray, "pairs"]
Ads = Bool[np.ndarray, "distinct"]


@dataclass(frozen=True)
class FittedPairs:
    """`model` None: there was too little to learn from. `held_out`: `bundle.HELD_OUT` of both scorers."""

    model: PairModel | None
    held_out: pl.DataFrame


def fit_pairs(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    most: int = CANDIDATES,
    device: torch.device,
    progress: Progress = SILENT,
) -> FittedPairs:
    """The pair model of a bundle's network, learned without labels first and then from the labels that there are.

    It is fitted to the pairs of the training and validation sides, and to the candidate pairs of their ads: duplicates
    if labelled duplicates join them, else different, labelled or not. (Where the labels miss duplicates, precision is
    better than it looks here.) A candidate with an ad of no labelled pair is not known to be either; those of two
    labelled ads weigh as much more, up to `MOST_WEIGHT` times.

    :param catalogue: that of the training.
    :raises NrlDedupError: what `prepare` and `block` raise.
    """
    prepared = prepare(catalogue, bundle, photo_folder, work_dir, sketches=True, device=device, progress=progress)
    blocked = block(catalogue, bundle, prepared, most, device=device, progress=progress)
    ads = describe(catalogue, prepared, blocked)
    labelled = _Labelled.of(bundle, catalogue, blocked)
    views = _views(ads, blocked, labelled, progress)
    if not bundle.labelled:
        return FittedPairs(None if views is None else unlabelled_model(views), pl.DataFrame(schema=HELD_OUT))
    siamese = _held_out_from_network(bundle, blocked, labelled, device)
    try:
        model, evidence = _fit(ads, blocked, labelled, views, progress)
    except NrlDedupError as error:
        progress.warn(f"The pair model knows no label: {error}")
        return FittedPairs(None if views is None else unlabelled_model(views), siamese)
    return FittedPairs(model, pl.concat([evidence, siamese]))


@dataclass(frozen=True)
class _Labelled:
    """The labelled pairs as positions of `Blocked.rows` (-1: an ad that says nothing), and as rows of the catalogue.

    `side`: of each pair. `ads`: the positions in pairs that are not of the test; `trained`: in the network's own pairs;
    `tested`: in test pairs alone; `held_out`: in none of training; `every`: in any. `group`: of duplicates, of each
    position.
    """

    rows: Int64[np.ndarray, "2 pairs"]
    ends: Int64[np.ndarray, "2 pairs"]
    labels: Bool[np.ndarray, "pairs"]
    side: Shaped[np.ndarray, "pairs"]
    ads: Ads
    trained: Ads
    tested: Ads
    held_out: Ads
    every: Ads
    group: Int64[np.ndarray, "distinct"]

    @classmethod
    def of(cls, bundle: Bundle, catalogue: Catalogue, blocked: Blocked) -> "_Labelled":
        split, count = bundle.split, len(blocked.rows)
        rows = np.stack([catalogue.rows_of(split[name]).to_numpy() for name in ("item_id_l", "item_id_r")])
        rows = rows.astype(np.int64)
        ends, labels, side = blocked.position[rows], split["is_duplicate"].to_numpy(), split["side"].to_numpy()
        there = (ends >= 0).all(axis=0)

        def stand_in(pairs: Bool[np.ndarray, "pairs"]) -> Ads:
            found = np.zeros(count + 1, dtype=bool)
            found[ends[:, pairs]] = True
            return found[:count]

        ads = stand_in(side != "test")
        sides = pl.DataFrame({"row_l": ends[0], "row_r": ends[1], "side": side})
        return cls(
            rows, ends, labels, side,
            ads=ads,
            trained=stand_in(side == "train"),
            tested=stand_in(side == "test") & ~ads,
            held_out=held_out_ads(sides, count),
            every=stand_in(np.ones(len(labels), dtype=bool)),
            group=duplicate_groups(ends[0, labels & there], ends[1, labels & there], count),
        )  # fmt: skip


def _views(ads: AdEvidence, blocked: Blocked, labelled: _Labelled, progress: Progress) -> Views | None:
    """Learned from the candidates, but for those of test ads."""
    left, right = _candidates(blocked)
    kept = ~labelled.tested[left] & ~labelled.tested[right]
    left, right = left[kept], right[kept]
    some = pairs_to_learn_from(left, right)
    left, right = left[some], right[some]
    try:
        return co_train(pair_evidence(ads, left, right, progress), left, right)
    except NrlDedupError as error:
        progress.warn(str(error))
        return None


def _fit(
    ads: AdEvidence, blocked: Blocked, labelled: _Labelled, views: Views | None, progress: Progress
) -> tuple[PairModel, pl.DataFrame]:
    """The model, and `bundle.HELD_OUT` of the candidates that it was fitted on, each scored without its fold."""
    pairs, weights = _pairs_to_fit(blocked, labelled)
    left, right = pairs.rows_l, pairs.rows_r
    evidence = pair_evidence(ads, left, right, progress)
    evidence = evidence.blanked(labelled.trained[left] | labelled.trained[right], [SIAMESE_GROUP])
    fitted = fit_pair_model(evidence, pairs.labels, left, right, views=views, stands_for=weights)
    some = weights > 0
    kept = held_out_pairs(EVIDENCE, left[some], right[some], fitted.log_odds[some], weights[some], labelled.group)
    lost = lost_pairs(EVIDENCE, blocked, *labelled.rows[:, (labelled.side != "test") & labelled.labels])
    to_labelled = fitted.among(pairs.labelled, pairs.labels).model.calibration
    return replace(fitted.model, labelled=to_labelled), pl.concat([kept, lost])


def _pairs_to_fit(blocked: Blocked, labelled: _Labelled) -> tuple[TrainingPairs, Float64[np.ndarray, "pairs"]]:
    """The pairs of `fit_pairs`, and for how many candidates each stands."""
    left, right = _candidates(blocked)
    weight = _weight(labelled.ads, left, right)
    both = labelled.ads[left] & labelled.ads[right] & ~_among(left, right, labelled, labelled.side == "test")
    left, right = left[both], right[both]
    some = pairs_to_learn_from(left, right)
    learned = (labelled.side != "test") & (labelled.ends >= 0).all(axis=0) & (labelled.ends[0] != labelled.ends[1])
    ends = labelled.ends[:, learned]
    pairs = training_pairs(ends[0], ends[1], labelled.labels[learned], left[some], right[some])
    return pairs, np.where(pairs.labels | pairs.labelled, 1, weight) * pairs.stands_for


def _among(
    left: Positions, right: Positions, labelled: _Labelled, which: Bool[np.ndarray, "labelled"]
) -> Bool[np.ndarray, "pairs"]:
    """Which pairs l < r are some of the labelled ones."""
    count = len(labelled.group)
    ends = np.sort(labelled.ends[:, which], axis=0)
    return np.isin(left * count + right, ends[0] * count + ends[1])


def _held_out_from_network(bundle: Bundle, blocked: Blocked, labelled: _Labelled, device: torch.device) -> pl.DataFrame:
    """`bundle.HELD_OUT` of the Siamese scores of labelled ads' candidates, of which one ad at least is none that the
    network was trained on; if the other is, the pair weighs half: it stands in one held-out ad's list."""
    left, right = _candidates(blocked)
    wanted = (labelled.held_out[left] | labelled.held_out[right]) & labelled.every[left] & labelled.every[right]
    weight = _weight(labelled.every, left, right)
    left, right = left[wanted], right[wanted]
    weights = (labelled.held_out[left].astype(float) + labelled.held_out[right]) / 2
    weights[labelled.group[left] != labelled.group[right]] *= weight
    logits = siamese_scorer(bundle.model, blocked, device).logits(left, right)
    kept = held_out_pairs(SIAMESE, left, right, logits, weights, labelled.group)
    new = np.append(labelled.held_out, True)[labelled.ends].all(axis=0)  # what says nothing is of no side
    of_new_ads = new & labelled.labels & (labelled.side != "train")
    return pl.concat([kept, lost_pairs(SIAMESE, blocked, *labelled.rows[:, of_new_ads])])


def _candidates(blocked: Blocked) -> Sequence[Positions]:
    frame = blocked.candidates.frame
    return frame["row_l"].to_numpy(), frame["row_r"].to_numpy()


def _weight(ads: Ads, left: Positions, right: Positions) -> float:
    """The candidates of these ads, over those of them whose two ads are among these."""
    inside = 2 * int((ads[left] & ads[right]).sum())
    return min(MOST_WEIGHT, (int(ads[left].sum()) + int(ads[right].sum())) / inside) if inside else 1.0
