"""What agreeing identifiers are worth: a table of weights, looked up."""

import pickle

import numpy as np
import pytest

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.agreement_weights import AgreementWeights

NAN = np.nan
WEIGHTS = AgreementWeights({"title_codes": (2.0, 0.5, 0.1, -3.0), "variant": (-10.0,)})


def evidence(**columns: list[float]) -> ComparisonVectors:
    values = np.array(list(columns.values()), np.float32).T
    return ComparisonVectors(values, tuple(columns), ("codes",) * len(columns))


def test_each_value_has_its_weight_and_a_missing_one_none() -> None:
    pairs = evidence(title_codes=[1, 2, 3, 4, NAN, 1], variant=[0, 0, 0, 1, 1, NAN])
    added = WEIGHTS.added(pairs)
    assert added["title_codes"].tolist() == [2.0, 0.5, 0.1, -3.0, 0.0, 2.0]
    assert added["variant"].tolist() == [0.0, 0.0, 0.0, -10.0, -10.0, 0.0]
    assert WEIGHTS.log_odds(pairs) == pytest.approx([2.0, 0.5, 0.1, -13.0, -10.0, 2.0])


def test_a_column_that_a_catalogue_lacks_adds_nothing() -> None:
    assert WEIGHTS.log_odds(evidence(title_sizes=[1, 4])).tolist() == [0, 0]
    assert AgreementWeights({}).log_odds(evidence(title_codes=[1, 4])).tolist() == [0, 0]


def test_weights_can_be_sent_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(WEIGHTS)) == WEIGHTS
