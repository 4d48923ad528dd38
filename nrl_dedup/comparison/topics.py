"""Latent semantic analysis (Deerwester et al., 1990): words that stand in like ads point in like directions."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from nrl_dedup.comparison.similarities import DenseSimilarity
from nrl_dedup.features.text.inverse_frequencies import check_lengths, places_of

_MAX_SAMPLE = 100_000  # ads; bounds the time of the decomposition
_POWER_ITERATIONS = 4  # of the randomised decomposition. Not tuned.
_SHORTEST_VECTOR = 1e-6  # a shorter one is rounding error, and the ad has no topic


@dataclass(frozen=True)
class TopicProjection:
    """The right singular vectors of a sample's tf-idf vectors: the direction of each of `terms` in the topics."""

    terms: pl.Series
    directions: Float32[np.ndarray, "terms topics"]

    def __post_init__(self) -> None:
        check_lengths(self.terms, self.directions)

    @classmethod
    def fit(
        cls, vectors: sparse.csr_array, terms: pl.Series, size: int, seed: int
    ) -> "TopicProjection":
        """The `size` largest, of at most 100,000 of the ads, drawn by `seed`; terms of a single ad are left out.

        :param vectors: the tf-idf of each of `terms` in each ad of the sample; [ads, terms].
        """
        ads_with_term = np.bincount(vectors.indices, minlength=vectors.shape[1])
        frequent = np.flatnonzero(ads_with_term > 1)
        vectors = vectors[:, frequent]
        ads = vectors.shape[0]
        size = min(size, ads // 2, len(frequent) // 2)
        if size < 1:
            return cls(terms.head(0), np.zeros((0, 1), np.float32))
        shuffled = np.random.default_rng(seed).permutation(ads)
        sample = vectors[np.sort(shuffled[:_MAX_SAMPLE])]
        _, _, directions = randomized_svd(
            sample,
            size,
            n_iter=_POWER_ITERATIONS,
            random_state=seed,
        )
        by_term = np.ascontiguousarray(directions.T, np.float32)
        return cls(terms.gather(frequent), by_term)

    def of(self, vectors: sparse.csr_array, terms: pl.Series) -> DenseSimilarity:
        """The topics of any ads, of length 1. Terms that the sample lacks, or has in one ad only, have none.

        :param vectors: the tf-idf of each of `terms` in each ad; [ads, terms].
        """
        place = places_of(terms, self.terms)
        known = np.flatnonzero(place >= 0)
        product = vectors[:, known] @ self.directions[place[known]]
        found = product.astype(np.float32)
        lengths = np.linalg.norm(found, axis=1)
        there = lengths > _SHORTEST_VECTOR
        return DenseSimilarity(found / np.where(there, lengths, 1)[:, None], there)
