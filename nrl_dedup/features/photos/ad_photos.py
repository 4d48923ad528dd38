"""The photos of each ad: which of them are looked at, and in which views."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64, UInt64

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.text_digests import text_digests
from nrl_dedup.features.text.words import offsets_of, ragged

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
        offsets = offsets_of(counts)
        taken = replace(self, rows=self.rows[at], offsets=offsets)
        if self.view_rows is None:
            return taken
        return replace(taken, view_rows=self.view_rows[at])

    def names(self) -> pl.Series:
        """The references of all these photos, each once."""
        return self.references(np.unique(self.rows)).sort()

    def references(self, rows: Int64[np.ndarray, "some"]) -> pl.Series:
        """The reference of each of some rows of the feature store."""
        asked = pl.DataFrame({"row": rows})
        return asked.join(self.centre.photos, on="row", how="left", maintain_order="left")["photo"]

    def only(self, kept: Bool[np.ndarray, "photos"]) -> "AdPhotos":
        """Without the photos (places in `rows`) that are not kept."""
        kept_before = offsets_of(kept)
        left = replace(self, rows=self.rows[kept], offsets=kept_before[self.offsets])
        if self.view_rows is None:
            return left
        return replace(left, view_rows=self.view_rows[kept])

    def first(self, per_ad: int) -> "AdPhotos":
        """The first so many photos of each ad: those that the network sees."""
        counts = np.diff(self.offsets)
        start = np.repeat(self.offsets[:-1], counts)
        place = np.arange(len(self.rows)) - start
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
        view_rows = drawn_from.rows_of(self.references(self.rows))
        return replace(self, views=drawn_from, view_rows=view_rows)

    def chosen(self) -> Int64[np.ndarray, "ads"]:
        """The store row of each ad's first readable photo; ABSENT for an ad without one."""
        counts = np.diff(self.offsets)
        chosen = np.full(len(counts), ABSENT, dtype=np.int64)
        has = counts > 0
        firsts = self.offsets[:-1][has]
        chosen[has] = self.rows[firsts]
        return chosen

    def digests(self) -> UInt64[np.ndarray, "ads"]:
        """A digest of the bytes of all photos of each ad, whatever their order; 0 for an ad without any."""
        counts = np.diff(self.offsets)
        digests = np.zeros(len(counts), dtype=np.uint64)
        has = counts > 0
        if has.any():
            of_photos = self.centre.digests[self.rows]
            total = np.add.reduceat(of_photos, _starts(counts[has]))  # modulo 2^64
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
        ad = np.repeat(np.arange(len(ads)), counts)
        at = ragged(self.offsets[ads], counts)
        order = np.lexsort((draw.random(len(at)), ad))
        at = at[order]
        place = np.arange(len(at)) - _starts(counts)[ad]
        first_side = draw.integers(2, size=len(ads))
        side = (place + first_side[ad]) % 2
        single = counts[ad] == 1
        looks = 1
        if self.views is not self.centre:
            looks = self.views.views + 1
        look = draw.integers(looks, size=len(at))
        dealt = []
        for which in (0, 1):
            gets = (side == which) | (single & (looks > 1))
            if self.pool == "one":
                gets &= place < 2
            if which and looks > 1:  # of a single photo another look than the first
                step = draw.integers(1, looks, size=len(at))
                look = np.where(single, (look + step) % looks, look)
            features = self._looks(at[gets], look[gets])
            photos_per_ad = np.bincount(ad[gets], minlength=len(ads))
            dealt.append((features, photos_per_ad))
        return dealt[0], dealt[1]

    def _looks(
        self, at: Int64[np.ndarray, "photos"], look: Int64[np.ndarray, "photos"]
    ) -> Float32[np.ndarray, "photos *features"]:
        """The photos at these places in `rows`, each in its view, or, beyond the last view, in the centre view."""
        assert self.views is not None and self.view_rows is not None
        features = self.centre.gather(self.rows[at])
        if self.views is self.centre:
            return features
        augmented = look != self.views.views
        rows = self.view_rows[at[augmented]]
        features[augmented] = self.views.gather(rows, look[augmented])
        return features


Compute = Callable[[pl.Series], PhotoFeatures]


def photos_in_order(photos: pl.Series, choice: str) -> pl.DataFrame:
    """Columns row, place, photo: each ad's photos in the order in which they are looked at.

    `first` keeps the ad's own order; `random` orders them by a digest of their names, the same in every run.
    """
    ads = pl.DataFrame({"photo": photos}).with_row_index("row")
    frame = ads.explode("photo").drop_nulls("photo")
    order = pl.int_range(pl.len())
    if choice == "random":
        order = pl.lit(pl.Series(text_digests(frame["photo"])))
    place = order.rank("ordinal").over("row") - 1
    return frame.with_columns(pl.col("row").cast(pl.Int64), place=place)


def readable_photos(photos: pl.Series, settings: PhotoSettings, centre: Compute) -> AdPhotos:
    """The readable ones of the first `MAX_PHOTOS` photos of every ad, in the order of `settings.choice`.

    :param photos: the photo references of each ad, a list each; null counts as none.
    :param centre: computes (or finds) the centre views of the photos that it is given.
    """
    frame = photos_in_order(photos, settings.choice)
    frame = frame.filter(pl.col("place") < MAX_PHOTOS).sort("row", "place")
    stored = centre(frame["photo"].unique().sort())
    at = pl.Series(stored.rows_of(frame["photo"]))
    frame = frame.with_columns(at=at).filter(pl.col("at") >= 0)
    ad = frame["row"].to_numpy()
    counts = np.bincount(ad, minlength=len(photos))
    ends = np.cumsum(counts)
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    rows = frame["at"].to_numpy()
    return AdPhotos(rows, offsets, stored, pool=settings.pool)


def _starts(counts: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    return np.cumsum(counts) - counts
