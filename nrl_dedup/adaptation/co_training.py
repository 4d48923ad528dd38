"""co_train(): learning without labels. Photos give the labels from which text is learned, and text those for photos.

Co-training (Blum and Mitchell, 1998). Each group of comparisons is a view of the same pairs. Two views seldom agree by
chance, so the pairs that the others find the most likely are duplicates often enough to learn a view from.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit

from nrl_dedup.comparison.base import ABOVE_MEAN, BOTH, CODES, GROUPS, OTHER, PHOTOS, PRICE, TEXT
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.scoring.modality_models import OTHERS_PER_DUPLICATE, ModalityModels
from nrl_dedup.scoring.trees import Size, Trees, grow
from nrl_dedup.tables import DistinctRows

MAX_PAIRS = 1_000_000  # bounds memory and time
_STARTING = (TEXT, PHOTOS)  # the views that have similarities to start from
_STEPS = 2  # in which each view is learned anew. Not tuned.
_SHARE_TAKEN = 0.5  # of the pairs whose two ads are each other's best, as duplicates. Not tuned.
MIN_DUPLICATES = 20  # Not tuned.
_ROUNDS = 75  # trees of a view. Not tuned.
_SIZE = Size(leaves=7, pairs_in_leaf=30)  # Not tuned.
_PRIOR_ITERATIONS = 200  # of expectation maximisation. Not tuned.
_SMALLEST_SHARE = 1e-9  # of duplicates, so that their log-odds are finite

Scores = Float64[np.ndarray, "pairs"]


def co_train(
    evidence: ComparisonVectors,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    seed: int = 0,
    min_duplicates: int = MIN_DUPLICATES,
) -> ModalityModels:
    """Views learned from candidate pairs, as blocking gives them, of any catalogue.

    Text and photos start as the mean z-score of their similarities above the level of the neighbourhoods. Twice, each
    view is learned anew from the sum of the other views' scores: as duplicates, the better half of the pairs in which
    each ad is the other's best; as others, ten times as many of the rest, drawn by `seed`. If only text or only photos
    can be compared, they are learned from their own scores. What compares text with photos is no view, nor are
    identifiers (`agreement_fit`).

    The prior is the one that agrees with the mean probability that it leads to (expectation maximisation).

    :param min_duplicates: pairs that each view is taught as duplicates, at least.
    :raises NrlDedupError: too few candidate pairs to learn from.
    """
    scores: dict[str, Scores] = {}
    for group in _STARTING:
        if _similarities(evidence, group):
            scores[group] = _starting_scores(evidence, group)
    if not scores:
        raise NrlDedupError(
            f"Learning without labels wants pairs with texts or photos that can be compared; of these "
            f"{len(distinct_l)} candidate pairs none has any. Take a larger catalogue, or label pairs."
        )
    draw = np.random.default_rng(seed)
    views: dict[str, Trees] = {}
    for _ in range(_STEPS):
        for group in GROUPS:
            if group not in (BOTH, CODES) and _varies(evidence, group):
                teacher = _teacher(scores, group)
                duplicates, others = _pairs_to_teach(
                    teacher, distinct_l, distinct_r, draw, min_duplicates
                )
                views[group] = _learn(evidence.only([group]), duplicates, others, seed)
        scores = {group: trees.log_odds(evidence) for group, trees in views.items()}
    ratios = ModalityModels(views, 0.0).log_odds(evidence)
    return ModalityModels(views, _prior(ratios))


def learn_beside_words(
    words: Trees,
    evidence: ComparisonVectors,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    seed: int = 0,
) -> ModalityModels:
    """`words` as the view of the texts, and what it teaches of prices and further columns; photos are no view.

    :param words: a forest that knows the texts of other catalogues; its log-odds are those of candidate pairs.
    :raises NrlDedupError: too few candidate pairs to learn from.
    """
    views = {TEXT: words}
    teacher = words.log_odds(evidence)
    mutual = each_others_best(teacher, distinct_l, distinct_r)
    duplicates = _enough_duplicates(teacher, mutual, MIN_DUPLICATES)
    draw = np.random.default_rng(seed)
    for group in (PRICE, OTHER):
        if _varies(evidence, group):
            others = _others(mutual, len(duplicates), draw)
            views[group] = _learn(evidence.only([group]), duplicates, others, seed)
    # Its log-odds are those of candidate pairs as they are, where a view's are of ten others for each duplicate.
    return ModalityModels(views, -float(np.log(OTHERS_PER_DUPLICATE)))


def has_photos(evidence: ComparisonVectors) -> bool:
    """Whether some pair has photos that can be compared."""
    return bool(_similarities(evidence, PHOTOS))


def pairs_to_learn_from(
    distinct_l: DistinctRows, distinct_r: DistinctRows, most: int = MAX_PAIRS, seed: int = 0
) -> Int64[np.ndarray, "some"]:
    """The candidate pairs that `co_train` needs, as numbers, ascending: up to about `most`, all pairs of some ads.

    The ads are drawn by `seed`.
    """
    if len(distinct_l) <= most:
        return np.arange(len(distinct_l))
    ads = int(max(distinct_l.max(), distinct_r.max())) + 1
    is_drawn = draw_ads(len(distinct_l), ads, most, seed)
    return np.flatnonzero(is_drawn[distinct_l] | is_drawn[distinct_r])


def draw_ads(pairs: int, ads: int, most: int, seed: int) -> Bool[np.ndarray, "ads"]:
    """Which of so many ads are drawn, so that about `most` of their `pairs` have one of them; all if the pairs are no
    more than that."""
    if pairs <= most:
        return np.ones(ads, dtype=bool)
    share = 1 - np.sqrt(1 - most / pairs)  # a pair stays if one of its ads is drawn
    return np.random.default_rng(seed).random(ads) < share


def _varies(evidence: ComparisonVectors, group: str) -> bool:
    """Whether a column of the group has two values, so that it separates some pairs from others."""
    values = evidence.only([group]).values
    known = np.isfinite(values)
    or_high = np.where(known, values, np.inf)
    or_low = np.where(known, values, -np.inf)
    lowest = or_high.min(axis=0, initial=np.inf)
    highest = or_low.max(axis=0, initial=-np.inf)
    return bool((lowest < highest).any())


def _similarities(evidence: ComparisonVectors, group: str) -> list[str]:
    """The group's similarities above the level of the neighbourhoods, those that some pair has."""
    own = evidence.only([group])
    names: list[str] = []
    for name in own.names:
        if name.endswith(ABOVE_MEAN) and np.isfinite(own.columns([name])).any():
            names.append(name)
    return names


def _starting_scores(evidence: ComparisonVectors, group: str) -> Scores:
    """The mean z-score of the similarities; a missing one counts as the mean."""
    names = _similarities(evidence, group)
    values = evidence.columns(names).astype(np.float64)
    mean = np.zeros(values.shape[1])
    deviation = np.ones(values.shape[1])
    some = np.isfinite(values).sum(axis=0) > 1
    mean[some] = np.nanmean(values[:, some], axis=0)
    deviation[some] = np.nanstd(values[:, some], axis=0)
    divisor = np.where(deviation > 0, deviation, 1)
    z_scores = (values - mean) / divisor
    return np.nan_to_num(z_scores).mean(axis=1)


def _teacher(scores: Mapping[str, Scores], group: str) -> Scores:
    """The sum of the other views' scores; the own one is in it if no other has similarities that separate pairs."""
    is_alone = True
    for other, score in scores.items():
        varies = score.min() < score.max()
        if other in _STARTING and other != group and varies:
            is_alone = False
    summed: list[Scores] = []
    for other, score in scores.items():
        if other != group or is_alone:
            summed.append(score)
    return np.sum(summed, axis=0)


def _pairs_to_teach(
    teacher: Scores,
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    draw: np.random.Generator,
    min_duplicates: int,
) -> tuple[Int64[np.ndarray, "duplicates"], Int64[np.ndarray, "others"]]:
    """The pairs to learn from: those that are likely duplicates, and others.

    :raises NrlDedupError: too few of the former.
    """
    mutual = each_others_best(teacher, distinct_l, distinct_r)
    duplicates = _enough_duplicates(teacher, mutual, min_duplicates)
    return duplicates, _others(mutual, len(duplicates), draw)


def likely_duplicates(
    teacher: Scores, mutual: Bool[np.ndarray, "pairs"]
) -> Int64[np.ndarray, "duplicates"]:
    """The better half of the pairs whose ads are each other's best (`mutual`), the best first."""
    best_first = np.argsort(-teacher[mutual], kind="stable")
    ranked = np.flatnonzero(mutual)[best_first]
    taken = round(_SHARE_TAKEN * len(ranked))
    return ranked[:taken]


def _enough_duplicates(
    teacher: Scores, mutual: Bool[np.ndarray, "pairs"], min_duplicates: int
) -> Int64[np.ndarray, "duplicates"]:
    """`likely_duplicates`.

    :raises NrlDedupError: they are too few.
    """
    duplicates = likely_duplicates(teacher, mutual)
    if len(duplicates) < min_duplicates:
        raise NrlDedupError(
            f"Learning without labels wants {min_duplicates} pairs that are likely duplicates; these "
            f"{len(teacher)} candidate pairs have {len(duplicates)}. Take a larger catalogue, or label pairs."
        )
    return duplicates


def _others(
    mutual: Bool[np.ndarray, "pairs"], duplicates: int, draw: np.random.Generator
) -> Int64[np.ndarray, "others"]:
    """`OTHERS_PER_DUPLICATE` times as many of the rest, if there are so many."""
    rest = np.flatnonzero(~mutual)
    return draw.permutation(rest)[: OTHERS_PER_DUPLICATE * duplicates]


def each_others_best(
    scores: Scores, distinct_l: DistinctRows, distinct_r: DistinctRows
) -> Bool[np.ndarray, "pairs"]:
    """Whether neither ad of a pair has another pair with a higher score."""
    last_l = distinct_l.max(initial=0)
    last_r = distinct_r.max(initial=0)
    best = np.full(int(max(last_l, last_r)) + 1, -np.inf)
    np.maximum.at(best, distinct_l, scores)
    np.maximum.at(best, distinct_r, scores)
    is_best_of_left = scores >= best[distinct_l]
    is_best_of_right = scores >= best[distinct_r]
    return is_best_of_left & is_best_of_right


def _learn(
    own: ComparisonVectors,
    duplicates: Int64[np.ndarray, "duplicates"],
    others: Int64[np.ndarray, "others"],
    seed: int,
) -> Trees:
    is_duplicate = np.ones(len(duplicates), dtype=bool)
    is_other = np.zeros(len(others), dtype=bool)
    labels = np.concatenate([is_duplicate, is_other])
    # If the rest are too few, they weigh as much as ten times the duplicates all the same.
    wanted_others = OTHERS_PER_DUPLICATE * len(duplicates)
    weight_of_other = wanted_others / max(len(others), 1)
    weights = np.where(labels, 1.0, weight_of_other)
    learned_from = own.take(np.concatenate([duplicates, others]))
    return grow(learned_from, labels, weights, rounds=_ROUNDS, size=_SIZE, seed=seed)


def _prior(ratios: Scores) -> float:
    """The log-odds of a duplicate whose sigmoid is the mean probability."""
    prior = 0.0
    for _ in range(_PRIOR_ITERATIONS):
        share = expit(ratios + prior).mean()
        share = np.clip(share, _SMALLEST_SHARE, 1 - _SMALLEST_SHARE)
        prior = float(np.log(share / (1 - share)))
    return prior
