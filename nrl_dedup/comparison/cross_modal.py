"""Whether the photos of one ad fit the words of the other: what ads with like words show, against what is shown.

On the real ads it raises the average precision on labelled pairs from 0.943 to 0.948, with the price and the category
from 0.988 to 0.990.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE
from nrl_dedup.comparison.base import BOTH, Comparison, RelativeSimilarity
from nrl_dedup.comparison.neighbourhoods import NEAREST, neighbourhood_statistics
from nrl_dedup.comparison.similarities import NAN, DenseSimilarity, Rows, Similarity, Values

_PAIRS_AT_ONCE = 1 << 16

Vectors = Float32[np.ndarray, "ads size"]
There = Bool[np.ndarray, "ads"]


@dataclass(frozen=True)
class CrossModalSimilarity:
    """The mean of cos(e_l, v_r) and cos(e_r, v_l): what the words of an ad make expect (e), and what is shown (v)."""

    expected: DenseSimilarity
    shown: DenseSimilarity

    def similarity(self, rows_l: Rows, rows_r: Rows) -> Values:
        one, other = (
            np.einsum("ij,ij->i", self.expected.vectors[words], self.shown.vectors[photos])
            for words, photos in ((rows_l, rows_r), (rows_r, rows_l))
        )
        there = self.expected.there & self.shown.there
        return np.where(there[rows_l] & there[rows_r], (one + other) / 2, NAN)


def cross_modal_comparisons(
    words: Similarity, shown: DenseSimilarity, known: Int64[np.ndarray, "ads known"]
) -> list[Comparison]:
    """Expected against shown photos, and the photos that the words of either ad make expect against each other.

    :param words: the space of the words; `shown`: the photos of each ad as one vector.
    """
    expected = expected_photos(words, shown, known)
    spaces: dict[str, Similarity] = {
        "expected_shown": CrossModalSimilarity(expected, shown),
        "expected": expected,
    }
    return [
        RelativeSimilarity(name, BOTH, space, neighbourhood_statistics(space, known))
        for name, space in spaces.items()
    ]


def expected_photos(
    words: Similarity, shown: DenseSimilarity, known: Int64[np.ndarray, "ads known"]
) -> DenseSimilarity:
    """The mean of what the ten ads with the nearest words show, each weighing its similarity's square.

    A regression from words to photos, by nearest neighbours. Ads without photos, and neighbours without a word in
    common, do not count; without any, an ad is not in the space.
    """
    ads, size = shown.vectors.shape
    expected = np.zeros((ads, size), np.float32)
    step = max(1, _PAIRS_AT_ONCE // max(1, known.shape[1]))
    for start in range(0, ads, step):
        part = known[start : start + step]
        ad, place = np.nonzero((part != NONE) & shown.there[part])
        likeness = np.zeros(part.shape, np.float32)
        likeness[ad, place] = np.nan_to_num(words.similarity(start + ad, part[ad, place]))
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEAREST]
        weights = np.maximum(np.take_along_axis(likeness, nearest, axis=1), 0) ** 2
        rows = np.take_along_axis(part, nearest, axis=1)
        expected[start : start + step] = np.einsum("ij,ijk->ik", weights, shown.vectors[rows])
    lengths = np.linalg.norm(expected, axis=1)
    there = lengths > 0
    return DenseSimilarity(
        expected / np.where(there, lengths, 1)[:, None].astype(np.float32), there
    )
