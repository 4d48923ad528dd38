"""prepare(): the words and photos of a catalogue become what the models read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import TEXT_COLUMNS
from nrl_dedup.embedding.network import image_shape, photo_kind
from nrl_dedup.features.network_inputs import AdFeatures
from nrl_dedup.features.photos.catalogue_photos import SeenPhotos, look_at_photos
from nrl_dedup.features.photos.source import PhotoFolder
from nrl_dedup.features.text.foreign_words import with_foreign_words
from nrl_dedup.features.text.vocabulary import FIRST_WORD, UNKNOWN, Words, encode, has_text, read_words
from nrl_dedup.runtime.progress import SILENT, Progress, StageClock


@dataclass(frozen=True)
class Prepared:
    """The features of a catalogue.

    `features`: what the bundle's network reads, of each ad its first photos or one. `seen`: all photos of each ad,
    which blocking and pair evidence compare. `words`: which these compare too, those of other letters among them.
    """

    words: Words
    features: AdFeatures
    seen: SeenPhotos
    unknown_share: float  # of the running words, those that the model's vocabulary lacks

    @property
    def unreadable(self) -> pl.DataFrame:
        """photo, reason."""
        return self.seen.unreadable

    @property
    def photos_read(self) -> int:
        """How many photos all ads show together."""
        return self.seen.read


def prepare(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    device: torch.device,
    backbone_weights: Path | None = None,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Words -> token ids, photos -> feature vectors (kept in `work_dir`; what is there already is not computed)."""
    clock = clock or StageClock()
    settings = bundle.settings
    with clock.stage("words"):
        columns = [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]]
        words = read_words(columns, settings.text.language, progress=progress)
        tokens = encode(words, bundle.vocabulary, settings.text.max_words)
    seen = SeenPhotos()
    backbone = None if photo_folder is None else bundle.backbone(device, backbone_weights)
    if photo_folder is not None and backbone is not None:
        seen = look_at_photos(
            catalogue.frame,
            words,
            settings.photos,
            backbone,
            PhotoFolder(photo_folder, beside=catalogue.path.parent),
            work_dir,
            kind=photo_kind(settings),
            device=device,
            clock=clock,
            progress=progress,
        )
    known = tokens.values >= FIRST_WORD
    unknown = int((tokens.values == UNKNOWN).sum())
    foreign = int((has_text(catalogue.frame) & (np.diff(words.offsets) == 0)).sum())
    if foreign:
        progress.warn(
            f"{foreign:,} of {len(catalogue):,} ads have no word in the letters of --language "
            f"{settings.text.language}: the network reads nothing of their texts, which are compared all the same. "
            "A model that reads them: nrl-dedup train --language none."
        )
    return Prepared(
        words=with_foreign_words(words, columns),
        features=AdFeatures(tokens, seen.of_network(settings.photos), image_shape(settings)),
        seen=seen,
        unknown_share=unknown / max(1, unknown + int(known.sum())),
    )
