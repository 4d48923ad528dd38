"""From a photo's name to its features: read and decode ahead, through the network in batches, shard by shard."""

import hashlib
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count

import numpy as np
import polars as pl
import torch
from torch import Tensor

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.crops import centre_view, training_view
from nrl_dedup.features.photos.decoding import UnreadablePhoto, decode, quiet_pillow
from nrl_dedup.features.photos.feature_kinds import Kind
from nrl_dedup.features.photos.shards import INDEX, ShardWriter
from nrl_dedup.features.photos.source import PhotoFolder
from nrl_dedup.runtime.progress import Progress, Task

SHARD = 256
READERS = min(16, (cpu_count() or 1) + 2)
IMAGES_AHEAD = 256  # decoded views that wait for the network: 150 MB
LONG_WORK_HOURS = 1.0
WORTH_MEASURING = 2000  # images; the forecast itself costs some seconds
MEASURED = 8


@dataclass(frozen=True)
class Job:
    """One store's way from a photo to its features."""

    folder: PhotoFolder
    backbone: Backbone
    kind: Kind
    views: int
    seed: int
    batch_size: int

    @property
    def stored(self) -> tuple[np.dtype, tuple[int, ...]]:
        """Dtype and shape of one photo's row in the store, all its views."""
        dtype, shape = self.kind.stored(self.kind.shape(self.backbone.row))
        return dtype, (max(1, self.views), *shape)


@dataclass(frozen=True)
class _Prepared:
    """A photo on its way to the network. `lasting`: its bytes decided that it is unreadable, and will again."""

    views: list[Tensor]
    digest: int = 0
    reason: str | None = None
    lasting: bool = True


def extract(
    job: Job, missing: pl.DataFrame, writer: ShardWriter, progress: Progress
) -> pl.DataFrame:
    """Computes and stores the missing photos; those that could not be read this time are returned with reasons."""
    pool = ThreadPoolExecutor(READERS)
    passing = []
    try:
        with quiet_pillow(), progress.task("photos", len(missing)) as task:
            photos = _prepared_ahead(pool, job, missing["photo"].to_list())
            for shard in missing.iter_slices(SHARD):
                features, table = _compute_shard(job, shard, photos, task)
                lasting = table.filter("lasting")
                if not lasting.is_empty():
                    writer.append(features, lasting.select(list(INDEX)))
                passing.append(table.filter(~pl.col("lasting")).select("photo", "reason"))
    finally:
        pool.shutdown(cancel_futures=True)
    return pl.concat(passing)


def _compute_shard(
    job: Job, shard: pl.DataFrame, photos: Iterator[_Prepared], task: Task
) -> tuple[np.ndarray, pl.DataFrame]:
    """The features of a shard's readable photos [readable, views, ...], and its index with the column `lasting`."""
    batches, waiting, results = [], [], []
    for photo in islice(photos, len(shard)):
        waiting.extend(photo.views)
        while len(waiting) >= job.batch_size:
            batches.append(_through_network(job, waiting[: job.batch_size]))
            del waiting[: job.batch_size]
        results.append((photo.digest, photo.reason, photo.lasting))
        task.advance()
    if waiting:
        batches.append(_through_network(job, waiting))
    dtype, shape = job.stored
    features = np.concatenate(batches) if batches else np.empty((0, *shape[1:]), dtype)
    columns = {"digest": pl.UInt64, "reason": pl.String, "lasting": pl.Boolean}
    table = shard.hstack(pl.DataFrame(results, schema=columns, orient="row"))
    readable = pl.col("reason").is_null()
    table = table.with_columns(
        row=pl.when(readable).then(readable.cum_sum().cast(pl.Int64) - 1).otherwise(-1)
    )
    return features.reshape(-1, *shape), table


def _prepared_ahead(pool: ThreadPoolExecutor, job: Job, refs: list[str]) -> Iterator[_Prepared]:
    """The photos in order, read and decoded by the pool while the network is busy with those before."""
    ahead = max(READERS, IMAGES_AHEAD // max(1, job.views))
    waiting: deque[Future[_Prepared]] = deque()
    for ref in refs:
        waiting.append(pool.submit(_prepare, job, ref))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _prepare(job: Job, ref: str) -> _Prepared:
    try:
        data = job.folder.read(ref)
    except UnreadablePhoto as error:
        return _Prepared([], reason=str(error), lasting=False)
    try:
        image = decode(data)
    except UnreadablePhoto as error:
        return _Prepared([], reason=str(error))
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1
    if job.views == 0:
        return _Prepared([centre_view(image)], digest)
    return _Prepared(
        [training_view(image, _view_seed(job.seed, view, ref)) for view in range(job.views)], digest
    )


def _view_seed(seed: int, view: int, ref: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(f"{seed} {view} {ref}".encode(), digest_size=8).digest(), "little"
    )


def _through_network(job: Job, images: list[Tensor]) -> np.ndarray:
    features = job.kind.features(job.backbone, torch.stack(images))
    if not torch.isfinite(features).all():
        raise NrlDedupError(
            f"{job.backbone.row.name}: its weights give features that are not finite numbers. Name other weights "
            "with --backbone-weights FILE."
        )
    return job.kind.encode(features.float().cpu().numpy())


def forecast(job: Job, photos: int, progress: Progress) -> None:
    """Says how many hours are ahead, where it is one or more, by the time that the network takes on this device."""
    images = photos * max(1, job.views)
    if images < WORTH_MEASURING:
        return
    sample = [torch.zeros(3, 224, 224)] * MEASURED
    _through_network(job, sample)  # the first time is slower
    start = time.perf_counter()
    _through_network(job, sample)
    hours = (time.perf_counter() - start) / MEASURED * images / 3600
    if hours >= LONG_WORK_HOURS:
        progress.warn(
            f"{images:,} views of {photos:,} photos through {job.backbone.row.name} on "
            f"{job.backbone.device.type}: about {hours:,.1f} hours. What is finished is kept if you stop it."
        )
