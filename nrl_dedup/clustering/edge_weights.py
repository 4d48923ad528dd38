"""Weights for and against two ads being in one cluster: of scored pairs, and of pairs that were not scored."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.clustering.connected_components import connected_components
from nrl_dedup.tables import SCORED_PAIRS, check

Ads = Int64[np.ndarray, "ads"]
Rows = Int64[np.ndarray, "pairs"]
PairValues = Float64[np.ndarray, "pairs"]
Weigh = Callable[[PairValues, float], PairValues]


@dataclass(frozen=True)
class EdgeWeights:
    """The scored pairs inside the components of three ads or more, and what each weighs.

    `weight`: 0 or more for a link, below 0 for another pair.

    A pair a, b that was not scored weighs `unscored` (1 - f_a f_b), `unscored` being the weight of score 0 and f_a,
    `share`, the share of links among all scored pairs of a. That blocking did not find the pair is evidence against
    it, if the two have other candidates that are no links (f near 0). Where all their candidates are links (f = 1),
    there was no room for it, and it is no evidence. So the hundred re-posts of one thing, of which each is a
    candidate of twenty, stay together.

    `component`: of each ad, the smallest row of its connected component.
    """

    component: Ads
    left: Rows
    right: Rows
    weight: PairValues
    share: Float64[np.ndarray, "ads"]
    unscored: float

    def near(self) -> dict[int, dict[int, float]]:
        """For each ad of a scored pair, the other ad of each, with weight - unscored (1 - f_a f_b).

        With n_A ads and F_A = sum of f in cluster A, the weights of all pairs between the clusters A and B sum to
        what these sum to, and unscored (n_A n_B - F_A F_B). So no unscored pair is ever looked at.
        """
        share_l = self.share[self.left]
        share_r = self.share[self.right]
        room = 1 - share_l * share_r
        values = self.weight - self.unscored * room
        pairs = zip(
            self.left.tolist(),
            self.right.tolist(),
            values.tolist(),
            strict=True,
        )
        near: dict[int, dict[int, float]] = {}
        for a, b, value in pairs:
            near.setdefault(a, {})[b] = value
            near.setdefault(b, {})[a] = value
        return near

    def undecided(self) -> Ads:
        """Labels to begin with: the component of an ad where that is two ads, which a link joins; else the ad's row."""
        size_of_component = np.bincount(self.component, minlength=len(self.component))
        size = size_of_component[self.component]
        rows = np.arange(len(size))
        return np.where(size > 2, rows, self.component)


def gather_edge_weights(
    scored: pl.DataFrame, ads: int, threshold: float, weigh: Weigh
) -> EdgeWeights:
    """Weigh the scored pairs that can matter: nothing joins two components of the links.

    :param scored: `tables.SCORED_PAIRS`, those below `threshold` too. A pair of an ad with itself is passed over.
    :param weigh: of scores and the threshold, the weights: 0 at the threshold, rising with the score.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    component = connected_components(scored, ads, threshold)
    checked = check(scored, SCORED_PAIRS, "scored pairs")
    pairs = checked.filter(pl.col("row_l") != pl.col("row_r"))
    left = pairs["row_l"].to_numpy()
    right = pairs["row_r"].to_numpy()
    score = pairs["score"].to_numpy()
    size_of_component = np.bincount(component, minlength=ads)
    same_component = component[left] == component[right]
    several = size_of_component[component[left]] > 2
    inside = same_component & several
    is_link = score >= threshold
    with_unscored = np.append(score[inside], np.float32(0))  # the last: an unscored pair
    # Scores have 32 bits: so has the threshold that they are compared with.
    rounded_threshold = float(np.float32(threshold))
    weights = weigh(with_unscored.astype(np.float64), rounded_threshold)
    return EdgeWeights(
        component=component,
        left=left[inside],
        right=right[inside],
        weight=weights[:-1],
        share=_share_of_links(left, right, is_link, ads),
        unscored=float(weights[-1]),
    )


def _share_of_links(
    left: Rows, right: Rows, is_link: Bool[np.ndarray, "pairs"], ads: int
) -> Float64[np.ndarray, "ads"]:
    """The share of links among all pairs of each ad; 0 without pairs."""
    ends = np.concatenate([left, right])
    is_link_of_end = np.tile(is_link, 2)
    links = np.bincount(ends, is_link_of_end, ads)
    pairs = np.bincount(ends, minlength=ads)
    return links / np.maximum(pairs, 1)
