"""recalibrate(): a pair model as it is, its probabilities put right on ads that it has not learned from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.compare import Evidence
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.calibration import platt
from nrl_dedup.scoring.competitors import Rivals
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score import EVIDENCE
from nrl_dedup.scoring.score_in_chunks import score_evidence
from nrl_dedup.training.pair_model.fit import FittedPairs, Part, searched_parts
from nrl_dedup.training.pair_model.held_out import held_out_pairs
from nrl_dedup.training.pair_model.training_pairs import TrainingPairs


def recalibrate(
    model: PairModel,
    catalogues: Sequence[Catalogue],
    bundle: Bundle,
    photo_folder: Path | None,
    run: Run,
) -> FittedPairs:
    """The same trees with calibrations fitted to other ads: to the candidates of labelled ads, and to labelled pairs.

    Where the new ads differ from those of training in how much they show, such as in their number of photos, the order
    of the scores holds better than their scale. Platt's straight line is fitted, for further catalogues differ again.
    Arguments and errors are those of `fit_pairs`; `bundle.split` has the labels of the new ads.
    """
    parts = searched_parts(catalogues, bundle, photo_folder, run)
    pairs = TrainingPairs.joined([part.pairs for part in parts])
    group = np.concatenate([part.group for part in parts])
    evidence = Evidence.joined([part.evidence for part in parts])
    scores = model.first_look(evidence)
    if model.second_look is not None:
        scores = scores + model.second_look.log_odds(_rivals(model, parts).evidence(pairs.rows_l, pairs.rows_r, scores))
    some, own = pairs.stands_for > 0, pairs.labelled
    calibration = platt(scores[some], pairs.labels[some], pairs.stands_for[some])
    to_labelled = platt(scores[own], pairs.labels[own], np.ones(int(own.sum())))
    kept = held_out_pairs(
        EVIDENCE,
        pairs.rows_l[some],
        pairs.rows_r[some],
        calibration(scores[some]),
        pairs.stands_for[some],
        pairs.labels[some],
        group,
    )
    held_out = pl.concat([kept, *(part.lost for part in parts), *(part.siamese for part in parts)])
    return FittedPairs(replace(model, calibration=calibration, labelled=to_labelled), held_out)


def _rivals(model: PairModel, parts: Sequence[Part]) -> Rivals:
    """Of all candidate pairs of all parts."""
    ends = []
    for part in parts:
        searched = part.searched
        scores = score_evidence(model, searched.compared, searched.rows_l, searched.rows_r)
        left, right = searched.rows_l + searched.first, searched.rows_r + searched.first
        ends += [(left, right, scores), (right, left, scores)]
    return Rivals.of(ends, sum(part.ads for part in parts))
