"""How rare terms are: fitted to the ads of a sample, and looked up for the terms of any ads."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64, Shaped
from scipy import sparse

PerTerm = Int64[np.ndarray, "terms"]


@dataclass(frozen=True)
class InverseFrequencies:
    """The inverse document frequency of each of the `terms` of a sample (String, each once):
    idf = ln((1 + ads) / (1 + ads with the term)) + 1, as scikit-learn smooths it.

    `of_unseen`: that of a term of no ad, ln(1 + ads) + 1. Every term that the sample lacks has it, so that two ads can
    still share such a term.
    """

    terms: pl.Series
    idf: Float64[np.ndarray, "known"]
    of_unseen: float

    def __post_init__(self) -> None:
        check_lengths(self.terms, self.idf)

    @classmethod
    def fit(
        cls, counts: sparse.csr_array, terms: pl.Series, min_ads: int = 1
    ) -> "InverseFrequencies":
        """Terms of fewer than `min_ads` ads are left out.

        :param counts: how often each of `terms` occurs in each ad of the sample; [ads, terms].
        """
        ads_with_term = _ads_with_each_term(counts)
        kept = np.flatnonzero(ads_with_term >= min_ads)
        ads = counts.shape[0]
        idf = _idf(ads, ads_with_term[kept])
        no_ads = np.zeros(1, np.int64)
        of_unseen = _idf(ads, no_ads).item()
        kept_terms = terms.gather(kept)
        return cls(kept_terms, idf, of_unseen)

    def of(self, terms: pl.Series) -> Float64[np.ndarray, "asked"]:
        """The idf of each of some terms."""
        place = places_of(terms, self.terms)
        is_known = place >= 0
        found = np.full(len(terms), self.of_unseen)
        found[is_known] = self.idf[place[is_known]]
        return found


@dataclass(frozen=True)
class HashedInverseFrequencies:
    """The same of terms that are known by the bucket of their hash: `idf`, of each bucket. No bucket is unseen: one
    without a term of the sample has the idf of a term of no ad."""

    idf: Float64[np.ndarray, "buckets"]

    @classmethod
    def fit(cls, counts: sparse.csr_array) -> "HashedInverseFrequencies":
        """:param counts: how often a term of each bucket occurs in each ad of the sample; [ads, buckets]."""
        ads = counts.shape[0]
        ads_with_bucket = _ads_with_each_term(counts)
        idf = _idf(ads, ads_with_bucket)
        return cls(idf)


def places_of(terms: pl.Series, known: pl.Series) -> Int64[np.ndarray, "asked"]:
    """The place of each of some terms in `known`, which has each of its terms once; -1 of a term that it lacks."""
    places = known.to_frame("term").with_row_index("place")
    asked = terms.to_frame("term")
    found = asked.join(places, on="term", how="left", maintain_order="left")
    place = found["place"].cast(pl.Int64)
    return place.fill_null(-1).to_numpy()


def check_lengths(terms: pl.Series, values: Shaped[np.ndarray, "terms ..."]) -> None:
    """:raises ValueError: there is not one value for each term."""
    if len(terms) != len(values):
        raise ValueError(f"{len(terms):,} terms have {len(values):,} values")


def _ads_with_each_term(counts: sparse.csr_array) -> PerTerm:
    return np.bincount(counts.indices, minlength=counts.shape[1])


def _idf(ads: int, ads_with_term: PerTerm) -> Float64[np.ndarray, "terms"]:
    inverse = (1 + ads) / (1 + ads_with_term)
    return 1 + np.log(inverse)
