"""The library: its documentation runs, and it does what the commands do."""

import doctest
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import nrl_dedup
from nrl_dedup import api
from nrl_dedup.cli.training_options import settings_of, with_defaults
from nrl_dedup.training.defaults import default_settings
from tests.conftest import RunCommand, Shop, train_arguments

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("module", [nrl_dedup, api])
def test_the_documentation_runs(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(module)
    assert result.attempted >= 3 and result.failed == 0


def test_importing_the_library_imports_nothing_heavy() -> None:
    code = "import sys, nrl_dedup; print('torch' in sys.modules, 'polars' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'merge'"):
        _ = nrl_dedup.merge


def test_a_training_is_that_of_the_command(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    """The same weights and the same pair model, byte for byte."""
    few = {"images": shop.images, "backbone_weights": shop.backbone, "work_dir": tmp_path / "work"}
    options = ("--fusion", "text", "--epochs", 2, "--batch-size", 64, "--patience", 5)
    status, _, err = run(*train_arguments(shop, tmp_path / "command", *options))
    assert status == 0 and "Language: ru, by its letters; --language says another." in err, err
    settings = nrl_dedup.load_model(tmp_path / "command", device="cpu").settings
    assert settings.text.language == "ru"
    auto = replace(settings, text=replace(settings.text, language="auto"))
    model = nrl_dedup.train(
        shop.items, shop.pairs, output=tmp_path / "library", settings=auto, device="cpu", **few
    )
    assert model.settings == settings
    for name in ("model.safetensors", "vocabulary.txt", "held_out.parquet"):
        made = [(tmp_path / one / name).read_bytes() for one in ("command", "library")]
        assert made[0] == made[1], name
    linked = nrl_dedup.link(
        shop.items, images=shop.images, model=model, device="cpu", work_dir=tmp_path / "work"
    )
    status, _, err = run(
        *("link", shop.items, "--images", shop.images, "--model", tmp_path / "library"),
        *("-o", tmp_path / "dupes.csv", "--device", "cpu"),
    )
    assert status == 0, err
    written = pl.read_csv(tmp_path / "dupes.csv", infer_schema=False)
    assert written.height > 10
    assert linked.clusters["item_id"].to_list() == written["item_id"].to_list()
    assert linked.clusters["cluster_id"].to_list() == written["cluster_id"].to_list()
    figures = nrl_dedup.evaluate(
        shop.items, shop.pairs, images=shop.images, model=model, device="cpu", work_dir=tmp_path
    )
    assert json.dumps(figures.as_json(), allow_nan=False)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_defaults_are_those_of_the_command(labelled: bool) -> None:
    from nrl_dedup.cli.main import cli

    command = cli.commands["train"]
    named = ["items.csv", "pairs.csv"] if labelled else ["items.csv"]
    parsed = command.make_context("train", named, resilient_parsing=True).params
    pairs = Path("pairs.csv") if labelled else None
    options = with_defaults(pairs, {**parsed, "encoding": None})
    assert settings_of(options) == default_settings(labelled=labelled)


def test_the_commands_import_nothing_heavy() -> None:
    """So `--help` answers at once, and bad numbers of threads are taken out of the environment before they are read."""
    code = "import sys, nrl_dedup.cli.main; print('torch' in sys.modules, 'polars' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.split() == [b"False", b"False"]
