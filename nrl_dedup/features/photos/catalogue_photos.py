"""What the photos of a catalogue's ads show: features and image descriptors, and which of them are placeholders."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Bool

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.photos.ad_photos import (
    MAX_PHOTOS,
    AdPhotos,
    photos_in_order,
    readable_photos,
)
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.compute import NetworkProduct
from nrl_dedup.features.photos.descriptor_store import (
    DescriptorProduct,
    PhotoDescriptors,
    stored_descriptors,
)
from nrl_dedup.features.photos.feature_store import PhotoFeatures, network_product, stored_features
from nrl_dedup.features.photos.kept_photos import kept_and_missing, stamped
from nrl_dedup.features.photos.names_in_cells import whole_names
from nrl_dedup.features.photos.photo_pass import Request, fill_stores
from nrl_dedup.features.photos.placeholders import Placeholder, find_placeholders
from nrl_dedup.features.photos.source import PhotoSource
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


@dataclass(frozen=True)
class AugmentedViews:
    """Augmented views that training draws from: how many of each photo, from which seed, and of which ads' photos."""

    count: int
    seed: int
    ads: Bool[np.ndarray, "ads"]


class PhotoStores:
    """All that is made of the photos of one folder by one network, each product with its store."""

    def __init__(self, source: PhotoSource, backbone: Backbone, kind: str, run: Run) -> None:
        self.source = source
        self.descriptors = DescriptorProduct(source, run.work_dir)
        self._backbone = backbone
        self._kind = kind
        self._run = run
        self._networks: dict[tuple[int, int], NetworkProduct] = {}

    def network(self, views: int = 0, seed: int = 0) -> NetworkProduct:
        """The features of so many augmented views; of the centre view for 0. The same object each time: it remembers
        which shards were compared with their digests."""
        key = (views, seed)
        if key not in self._networks:
            self._networks[key] = network_product(
                self.source,
                self._backbone,
                self._run.work_dir,
                views=views,
                seed=seed,
                kind=self._kind,
                device=self._run.device,
            )
        return self._networks[key]

    def features(self, refs: pl.Series, views: int = 0, seed: int = 0) -> PhotoFeatures:
        """As `compute_features`."""
        product = self.network(views, seed)
        photos = stamped(refs, self.source)
        unread = fill_stores([Request(product, photos)], self.source, self._run.progress)
        return stored_features(product, photos, unread)

    def centre_features(
        self,
        refs: pl.Series,
        of_ads: pl.Series,
        settings: PhotoSettings,
        views: AugmentedViews | None,
    ) -> PhotoFeatures:
        """The centre views of some photos. In the same pass the image descriptors of these photos are made, and the
        augmented views of those that the network probably sees: the first of each ad, leaving out photos that are known
        to be unreadable. (Which are placeholders, or turn out to be unreadable, is only known afterwards.)

        :param of_ads: the photos of each ad.
        """
        centre = self.network()
        photos = stamped(refs, self.source)
        kept, _ = kept_and_missing(photos, centre.store, self._run.progress)
        undecodable = kept.filter(pl.col("row") < 0)
        promising = photos.filter(pl.col("size") >= 0).join(undecodable, on="photo", how="anti")
        promising = promising.sort("photo")
        requests = [Request(centre, photos), Request(self.descriptors, promising)]
        if views is not None:
            frame = photos_in_order(of_ads, settings.choice)
            frame = frame.filter(
                pl.col("row").is_in(np.flatnonzero(views.ads)), pl.col("place") < MAX_PHOTOS
            )
            frame = frame.join(promising, on="photo", how="semi").sort("row", "place")
            first = frame.group_by("row", maintain_order=True).head(settings.per_ad)
            seen = promising.join(first, on="photo", how="semi", maintain_order="left")
            requests.append(Request(self.network(views.count, views.seed), seen))
        unread = fill_stores(requests, self.source, self._run.progress)
        return stored_features(centre, photos, unread)


def read_photos(
    catalogue: pl.DataFrame,
    words: Words,
    settings: PhotoSettings,
    backbone: Backbone,
    source: PhotoSource,
    run: Run,
    *,
    kind: str,
    views: AugmentedViews | None = None,
) -> CataloguePhotos:
    """Read the photos of all ads, each once; what `run.work_dir` has already is not computed again.

    :param catalogue: columns title, description and photos. :param words: of the same ads.
    :param kind: of features (`feature_kinds.KINDS`).
    :param views: augmented views that are made in the same pass.
    :raises NrlDedupError: what `compute_features` raises.
    """
    stores = PhotoStores(source, backbone, kind, run)
    with run.clock.stage("photos"):
        of_ads = whole_names(catalogue["photos"], source)

        def centre(refs: pl.Series) -> PhotoFeatures:
            return stores.centre_features(refs, of_ads, settings, views)

        photos = readable_photos(of_ads, settings, centre)
    unreadable = photos.centre.unreadable
    if not len(photos.rows):
        return CataloguePhotos(unreadable=unreadable)
    with run.clock.stage("photo sketches"):
        asked = stamped(photos.names(), source)
        descriptors = stored_descriptors(stores.descriptors, asked, source, run.progress)
        placeholders = find_placeholders(photos, descriptors, words, catalogue)
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
    return CataloguePhotos(photos, descriptors, unreadable, placeholders, stores.features)
