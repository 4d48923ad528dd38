"""The nearest ads of each ad in one space: what blocking searches, and what pair evidence is judged against."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

NONE = -1


@dataclass(frozen=True)
class Neighbours:
    """Of each ad the nearest others, the nearest first.

    `rows`: NONE where there are fewer, and for an ad that is not in the space (one without a photo). `similarities`:
    the higher, the nearer; NaN where there is none.
    """

    rows: Int64[np.ndarray, "ads neighbours"]
    similarities: Float32[np.ndarray, "ads neighbours"]

    def spread(self, places: Int64[np.ndarray, "ads"], count: int) -> "Neighbours":
        """The same among `count` ads, of which these are the ones at `places`; the others are not in the space."""
        rows = np.full((count, self.rows.shape[1]), NONE)
        rows[places] = np.append(places, NONE)[self.rows]
        similarities = np.full(rows.shape, np.nan, np.float32)
        similarities[places] = self.similarities
        return Neighbours(rows, similarities)

    def shared(self, stand_in: Int64[np.ndarray, "ads"]) -> "Neighbours":
        """Each ad with the neighbours of the ad that stands for it."""
        return Neighbours(self.rows[stand_in], self.similarities[stand_in])


@dataclass(frozen=True)
class NeighbourLists:
    """One sense of nearness, and what was found by it.

    `is_hub`: ads of a crowd, that is of more equal ads than a list can name. Each lists others of the crowd, the
    smallest row first; which of the rest it names says nothing. `index`: the search that was used, in words.
    `recall`: the share of the exact nearest that it found on a sample (1.0 where the search is exact).
    """

    name: str
    neighbours: Neighbours
    is_hub: Bool[np.ndarray, "ads"]
    index: str
    recall: float

    def spread(self, places: Int64[np.ndarray, "ads"], count: int) -> "NeighbourLists":
        """As `Neighbours.spread`."""
        is_hub = np.zeros(count, dtype=bool)
        is_hub[places] = self.is_hub
        return NeighbourLists(
            self.name, self.neighbours.spread(places, count), is_hub, self.index, self.recall
        )

    def shared(self, stand_in: Int64[np.ndarray, "ads"]) -> "NeighbourLists":
        """As `Neighbours.shared`."""
        return replace(
            self, neighbours=self.neighbours.shared(stand_in), is_hub=self.is_hub[stand_in]
        )
