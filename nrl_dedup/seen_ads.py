"""What training sees of a catalogue's ads, before any pair is looked at: their words, and their photos."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int64

from nrl_dedup.catalogue import Catalogue
from nrl_dedup.config import TEXT_COLUMNS, Settings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.ads import AdPhotos, training_photos
from nrl_dedup.features.backbones import Backbone, backbone_row, load_backbone
from nrl_dedup.features.fasttext_file import check_fasttext
from nrl_dedup.features.languages import language_row
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.store import compute_features
from nrl_dedup.features.text import Words, read_words
from nrl_dedup.fusion import fusion_module
from nrl_dedup.model import photo_kind
from nrl_dedup.progress import Progress


@dataclass(frozen=True)
class Resources:
    """What training uses beside the data and the settings."""

    work_dir: Path
    device: torch.device
    photo_folder: Path | None = None
    backbone_weights: Path | None = None
    word_vectors: Path | None = None


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


@dataclass(frozen=True)
class SeenAds:
    """The words of a catalogue's ads, and the photos of those that were asked for."""

    words: Words
    photos: AdPhotos | None
    backbone: Backbone | None

    @property
    def something(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has words or a readable photo."""
        has_words = np.diff(self.words.offsets) > 0
        return has_words if self.photos is None else has_words | (np.diff(self.photos.offsets) > 0)


def look_at_ads(
    catalogue: Catalogue,
    ads: Int64[np.ndarray, "some"] | None,
    settings: Settings,
    resources: Resources,
    progress: Progress,
) -> SeenAds:
    """The words of all ads, and the photos of some: centre views, and the augmented ones that training draws from.

    :param ads: those of which the photos are wanted; None: all.
    :raises NrlDedupError: the photo network or the photo folder cannot be had.
    """
    columns = [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]]
    words = read_words(columns, settings.text.language, progress)
    backbone, photos = _backbone(settings, resources), None
    if backbone is not None:
        wanted = np.ones(len(catalogue), dtype=bool)
        if ads is not None:
            wanted[:] = False
            wanted[ads] = True
        references = catalogue.frame.select(pl.when(pl.Series(wanted)).then("photos")).to_series()
        photos = _photos(references, settings, resources, backbone, progress)
    return SeenAds(words, photos, backbone)


def _backbone(settings: Settings, resources: Resources) -> Backbone | None:
    if resources.photo_folder is None:
        return None
    return load_backbone(settings.photos.backbone, resources.backbone_weights, resources.device)


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
