"""What the pair model of a bundle is fitted on, and that it is never the test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.runtime.progress import Silent
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.calibration import Calibration
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.training.pair_model.fit import FittedPairModel, fit_pairs
from nrl_dedup.training.pair_model.recalibrate import recalibrate
from tests.conftest import Shop

CPU = torch.device("cpu")


def fitted(
    shop: Shop, bundle: Bundle, folder: Path, progress: Silent | None = None
) -> FittedPairModel:
    catalogue = read_catalogue(shop.items)
    return fit_pairs(
        [catalogue], bundle, shop.images, Run(folder, device=CPU, progress=progress or Silent())
    )


def texts(model: PairModel | None) -> dict[str, str | None]:
    assert model is not None and model.views is not None
    correction = None if model.correction is None else model.correction.text
    return {
        **{group: trees.text for group, trees in model.views.trees.items()},
        "correction": correction,
    }


def test_the_labels_of_the_test_change_nothing(shop: Shop, trained: Path, tmp_path: Path) -> None:
    bundle = load_bundle(trained, CPU)
    tested = pl.col("side") == "test"
    flipped = bundle.split.with_columns(is_duplicate=pl.col("is_duplicate") ^ tested)
    one, other = (
        fitted(shop, bundle, tmp_path),
        fitted(shop, replace(bundle, split=flipped), tmp_path),
    )
    assert texts(one.model) == texts(other.model)
    assert one.model is not None and other.model is not None
    assert one.model.calibration == other.model.calibration
    kept = [each.held_out.filter(pl.col("scorer") == "evidence") for each in (one, other)]
    assert kept[0]["logit"].equals(kept[1]["logit"])
    learned = bundle.split.filter(~tested)
    swapped = bundle.split.with_columns(is_duplicate=pl.col("is_duplicate") ^ ~tested)
    assert learned["is_duplicate"].any()
    assert texts(fitted(shop, replace(bundle, split=swapped), tmp_path).model) != texts(one.model)


def test_without_labels_there_are_views_alone(shop: Shop, trained: Path, tmp_path: Path) -> None:
    bundle = load_bundle(trained, CPU)
    found = fitted(shop, replace(bundle, split=bundle.split.clear()), tmp_path)
    assert found.model is not None and found.model.correction is None
    assert {"text", "photos"} <= set(texts(found.model)) and found.held_out.is_empty()


def test_duplicates_may_be_all_that_is_labelled(shop: Shop, trained: Path, tmp_path: Path) -> None:
    bundle = load_bundle(trained, CPU)
    model = fitted(shop, replace(bundle, split=bundle.split.filter("is_duplicate")), tmp_path).model
    assert model is not None and model.correction is not None and model.labelled is None
    assert model.for_labelled_pairs() is model


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_with_too_few_labels_too(shop: Shop, trained: Path, tmp_path: Path) -> None:
    bundle, heard = load_bundle(trained, CPU), Heard()
    few = bundle.split.filter(pl.col("is_duplicate").cum_sum() < 5)
    found = fitted(shop, replace(bundle, split=few), tmp_path, heard)
    assert found.model is not None and found.model.correction is None
    assert len(heard.warnings) == 1 and "10 duplicates" in heard.warnings[0]


@pytest.mark.parametrize("scorer", ["evidence", "siamese"])
def test_the_pairs_that_are_held_out_weigh_something(trained: Path, scorer: str) -> None:
    kept = load_bundle(trained, CPU).held_out
    assert kept is not None
    kept = kept.filter(pl.col("scorer") == scorer)
    assert len(kept) and kept["is_duplicate"].any() and (kept["weight"] > 0).all()
    assert np.isfinite(kept["weight"].to_numpy()).all()


def test_recalibrated_probabilities_are_those_of_the_new_ads(
    shop: Shop, trained: Path, tmp_path: Path
) -> None:
    """Platt's line makes the mean probability the share of duplicates; the order of the scores stays."""
    bundle = load_bundle(trained, CPU)
    assert bundle.pair_model is not None
    shifted = replace(bundle.pair_model, calibration=Calibration(0.5, 7.0))
    found = recalibrate(
        shifted, [read_catalogue(shop.items)], bundle, shop.images, Run(tmp_path, device=CPU)
    )
    kept = found.held_out.filter(pl.col("scorer") == "evidence", pl.col("logit").is_finite())
    weights, labels = kept["weight"].to_numpy(), kept["is_duplicate"].to_numpy()
    probabilities = 1 / (1 + np.exp(-kept["logit"].to_numpy()))
    share = np.average(labels, weights=weights)
    assert 0 < share < 0.5 and np.average(probabilities, weights=weights) == pytest.approx(
        share, rel=0.1
    )
    assert found.model is not None and found.model.correction == bundle.pair_model.correction
    assert found.model.calibration.slope > 0
