"""The photo space: an ad is as near to another as the nearest two of their photos."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.across_sources import Sources
from nrl_dedup.blocking.dense_search import nearest_by_vectors
from nrl_dedup.blocking.faiss_indexes import L2
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.features.pca import PrincipalComponents, unit
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.text.words import offsets_of, ragged
from nrl_dedup.runtime.progress import SILENT, Progress

SIZE = 256  # principal components; on real ads they find as many duplicates as MobileNetV2's 1,280 features
MAX_SAMPLE = (
    50_000  # photos from which the components are computed: some 40 for each feature of 1,280
)
CHUNK_PHOTOS = 4_096  # 32 MiB of 2,048 features

Rows = Int64[np.ndarray, "photos"]
Ads = Int64[np.ndarray, "ads"]
SomeVectors = Float32[np.ndarray, "some size"]


def shown_photos(photos: AdPhotos, ads: Ads) -> Held:
    """The photos of some ads, as rows of the feature store `photos.centre`."""
    starts = photos.offsets[ads]
    counts = photos.offsets[ads + 1] - starts
    rows = photos.rows[ragged(starts, counts)]
    offsets = offsets_of(counts)
    count = int(rows.max(initial=-1)) + 1
    return Held(rows, offsets, count)


def mean_of_items(
    held: Held, vectors: Float32[np.ndarray, "items size"]
) -> tuple[Bool[np.ndarray, "ads"], SomeVectors]:
    """Which ads hold items, and the mean of what each of these holds. `vectors`: of `held.items`, in their order."""
    counts = np.diff(held.offsets)
    has_items = counts > 0
    total = vectors
    if has_items.any():
        starts = held.offsets[:-1][has_items]
        total = np.add.reduceat(vectors, starts)
    divisor = counts[has_items][:, None].astype(np.float32)
    return has_items, total / divisor


def rooted_features(photos: AdPhotos, rows: Rows) -> Float32[np.ndarray, "photos size"]:
    """The pooled features x of photos as sign(x) sqrt |x|, divided by their length.

    Their products are the Bhattacharyya coefficients of the features as shares of their sum, if none is negative
    (Arandjelovic and Zisserman 2012). Of regions the mean is taken first.
    """
    features = photos.centre.gather(rows)
    if features.ndim > 2:
        features = features.mean(axis=1)
    roots = np.sqrt(np.abs(features))
    return unit(np.sign(features) * roots)


def rooted(photos: AdPhotos, rows: Rows) -> Iterator[SomeVectors]:
    """`rooted_features`, some thousand at a time."""
    for start in range(0, len(rows), CHUNK_PHOTOS):
        some = rows[start : start + CHUNK_PHOTOS]
        yield rooted_features(photos, some)


def fit_photo_components(photos: AdPhotos, ads: Ads, seed: int = 0) -> PrincipalComponents:
    """The `SIZE` directions in which the `rooted` features of the ads' photos vary most; of many photos, of a sample of
    `MAX_SAMPLE`. At least one of the ads has a photo."""
    rows = np.unique(shown_photos(photos, ads).items)
    if len(rows) > MAX_SAMPLE:
        random = np.random.default_rng(seed)
        sample = random.choice(rows, MAX_SAMPLE, replace=False)
        rows = np.sort(sample)
    size = photos.centre.shape[-1]
    total = np.zeros(size)
    squares = np.zeros((size, size))
    for some in rooted(photos, rows):
        exact = some.astype(np.float64)
        total += exact.sum(axis=0)
        squares += exact.T @ exact
    mean = total / len(rows)
    covariance = squares / len(rows) - np.outer(mean, mean)
    _, directions = np.linalg.eigh(covariance)  # ascending by variance
    largest = directions[:, ::-1][:, :SIZE]
    return PrincipalComponents(mean.astype(np.float32), np.ascontiguousarray(largest, np.float32))


def photo_neighbours(
    components: PrincipalComponents,
    photos: AdPhotos,
    ads: Ads,
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
    source_of: Sources | None = None,
) -> NeighbourLists:
    """The nearest of some ads by the cosine of the principal components of their photos' `rooted` features.

    Rows of the result are places in `ads`. `index`, `source_of`: as in `nearest_by_vectors`.

    :param components: of these ads' photos or of others (`fit_photo_components`).
    :raises NrlDedupError: what `nearest_by_vectors` raises.
    """
    shown = shown_photos(photos, ads)
    rows, number = np.unique(shown.items, return_inverse=True)
    parts = [np.empty((0, components.directions.shape[1]), np.float32)]
    for some in rooted(photos, rows):
        parts.append(unit(components.project(some)))
    vectors = np.concatenate(parts)
    held = Held(number, shown.offsets, len(rows))
    return nearest_by_vectors(
        "photos",
        vectors,
        held,
        neighbours,
        L2,
        device=device,
        seed=seed,
        index=index,
        progress=progress,
        source_of=source_of,
    )
