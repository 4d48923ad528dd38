"""`train --grid` and `--seeds`: the tables, what is kept, and that a search that was stopped ends as any other."""

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.training.search.trial_tables import best_trial, mean_and_deviation
from tests.conftest import RunCommand, Shop, train_arguments

GRID = """
    [grid]
    hidden_size = [6, 12]
    fused_size = 16
    dropout = [0.0, 0.5]
    epochs = 3
"""
TABLES = ("trials.csv", "training.csv", "validation.csv")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grids") / "grid.toml"
    path.write_text(GRID, "utf-8")
    return path


@pytest.fixture(scope="module")
def searched(shop: Shop, grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid of four settings, two seeds each, in one run that nothing stops."""
    from nrl_dedup.cli.main import cli

    folder = tmp_path_factory.mktemp("searches") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        cli(train_arguments(shop, folder, "--grid", grid, "--seeds", 2), standalone_mode=False)
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def epochs(bundle: Path) -> list[dict]:
    history = json.loads((bundle / "bundle.json").read_text())["epochs"]
    return [
        {name: value for name, value in epoch.items() if name != "seconds"} for epoch in history
    ]


def test_the_tables_have_the_settings_in_order(searched: Path) -> None:
    expected = [
        (1, hidden, 16, 128, 64, dropout, 0.003) for hidden in (6, 12) for dropout in (0.0, 0.5)
    ]
    names = ["layers", "hidden", "fused", "fc1", "fc2", "dropout", "lr"]
    for name, side in (("training.csv", "train"), ("validation.csv", "valid")):
        table = pl.read_csv(searched / name)
        figures = [f"{side}_loss", f"{side}_loss_deviation", f"{side}_ap", f"{side}_ap_deviation"]
        assert table.columns == [*names, *figures, "seeds"]
        assert table.select(names).rows() == expected and table["seeds"].to_list() == [2] * 4
    trials = pl.read_csv(searched / "trials.csv")
    assert trials.select(names).rows() == [row for row in expected for _ in range(2)]
    assert trials["seed"].to_list() == [0, 1] * 4


def test_the_figures_are_the_kept_epochs_and_their_mean_and_deviation(searched: Path) -> None:
    trials = pl.read_csv(searched / "trials.csv")
    figures = ["train_loss", "train_ap", "valid_loss", "valid_ap"]
    for row in trials.rows(named=True):
        history = epochs(searched / "trials" / f"{row['trial']:03d}")
        best = min(history, key=lambda epoch: epoch["valid_loss"])
        assert (row["epoch"], *(row[name] for name in figures)) == (
            best["number"],
            *(best[name] for name in figures),
        )
    for name in figures:
        side = "training.csv" if name.startswith("train") else "validation.csv"
        table = pl.read_csv(searched / side)
        for place, row in enumerate(table.rows(named=True)):
            values = trials[name].to_list()[2 * place : 2 * place + 2]
            assert row[name] == pytest.approx(statistics.mean(values), rel=1e-12)
            assert row[f"{name}_deviation"] == pytest.approx(
                statistics.stdev(values), rel=1e-9, abs=1e-15
            )


def test_a_setting_of_the_grid_is_trained_as_if_it_were_the_only_one(
    run: RunCommand, shop: Shop, searched: Path, tmp_path: Path
) -> None:
    options = ("--hidden-size", 12, "--fused-size", 16, "--dropout", 0.5, "--epochs", 3)
    status, _, err = run(*train_arguments(shop, tmp_path / "alone", *options))
    assert status == 0, err
    assert epochs(tmp_path / "alone") == epochs(searched / "trials" / "007")
    weights = [
        folder / "model.safetensors" for folder in (tmp_path / "alone", searched / "trials" / "007")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_seeds_change_the_weights_and_not_the_split(searched: Path) -> None:
    first, second = searched / "trials" / "001", searched / "trials" / "002"
    assert epochs(first)[0]["train_loss"] != epochs(second)[0]["train_loss"]
    assert pl.read_parquet(first / "split.parquet").equals(
        pl.read_parquet(second / "split.parquet")
    )


def test_the_best_setting_is_the_bundle_and_its_test_ap_is_that_of_its_scores(
    run: RunCommand, searched: Path, tmp_path: Path
) -> None:
    validation, trials = (
        pl.read_csv(searched / "validation.csv"),
        pl.read_csv(searched / "trials.csv"),
    )
    weights = (searched / "model.safetensors").read_bytes()
    (kept,) = (
        row
        for row in trials.rows(named=True)
        if (searched / "trials" / f"{row['trial']:03d}" / "model.safetensors").read_bytes()
        == weights
    )
    assert validation["valid_ap"][kept["setting"] - 1] == max(validation["valid_ap"])
    assert kept["valid_ap"] == max(trials.filter(pl.col("setting") == kept["setting"])["valid_ap"])
    status, _, err = run(
        *("evaluate", "--model", searched, "--scorer", "siamese"),
        *("--scores", tmp_path / "scores.csv", "--device", "cpu"),
    )
    assert status == 0, err
    ids = {"item_id_l": pl.String, "item_id_r": pl.String}
    scores = pl.read_csv(tmp_path / "scores.csv", schema_overrides=ids)
    split = pl.read_parquet(searched / "split.parquet").filter(pl.col("side") == "test")
    joined = scores.join(split, on=["item_id_l", "item_id_r"])
    assert len(joined) == len(split) == len(scores)
    expected = average_precision_score(
        joined["is_duplicate"], joined["score"], sample_weight=joined["weight"]
    )
    assert kept["test_ap"] == pytest.approx(expected, abs=1e-6)


def test_mean_and_deviation_are_printed(
    run: RunCommand, shop: Shop, grid: Path, searched: Path
) -> None:
    """The same command again trains nothing, and prints the same tables."""
    before = {path: path.stat().st_mtime_ns for path in (searched / "trials").rglob("*")}
    status, out, err = run(*train_arguments(shop, searched, "--grid", grid, "--seeds", 2))
    assert status == 0 and "8 of 8 trials are finished" in err and "Trial" not in err, err
    assert before == {path: path.stat().st_mtime_ns for path in (searched / "trials").rglob("*")}
    trials = pl.read_csv(searched / "trials.csv")
    place = int(out.split("Kept: setting ")[1].split(",")[0]) - 1
    for name in ("valid_ap", "test_ap"):
        values = trials[name].to_list()[2 * place : 2 * place + 2]
        assert f"{statistics.mean(values):.3f}±{statistics.stdev(values):.3f}" in out


KILLED_IN_THE_THIRD = """
import os, signal, sys
import nrl_dedup.training.search.trials as trials
from nrl_dedup.cli.main import main

calls, train_one = [], trials.train_one

def killed_in_the_third(*arguments, on_epoch, **more):
    calls.append(1)
    def epoch_done(epoch):
        if len(calls) == 3 and epoch.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return train_one(*arguments, on_epoch=epoch_done, **more)

trials.train_one = killed_in_the_third
main()
"""


def test_a_search_that_was_killed_in_its_third_setting_ends_with_the_same_table(
    run: RunCommand, shop: Shop, grid: Path, tmp_path: Path
) -> None:
    def arguments(name: str) -> list[str]:
        return train_arguments(
            shop, tmp_path / name, "--grid", grid, "--work-dir", tmp_path / "work"
        )

    status, _, err = run(*arguments("whole"))
    assert status == 0, err
    command = [sys.executable, "-c", KILLED_IN_THE_THIRD, *arguments("killed")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -9
    assert not (tmp_path / "killed").exists()
    begun = tmp_path / ".killed.unfinished" / "bundle"
    assert len(pl.read_csv(begun / "trials.csv")) == 2
    shutil.copytree(begun / "trials" / "001", begun / "trials" / "003")  # as if before its row
    (begun / ".trials.csv.1.part").write_text("half a ta")
    status, _, err = run(*arguments("killed"))
    assert status == 0 and "2 of 4 trials are finished" in err, err
    assert "Trial 2" not in err and "Trial 3 of 4" in err and "Trial 4 of 4" in err
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
    names = [
        {str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*")}
        for name in ("killed", "whole")
    ]
    assert names[0] == names[1] and not begun.parent.exists()
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("killed", "whole")]
    assert models[0] == models[1]


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(
    run: RunCommand,
    shop: Shop,
    grid: Path,
    searched: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nrl_dedup.training.search import trials

    calls, train_one = [], trials.train_one

    def interrupted_after_an_epoch(*arguments, on_epoch, **more):
        def epoch_done(epoch) -> None:
            if len(calls) == 3:
                raise KeyboardInterrupt

        calls.append(1)
        return train_one(*arguments, on_epoch=epoch_done, **more)

    arguments = train_arguments(shop, tmp_path / "search", "--grid", grid, "--seeds", 2)
    with monkeypatch.context() as patch:
        patch.setattr(trials, "train_one", interrupted_after_an_epoch)
        status, _, err = run(*arguments)
    assert (
        status == 130 and "trials.csv" in err and "same command" in err and "Traceback" not in err
    )
    kept = tmp_path / ".search.unfinished" / "bundle" / "trials.csv"
    assert len(pl.read_csv(kept)) == 2 and str(kept) in err and not (tmp_path / "search").exists()
    status, _, err = run(*train_arguments(shop, tmp_path / "search", "--epochs", 1))
    assert status == 1 and "a search for settings that is not finished" in err
    status, _, err = run(*arguments[:-2])  # other trials: without --seeds
    assert status == 1 and "8 trials to do, are 4" in err and len(pl.read_csv(kept)) == 2
    status, _, err = run(*arguments)
    assert status == 0, err
    assert [path.name for path in tmp_path.iterdir()] == ["search"]
    assert tables(tmp_path / "search") == tables(searched)


def test_another_search_or_other_data_is_refused_and_nothing_is_lost(
    run: RunCommand, shop: Shop, grid: Path, searched: Path, tmp_path: Path
) -> None:
    search = shutil.copytree(searched, tmp_path / "search")
    arguments = train_arguments(shop, search, "--seeds", 2, "--grid")
    (tmp_path / "other.toml").write_text(GRID.replace("0.5", "0.25"))
    (tmp_path / "longer.toml").write_text(GRID.replace("12]", "12, 24]"))
    items = shop.items.read_text("utf-8")
    (tmp_path / "items.csv").write_text(items.replace("диван", "софа"), "utf-8")
    (tmp_path / "pairs.csv").write_text("\n".join(shop.pairs.read_text().splitlines()[:-2]) + "\n")
    photos = shutil.copytree(shop.images, tmp_path / "photos")
    shutil.copy(photos / "100.jpg", photos / "218.jpg")

    def instead(of: Path, file: Path) -> list[object]:
        own_photos = ["--images", shop.images]
        return [file if one == str(of) else one for one in arguments] + [grid, *own_photos]

    cases = {
        "dropout was 0.5, is 0.25": [*arguments, tmp_path / "other.toml"],
        "8 trials to do, are 12": [*arguments, tmp_path / "longer.toml"],
        "patience was 5, is 4": [*arguments, grid, "--patience", 4],
        "--seed was 0, is 3": [*arguments, grid, "--seed", 3],
        "views was 1, is 0": [*arguments, grid, "--views", 0],
        "other photos": [*arguments, grid, "--images", photos],
        "other catalogue": instead(shop.items, tmp_path / "items.csv"),
        "other labelled pairs": instead(shop.pairs, tmp_path / "pairs.csv"),
    }
    before = tables(search)
    for said, case in cases.items():
        status, _, err = run(*case)
        assert status == 1 and said in err and "--force" in err and "Traceback" not in err, err
        assert tables(search) == before and (search / "bundle.json").exists()
    status, _, err = run(*arguments, tmp_path / "other.toml", "--force")
    assert status == 0 and "Trial 1 of 8" in err, err
    assert pl.read_csv(search / "validation.csv")["dropout"].to_list() == [0.0, 0.25] * 2
    status, _, err = run(
        *arguments, tmp_path / "other.toml", "--force"
    )  # its own trials are not thrown away
    assert status == 0 and "8 of 8 trials are finished" in err


def test_a_folder_that_is_no_search_is_refused(
    run: RunCommand, shop: Shop, trained: Path, grid: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    status, _, err = run(*train_arguments(shop, bundle, "--grid", grid))
    assert status == 1 and "--force" in err
    (tmp_path / "full").mkdir()
    status, _, err = run(*train_arguments(shop, tmp_path / "full", "--seeds", 2, "--force"))
    assert status == 1 and "this is none" in err
    status, _, err = run(*train_arguments(shop, bundle, "--seeds", 1, "--epochs", 1, "--force"))
    assert status == 0 and len(epochs(bundle)) == 1, err


DAMAGE = {
    "trials.csv cut": ("trials.csv", lambda text: text[:40], ["trials.csv"]),
    "a row gone": (
        "trials.csv",
        lambda text: "".join(text.splitlines(True)[:1] + text.splitlines(True)[2:]),
        ["from 1"],
    ),
    "trials.json cut": (
        "trials.json",
        lambda text: text[:100],
        ["trials.json is damaged", "--force"],
    ),
    "trials.json newer": (
        "trials.json",
        lambda text: text.replace('"version": 2', '"version": 7'),
        ["version 7"],
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_search(
    run: RunCommand, shop: Shop, grid: Path, searched: Path, tmp_path: Path, case: str
) -> None:
    name, damage, said = DAMAGE[case]
    search = shutil.copytree(searched, tmp_path / "search")
    (search / name).write_text(damage((search / name).read_text("utf-8")), "utf-8")
    status, _, err = run(*train_arguments(shop, search, "--grid", grid, "--seeds", 2))
    assert status == 1 and "Traceback" not in err
    for part in said:
        assert part in err


def test_a_bundle_that_was_removed_from_a_search(
    run: RunCommand, shop: Shop, grid: Path, searched: Path, tmp_path: Path
) -> None:
    search = shutil.copytree(searched, tmp_path / "search")
    shutil.rmtree(search / "trials" / "005")
    status, _, err = run(*train_arguments(shop, search, "--grid", grid, "--seeds", 2))
    assert status == 1 and str(search / "trials" / "005") in err


def test_a_setting_that_diverges_is_marked_and_does_not_end_the_search(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "grid.toml").write_text("[grid]\nlr = [1e30, 0.003]\nepochs = 1\n")
    status, out, err = run(
        *train_arguments(shop, tmp_path / "out", "--grid", tmp_path / "grid.toml")
    )
    assert status == 0 and "Kept: setting 2" in out and "not a number" in err, err
    table = pl.read_csv(tmp_path / "out" / "validation.csv")
    assert table["valid_ap"].is_null().to_list() == [True, False]
    assert "not a number" in pl.read_csv(tmp_path / "out" / "trials.csv")["note"][0]
    arguments = train_arguments(shop, tmp_path / "none", "--seeds", 2, "--lr", 1e30)
    status, _, err = run(*arguments)
    assert status == 1 and "No setting could be trained" in err and "--lr" in err


def test_bad_grids_and_seeds_are_refused_before_the_work(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "grid.toml").write_text("[grid]\nlearning_rate = 0.1\n")
    status, _, err = run(*train_arguments(shop, tmp_path / "out", "--grid", tmp_path / "grid.toml"))
    assert status == 1 and "grid.toml" in err and "learning_rate" in err and "hidden_size" in err
    status, _, err = run(*train_arguments(shop, tmp_path / "out", "--seeds", 0))
    assert status == 2 and "--seeds" in err
    assert not (tmp_path / "out").exists()


def test_a_training_that_fails_leaves_no_weights_folder(
    run: RunCommand, shop: Shop, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--grid", str(grid)]):
        arguments = [
            part for part in train_arguments(shop, Path("-"), *more) if part not in ("-o", "-")
        ]
        arguments[2] = "no-such-pairs.csv"
        status, _, err = run(*arguments)
        assert status == 1 and "no-such-pairs.csv" in err
        assert list(tmp_path.iterdir()) == []


def test_a_search_without_a_name_is_named_after_its_grid(
    run: RunCommand, shop: Shop, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        part for part in train_arguments(shop, Path("-"), "--grid", grid) if part not in ("-o", "-")
    ]
    status, _, err = run(*arguments)
    assert status == 0 and (tmp_path / "weights" / "items-grid" / "bundle.json").exists(), err


def trial(
    number: int, setting: int, ap: float | None, loss: float | None, note: str | None = None
) -> dict:
    return {"trial": number, "setting": setting, "valid_ap": ap, "valid_loss": loss, "note": note}


CHOICES = {  # setting, validation AP, validation loss of each trial; the number of the one to keep
    "highest mean, not highest trial": (
        [(1, 0.9, 1.0), (1, 0.1, 1.0), (2, 0.6, 1.0), (2, 0.7, 1.0)],
        4,
    ),
    "a tie goes to the lower loss": ([(1, 0.9, 1.0), (2, 0.9, 0.5), (3, 0.9, 0.7)], 2),
    "and then to the earlier": ([(1, 0.8, 1.0), (2, 0.9, 0.5), (3, 0.9, 0.5)], 2),
    "a setting with a failed trial comes last": (
        [(1, 0.9, 1.0), (1, None, None), (2, 0.3, 1.0), (2, 0.2, 1.0)],
        3,
    ),
    "unless all have one": ([(1, None, None), (1, 0.2, 1.0), (2, 0.3, 1.0), (2, None, None)], 3),
    "without any AP, the lowest loss": ([(1, None, 1.0), (2, None, 0.5)], 2),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_trial_to_keep(case: str) -> None:
    rows, expected = CHOICES[case]
    frame = pl.DataFrame(
        [
            trial(n, setting, ap, loss, None if loss else "diverged")
            for n, (setting, ap, loss) in enumerate(rows, 1)
        ]
    )
    assert best_trial(frame) == expected


def test_no_trial_to_keep_and_figures_that_are_not_defined() -> None:
    failed = pl.DataFrame(
        [trial(1, 1, None, None, "diverged")], schema_overrides={"valid_ap": pl.Float64}
    )
    with pytest.raises(NrlDedupError, match="diverged"):
        best_trial(failed)
    assert mean_and_deviation(pl.Series([0.5, None])) == (None, None)
    assert mean_and_deviation(pl.Series([0.5])) == (0.5, None)
