"""How often a best candidate is right, learned without labels, on mixtures whose share is known."""

import numpy as np
import pytest
from scipy.stats import norm

from nrl_dedup.adaptation.curve_fit import fit_match_curve
from nrl_dedup.scoring.match_curve import MatchCurve

ADS = 2000
# Of log-odds as a model gives them that errs by little: a wrong candidate seldom reaches 0.
RIGHT, WRONG = 1.0, -3.0


def made_scores(share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each ad its best score, its best wrong one, and whether the best is right: where it is wrong, the best wrong
    one is drawn anew."""
    draw = np.random.default_rng(seed)
    has_duplicate = draw.random(ADS) < share
    right = draw.normal(RIGHT, 1, size=ADS)
    wrong, next_wrong = draw.normal(WRONG, 1, size=(2, ADS))
    return (
        np.where(has_duplicate, right, wrong),
        np.where(has_duplicate, wrong, next_wrong),
        has_duplicate,
    )


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.0])
def test_the_share_of_a_known_mixture_is_found(share: float, seed: int) -> None:
    best, best_wrong, _ = made_scores(share, seed)
    curve = fit_match_curve(best, best_wrong)
    assert curve.share == pytest.approx(share, abs=0.15)
    assert (np.diff(curve.scores) > 0).all() and (np.diff(curve.probabilities) >= 0).all()
    at = curve(np.linspace(-20, 20, 500))
    assert (np.diff(at) >= 0).all() and at.min() >= 0 and at.max() <= 1


def test_the_probability_is_that_of_the_two_densities() -> None:
    best, best_wrong, _ = made_scores(0.5)
    curve = fit_match_curve(best, best_wrong)
    scores = np.linspace(-4, 2, 25)
    of_right = norm.pdf(scores, RIGHT)
    expected = of_right / (of_right + norm.pdf(scores, WRONG))
    assert np.abs(curve(scores) - expected).mean() < 0.08


def test_without_duplicates_no_wrong_candidate_is_taken_for_one() -> None:
    best, best_wrong, _ = made_scores(0.0)
    curve = fit_match_curve(best, best_wrong)
    assert curve(np.concatenate([best, best_wrong])).max() < 0.5


def test_expected_and_true_matches_agree_at_a_threshold() -> None:
    best, best_wrong, has_duplicate = made_scores(0.5)
    probability = fit_match_curve(best, best_wrong)(best)
    taken = probability >= 0.5
    assert probability[taken].mean() == pytest.approx(has_duplicate[taken].mean(), abs=0.08)


def test_the_order_of_the_ads_does_not_matter() -> None:
    best, best_wrong, _ = made_scores(0.5)
    order = np.random.default_rng(0).permutation(ADS)
    plain = fit_match_curve(best, best_wrong)
    mixed = fit_match_curve(best[order], best_wrong[order])
    assert mixed.scores == plain.scores
    assert mixed.probabilities == pytest.approx(plain.probabilities, abs=1e-9)
    assert fit_match_curve(best, best_wrong) == plain


@pytest.mark.parametrize(
    ("best", "best_wrong"), [([1.0], [0.0]), ([2.0], [2.0]), ([3.0] * 9, [3.0] * 9)]
)
def test_one_ad_or_one_score_gives_a_curve(best: list[float], best_wrong: list[float]) -> None:
    curve = fit_match_curve(np.array(best), np.array(best_wrong))
    assert isinstance(curve, MatchCurve)
    found = curve(np.array([-5.0, 0.0, 5.0]))
    assert ((found >= 0) & (found <= 1)).all() and (np.diff(found) >= 0).all()
