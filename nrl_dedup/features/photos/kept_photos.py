"""What is made of each photo once, and found again by the next run for as long as the photo stays the same."""

import re
from collections.abc import Sequence

import polars as pl

from nrl_dedup.features.photos.shards import ShardStore
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.runtime.progress import Progress


def stamped(refs: Sequence[str] | pl.Series, source: PhotoSource) -> pl.DataFrame:
    """Columns as `shards.PHOTO`: each photo once, in the order of the references; a size below 0 is a key of
    `source.ABSENCES`."""
    asked = pl.Series("photo", refs, dtype=pl.String).drop_nulls().unique().sort()
    size, changed = source.stamps(asked.to_list())
    return asked.to_frame().with_columns(size=pl.Series(size), changed=pl.Series(changed))


def kept_and_missing(
    photos: pl.DataFrame, store: ShardStore, progress: Progress
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the store keeps of these photos, a table as `shards.INDEX`; and the photos that it lacks, in their order.

    :param photos: as `stamped` gives them; those that are not there are passed over.
    """
    _report_older_version(store, progress)
    there = photos.filter(pl.col("size") >= 0)
    kept = store.find(there)
    _report_damage(store, progress)
    return kept, there.join(kept, on="photo", how="anti", maintain_order="left")


def _report_damage(store: ShardStore, progress: Progress) -> None:
    damaged = store.newly_damaged()
    if damaged:
        progress.warn(
            f"{store.folder}: {damaged:,} parts of the features kept there are damaged; their photos are "
            "looked at anew."
        )


def _report_older_version(store: ShardStore, progress: Progress) -> None:
    if store.older_is_reported or store.folder.exists():
        return
    store.older_is_reported = True
    name, _, version = store.folder.name.rpartition("-v")
    older = []
    has_older = False
    for path in store.folder.parent.glob(f"{name}-v*"):
        other = path.name.removeprefix(f"{name}-v")
        if re.fullmatch(r"\d+", other):
            older.append(path.name)
            has_older |= int(other) < int(version)
    if has_older:
        progress.say(
            f"{store.folder.parent}: photo features of an earlier version are not used again; each photo is looked at "
            f"anew. {', '.join(sorted(older))} can be deleted."
        )
