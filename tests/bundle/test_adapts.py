"""Which models are adapted to each catalogue unless the user says otherwise."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.api import load_model
from nrl_dedup.bundle.load import SPLIT, Bundle, load_words


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_model(device="cpu")


def test_the_shipped_model_is_adapted_and_knows_the_words_of_other_catalogues(
    shipped: Bundle,
) -> None:
    assert shipped.adapts
    assert shipped.pair_model is not None and shipped.pair_model.words is not None
    assert load_words() == shipped.pair_model.words


def test_others_are_if_they_were_trained_without_labels(shipped: Bundle) -> None:
    a_pair = pl.DataFrame([["1", "2", True, "train", 1.0]], schema=SPLIT, orient="row")
    elsewhere = replace(shipped, folder=Path("/elsewhere"))
    assert not replace(elsewhere, split=a_pair).adapts
    assert replace(elsewhere, split=a_pair.clear()).adapts
    assert not replace(shipped, folder=None, split=a_pair).adapts
