"""What two ads have in common, in their own words, photos and columns."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy import sparse

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.base import Comparison, RelativeSimilarity
from nrl_dedup.comparison.column_comparisons import read_values
from nrl_dedup.comparison.compared_ads import word_counts
from nrl_dedup.comparison.photo_comparisons import PhotoColumn
from nrl_dedup.comparison.similarities import PhotoSimilarity
from nrl_dedup.comparison.tokens import codes_of, count_terms, normalised, quantities_of
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.text.words import Words
from nrl_dedup.scoring.score import EvidenceScorer, Scorer

PHOTO_MEASURES = ("photos", "same_picture")
# Numbers that nobody subtracts.
_NAMES_OF_PLACES_AND_KINDS = (
    "category",
    "location",
    "latitude",
    "longitude",
)


@dataclass(frozen=True)
class Shared:
    """A word, number or model code that both ads have, and how many ads of the catalogue have it."""

    text: str
    ads: int


@dataclass(frozen=True)
class PhotoPair:
    """The photos, one of each ad, that a measure finds the most alike."""

    measure: str  # a column of evidence, one of `PHOTO_MEASURES`
    left: str
    right: str
    similarity: float


@dataclass(frozen=True)
class ColumnPair:
    """What both ads have in a further column. `apart`: of numbers, |a - b| / max(|a|, |b|)."""

    name: str
    left: str | None
    right: str | None
    same: bool | None  # None where one is missing
    apart: float | None


@dataclass(frozen=True)
class SideBySide:
    words: tuple[Shared, ...]  # the rarest first, as the numbers are
    numbers: tuple[Shared, ...]
    photos: tuple[PhotoPair, ...]
    columns: tuple[ColumnPair, ...]


def compare(
    catalogue: Catalogue,
    features: CatalogueFeatures,
    blocked: BlockingResult,
    scorer: Scorer,
    left: int,
    right: int,
) -> SideBySide:
    """Compare the ads of two rows of `catalogue`. Photos are compared by what pair evidence prepared of them."""
    photos: tuple[PhotoPair, ...] = ()
    rows = np.array([left, right])
    if (
        isinstance(scorer, EvidenceScorer)
        and features.photos.photos is not None
        and blocked.ads.has(rows).all()
    ):
        shown = features.photos.photos.take(blocked.ads.rows)
        at = blocked.ads.of_rows(rows)
        representatives = blocked.ads.to_rows(at)
        references = [catalogue.frame["photos"][row].to_list() for row in representatives.tolist()]
        photos = _most_alike(scorer.ads.comparisons, shown, at, references)
    return SideBySide(
        shared_words(features.words, left, right),
        shared_numbers(features.texts, left, right),
        photos,
        tuple(
            _compare_column(name, catalogue.further[name], left, right)
            for name in catalogue.further.columns
        ),
    )


def shared_words(words: Words, left: int, right: int) -> tuple[Shared, ...]:
    """The words (lemmas) of both ads, the rarest first; equally rare ones in the order of the alphabet."""
    return _shared(word_counts(words), words.distinct, left, right)


def shared_numbers(texts: pl.DataFrame, left: int, right: int) -> tuple[Shared, ...]:
    """The numbers, alone and with their units, and the model codes of both ads, in that order too.

    :param texts: columns title and description, by row of the catalogue.
    """
    plain = [normalised(texts[name]) for name in ("title", "description")]
    counts = count_terms([read(texts) for read in (codes_of, quantities_of) for texts in plain])
    return _shared(counts.matrix, counts.distinct, left, right)


def _shared(
    counts: sparse.csr_array, terms: pl.Series, left: int, right: int
) -> tuple[Shared, ...]:
    of_left = counts.indices[counts.indptr[left] : counts.indptr[left + 1]]
    of_right = counts.indices[counts.indptr[right] : counts.indptr[right + 1]]
    both = np.intersect1d(of_left, of_right)
    ads = np.bincount(counts.indices, minlength=len(terms))[both]
    found = [Shared(text, int(count)) for text, count in zip(terms[both], ads, strict=True)]
    return tuple(sorted(found, key=lambda term: (term.ads, term.text)))


def _most_alike(
    parts: tuple[Comparison, ...],
    photos: AdPhotos,
    at: Int64[np.ndarray, "2"],
    references: list[list[str]],
) -> tuple[PhotoPair, ...]:
    """:param photos: of the distinct ads. :param at: two of these; `references`: the photos of either."""
    # The numbers by which the spaces know photos are places in this.
    distinct = np.unique(photos.rows)
    found = []
    for part in parts:
        if (
            not isinstance(part, RelativeSimilarity | PhotoColumn)
            or part.name not in PHOTO_MEASURES
        ):
            continue
        space = part.space
        if not isinstance(space, PhotoSimilarity):
            continue
        left = space.photos[space.offsets[at[0]] : space.offsets[at[0] + 1]]
        right = space.photos[space.offsets[at[1]] : space.offsets[at[1] + 1]]
        if not len(left) or not len(right):
            continue
        one, other = np.repeat(left, len(right)), np.tile(right, len(left))
        similarities = space.compare(one, other)
        best = int(np.argmax(similarities))
        shown = _reference(photos, int(distinct[one[best]]), references[0])
        known = _reference(photos, int(distinct[other[best]]), references[1])
        found.append(PhotoPair(part.name, shown, known, float(similarities[best])))
    return tuple(found)


def _reference(photos: AdPhotos, row: int, references: list[str]) -> str:
    return references[int(np.flatnonzero(photos.centre.rows_of(references) == row)[0])]


def _compare_column(name: str, texts: pl.Series, left: int, right: int) -> ColumnPair:
    one = texts[left] or None
    other = texts[right] or None
    values, numbers = read_values(name, texts)
    value_l = (values[left] or "").strip().lower()
    value_r = (values[right] or "").strip().lower()
    same = value_l == value_r if value_l and value_r else None
    apart = None
    if (
        numbers is not None
        and name not in _NAMES_OF_PLACES_AND_KINDS
        and not np.isnan(numbers[[left, right]]).any()
    ):
        a, b = numbers[[left, right]]
        apart = float(abs(a - b) / max(abs(a), abs(b), 1e-12))
    return ColumnPair(name, one, other, same, apart)
