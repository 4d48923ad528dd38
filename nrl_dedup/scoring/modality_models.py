"""Learning without a label: what the photos say teaches the words, and what the words say teaches the photos.

Co-training (Blum and Mitchell, 1998). Each group of evidence is a view of the same pairs. That two views agree by
chance is rare, so the pairs that the others find the most likely are duplicates often enough to learn a view from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.comparison.base import BOTH, GROUPS, PHOTOS, TEXT
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import sigmoid
from nrl_dedup.scoring.trees import Size, Trees, grow

MOST_PAIRS = 1_000_000
_STARTING = (TEXT, PHOTOS)  # the views that have similarities to start from
_STEPS = 2
_SURE = 0.5  # of the pairs whose two ads are each other's best
_NEGATIVES = 10  # for each of them
_FEWEST_SURE = 20
_ROUNDS, _SIZE = 75, Size(leaves=7, pairs_in_leaf=30)

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class ModalityModels:
    """A forest for each group, which gives its log-likelihood ratio; and the log-odds of a duplicate before any.

    Given whether a pair is a duplicate, the views are taken for independent: log-odds = prior + sum of their ratios.
    They are not quite, so the log-odds are too sure of themselves until labelled pairs put their scale right.
    """

    trees: Mapping[str, Trees]
    prior: float

    def ratios(self, evidence: ComparisonVectors) -> dict[str, Scores]:
        """The log-likelihood ratio of each group; 0 for a pair of which it knows nothing."""
        return {group: self._ratio(evidence, trees) for group, trees in self.trees.items()}

    def log_odds(self, evidence: ComparisonVectors) -> Scores:
        return np.sum([np.full(len(evidence), self.prior), *self.ratios(evidence).values()], axis=0)

    @staticmethod
    def _ratio(evidence: ComparisonVectors, trees: Trees) -> Scores:
        known = ~np.isnan(evidence.columns(trees.names)).all(
            axis=1
        )  # a column that the trees do not read says nothing
        return np.where(known, trees.log_odds(evidence) + np.log(_NEGATIVES), 0.0)


def co_train(
    evidence: ComparisonVectors, rows_l: Rows, rows_r: Rows, seed: int = 0
) -> ModalityModels:
    """Views learned from candidate pairs, as blocking gives them, of any catalogue.

    Text and photos start as the mean z-score of their similarities above the surroundings. Twice, each view learns
    anew from what the other views say in sum: as duplicates, the better half of the pairs in which each ad is the
    other's best; as others, ten times as many of the rest, drawn by `seed`. Where text or photos are all that there is
    to start from, they learn from what they say themselves. What compares text with photos is no view.

    The prior is the one that agrees with the mean probability that it leads to (expectation maximisation).

    :raises NrlDedupError: too few candidate pairs to learn from.
    """
    scores = {
        group: _start(evidence, group) for group in _STARTING if _similarities(evidence, group)
    }
    if not scores:
        raise NrlDedupError(
            f"Learning without labels wants pairs with texts or photos that can be compared; of these {len(rows_l)} "
            "candidate pairs none has any. Take a larger catalogue, or label pairs."
        )
    draw = np.random.default_rng(seed)
    views: dict[str, Trees] = {}
    for _ in range(_STEPS):
        for group in GROUPS:
            if group != BOTH and _says_something(evidence, group):
                taught = _teach(_teacher(scores, group), rows_l, rows_r, draw)
                views[group] = _learn(evidence.only([group]), *taught, seed)
        scores = {group: trees.log_odds(evidence) for group, trees in views.items()}
    found = ModalityModels(views, 0.0)
    return ModalityModels(views, _prior(found.log_odds(evidence)))


def pairs_to_learn_from(
    rows_l: Rows, rows_r: Rows, most: int = MOST_PAIRS, seed: int = 0
) -> Int64[np.ndarray, "some"]:
    """The candidate pairs that `co_train` needs, as numbers, ascending: up to about `most`, all pairs of some ads.

    The ads are drawn by `seed`.
    """
    if len(rows_l) <= most:
        return np.arange(len(rows_l))
    share = 1 - np.sqrt(1 - most / len(rows_l))  # a pair stays if one of its ads is drawn
    drawn = np.random.default_rng(seed).random(int(max(rows_l.max(), rows_r.max())) + 1) < share
    return np.flatnonzero(drawn[rows_l] | drawn[rows_r])


def _says_something(evidence: ComparisonVectors, group: str) -> bool:
    """Whether a column of the group tells some pairs from others."""
    values = evidence.only([group]).values
    known = np.isfinite(values)
    lowest = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    highest = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    return bool((lowest < highest).any())


def _similarities(evidence: ComparisonVectors, group: str) -> list[str]:
    """The group's similarities above the surroundings, those that some pair has."""
    own = evidence.only([group])
    names = [name for name in own.names if name.endswith("_above_mean")]
    some = np.isfinite(own.columns(names)).any(axis=0)
    return [name for name, found in zip(names, some, strict=True) if found]


def _start(evidence: ComparisonVectors, group: str) -> Scores:
    judged = evidence.columns(_similarities(evidence, group)).astype(np.float64)
    mean, deviation = np.zeros(judged.shape[1]), np.ones(judged.shape[1])
    some = np.isfinite(judged).sum(axis=0) > 1
    mean[some], deviation[some] = (
        np.nanmean(judged[:, some], axis=0),
        np.nanstd(judged[:, some], axis=0),
    )
    return np.nan_to_num((judged - mean) / np.where(deviation > 0, deviation, 1)).mean(axis=1)


def _teacher(scores: Mapping[str, Scores], group: str) -> Scores:
    """What the other views say; and the own one too, where no other view has similarities that tell pairs apart."""
    others = [score for other, score in scores.items() if other in _STARTING and other != group]
    alone = not any(score.min() < score.max() for score in others)
    return np.sum([score for other, score in scores.items() if other != group or alone], axis=0)


def _teach(
    teacher: Scores, rows_l: Rows, rows_r: Rows, draw: np.random.Generator
) -> tuple[Int64[np.ndarray, "sure"], Int64[np.ndarray, "others"]]:
    """The pairs to learn from: those that are surely duplicates, and others."""
    mutual = each_others_best(teacher, rows_l, rows_r)
    ranked = np.flatnonzero(mutual)[np.argsort(-teacher[mutual], kind="stable")]
    sure = ranked[: round(_SURE * len(ranked))]
    if len(sure) < _FEWEST_SURE:
        raise NrlDedupError(
            f"Learning without labels wants {_FEWEST_SURE} pairs that are likely duplicates; these {len(rows_l)} "
            f"candidate pairs have {len(sure)}. Take a larger catalogue, or label pairs."
        )
    return sure, draw.permutation(np.flatnonzero(~mutual))[: _NEGATIVES * len(sure)]


def each_others_best(scores: Scores, rows_l: Rows, rows_r: Rows) -> Bool[np.ndarray, "pairs"]:
    """Whether neither ad of a pair has another pair with a higher score."""
    best = np.full(int(max(rows_l.max(initial=0), rows_r.max(initial=0))) + 1, -np.inf)
    np.maximum.at(best, rows_l, scores)
    np.maximum.at(best, rows_r, scores)
    return (scores >= best[rows_l]) & (scores >= best[rows_r])


def _learn(
    own: ComparisonVectors,
    sure: Int64[np.ndarray, "sure"],
    others: Int64[np.ndarray, "others"],
    seed: int,
) -> Trees:
    labels = np.concatenate([np.ones(len(sure), dtype=bool), np.zeros(len(others), dtype=bool)])
    # Where the rest are too few, they weigh as much as ten times the duplicates all the same.
    weights = np.where(labels, 1.0, _NEGATIVES * len(sure) / max(len(others), 1))
    return grow(
        own.take(np.concatenate([sure, others])),
        labels,
        weights,
        rounds=_ROUNDS,
        size=_SIZE,
        seed=seed,
    )


def _prior(ratios: Scores) -> float:
    prior = 0.0
    for _ in range(200):
        share = np.clip(sigmoid(ratios + prior).mean(), 1e-9, 1 - 1e-9)
        prior = float(np.log(share / (1 - share)))
    return prior
