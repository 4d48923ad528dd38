"""Photo sketches: made once for each photo, kept in the work directory, found again by the next run."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64, Shaped

from nrl_dedup.features.photos.compute import READERS, SHARD
from nrl_dedup.features.photos.decoding import UnreadablePhoto, decode, quiet_pillow
from nrl_dedup.features.photos.descriptors import DESCRIPTOR, describe_image
from nrl_dedup.features.photos.kept_photos import keep, stamped
from nrl_dedup.features.photos.shards import INDEX, PHOTO, ShardStore, ShardWriter
from nrl_dedup.features.photos.source import PhotoFolder
from nrl_dedup.runtime.progress import SILENT, Progress

VERSION = 2  # of decoding, sketches and layout


@dataclass(frozen=True)
class PhotoDescriptors:
    """The sketches of some photos. `photos`: photo (reference), row in `stored`; the readable ones."""

    photos: pl.DataFrame
    stored: Shaped[np.ndarray, "rows"]

    def rows_of(self, refs: Sequence[str] | pl.Series) -> Int64[np.ndarray, "refs"]:
        """The row of each photo; -1 where it is unreadable or was not asked for."""
        asked = pl.DataFrame({"photo": refs}, schema={"photo": pl.String})
        found = asked.join(self.photos, on="photo", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()


def compute_descriptors(
    refs: Sequence[str] | pl.Series,
    folder: PhotoFolder,
    work_dir: Path,
    progress: Progress = SILENT,
) -> PhotoDescriptors:
    """The sketches of all photos named by `refs`; those that `work_dir` lacks are made now, 356 bytes each.

    Kept as network features are: shards of 256 photos, and a run that was killed goes on; a photo is known by its
    reference, its size and when it last changed; one whose bytes cannot be decoded is remembered, one that cannot be
    read is tried again.

    :raises NrlDedupError: the work directory cannot be written, or is in use by another run.
    """
    where = sha256(str(folder.folder).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    store = ShardStore(work_dir / "photos" / f"sketch-{where}-v{VERSION}", (), DESCRIPTOR)
    known = keep(stamped(refs, folder), store, partial(_make_all, folder, progress), progress)
    readable = known.filter(pl.col("row") >= 0).sort("photo")
    return PhotoDescriptors(readable.select("photo", "row"), store.rows()[0])


def _make_all(
    folder: PhotoFolder, progress: Progress, missing: pl.DataFrame, writer: ShardWriter
) -> None:
    with (
        quiet_pillow(),
        ThreadPoolExecutor(READERS) as pool,
        progress.task("photo sketches", len(missing)) as task,
    ):
        for shard in missing.iter_slices(SHARD):
            every = pool.map(partial(_make, folder), shard.select(PHOTO).iter_rows())
            made = [photo for photo in every if photo is not None]
            if made:
                sketches = [found for found, _ in made if found is not None]
                index = pl.DataFrame([row for _, row in made], schema=INDEX, orient="row")
                readable = pl.col("row") == 0
                row = pl.when(readable).then(readable.cum_sum().cast(pl.Int64) - 1).otherwise(-1)
                writer.append(np.array(sketches, DESCRIPTOR), index.with_columns(row=row))
            task.advance(len(shard))


def _make(
    folder: PhotoFolder, photo: tuple[str, int, int]
) -> tuple[np.ndarray | None, tuple] | None:
    """A sketch and its row of `INDEX`, whose `row` is 0 for a photo that has one; None: not read this time."""
    try:
        data = folder.read(photo[0])
    except UnreadablePhoto:
        return None
    digest = int.from_bytes(blake2b(data, digest_size=8).digest(), "little") or 1
    try:
        return describe_image(decode(data)), (*photo, digest, 0, None)
    except UnreadablePhoto as error:
        return None, (*photo, 0, -1, str(error))
