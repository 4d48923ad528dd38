"""The photos of each ad: which of them are looked at, and in which views."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.store import PhotoFeatures
from nrl_dedup.features.words import ragged

ABSENT = -1

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
        shown = pl.DataFrame({"row": np.unique(self.rows)})
        return self.centre.photos.join(shown, on="row", how="semi")["photo"].sort()

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

    def dealt_out(self, ads: Int64[np.ndarray, "ads"], draw: np.random.Generator) -> tuple[Dealt, Dealt]:
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
                look = np.where(single, (look + draw.integers(1, looks, size=len(at))) % looks, look)
            dealt.append((self._looks(at[gets], look[gets]), np.bincount(ad[gets], minlength=len(ads))))
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


def _starts(counts: Int64[np.ndarray, "ads"]) -> Int64[np.ndarray, "ads"]:
    return np.cumsum(counts) - counts
