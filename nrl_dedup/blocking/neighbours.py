"""The nearest ads of each ad in one space: what blocking searches, and what comparisons are judged against."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

NONE = -1

Ads = Int64[np.ndarray, "ads"]


@dataclass(frozen=True)
class Neighbours:
    """Of each ad the nearest others, the nearest first.

    `rows`: NONE where there are fewer, and for an ad that is not in the space (one without a photo). `similarities`:
    the higher, the nearer; NaN where there is none.
    """

    rows: Int64[np.ndarray, "ads neighbours"]
    similarities: Float32[np.ndarray, "ads neighbours"]

    def spread(self, places: Ads, count: int) -> "Neighbours":
        """The same among `count` ads, of which these are the ones at `places`; the others are not in the space."""
        rows = np.full((count, self.rows.shape[1]), NONE)
        places_or_none = np.append(places, NONE)  # the last place is that of NONE
        rows[places] = places_or_none[self.rows]
        similarities = np.full(rows.shape, np.nan, np.float32)
        similarities[places] = self.similarities
        return Neighbours(rows, similarities)

    def shared(self, stand_in: Ads) -> "Neighbours":
        """Each ad with the neighbours of the ad that represents it."""
        return Neighbours(self.rows[stand_in], self.similarities[stand_in])


@dataclass(frozen=True)
class NeighbourLists:
    """One sense of nearness, and what was found by it.

    `is_hub`: ads that are equal to more ads than a list can name. Each lists others of these, the smallest row first;
    which of the rest it names has no meaning. `index`: the search that was used, in words.
    `recall`: the share of the exact nearest that it found on a sample (1.0 where the search is exact).
    """

    name: str
    neighbours: Neighbours
    is_hub: Bool[np.ndarray, "ads"]
    index: str
    recall: float

    def spread(self, places: Ads, count: int) -> "NeighbourLists":
        """As `Neighbours.spread`."""
        is_hub = np.zeros(count, dtype=bool)
        is_hub[places] = self.is_hub
        neighbours = self.neighbours.spread(places, count)
        return replace(self, neighbours=neighbours, is_hub=is_hub)

    def shared(self, stand_in: Ads) -> "NeighbourLists":
        """As `Neighbours.shared`."""
        neighbours = self.neighbours.shared(stand_in)
        return replace(self, neighbours=neighbours, is_hub=self.is_hub[stand_in])
