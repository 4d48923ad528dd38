"""The options that are made from the settings, what they refuse, and how `--help` shows them."""

import resource
import subprocess
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click
import pytest

from nrl_dedup.cli.grouped_help import SECTIONS
from nrl_dedup.cli.main import cli
from nrl_dedup.cli.option_types import SCORERS, TABLE_NAMES
from nrl_dedup.cli.setting_options import parameter_name
from nrl_dedup.cli.training_options import settings_of, with_defaults
from nrl_dedup.clustering import DEFAULT, METHODS
from nrl_dedup.config import SETTING, OneOf, Settings
from nrl_dedup.embedding.fusion import FUSIONS
from nrl_dedup.features.photos.backbones import BACKBONES
from nrl_dedup.features.text.languages import AUTO, LANGUAGES
from nrl_dedup.scoring.score import EVIDENCE, SIAMESE
from tests.conftest import RunCommand

TRAIN = cli.commands["train"]
OPTIONS = {name: option for option in TRAIN.params for name in option.opts}
FIELDS = [
    (f"{part.name}.{field.name}", field) for part in fields(Settings) for field in fields(part.type)
]
# What other options decide has no default of its own.
DECIDED_BY_OTHERS = {"model.fusion", "photos.backbone", "photos.pool", "pretrain.epochs"}


def test_every_setting_has_an_option_but_those_that_nobody_changes() -> None:
    without = {name for name, field in FIELDS if not field.metadata[SETTING].is_option}
    assert without == {
        "text.vocabulary_size",
        "text.max_words",
        "model.word_size",
        "pretrain.batch_size",
    }
    named = {field.metadata[SETTING].name for name, field in FIELDS if name not in without}
    assert len(named) > 20 and named <= OPTIONS.keys()


def test_the_default_of_an_option_is_that_of_its_setting() -> None:
    values = TRAIN.make_context("train", ["items.csv"]).params
    defaults = {
        name: values[parameter_name(field.metadata[SETTING])]
        for name, field in FIELDS
        if field.metadata[SETTING].is_option
    }
    expected = {name: field.default for name, field in FIELDS if name in defaults}
    assert defaults == expected | dict.fromkeys(DECIDED_BY_OTHERS)


def another_value(field: "Field[Any]") -> Any:
    """A value that is allowed, and is not the default."""
    names = {"--fusion": "bilinear", "--backbone": "resnet18", "--language": "none"}
    setting = field.metadata[SETTING]
    if setting.name in names:
        return names[setting.name]
    if isinstance(setting.allowed, OneOf):
        return next(name for name in setting.allowed.names if name != field.default)
    if field.type is bool:
        return True
    if isinstance(field.default, tuple):
        return tuple(number + 1 for number in field.default)
    return field.default + (0.25 if field.type is float else 7)


@pytest.mark.parametrize(
    ("name", "field"), [each for each in FIELDS if each[1].metadata[SETTING].is_option]
)
def test_an_option_sets_its_setting(name: str, field: "Field[Any]") -> None:
    value = another_value(field)
    values = value if isinstance(value, tuple) else (value,)
    words = [] if value is True else [str(one) for one in values]
    arguments = ["items.csv", "pairs.csv", field.metadata[SETTING].name, *words]
    given = TRAIN.make_context("train", arguments).params
    part, attribute = name.split(".")
    changed = settings_of(with_defaults(given["pairs"], given))
    assert getattr(getattr(changed, part), attribute) == value != field.default


def test_help_shows_the_names_of_the_tables() -> None:
    shown = {name: kind.choices for name, kind in TABLE_NAMES.items()}
    assert {name: set(names) for name, names in shown.items()} == {
        "--fusion": set(FUSIONS),
        "--backbone": set(BACKBONES),
        "--language": {AUTO, *LANGUAGES},
        "--clustering": set(METHODS),
        "--scorer": {EVIDENCE, SIAMESE},
    }
    assert shown["--clustering"][0] == DEFAULT and SCORERS.names == shown["--scorer"]


TRAINING = ("train", "no-such-items.csv", "no-such-pairs.csv")
LINKING = ("link", "no-such-items.csv", "-o", "out.csv")
REFUSED = {
    "a fusion module": (TRAINING, ("--fusion", "sum"), 1, ["rnn-cnn", "towers", "image"]),
    "a photo network": (TRAINING, ("--backbone", "alexnet"), 1, ["resnet152", "vgg19"]),
    "a language": (TRAINING, ("--language", "xx"), 1, ["auto, ru, en, none"]),
    "columns": (TRAINING, ("--text", "title"), 1, ["title+description, description"]),
    "an order of photos": (TRAINING, ("--photo-choice", "last"), 1, ["first, random"]),
    "a pooling": (TRAINING, ("--photo-pool", "max"), 1, ["one, mean"]),
    "a form of regions": (TRAINING, ("--regions", "int4"), 1, ["half, int8, int8-2x2"]),
    "a split": (TRAINING, ("--split", "days"), 1, ["ads, pairs"]),
    "a sign": (TRAINING, ("--head", "negative"), 1, ["nonpositive, free"]),
    "no epochs": (TRAINING, ("--epochs", 0), 1, ["--epochs 0: wanted a number above 0"]),
    "half an epoch": (TRAINING, ("--epochs", 0.5), 2, ["0.5", "integer"]),
    "one of two sizes": (TRAINING, ("--branch-sizes", 64, -1), 1, ["--branch-sizes -1", "above 0"]),
    "a large layer": (TRAINING, ("--hidden-size", 10**9), 1, ["at most 65,536"]),
    "a rate that is no number": (TRAINING, ("--lr", "nan"), 1, ["--lr nan", "above 0"]),
    "all units left out": (TRAINING, ("--dropout", 1), 1, ["from 0 up to, but not, 1"]),
    "views": (TRAINING, ("--views", -1), 1, ["--views -1: wanted 0 or more"]),
    "a seed": (TRAINING, ("--seed", 2**63), 1, [f"--seed {2**63}", "from 0 to 2^63 - 1"]),
    "no seeds": (TRAINING, ("--seeds", 0), 2, ["--seeds", "x>=1"]),
    "a score": (LINKING, ("--threshold", 1.5), 2, ["--threshold", "from 0 to 1, found 1.5"]),
    "a score that is no number": (LINKING, ("--threshold", "nan"), 2, ["from 0 to 1, found nan"]),
    "no candidates": (LINKING, ("--candidates", 0), 2, ["--candidates", "x>=1"]),
    "a clustering": (LINKING, ("--clustering", "stars"), 1, ["average-linkage", "centre"]),
    "a scorer": (LINKING, ("--scorer", "trees"), 1, ["evidence, siamese"]),
    "a seed of link": (LINKING, ("--seed", -1), 1, ["--seed -1", "from 0 to 2^63 - 1"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_option_may_not_be_is_refused_before_the_work(
    run: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    command, option, expected, said = REFUSED[case]
    status, out, err = run(*command, *option)
    assert status == expected and out == "" and "no-such" not in err
    for part in said:
        assert part in err


def help_of(command: str) -> tuple[list[str], list[str]]:
    """The headings, and the options, in the order of `--help`."""
    lines = cli.commands[command].get_help(click.Context(cli.commands[command])).splitlines()
    headings = [line[:-1] for line in lines if line.endswith(":") and line[:-1] in SECTIONS]
    lines = lines[lines.index(f"{headings[0]}:") :]
    options = [line.split()[0].rstrip(",") for line in lines if line.startswith("  -")]
    return headings, options


@pytest.mark.parametrize("command", cli.commands)
def test_help_shows_every_option_once_under_a_heading(command: str) -> None:
    headings, options = help_of(command)
    assert headings == [section for section in SECTIONS if section in headings]
    expected = [one.opts[0] for one in cli.commands[command].params if one.opts[0][0] == "-"]
    assert sorted(set(options) - {"-h", "--help"}) == sorted(expected)
    assert len(options) == len(expected) + 1
    if command == "train":
        wanted = ("Data", "Photos", "Model", "Training", "Search for settings", "Output", "Other")
        assert tuple(headings) == wanted


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_answers_at_once(arguments: list[str]) -> None:
    code = "from nrl_dedup.cli.main import main; main()"

    def seconds() -> float:
        """Processor time of one run."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3
