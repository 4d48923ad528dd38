"""From a photo's name to its features: read and decode ahead, through the network in batches, shard by shard."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count

import numpy as np
import polars as pl
import torch
from torch import Tensor

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.backbones import Backbone, pooled, regions
from nrl_dedup.features.decoding import UnreadablePhoto, decode, quiet_pillow
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.shards import INDEX, ShardWriter
from nrl_dedup.features.views import centre_view, training_view
from nrl_dedup.progress import Progress, Task

SHARD = 256
READERS = min(16, (cpu_count() or 1) + 2)
IMAGES_AHEAD = 256  # decoded views that wait for the network: 150 MB
LONG_WORK_HOURS = 1.0
WORTH_MEASURING = 2000  # images; the forecast itself costs some seconds
MEASURED = 8


@dataclass(frozen=True)
class Kind:
    """What is kept of a photo. Regions are halved: at most 2^-11 of a value is lost, beyond 65504 it is cut."""

    features: Callable[[Backbone, Tensor], Tensor]
    dtype: np.dtype
    shape: Callable[[Backbone], tuple[int, ...]]


KINDS = {
    "pooled": Kind(pooled, np.dtype(np.float32), lambda backbone: (backbone.row.pooled_size,)),
    "regions": Kind(regions, np.dtype(np.float16), lambda backbone: backbone.row.regions),
}


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
    def shape(self) -> tuple[int, ...]:
        return (max(1, self.views), *self.kind.shape(self.backbone))


@dataclass(frozen=True)
class _Prepared:
    """A photo on its way to the network. `lasting`: its bytes decided that it is unreadable, and will again."""

    views: list[Tensor]
    digest: int = 0
    reason: str | None = None
    lasting: bool = True


def extract(job: Job, missing: pl.DataFrame, writer: ShardWriter, progress: Progress) -> pl.DataFrame:
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
    features = np.concatenate(batches) if batches else np.empty((0, *job.shape[1:]), job.kind.dtype)
    columns = {"digest": pl.UInt64, "reason": pl.String, "lasting": pl.Boolean}
    table = shard.hstack(pl.DataFrame(results, schema=columns, orient="row"))
    readable = pl.col("reason").is_null()
    table = table.with_columns(row=pl.when(readable).then(readable.cum_sum().cast(pl.Int64) - 1).otherwise(-1))
    return features.reshape(-1, *job.shape), table


def _prepared_ahead(pool: ThreadPoolExecutor, job: Job, refs: list[str]) -> Iterator[_Prepared]:
    """The photos in order, read and decoded by the pool while the network is busy with those before."""
    ahead = max(READERS, IMAGES_AHEAD // job.shape[0])
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
    return _Prepared([training_view(image, _view_seed(job.seed, view, ref)) for view in range(job.views)], digest)


def _view_seed(seed: int, view: int, ref: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {view} {ref}".encode(), digest_size=8).digest(), "little")


def _through_network(job: Job, images: list[Tensor]) -> np.ndarray:
    features = job.kind.features(job.backbone, torch.stack(images))
    if not torch.isfinite(features).all():
        raise NrlDedupError(
            f"{job.backbone.row.name}: its weights give features that are not finite numbers. Name other weights "
            "with --backbone-weights FILE."
        )
    limit = float(np.finfo(job.kind.dtype).max)
    return features.clamp(-limit, limit).cpu().numpy().astype(job.kind.dtype, copy=False)


def forecast(job: Job, photos: int, progress: Progress) -> None:
    """Says how many hours are ahead, where it is one or more, by the time that the network takes on this device."""
    images = photos * job.shape[0]
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
