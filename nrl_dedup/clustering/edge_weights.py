"""What speaks for and against two ads being in one cluster: scored pairs, and pairs that were not scored."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from nrl_dedup.clustering.connected_components import connected_components
from nrl_dedup.tables import SCORED_PAIRS, check

Weigh = Callable[[Float64[np.ndarray, "pairs"], float], Float64[np.ndarray, "pairs"]]


@dataclass(frozen=True)
class EdgeWeights:
    """The scored pairs inside the components of three ads or more, and what each weighs.

    `weight`: 0 or more for a link, below 0 for another pair.

    A pair a, b that was not scored weighs `unscored` (1 - f_a f_b), `unscored` being the weight of score 0 and f_a,
    `share`, the share of links among all scored pairs of a. Blocking did not find the pair, which says that the two
    are not alike, if they have other candidates that are no links (f near 0). Where all their candidates are links
    (f = 1), there was no room for it, and it says nothing. So the hundred re-posts of one thing, of which each is a
    candidate of twenty, stay together.

    `component`: of each ad, the smallest row of its connected component.
    """

    component: Int64[np.ndarray, "ads"]
    left: Int64[np.ndarray, "pairs"]
    right: Int64[np.ndarray, "pairs"]
    weight: Float64[np.ndarray, "pairs"]
    share: Float64[np.ndarray, "ads"]
    unscored: float

    def near(self) -> dict[int, dict[int, float]]:
        """For each ad of a scored pair, the other ad of each, with weight - unscored (1 - f_a f_b).

        With n_A ads and F_A = sum of f in cluster A, the weights of all pairs between the clusters A and B sum to
        what these sum to, and unscored (n_A n_B - F_A F_B). So no unscored pair is ever looked at.
        """
        room = 1 - self.share[self.left] * self.share[self.right]
        values = self.weight - self.unscored * room
        near: dict[int, dict[int, float]] = {}
        for a, b, value in zip(
            self.left.tolist(), self.right.tolist(), values.tolist(), strict=True
        ):
            near.setdefault(a, {})[b] = value
            near.setdefault(b, {})[a] = value
        return near

    def undecided(self) -> Int64[np.ndarray, "ads"]:
        """Labels to begin with: the component of an ad where that is two ads, which a link joins; else the ad's row."""
        size = np.bincount(self.component, minlength=len(self.component))[self.component]
        return np.where(size > 2, np.arange(len(size)), self.component)


def gather_edge_weights(
    scored: pl.DataFrame, ads: int, threshold: float, weigh: Weigh
) -> EdgeWeights:
    """Weigh the scored pairs that can matter: nothing joins two components of the links.

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too. A pair of an ad with itself is passed over.
    :param weigh: of scores and the threshold, the weights: 0 at the threshold, rising with the score.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    component = connected_components(scored, ads, threshold)
    scored = check(scored, SCORED_PAIRS, "scored pairs").filter(pl.col("row_l") != pl.col("row_r"))
    left, right, score = (scored[name].to_numpy() for name in SCORED_PAIRS)
    ends = np.concatenate([left, right])
    links = np.bincount(ends, np.tile(score >= threshold, 2), ads)
    inside = (component[left] == component[right]) & (
        np.bincount(component, minlength=ads)[component[left]] > 2
    )
    # Scores have 32 bits: so has the threshold that they are compared with.
    weights = weigh(
        np.append(score[inside], np.float32(0)).astype(np.float64), float(np.float32(threshold))
    )
    return EdgeWeights(
        component=component,
        left=left[inside],
        right=right[inside],
        weight=weights[:-1],
        share=links / np.maximum(np.bincount(ends, minlength=ads), 1),
        unscored=float(weights[-1]),
    )
