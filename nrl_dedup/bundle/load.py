"""A trained model on disk: a folder of safetensors, JSON, Parquet and a word list; nothing in it is executable.

This reads it; `save.py` writes it.

bundle.json             version, settings, backbone, baseline, metrics per epoch, audit of the split, data, and whether
                        there is a pair model; if not, why
model.safetensors       the network, word vectors included
vocabulary.txt          one word a line, in the order of the word vectors
split.parquet           item_id_l, item_id_r, is_duplicate, side, weight; of ads with sources also source_l, source_r
backbone.safetensors    the photo network, where it came from a file rather than from torchvision
evidence/               the pair model (`scoring/pair_model.py`); may be missing
held_out.parquet        candidate pairs of held-out ads (`HELD_OUT`), from which thresholds are chosen; may be missing
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from nrl_dedup.bundle.parts import (
    check_about,
    check_files,
    read_about,
    read_held_out,
    read_model,
    read_split,
    read_vocabulary,
)
from nrl_dedup.bundle.saved_settings import read_settings, shown
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import Settings
from nrl_dedup.embedding.network import SiameseModel, photo_kind
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.extract import CatalogueFeatures, PhotoInput, extract
from nrl_dedup.features.photos.backbone_weights import weights_folder
from nrl_dedup.features.photos.backbones import Backbone, load_backbone
from nrl_dedup.features.photos.photo_folder import open_photo_folder
from nrl_dedup.features.text.vocabulary import Vocabulary
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.baseline import Baseline
from nrl_dedup.scoring.pair_model import PairModel, load_pair_model
from nrl_dedup.scoring.trees import Trees

VERSION = 3
# Version 1 says neither `photos.pool` nor `pretrain` (the defaults are what it was made with), 2 has no pair evidence.
READ = (1, 2, 3)
SPLIT = {
    "item_id_l": pl.String,
    "item_id_r": pl.String,
    "is_duplicate": pl.Boolean,
    "side": pl.String,
    "weight": pl.Float64,
}
# Groups of duplicates of the two ads, and the pair's logit by a scorer (`scorers`); -inf for one that blocking loses.
HELD_OUT = {
    "scorer": pl.String,
    "group_l": pl.Int64,
    "group_r": pl.Int64,
    "is_duplicate": pl.Boolean,
    "weight": pl.Float64,
    "logit": pl.Float64,
}

EVIDENCE = "evidence"
PAIR_MODEL = (
    "pair_model"  # of bundle.json: {"there": whether it has one, "why_not": where it has none}
)
_ABOUT: dict[str, tuple[type, ...]] = {  # of bundle.json
    "settings": (dict,),
    "image_size": (int,),
    "backbone_fingerprint": (str, type(None)),
    "backbone_file": (bool,),
    "baseline": (dict,),
    "best_epoch": (int,),
    "epochs": (list,),
    "split": (dict,),
    "data": (dict,),
}


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pairs. Training figures are the running ones, taken while the weights moved."""

    number: int
    train_loss: float
    valid_loss: float
    train_ap: float | None
    valid_ap: float | None
    seconds: float


@dataclass(frozen=True)
class DataSource:
    """Where the data was at training; relative paths start at the bundle's own folder."""

    items: str
    images: str | None
    columns: dict[str, str]
    fingerprint: str
    compared: tuple[str, ...] = ()  # further columns that the user named
    other: str | None = None  # the second of two files
    source: str | None = None  # the column with each ad's source


@dataclass(frozen=True)
class Bundle:
    """Everything that `link` and `evaluate` need of a training run."""

    settings: Settings
    model: SiameseModel
    vocabulary: Vocabulary
    baseline: Baseline
    image_size: int
    backbone_fingerprint: str | None
    split: pl.DataFrame
    audit: dict[str, Any]
    history: tuple[Epoch, ...]
    best_epoch: int
    data: DataSource
    folder: Path | None = None
    held_out: pl.DataFrame | None = None
    pair_model: PairModel | None = None
    no_pair_model: str | None = None  # why there is none, where there is none

    @property
    def labelled(self) -> bool:
        """Whether it was trained on labelled pairs, and remembers some for a test."""
        return not self.split.is_empty()

    @property
    def adapts(self) -> bool:
        """Whether it is adapted to each catalogue that it links, unless the user says otherwise: the shipped model, and
        those that were trained without labels."""
        is_shipped = self.folder == model_folder(None).resolve()
        return is_shipped or not self.labelled

    def backbone(self, device: torch.device, weights: Path | None = None) -> Backbone | None:
        """The photo network that the model was trained on; None if it was trained without photos.

        :raises NrlDedupError: it cannot be had, or what was found is another one.
        """
        if self.backbone_fingerprint is None:
            return None
        own = self.folder / "backbone.safetensors" if self.folder else None
        found = own if weights is None and own is not None and own.exists() else weights
        backbone = load_backbone(self.settings.photos.backbone, found, device)
        if backbone.fingerprint != self.backbone_fingerprint:
            raise NrlDedupError(
                f"{self.folder}: the model was trained on {self.settings.photos.backbone} weights "
                f"{self.backbone_fingerprint[:12]}, but those found are {backbone.fingerprint[:12]}. Name the "
                "right ones with --backbone-weights FILE."
            )
        return backbone

    def extract(
        self, catalogue: Catalogue, photo_folder: Path | None, run: Run, weights: Path | None = None
    ) -> CatalogueFeatures:
        """The features of a catalogue as this model reads it; without photos if it was trained without.

        :param weights: a file of the photo network, in place of where it is usually found.
        :raises NrlDedupError: what `backbone`, `open_photo_folder` and `extract` raise.
        """
        kind = photo_kind(self.settings)
        backbone = None if photo_folder is None else self.backbone(run.device, weights)
        photos = None
        if photo_folder is not None and backbone is not None:
            source = open_photo_folder(photo_folder, catalogue.path.parent, run)
            photos = PhotoInput(source, backbone, kind)
        return extract(catalogue, self.settings, self.vocabulary, kind, photos, run)

    def data_path(self, path: str) -> Path:
        """A path of `data`, seen from here."""
        return Path(path) if self.folder is None else (self.folder / path).resolve()


def model_folder(named: Path | None) -> Path:
    """The folder of the bundle that the user named, or else of the shipped one."""
    return weights_folder() / "default" if named is None else named


def load_words() -> Trees | None:
    """The forest of the shipped model that knows the texts of other catalogues (`PairModel.words`).

    :raises NrlDedupError: the shipped model is damaged.
    """
    evidence = model_folder(None) / EVIDENCE
    if not evidence.exists():
        return None
    return load_pair_model(evidence).words


def load_bundle(folder: Path | None, device: torch.device) -> Bundle:
    """Read a bundle, which may be a stranger's: it is data, and nothing in it is believed unchecked
    (`parts.py`). None is the shipped default.

    :raises NrlDedupError: a file is missing, damaged, or no plain file; or the bundle is of another version.
    """
    folder = model_folder(folder)
    if not folder.is_dir():
        raise NrlDedupError(
            f"--model {folder}: no such folder. Train a model first: nrl-dedup train ITEMS PAIRS."
        )
    about = _read_about(folder)
    needed = ["model.safetensors", "vocabulary.txt", "split.parquet", *_needed_of_pair_model(about)]
    missing = [
        n
        for n in needed + ["backbone.safetensors"] * about["backbone_file"]
        if not (folder / n).exists()
    ]
    if missing:
        raise NrlDedupError(
            f"--model {folder}: {', '.join(missing)} is missing. Copy the bundle's whole folder."
        )
    try:
        return _read(folder, about, device)
    except Exception as error:  # whatever a library raises for what it was never meant to read
        raise _damaged(folder, error) from error


def _read(folder: Path, about: dict[str, Any], device: torch.device) -> Bundle:
    check_files(folder)
    settings = read_settings(about["settings"])
    check_about(about, settings)
    vocabulary = read_vocabulary(folder / "vocabulary.txt")
    model = read_model(folder / "model.safetensors", settings, vocabulary, about["image_size"])
    held_out = folder / "held_out.parquet"
    return Bundle(
        settings=settings,
        model=model.to(device).eval(),
        vocabulary=vocabulary,
        baseline=_baseline(about["baseline"]),
        image_size=about["image_size"],
        backbone_fingerprint=about["backbone_fingerprint"],
        split=read_split(folder / "split.parquet", SPLIT),
        audit=about["split"],
        history=tuple(Epoch(**epoch) for epoch in about["epochs"]),
        best_epoch=about["best_epoch"],
        data=DataSource(**{**about["data"], "compared": tuple(about["data"].get("compared", ()))}),
        folder=folder.resolve(),
        held_out=read_held_out(held_out, HELD_OUT) if held_out.exists() else None,
        pair_model=load_pair_model(folder / EVIDENCE) if (folder / EVIDENCE).exists() else None,
        no_pair_model=None if (folder / EVIDENCE).exists() else _why_no_pair_model(about),
    )


def _needed_of_pair_model(about: dict[str, Any]) -> list[str]:
    """What a bundle that says that it has a pair model has beside its network."""
    said = about.get(PAIR_MODEL)
    return (
        [EVIDENCE, "held_out.parquet"]
        if isinstance(said, dict) and said.get("there") is True
        else []
    )


def _why_no_pair_model(about: dict[str, Any]) -> str:
    said = about.get(PAIR_MODEL)
    if isinstance(said, dict):
        return str(said.get("why_not") or "there was too little to learn it from")
    if about["version"] < VERSION:
        return f"bundles of version {about['version']} had none"
    return "its training was stopped, or there was too little to learn it from"


def _read_about(folder: Path) -> dict[str, Any]:
    path = folder / "bundle.json"
    if not path.exists() and not path.is_symlink():
        raise NrlDedupError(f"--model {folder}: this is no bundle; bundle.json is missing.")
    try:
        about = read_about(path)
    except NrlDedupError as error:
        raise _damaged(folder, error) from error
    version = about.get("version")
    if type(version) is not int or version not in READ:
        raise NrlDedupError(
            f"{path}: a bundle of version {shown(version)}; this program reads versions {READ[0]} to {READ[-1]}. Train "
            "it again."
        )
    wrong = [key for key, kinds in _ABOUT.items() if type(about.get(key)) not in kinds]
    if wrong:
        raise _damaged(
            folder, NrlDedupError(f"bundle.json: {', '.join(wrong)} is missing or malformed.")
        )
    return about


def _damaged(folder: Path, error: Exception) -> NrlDedupError:
    why = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
    return NrlDedupError(
        f"--model {folder}: the bundle is damaged ({why}). Copy it again, or train anew."
    )


def _baseline(saved: dict[str, Any]) -> Baseline:
    values = [(name, saved[name]) for name in ("mean", "deviation", "coefficients")]
    pairs = {name: (float(of_words), float(of_photos)) for name, (of_words, of_photos) in values}
    return Baseline(**pairs, intercept=float(saved["intercept"]))
