"""Settings from a file, where a value may be of any type: each is checked against the type of its field."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from nrl_dedup.config import (
    ModelSettings,
    PhotoSettings,
    PretrainSettings,
    Settings,
    TextSettings,
    TrainSettings,
)
from nrl_dedup.errors import NrlDedupError

PAIR = tuple[int, int]
WANTED = {
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    bool: "true or false",
    PAIR: "two whole numbers, as [128, 64]",
}
# What bundles of an older version do not say.
MAY_LACK = {
    "photos": ("pool",),
    "train": ("contrast",),
}
_MAX_LETTERS = 100  # of a text: settings are names
_BITS = 64  # of a whole number; what a message can show, and a little more than any setting may be


class _Short(reprlib.Repr):
    """Python refuses to write a whole number of thousands of digits, which TOML can hold."""

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() <= _BITS else "a whole number beyond 64 bits"


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 2, 6, 3, 60, 60

Part = TypeVar("Part", TextSettings, PhotoSettings, ModelSettings, TrainSettings, PretrainSettings)


def is_of_type(value: Any, kind: object) -> bool:
    """Whether a value of JSON or TOML is of a field's type: there `true` is no number, and 1 may stand for 1.0."""
    if kind == PAIR:
        return (
            isinstance(value, list)
            and len(value) == 2
            and all(is_of_type(one, int) for one in value)
        )
    if kind is float:
        return is_of_type(value, int) or (type(value) is float and math.isfinite(value))
    if kind is str:
        return type(value) is str and len(value) <= _MAX_LETTERS
    return type(value) is kind and (kind is bool or value.bit_length() <= _BITS)


def as_field(value: Any, kind: object) -> Any:
    """A value that `is_of_type`, as the field holds it."""
    if kind == PAIR:
        return tuple(value)
    return float(value) if kind is float else value


def shown(value: object) -> str:
    """A wrong value for a message, cut where it is long or deep."""
    return _SHORT.repr(value)


def read_settings(saved: Mapping[str, Any]) -> Settings:
    """The settings as `dataclasses.asdict` and JSON leave them. What an older version does not say is the default.

    :raises NrlDedupError: a setting is missing or unknown, of another type, or out of its bounds.
    """
    return Settings(
        text=_part(TextSettings, saved, "text"),
        photos=_part(PhotoSettings, saved, "photos"),
        model=_part(ModelSettings, saved, "model"),
        train=_part(TrainSettings, saved, "train"),
        pretrain=_part(PretrainSettings, saved, "pretrain")
        if "pretrain" in saved
        else PretrainSettings(),
    )


def _part(settings: type[Part], saved: Mapping[str, Any], name: str) -> Part:
    given = saved.get(name)
    if not isinstance(given, dict):
        raise NrlDedupError(f"settings.{name}: wanted an object, found {shown(given)}.")
    kinds = {field.name: field.type for field in fields(settings)}
    for key in sorted(kinds.keys() ^ given.keys()):
        if key in given or key not in MAY_LACK.get(name, ()):
            raise NrlDedupError(
                f"settings.{name}: {shown(key)} is {'unknown' if key in given else 'missing'}."
            )
    for key, value in given.items():
        if not is_of_type(value, kinds[key]):
            raise NrlDedupError(
                f"settings.{name}.{key}: wanted {WANTED[kinds[key]]}, found {shown(value)}."
            )
    return settings(**{key: as_field(value, kinds[key]) for key, value in given.items()})
