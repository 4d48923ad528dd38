"""The parts of a bundle, read as what they are: data that a stranger may have made.

Each reader checks what a file declares against the other files before anything is allocated by it. The largest sizes
are far above those of any real bundle, and low enough for a machine that could train it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import torch

from nrl_dedup.bundle.saved_settings import shown
from nrl_dedup.config import Settings
from nrl_dedup.embedding.network import SiameseModel, image_shape
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.text.languages import language_row
from nrl_dedup.features.text.vocabulary import Vocabulary
from nrl_dedup.untrusted.plain_file import check_plain, read_text
from nrl_dedup.untrusted.safetensors_file import check_tensors, read_tensors
from nrl_dedup.untrusted.saved_table import read_table
from nrl_dedup.untrusted.strict_json import read_json

# In bytes. The shipped bundle has 8 thousand, 1 million, 21 thousand, 4 thousand, 4 million and 4 million.
MAX_BYTES = {
    "bundle.json": 4 << 20,  # 20,000 epochs
    "model.safetensors": 1 << 30,  # 30,000 words of 8,000 numbers each
    "vocabulary.txt": 64 << 20,  # millions of words
    "split.parquet": 1 << 30,  # some hundred million labelled pairs
    "held_out.parquet": 1 << 30,
    "backbone.safetensors": 1 << 30,  # the largest of the photo networks has a quarter of it
}
EPOCH = {"number", "train_loss", "valid_loss", "train_ap", "valid_ap", "seconds"}
SIDES = ("train", "valid", "test")
SPLIT_SOURCES = {"source_l": pl.String, "source_r": pl.String}  # of a split of ads with sources
_MAX_PATH = 4_096  # letters
_FIGURES = (int, float)


def check_files(folder: Path) -> None:
    """Find out whether those files of the bundle that are there are plain ones of a size that can be right.

    :raises NrlDedupError: one is a link, a pipe, a device or a socket, or too large.
    """
    for name, most in MAX_BYTES.items():
        if (folder / name).is_symlink() or (folder / name).exists():
            check_plain(folder / name, most)
    evidence = folder / "evidence"
    if evidence.is_symlink() or (evidence.exists() and not evidence.is_dir()):
        raise NrlDedupError("evidence: wanted a folder of its own, found a link or a file.")


def read_about(path: Path) -> dict[str, Any]:
    """The object in bundle.json.

    :raises NrlDedupError: it is no such file.
    """
    about = read_json(path, MAX_BYTES["bundle.json"])
    if not isinstance(about, dict):
        raise NrlDedupError(f"{path.name}: wanted an object, found {shown(about)}.")
    return about


def check_about(about: Mapping[str, Any], settings: Settings) -> None:
    """Find out whether what bundle.json says beside the settings can be so.

    :raises NrlDedupError: a value is of another type or out of its bounds.
    """
    language_row(settings.text.language)
    size, fingerprint = image_shape(settings)[-1], about["backbone_fingerprint"]
    if about["image_size"] != size:
        raise NrlDedupError(
            f"image_size: wanted the {size} of {settings.photos.backbone}, found {shown(about['image_size'])}."
        )
    _check(
        fingerprint is None or _is_digest(fingerprint),
        "backbone_fingerprint",
        "a sha256",
        fingerprint,
    )
    _check(
        fingerprint is not None or not about["backbone_file"],
        "backbone_file",
        "false without a fingerprint",
        True,
    )
    for name in ("mean", "deviation", "coefficients"):
        values = about["baseline"].get(name)
        ok = (
            isinstance(values, list)
            and len(values) == 2
            and all(_is_figure(value) for value in values)
        )
        _check(
            ok and (name != "deviation" or min(values) > 0),
            f"baseline.{name}",
            "two finite numbers",
            values,
        )
    _check(
        _is_figure(about["baseline"].get("intercept")),
        "baseline.intercept",
        "a finite number",
        None,
    )
    for epoch in about["epochs"]:
        _check(
            isinstance(epoch, dict) and epoch.keys() == EPOCH,
            "epochs",
            f"{', '.join(sorted(EPOCH))} each",
            epoch,
        )
        for name, value in epoch.items():
            unknown = value is None and name.endswith("_ap")
            _check(unknown or _is_figure(value), f"epochs.{name}", "a finite number", value)
    best = about["best_epoch"]
    _check(
        0 <= best <= len(about["epochs"]),
        "best_epoch",
        f"one of {len(about['epochs'])} epochs",
        best,
    )
    for name, value in about["split"].items():
        _check(_is_figure(value), f"split.{name}", "a finite number", value)
    _check_data(about["data"])


def read_vocabulary(path: Path) -> Vocabulary:
    """:raises NrlDedupError: it is no plain file of UTF-8 that ends each line, or a word is in it twice."""
    *words, rest = read_text(path, MAX_BYTES[path.name]).split("\n")
    if rest:
        raise NrlDedupError(
            f"{path.name}: wanted a line end behind the last word, found {shown(rest)}."
        )
    if len(set(words)) < len(words) or "" in words:
        raise NrlDedupError(
            f"{path.name}: wanted {len(words):,} words, found an empty line, or a word twice."
        )
    return Vocabulary(tuple(words))


def read_model(
    path: Path, settings: Settings, vocabulary: Vocabulary, image_size: int
) -> SiameseModel:
    """The network that the settings describe, with the weights in the file, on the processor.

    Its shapes are worked out without memory, on torch's "meta" device, and the file must have just these.

    :raises NrlDedupError: it has others, or a weight is not finite.
    """
    words = len(vocabulary.words)
    if words > settings.text.vocabulary_size:
        raise NrlDedupError(
            f"vocabulary.txt: wanted at most the {settings.text.vocabulary_size:,} words of the settings in "
            f"bundle.json, found {words:,}."
        )
    with torch.device("meta"):
        model = SiameseModel(
            settings.model, torch.zeros(words, settings.model.word_size), image_size
        )
    state = read_tensors(path, MAX_BYTES[path.name])
    check_tensors(state, model.state_dict(), path.name)
    model.load_state_dict(state, assign=True)
    return model


def read_split(path: Path, schema: Mapping[str, Any]) -> pl.DataFrame:
    """The labelled pairs and the sides that they stood on; of ads with sources, `SPLIT_SOURCES` too.

    :raises NrlDedupError: a row cannot be so, or it is no such table.
    """
    with_sources = {**schema, **SPLIT_SOURCES}
    table = read_table(path, with_sources, MAX_BYTES[path.name])
    if any(name in table.columns for name in SPLIT_SOURCES):
        schema = with_sources
    _check_columns(table, schema, path.name)
    if not table["side"].is_in(SIDES).all():
        raise NrlDedupError(f"{path.name}: wanted the sides {', '.join(SIDES)}, found another one.")
    _check_weights(table, path.name)
    return table


def read_held_out(path: Path, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Scored candidate pairs of held-out ads; a logit of minus infinity is one that blocking loses.

    :raises NrlDedupError: a row cannot be so, or it is no such table.
    """
    table = read_table(path, schema, MAX_BYTES[path.name])
    if "scorer" not in table.columns:  # version 2 had one
        table = table.with_columns(scorer=pl.lit("siamese"))
    _check_columns(table, schema, path.name)
    if not (table["logit"] < math.inf).all() or table["logit"].is_nan().any():
        raise NrlDedupError(f"{path.name}: wanted log-odds, found a NaN or an infinity.")
    _check_weights(table, path.name)
    return table.select(list(schema))


def _check_columns(table: pl.DataFrame, schema: Mapping[str, Any], name: str) -> None:
    missing = [column for column in schema if column not in table.columns]
    wrong = [
        column
        for column in schema
        if column not in missing and table.schema[column] != schema[column]
    ]
    if missing or wrong:
        raise NrlDedupError(
            f"{name}: wanted the columns {', '.join(schema)}; missing or wrong {missing + wrong}."
        )


def _check_weights(table: pl.DataFrame, name: str) -> None:
    weights = table["weight"]
    if not (weights.is_finite() & (weights >= 0)).all():
        raise NrlDedupError(f"{name}: wanted finite weights of 0 or more, found another one.")


def _check_data(data: Mapping[str, Any]) -> None:
    for name in ("items", "images", "fingerprint"):
        value = data.get(name)
        _check(
            _is_path(value) or (name == "images" and value is None), f"data.{name}", "a text", value
        )
    for name in ("other", "source"):
        value = data.get(name)
        _check(value is None or _is_path(value), f"data.{name}", "a text", value)
    columns, compared = data.get("columns"), data.get("compared", [])
    ok = isinstance(columns, dict) and all(_is_path(value) for value in columns.values())
    _check(ok, "data.columns", "an object of texts", columns)
    _check(
        isinstance(compared, list) and all(_is_path(one) for one in compared),
        "data.compared",
        "texts",
        compared,
    )


def _check(right: bool, where: str, wanted: str, found: object) -> None:
    if not right:
        raise NrlDedupError(f"bundle.json: {where}: wanted {wanted}, found {shown(found)}.")


def _is_path(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_PATH and "\0" not in value


def _is_figure(value: object) -> bool:
    return type(value) in _FIGURES  # JSON's are finite: `strict_json`


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
