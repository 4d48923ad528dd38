"""fit_pair_model(): labelled pairs, many or few, on top of what was learned without labels."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import log_loss
from nrl_dedup.scoring.calibration import Calibration
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import UNCHANGED, PairModel
from nrl_dedup.scoring.trees import MAX_ROUNDS, Trees, grow, size_for
from nrl_dedup.tables import DistinctRows
from nrl_dedup.training.pair_model.fit_calibration import cross_calibrated, fit_calibration, platt
from nrl_dedup.training.pair_model.folds import FOLDS, ad_folds
from nrl_dedup.training.pair_model.group_dropout import with_group_dropout

MIN_OF_A_CLASS = 10  # labelled pairs of either class: two for each fold
_ROUNDS = (0, 12, 25, 50, 75, 100, 150, MAX_ROUNDS)  # numbers of trees to choose from. Not tuned.

Labels = Bool[np.ndarray, "pairs"]
Scores = Float64[np.ndarray, "pairs"]
Folds = Int64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class FittedModel:
    """A model, and the log-odds of each pair that it was fitted to, from models and calibrations that had not seen it.

    Choose thresholds, and report errors, by `log_odds`: the model's own log-odds of these pairs are too good.
    `scores`: the same before calibration. `folds`: of the left and the right ad of each pair, which was held out with
    that of its left ad. `held_out`: for each fold, the model that has not seen it, without calibration.
    """

    model: PairModel
    log_odds: Scores
    scores: Scores
    folds: Int64[np.ndarray, "2 pairs"]
    held_out: tuple[PairModel, ...]

    def among(self, pairs: Bool[np.ndarray, "pairs"], labels: Labels) -> "FittedModel":
        """The same model calibrated to some of the pairs, and their log-odds.

        Labelled pairs hold far more duplicates than candidate pairs do, and other negatives: probabilities calibrated
        on the ones are wrong for the others.

        :param labels: of all pairs. There must be both classes among `pairs`.
        """
        scores = self.scores[pairs]
        own = labels[pairs]
        folds = self.folds[:, pairs]
        ones = np.ones(len(scores))
        model = replace(self.model, calibration=fit_calibration(scores, own, ones, folds[0]))
        return replace(
            self,
            model=model,
            log_odds=cross_calibrated(scores, own, ones, folds[0]),
            scores=scores,
            folds=folds,
        )


def fit_pair_model(
    evidence: ComparisonVectors,
    labels: Labels,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    weights: Scores | None = None,
    views: ModalityModels | None = None,
    seed: int = 0,
    sampling_weight: Scores | None = None,
) -> FittedModel:
    """Fit to labelled pairs: the scale of the views (where they are given), trees on top, and the calibration.

    Five folds of ads (`folds.ad_folds`): a model of four scores the fifth. The number of trees with the lowest
    log loss on those scores is taken, none being one choice where there are views; the calibration is fitted to them;
    then the model is fitted to all pairs.

    :param distinct_l: :param distinct_r: the ads of each pair, numbered among the distinct ads of all catalogues.
    :param weights: of each pair in every loss; None is 1 each.
    :param sampling_weight: of each pair among those that are to be scored (`training_pairs`), by which the number of
        trees and the calibration are chosen. If fewer than ten duplicates or ten others have one above 0, `weights` are
        taken.
    :raises NrlDedupError: fewer than ten duplicates or ten others.
    """
    if min(labels.sum(), (~labels).sum()) < MIN_OF_A_CLASS:
        raise NrlDedupError(
            f"Pair evidence wants {MIN_OF_A_CLASS} duplicates and {MIN_OF_A_CLASS} others among the labelled pairs; "
            f"found {labels.sum()} and {(~labels).sum()}. Label more pairs, or train without labels."
        )
    if weights is None:
        weights = np.ones(len(labels))
    scored = weights if sampling_weight is None else sampling_weight
    scored_labels = labels[scored > 0]
    if min(scored_labels.sum(), (~scored_labels).sum()) < MIN_OF_A_CLASS:
        scored = weights
    whole, pair = with_group_dropout(evidence, seed)
    base = np.zeros(len(whole)) if views is None else views.log_odds(whole)
    shares = weights[pair] / np.bincount(pair)[pair]

    def start_and_trees(
        kept: Bool[np.ndarray, "pairs"], rounds: int
    ) -> tuple[Calibration, Trees | None]:
        start = _scale(base[: len(kept)][kept], labels[kept], weights[kept], views)
        if not rounds:
            return start, None
        rows = np.flatnonzero(kept[pair])
        own = pair[rows]
        size = size_for(int(kept.sum()))
        return start, grow(
            whole.take(rows),
            labels[own],
            shares[rows],
            rounds=rounds,
            size=size,
            start=start(base[rows]),
            seed=seed,
        )

    fold_l, fold_r = _folds(distinct_l, distinct_r, labels)
    scores = np.zeros((len(_ROUNDS), len(labels)))
    grown: list[tuple[Calibration, Trees]] = []
    for fold in range(FOLDS):
        held = np.flatnonzero(fold_l == fold)
        start, trees = start_and_trees((fold_l != fold) & (fold_r != fold), MAX_ROUNDS)
        assert trees is not None
        grown.append((start, trees))
        corrections = trees.log_odds_after(evidence.take(held), _ROUNDS)
        scores[:, held] = start(base[held]) + corrections
    best, calibration, log_odds = choose_stage(scores, labels, scored, fold_l)
    every = np.ones(len(labels), dtype=bool)
    start, correction = start_and_trees(every, _ROUNDS[best])
    held_out: list[PairModel] = []
    for fold_start, trees in grown:
        fold_trees = trees.cut(_ROUNDS[best]) if _ROUNDS[best] else None
        held_out.append(PairModel(views, fold_start, fold_trees, UNCHANGED))
    model = PairModel(views, start, correction, calibration)
    folds = np.stack([fold_l, fold_r])
    return FittedModel(model, log_odds, scores[best], folds, tuple(held_out))


def choose_stage(
    stages: Float64[np.ndarray, "stages pairs"], labels: Labels, weights: Scores, folds: Folds
) -> tuple[int, Calibration, Scores]:
    """The stage of the lowest log loss, its calibration, and its log-odds by calibrations to the other folds.

    :param stages: scores of each pair, each stage by models that have not seen the pair's fold.
    """
    losses = [log_loss(labels, scores, weights) or 0.0 for scores in stages]
    best = int(np.argmin(losses))
    some = weights > 0
    calibration = fit_calibration(stages[best, some], labels[some], weights[some], folds[some])
    return best, calibration, cross_calibrated(stages[best], labels, weights, folds)


def _scale(
    base: Scores, labels: Labels, weights: Scores, views: ModalityModels | None
) -> Calibration:
    """The views' log-odds in the labels' scale. Without views, the log-odds of a duplicate."""
    if views is None:
        return Calibration(0.0, _log_odds(labels, weights))
    return platt(base, labels, weights)


def _log_odds(labels: Labels, weights: Scores) -> float:
    duplicates = weights[labels].sum()
    others = weights[~labels].sum()
    return float(np.log(duplicates / others))


def _folds(
    distinct_l: DistinctRows, distinct_r: DistinctRows, labels: Labels
) -> tuple[Folds, Folds]:
    """Folds of ads; where one group of duplicates is so large that a fold leaves none, or no others, of pairs."""
    fold_l, fold_r = ad_folds(distinct_l, distinct_r, labels)
    has_both_classes = []
    for number in range(FOLDS):
        others = labels[(fold_l != number) & (fold_r != number)]
        has_both_classes.append(0 < others.sum() < len(others))
    if all(has_both_classes):
        return fold_l, fold_r
    fold = np.empty(len(labels), np.int64)
    for of_class in (labels, ~labels):
        fold[of_class] = np.arange(of_class.sum()) % FOLDS
    return fold, fold
