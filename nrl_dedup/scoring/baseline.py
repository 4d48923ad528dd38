"""The thesis's baseline (section 3.2): Jaccard similarity and Euclidean distance into logistic regression."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from sklearn.linear_model import LogisticRegression

from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.text.words import Words, jaccard
from nrl_dedup.tables import CatalogueRows

CHUNK_PAIRS = 1 << 14  # whose photo vectors are held at once; bounds the memory


def baseline_features(
    words: Words,
    photos: AdPhotos | None,
    row_l: CatalogueRows,
    row_r: CatalogueRows,
) -> Float64[np.ndarray, "pairs 2"]:
    """The two features of each pair: Jaccard similarity of the word sets (3.1), Euclidean distance of the chosen
    photos' feature vectors (3.2). The distance is NaN where an ad has no readable photo."""
    distance = np.full(len(row_l), np.nan)
    if photos is not None:
        chosen = photos.chosen()
        both = np.flatnonzero((chosen[row_l] >= 0) & (chosen[row_r] >= 0))
        for start in range(0, len(both), CHUNK_PAIRS):
            at = both[start : start + CHUNK_PAIRS]
            left = photos.centre.gather(chosen[row_l[at]])
            right = photos.centre.gather(chosen[row_r[at]])
            difference = left - right
            if difference.ndim == 3:  # regions: their mean is what pooling gives
                difference = difference.mean(axis=1)
            distance[at] = np.linalg.norm(difference, axis=1)
    return np.column_stack([jaccard(words, row_l, row_r), distance])


@dataclass(frozen=True)
class Baseline:
    """z-scores with the training pairs' mean and deviation, then logistic regression.

    A missing distance becomes the training mean: it speaks neither for a duplicate nor against one.
    """

    mean: tuple[float, float]
    deviation: tuple[float, float]
    coefficients: tuple[float, float]
    intercept: float

    def logits(self, features: Float64[np.ndarray, "pairs 2"]) -> Float64[np.ndarray, "pairs"]:
        """The log-odds of a duplicate."""
        z_scores = _z_scores(features, self.mean, self.deviation)
        return z_scores @ np.array(self.coefficients) + self.intercept


def _z_scores(
    values: np.ndarray, mean: tuple[float, float], deviation: tuple[float, float]
) -> np.ndarray:
    centred = values - np.array(mean)
    return np.nan_to_num(centred / np.array(deviation), nan=0.0)


def fit_baseline(
    features: Float64[np.ndarray, "pairs 2"], labels: Bool[np.ndarray, "pairs"]
) -> Baseline:
    """Fit on the training pairs. A feature that is always missing or always the same gets the coefficient 0."""
    mean, deviation = _moments(features)
    model = LogisticRegression().fit(_z_scores(features, mean, deviation), labels)
    slopes = (float(model.coef_[0, 0]), float(model.coef_[0, 1]))
    return Baseline(mean, deviation, slopes, float(model.intercept_[0]))


def unfitted_baseline(features: Float64[np.ndarray, "pairs 2"]) -> Baseline:
    """What can be had without labels: the z-score of the similarity minus that of the distance. It orders pairs; its
    logits mean nothing else.

    :param features: of any pairs of ads, none of them known to be duplicates.
    """
    return Baseline(*_moments(features), coefficients=(1.0, -1.0), intercept=0.0)


Pair = tuple[float, float]


def _moments(features: Float64[np.ndarray, "pairs 2"]) -> tuple[Pair, Pair]:
    """Mean and deviation of what is known of each feature; a deviation of 0 becomes 1."""
    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0.0).sum(axis=0) / count
    squares = np.where(known, (features - mean) ** 2, 0.0)
    deviation = np.sqrt(squares.sum(axis=0) / count)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return (float(mean[0]), float(mean[1])), (float(deviation[0]), float(deviation[1]))
