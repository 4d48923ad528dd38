"""A grid file (TOML) -> the settings to train, in the file's order; settings and seeds -> trials.

    [[grid]]                    # or [grid], where one is enough
    hidden_size = [100, 256]    # a list: each of its values
    branch_sizes = [128, 64]    # one value of two numbers; [[64, 32], [128, 64]] is a list of two
    lr = [0.001, 0.0001]

A grid is every combination of its lists, the last key's values changing fastest. What it does not name is as the
command line says. The keys are the flags of `train` that change neither features nor split.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from nrl_dedup.bundle.saved_settings import PAIR, WANTED, as_field, is_of_type, shown
from nrl_dedup.config import ModelSettings, Settings, TextSettings, TrainSettings
from nrl_dedup.embedding.fusion import fusion_module
from nrl_dedup.errors import NrlDedupError

MAX_SETTINGS = 10_000  # of a file; each is a training
_MAX_BYTES = 1 << 20  # of a file: some hundred thousand values
Value = int | float | str | tuple[int, int]

# These decide features and split, which a grid's settings share.
SHARED = (
    "word_size",
    "split",
    "complete_only",
)


def _keys() -> dict[str, tuple[str, str, Any]]:
    parts = (("model", ModelSettings), ("train", TrainSettings))
    found = [
        (part, field)
        for part, settings in parts
        for field in fields(settings)
        if field.name not in SHARED
    ]
    return {
        "lr" if field.name == "learning_rate" else field.name: (part, field.name, field.type)
        for part, field in found
    }


KEYS = _keys()  # key -> part of the settings, field in it, type


def value_of(settings: Settings, key: str) -> Value:
    """What `settings` hold under one of `KEYS`."""
    part, field, _ = KEYS[key]
    value: Value = getattr(getattr(settings, part), field)
    return value


def with_values(settings: Settings, values: Mapping[str, Value]) -> Settings:
    """`settings` with other `values`, named by `KEYS`.

    :raises NrlDedupError: a value is out of its range.
    """
    changed: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
    for key, value in values.items():
        part, field, _ = KEYS[key]
        changed[part][field] = value
    model, train = (
        replace(settings.model, **changed["model"]),
        replace(settings.train, **changed["train"]),
    )
    fusion_module(model.fusion)
    return replace(settings, model=model, train=train)


def read_grid(path: Path, settings: Settings) -> tuple[Settings, ...]:
    """Every setting of the file, in its order; what the file does not name is as in `settings`.

    :raises NrlDedupError: the file cannot be read as TOML; a grid or a list is empty; a key is unknown, a value of the
        wrong type or out of range; a fusion module reads other photo features than that of `settings`; or two settings
        are the same.
    """
    found: list[Settings] = []
    for number, grid in enumerate(_grids(path), 1):
        where = f"{path}: grid {number}"
        if not grid:
            raise NrlDedupError(f"{where} is empty. Name at least one of {', '.join(KEYS)}.")
        values = {
            key: _values(f"{where}, {key:.60}", key, value, settings) for key, value in grid.items()
        }
        many = len(found) + math.prod(map(len, values.values()))
        if many > MAX_SETTINGS:
            raise NrlDedupError(
                f"{where}: wanted at most {MAX_SETTINGS:,} settings in all, found {many:,} up to here."
            )
        found += [
            with_values(settings, dict(zip(values, row, strict=True)))
            for row in product(*values.values())
        ]
    features = fusion_module(settings.model.fusion).photo_features
    for number, one in enumerate(found, 1):
        wanted = fusion_module(one.model.fusion).photo_features
        if wanted != features:
            raise NrlDedupError(
                f"{path}: setting {number}, {one.model.fusion}, reads {wanted} features of a photo, and --fusion "
                f"{settings.model.fusion} {features} ones; a grid's settings share them. Search for "
                f"{one.model.fusion}'s settings by itself, with --fusion {one.model.fusion}."
            )
    place = {one: number for number, one in reversed(list(enumerate(found, 1)))}
    for number, one in enumerate(found, 1):
        if place[one] != number:
            raise NrlDedupError(
                f"{path}: settings {place[one]} and {number} are the same. Remove one; to train a setting several "
                "times, use --seeds."
            )
    return tuple(found)


@dataclass(frozen=True)
class Trial:
    """One training: the `setting`-th of the settings (from 1), with a seed of its own in `settings`."""

    setting: int
    settings: Settings


def plan_trials(settings: Sequence[Settings], seeds: int) -> tuple[Trial, ...]:
    """Each setting `seeds` times in a row: with its seed, the next one, and so on.

    :raises NrlDedupError: two trials would be the same, as the settings themselves differ in their seeds.
    """
    trials = []
    for number, one in enumerate(settings, 1):
        for seed in range(one.train.seed, one.train.seed + seeds):
            trials.append(Trial(number, replace(one, train=replace(one.train, seed=seed))))
    if len({trial.settings for trial in trials}) < len(trials):
        raise NrlDedupError(
            f"--seeds {seeds}: the grid has seeds of its own, and some trials would be the same."
        )
    return tuple(trials)


def with_text_settings(plan: Sequence[Trial], text: TextSettings) -> tuple[Trial, ...]:
    """The same trials, whose words are all read by `text`."""
    return tuple(replace(trial, settings=replace(trial.settings, text=text)) for trial in plan)


def _grids(path: Path) -> list[dict[str, Any]]:
    document = _document(path)
    grids = document.pop("grid", [])
    grids = [grids] if isinstance(grids, dict) else grids
    wanted = "wanted [grid], or several [[grid]], with keys and values below it"
    if document:
        raise NrlDedupError(f"{path}: unknown {', '.join(list(document)[:3]):.100}; {wanted}.")
    if (
        not isinstance(grids, list)
        or not all(isinstance(grid, dict) for grid in grids)
        or not grids
    ):
        raise NrlDedupError(f"{path}: there is no grid; {wanted}. The keys are {', '.join(KEYS)}.")
    return grids


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise NrlDedupError(
                f"--grid {path}: this is a directory, a pipe or a device; a file was wanted."
            )
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise NrlDedupError(f"--grid {path}: wanted at most {_MAX_BYTES:,} bytes, found more.")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise NrlDedupError(f"--grid {path}: cannot be read ({error.strerror}).") from error
    except RecursionError:
        raise NrlDedupError(
            f"--grid {path}: wanted lists and tables in each other a few times, found many."
        ) from None
    except ValueError as error:  # of TOML, of UTF-8, and of a whole number of thousands of digits
        raise NrlDedupError(f"--grid {path}: this is no TOML ({error!s:.200}).") from error


def _values(where: str, key: str, given: object, settings: Settings) -> list[Value]:
    if key not in KEYS:
        raise NrlDedupError(
            f"{where}: unknown key. The keys are {', '.join(KEYS)}. What decides features and split is the same for "
            "all settings, and is given by flags."
        )
    kind = KEYS[key][2]
    if given == []:
        raise NrlDedupError(f"{where}: an empty list; wanted {WANTED[kind]}, or a list of such.")
    several = isinstance(given, list) and (
        kind != PAIR or any(isinstance(one, list) for one in given)
    )
    values: list[Value] = []
    one: Any
    for one in given if isinstance(given, list) and several else [given]:
        if not is_of_type(one, kind):
            raise NrlDedupError(
                f"{where} = {shown(one)}: wanted {WANTED[kind]}, or a list of such."
            )
        value: Value = as_field(one, kind)
        try:
            with_values(settings, {key: value})
        except NrlDedupError as error:
            raise NrlDedupError(f"{where} = {shown(one)}: {error}") from error
        values.append(value)
    return values
