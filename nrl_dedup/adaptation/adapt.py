"""adapt(): a model of other catalogues -> one for the catalogue at hand, without a label."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit

from nrl_dedup.adaptation.agreement_fit import fit_agreement
from nrl_dedup.adaptation.co_training import co_train, draw_ads, has_photos, learn_beside_words
from nrl_dedup.adaptation.curve_fit import fit_match_curve
from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.clustering import DEFAULT, clustering_method, find_clusters
from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.compare import ComparisonVectors, compare_pairs
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.adapted_model import AdaptedModel
from nrl_dedup.scoring.match_curve import MatchCurve, MatchShares, best_candidates
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.tables import SCORED_PAIRS, DistinctRows, distinct_ends

MAX_PAIRS = 200_000  # learned from: some seconds of time and 150 MB
# The score from which candidates belong to one provisional cluster and do not compete: on six catalogues of pairs and
# three of groups of five, 0.5 joins too much and 0.98 too little.
PROVISIONAL_SCORE = 0.88
# Where photos are compared, so many times as many links that are right must be expected of the adapted model. On the
# made-up examples, which the shipped model was made for, the adapted one expects 1.1 times as many and is worse.
MIN_GAIN = 1.25
# Duplicates that photos are learned from. From the 46 that 300 made-up ads give, trees learn pairs by heart, and expect
# five times as many right links as there are where few ads have a duplicate.
MIN_TAUGHT = 60

Scores = Float64[np.ndarray, "pairs"]
Clusters = Int64[np.ndarray, "ads"]


@dataclass(frozen=True)
class DrawnPairs:
    """Candidate pairs to learn from: all those of some ads.

    `is_drawn`: these ads. `evidence`: the pairs' comparison vectors.
    """

    distinct_l: DistinctRows
    distinct_r: DistinctRows
    is_drawn: Bool[np.ndarray, "ads"]
    evidence: ComparisonVectors


@dataclass(frozen=True)
class Expectation:
    """What a model is expected to find among the drawn pairs at a threshold of 0.5.

    `links`: how many; `right`: how many of them are duplicates. `curve`: fitted to its scores.
    """

    links: int
    right: float
    curve: MatchCurve


def adapt(
    as_is: PairModel, compared: AdProfiles, blocked: BlockingResult, run: Run
) -> AdaptedModel | None:
    """A pair model that was fitted to other catalogues, fitted to this one; None where it is not expected to be better,
    or where there is too little to learn from. What was done is said in a line.

    The pair model alone learns, never the network: views, what conflicts of identifiers are worth, and how often a best
    candidate is right. Of the views that can be had (the forest that knows the texts of other catalogues; where there
    are photos, views that were co-trained here), those stay of which the most right links are expected.
    It looks at lists of fixed length (`BlockingResult.reference`), whatever the cap of candidates is.

    :param as_is: the pair model of the bundle.
    """
    drawn = draw_pairs(compared, blocked, run)
    try:
        with_views = _possible_views(as_is, drawn, run.seed)
        adapted = [_fitted(views, drawn) for views in with_views]
    except NrlDedupError as error:
        run.progress.say(f"Not adapted to this catalogue: {error}")
        return None
    model, expected = max(adapted, key=lambda one: one[1].right)
    if has_photos(drawn.evidence) or as_is.words is None:
        by_model = as_is.calibration(as_is.pairwise_log_odds(drawn.evidence))
        before = expect(by_model, drawn)
        if expected.right < MIN_GAIN * before.right:
            run.progress.say(
                f"Not adapted to this catalogue: about {expected.right:,.0f} right links would be expected of it, "
                f"{before.right:,.0f} of the model as it is."
            )
            return None
    run.progress.say(
        f"Adapted to this catalogue, without labels: {expected.curve.share:.0%} of the ads seem to have a duplicate."
    )
    return model


def _possible_views(as_is: PairModel, drawn: DrawnPairs, seed: int) -> list[ModalityModels]:
    """:raises NrlDedupError: there are none: too few candidate pairs to learn from."""
    pairs = (drawn.evidence, drawn.distinct_l, drawn.distinct_r, seed)
    if as_is.words is None:
        return [co_train(*pairs)]
    found = [learn_beside_words(as_is.words, *pairs)]
    if has_photos(drawn.evidence):
        with suppress(NrlDedupError):  # too few pairs for views of photos: the words alone, then
            found.append(co_train(*pairs, min_duplicates=MIN_TAUGHT))
    return found


def _fitted(views: ModalityModels, drawn: DrawnPairs) -> tuple[AdaptedModel, Expectation]:
    base = views.log_odds(drawn.evidence)
    agreement = fit_agreement(base, drawn.evidence, drawn.distinct_l, drawn.distinct_r)
    expected = expect(base + agreement.log_odds(drawn.evidence), drawn)
    return AdaptedModel(views, agreement, expected.curve), expected


def draw_pairs(compared: AdProfiles, blocked: BlockingResult, run: Run) -> DrawnPairs:
    """All reference candidates of some ads, which the seed draws; of all ads if those have no more than `MAX_PAIRS`."""
    distinct_l, distinct_r = distinct_ends(blocked.reference.frame)
    ads = len(blocked.ads)
    is_drawn = draw_ads(len(distinct_l), ads, MAX_PAIRS, run.seed)
    stays = is_drawn[distinct_l] | is_drawn[distinct_r]
    distinct_l = distinct_l[stays]
    distinct_r = distinct_r[stays]
    evidence = compare_pairs(compared, distinct_l, distinct_r, run.progress)
    return DrawnPairs(distinct_l, distinct_r, is_drawn, evidence)


def expect(scores: Scores, drawn: DrawnPairs) -> Expectation:
    """
    :param scores: log-odds of the drawn pairs.
    :raises NrlDedupError: no drawn ad has a candidate that is wrong if its best one is right.
    """
    ads = len(drawn.is_drawn)
    cluster = provisional_clusters(drawn.distinct_l, drawn.distinct_r, scores, ads)
    lists = best_candidates(drawn.distinct_l, drawn.distinct_r, scores, cluster)
    of_drawn = lists.filter(pl.Series(drawn.is_drawn[lists["ad"].to_numpy()]))
    if of_drawn.is_empty():
        raise NrlDedupError(
            "no ad has two candidates that differ, of which the better one could be its duplicate. Take a larger "
            "catalogue, or label pairs."
        )
    best = of_drawn["best"].to_numpy()
    curve = fit_match_curve(best, of_drawn["best_wrong"].to_numpy())
    shares = MatchShares.of(drawn.distinct_l, drawn.distinct_r, scores, cluster)
    share = shares.evidence(drawn.distinct_l, drawn.distinct_r, scores).columns(["share"])[:, 0]
    probability = curve(scores) * share
    is_link = probability >= 0.5
    return Expectation(int(is_link.sum()), float(probability[is_link].sum()), curve)


def provisional_clusters(
    distinct_l: DistinctRows, distinct_r: DistinctRows, scores: Scores, ads: int
) -> Clusters:
    """Of each ad a cluster: by pairs of a score of `PROVISIONAL_SCORE` or more, by the default method of clustering."""
    probability = expit(scores)
    pairs = pl.DataFrame(
        {"row_l": distinct_l, "row_r": distinct_r, "score": probability}, schema=SCORED_PAIRS
    )
    no_copies = pairs.clear()
    found = find_clusters(clustering_method(DEFAULT), pairs, no_copies, ads, PROVISIONAL_SCORE)
    cluster = np.arange(ads)
    cluster[found["row"].to_numpy()] = found["cluster_row"].to_numpy()
    return cluster
