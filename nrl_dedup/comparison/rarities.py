"""How rare a value is, such as a category or a photo file: fitted to a sample, looked up for the values of any ads."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32

from nrl_dedup.features.text.inverse_frequencies import check_lengths, places_of


@dataclass(frozen=True)
class Rarities:
    """ln(ads / ads with the value) of each of the `values` of a sample, each once.

    `of_unseen`: that of a value of one ad, ln(ads), which every value has that the sample lacks.
    """

    values: pl.Series
    rarity: Float32[np.ndarray, "known"]
    of_unseen: float

    def __post_init__(self) -> None:
        check_lengths(self.values, self.rarity)

    @classmethod
    def fit(cls, values: pl.Series, ads: int) -> "Rarities":
        """:param values: text or int64, once for each ad that has the value. :param ads: how many count."""
        counted = values.to_frame("value").group_by("value").len("ads").sort("value")
        ads_with_value = counted["ads"].to_numpy()
        at_least_one = max(ads, 1)
        rarity = np.log(at_least_one / ads_with_value).astype(np.float32)
        of_unseen = np.log(np.array([at_least_one])).astype(np.float32)
        return cls(counted["value"], rarity, float(of_unseen[0]))

    def of(self, values: pl.Series) -> Float32[np.ndarray, "asked"]:
        """The rarity of each of some values."""
        place = places_of(values, self.values)
        is_known = place >= 0
        found = np.full(len(values), self.of_unseen, np.float32)
        found[is_known] = self.rarity[place[is_known]]
        return found
