"""Which share of a sample's numbers is lower than a number, of the sample or not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True)
class Quantiles:
    """`values`: the different numbers of a sample, ascending; `lower`: how many of its numbers are lower than each of
    them, and in the end how many there are."""

    values: Float64[np.ndarray, "values"]
    lower: Int64[np.ndarray, "values_plus_1"]

    def __post_init__(self) -> None:
        """:raises ValueError: the two do not fit each other."""
        if len(self.lower) != len(self.values) + 1:
            raise ValueError(f"{len(self.values):,} values have {len(self.lower):,} counts")

    @classmethod
    def fit(cls, numbers: Float64[np.ndarray, "ads"]) -> "Quantiles":
        """:param numbers: NaN of an ad without one."""
        there = numbers[~np.isnan(numbers)]
        values, counts = np.unique(there, return_counts=True)
        ends = np.cumsum(counts)
        return cls(values, np.append(0, ends))

    def of(self, numbers: Float64[np.ndarray, "some"]) -> Float64[np.ndarray, "some"]:
        """The share of the sample's numbers that are lower, ties at their middle; NaN of NaN, and without a sample."""
        first_not_lower = np.searchsorted(self.values, numbers, side="left")
        first_higher = np.searchsorted(self.values, numbers, side="right")
        middle = (self.lower[first_not_lower] + self.lower[first_higher]) / 2
        count = self.lower[-1]
        if count == 0:
            return np.full(len(numbers), np.nan)
        return np.where(np.isnan(numbers), np.nan, middle / count)
