"""Grid files: which settings they mean, and what is said about those that mean nothing."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from nrl_dedup.config import ModelSettings, Settings, TrainSettings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.training.search.grid import KEYS, SHARED, plan_trials, read_grid

THESIS = Path(__file__).parents[2] / "examples" / "thesis.toml"
BASE = Settings(model=ModelSettings(hidden_size=77), train=TrainSettings(epochs=3, seed=5))


def grid(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_thesis_settings_in_its_order() -> None:
    """Tables 4.2 and 4.4, copied from the thesis: layers, hidden, fused, fc1, fc2, dropout, lr."""
    rows = [
        (1, 100, 100, 64, 32, 0.0, 0.1),
        (1, 100, 100, 64, 32, 0.0, 0.01),
        (1, 100, 100, 64, 32, 0.0, 0.001),
        (1, 100, 100, 64, 32, 0.0, 0.0001),
        (1, 256, 256, 128, 64, 0.0, 0.1),
        (1, 256, 256, 128, 64, 0.0, 0.01),
        (1, 256, 256, 128, 64, 0.0, 0.001),
        (1, 256, 256, 128, 64, 0.0, 0.0001),
        (2, 512, 1024, 512, 1024, 0.0, 0.01),
        (2, 512, 1024, 512, 1024, 0.0, 0.0001),
        (1, 256, 256, 128, 64, 0.2, 0.0001),
        (1, 256, 256, 128, 64, 0.3, 0.0001),
        (1, 256, 256, 128, 64, 0.5, 0.0001),
    ]
    settings = read_grid(THESIS, Settings())
    assert all(one.train.contrast == 0 for one in settings)  # the cross-entropy alone
    found = [
        (s.model.gru_layers, s.model.hidden_size, s.model.fused_size, *s.model.branch_sizes, s.model.dropout,
         s.train.learning_rate)
        for s in settings
    ]  # fmt: skip
    assert found == rows
    assert {
        (s.model.fusion, s.train.epochs, s.train.patience, s.train.batch_size) for s in settings
    } == {("rnn-cnn", 30, 5, 64)}


def test_a_grid_shares_the_features_of_the_photos(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('[grid]\nfusion = ["text", "san"]\n')
    with pytest.raises(
        NrlDedupError, match=r"setting 2, san, reads regions.*--fusion rnn-cnn pooled.*--fusion san"
    ):
        read_grid(path, Settings())
    regions = replace(Settings(), model=replace(Settings().model, fusion="san"))
    path.write_text("[grid]\nattention_layers = [1, 2]\n")
    assert [one.model.attention_layers for one in read_grid(path, regions)] == [1, 2]


def test_every_combination_the_last_key_fastest_and_the_rest_as_the_flags_say(
    tmp_path: Path,
) -> None:
    text = """
        [[grid]]
        fusion = ["text", "image"]
        branch_sizes = [[8, 4], [4, 2]]
        lr = [1, 0.5, 0.25]
        [[grid]]
        seed = 9
        branch_sizes = [6, 3]
    """
    settings = read_grid(grid(tmp_path, text), BASE)
    expected = []
    for fusion in ("text", "image"):
        for sizes in ((8, 4), (4, 2)):
            for lr in (1.0, 0.5, 0.25):
                expected.append(
                    Settings(
                        model=ModelSettings(fusion=fusion, hidden_size=77, branch_sizes=sizes),
                        train=TrainSettings(epochs=3, learning_rate=lr, seed=5),
                    )
                )
    last = Settings(
        model=ModelSettings(hidden_size=77, branch_sizes=(6, 3)),
        train=TrainSettings(epochs=3, seed=9),
    )
    assert list(settings) == [*expected, last]


def test_one_grid_needs_no_double_brackets(tmp_path: Path) -> None:
    assert [
        s.model.dropout for s in read_grid(grid(tmp_path, "[grid]\ndropout = [0, 0.5]"), BASE)
    ] == [0.0, 0.5]


def test_every_setting_is_a_key_or_shared_by_all_settings_of_a_grid() -> None:
    names = {
        field.name for settings in (ModelSettings, TrainSettings) for field in fields(settings)
    }
    assert {field for _, field, _ in KEYS.values()} | set(SHARED) == names


BAD = {
    "unknown key": (
        "[grid]\nhiden_size = 1",
        ["grid 1", "hiden_size", "hidden_size", "lr", "branch_sizes"],
    ),
    "key of the features": ("[grid]\nviews = [0, 2]", ["grid 1", "views", "hidden_size"]),
    "the second grid": (
        "[[grid]]\nlr = 1\n[[grid]]\nlearning_rate = 1",
        ["grid 2", "learning_rate", "lr"],
    ),
    "text for a number": ('[grid]\nhidden_size = "256"', ["hidden_size", "'256'", "whole number"]),
    "fraction for a whole number": (
        "[grid]\ngru_layers = [1, 1.5]",
        ["gru_layers", "1.5", "whole number"],
    ),
    "truth for a number": ("[grid]\nepochs = true", ["epochs", "True", "whole number"]),
    "number for a text": ("[grid]\nfusion = 1", ["fusion", "1", "text"]),
    "one size": ("[grid]\nbranch_sizes = [64]", ["branch_sizes", "[64]", "two whole numbers"]),
    "three sizes": (
        "[grid]\nbranch_sizes = [[64, 32], [64, 32, 16]]",
        ["branch_sizes", "[64, 32, 16]"],
    ),
    "a list in a list": ("[grid]\nlr = [[0.1, 0.2]]", ["lr", "[0.1, 0.2]", "number"]),
    "out of range": ("[grid]\ndropout = [0.5, 1.5]", ["dropout", "1.5", "from 0 up to"]),
    "negative": ("[grid]\nbranch_sizes = [64, -1]", ["branch_sizes", "-1", "above 0"]),
    "negative seed": ("[grid]\nseed = -1", ["seed", "-1", "from 0"]),
    "infinite": ("[grid]\nlr = inf", ["lr", "inf", "number"]),
    "not a number": ("[grid]\nlr = nan", ["lr", "nan", "number"]),
    "no such fusion": ('[grid]\nfusion = ["text", "sum"]', ["fusion", "sum", "rnn-cnn"]),
    "empty list": ("[grid]\nlr = []", ["lr", "empty"]),
    "empty grid": ("[[grid]]\nlr = 1\n[[grid]]\n", ["grid 2", "empty", "hidden_size"]),
    "empty file": ("", ["no grid", "[[grid]]", "hidden_size"]),
    "empty list of grids": ("grid = []", ["no grid", "[[grid]]"]),
    "a number of grids": ("grid = [1]", ["no grid", "[[grid]]"]),
    "key outside": ("lr = [0.1]\n[grid]\ndropout = 0", ["lr", "[grid]"]),
    "twice the same": ("[grid]\nlr = [0.1, 0.2, 0.1]", ["1 and 3", "same", "--seeds"]),
    "no TOML": ("[grid\nlr = 1", ["TOML", "line 1"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_grid(tmp_path: Path, case: str) -> None:
    text, said = BAD[case]
    path = grid(tmp_path, text)
    with pytest.raises(NrlDedupError) as error:
        read_grid(path, BASE)
    for part in (str(path), *said):
        assert part in str(error.value)


def test_a_grid_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n[grid]\nlr = 1")
    for path, said in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "latin.toml", "utf"),
    ):
        with pytest.raises(NrlDedupError, match=said) as error:
            read_grid(path, BASE)
        assert str(path) in str(error.value)


def test_seeds_follow_the_settings_own(tmp_path: Path) -> None:
    settings = read_grid(grid(tmp_path, "[grid]\nlr = [0.1, 0.2]"), BASE)
    plan = plan_trials(settings, 3)
    found = [
        (trial.setting, trial.settings.train.learning_rate, trial.settings.train.seed)
        for trial in plan
    ]
    assert found == [(1, 0.1, 5), (1, 0.1, 6), (1, 0.1, 7), (2, 0.2, 5), (2, 0.2, 6), (2, 0.2, 7)]
    with pytest.raises(NrlDedupError, match="--seeds 3"):
        plan_trials(read_grid(grid(tmp_path, "[grid]\nseed = [0, 1]"), BASE), 3)
