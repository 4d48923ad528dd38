"""Competitors and re-ranking, against plain loops and on made ads whose duplicates come in pairs."""

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from nrl_dedup.blocking.block import block
from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.columns import Column, Direction
from nrl_dedup.comparison.compare import ComparisonVectors, compare_pairs
from nrl_dedup.metrics import calibration_bins, expected_calibration_error
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.competitors import COLUMNS, MIN_LOG_ODDS, Competitors
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score import EvidenceScorer, logits_of_rows, make_scorer
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks
from nrl_dedup.tables import distinct_ends
from nrl_dedup.training.pair_model.boosting import FittedModel, fit_pair_model
from nrl_dedup.training.pair_model.reranking import Searched, fit_reranking
from nrl_dedup.training.pair_model.training_pairs import TrainingPairs
from tests.conftest import Shop

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Table:
    """A comparison: one number for each pair of ads, written down beforehand."""

    likeness: np.ndarray
    group: str = "text"

    @property
    def columns(self) -> dict[str, Column]:
        return {"words_above_mean": Column("words", direction=Direction.NEVER_LOWERS)}

    def compare(self, rows_l: np.ndarray, rows_r: np.ndarray) -> dict[str, np.ndarray]:
        return {"words_above_mean": self.likeness[rows_l, rows_r]}


@dataclass(frozen=True)
class Made:
    compared: AdProfiles
    left: np.ndarray
    right: np.ndarray
    labels: np.ndarray

    @property
    def pairs(self) -> TrainingPairs:
        every = np.ones(len(self.labels), dtype=bool)
        return TrainingPairs(self.left, self.right, self.labels, every, every.astype(np.float64))

    @property
    def searched(self) -> Searched:
        return Searched(self.compared, self.left, self.right, 0)

    @property
    def evidence(self) -> ComparisonVectors:
        return compare_pairs(self.compared, self.left, self.right)


def made_ads(seed: int, ads: int = 600, others: int = 10) -> Made:
    """Ads 2 i and 2 i + 1 are duplicates, and each ad has other candidates."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(ads, ads))
    twins = np.arange(ads)[:, None] // 2 == np.arange(ads) // 2
    likeness = (np.triu(noise) + np.triu(noise).T + 2.5 * twins).astype(np.float32)
    keys = {(int(row), int(row) + 1) for row in range(0, ads, 2)}
    keys |= {
        (min(pair), max(pair))
        for pair in draw.integers(0, ads, size=(ads * others // 2, 2)).tolist()
    }
    left, right = np.array(sorted(pair for pair in keys if pair[0] != pair[1])).T
    return Made(AdProfiles((Table(likeness),)), left, right, left // 2 == right // 2)


def fitted_and_reranked(made: Made, labels: np.ndarray) -> tuple[FittedModel, FittedModel]:
    first = fit_pair_model(made.evidence, labels, made.left, made.right)
    pairs = replace(made.pairs, labels=labels)
    return first, fit_reranking(first, pairs, [made.searched], int(made.right.max()) + 1)


def judged(model: PairModel, made: Made) -> np.ndarray:
    first = model.pairwise_log_odds(made.evidence)
    competitors = Competitors.of(
        [(made.left, made.right, first), (made.right, made.left, first)], int(made.right.max()) + 1
    )
    return model.calibrated_log_odds(first, competitors.evidence(made.left, made.right, first))


def test_competitors_are_the_best_with_a_third_ad() -> None:
    draw = np.random.default_rng(0)
    left, right = np.unique(np.sort(draw.integers(0, 40, size=(2, 100)), axis=0), axis=1)
    left, right = (end[left != right] for end in (left, right))
    scores = draw.integers(-3, 3, size=len(left)).astype(np.float64)  # many are equal
    found = Competitors.of([(left, right, scores), (right, left, scores)], 42)
    asked = draw.integers(0, 42, size=(2, 500))
    asked = asked[:, asked[0] != asked[1]]
    own = draw.normal(size=asked.shape[1])
    evidence = found.evidence(*asked, own)
    for pair, (one, other) in enumerate(asked.T.tolist()):
        best = []
        for ad in (one, other):
            with_third = [
                score
                for a, b, score in zip(left.tolist(), right.tolist(), scores.tolist(), strict=True)
                if ad in (a, b) and {a, b} != {one, other}
            ]
            best.append(max(with_third, default=MIN_LOG_ODDS))
        np.testing.assert_allclose(
            evidence.values[pair], [own[pair], min(best), max(best)], rtol=1e-6
        )


def test_an_ad_without_candidates_has_no_competitors() -> None:
    found = Competitors.of([(np.array([0, 1]), np.array([1, 0]), np.array([2.0, 2.0]))], 3)
    evidence = found.evidence(np.array([2, 2]), np.array([0, 2]), np.zeros(2))
    assert evidence.values.tolist() == [[0, MIN_LOG_ODDS, 2], [0, MIN_LOG_ODDS, MIN_LOG_ODDS]]


def test_where_duplicates_come_in_pairs_reranking_ranks_ads_it_never_saw_better() -> None:
    first, second = fitted_and_reranked(made_ads(0), made_ads(0).labels)
    test = made_ads(1)
    alone, found = judged(first.model, test), judged(second.model, test)
    np.testing.assert_array_equal(
        alone, first.model.calibrated_log_odds(first.model.pairwise_log_odds(test.evidence))
    )
    assert (
        average_precision_score(test.labels, found)
        > average_precision_score(test.labels, alone) + 0.03
    )
    assert (
        expected_calibration_error(calibration_bins(test.labels, found, np.ones(len(found)))) or 0
    ) < 0.03
    on_its_own = average_precision_score(made_ads(0).labels, second.log_odds)
    assert on_its_own == pytest.approx(average_precision_score(test.labels, found), abs=0.06)


def test_what_the_second_look_says_of_its_own_pairs_it_has_not_learned_by_heart() -> None:
    made = made_ads(0)
    noise = np.random.default_rng(1).random(len(made.labels)) < 0.2
    _, second = fitted_and_reranked(made, noise)
    assert average_precision_score(noise, second.log_odds) < noise.mean() + 0.05


def test_what_it_adds_is_one_group_of_the_contributions() -> None:
    made = made_ads(0)
    _, second = fitted_and_reranked(made, made.labels)
    model, first = second.model, second.model.pairwise_log_odds(made.evidence)
    competitors = Competitors.of([(made.left, made.right, first)], 600).evidence(
        made.left, made.right, first
    )
    found = model.contributions(made.evidence, competitors)
    without = replace(model, reranking=None)
    np.testing.assert_allclose(
        np.sum(list(found.values()), axis=0),
        model.calibrated_log_odds(first, competitors),
        atol=1e-9,
    )
    assert np.abs(found["rivals"]).max() > 0.1 and "rivals" not in without.contributions(
        made.evidence
    )


def test_a_lone_pair_that_scores_as_one_with_better_competitors_is_more_likely() -> None:
    made = made_ads(0)
    _, second = fitted_and_reranked(made, made.labels)
    trees = second.model.reranking
    assert trees is not None
    scores = np.full(2, np.median(second.model.pairwise_log_odds(made.evidence.take(made.labels))))
    competitors = np.array(
        [[scores[0], MIN_LOG_ODDS, MIN_LOG_ODDS], [scores[0], scores[0] + 2, scores[0] + 2]],
        np.float32,
    )
    alone, beaten = trees.log_odds(ComparisonVectors(competitors, trees.names, trees.groups))
    assert alone > beaten + 1


def test_too_few_candidates_leave_the_pairwise_score() -> None:
    made = made_ads(0)
    first = fit_pair_model(made.evidence, made.labels, made.left, made.right)
    sampling_weight = np.where(made.labels & (np.cumsum(made.labels) > 9), 0.0, 1.0)
    assert (
        fit_reranking(
            first, replace(made.pairs, sampling_weight=sampling_weight), [made.searched], 600
        )
        is first
    )


def test_the_scorer_gives_a_pair_the_same_whatever_else_is_asked(
    shop: Shop, trained: Path, tmp_path: Path
) -> None:
    bundle, catalogue = load_bundle(trained, CPU), read_catalogue(shop.items)
    assert bundle.pair_model is not None
    made = made_ads(0)
    _, second = fitted_and_reranked(made, made.labels)
    model = replace(bundle.pair_model, reranking=second.model.reranking)
    bundle = replace(bundle, pair_model=model)
    run = Run(tmp_path, CPU)
    features = bundle.extract(catalogue, shop.images, run)
    blocked = block(catalogue, features, bundle.model, run, 20)
    scorer = make_scorer("evidence", catalogue, features, blocked, bundle.model, model, run)
    assert isinstance(scorer, EvidenceScorer)
    left, right = np.triu_indices(len(blocked.ads), 1)
    pairs = set(blocked.candidates.frame.iter_rows())
    candidate = np.array(
        [pair in pairs for pair in zip(left.tolist(), right.tolist(), strict=True)]
    )
    np.testing.assert_array_equal(blocked.candidate_index.places(right, left) >= 0, candidate)
    logits = scorer.logits(left, right)
    some = np.random.default_rng(0).permutation(len(left))[:300]
    np.testing.assert_allclose(scorer.logits(right[some], left[some]), logits[some], atol=1e-12)
    first = score_pairs_in_chunks(model, scorer.ads, left, right)
    low, high = distinct_ends(blocked.reference.frame)  # whatever the candidates
    assert len(low) > candidate.sum()
    scores = score_pairs_in_chunks(model, scorer.ads, low, high)
    competitors = Competitors.of([(low, high, scores), (high, low, scores)], len(blocked.ads))
    np.testing.assert_allclose(
        logits,
        model.calibrated_log_odds(first, competitors.evidence(left, right, first)),
        atol=1e-9,
    )

    # Of the catalogue's rows: ads 3, 0 and 7, two ads that are left out, and a copy of ad 3.
    numbers = np.array([3, 0, 7, -1, -1, 3])
    ads = DistinctAds(np.arange(len(blocked.ads)), numbers)
    row_l, row_r = np.array(list(combinations(range(6), 2))).T
    found_logits = logits_of_rows(scorer, ads, row_l, row_r)
    nothing = model.pairwise_log_odds(ComparisonVectors(np.empty((1, 0), np.float32), (), ()))
    for left_row, right_row, logit in zip(row_l, row_r, found_logits, strict=True):
        known = [int(numbers[row]) for row in (left_row, right_row) if numbers[row] >= 0]
        if len(known) == 2:
            wanted = scorer.logits(np.array(known[:1]), np.array(known[1:]))
        else:
            best = [scores[(low == ad) | (high == ad)].max(initial=MIN_LOG_ODDS) for ad in known]
            values = [[nothing[0], MIN_LOG_ODDS, max(best, default=MIN_LOG_ODDS)]]
            shown = ComparisonVectors(np.array(values, np.float32), tuple(COLUMNS), ("rivals",) * 3)
            wanted = model.calibrated_log_odds(nothing, shown)
        assert logit == wanted[0]
