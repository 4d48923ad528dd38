"""The options of `nrl-dedup train` that say the settings: one for each field that names an option."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, get_args

from nrl_dedup.cli.grouped_help import DATA, MODEL, PHOTOS, TRAINING, Command, Decorator, option
from nrl_dedup.cli.option_types import type_of_setting
from nrl_dedup.config import (
    SETTING,
    ModelSettings,
    PhotoSettings,
    PretrainSettings,
    Setting,
    Settings,
    TextSettings,
    TrainSettings,
)

# A part of `Settings` -> its class, and the section of `--help` that shows its options.
PARTS: dict[str, tuple[Any, str]] = {
    "text": (TextSettings, DATA),
    "photos": (PhotoSettings, PHOTOS),
    "model": (ModelSettings, MODEL),
    "train": (TrainSettings, TRAINING),
    "pretrain": (PretrainSettings, TRAINING),
}


def setting_of(field: "Field[Any]") -> Setting:
    """How people see a field of the settings."""
    setting: Setting = field.metadata[SETTING]
    return setting


(_SEED,) = (setting_of(field) for field in fields(TrainSettings) if field.name == "seed")
SEED_TYPE = type_of_setting(_SEED, int)  # for commands that train nothing


def setting_options(command: Command) -> Command:
    """Adds an option for each setting to a command."""
    decorators: dict[str, Decorator] = {}
    for part, field in _fields_with_option():
        _, section = PARTS[part]
        # Two settings may have one option: training with and without labels share --patience.
        decorators.setdefault(setting_of(field).name, _option_of(field, section))
    for decorator in reversed(decorators.values()):
        command = decorator(command)
    return command


def settings_from(options: Mapping[str, Any]) -> Settings:
    """The settings that options have set.

    :param options: name of click's parameter -> value, as click gives them to a command.
    :raises NrlDedupError: a value is out of its range.
    """
    values: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for part, field in _fields_with_option():
        values[part][field.name] = options[parameter_name(setting_of(field))]
    made = {part: kind(**values[part]) for part, (kind, _) in PARTS.items()}
    return Settings(**made)


def parameter_name(setting: Setting) -> str:
    """What click calls the value of a setting's option: `photos_per_ad` for --photos-per-ad."""
    return setting.name.removeprefix("--").replace("-", "_")


def _fields_with_option() -> "Iterator[tuple[str, Field[Any]]]":
    """The part of the settings that each is in, and the field."""
    for part, (kind, _) in PARTS.items():
        for field in fields(kind):
            if setting_of(field).is_option:
                yield part, field


def _option_of(field: "Field[Any]", section: str) -> Decorator:
    setting = setting_of(field)
    if field.type is bool:
        return option(section, setting.name, is_flag=True, help=setting.help)
    numbers = get_args(field.type)  # of a field that is a tuple of them
    attributes: dict[str, Any] = {"help": setting.help}
    if numbers:
        attributes["nargs"] = len(numbers)
    kind: Any = numbers[0] if numbers else field.type
    if setting.default is None:
        attributes["default"] = field.default
    else:
        attributes["default_in_words"] = setting.default
    return option(section, setting.name, type=type_of_setting(setting, kind), **attributes)
