"""What is made of each photo once, and found again by the next run for as long as the photo stays the same."""

import re
from collections.abc import Callable, Sequence

import polars as pl

from nrl_dedup.features.photos.shards import ShardStore, ShardWriter
from nrl_dedup.features.photos.source import PhotoFolder
from nrl_dedup.runtime.progress import Progress

Make = Callable[[pl.DataFrame, ShardWriter], None]


def stamped(refs: Sequence[str] | pl.Series, folder: PhotoFolder) -> pl.DataFrame:
    """Columns as `shards.PHOTO`: each photo once, in the order of the references; a size below 0 is a key of
    `photos.ABSENCES`."""
    asked = pl.Series("photo", refs, dtype=pl.String).drop_nulls().unique().sort()
    size, changed = folder.stamps(asked.to_list())
    return asked.to_frame().with_columns(size=pl.Series(size), changed=pl.Series(changed))


def keep(photos: pl.DataFrame, store: ShardStore, make: Make, progress: Progress) -> pl.DataFrame:
    """What the store keeps of these photos, a table as `shards.INDEX`, after what it lacked was made.

    :param photos: as `stamped` gives them; those that are not there are passed over.
    :param make: makes the given photos, in their order, and appends them to the store.
    :raises NrlDedupError: the store cannot be written, or is in use by another run.
    """
    _tell_of_older(store, progress)
    there = photos.filter(pl.col("size") >= 0)
    kept = store.find(there)
    _tell_of_damage(store, progress)
    if len(kept) == len(there):
        return kept
    with store.writing() as writer:
        kept = store.find(there)  # another run may have made some meanwhile
        make(there.join(kept, on="photo", how="anti", maintain_order="left"), writer)
    return store.find(there)


def _tell_of_damage(store: ShardStore, progress: Progress) -> None:
    if store.damaged:
        progress.warn(
            f"{store.folder}: {len(store.damaged):,} parts of the features kept there are damaged; their photos are "
            "looked at anew."
        )


def _tell_of_older(store: ShardStore, progress: Progress) -> None:
    if store.folder.exists():
        return
    name, _, version = store.folder.name.rpartition("-v")
    older = [
        path.name
        for path in store.folder.parent.glob(f"{name}-v*")
        if re.fullmatch(r"\d+", path.name[len(name) + 2 :])
    ]
    if any(int(path.rpartition("-v")[2]) < int(version) for path in older):
        progress.say(
            f"{store.folder.parent}: photo features of an earlier version are not used again; each photo is looked at "
            f"anew. {', '.join(sorted(older))} can be deleted."
        )
