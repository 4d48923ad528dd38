"""What ads are compared by, as it is read: statistics are fitted to some ads, and applied to these or to others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import sparse

from nrl_dedup.comparison.tokens import (
    Counts,
    codes_of,
    count_ngrams,
    count_terms,
    normalised,
    quantities_of,
    tokens_of,
)
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import Words

NGRAMS = (2, 3, 4)  # letters of a run. Not tuned.


@dataclass(frozen=True)
class AdTerms:
    """How often each term occurs in each ad. `words`: lemmas of title and description; `letters`: runs of letters,
    hashed; `titles`: tokens of the title; `tokens`, `codes`, `quantities`: of both."""

    words: Counts
    letters: sparse.csr_array
    titles: Counts
    tokens: Counts
    codes: Counts
    quantities: Counts

    @classmethod
    def read(cls, titles: pl.Series, descriptions: pl.Series, words: Words) -> "AdTerms":
        plain = [normalised(titles), normalised(descriptions)]
        tokens = count_terms([tokens_of(texts) for texts in plain])
        return cls(
            words=Counts(word_counts(words), words.distinct),
            letters=count_ngrams(tokens, NGRAMS),
            titles=count_terms([tokens_of(plain[0])]),
            tokens=tokens,
            codes=count_terms([codes_of(texts) for texts in plain]),
            quantities=count_terms([quantities_of(texts) for texts in plain]),
        )


@dataclass(frozen=True)
class ComparedAds:
    """Some ads. `words`: of title and description; `photos`: all readable photos of each ad; None for ads of words
    alone, as `sketches` (descriptors of these photos) then is; `columns`: price, category, place and any further
    column, text by row (`Catalogue.further`); null and blank are missing."""

    titles: pl.Series
    descriptions: pl.Series
    words: Words
    photos: AdPhotos | None
    sketches: PhotoDescriptors | None
    columns: Mapping[str, pl.Series]

    @cached_property
    def terms(self) -> AdTerms:
        """Counted once, for fitting and for comparing."""
        return AdTerms.read(self.titles, self.descriptions, self.words)


def word_counts(words: Words) -> sparse.csr_array:
    """How often each of `words.distinct` occurs in each ad, float32."""
    ad = np.repeat(np.arange(len(words)), np.diff(words.offsets))
    ones = np.ones(len(words.ids), np.float32)
    shape = (len(words), len(words.distinct))
    counts = sparse.coo_array((ones, (ad, words.ids)), shape=shape).tocsr()
    counts.sum_duplicates()
    return counts
