"""The ads of the examples as they are compared, with made-up features of their photos."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from nrl_dedup.blocking.neighbours import Neighbours
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.comparison.compared_ads import ComparedAds
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.photos.descriptors import DESCRIPTOR
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.words import read_words

CATALOGUE = Path(__file__).parents[2] / "examples" / "catalogue.csv"
FEATURES = 24
WITHOUT_SKETCH = 9  # photos


@cache
def example_catalogue() -> Catalogue:
    return read_catalogue(CATALOGUE)


@cache
def example_photos() -> tuple[AdPhotos, PhotoDescriptors]:
    """The photos of all ads, and the sketches of all photos but the last few."""
    draw = np.random.default_rng(0)
    photos = example_catalogue().frame["photos"]
    names = photos.explode().drop_nulls()
    distinct = names.unique().sort()
    table = pl.DataFrame({"photo": distinct, "row": np.arange(len(distinct))})
    store = PhotoFeatures(
        photos=table,
        unreadable=pl.DataFrame(schema={"photo": pl.String, "reason": pl.String}),
        digests=draw.integers(1, 300, size=len(distinct)).astype(np.uint64) << np.uint64(55),
        stored=draw.random((len(distinct), 1, FEATURES)).astype(np.float32),
        kind=KINDS["pooled"],
        shape=(FEATURES,),
    )
    rows = distinct.search_sorted(names).to_numpy().astype(np.int64)
    counts = photos.list.len().to_numpy().astype(np.int64)
    offsets = np.append(0, np.cumsum(counts))
    sketched = len(distinct) - WITHOUT_SKETCH
    stored = np.zeros(sketched, DESCRIPTOR)
    for name in ("layout", "colours", "hashes"):
        stored[name] = draw.integers(0, 256, size=stored[name].shape)
    stored["width"], stored["height"] = draw.integers(1, 6, size=(2, sketched)) * 100
    return AdPhotos(rows, offsets, store), PhotoDescriptors(table.head(sketched), stored)


def example_ads(rows: np.ndarray) -> ComparedAds:
    """Some of the ads."""
    catalogue = example_catalogue().take(rows)
    titles, descriptions = catalogue.frame["title"], catalogue.frame["description"]
    words = read_words([titles, descriptions], "ru")
    photos, sketches = example_photos()
    return ComparedAds(
        titles, descriptions, words, photos.take(rows), sketches, catalogue.further.to_dict()
    )


def halves() -> tuple[np.ndarray, np.ndarray]:
    """The rows of every other ad, and of the others."""
    rows = np.arange(len(example_catalogue()))
    return rows[::2], rows[1::2]


def random_neighbours(ads: int) -> list[Neighbours]:
    rows = np.random.default_rng(1).integers(0, ads, size=(ads, 25))
    return [Neighbours(rows, np.zeros((ads, 25), np.float32))]
