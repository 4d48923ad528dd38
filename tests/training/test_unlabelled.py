"""Training without labels, from the command line on the shop of `conftest`, and its parts."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.bundle.load import load_bundle
from tests.conftest import RunCommand, Shop, train_arguments

CPU = torch.device("cpu")


def unlabelled_arguments(shop: Shop, folder: Path, *more: object) -> list[str]:
    arguments = [
        "train",
        shop.items,
        "--backbone",
        "mobilenet_v3_small",
        "--backbone-weights",
        shop.backbone,
    ]
    arguments += ["--views", 1, "--pretrain-epochs", 4, "--device", "cpu", "-o", folder, *more]
    return [str(argument) for argument in arguments]


@pytest.fixture(scope="session")
def unlabelled(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on the shop's ads alone."""
    from nrl_dedup.cli.main import cli

    folder = tmp_path_factory.mktemp("bundles") / "unlabelled"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        cli(unlabelled_arguments(shop, folder), standalone_mode=False)
    return folder


def test_a_model_trained_without_labels_links_and_says_what_it_is(
    run: RunCommand, shop: Shop, unlabelled: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(unlabelled, CPU)
    assert (
        not bundle.labelled
        and bundle.settings.pretrain.epochs == 4
        and bundle.settings.model.fusion == "towers"
    )
    assert bundle.audit == {"ads_train": 108, "ads_valid": 12}
    assert all(epoch.valid_ap is None and np.isfinite(epoch.valid_loss) for epoch in bundle.history)
    status, out, err = run("link", shop.items, "--images", shop.images, "--model", unlabelled,
                           "-o", tmp_path / "dupes.csv", "--device", "cpu")  # fmt: skip
    assert status == 0 and "Linked" in out, err
    assert pl.read_csv(tmp_path / "dupes.csv").columns == ["cluster_id", "item_id", "score"]


def test_it_is_evaluated_on_labelled_pairs_only(
    run: RunCommand, shop: Shop, unlabelled: Path, tmp_path: Path
) -> None:
    status, _, err = run("evaluate", "--model", unlabelled, "--device", "cpu")
    assert status == 1 and "trained without labels" in err and "--items CSV --pairs CSV" in err
    status, _, err = run("evaluate", "--model", unlabelled, "--items", shop.items, "--pairs", shop.pairs, "--images",
                           shop.images, "--json", tmp_path / "figures.json", "--device", "cpu")  # fmt: skip
    assert status == 0, err
    figures = json.loads((tmp_path / "figures.json").read_text())["models"]
    assert (
        figures["unlabelled"]["average_precision"] > 0.9
        and figures["baseline"]["average_precision"] > 0.5
    )


def test_labels_can_follow(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    status, out, err = run(*train_arguments(shop, tmp_path / "both", "--fusion", "towers", "--pretrain-epochs", 2,
                                             "--epochs", 2))  # fmt: skip
    assert status == 0 and "Trained" in out and "without labels" not in out, err
    bundle = load_bundle(tmp_path / "both", CPU)
    assert bundle.labelled and bundle.settings.model.fusion == "towers" and len(bundle.history) == 2
    assert bundle.history[0].valid_ap is not None and bundle.history[0].valid_ap > 0.9
    status, _, err = run("evaluate", "--model", tmp_path / "both", "--device", "cpu")
    assert status == 0, err


@pytest.mark.parametrize(
    "options", [("--seeds", "2"), ("--grid", "grid.toml"), ("--valid-pairs", "v.csv"), ("--complete-only",),
                ("--pretrain-epochs", "0")],
)  # fmt: skip
def test_options_about_labels_want_labels(
    run: RunCommand, shop: Shop, tmp_path: Path, options: tuple[str, ...]
) -> None:
    status, _, err = run(*unlabelled_arguments(shop, tmp_path / "none", *options))
    assert (
        status == 2
        and options[0] in err
        and "ITEMS PAIRS" in err
        and not (tmp_path / "none").exists()
    )
