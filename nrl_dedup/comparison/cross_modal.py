"""Whether the photos of one ad fit the words of the other: what ads with like words show, against what is shown.

On the real ads it raises the average precision on labelled pairs from 0.943 to 0.948, with the price and the category
from 0.988 to 0.990.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE
from nrl_dedup.comparison.base import BOTH, Comparison, RelativeSimilarity, similarity_columns
from nrl_dedup.comparison.neighbourhoods import MAX_NEAREST, NeighbourhoodStatistics
from nrl_dedup.comparison.similarities import NAN, DenseSimilarity, Rows, Similarity, Values

_CHUNK_PAIRS = 1 << 16  # compared at once; bounds the memory

# What `explain` calls them.
_SIMILARITIES = {
    "expected_shown": "photos that the words make expect",
    "expected": "photos that both texts make expect",
}
CROSS_MODAL_COLUMNS = similarity_columns(_SIMILARITIES)

Vectors = Float32[np.ndarray, "ads size"]
There = Bool[np.ndarray, "ads"]


@dataclass(frozen=True)
class CrossModalSimilarity:
    """The mean of cos(e_l, v_r) and cos(e_r, v_l): what the words of an ad make expect (e), and what is shown (v)."""

    expected: DenseSimilarity
    shown: DenseSimilarity

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values:
        of_left_words = self._cosines(rows_l, rows_r)
        of_right_words = self._cosines(rows_r, rows_l)
        mean = (of_left_words + of_right_words) / 2
        there = self.expected.there & self.shown.there
        return np.where(there[rows_l] & there[rows_r], mean, NAN)

    def _cosines(self, words: Rows, photos: Rows) -> Values:
        return np.einsum("ij,ij->i", self.expected.vectors[words], self.shown.vectors[photos])


def cross_modal_comparisons(
    words: Similarity, shown: DenseSimilarity, known: Int64[np.ndarray, "ads known"]
) -> list[Comparison]:
    """Expected against shown photos, and the photos that the words of either ad make expect against each other.

    :param words: the similarity of the words.
    :param shown: the photos of each ad as one vector.
    """
    expected = expected_photos(words, shown, known)
    spaces: dict[str, Similarity] = {
        "expected_shown": CrossModalSimilarity(expected, shown),
        "expected": expected,
    }
    comparisons: list[Comparison] = []
    for name, space in spaces.items():
        neighbourhoods = NeighbourhoodStatistics.fit(space, known)
        comparisons.append(
            RelativeSimilarity(name, BOTH, _SIMILARITIES[name], space, neighbourhoods)
        )
    return comparisons


def expected_photos(
    words: Similarity, shown: DenseSimilarity, known: Int64[np.ndarray, "ads known"]
) -> DenseSimilarity:
    """The mean of what the ten ads with the nearest words show, each weighing its similarity's square.

    A regression from words to photos, by nearest neighbours. Ads without photos, and neighbours without a word in
    common, do not count; without any, an ad is not in the space.
    """
    ads, size = shown.vectors.shape
    expected = np.zeros((ads, size), np.float32)
    step = max(1, _CHUNK_PAIRS // max(1, known.shape[1]))
    for start in range(0, ads, step):
        part = known[start : start + step]
        ad, place = np.nonzero((part != NONE) & shown.there[part])
        likeness = np.zeros(part.shape, np.float32)
        likeness[ad, place] = np.nan_to_num(words.similarity(start + ad, part[ad, place]))
        most_alike_first = np.argsort(-likeness, axis=1, kind="stable")
        nearest = most_alike_first[:, :MAX_NEAREST]
        similarities = np.take_along_axis(likeness, nearest, axis=1)
        weights = np.maximum(similarities, 0) ** 2
        rows = np.take_along_axis(part, nearest, axis=1)
        expected[start : start + step] = np.einsum("ij,ijk->ik", weights, shown.vectors[rows])
    lengths = np.linalg.norm(expected, axis=1)
    there = lengths > 0
    divisors = np.where(there, lengths, 1).astype(np.float32)
    return DenseSimilarity(expected / divisors[:, None], there)
