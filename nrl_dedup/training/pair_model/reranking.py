"""fit_reranking(): trees that correct the pairwise score of a pair by the scores of its ads with third ads.

An ad that is much more like a third one is seldom a duplicate of this one; for two ads that are like no other, a
middling score is stronger evidence. How much is learned from labelled pairs: if every ad is posted five times,
competitors mean little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.compare import CHUNK_PAIRS, ComparisonVectors, compare_pairs
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.scoring.competitors import Competitors, End
from nrl_dedup.scoring.trees import Size, Trees, grow
from nrl_dedup.tables import DistinctRows
from nrl_dedup.training.pair_model.boosting import MIN_OF_A_CLASS, FittedModel, choose_stage
from nrl_dedup.training.pair_model.folds import FOLDS
from nrl_dedup.training.pair_model.training_pairs import TrainingPairs

_ROUNDS = (0, 8, 15, 30, 60)  # numbers of trees to choose from. Not tuned.
_SIZE = Size(leaves=7, pairs_in_leaf=100)  # Not tuned.
_NO_FOLD = -1

Labels = Bool[np.ndarray, "pairs"]
Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class Searched:
    """One catalogue: the candidate pairs of its distinct ads, and what these are compared by.

    `first`: among the distinct ads of all catalogues, its own are numbered from here on.
    """

    compared: AdProfiles
    distinct_l: DistinctRows
    distinct_r: DistinctRows
    first: int

    def ends_among_all(self) -> tuple[DistinctRows, DistinctRows]:
        """The two ads of each candidate pair, numbered among those of all catalogues."""
        return self.distinct_l + self.first, self.distinct_r + self.first


def fit_reranking(
    fitted: FittedModel,
    pairs: TrainingPairs,
    searched: Sequence[Searched],
    ads: int,
    seed: int = 0,
    progress: Progress = SILENT,
) -> FittedModel:
    """Trees on top of a pair's own score, which see it beside the best that either ad has with a third one.

    The scores are those of the models that have not seen the ad (`FittedModel.held_out`): those of the pair, and those
    of all candidate pairs of its ads, labelled or not. The number of trees, none being one choice, and the calibration
    are chosen on folds as in `fit_pair_model`. Where no tree helps, where too few of the pairs are candidates, or where
    pairs and not ads were dealt to the folds, the pairwise score stays as it is.

    :param fitted: by `fit_pair_model`, to `pairs`.
    :param pairs: of distinct ads, numbered among those of all catalogues. :param ads: how many these are.
    """
    distinct_l = pairs.distinct_l
    distinct_r = pairs.distinct_r
    labels = pairs.labels
    sampling_weight = pairs.sampling_weight
    fold_l, fold_r = fitted.folds
    fold = np.full(ads, _NO_FOLD)
    fold[distinct_l], fold[distinct_r] = fold_l, fold_r
    some = sampling_weight > 0
    if (
        min(labels[some].sum(), (~labels[some]).sum()) < MIN_OF_A_CLASS
        or (fold[distinct_l] != fold_l).any()
    ):
        return fitted
    competitors = _competitors(fitted, fold, searched, progress)
    evidence = competitors.evidence(distinct_l, distinct_r, fitted.scores)

    def trees(kept: Labels, rounds: int) -> Trees:
        own = kept & some
        return grow(
            evidence.take(own), labels[own], sampling_weight[own],
            rounds=rounds, size=_SIZE, start=fitted.scores[own], seed=seed,
        )  # fmt: skip

    scores = np.zeros((len(_ROUNDS), len(labels)))
    for number in np.unique(fold_l):
        held = np.flatnonzero(fold_l == number)
        grown = trees((fold_l != number) & (fold_r != number), _ROUNDS[-1])
        scores[:, held] = fitted.scores[held] + grown.log_odds_after(evidence.take(held), _ROUNDS)
    best, calibration, log_odds = choose_stage(scores, labels, sampling_weight, fold_l)
    if not _ROUNDS[best]:
        return fitted
    second = trees(np.ones(len(labels), dtype=bool), _ROUNDS[best])
    return replace(
        fitted,
        model=replace(fitted.model, reranking=second, calibration=calibration),
        log_odds=log_odds,
        scores=scores[best],
    )


def _competitors(
    fitted: FittedModel,
    fold: Int64[np.ndarray, "ads"],
    searched: Sequence[Searched],
    progress: Progress,
) -> Competitors:
    """Of the ads that have a fold, by the model that has not seen it."""
    ends: list[End] = []
    for catalogue in searched:
        left, right = catalogue.ends_among_all()
        folds = np.stack([fold[left], fold[right]])
        wanted = np.flatnonzero((folds != _NO_FOLD).any(axis=0))
        with progress.task("second look", len(wanted)) as task:
            for start in range(0, len(wanted), CHUNK_PAIRS):
                chunk = wanted[start : start + CHUNK_PAIRS]
                evidence = compare_pairs(
                    catalogue.compared, catalogue.distinct_l[chunk], catalogue.distinct_r[chunk]
                )
                for number in range(FOLDS):
                    ends += _of_fold(
                        fitted, number, folds[:, chunk], evidence, left[chunk], right[chunk]
                    )
                task.advance(len(chunk))
    return Competitors.of(ends, len(fold))


def _of_fold(
    fitted: FittedModel,
    number: int,
    folds: Int64[np.ndarray, "2 pairs"],
    evidence: ComparisonVectors,
    left: DistinctRows,
    right: DistinctRows,
) -> list[End]:
    """The pairs with an ad of this fold: that ad, the other one, and their score."""
    own = np.flatnonzero((folds == number).any(axis=0))
    if not len(own):
        return []
    scores = fitted.held_out[number].pairwise_log_odds(evidence.take(own))
    of_left, of_right = folds[:, own] == number
    left, right = left[own], right[own]
    return [
        (left[of_left], right[of_left], scores[of_left]),
        (right[of_right], left[of_right], scores[of_right]),
    ]
