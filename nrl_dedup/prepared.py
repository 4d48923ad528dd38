"""prepare(): the words and photos of a catalogue become what the models read."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import torch

from nrl_dedup.bundle import Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.config import TEXT_COLUMNS
from nrl_dedup.features.ads import AdFeatures, embedding_photos
from nrl_dedup.features.photo_cells import whole_names
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.sketch_store import PhotoSketches, compute_sketches
from nrl_dedup.features.store import compute_features
from nrl_dedup.features.text import FIRST_WORD, UNKNOWN, Words, encode, read_words
from nrl_dedup.model import image_shape, photo_kind
from nrl_dedup.progress import SILENT, Progress, StageClock


@dataclass(frozen=True)
class Prepared:
    """The features of a catalogue, as a bundle's model reads them."""

    words: Words
    features: AdFeatures
    unreadable: pl.DataFrame  # photo, reason
    photos_read: int
    unknown_share: float  # of the running words, those that the model's vocabulary lacks
    sketches: PhotoSketches | None = None  # of the same photos; where they were asked for


def prepare(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    device: torch.device,
    backbone_weights: Path | None = None,
    sketches: bool = False,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Words -> token ids, photos -> feature vectors (kept in `work_dir`; what is there already is not computed).

    :param sketches: whether photo sketches are wanted too, which blocking and pair evidence compare.
    """
    clock = clock or StageClock()
    settings = bundle.settings
    with clock.stage("words"):
        columns = [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]]
        words = read_words(columns, settings.text.language, progress=progress)
        tokens = encode(words, bundle.vocabulary, settings.text.max_words)
    with clock.stage("photos"):
        photos = None
        unreadable = pl.DataFrame(schema={"photo": pl.String, "reason": pl.String})
        backbone = None if photo_folder is None else bundle.backbone(device, backbone_weights)
        if photo_folder is not None and backbone is not None:
            folder = PhotoFolder(photo_folder, beside=catalogue.path.parent)
            compute = partial(
                compute_features,
                folder=folder,
                backbone=backbone,
                work_dir=work_dir,
                kind=photo_kind(settings),
                device=device,
                progress=progress,
            )
            photos = embedding_photos(whole_names(catalogue.frame["photos"], folder), settings.photos, compute)
            unreadable = photos.centre.unreadable
    sketched = None
    if sketches and photos is not None:
        with clock.stage("photo sketches"):
            sketched = compute_sketches(photos.names(), folder, work_dir, progress)
    known = tokens.values >= FIRST_WORD
    unknown = int((tokens.values == UNKNOWN).sum())
    return Prepared(
        words=words,
        features=AdFeatures(tokens, photos, image_shape(settings)),
        unreadable=unreadable,
        photos_read=0 if photos is None else len(photos.rows),
        unknown_share=unknown / max(1, unknown + int(known.sum())),
        sketches=sketched,
    )
