"""`--adapt` and `--no-adapt`: the commands that have it, and what `link` then says."""

from pathlib import Path

import polars as pl
import pytest
from measuring import variants

from nrl_dedup.cli.main import cli
from tests.conftest import RunCommand


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "THINGS", 80)
        made = variants.catalogue(variants.RUSSIAN, 1, 60, seed=0)
    path = tmp_path_factory.mktemp("items") / "items.csv"
    made.select("item_id", "title", "description").write_csv(path)
    return path


@pytest.mark.parametrize("name", ["link", "evaluate", "explain"])
def test_the_commands_that_score_have_it_and_leave_it_to_the_model(name: str) -> None:
    (option,) = [one for one in cli.commands[name].params if one.name == "adapt"]
    assert option.opts == ["--adapt"] and option.secondary_opts == ["--no-adapt"]
    assert option.default is None


@pytest.mark.parametrize(
    ("options", "adapts"), [((), True), (("--adapt",), True), (("--no-adapt",), False)]
)
def test_link_adapts_the_shipped_model_unless_told_otherwise(
    options: tuple[str, ...], adapts: bool, run: RunCommand, items: Path, tmp_path: Path
) -> None:
    output = tmp_path / "dupes.csv"
    status, out, err = run("link", items, "--device", "cpu", "-o", output, *options)
    assert status == 0, err
    assert ("Adapted to this catalogue, without labels" in out + err) == adapts
    assert len(pl.read_csv(output)) > 80
