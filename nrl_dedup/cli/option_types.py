"""What the values of options may be: checked before any work, and shown by `--help`.

A setting, or a name from a table of some stage, is checked by that setting or stage: so the message and the exit status
are the same wherever the value came from. A table is imported when its option is given, and not for `--help`: some of
the imports take seconds.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import click

from nrl_dedup.config import Number, OneOf, Setting

Parameter = click.Parameter | None
Context = click.Context | None


class CheckedName(click.Choice):
    """One of some names. `check` raises NrlDedupError for others, and may know more names than `--help` shows."""

    def __init__(self, names: Iterable[str], check: Callable[[str], object]) -> None:
        super().__init__(tuple(names))
        self._check = check

    def convert(self, value: Any, param: Parameter, ctx: Context) -> str:
        self._check(value)
        return str(value)


class SettingInteger(click.IntRange):
    """A whole number that a setting may be."""

    name = "integer"

    def __init__(self, setting: Setting, allowed: Number) -> None:
        super().__init__(min=int(allowed.low), min_open=allowed.low_is_excluded)
        self._setting = setting

    def convert(self, value: Any, param: Parameter, ctx: Context) -> int:
        number = click.INT.convert(value, param, ctx)
        self._setting.check(number)
        return number


class SettingNumber(click.FloatRange):
    """A number that a setting may be."""

    name = "float"

    def __init__(self, setting: Setting, allowed: Number) -> None:
        super().__init__(
            min=allowed.low,
            min_open=allowed.low_is_excluded,
            max=allowed.high,
            max_open=allowed.high is not None,
        )
        self._setting = setting

    def convert(self, value: Any, param: Parameter, ctx: Context) -> float:
        number = click.FLOAT.convert(value, param, ctx)
        self._setting.check(number)
        return number


class Score(click.FloatRange):
    """A number from 0 to 1; `click.FloatRange` takes NaN too."""

    name = "float"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: Parameter, ctx: Context) -> float:
        number = click.FLOAT.convert(value, param, ctx)
        if not 0 <= number <= 1:
            self.fail(f"wanted a score from 0 to 1, found {number}.", param, ctx)
        return number


def type_of_setting(setting: Setting, kind: type) -> click.ParamType:
    """The type of the option of a setting that is a text or a number, or of each of its numbers.

    :param kind: the type of the setting's value: str, int or float.
    """
    allowed = setting.allowed
    if isinstance(allowed, OneOf):
        return CheckedName(allowed.names, setting.check)
    if isinstance(allowed, Number):
        return SettingInteger(setting, allowed) if kind is int else SettingNumber(setting, allowed)
    return TABLE_NAMES[setting.name]


def _check_fusion(name: str) -> None:
    from nrl_dedup.embedding.fusion import fusion_module

    fusion_module(name)


def _check_backbone(name: str) -> None:
    from nrl_dedup.features.photos.backbones import backbone_row

    backbone_row(name)


def _check_language(name: str) -> None:
    from nrl_dedup.features.text.languages import check_language

    check_language(name)


def _check_clustering(name: str) -> None:
    from nrl_dedup.clustering import clustering_method

    clustering_method(name)


# The names that `--help` shows, the default first.
SCORERS = OneOf(("evidence", "siamese"))
TABLE_NAMES = {
    "--fusion": CheckedName(
        ("towers", "rnn-cnn", "san", "bilinear", "text", "image"), _check_fusion
    ),
    "--backbone": CheckedName(
        ("resnet152", "vgg19", "resnet50", "resnet18", "mobilenet_v2", "mobilenet_v3_small"),
        _check_backbone,
    ),
    "--language": CheckedName(("auto", "ru", "en", "none"), _check_language),
    "--clustering": CheckedName(
        ("average-linkage", "correlation", "centre", "connected-components"), _check_clustering
    ),
    "--scorer": CheckedName(SCORERS.names, partial(SCORERS.check, "--scorer")),
}
