"""Equal ads as one: k neighbours of one of 5,000 copies would be 5,000 copies.

What becomes one here is searched for once, and compared all the same: nothing is linked because it was collapsed.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64
from scipy import sparse

from nrl_dedup.tables import CANDIDATE_PAIRS

CHUNK = 65_536


@dataclass(frozen=True)
class Groups:
    """Which ads stand for which: every ad belongs to one group, most groups have one ad.

    `representatives`: the smallest row of each group, ascending. `group_of`: each ad's group, as a position in
    `representatives`.
    """

    representatives: Int64[np.ndarray, "groups"]
    group_of: Int64[np.ndarray, "ads"]

    def stars(self) -> pl.DataFrame:
        """`tables.CANDIDATE_PAIRS`: each ad that another stands for, paired with that other; ordered by row_r."""
        leader = self.representatives[self.group_of]
        members = np.flatnonzero(leader != np.arange(len(leader)))
        return pl.DataFrame({"row_l": leader[members], "row_r": members}, schema=CANDIDATE_PAIRS)


def collapse(
    catalogue: pl.DataFrame,
    photo_digest: UInt64[np.ndarray, "ads"],
    columns: pl.DataFrame | None = None,
) -> Groups:
    """Group the ads of the same raw title, the same raw description, the bytes of the same photos, and equal values in
    every one of `columns`.

    Ads that have neither a photo nor any letter, digit or sign (white space is none) are never grouped: nothing says
    that they are the same. Texts are grouped by two 64-bit hashes and then compared, so that different texts never
    share a group; two equal texts are kept apart only if a third one has the hashes of both.

    :param catalogue: columns title and description, without nulls, in the order of the rows. :param photo_digest: a
        digest of the bytes of each ad's photos, 0 where it has no readable photo. :param columns: text by row.
    """
    columns = (
        pl.DataFrame()
        if columns is None
        else columns.select(pl.all().fill_null("").name.prefix("column "))
    )
    compared = catalogue.select("title", "description").hstack(columns)
    hashes = compared.select(
        pl.col(name).hash(seed=place) for place, name in enumerate(compared.columns)
    )
    leader = _smallest_row(hashes.with_columns(digest=photo_digest))
    no_text = (pl.col("title").str.strip_chars() == "") & (
        pl.col("description").str.strip_chars() == ""
    )
    empty = compared.select(no_text).to_series().to_numpy() & (photo_digest == 0)
    leader[empty] = np.flatnonzero(empty)
    members = np.flatnonzero(leader != np.arange(len(leader)))
    same = np.ones(len(members), dtype=bool)
    for name in compared.columns:
        same &= (
            compared[name].gather(members) == compared[name].gather(leader[members])
        ).to_numpy()
    leader[members[~same]] = members[~same]
    representatives, group_of = np.unique(leader, return_inverse=True)
    return Groups(representatives, group_of)


def first_of_equal(z: Float32[np.ndarray, "ads size"]) -> Int64[np.ndarray, "ads"]:
    """For each ad the smallest row with the same vector, value by value (0.0 and -0.0 are equal).

    Like `collapse`, by hashes that are then compared.
    """
    rows = np.arange(len(z))
    if not len(z):
        return rows
    hashes = [
        pl.from_numpy(z[start : start + CHUNK]).hash_rows() for start in range(0, len(z), CHUNK)
    ]
    first = _smallest_row(pl.concat(hashes).alias("hash").to_frame())
    for start in range(0, len(z), CHUNK):
        part = first[start : start + CHUNK]
        members = np.flatnonzero(part != rows[start : start + CHUNK])
        differ = members[(z[start + members] != z[part[members]]).any(axis=1)]
        part[differ] = start + differ
    return first


def first_of_equal_rows(rows: sparse.csr_array) -> Int64[np.ndarray, "rows"]:
    """For each row of a sparse matrix the smallest one with the same entries; by two 64-bit sums of hashes alone."""
    entries = pl.DataFrame({"column": rows.indices, "value": rows.data})
    hashes = [np.append(entries.hash_rows(seed=seed).to_numpy(), np.uint64(0)) for seed in (0, 1)]
    sums = [
        np.where(np.diff(rows.indptr) > 0, np.add.reduceat(each, rows.indptr[:-1]), 0)
        for each in hashes
    ]
    return _smallest_row(pl.DataFrame(sums))


def _smallest_row(frame: pl.DataFrame) -> Int64[np.ndarray, "rows"]:
    """For each row of `frame` the smallest row with the same values."""
    smallest = frame.with_row_index("row").select(pl.col("row").min().over(frame.columns))
    return smallest.to_series().to_numpy().astype(np.int64)
