"""A bundle is whole or it is not there, and the command that was stopped goes on to the bytes of one that was not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.cli import show_training
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.training import train_bundle
from nrl_dedup.training.unfinished import unfinished
from tests.conftest import RunCommand, Shop, train_arguments

GOES_ON = "it goes on with the pair model"
TRAINED_ANEW = "epoch  train loss"

KILLED = """
import os, signal, sys
import {module} as module
from nrl_dedup.cli.main import main

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

module.{name} = killed
main()
"""


def contents(bundle: Path) -> dict[str, bytes | dict]:
    """Every file of a bundle; of `bundle.json`, all but how long the epochs took."""
    found: dict[str, bytes | dict] = {
        str(path.relative_to(bundle)): path.read_bytes()
        for path in bundle.rglob("*")
        if path.is_file()
    }
    about = json.loads((bundle / "bundle.json").read_text("utf-8"))
    for epoch in about["epochs"]:
        del epoch["seconds"]
    return found | {"bundle.json": about}


def arguments(shop: Shop, folder: Path, *more: object) -> list[str]:
    return train_arguments(shop, folder, "--epochs", 2, *more)


@pytest.fixture(scope="module")
def undisturbed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nrl_dedup.cli.main import cli

    folder = tmp_path_factory.mktemp("undisturbed") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        cli(arguments(shop, folder), standalone_mode=False)
    return folder


@pytest.mark.parametrize(
    ("module", "name", "kept"),
    [
        ("nrl_dedup.training.train_bundle", "fit_pairs", True),
        ("nrl_dedup.training.unfinished", "put_in_place", True),
        ("nrl_dedup.training.train", "fit", False),
        (
            "nrl_dedup.training.unfinished",
            "_digests",
            False,
        ),  # the network's files are there, but not what it was made of
    ],
)
def test_a_killed_training_goes_on_to_the_same_bytes(
    run: RunCommand,
    shop: Shop,
    undisturbed: Path,
    tmp_path: Path,
    module: str,
    name: str,
    kept: bool,
) -> None:
    command = [
        sys.executable,
        "-c",
        KILLED.format(module=module, name=name),
        *arguments(shop, tmp_path / "bundle"),
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".bundle.unfinished"]
    status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    assert status == 0 and (GOES_ON in err) == kept and (TRAINED_ANEW in err) != kept, err
    assert contents(tmp_path / "bundle") == contents(undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_run_as_ctrl_c_does(
    run: RunCommand,
    shop: Shop,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    def fit_pairs(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    as_usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, as_usual)  # a run in the background is begun with some ignored
    try:
        with monkeypatch.context() as patch:
            patch.setattr(train_bundle, "fit_pairs", fit_pairs)
            status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    finally:
        signal.signal(number, before)
    assert (
        status == 128 + number
        and "Stopped." in err
        and "same command goes on" in err
        and "Traceback" not in err
    )
    assert not (tmp_path / "bundle").exists()
    status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    assert status == 0 and GOES_ON in err
    assert contents(tmp_path / "bundle") == contents(undisturbed)


def test_sigterm_while_the_network_learns_keeps_no_network_of_fewer_epochs(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        show_training, "show_epoch", lambda epoch: os.kill(os.getpid(), signal.SIGTERM)
    )
    status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    assert status == 128 + signal.SIGTERM and "Stopped." in err and list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def stopped(run: RunCommand, shop: Shop, folder: Path, *more: object) -> None:
    """A training that is stopped when its network is done."""

    def fit_pairs(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_bundle, "fit_pairs", fit_pairs)
        assert run(*arguments(shop, folder, *more))[0] == 130


def test_a_network_of_other_settings_or_of_damaged_files_is_not_gone_on_with(
    run: RunCommand, shop: Shop, undisturbed: Path, tmp_path: Path
) -> None:
    stopped(run, shop, tmp_path / "bundle", "--seed", 1)
    status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    assert (
        status == 0
        and "holds a network of other" in err
        and "settings; training starts anew" in err
    )
    assert contents(tmp_path / "bundle") == contents(undisturbed)
    shutil.rmtree(tmp_path / "bundle")
    stopped(run, shop, tmp_path / "bundle")
    weights = tmp_path / ".bundle.unfinished" / "network" / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    status, _, err = run(*arguments(shop, tmp_path / "bundle"))
    assert status == 0 and TRAINED_ANEW in err
    assert contents(tmp_path / "bundle") == contents(undisturbed)


def test_a_network_that_was_stopped_early_is_not_gone_on_with(
    run: RunCommand, shop: Shop, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(epoch: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(show_training, "show_epoch", interrupt)
        stopped(run, shop, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
    assert run(*arguments(shop, tmp_path / "bundle"))[0] == 0
    assert contents(tmp_path / "bundle") == contents(undisturbed)


def test_two_trainings_of_one_bundle(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    with unfinished(tmp_path / "bundle"):
        status, _, err = run(*arguments(shop, tmp_path / "bundle"))
        assert status == 1 and "another run is training that" in err
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_training_that_was_killed_at_its_very_end_goes_with_the_next_run(
    run: RunCommand, shop: Shop, undisturbed: Path, tmp_path: Path
) -> None:
    """The bundle was renamed, its folder not yet removed; with --force, the old bundle lies in that."""
    stopped(run, shop, tmp_path / "bundle")
    shutil.copytree(undisturbed, tmp_path / "bundle")
    with unfinished(tmp_path / "bundle") as work:
        shutil.copytree(undisturbed, work.bundle, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nrl_dedup.training.unfinished.put_in_place", lambda made, place: None)
            work.put_in_place()
    assert list(tmp_path.iterdir()) == [tmp_path / "bundle"]


def test_a_link_says_so_where_the_pair_model_is_missing(
    run: RunCommand, shop: Shop, undisturbed: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(undisturbed, tmp_path / "bundle")
    command = (
        "link",
        shop.items,
        "--images",
        shop.images,
        "--model",
        bundle,
        "-o",
        tmp_path / "dupes.csv",
    )
    shutil.rmtree(bundle / "evidence")
    status, _, err = run(*command)
    assert status == 1 and "evidence is missing" in err
    about = json.loads((bundle / "bundle.json").read_text("utf-8"))
    assert about["pair_model"] == {"there": True, "why_not": None}
    told = {
        "(there are 3 pairs)": about
        | {"pair_model": {"there": False, "why_not": "there are 3 pairs."}},
        "(its training was stopped, or there was too little to learn it from)": {
            name: value
            for name, value in about.items()
            if name != "pair_model"  # as written before it was said
        },
    }
    for said, changed in told.items():
        (bundle / "bundle.json").write_text(json.dumps(changed), "utf-8")
        status, _, err = run(*command)
        assert status == 0 and f"has no pair model {said}" in err
    status, _, err = run(*command, "--scorer", "siamese")
    assert status == 0 and "no pair model" not in err


def test_a_bundle_that_is_moved_with_its_data_finds_it(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(shop.folder, here / "data")
    moved = Shop(here / "data", here / "data" / "network.pth")
    (here / "models").mkdir()
    assert run(*arguments(moved, here / "models" / "bundle"))[0] == 0
    text = (here / "models" / "bundle" / "bundle.json").read_text("utf-8")
    assert json.loads(text)["data"]["items"] == "../../data/items.csv" and str(tmp_path) not in text
    there = here.rename(tmp_path / "there")
    status, _, err = run("evaluate", "--model", there / "models" / "bundle", "--device", "cpu")
    assert status == 0, err
    alone = (there / "models" / "bundle").rename(tmp_path / "alone")
    status, _, err = run("evaluate", "--model", alone, "--device", "cpu")
    assert status == 1 and "are not there" in err and "--items CSV --pairs CSV" in err
    status, _, err = run("explain", alone, "0100", "0101", "--device", "cpu")
    assert status == 1 and "are not there" in err and "--items" in err


def test_an_absolute_path_of_an_older_bundle_is_still_followed(
    shop: Shop, undisturbed: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(undisturbed, tmp_path / "bundle")
    about = json.loads((bundle / "bundle.json").read_text("utf-8"))
    about["data"]["items"] = str(shop.items)
    (bundle / "bundle.json").write_text(json.dumps(about), "utf-8")
    loaded = load_bundle(bundle, torch.device("cpu"))
    assert loaded.data_path(loaded.data.items) == shop.items.resolve()


def test_a_work_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".bundle.unfinished").touch()
    with pytest.raises(NrlDedupError, match="cannot write"), unfinished(tmp_path / "bundle"):
        pass
