"""Photo features: computed once for each photo, kept in the work directory, found again by the next run."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64, Shaped, UInt64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.compute import Job, extract, forecast
from nrl_dedup.features.photos.feature_kinds import KINDS, Kind
from nrl_dedup.features.photos.kept_photos import keep, stamped
from nrl_dedup.features.photos.shards import ShardStore, ShardWriter
from nrl_dedup.features.photos.source import ABSENCES, PhotoFolder
from nrl_dedup.runtime.progress import SILENT, Progress

VERSION = 2  # of decoding, views and layout: features of another version are not taken for these
BATCH = {"cpu": 32, "cuda": 128}


@dataclass(frozen=True)
class PhotoFeatures:
    """The stored features of some photos.

    `photos`: photo (reference), row; the readable ones, ordered by reference. `unreadable`: photo, reason.
    `digests`: of each row's photo, blake2b of its bytes in 64 bits; never 0. `stored`: [rows, views, ...] on disk, in
    the form of `kind`. `shape`: of one view of one photo as `gather` gives it.
    """

    photos: pl.DataFrame
    unreadable: pl.DataFrame
    digests: UInt64[np.ndarray, "rows"]
    stored: Shaped[np.ndarray, "rows views ..."]
    kind: Kind
    shape: tuple[int, ...]

    @property
    def views(self) -> int:
        """How many views of each photo there are: 1 where it is the centre view."""
        return self.stored.shape[1]

    def rows_of(self, refs: Sequence[str] | pl.Series) -> Int64[np.ndarray, "refs"]:
        """The row of each photo; -1 where it is unreadable or was not asked for."""
        asked = pl.DataFrame({"photo": refs}, schema={"photo": pl.String})
        found = asked.join(self.photos, on="photo", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    def gather(
        self, rows: Int64[np.ndarray, "n"], view: int | Int64[np.ndarray, "n"] = 0
    ) -> Float32[np.ndarray, "n *feature"]:
        """The features of `rows`, in their order: [n, size], or [n, regions, size]; of one view, or one for each.

        :raises IndexError: there is no such row or view; -1, a photo that is not there, is none.
        """
        if np.any(rows < 0) or np.any(np.asarray(view) < 0):
            raise IndexError(
                "A row and a view are 0 or more; the rows of unreadable photos must be left out."
            )
        return self.kind.decode(np.asarray(self.stored[rows, view]))


def compute_features(
    refs: Sequence[str] | pl.Series,
    folder: PhotoFolder,
    backbone: Backbone,
    work_dir: Path,
    *,
    views: int = 0,
    seed: int = 0,
    kind: str = "pooled",
    device: torch.device,
    progress: Progress = SILENT,
) -> PhotoFeatures:
    """The features of all photos named by `refs`, those that `work_dir` lacks being computed now.

    Each backbone, kind, photo folder and plan of views has a store of its own. Photos that it lacks are taken in
    the order of their references in shards of 256; each finished shard is kept, so a run that was killed goes on
    at the same shard, and the batches of a shard depend on its photos alone. A photo is known by its reference, its
    size and when it last changed. One whose bytes cannot be decoded is remembered with the reason; one that was not
    found, lies outside the folder or could not be read is looked for again next time. A shard that does not fit its
    digest is computed anew.

    :param views: 0 for the centre view, or how many training views of each photo, drawn from `seed`, the
        reference and the number of the view.
    :param kind: a row of `feature_kinds.KINDS`.
    :raises NrlDedupError: the work directory cannot be written, is too small, or is in use by another run; or the
        weights give features that are not finite.
    """
    job = Job(folder, backbone, KINDS[kind], views, seed, BATCH[device.type])
    dtype, shape = job.stored
    store = ShardStore(work_dir / "photos" / _store_name(job, kind), shape, dtype)
    photos = stamped(refs, folder)
    passing = [pl.DataFrame(schema={"photo": pl.String, "reason": pl.String})]

    def make(missing: pl.DataFrame, writer: ShardWriter) -> None:
        _check_room(store, len(missing))
        forecast(job, len(missing), progress)
        passing.append(extract(job, missing, writer, progress))

    known = keep(photos, store, make, progress)
    return _features(photos, known, store, pl.concat(passing), job)


def _store_name(job: Job, kind: str) -> str:
    where = hashlib.sha256(str(job.folder.folder).encode("utf-8", "surrogateescape")).hexdigest()[
        :12
    ]
    plan = f"views{job.views}-seed{job.seed}" if job.views else "centre"
    return (
        f"{job.backbone.row.name}-{job.backbone.fingerprint[:12]}-{kind}-{where}-{plan}-v{VERSION}"
    )


def _features(
    photos: pl.DataFrame, known: pl.DataFrame, store: ShardStore, passing: pl.DataFrame, job: Job
) -> PhotoFeatures:
    absent = photos.filter(pl.col("size") < 0).select(
        "photo", reason=pl.col("size").replace_strict(ABSENCES, return_dtype=pl.String)
    )
    undecodable = known.filter(pl.col("row") < 0).select("photo", "reason")
    stored, digests = store.rows()
    return PhotoFeatures(
        photos=known.filter(pl.col("row") >= 0).select("photo", "row").sort("photo"),
        unreadable=pl.concat([absent, undecodable, passing]).sort("photo"),
        digests=digests,
        stored=stored,
        kind=job.kind,
        shape=job.kind.shape(job.backbone.row),
    )


def _check_room(store: ShardStore, photos: int) -> None:
    needed = photos * prod(store.shape) * store.dtype.itemsize
    free = shutil.disk_usage(store.folder).free
    if needed > free:
        raise NrlDedupError(
            f"{store.folder}: the features of {photos:,} photos need {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB "
            "are free. Make room, or name another folder with --work-dir."
        )
