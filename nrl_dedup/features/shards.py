"""Feature rows on disk that survive a killed run: one growing file, and a small index for each finished shard."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, FileIO
from math import prod
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Shaped

from nrl_dedup.errors import NrlDedupError

INDEX = {
    "photo": pl.String,
    "size": pl.Int64,  # of the photo in bytes: another size is another photo
    "digest": pl.UInt64,
    "row": pl.Int64,  # in the file of features; -1 for a photo that cannot be decoded
    "reason": pl.String,  # why not
}


class ShardStore:
    """A folder with `features.bin`, rows of one shape and dtype, and `shards/*.parquet`, tables as `INDEX`.

    A shard's index is renamed into place after its rows are on the disk. What the file holds beyond the last
    index belongs to a shard that was never finished, and is dropped before the next is written.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.folder = folder
        self.shape = shape
        self.dtype = dtype
        self._data = folder / "features.bin"
        self._shards = folder / "shards"

    def index(self) -> pl.DataFrame:
        """All finished shards, a table as `INDEX`; empty where nothing was ever stored.

        :raises NrlDedupError: an index is damaged.
        """
        files = self._index_files()
        if not files:
            return pl.DataFrame(schema=INDEX)
        try:
            return pl.read_parquet(files, glob=False).select(pl.col(name).cast(kind) for name, kind in INDEX.items())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise self._damaged(str(error)) from error

    def rows(self, count: int) -> Shaped[np.ndarray, "rows ..."]:
        """The first `count` rows, mapped from the disk.

        :raises NrlDedupError: the file holds fewer.
        """
        if count == 0:
            return np.empty((0, *self.shape), dtype=self.dtype)
        try:
            return np.memmap(self._data, dtype=self.dtype, mode="r", shape=(count, *self.shape))
        except (OSError, ValueError) as error:
            raise self._damaged(f"{self._data.name} holds fewer rows than its indexes name") from error

    @contextmanager
    def writing(self) -> Iterator["ShardWriter"]:
        """The right to add shards, for one run at a time.

        :raises NrlDedupError: the folder cannot be written, another run has this right, or rows are missing.
        """
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise self.not_written(error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NrlDedupError(
                    f"{self.folder}: another run is computing photo features there. Wait until it ends, or name "
                    "another folder with --work-dir."
                ) from None
            except OSError as error:
                raise self.not_written(error) from error
            with self._data_without_leftovers() as data:
                yield ShardWriter(self, data)

    @contextmanager
    def _data_without_leftovers(self) -> Iterator[FileIO]:
        finished = row_count(self.index()) * prod(self.shape) * self.dtype.itemsize
        try:
            data = FileIO(self._data, "a+")
        except OSError as error:
            raise self.not_written(error) from error
        with data:
            if data.seek(0, os.SEEK_END) < finished:
                raise self._damaged(f"{self._data.name} holds fewer rows than its indexes name")
            data.truncate(finished)
            yield data

    def _index_files(self) -> list[Path]:
        return sorted(self._shards.glob("*.parquet"))

    def not_written(self, error: OSError) -> NrlDedupError:
        return NrlDedupError(
            f"{self.folder}: photo features cannot be written there ({error.strerror}). Make room, or name another "
            "folder with --work-dir; the shards that were finished are kept."
        )

    def _damaged(self, what: str) -> NrlDedupError:
        return NrlDedupError(f"{self.folder}: these stored photo features are damaged ({what}). Delete the folder.")


class ShardWriter:
    """Adds finished shards to a store, which it alone may do while it lives."""

    def __init__(self, store: ShardStore, data: FileIO) -> None:
        self._store = store
        self._data = data
        self._next_row = row_count(store.index())
        self._next_shard = len(store._index_files())

    def append(self, features: Shaped[np.ndarray, "rows ..."], shard: pl.DataFrame) -> None:
        """Rows, and a table as `INDEX` whose `row` counts from the first of them (-1 stays).

        :raises NrlDedupError: the disk is full or cannot be written; the store is as it was.
        """
        moved = pl.when(pl.col("row") >= 0).then(pl.col("row") + self._next_row).otherwise(-1)
        table = BytesIO()
        shard.with_columns(row=moved).select(list(INDEX)).write_parquet(table)
        target = self._store._shards / f"{self._next_shard:08d}.parquet"
        try:
            _write_all(self._data, features.astype(self._store.dtype, copy=False).tobytes())
            with FileIO(target.with_suffix(".part"), "w") as part:
                _write_all(part, table.getvalue())
            target.with_suffix(".part").replace(target)
        except OSError as error:
            raise self._store.not_written(error) from error
        self._next_row += len(features)
        self._next_shard += 1


def row_count(index: pl.DataFrame) -> int:
    """How many rows of features the finished shards have."""
    return int(index.select(pl.col("row").max().fill_null(-1)).item()) + 1


def _write_all(file: FileIO, data: bytes) -> None:
    """To the disk itself: what is renamed into place after this is whole even if the power fails."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())
