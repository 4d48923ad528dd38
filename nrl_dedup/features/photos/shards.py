"""Feature rows on disk that survive a killed run: one growing file, and a small index for each finished shard.

What is kept is believed only if it fits its digest: a disk that lost its power leaves zeros in files of the right size.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO, FileIO
from math import prod
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Shaped, UInt64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.store_lock import locked

# What a photo is known by: another size or time is another photo.
PHOTO = ["photo", "size", "changed"]
INDEX = {
    "photo": pl.String,
    "size": pl.Int64,  # in bytes
    "changed": pl.Int64,  # `PhotoFolder.stamps`
    "digest": pl.UInt64,  # of the photo's bytes
    "row": pl.Int64,  # in the file of features; -1 for a photo that cannot be decoded
    "reason": pl.String,  # why not
}
CHUNK_BYTES = 2**24  # read at a time for a digest: a whole shard may be too large to hold


@dataclass(frozen=True)
class Shard:
    """A finished shard: its index file, where its rows are, and the table as `INDEX` of its photos."""

    path: Path
    first_row: int
    rows: int
    digest: str  # of the rows
    photos: pl.DataFrame

    @property
    def end(self) -> int:
        """The row after its last."""
        return self.first_row + self.rows


class ShardStore:
    """A folder with `features.bin`, rows of one shape and dtype, and `shards/*.shard`.

    Each of these files is a line of JSON (the store's name, which rows, the digests of the rows and of what follows),
    then a table as `INDEX` as Parquet. It is renamed into place after its rows are on the disk. What `features.bin`
    holds beyond the last index belongs to a shard that was never finished, and is dropped before the next is written.
    A shard that is damaged, or whose rows are, counts as never written; the next writer removes its index.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.folder = folder
        self.shape = shape
        self.dtype = dtype
        self.damaged: set[Path] = set()  # indexes that were found so
        self.data_path = folder / "features.bin"
        self.index_folder = folder / "shards"
        self._indexes: dict[Path, Shard | None] = {}  # those that were read
        self._intact: set[Path] = set()  # of shards whose rows fitted their digest
        self._reported: set[Path] = set()  # damaged ones that `newly_damaged` has counted
        self.older_is_reported = False  # whether a message has named stores of an earlier version

    @property
    def row_bytes(self) -> int:
        """Of one photo's features."""
        return prod(self.shape) * self.dtype.itemsize

    def shards(self) -> list[Shard]:
        """All finished shards, oldest first, judged by their indexes and the length of `features.bin`."""
        length = self._data_length() // self.row_bytes
        found = []
        for path in sorted(self.index_folder.glob("*.shard")):
            if path not in self._indexes:
                self._indexes[path] = self._read_index(path)
            shard = self._indexes[path]
            if shard is None or shard.end > length or path in self.damaged:
                self.damaged.add(path)
            else:
                found.append(shard)
        return found

    def newly_damaged(self) -> int:
        """How many shards were found damaged since the last call."""
        new = self.damaged - self._reported
        self._reported |= new
        return len(new)

    def find(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Those of the photos `asked` (columns `PHOTO`) that are kept, a table as `INDEX`; the rows of their shards
        are read and compared with their digests."""
        shards = self.shards()
        kept = _photos_of(shards).join(asked, on=PHOTO, how="semi", maintain_order="left")
        needed = kept["shard"].unique().to_list()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            fits = pool.map(self._fits, [shards[place] for place in needed])
            wrong = [place for place, fit in zip(needed, fits, strict=True) if not fit]
        self.damaged.update(shards[place].path for place in wrong)
        kept = kept.filter(~pl.col("shard").is_in(wrong)).drop("shard")
        return kept.unique("photo", keep="last", maintain_order=True)

    def rows(self) -> tuple[Shaped[np.ndarray, "rows ..."], UInt64[np.ndarray, "rows"]]:
        """The rows of all finished shards, mapped from the disk, and the digest of each row's photo (0 for a row that
        no shard names any more)."""
        shards = self.shards()
        count = max((shard.end for shard in shards), default=0)
        readable = _photos_of(shards).filter(pl.col("row") >= 0)
        digests = np.zeros(count, np.uint64)
        digests[readable["row"].to_numpy()] = readable["digest"].to_numpy()
        if count == 0:
            return np.empty((0, *self.shape), dtype=self.dtype), digests
        shape = (count, *self.shape)
        rows = np.memmap(self.data_path, dtype=self.dtype, mode="r", shape=shape)
        return rows, digests

    @contextmanager
    def writing(self) -> Iterator["ShardWriter"]:
        """The right to add shards, for one run at a time. What dead runs have left is removed first.

        :raises NrlDedupError: the folder cannot be written, or another run has this right.
        """
        try:
            self.index_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.not_written(error) from error
        with locked(self.folder, self.not_written):
            self._remove_leftovers()
            try:
                data = FileIO(self._regular_data_path(), "a+")
                end = max((shard.end for shard in self.shards()), default=0)
                data.truncate(end * self.row_bytes)
            except OSError as error:
                raise self.not_written(error) from error
            with data:
                yield ShardWriter(self, data, end)

    def not_written(self, error: OSError) -> NrlDedupError:
        return NrlDedupError(
            f"{self.folder}: photo features cannot be written there ({error.strerror}). Make room, or name another "
            "folder with --work-dir; the shards that were finished are kept."
        )

    def _remove_leftovers(self) -> None:
        """The temporary files of dead runs, and the indexes of damaged shards: their names are used again."""
        for leftover in (*self.index_folder.glob("*.part"), *self.damaged):
            self._indexes.pop(leftover, None)
            self._intact.discard(leftover)
            with suppress(OSError):  # a folder that someone put in its place stays
                leftover.unlink(missing_ok=True)
        self.damaged.clear()

    def _fits(self, shard: Shard) -> bool:
        """Whether the shard's rows are those that were written."""
        if shard.path not in self._intact and self._digest(shard) == shard.digest:
            self._intact.add(shard.path)
        return shard.path in self._intact

    def _digest(self, shard: Shard) -> str | None:
        total = blake2b(digest_size=16)
        left = shard.rows * self.row_bytes
        try:
            with FileIO(self.data_path) as data:
                data.seek(shard.first_row * self.row_bytes)
                while left:
                    part = data.read(min(left, CHUNK_BYTES))
                    if not part:
                        return None
                    total.update(part)
                    left -= len(part)
        except OSError:
            return None if shard.rows else total.hexdigest()
        return total.hexdigest()

    def _read_index(self, path: Path) -> Shard | None:
        """The shard of an index file; None if the file is not what was written for this store."""
        try:
            if not path.is_file():
                return None
            head, _, table = path.read_bytes().partition(b"\n")
            stated = json.loads(head)
            if stated["store"] != self.folder.name:
                return None
            if stated["index"] != _digest_of(table):
                return None
            photos = pl.read_parquet(BytesIO(table)).select(list(INDEX))
            first_row = int(stated["first_row"])
            rows = int(stated["rows"])
            return Shard(path, first_row, rows, str(stated["digest"]), photos)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return None

    def _regular_data_path(self) -> Path:
        if self.data_path.exists() and not self.data_path.is_file():
            raise OSError(0, f"{self.data_path.name} is no file")
        return self.data_path

    def _data_length(self) -> int:
        try:
            return self.data_path.stat().st_size if self.data_path.is_file() else 0
        except OSError:
            return 0


class ShardWriter:
    """Adds finished shards to a store, which it alone may do while it lives."""

    def __init__(self, store: ShardStore, data: FileIO, next_row: int) -> None:
        self._store = store
        self._data = data
        self._next_row = next_row
        names = [path.stem for path in store.index_folder.glob("*.shard")]
        numbers = [int(name) for name in names if name.isdecimal()]
        self._next_shard = max(numbers, default=-1) + 1

    def append(self, features: Shaped[np.ndarray, "rows ..."], shard: pl.DataFrame) -> None:
        """Rows, and a table as `INDEX` whose `row` counts from the first of them (-1 stays).

        :raises NrlDedupError: the disk is full or cannot be written; the store is as it was.
        """
        moved = pl.when(pl.col("row") >= 0).then(pl.col("row") + self._next_row).otherwise(-1)
        table = BytesIO()
        shard.with_columns(row=moved).select(list(INDEX)).write_parquet(table)
        rows = features.astype(self._store.dtype, copy=False).tobytes()
        stated = {
            "store": self._store.folder.name,
            "first_row": self._next_row,
            "rows": len(features),
            "digest": _digest_of(rows),
            "index": _digest_of(table.getvalue()),
        }
        target = self._store.index_folder / f"{self._next_shard:08d}.shard"
        part = target.with_suffix(".part")
        try:
            _write_all(self._data, rows)
            with FileIO(part, "w") as file:
                _write_all(file, json.dumps(stated).encode() + b"\n" + table.getvalue())
            part.replace(target)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
                self._data.truncate(self._next_row * self._store.row_bytes)
            raise self._store.not_written(error) from error
        self._next_row += len(features)
        self._next_shard += 1


def _photos_of(shards: list[Shard]) -> pl.DataFrame:
    """The tables of shards as one, with the shard's place in the list."""
    tables = [shard.photos.with_columns(shard=pl.lit(place)) for place, shard in enumerate(shards)]
    return pl.concat([pl.DataFrame(schema=INDEX | {"shard": pl.Int32}), *tables])


def _digest_of(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _write_all(file: FileIO, data: bytes) -> None:
    """To the disk itself: what is renamed into place after this is whole even if the power fails."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())
