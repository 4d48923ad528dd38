"""The photos of each ad: which of them are looked at, and in which views."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, UInt64

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.text_digests import text_digests
from nrl_dedup.features.text.words import ragged

ABSENT = -1
# Of one ad, photos beyond these are not looked at: most sites allow fewer, and an ad of 500 photos would cost 250,000
# comparisons a pair. Not tuned.
MAX_PHOTOS = 20

Dealt = tuple[Float32[np.ndarray, "_photos *features"], Int64[np.ndarray, "ads"]]
"""Features of photos, ad after ad, and how many of each ad."""


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

    def take(self, ads: Int64[np.ndarray, "some"]) -> "AdPhotos":
        """The photos of some ads, in the order of `ads`."""
        counts = np.diff(self.offsets)[ads]
        at = ragged(self.offsets[ads], counts)
        view_rows = None if self.view_rows is None else self.view_rows[at]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return replace(self, rows=self.rows[at], offsets=offsets, view_rows=view_rows)

    def names(self) -> pl.Series:
        """The references of all these photos, each once."""
        return self.references(np.unique(self.rows)).sort()

    def references(self, rows: Int64[np.ndarray, "some"]) -> pl.Series:
        """The reference of each of some rows of the feature store."""
        asked = pl.DataFrame({"row": rows})
        return asked.join(self.centre.photos, on="row", how="left", maintain_order="left")["photo"]

    def only(self, kept: Bool[np.ndarray, "photos"]) -> "AdPhotos":
        """Without the photos (places in `rows`) that are not kept."""
        offsets = np.concatenate([[0], np.cumsum(kept)])[self.offsets]
        view_rows = None if self.view_rows is None else self.view_rows[kept]
        return replace(self, rows=self.rows[kept], offsets=offsets, view_rows=view_rows)

    def first(self, per_ad: int) -> "AdPhotos":
        """The first so many photos of each ad: those that the network sees."""
        counts = np.diff(self.offsets)
        place = np.arange(len(self.rows)) - np.repeat(self.offsets[:-1], counts)
        return self.only(place < per_ad)

    def of_ads(self, wanted: Bool[np.ndarray, "ads"]) -> "AdPhotos":
        """The photos of the wanted ads; the others have none."""
        return self.only(np.repeat(wanted, np.diff(self.offsets)))

    def with_views(self, views: "Compute | None") -> "AdPhotos":
        """The same for training.

        :param views: computes (or finds) the augmented views of the photos that it is given; None: training draws from
            the centre views.
        """
        if views is None:
            return replace(self, views=self.centre, view_rows=self.rows)
        drawn_from = views(self.names())
        return replace(
            self, views=drawn_from, view_rows=drawn_from.rows_of(self.references(self.rows))
        )

    def chosen(self) -> Int64[np.ndarray, "ads"]:
        """The store row of each ad's first readable photo; ABSENT for an ad without one."""
        counts = np.diff(self.offsets)
        chosen = np.full(len(counts), ABSENT, dtype=np.int64)
        chosen[counts > 0] = self.rows[self.offsets[:-1][counts > 0]]
        return chosen

    def digests(self) -> UInt64[np.ndarray, "ads"]:
        """A digest of the bytes of all photos of each ad, whatever their order; 0 for an ad without any."""
        counts = np.diff(self.offsets)
        digests = np.zeros(len(counts), dtype=np.uint64)
        has = counts > 0
        if has.any():
            total = np.add.reduceat(
                self.centre.digests[self.rows], _starts(counts[has])
            )  # modulo 2^64
            digests[has] = np.maximum(total, np.uint64(1))
        return digests

    def embedded(
        self, ads: Int64[np.ndarray, "ads"]
    ) -> tuple[Int64[np.ndarray, "photos"], Int64[np.ndarray, "ads"]]:
        """The photos (places in `rows`) that embedding takes of some ads, ad after ad, and how many of each."""
        counts = self.offsets[ads + 1] - self.offsets[ads]
        if self.pool == "one":
            counts = np.minimum(counts, 1)
        return ragged(self.offsets[ads], counts), counts

    def dealt_out(
        self, ads: Int64[np.ndarray, "ads"], draw: np.random.Generator
    ) -> tuple[Dealt, Dealt]:
        """The photos of each ad dealt out to two postings at random, in drawn looks: the augmented views, the centre.

        Of several photos each posting gets other ones: half of them, or one with `pool` "one". A single photo goes to
        both, in two looks; where there is only one look, to either, for the same features twice would give the ad
        away.
        """
        assert self.views is not None and self.view_rows is not None
        counts = self.offsets[ads + 1] - self.offsets[ads]
        at, ad = ragged(self.offsets[ads], counts), np.repeat(np.arange(len(ads)), counts)
        order = np.lexsort((draw.random(len(at)), ad))
        at, place = at[order], np.arange(len(at)) - _starts(counts)[ad]
        side = (place + draw.integers(2, size=len(ads))[ad]) % 2
        single = counts[ad] == 1
        looks = 1 if self.views is self.centre else self.views.views + 1
        look = draw.integers(looks, size=len(at))
        dealt = []
        for which in (0, 1):
            gets = (side == which) | (single & (looks > 1))
            if self.pool == "one":
                gets &= place < 2
            if which and looks > 1:  # of a single photo another look than the first
                look = np.where(
                    single, (look + draw.integers(1, looks, size=len(at))) % looks, look
                )
            dealt.append(
                (self._looks(at[gets], look[gets]), np.bincount(ad[gets], minlength=len(ads)))
            )
        return dealt[0], dealt[1]

    def _looks(
        self, at: Int64[np.ndarray, "photos"], look: Int64[np.ndarray, "photos"]
    ) -> Float32[np.ndarray, "photos *features"]:
        """The photos at these places in `rows`, each in its view, or, beyond the last view, in the centre view."""
        assert self.views is not None and self.view_rows is not None
        centre = (look == self.views.views) | (self.views is self.centre)
        features = self.centre.gather(self.rows[at])
        features[~centre] = self.views.gather(self.view_rows[at[~centre]], look[~centre])
        return features


Compute = Callable[[pl.Series], PhotoFeatures]


def photos_in_order(photos: pl.Series, choice: str) -> pl.DataFrame:
    """Columns row, place, photo: each ad's photos in the order in which they are looked at.

    `first` keeps the ad's own order; `random` orders them by a digest of their names, the same in every run.
    """
    frame = (
        pl.DataFrame({"photo": photos}).with_row_index("row").explode("photo").drop_nulls("photo")
    )
    order = (
        pl.int_range(pl.len())
        if choice == "first"
        else pl.lit(pl.Series(text_digests(frame["photo"])))
    )
    return frame.with_columns(
        pl.col("row").cast(pl.Int64), place=order.rank("ordinal").over("row") - 1
    )


def readable_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute) -> AdPhotos:
    """The readable ones of the first `MAX_PHOTOS` photos of every ad, in the order of `settings.choice`.

    :param photos: the photo references of each ad, a list each; null counts as none.
    :param centre: computes (or finds) the centre views of the photos that it is given.
    """
    frame = (
        photos_in_order(photos, settings.choice)
        .filter(pl.col("place") < MAX_PHOTOS)
        .sort("row", "place")
    )
    stored = centre(frame["photo"].unique().sort())
    frame = frame.with_columns(at=pl.Series(stored.rows_of(frame["photo"]))).filter(
        pl.col("at") >= 0
    )
    counts = np.bincount(frame["row"].to_numpy(), minlength=len(photos))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return AdPhotos(frame["at"].to_numpy(), offsets, stored, pool=settings.pool)


def _starts(counts: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    return np.cumsum(counts) - counts
