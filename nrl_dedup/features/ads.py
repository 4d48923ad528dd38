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
from nrl_dedup.features.words import ragged

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

    `views`, `view_rows`: what training draws from, and the rows of the same photos there; augmented views, or the
    centre ones where none are kept. `pool`: as in `PhotoSettings`; "one" embeds the first of an ad's rows.
    """

    rows: Int64[np.ndarray, "photos"]
    offsets: Int64[np.ndarray, "ads_plus_1"]
    centre: PhotoFeatures
    views: PhotoFeatures | None = None
    view_rows: Int64[np.ndarray, "photos"] | None = None
    pool: str = "one"

    def chosen(self) -> Int64[np.ndarray, "ads"]:
        """The store row of each ad's first readable photo; ABSENT for an ad without one."""
        counts = np.diff(self.offsets)
        chosen = np.full(len(counts), ABSENT, dtype=np.int64)
        chosen[counts > 0] = self.rows[self.offsets[:-1][counts > 0]]
        return chosen

    def digests(self) -> UInt64[np.ndarray, "ads"]:
        """A digest of the bytes of the photos that embedding takes, whatever their order; 0 for an ad without any."""
        at, counts = self.embedded(np.arange(len(self.offsets) - 1))
        digests = np.zeros(len(counts), dtype=np.uint64)
        has = counts > 0
        if has.any():
            total = np.add.reduceat(self.centre.digests[self.rows[at]], _starts(counts[has]))  # modulo 2^64
            digests[has] = np.maximum(total, np.uint64(1))
        return digests

    def embedded(self, ads: Int64[np.ndarray, "ads"]) -> tuple[Int64[np.ndarray, "photos"], Int64[np.ndarray, "ads"]]:
        """The photos (places in `rows`) that embedding takes of some ads, ad after ad, and how many of each."""
        counts = self.offsets[ads + 1] - self.offsets[ads]
        if self.pool == "one":
            counts = np.minimum(counts, 1)
        return ragged(self.offsets[ads], counts), counts


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
        """These ads with the centre view of their one photo, or the mean of all: what validation and linking see."""
        photos = self.photos
        if photos is None:
            return self._batch(rows, None, np.zeros(len(rows), np.int64))
        at, counts = photos.embedded(rows)
        return self._batch(rows, photos.centre.gather(photos.rows[at]), counts)

    def training_batch(self, rows: Int64[np.ndarray, "ads"], draw: np.random.Generator) -> Batch:
        """These ads, each with a drawn photo of its own, or with all of them (`pool`), in drawn views."""
        photos = self.photos
        if photos is None or photos.views is None or photos.view_rows is None:
            return self.batch(rows)
        at, counts = photos.embedded(rows)
        if photos.pool == "one":
            found = rows[counts > 0]
            first, of_ad = photos.offsets[found], photos.offsets[found + 1] - photos.offsets[found]
            at = first + np.floor(draw.random(len(found)) * of_ad).astype(np.int64)
        view = draw.integers(photos.views.views, size=len(at))
        return self._batch(rows, photos.views.gather(photos.view_rows[at], view), counts)

    def _batch(
        self,
        rows: Int64[np.ndarray, "ads"],
        photos: Float32[np.ndarray, "photos *features"] | None,
        counts: Int64[np.ndarray, "ads"],
    ) -> Batch:
        """:param photos: ad after ad, of each as many as `counts` says."""
        starts = self.tokens.offsets[rows]
        lengths = self.tokens.offsets[rows + 1] - starts
        place = np.arange(max(1, int(lengths.max(initial=1))))
        real = place < lengths[:, None]
        tokens = np.zeros(real.shape, dtype=np.int64)
        tokens[real] = self.tokens.values[(starts[:, None] + place)[real]]
        image = np.zeros((len(rows), *self.image_shape), dtype=np.float32)
        has_image = counts > 0
        if photos is not None and has_image.any():
            image[has_image] = _means(photos, counts[has_image])
        return Batch(
            torch.from_numpy(tokens),
            torch.from_numpy(lengths.astype(np.int64)),
            torch.from_numpy(image),
            torch.from_numpy(has_image),
        )


def _starts(counts: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    return np.cumsum(counts) - counts


def _means(
    photos: Float32[np.ndarray, "photos *features"], counts: Int64[np.ndarray, "ads"]
) -> Float32[np.ndarray, "ads *features"]:
    """The mean of each ad's photos, 1 or more; of one photo it is that photo, bit for bit."""
    if counts.max() == 1:
        return photos
    total = np.add.reduceat(photos, _starts(counts), axis=0)
    return total / counts.astype(np.float32).reshape(-1, *[1] * (photos.ndim - 1))


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
    frame, stored = _first_photos(photos, settings, centre)
    drawn_from = views(frame["photo"].unique().sort()) if settings.views else stored
    return AdPhotos(
        rows=frame["at"].to_numpy(),
        offsets=_offsets(frame["row"], len(photos)),
        centre=stored,
        views=drawn_from,
        view_rows=drawn_from.rows_of(frame["photo"]),
        pool=settings.pool,
    )


def _first_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute) -> tuple[pl.DataFrame, PhotoFeatures]:
    """Columns row, place, photo, at (row of the store): the readable ones of the first `per_ad` photos of every ad."""
    frame = photos_in_order(photos, settings.choice).filter(pl.col("place") < settings.per_ad).sort("row", "place")
    stored = centre(frame["photo"].unique().sort())
    return frame.with_columns(at=pl.Series(stored.rows_of(frame["photo"]))).filter(pl.col("at") >= 0), stored


def embedding_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute) -> AdPhotos:
    """The photos of every ad that embedding takes: the readable ones of its first `per_ad` in the order of `choice`,
    or, with `pool` "one", its first readable one; only where that cannot be read is the next one tried.
    """
    if settings.pool != "one":
        frame, stored = _first_photos(photos, settings, centre)
        return AdPhotos(frame["at"].to_numpy(), _offsets(frame["row"], len(photos)), stored, pool=settings.pool)
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
