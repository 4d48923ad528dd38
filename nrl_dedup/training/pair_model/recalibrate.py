"""recalibrate(): a pair model as it is, its probabilities calibrated on ads that it has not learned from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.competitors import Competitors
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score import EVIDENCE
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks
from nrl_dedup.training.pair_model.fit import FittedPairModel, SearchedCatalogue, search_catalogues
from nrl_dedup.training.pair_model.fit_calibration import platt
from nrl_dedup.training.pair_model.held_out import held_out_pairs
from nrl_dedup.training.pair_model.training_pairs import TrainingPairs


def recalibrate(
    model: PairModel,
    catalogues: Sequence[Catalogue],
    bundle: Bundle,
    photo_folder: Path | None,
    run: Run,
) -> FittedPairModel:
    """The same trees with calibrations fitted to other ads: to the candidates of labelled ads, and to labelled pairs.

    Where the new ads differ from those of training in how much they show, such as in their number of photos, the order
    of the scores holds better than their scale. Platt's straight line is fitted, for further catalogues differ again.
    Arguments and errors are those of `fit_pairs`; `bundle.split` has the labels of the new ads.
    """
    parts = search_catalogues(catalogues, bundle, photo_folder, run)
    pairs = TrainingPairs.joined([part.pairs for part in parts])
    group = np.concatenate([part.group for part in parts])
    evidence = ComparisonVectors.joined([part.evidence for part in parts])
    scores = model.pairwise_log_odds(evidence)
    if model.reranking is not None:
        competitors = _competitors(model, parts).evidence(
            pairs.distinct_l, pairs.distinct_r, scores
        )
        scores = scores + model.reranking.log_odds(competitors)
    some = pairs.sampling_weight > 0
    own = pairs.labelled
    calibration = platt(scores[some], pairs.labels[some], pairs.sampling_weight[some])
    to_labelled = platt(scores[own], pairs.labels[own], np.ones(int(own.sum())))
    kept = held_out_pairs(
        EVIDENCE,
        pairs.distinct_l[some],
        pairs.distinct_r[some],
        calibration(scores[some]),
        pairs.sampling_weight[some],
        pairs.labels[some],
        group,
    )
    held_out = pl.concat([kept, *(part.lost for part in parts), *(part.siamese for part in parts)])
    return FittedPairModel(replace(model, calibration=calibration, labelled=to_labelled), held_out)


def _competitors(model: PairModel, parts: Sequence[SearchedCatalogue]) -> Competitors:
    """Of all candidate pairs of all parts."""
    ends = []
    for part in parts:
        searched = part.searched
        scores = score_pairs_in_chunks(
            model, searched.compared, searched.distinct_l, searched.distinct_r
        )
        left, right = searched.ends_among_all()
        ends += [(left, right, scores), (right, left, scores)]
    return Competitors.of(ends, sum(part.ads for part in parts))
