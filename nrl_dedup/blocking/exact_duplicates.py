"""Equal ads as one: k neighbours of one of 5,000 copies would be 5,000 copies.

What becomes one here is searched for once, and compared all the same: nothing is linked because it was collapsed.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64
from scipy import sparse

from nrl_dedup.tables import IDENTICAL_PAIRS

CHUNK_ADS = 65_536  # 32 MiB of vectors of 128 numbers

Ads = Int64[np.ndarray, "ads"]


@dataclass(frozen=True)
class Groups:
    """Which ads represent which: every ad belongs to one group, most groups have one ad.

    `representatives`: the smallest row of each group, ascending. `group_of`: each ad's group, as a position in
    `representatives`.
    """

    representatives: Int64[np.ndarray, "groups"]
    group_of: Ads

    @classmethod
    def of_one_each(cls, ads: int) -> "Groups":
        """Every ad by itself."""
        rows = np.arange(ads)
        return cls(rows, rows)

    def copy_pairs(self) -> pl.DataFrame:
        """`tables.IDENTICAL_PAIRS`: each ad that another represents (row_r), with that other; ordered by row_r."""
        leader = self.representatives[self.group_of]
        members = _not_their_own(leader)
        columns = {"row_l": leader[members], "row_r": members}
        return pl.DataFrame(columns, schema=IDENTICAL_PAIRS)


def collapse(
    catalogue: pl.DataFrame,
    photo_digest: UInt64[np.ndarray, "ads"],
    columns: pl.DataFrame | None = None,
) -> Groups:
    """Group the ads of the same raw title, the same raw description, the bytes of the same photos, and equal values in
    every one of `columns`.

    Ads that have neither a photo nor any letter, digit or sign (white space is not a sign) are never grouped: there is
    no evidence that they are the same. Texts are grouped by two 64-bit hashes and then compared, so that different
    texts never share a group; two equal texts are kept apart only if a third one has the hashes of both.

    :param catalogue: columns title and description, without nulls, in the order of the rows. :param photo_digest: a
        digest of the bytes of each ad's photos, 0 where it has no readable photo. :param columns: text by row.
    """
    compared = catalogue.select("title", "description")
    if columns is not None:
        filled = columns.select(pl.all().fill_null("").name.prefix("column "))
        compared = compared.hstack(filled)
    hashes = compared.select(
        pl.col(name).hash(seed=place) for place, name in enumerate(compared.columns)
    )
    leader = _smallest_row(hashes.with_columns(digest=photo_digest))
    no_title = pl.col("title").str.strip_chars() == ""
    no_description = pl.col("description").str.strip_chars() == ""
    has_no_text = compared.select(no_title & no_description).to_series().to_numpy()
    is_empty = has_no_text & (photo_digest == 0)
    leader[is_empty] = np.flatnonzero(is_empty)
    members = _not_their_own(leader)
    same = np.ones(len(members), dtype=bool)
    for name in compared.columns:
        own = compared[name].gather(members)
        of_leader = compared[name].gather(leader[members])
        same &= (own == of_leader).to_numpy()
    different = members[~same]
    leader[different] = different
    representatives, group_of = np.unique(leader, return_inverse=True)
    return Groups(representatives, group_of)


def first_of_equal(z: Float32[np.ndarray, "ads size"]) -> Ads:
    """For each ad the smallest row with the same vector, value by value (0.0 and -0.0 are equal).

    Like `collapse`, by hashes that are then compared.
    """
    rows = np.arange(len(z))
    if not len(z):
        return rows
    hashes = []
    for start in range(0, len(z), CHUNK_ADS):
        some = pl.from_numpy(z[start : start + CHUNK_ADS])
        hashes.append(some.hash_rows())
    hashed = pl.concat(hashes).alias("hash")
    first = _smallest_row(hashed.to_frame())
    for start in range(0, len(z), CHUNK_ADS):
        own = rows[start : start + CHUNK_ADS]
        part = first[start : start + CHUNK_ADS]
        members = np.flatnonzero(part != own)
        own_vectors = z[start + members]
        first_vectors = z[part[members]]
        differs = (own_vectors != first_vectors).any(axis=1)
        different = members[differs]
        part[different] = start + different
    return first


def first_of_equal_rows(rows: sparse.csr_array) -> Int64[np.ndarray, "rows"]:
    """For each row of a sparse matrix the smallest one with the same entries; by two 64-bit sums of hashes alone."""
    entries = pl.DataFrame({"column": rows.indices, "value": rows.data})
    has_entries = np.diff(rows.indptr) > 0
    sums = []
    for seed in (0, 1):
        hashes = entries.hash_rows(seed=seed).to_numpy()
        padded = np.append(hashes, np.uint64(0))  # a start may be one after the last entry
        sum_of_row = np.add.reduceat(padded, rows.indptr[:-1])
        sums.append(np.where(has_entries, sum_of_row, 0))
    return _smallest_row(pl.DataFrame(sums))


def _not_their_own(leader: Ads) -> Int64[np.ndarray, "members"]:
    """The ads that another one represents."""
    return np.flatnonzero(leader != np.arange(len(leader)))


def _smallest_row(frame: pl.DataFrame) -> Int64[np.ndarray, "rows"]:
    """For each row of `frame` the smallest row with the same values."""
    smallest = pl.col("row").min().over(frame.columns)
    found = frame.with_row_index("row").select(smallest)
    return found.to_series().to_numpy().astype(np.int64)
