"""The model that is made for the catalogue at hand: its score, and what adds up to it."""

import pickle

import numpy as np
import pytest

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.adapted_model import AdaptedModel
from nrl_dedup.scoring.agreement_weights import AgreementWeights
from nrl_dedup.scoring.match_curve import MatchCurve, match_vectors
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import PairModel, unlabelled_model
from nrl_dedup.scoring.pair_scores import PairScores
from nrl_dedup.scoring.trees import Size, grow

NAMES = ("words", "title_codes")
CURVE = MatchCurve((-5.0, 5.0), (0.0, 1.0), 0.5)


def made_pairs(seed: int = 0) -> ComparisonVectors:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(500, 2)).astype(np.float32)
    values[:, 1] = draw.choice([1, 2, 3, 4, np.nan], size=500)
    return ComparisonVectors(values, NAMES, ("text", "codes"))


def made_model() -> AdaptedModel:
    pairs = made_pairs()
    labels = pairs.values[:, 0] > 0.5
    trees = grow(pairs.only(["text"]), labels, np.ones(500), rounds=5, size=Size(4, 10))
    agreement = AgreementWeights({"title_codes": (1.0, 0.5, 0.0, -2.0)})
    return AdaptedModel(ModalityModels({"text": trees}, -1.0), agreement, CURVE)


def test_the_score_is_that_of_the_views_and_of_the_identifiers() -> None:
    model, pairs = made_model(), made_pairs(1)
    weights = {1: 1.0, 2: 0.5, 3: 0.0, 4: -2.0}
    codes = np.array([weights.get(value, 0.0) for value in pairs.values[:, 1]])
    expected = model.views.log_odds(pairs) + codes
    assert model.pairwise_log_odds(pairs) == pytest.approx(expected)
    assert model.columns == {"words", "title_codes"} and model.has_context
    for one in (model, unlabelled_model(model.views)):
        assert isinstance(one, PairScores)


def test_the_share_of_the_candidates_is_a_factor_of_the_probability() -> None:
    model = made_model()
    scores = np.array([0.0, 2.0])
    share = np.array([0.5, 0.25])
    odds = np.array([0.25 / 0.75, 0.175 / 0.825])  # of the curve's 0.5 and 0.7
    found = model.calibrated_log_odds(scores, match_vectors(scores, share))
    assert found == pytest.approx(np.log(odds) + scores / 100, abs=1e-6)
    alone = model.calibrated_log_odds(scores)
    assert alone == pytest.approx(np.log([1, 0.7 / 0.3]) + scores / 100, abs=1e-6)


@pytest.mark.parametrize("with_competitors", [True, False])
def test_contributions_sum_to_the_log_odds(with_competitors: bool) -> None:
    model, pairs = made_model(), made_pairs(1)
    competitors = None
    if with_competitors:
        share = np.random.default_rng(2).random(len(pairs))
        competitors = match_vectors(model.pairwise_log_odds(pairs), share)
    found = model.contributions(pairs, competitors)
    assert list(found) == ["base", "text", "codes", "rivals"]
    total = np.sum(list(found.values()), axis=0)
    np.testing.assert_allclose(total, model.log_odds(pairs, competitors), atol=1e-9)
    assert (found["base"] == -1).all()
    np.testing.assert_array_equal(found["codes"], model.agreement.log_odds(pairs))


def test_a_model_can_be_sent_to_a_worker() -> None:
    model, pairs = made_model(), made_pairs(1)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.log_odds(pairs), model.log_odds(pairs))
    assert not isinstance(model, PairModel)
