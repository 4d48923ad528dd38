"""Labelled pairs -> what every training over them shares: features, split, word vectors, baseline."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32

from nrl_dedup.baseline import Baseline, evidence, fit_baseline
from nrl_dedup.bundle import DataSource
from nrl_dedup.catalogue import Catalogue, fingerprint
from nrl_dedup.config import TEXT_COLUMNS, Settings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.ads import AdFeatures, AdPhotos, training_photos
from nrl_dedup.features.backbones import Backbone, backbone_row, load_backbone
from nrl_dedup.features.languages import language_row
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.store import compute_features
from nrl_dedup.features.text import Vocabulary, encode, read_words
from nrl_dedup.features.vectors import check_fasttext, learn_vectors, read_fasttext
from nrl_dedup.fusion import fusion_module
from nrl_dedup.model import image_shape, photo_kind
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.splits import Split, published_split, split_pairs


@dataclass(frozen=True)
class Resources:
    """What training uses beside the data and the settings."""

    work_dir: Path
    device: torch.device
    photo_folder: Path | None = None
    backbone_weights: Path | None = None
    word_vectors: Path | None = None


@dataclass(frozen=True)
class TrainingData:
    """Computed once; any number of networks are trained on it.

    `settings`: those that it was computed with. `features`: by row of the catalogue, without the photos of ads that
    stand in no pair. `vectors`: of `vocabulary`, in its order. `ids`: item ids by row.
    """

    settings: Settings
    features: AdFeatures
    split: Split
    vocabulary: Vocabulary
    vectors: Float32[np.ndarray, "words size"]
    vectors_file: Path | None
    baseline: Baseline
    backbone: Backbone | None
    ids: pl.Series
    source: DataSource

    @property
    def unreadable(self) -> pl.DataFrame:
        """photo, reason: the photos that could not be read."""
        return pl.DataFrame() if self.features.photos is None else self.features.photos.centre.unreadable

    @staticmethod
    def fixed(settings: Settings) -> tuple[object, ...]:
        """The settings that decide features and split: all networks trained on one `TrainingData` share them."""
        return settings.text, settings.photos, photo_kind(settings), settings.train.split, settings.train.complete_only

    def identity(self) -> dict[str, str | None]:
        """What was computed, by name: a digest (SHA-256, hex) that is the same in the next run over the same data.

        Learnt word vectors have none: they follow from the rest, and their last bits from the number of threads.
        """
        pairs = [self.split.frame[name].to_numpy() for name in ("row_l", "row_r", "is_duplicate", "weight")]
        photos = self.features.photos
        return {
            "catalogue": self.source.fingerprint,
            "labelled pairs, or split of them": _digest(json.dumps(self.split.audit).encode(), *pairs),
            "photos": None if photos is None else _digest(photos.centre.digests[photos.rows], photos.offsets),
            "photo network": None if self.backbone is None else self.backbone.fingerprint,
            "word vectors": None if self.vectors_file is None else _digest(self.vectors),
        }


def prepare_training(
    catalogue: Catalogue,
    pairs: pl.DataFrame,
    published: tuple[pl.DataFrame | None, pl.DataFrame | None] | None,
    settings: Settings,
    resources: Resources,
    columns: dict[str, str],
    *,
    on_split: Callable[[Split], None] | None = None,
    progress: Progress = SILENT,
) -> TrainingData:
    """Words, photos and split of the labelled pairs; vocabulary, word vectors and baseline of the training side.

    :param pairs: tables.LABELLED_PAIRS over `catalogue`; all of them, or the training ones if `published` is given.
    :param published: the validation and test pairs of a published split.
    :param columns: the names of the catalogue's columns, where the user gave them.
    :raises NrlDedupError: a setting names nothing that there is, a side of the split lacks a class, the training ads
        have nothing that the model reads, or weights cannot be had.
    """
    check_before_the_work(settings, resources)
    words = read_words(
        [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]], settings.text.language, progress
    )
    backbone = _backbone(settings, resources)
    of_pairs = _photos_of_pairs(catalogue, [pairs, *(side for side in published or () if side is not None)])
    photos = None if backbone is None else _photos(of_pairs, settings, resources, backbone, progress)
    if settings.train.complete_only:
        assert photos is not None
        keep = (np.diff(words.offsets) > 0) & (np.diff(photos.offsets) > 0)
        pairs = _complete(pairs, keep)
        if published is not None:
            valid, test = (side if side is None else _complete(side, keep) for side in published)
            published = (valid, test)
    if published is None:
        split = split_pairs(pairs, settings.train.split, settings.train.seed)
    else:
        split = published_split(pairs, *published, settings.train.seed)
    if on_split is not None:
        on_split(split)

    train = split.side("train")
    rows_l, rows_r = (train[name].to_numpy() for name in ("row_l", "row_r"))
    own_words = words.take(np.unique(np.concatenate([rows_l, rows_r])))
    vocabulary = Vocabulary.most_frequent(own_words, settings.text.vocabulary_size)
    if not vocabulary.words and (photos is None or not fusion_module(settings.model.fusion).reads_photos):
        raise NrlDedupError(
            f"The ads of the training pairs have no words, so there is nothing for --fusion {settings.model.fusion} to "
            "learn from. If they have photos, train on those: --fusion image --images DIR."
        )
    if resources.word_vectors is not None:
        vectors = read_fasttext(resources.word_vectors, vocabulary.words)
    else:
        vectors = learn_vectors(own_words, vocabulary, settings.model.word_size, seed=settings.train.seed)
    return TrainingData(
        settings=settings,
        features=AdFeatures(encode(words, vocabulary, settings.text.max_words), photos, image_shape(settings)),
        split=split,
        vocabulary=vocabulary,
        vectors=vectors,
        vectors_file=resources.word_vectors,
        baseline=fit_baseline(evidence(words, photos, rows_l, rows_r), train["is_duplicate"].to_numpy()),
        backbone=backbone,
        ids=catalogue.ids,
        source=DataSource(
            items=str(catalogue.path.resolve()),
            images=None if resources.photo_folder is None else str(resources.photo_folder.resolve()),
            columns=columns,
            fingerprint=fingerprint(catalogue),
        ),
    )


def _digest(*parts: np.ndarray | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def check_before_the_work(settings: Settings, resources: Resources) -> None:
    """
    :raises NrlDedupError: a setting names nothing that there is, or wants photos where there is no photo folder.
    """
    fusion = settings.model.fusion
    if fusion_module(fusion).needs_photos and resources.photo_folder is None:
        raise NrlDedupError(f"--fusion {fusion} needs photos, and there is no photo folder. Name it with --images.")
    if settings.photos.pool == "mean" and fusion_module(fusion).photo_features == "regions":
        raise NrlDedupError(
            f"--photo-pool mean: --fusion {fusion} looks at the regions of one photo; the mean of several photos' "
            "regions shows none of them. Use --photo-pool one."
        )
    if settings.train.complete_only and resources.photo_folder is None:
        raise NrlDedupError(
            "--complete-only keeps ads with words and a photo, and there is no photo folder. Name it with --images."
        )
    language_row(settings.text.language)
    backbone_row(settings.photos.backbone)
    if resources.word_vectors is not None:
        check_fasttext(resources.word_vectors)


def _backbone(settings: Settings, resources: Resources) -> Backbone | None:
    if resources.photo_folder is None:
        return None
    return load_backbone(settings.photos.backbone, resources.backbone_weights, resources.device)


def _photos_of_pairs(catalogue: Catalogue, sides: Sequence[pl.DataFrame]) -> pl.Series:
    """The photo references of each ad; null for an ad that stands in none of the pairs."""
    in_pairs = np.zeros(len(catalogue), dtype=bool)
    for pairs in sides:
        in_pairs[pairs["row_l"].to_numpy()] = in_pairs[pairs["row_r"].to_numpy()] = True
    return catalogue.frame.select(pl.when(pl.Series(in_pairs)).then("photos")).to_series()


def _photos(
    references: pl.Series, settings: Settings, resources: Resources, backbone: Backbone, progress: Progress
) -> AdPhotos:
    assert resources.photo_folder is not None
    compute = partial(
        compute_features,
        folder=PhotoFolder(resources.photo_folder),
        backbone=backbone,
        work_dir=resources.work_dir,
        kind=photo_kind(settings),
        device=resources.device,
        progress=progress,
    )
    views = partial(compute, views=settings.photos.views, seed=settings.train.seed)
    return training_photos(references, settings.photos, compute, views)


def _complete(pairs: pl.DataFrame, keep: np.ndarray) -> pl.DataFrame:
    """The pairs of which both ads have words and a readable photo (`--complete-only`)."""
    return pairs.filter(pl.Series(keep[pairs["row_l"].to_numpy()] & keep[pairs["row_r"].to_numpy()]))
