"""The forest of a pair model that knows the texts of other catalogues: saved, read, and refused when damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import (
    PairModel,
    load_pair_model,
    save_pair_model,
    unlabelled_model,
)
from nrl_dedup.scoring.trees import Size, Trees, grow


def made_pairs() -> ComparisonVectors:
    values = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    return ComparisonVectors(values, ("words", "letters"), ("text", "text"))


def grown(column: int) -> Trees:
    pairs = made_pairs()
    labels = pairs.values[:, column] > 0.5
    return grow(pairs, labels, np.ones(400), rounds=5, size=Size(4, 10))


def made_model() -> PairModel:
    return unlabelled_model(ModalityModels({"text": grown(0)}, -1.0), words=grown(1))


def test_words_are_saved_and_read(tmp_path: Path) -> None:
    model = made_model()
    save_pair_model(model, tmp_path)
    found = load_pair_model(tmp_path)
    assert found == model and found.words is not None
    assert {path.name for path in tmp_path.iterdir()} == {
        "evidence.json",
        "view-text.txt",
        "words.txt",
    }
    np.testing.assert_array_equal(
        found.words.log_odds(made_pairs()), grown(1).log_odds(made_pairs())
    )


def test_words_are_no_part_of_the_score(tmp_path: Path) -> None:
    model, pairs = made_model(), made_pairs()
    without = replace(model, words=None)
    np.testing.assert_array_equal(model.log_odds(pairs), without.log_odds(pairs))
    assert list(model.contributions(pairs)) == ["base", "text"]
    save_pair_model(without, tmp_path)
    assert not (tmp_path / "words.txt").exists() and load_pair_model(tmp_path).words is None


@pytest.mark.parametrize("damage", ["missing", "another", "no tree", "columns"])
def test_damaged_words_are_refused(damage: str, tmp_path: Path) -> None:
    save_pair_model(made_model(), tmp_path)
    words, about = tmp_path / "words.txt", tmp_path / "evidence.json"
    if damage == "missing":
        words.unlink()
    elif damage == "another":
        words.write_text((tmp_path / "view-text.txt").read_text("utf-8"), "utf-8")
    elif damage == "no tree":
        words.write_text("tree", "utf-8")
    else:
        said = json.loads(about.read_text("utf-8"))
        said["forests"]["words.txt"]["names"] = ["words", "words"]
        about.write_text(json.dumps(said), "utf-8")
    with pytest.raises(NrlDedupError, match=r"damaged .*words\.txt|damaged .*columns"):
        load_pair_model(tmp_path)
