"""An ad's words and photos as the network reads them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64, UInt64
from torch import Tensor

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.store import PhotoFeatures
from nrl_dedup.features.text import TokenIds

ABSENT = -1


@dataclass(frozen=True)
class Batch:
    """Some ads, ready for the network. `lengths` 0: an ad without words."""

    tokens: Int64[Tensor, "ads words"]
    lengths: Int64[Tensor, "ads"]
    image: Float32[Tensor, "ads *features"]
    has_image: Bool[Tensor, "ads"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            *(x.to(device, non_blocking=True) for x in (self.tokens, self.lengths, self.image, self.has_image))
        )


@dataclass(frozen=True)
class AdPhotos:
    """The readable photos of each ad: ragged rows of a feature store.

    The first of an ad's rows is the photo that embedding takes. `views`, `view_rows`: what training draws from, and the
    rows of the same photos there; augmented views, or the centre ones where none are kept.
    """

    rows: Int64[np.ndarray, "photos"]
    offsets: Int64[np.ndarray, "ads_plus_1"]
    centre: PhotoFeatures
    views: PhotoFeatures | None = None
    view_rows: Int64[np.ndarray, "photos"] | None = None

    def chosen(self) -> Int64[np.ndarray, "ads"]:
        """The store row of the photo that embedding takes; ABSENT for an ad without a readable photo."""
        counts = np.diff(self.offsets)
        chosen = np.full(len(counts), ABSENT, dtype=np.int64)
        chosen[counts > 0] = self.rows[self.offsets[:-1][counts > 0]]
        return chosen

    def digests(self) -> UInt64[np.ndarray, "ads"]:
        """A digest of the chosen photo's bytes; 0 for an ad without a readable photo."""
        chosen = self.chosen()
        digests = np.zeros(len(chosen), dtype=np.uint64)
        digests[chosen >= 0] = self.centre.digests[chosen[chosen >= 0]]
        return digests


@dataclass(frozen=True)
class AdFeatures:
    """What the network reads of a whole catalogue, on disk and in columns; `photos` None: a catalogue of words.

    `image_shape`: of one photo's features, (size,) or (regions, size).
    """

    tokens: TokenIds
    photos: AdPhotos | None
    image_shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tokens.offsets) - 1

    def lengths(self) -> Int64[np.ndarray, "ads"]:
        """Tokens of each ad; 0 for an ad without words."""
        return np.diff(self.tokens.offsets)

    def has_image(self) -> Bool[np.ndarray, "ads"]:
        """Whether the ad has a readable photo."""
        if self.photos is None:
            return np.zeros(len(self), dtype=bool)
        return np.diff(self.photos.offsets) > 0

    def batch(self, rows: Int64[np.ndarray, "ads"]) -> Batch:
        """These ads with the centre view of their chosen photo: what validation and linking see."""
        if self.photos is None:
            return self._batch(rows, np.full(len(rows), ABSENT), None)
        offsets, photos = self.photos.offsets, self.photos
        has = offsets[rows + 1] > offsets[rows]
        at = np.full(len(rows), ABSENT, dtype=np.int64)
        at[has] = photos.rows[offsets[rows[has]]]
        return self._batch(rows, at, photos.centre.gather)

    def training_batch(self, rows: Int64[np.ndarray, "ads"], draw: np.random.Generator) -> Batch:
        """These ads, each with a drawn photo of its own in a drawn view."""
        photos = self.photos
        if photos is None or photos.views is None or photos.view_rows is None:
            return self.batch(rows)
        first, counts = photos.offsets[rows], photos.offsets[rows + 1] - photos.offsets[rows]
        pick = first + np.floor(draw.random(len(rows)) * counts).astype(np.int64)
        at = np.full(len(rows), ABSENT, dtype=np.int64)
        at[counts > 0] = photos.view_rows[pick[counts > 0]]
        view = draw.integers(photos.views.views, size=len(rows))
        views = photos.views
        return self._batch(rows, at, lambda found: views.gather(found, view[at >= 0]))

    def _batch(
        self,
        rows: np.ndarray,
        photo_rows: np.ndarray,
        gather: Callable[[np.ndarray], np.ndarray] | None,
    ) -> Batch:
        starts = self.tokens.offsets[rows]
        lengths = self.tokens.offsets[rows + 1] - starts
        place = np.arange(max(1, int(lengths.max(initial=1))))
        real = place < lengths[:, None]
        tokens = np.zeros(real.shape, dtype=np.int64)
        tokens[real] = self.tokens.values[(starts[:, None] + place)[real]]
        image = np.zeros((len(rows), *self.image_shape), dtype=np.float32)
        has_image = photo_rows >= 0
        if gather is not None and has_image.any():
            image[has_image] = gather(photo_rows[has_image])
        return Batch(
            torch.from_numpy(tokens),
            torch.from_numpy(lengths.astype(np.int64)),
            torch.from_numpy(image),
            torch.from_numpy(has_image),
        )


Compute = Callable[[pl.Series], PhotoFeatures]


def photos_in_order(photos: pl.Series, choice: str) -> pl.DataFrame:
    """Columns row, place, photo: each ad's photos in the order in which they are tried.

    `first` keeps the ad's own order; `random` orders them by a hash of their names, the same in every run.
    """
    frame = pl.DataFrame({"photo": photos}).with_row_index("row").explode("photo").drop_nulls("photo")
    order = pl.int_range(pl.len()) if choice == "first" else pl.col("photo").hash(seed=0)
    return frame.with_columns(pl.col("row").cast(pl.Int64), place=order.rank("ordinal").over("row") - 1)


def training_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute, views: Compute) -> AdPhotos:
    """The first `per_ad` photos of every ad, all computed: centre views and, if `settings` keep some, augmented ones.

    :param photos: the photo references of each ad, a list each; null counts as none.
    :param centre: computes (or finds) the centre views of the photos that it is given; `views` the augmented.
    """
    frame = photos_in_order(photos, settings.choice).filter(pl.col("place") < settings.per_ad)
    frame = frame.sort("row", "place")
    wanted = frame["photo"].unique().sort()
    stored = centre(wanted)
    frame = frame.with_columns(at=pl.Series(stored.rows_of(frame["photo"]))).filter(pl.col("at") >= 0)
    drawn_from = views(wanted) if settings.views else stored
    return AdPhotos(
        rows=frame["at"].to_numpy(),
        offsets=_offsets(frame["row"], len(photos)),
        centre=stored,
        views=drawn_from,
        view_rows=drawn_from.rows_of(frame["photo"]),
    )


def embedding_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute) -> AdPhotos:
    """The one photo of every ad that embedding takes: the first readable one in the order of `choice`.

    Only where an ad's first photo cannot be read is its next one tried.
    """
    left = photos_in_order(photos, settings.choice)
    asked, found, place = left["photo"].clear(), left.clear(), 0
    while True:
        turn = left.filter(pl.col("place") == place)
        asked = asked.extend(turn["photo"]).unique()
        stored = centre(asked.sort())
        turn = turn.with_columns(at=pl.Series(stored.rows_of(turn["photo"]))).filter(pl.col("at") >= 0)
        found = pl.concat([found, turn], how="diagonal")
        left = left.filter(pl.col("place") > place).join(turn.select("row"), on="row", how="anti")
        if left.is_empty():
            break
        place += 1
    found = found.sort("row")
    return AdPhotos(found["at"].to_numpy(), _offsets(found["row"], len(photos)), stored)


def _offsets(rows: pl.Series, ads: int) -> np.ndarray:
    counts = np.bincount(rows.to_numpy(), minlength=ads)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
