"""What the photos of a catalogue's ads show: features and sketches, and which of them are placeholders."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.network_inputs import AdPhotos, readable_photos
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors, compute_descriptors
from nrl_dedup.features.photos.feature_store import PhotoFeatures, compute_features
from nrl_dedup.features.photos.names_in_cells import whole_names
from nrl_dedup.features.photos.placeholders import Placeholder, find_placeholders
from nrl_dedup.features.photos.source import PhotoFolder
from nrl_dedup.features.text.words import Words
from nrl_dedup.runtime.run import Run


def no_photo() -> pl.DataFrame:
    """photo, reason: of no photo at all."""
    return pl.DataFrame(schema={"photo": pl.String, "reason": pl.String})


@dataclass(frozen=True)
class CataloguePhotos:
    """The photos of every ad that can be read, placeholders left out, in the order in which they are looked at.

    `photos`, `sketches`: None where no ad has such a photo, as in a catalogue of words. `unreadable`: photo, reason.
    `compute`: computes further views of the photos.
    """

    photos: AdPhotos | None = None
    sketches: PhotoDescriptors | None = None
    unreadable: pl.DataFrame = field(default_factory=no_photo)
    placeholders: tuple[Placeholder, ...] = ()
    compute: Callable[..., PhotoFeatures] | None = None

    @property
    def read(self) -> int:
        """How many photos all ads show together."""
        return 0 if self.photos is None else len(self.photos.rows)

    def of_network(self, settings: PhotoSettings) -> AdPhotos | None:
        """Those that the network sees: the first of each ad."""
        return None if self.photos is None else self.photos.first(settings.per_ad)


def read_photos(
    catalogue: pl.DataFrame,
    words: Words,
    settings: PhotoSettings,
    backbone: Backbone,
    folder: PhotoFolder,
    run: Run,
    *,
    kind: str,
) -> CataloguePhotos:
    """Read the photos of all ads; what `run.work_dir` has already is not computed again.

    :param catalogue: columns title, description and photos. :param words: of the same ads.
    :param kind: of features (`feature_kinds.KINDS`).
    :raises NrlDedupError: what `compute_features` raises.
    """
    compute = partial(
        compute_features,
        folder=folder,
        backbone=backbone,
        work_dir=run.work_dir,
        kind=kind,
        device=run.device,
        progress=run.progress,
    )
    with run.clock.stage("photos"):
        photos = readable_photos(whole_names(catalogue["photos"], folder), settings, compute)
    unreadable = photos.centre.unreadable
    if not len(photos.rows):
        return CataloguePhotos(unreadable=unreadable)
    with run.clock.stage("photo sketches"):
        sketches = compute_descriptors(photos.names(), folder, run.work_dir, run.progress)
        placeholders = find_placeholders(photos, sketches, words, catalogue)
    for placeholder in placeholders:
        run.progress.warn(
            f"{placeholder.photo} is shown by {placeholder.ads:,} of {len(catalogue):,} ads, of unlike texts: a "
            "placeholder, which counts as no photo."
        )
    if placeholders:
        hidden = np.unique(np.concatenate([placeholder.rows for placeholder in placeholders]))
        photos = photos.only(~np.isin(photos.rows, hidden))
    if not len(photos.rows):
        return CataloguePhotos(unreadable=unreadable, placeholders=placeholders)
    return CataloguePhotos(photos, sketches, unreadable, placeholders, compute)
