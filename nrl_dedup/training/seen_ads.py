"""What training sees of a catalogue's ads, before any pair is looked at: their words, and their photos."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import Settings
from nrl_dedup.embedding.fusion import fusion_module
from nrl_dedup.embedding.network import photo_kind
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.extract import AdContents, PhotoInput, read_ads
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.backbones import Backbone, backbone_row, load_backbone
from nrl_dedup.features.photos.catalogue_photos import AugmentedViews
from nrl_dedup.features.photos.photo_folder import open_photo_folder
from nrl_dedup.features.text.fasttext_file import check_fasttext
from nrl_dedup.features.text.languages import check_language
from nrl_dedup.features.text.words import Words
from nrl_dedup.runtime.run import Run


@dataclass(frozen=True)
class TrainingFiles:
    """The files that training uses beside the tables of ads and pairs."""

    photo_folder: Path | None = None
    backbone_weights: Path | None = None
    word_vectors: Path | None = None


def check_before_the_work(settings: Settings, resources: TrainingFiles) -> None:
    """
    :raises NrlDedupError: a setting names nothing that there is, or wants photos where there is no photo folder.
    """
    fusion = settings.model.fusion
    if fusion_module(fusion).needs_photos and resources.photo_folder is None:
        raise NrlDedupError(
            f"--fusion {fusion} needs photos, and there is no photo folder. Name it with --images."
        )
    if settings.photos.pool == "mean" and fusion_module(fusion).photo_features == "regions":
        raise NrlDedupError(
            f"--photo-pool mean: --fusion {fusion} looks at the regions of one photo; the mean of several photos' "
            "regions shows none of them. Use --photo-pool one."
        )
    if settings.train.complete_only and resources.photo_folder is None:
        raise NrlDedupError(
            "--complete-only keeps ads with words and a photo, and there is no photo folder. Name it with --images."
        )
    check_language(settings.text.language)
    backbone_row(settings.photos.backbone)
    if resources.word_vectors is not None:
        check_fasttext(resources.word_vectors)


@dataclass(frozen=True)
class TrainingAds:
    """What training sees of a catalogue's ads.

    `photos`: what the network learns from, its augmented views with it; None where no ad has a photo.
    """

    contents: AdContents
    photos: AdPhotos | None
    backbone: Backbone | None

    @property
    def words(self) -> Words:
        """In the letters of the language."""
        return self.contents.words

    @property
    def something(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has words that the network can read, or a photo."""
        has_words = self.contents.has_words
        return has_words if self.photos is None else has_words | (np.diff(self.photos.offsets) > 0)

    def different(self, ads: Int64[np.ndarray, "some"]) -> int:
        """How many of some ads differ in their words, in this order, or in their photos."""
        words = self.words.take(ads)
        counts = np.diff(words.offsets)
        text = pl.DataFrame({"ad": np.repeat(np.arange(len(ads)), counts), "word": words.ids})
        texts = text.group_by("ad", maintain_order=True).agg("word")
        texts = pl.DataFrame({"ad": np.arange(len(ads))}).join(
            texts, on="ad", how="left", maintain_order="left"
        )
        digests = (
            np.zeros(len(ads), np.uint64) if self.photos is None else self.photos.digests()[ads]
        )
        read = texts["word"].list.eval(pl.element().cast(pl.String)).list.join(" ")
        return pl.DataFrame([read, pl.Series("photos", digests)]).n_unique()


def read_training_ads(
    catalogue: Catalogue,
    ads: Int64[np.ndarray, "some"] | None,
    settings: Settings,
    resources: TrainingFiles,
    run: Run,
) -> TrainingAds:
    """The words and photos of all ads; and the augmented views, which training draws from, of some ads' photos.

    :param ads: those that the network learns from; None: all. The others have no photo in the result.
    :raises NrlDedupError: the photo network or the photo folder cannot be had.
    """
    backbone = None
    if resources.photo_folder is not None:
        backbone = load_backbone(settings.photos.backbone, resources.backbone_weights, run.device)
    photos_from = None
    if resources.photo_folder is not None and backbone is not None:
        source = open_photo_folder(resources.photo_folder, catalogue.path.parent, run)
        photos_from = PhotoInput(source, backbone, photo_kind(settings))
    learned_from = np.ones(len(catalogue), bool)
    if ads is not None:
        learned_from = np.isin(np.arange(len(catalogue)), ads)
    views = None
    if settings.photos.views:
        views = AugmentedViews(settings.photos.views, settings.train.seed, learned_from)
    contents = read_ads(catalogue, settings, photos_from, run, views)
    photos = contents.photos.of_network(settings.photos)
    if photos is not None and contents.photos.compute is not None:
        photos = photos.of_ads(learned_from)
        compute_views = None
        if views is not None:
            compute_views = partial(contents.photos.compute, views=views.count, seed=views.seed)
        photos = photos.with_views(compute_views)
    return TrainingAds(contents, photos, backbone)
