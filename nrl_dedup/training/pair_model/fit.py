"""fit_pairs(): a trained network and its labelled pairs -> the pair model, fitted on what blocking really gives.

The pairs of the test are not learned from; their ads are in the catalogue all the same, as competitors without a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int64

from nrl_dedup.adaptation.co_training import (
    MAX_PAIRS,
    co_train,
    has_photos,
    learn_beside_words,
    pairs_to_learn_from,
)
from nrl_dedup.blocking.block import CANDIDATES_PER_AD, BlockingResult, block
from nrl_dedup.blocking.distinct_ads import DistinctPairs
from nrl_dedup.bundle.load import HELD_OUT, Bundle, load_words
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.compare import ComparisonVectors, compare_pairs
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import PairModel, unlabelled_model
from nrl_dedup.scoring.score import EVIDENCE, profiles_of
from nrl_dedup.scoring.siamese import SIAMESE, siamese_scorer
from nrl_dedup.scoring.trees import Trees
from nrl_dedup.tables import DistinctRows, distinct_ends
from nrl_dedup.training.pair_model.boosting import fit_pair_model
from nrl_dedup.training.pair_model.held_out import held_out_pairs, lost_pairs
from nrl_dedup.training.pair_model.labelled_ads import LabelledAds
from nrl_dedup.training.pair_model.reranking import Searched, fit_reranking
from nrl_dedup.training.pair_model.training_pairs import TrainingPairs, training_pairs

MAX_WEIGHT = 10.0  # a few pairs of larger weights would decide the calibration alone. Not tuned.

Ads = Bool[np.ndarray, "distinct"]


@dataclass(frozen=True)
class FittedPairModel:
    """`model` None: there was too little to learn from. `held_out`: `HELD_OUT` of both scorers."""

    model: PairModel | None
    held_out: pl.DataFrame


def fit_pairs(
    catalogues: Sequence[Catalogue],
    bundle: Bundle,
    photo_folder: Path | None,
    run: Run,
    *,
    candidates_per_ad: int = CANDIDATES_PER_AD,
) -> FittedPairModel:
    """The pair model of a bundle's network, learned without labels first and then from the labels that there are.

    It is fitted to the pairs of the training and validation sides, and to the candidate pairs of their ads: duplicates
    if labelled duplicates join them, else different, labelled or not. (Where the labels miss duplicates, precision is
    better than it looks here.) A candidate with an ad of no labelled pair is not known to be either; those of two
    labelled ads weigh as much more, up to `MAX_WEIGHT` times.

    :param catalogues: that of the training, or parts of it without an ad in common, each searched for itself: what
        lies around an ad depends on how many ads there are.
    :raises NrlDedupError: what `extract` and `block` raise.
    """
    progress = run.progress
    parts = search_catalogues(catalogues, bundle, photo_folder, run, candidates_per_ad)
    words = load_words()
    if not bundle.labelled:
        views = _views(parts, words, progress)
        return FittedPairModel(_without_labels(views, words), pl.DataFrame(schema=HELD_OUT))
    views = _views(parts, None, progress)
    siamese = pl.concat([part.siamese for part in parts])
    try:
        model, evidence = _fit(parts, views, progress)
    except NrlDedupError as error:
        progress.warn(f"The pair model knows no label: {error}")
        return FittedPairModel(_without_labels(views, words), siamese)
    return FittedPairModel(replace(model, words=words), pl.concat([evidence, siamese]))


def _without_labels(views: ModalityModels | None, words: Trees | None) -> PairModel | None:
    return None if views is None else unlabelled_model(views, words)


def search_catalogues(
    catalogues: Sequence[Catalogue],
    bundle: Bundle,
    photo_folder: Path | None,
    run: Run,
    candidates_per_ad: int = CANDIDATES_PER_AD,
) -> "list[SearchedCatalogue]":
    """What each catalogue gives to fit to. Arguments are those of `fit_pairs`."""
    parts: list[SearchedCatalogue] = []
    for catalogue in catalogues:
        features = bundle.extract(catalogue, photo_folder, run)
        blocked = block(
            catalogue, features, bundle.model, run, candidates_per_ad, model_folder=bundle.folder
        )
        labelled = LabelledAds.of(bundle.split, catalogue, blocked.ads)
        compared = profiles_of(catalogue, features, blocked)
        first = sum(part.ads for part in parts)
        parts.append(
            SearchedCatalogue.of(bundle, blocked, labelled, compared, first, len(catalogues), run)
        )
    return parts


@dataclass(frozen=True)
class SearchedCatalogue:
    """What one catalogue gives. Its distinct ads are numbered from `first` on, so that those of several differ.

    `searched`: all candidate pairs, by its own numbers. `candidates`: the evidence of those to co-train on, `ends`
    their ads; none of the test. `pairs`: those to fit to, `evidence` theirs. `group`: of the duplicates of each ad.
    `lost`, `siamese`: `HELD_OUT` of the duplicates that blocking loses, and of the Siamese score.
    """

    ads: int
    searched: Searched
    candidates: ComparisonVectors
    ends: Int64[np.ndarray, "2 candidates"]
    pairs: TrainingPairs
    evidence: ComparisonVectors
    group: Int64[np.ndarray, "ads"]
    lost: pl.DataFrame
    siamese: pl.DataFrame

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        blocked: BlockingResult,
        labelled: LabelledAds,
        compared: AdProfiles,
        first: int,
        parts: int,
        run: Run,
    ) -> "SearchedCatalogue":
        """:param parts: how many there will be."""
        progress = run.progress
        left, right = every = distinct_ends(blocked.candidates.frame)
        kept = ~labelled.tested[left] & ~labelled.tested[right]
        left, right = left[kept], right[kept]
        some = pairs_to_learn_from(left, right, MAX_PAIRS // parts)
        if len(some) < len(left):
            progress.say(
                f"Learning without labels from {len(some):,} of {len(left):,} candidate pairs, drawn at random."
            )
        left, right = left[some], right[some]
        pairs = _pairs_to_fit(blocked, labelled, MAX_PAIRS // parts, progress)
        known = (labelled.side != "test") & labelled.labels
        lost = lost_pairs(EVIDENCE, blocked, labelled.row_l[known], labelled.row_r[known])
        siamese = _held_out_from_network(bundle, blocked, labelled, run.device)
        return cls(
            len(blocked.ads),
            Searched(compared, *every, first),
            compare_pairs(compared, left, right, progress),
            np.stack([left, right]) + first,
            pairs.numbered_from(first),
            compare_pairs(compared, pairs.distinct_l, pairs.distinct_r, progress),
            labelled.group + first,
            _numbered_from(first, lost),
            _numbered_from(first, siamese),
        )


def _numbered_from(first: int, held_out: pl.DataFrame) -> pl.DataFrame:
    """Groups of several catalogues, renumbered to be distinct; those of lost pairs are below 0."""
    groups = pl.col("group_l", "group_r")
    return held_out.with_columns(pl.when(groups < 0).then(groups - first).otherwise(groups + first))


def _views(
    parts: Sequence[SearchedCatalogue], words: Trees | None, progress: Progress
) -> ModalityModels | None:
    """Learned from the candidates, but for those of test ads. `words`: the view of the texts where nothing but texts
    can be compared; None: it is learned here."""
    left, right = np.concatenate([part.ends for part in parts], axis=1)
    evidence = ComparisonVectors.joined([part.candidates for part in parts])
    try:
        if words is not None and not has_photos(evidence):
            return learn_beside_words(words, evidence, left, right)
        return co_train(evidence, left, right)
    except NrlDedupError as error:
        progress.warn(str(error))
        return None


def _fit(
    parts: Sequence[SearchedCatalogue], views: ModalityModels | None, progress: Progress
) -> tuple[PairModel, pl.DataFrame]:
    """The model, and `HELD_OUT` of the candidates that it was fitted on, each scored without its fold."""
    pairs = TrainingPairs.joined([part.pairs for part in parts])
    left = pairs.distinct_l
    right = pairs.distinct_r
    labels = pairs.labels
    weights = pairs.sampling_weight
    group = np.concatenate([part.group for part in parts])
    evidence = ComparisonVectors.joined([part.evidence for part in parts])
    pairwise_log_odds = fit_pair_model(
        evidence, labels, left, right, views=views, sampling_weight=weights
    )
    fitted = fit_reranking(
        pairwise_log_odds, pairs, [part.searched for part in parts], len(group), progress=progress
    )
    some = weights > 0
    kept = held_out_pairs(
        EVIDENCE, left[some], right[some], fitted.log_odds[some], weights[some], labels[some], group
    )
    to_labelled = None
    if 0 < labels[pairs.labelled].sum() < pairs.labelled.sum():
        to_labelled = fitted.among(pairs.labelled, labels).model.calibration
    return replace(fitted.model, labelled=to_labelled), pl.concat(
        [kept, *(part.lost for part in parts)]
    )


def _pairs_to_fit(
    blocked: BlockingResult, labelled: LabelledAds, most: int, progress: Progress
) -> TrainingPairs:
    """The pairs of `fit_pairs`."""
    left, right = distinct_ends(blocked.candidates.frame)
    weight = _weight(labelled.ads, left, right)
    if weight == MAX_WEIGHT:
        progress.warn(
            f"Few of the labelled ads' candidates are labelled ads: each pair of two would stand for more than "
            f"{MAX_WEIGHT:.0f}, and counts as {MAX_WEIGHT:.0f}. Precision looks a little better on held-out ads "
            "than it is; more labels put that right."
        )
    tested = labelled.distinct(labelled.side == "test")
    both = labelled.ads[left] & labelled.ads[right] & ~_among(left, right, tested, len(blocked.ads))
    left, right = left[both], right[both]
    some = pairs_to_learn_from(left, right, most)
    if len(some) < len(left):
        progress.say(
            f"The pair model is fitted to {len(some):,} of {len(left):,} candidate pairs of labelled ads."
        )
    learned = labelled.distinct(labelled.side != "test")
    labels = labelled.labels[learned.is_there]
    pairs = training_pairs(learned.distinct_l, learned.distinct_r, labels, left[some], right[some])
    sampling_weight = np.where(pairs.labels | pairs.labelled, 1, weight) * pairs.sampling_weight
    return replace(pairs, sampling_weight=sampling_weight)


def _among(
    left: DistinctRows, right: DistinctRows, pairs: DistinctPairs, ads: int
) -> Bool[np.ndarray, "pairs"]:
    """Which pairs l < r of so many distinct ads are some of `pairs`."""
    smaller = np.minimum(pairs.distinct_l, pairs.distinct_r)
    larger = np.maximum(pairs.distinct_l, pairs.distinct_r)
    return np.isin(left * ads + right, smaller * ads + larger)


def _held_out_from_network(
    bundle: Bundle, blocked: BlockingResult, labelled: LabelledAds, device: torch.device
) -> pl.DataFrame:
    """`bundle.HELD_OUT` of the Siamese scores of labelled ads' candidates, of which at least one ad is not one that the
    network was trained on; if the other is, the pair weighs half: it is in one held-out ad's list. Labelled copies
    are among them, as `link` scores them too."""
    left, right = distinct_ends(blocked.candidates.frame)
    wanted = (
        (labelled.held_out[left] | labelled.held_out[right])
        & labelled.every[left]
        & labelled.every[right]
    )
    weight = _weight(labelled.every, left, right)
    left, right = left[wanted], right[wanted]
    labels = labelled.group[left] == labelled.group[right]
    weights = (labelled.held_out[left].astype(float) + labelled.held_out[right]) / 2
    weights[~labels] *= weight
    of_new_ads = labelled.distinct(labelled.is_of_new_ads)
    is_copy = of_new_ads.distinct_l == of_new_ads.distinct_r
    ads = of_new_ads.distinct_l[is_copy]
    left = np.append(left, ads)
    right = np.append(right, ads)
    labels = np.append(labels, labelled.labels[of_new_ads.is_there][is_copy])
    weights = np.append(weights, np.ones(len(ads)))
    logits = siamese_scorer(bundle.model, blocked, device).logits(left, right)
    kept = held_out_pairs(SIAMESE, left, right, logits, weights, labels, labelled.group)
    known = labelled.is_of_new_ads & labelled.labels
    lost = lost_pairs(SIAMESE, blocked, labelled.row_l[known], labelled.row_r[known])
    return pl.concat([kept, lost])


def _weight(ads: Ads, left: DistinctRows, right: DistinctRows) -> float:
    """The candidates of these ads, over those of them whose two ads are among these."""
    inside = 2 * int((ads[left] & ads[right]).sum())
    if not inside:
        return 1.0
    every = int(ads[left].sum()) + int(ads[right].sum())
    return min(MAX_WEIGHT, every / inside)
