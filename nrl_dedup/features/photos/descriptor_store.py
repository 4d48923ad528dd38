"""Image descriptors of photos: made once for each photo, kept in the work directory, found again by the next run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64, Shaped
from PIL import Image

from nrl_dedup.features.photos.descriptors import DESCRIPTOR, describe_image
from nrl_dedup.features.photos.feature_store import source_digest
from nrl_dedup.features.photos.kept_photos import stamped
from nrl_dedup.features.photos.photo_pass import Request, fill_stores
from nrl_dedup.features.photos.shards import ShardStore
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.runtime.progress import SILENT, Progress

VERSION = 2  # of decoding, descriptors and layout


@dataclass(frozen=True)
class PhotoDescriptors:
    """The image descriptors of some photos.

    `photos`: photo (reference), row in `stored`; the readable ones. `stored`: records of `DESCRIPTOR`.
    """

    photos: pl.DataFrame
    stored: Shaped[np.ndarray, "rows"]

    def rows_of(self, refs: Sequence[str] | pl.Series) -> Int64[np.ndarray, "refs"]:
        """The row of each photo; -1 where it is unreadable or was not asked for."""
        asked = pl.DataFrame({"photo": refs}, schema={"photo": pl.String})
        found = asked.join(self.photos, on="photo", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()


class DescriptorProduct:
    """Image descriptors as a product of the photo pass; 356 bytes for each photo."""

    label = "photo sketches"
    views = 0

    def __init__(self, source: PhotoSource, work_dir: Path) -> None:
        name = f"sketch-{source_digest(source)}-v{VERSION}"
        self.store = ShardStore(work_dir / "photos" / name, (), DESCRIPTOR)
        self._made: list[Shaped[np.ndarray, ""]] = []

    def check_before(self, photos: int, progress: Progress) -> None:
        """Nothing is checked: descriptors are small."""

    def prepare(self, photo: str, image: Image.Image) -> Shaped[np.ndarray, ""]:
        """The descriptor of a decoded photo."""
        return describe_image(image)

    def add(self, prepared: Shaped[np.ndarray, ""]) -> None:
        """The descriptor of the next photo of the shard."""
        self._made.append(prepared)

    def take_rows(self) -> Shaped[np.ndarray, "readable"]:
        """The descriptors added since the last call."""
        rows = np.array(self._made, DESCRIPTOR)
        self.discard()
        return rows

    def discard(self) -> None:
        """Forget the descriptors added since the last `take_rows`."""
        self._made = []


def compute_descriptors(
    refs: Sequence[str] | pl.Series,
    source: PhotoSource,
    work_dir: Path,
    progress: Progress = SILENT,
) -> PhotoDescriptors:
    """The image descriptors of all photos named by `refs`; those that `work_dir` lacks are made now.

    Kept as network features are: shards of 256 photos, and a run that was killed goes on; a photo is known by its
    reference, its size and when it last changed; one whose bytes cannot be decoded is remembered, one that cannot be
    read is tried again.

    :raises NrlDedupError: the work directory cannot be written, or is in use by another run.
    """
    product = DescriptorProduct(source, work_dir)
    return stored_descriptors(product, stamped(refs, source), source, progress)


def stored_descriptors(
    product: DescriptorProduct, photos: pl.DataFrame, source: PhotoSource, progress: Progress
) -> PhotoDescriptors:
    """As `compute_descriptors`. :param photos: as `kept_photos.stamped` gives them."""
    fill_stores([Request(product, photos)], source, progress)
    known = product.store.find(photos.filter(pl.col("size") >= 0))
    readable = known.filter(pl.col("row") >= 0).sort("photo")
    return PhotoDescriptors(readable.select("photo", "row"), product.store.rows()[0])
