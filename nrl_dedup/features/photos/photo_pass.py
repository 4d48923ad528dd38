"""One pass over photos: each is read and decoded once, and handed to every product whose store lacks it.

A store takes its photos in shards of `SHARD`, in the order of their references, whatever other stores are filled in the
same pass: the files of a store are the same as if it had been filled alone.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from os import cpu_count
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Shaped
from PIL import Image

from nrl_dedup.features.photos.decoding import decode, quiet_pillow
from nrl_dedup.features.photos.kept_photos import kept_and_missing
from nrl_dedup.features.photos.shards import INDEX, PHOTO, ShardStore, ShardWriter
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from nrl_dedup.runtime.progress import Progress

# Photos in a shard: what a killed run loses at most, and one small file each. Not tuned.
SHARD = 256
# Threads that read and decode: two more than cores, since some of them wait for the disk. Not tuned.
READERS = min(16, (cpu_count() or 1) + 2)
# Decoded views that wait for the network: 150 MB.
IMAGES_AHEAD = 256

UNREAD = {"photo": pl.String, "reason": pl.String}


@runtime_checkable
class PhotoProduct(Protocol):
    """What is made of each photo and kept in a store of its own.

    `label`: of the progress bar. `views`: how many views of a photo wait in memory, 0 if what waits is small.
    """

    label: str
    store: ShardStore
    views: int

    def check_before(self, photos: int, progress: Progress) -> None:
        """Before any photo is read. :raises NrlDedupError: there is no room for so many photos."""

    def prepare(self, photo: str, image: Image.Image) -> Any:
        """From a decoded photo (RGB) to what `add` takes; called by several threads at a time."""

    def add(self, prepared: Any) -> None:
        """The next readable photo of the current shard."""

    def take_rows(self) -> Shaped[np.ndarray, "readable ..."]:
        """The rows of the photos added since the last call: one finished shard."""

    def discard(self) -> None:
        """Forget the photos added since the last `take_rows`: a pass that failed has left them."""


@dataclass(frozen=True)
class Request:
    """A product, and the photos (columns `shards.PHOTO`, as `kept_photos.stamped` gives them) that it is wanted of."""

    product: PhotoProduct
    photos: pl.DataFrame


@dataclass(frozen=True)
class _ReadPhoto:
    """A photo as the reader threads leave it.

    `prepared`: for each store that lacks the photo, in their order; empty if it is unreadable. `digest`: of its bytes;
    0 if it is unreadable. `lasting`: its bytes decided whether it is readable, so the next run need not try again.
    """

    prepared: tuple[Any, ...]
    digest: int = 0
    reason: str | None = None
    lasting: bool = True


class _Filling:
    """A store while it is filled: the current shard, and the photos that could not be read this time."""

    def __init__(self, product: PhotoProduct, missing: pl.DataFrame, writer: ShardWriter) -> None:
        self.product = product
        self.missing = missing
        self.names = frozenset(missing["photo"])
        self.unread: list[tuple[str, str | None]] = []
        self._writer = writer
        self._index: list[tuple] = []
        self._row = 0  # of the next readable photo, in the current shard
        self._taken = 0

    def take(self, photo: tuple[str, int, int], read: _ReadPhoto, place: int) -> None:
        """A photo that the store lacks. :param place: of this product in `read.prepared`."""
        if not read.lasting:
            self.unread.append((photo[0], read.reason))
        elif read.reason is not None:
            self._index.append((*photo, read.digest, -1, read.reason))
        else:
            self.product.add(read.prepared[place])
            self._index.append((*photo, read.digest, self._row, None))
            self._row += 1
        self._taken += 1
        if self._taken == SHARD:
            self.finish_shard()

    def finish_shard(self) -> None:
        """Keep the current shard, however many photos it has.

        :raises NrlDedupError: the store cannot be written.
        """
        rows = self.product.take_rows()
        if self._index:
            self._writer.append(rows, pl.DataFrame(self._index, schema=INDEX, orient="row"))
        self._index = []
        self._row = 0
        self._taken = 0


def fill_stores(
    requests: Sequence[Request], source: PhotoSource, progress: Progress
) -> pl.DataFrame:
    """Make what the stores lack of the photos they are asked for; each photo is read and decoded once.

    An unreadable photo is remembered only in the first store that lacks it; the stores after it are not asked.

    :return: photo, reason: those that could not be read this time, and are tried again by the next run.
    :raises NrlDedupError: a store cannot be written, is too small, or is in use by another run; what a product raises.
    """
    with ExitStack() as held:
        fillings = []
        for request in requests:
            filling = _begin(request, held, progress)
            if filling is not None:
                fillings.append(filling)
        if fillings:
            _read_all(fillings, source, progress)
    unread = [photo for filling in fillings for photo in filling.unread]
    return pl.DataFrame(unread, schema=UNREAD, orient="row")


def _begin(request: Request, held: ExitStack, progress: Progress) -> _Filling | None:
    """The store opened for writing; None if it lacks nothing. It stays open until `held` is closed."""
    product = request.product
    _, missing = kept_and_missing(request.photos, product.store, progress)
    if missing.is_empty():
        return None
    writer = held.enter_context(product.store.writing())
    # Another run may have made some since.
    _, missing = kept_and_missing(request.photos, product.store, progress)
    product.check_before(len(missing), progress)
    product.discard()
    return _Filling(product, missing, writer)


def _read_all(fillings: Sequence[_Filling], source: PhotoSource, progress: Progress) -> None:
    every = pl.concat([filling.missing.select(PHOTO) for filling in fillings])
    photos = every.unique("photo", keep="first").sort("photo")
    pool = ThreadPoolExecutor(READERS)
    try:
        with quiet_pillow(), progress.task(fillings[0].product.label, len(photos)) as task:
            for photo, lacking, read in _read_ahead(pool, fillings, source, photos):
                receiving = lacking if read.reason is None else lacking[:1]
                for place, filling in enumerate(receiving):
                    filling.take(photo, read, place)
                task.advance()
            for filling in fillings:
                filling.finish_shard()
    finally:
        pool.shutdown(cancel_futures=True)


Reading = tuple[tuple[str, int, int], list[_Filling], Future[_ReadPhoto]]


def _read_ahead(
    pool: ThreadPoolExecutor,
    fillings: Sequence[_Filling],
    source: PhotoSource,
    photos: pl.DataFrame,
) -> Iterator[tuple[tuple[str, int, int], list[_Filling], _ReadPhoto]]:
    """The photos in order, with the stores that lack each; the pool reads ahead while the network is busy."""
    views = sum(filling.product.views for filling in fillings)
    ahead = max(READERS, IMAGES_AHEAD // max(1, views))
    waiting: deque[Reading] = deque()
    for name, size, changed in photos.iter_rows():
        lacking = [filling for filling in fillings if name in filling.names]
        products = [filling.product for filling in lacking]
        future = pool.submit(_read_photo, source, name, products)
        waiting.append(((name, size, changed), lacking, future))
        if len(waiting) > ahead:
            photo, receiving, done = waiting.popleft()
            yield photo, receiving, done.result()
    while waiting:
        photo, receiving, done = waiting.popleft()
        yield photo, receiving, done.result()


def _read_photo(source: PhotoSource, name: str, products: Sequence[PhotoProduct]) -> _ReadPhoto:
    try:
        data = source.read(name)
    except UnreadablePhoto as error:
        return _ReadPhoto((), reason=str(error), lasting=False)
    try:
        image = decode(data)
    except UnreadablePhoto as error:
        return _ReadPhoto((), reason=str(error))
    # 0 is the digest of a row that no shard names.
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1
    return _ReadPhoto(tuple(product.prepare(name, image) for product in products), digest)
