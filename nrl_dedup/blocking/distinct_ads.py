"""The two numbers of an ad: its row in the catalogue, and its place among the distinct ads."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped

from nrl_dedup.blocking.exact_duplicates import Groups
from nrl_dedup.tables import CatalogueRows, DistinctRows, distinct_ends

_LEFT_OUT = -1  # in place of a number: ads with neither a text nor a readable photo

PairMask = Bool[np.ndarray, "pairs"]


@dataclass(frozen=True)
class DistinctPairs:
    """Of some pairs of catalogue rows, those whose two ads are distinct ads.

    `is_there`: which of the pairs they are; `distinct_l`, `distinct_r`: these, in their order.
    """

    is_there: PairMask
    distinct_l: Int64[np.ndarray, "there"]
    distinct_r: Int64[np.ndarray, "there"]

    def spread(self, is_true: Bool[np.ndarray, "there"]) -> PairMask:
        """What is known of those that are there, for all of the pairs: False for the others."""
        found = np.zeros(len(self.is_there), dtype=bool)
        found[self.is_there] = is_true
        return found


@dataclass(frozen=True)
class DistinctAds:
    """The distinct ads of a catalogue, numbered from 0 on in the order of their rows.

    Copies are equal in their texts, all their photos and all columns that are compared; the one of the smallest row
    represents them. Ads with neither a text nor a readable photo are left out: they have a row, but no number here.

    `rows`: of each distinct ad, its row in the catalogue, ascending.
    """

    rows: Int64[np.ndarray, "distinct"]
    _number_of_row: Int64[np.ndarray, "ads"]

    @classmethod
    def of(cls, copies: Groups, is_usable: Bool[np.ndarray, "ads"]) -> "DistinctAds":
        """:param is_usable: whether an ad has a text or a readable photo."""
        rows = copies.representatives[is_usable[copies.representatives]]
        number = np.full(len(copies.group_of), _LEFT_OUT)
        number[rows] = np.arange(len(rows))
        representative = copies.representatives[copies.group_of]
        return cls(rows, number[representative])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def catalogue_size(self) -> int:
        """How many ads the catalogue has: distinct ones, copies, and those that are left out."""
        return len(self._number_of_row)

    def has(self, rows: CatalogueRows) -> PairMask:
        """Whether the ad of each row is a distinct ad, or a copy of one.

        :raises IndexError: the catalogue has no such row.
        """
        return self._numbers(rows) != _LEFT_OUT

    def of_rows(self, rows: CatalogueRows) -> DistinctRows:
        """The distinct ad of each row: the ad itself, or the one that represents it.

        :raises IndexError: the catalogue has no such row, or its ad is left out (`has`).
        """
        numbers = self._numbers(rows)
        left_out = rows[numbers == _LEFT_OUT]
        if len(left_out):
            raise IndexError(
                f"wanted ads with a text or a readable photo; row {left_out[0]} has none"
            )
        return numbers

    def to_rows(self, distinct: DistinctRows) -> CatalogueRows:
        """The row of each distinct ad.

        :raises IndexError: there is no such ad.
        """
        _check_not_negative(distinct)
        return self.rows[distinct]

    def pairs(self, row_l: CatalogueRows, row_r: CatalogueRows) -> DistinctPairs:
        """Of pairs of catalogue rows, those whose two ads are distinct ads.

        :raises IndexError: the catalogue has no such row.
        """
        is_there = self.has(row_l) & self.has(row_r)
        left = self.of_rows(row_l[is_there])
        right = self.of_rows(row_r[is_there])
        return DistinctPairs(is_there, left, right)

    def table_of_rows(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """A table of pairs of distinct ads as one of catalogue rows, with its further columns.

        :raises NrlDedupError: it is a table of catalogue rows already.
        """
        left, right = distinct_ends(pairs)
        row_l = pl.Series("row_l", self.to_rows(left))
        row_r = pl.Series("row_r", self.to_rows(right))
        further = pairs.drop("distinct_l", "distinct_r")
        return pl.DataFrame([row_l, row_r, *further])

    def spread(
        self, values: Shaped[np.ndarray, "distinct"], left_out: bool | float
    ) -> Shaped[np.ndarray, "ads"]:
        """Values of distinct ads by row of the catalogue; `left_out` for ads that are no distinct ones."""
        with_last = np.append(values, np.array(left_out, values.dtype))
        place = np.where(self._number_of_row == _LEFT_OUT, len(values), self._number_of_row)
        return with_last[place]

    def _numbers(self, rows: CatalogueRows) -> DistinctRows:
        _check_not_negative(rows)
        return self._number_of_row[rows]


def _check_not_negative(numbers: Int64[np.ndarray, "numbers"]) -> None:
    """NumPy would count these from the end.

    :raises IndexError: one is below 0.
    """
    if numbers.min(initial=0) < 0:
        raise IndexError(f"wanted numbers of ads from 0 on, found {numbers.min()}")
