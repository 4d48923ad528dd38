"""The photo space: an ad is as near to another as the nearest two of their photos."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.dense_search import nearest_by_vectors
from nrl_dedup.blocking.faiss_indexes import L2
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.features.network_inputs import AdPhotos
from nrl_dedup.features.pca import unit
from nrl_dedup.features.text.words import ragged
from nrl_dedup.runtime.progress import SILENT, Progress

SIZE = 256  # principal components; on real ads they find as many duplicates as MobileNetV2's 1,280 features
SAMPLE = 50_000
PHOTOS_AT_ONCE = 4_096


def shown_photos(photos: AdPhotos, ads: Int64[np.ndarray, "ads"]) -> Held:
    """The photos of some ads, as rows of the feature store `photos.centre`."""
    counts = photos.offsets[ads + 1] - photos.offsets[ads]
    rows = photos.rows[ragged(photos.offsets[ads], counts)]
    return Held(rows, np.concatenate([[0], np.cumsum(counts)]), int(rows.max(initial=-1)) + 1)


def mean_of_items(
    held: Held, vectors: Float32[np.ndarray, "items size"]
) -> tuple[Bool[np.ndarray, "ads"], Float32[np.ndarray, "some size"]]:
    """Which ads hold items, and the mean of what each of these holds. `vectors`: of `held.items`, in their order."""
    counts = np.diff(held.offsets)
    some = counts > 0
    total = np.add.reduceat(vectors, held.offsets[:-1][some]) if some.any() else vectors
    return some, total / counts[some][:, None].astype(np.float32)


def rooted_features(
    photos: AdPhotos, rows: Int64[np.ndarray, "photos"]
) -> Float32[np.ndarray, "photos size"]:
    """The pooled features x of photos as sign(x) sqrt |x|, divided by their length.

    Their products are the Bhattacharyya coefficients of the features as shares of their sum, if none is negative
    (Arandjelovic and Zisserman 2012). Of regions the mean is taken first.
    """
    features = photos.centre.gather(rows)
    if features.ndim > 2:
        features = features.mean(axis=1)
    return unit(np.sign(features) * np.sqrt(np.abs(features)))


def rooted(
    photos: AdPhotos, rows: Int64[np.ndarray, "photos"]
) -> Iterator[Float32[np.ndarray, "some size"]]:
    """`rooted_features`, some thousand at a time."""
    for start in range(0, len(rows), PHOTOS_AT_ONCE):
        yield rooted_features(photos, rows[start : start + PHOTOS_AT_ONCE])


def principal_components(
    photos: AdPhotos, rows: Int64[np.ndarray, "photos"], seed: int = 0
) -> tuple[Float32[np.ndarray, " size"], Float32[np.ndarray, "size kept"]]:
    """The mean of the `rooted` features, and the `SIZE` directions in which they vary most; of many photos, of a sample
    of `SAMPLE`."""
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))
    size = photos.centre.shape[-1]
    total, squares = np.zeros(size), np.zeros((size, size))
    for some in rooted(photos, rows):
        exact = some.astype(np.float64)
        total += exact.sum(axis=0)
        squares += exact.T @ exact
    mean = total / len(rows)
    directions = np.linalg.eigh(squares / len(rows) - np.outer(mean, mean))[1]
    return mean.astype(np.float32), np.ascontiguousarray(directions[:, ::-1][:, :SIZE], np.float32)


def photo_neighbours(
    photos: AdPhotos,
    ads: Int64[np.ndarray, "ads"],
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
) -> NeighbourLists:
    """The nearest of some ads by the cosine of their photos: `rooted` features less their mean, as `SIZE` principal
    components.

    Rows of the result are places in `ads`. `index`: as in `nearest_by_vectors`.

    :raises NrlDedupError: what `nearest_by_vectors` raises.
    """
    shown = shown_photos(photos, ads)
    rows, number = np.unique(shown.items, return_inverse=True)
    vectors = np.empty((0, 1), np.float32)
    if len(rows):
        mean, directions = principal_components(photos, rows, seed)
        vectors = np.concatenate(
            [unit((some - mean) @ directions) for some in rooted(photos, rows)]
        )
    return nearest_by_vectors(
        "photos", vectors, Held(number, shown.offsets, len(rows)), neighbours, L2,
        device=device, seed=seed, index=index, progress=progress,
    )  # fmt: skip
