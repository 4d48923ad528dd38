"""Photo features: computed once for each photo, kept in the work directory, found again by the next run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64, Shaped, UInt64

from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.compute import NetworkProduct
from nrl_dedup.features.photos.feature_kinds import KINDS, Kind
from nrl_dedup.features.photos.kept_photos import stamped
from nrl_dedup.features.photos.photo_folder import ABSENCES
from nrl_dedup.features.photos.photo_pass import Request, fill_stores
from nrl_dedup.features.photos.shards import ShardStore
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.runtime.progress import SILENT, Progress

VERSION = 2  # of decoding, views and layout: features of another version are not taken for these
# Views through the network at a time. Not tuned. Features of another batch size can differ in their last bits.
BATCH_SIZE = {"cpu": 32, "cuda": 128}


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

        :raises IndexError: there is no such row or view; -1 means a photo that is not there.
        """
        if np.any(rows < 0) or np.any(np.asarray(view) < 0):
            raise IndexError(
                "A row and a view are 0 or more; the rows of unreadable photos must be left out."
            )
        return self.kind.decode(np.asarray(self.stored[rows, view]))


def compute_features(
    refs: Sequence[str] | pl.Series,
    source: PhotoSource,
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
    product = network_product(
        source, backbone, work_dir, views=views, seed=seed, kind=kind, device=device
    )
    photos = stamped(refs, source)
    unread = fill_stores([Request(product, photos)], source, progress)
    return stored_features(product, photos, unread)


def network_product(
    source: PhotoSource,
    backbone: Backbone,
    work_dir: Path,
    *,
    views: int = 0,
    seed: int = 0,
    kind: str,
    device: torch.device,
) -> NetworkProduct:
    """The features that `compute_features` computes, as a product of the photo pass; the arguments are the same."""
    form = KINDS[kind]
    dtype, shape = form.stored(form.shape(backbone.row))
    plan = f"views{views}-seed{seed}" if views else "centre"
    name = f"{backbone.row.name}-{backbone.fingerprint[:12]}-{kind}-{source_digest(source)}-{plan}-v{VERSION}"
    store = ShardStore(work_dir / "photos" / name, (max(1, views), *shape), dtype)
    return NetworkProduct(store, backbone, form, views, seed, BATCH_SIZE[device.type])


def source_digest(source: PhotoSource) -> str:
    """12 hexadecimal digits of what `describe` says: photos of two sources are never taken for each other."""
    path = source.describe().encode("utf-8", "surrogateescape")
    return hashlib.sha256(path).hexdigest()[:12]


def stored_features(
    product: NetworkProduct, photos: pl.DataFrame, unread: pl.DataFrame
) -> PhotoFeatures:
    """What the product's store keeps of these photos.

    :param photos: as `kept_photos.stamped` gives them. :param unread: photo, reason: what `fill_stores` could not read.
    """
    known = product.store.find(photos.filter(pl.col("size") >= 0))
    absent = photos.filter(pl.col("size") < 0).select(
        "photo", reason=pl.col("size").replace_strict(ABSENCES, return_dtype=pl.String)
    )
    undecodable = known.filter(pl.col("row") < 0).select("photo", "reason")
    stored, digests = product.store.rows()
    return PhotoFeatures(
        photos=known.filter(pl.col("row") >= 0).select("photo", "row").sort("photo"),
        unreadable=pl.concat([absent, undecodable, unread]).sort("photo"),
        digests=digests,
        stored=stored,
        kind=product.kind,
        shape=product.kind.shape(product.backbone.row),
    )
