"""From pairs of ads that represent others to pairs of all ads: what was searched for once is compared in full.

Ads of equal text and photos are searched for as one. They may differ in price, place or phone, and each of them has to
be compared for itself; but 5,000 of them have 12 million pairs, so each is paired with those that are the nearest to it
by these columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.features.text.words import ragged
from nrl_dedup.tables import CANDIDATE_PAIRS

# All pairs of a group of so many ads or fewer: the largest whose members get no more partners than an ad has
# candidates, 100 by default.
MAX_SQUARE = 100
# In a larger group, the pairs of each ad with so many that follow it in the order of the columns, beside its first. Not
# tuned.
MAX_FOLLOWING = 10
# Of two groups, all pairs where one of them has so many ads or fewer; else each ad with the other group's first and
# with its two nearest there. The more, the more pairs of groups cost that differ in words.
MAX_PRODUCT = 3

Ads = Int64[np.ndarray, "ads"]
GroupValues = Int64[np.ndarray, "groups"]
GroupPairs = Int64[np.ndarray, "pairs"]
Pairs = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"]]


@dataclass(frozen=True)
class Members:
    """The ads that each searched ad represents, itself among them, in the order of their columns.

    `stand_in`: of each ad, the place of the one that is searched for it. `ads`: group after group, those of the
    searched ad g being `ads[starts[g]:starts[g] + sizes[g]]`. `rank`: of each ad by its columns. `are_candidates`:
    whether two members of one group are a candidate pair.
    """

    searched: GroupValues
    stand_in: Ads
    ads: Ads
    starts: GroupValues
    sizes: GroupValues
    rank: Ads
    are_candidates: bool = True

    @classmethod
    def of(
        cls,
        searched: GroupValues,
        group_of: Ads,
        columns: pl.DataFrame,
        *,
        across_sources: bool = False,
    ) -> "Members":
        """
        :param searched: the ad that is searched for each group, ascending. :param group_of: the group of each ad.
        :param columns: by which the ads of a group can differ, the most telling first; numbers in their order.
        :param across_sources: whether each group is of one source, and candidates are of two. Then the first, second,
            third ... of equal ads of one group rank beside the first, second, third ... of another, so that each finds
            one of its own.
        """
        if across_sources:
            place = pl.Series("place in group", _place_in_group(group_of))
            columns = columns.with_columns(place) if columns.width else place.to_frame()
        rank = np.zeros(len(group_of), np.int64)
        if columns.width:
            by_columns = columns.with_row_index("ad").sort(*columns.columns, "ad")
            order = by_columns["ad"].to_numpy()
            rank[order] = np.arange(len(order))
        sizes = np.bincount(group_of, minlength=len(searched))
        return cls(
            searched=searched,
            stand_in=searched[group_of],
            ads=np.lexsort((rank, group_of)),
            starts=np.cumsum(sizes) - sizes,
            sizes=sizes,
            rank=rank,
            are_candidates=not across_sources,
        )

    def pairs(self, left: GroupPairs, right: GroupPairs) -> pl.DataFrame:
        """`tables.CANDIDATE_PAIRS` of all ads, ordered: those inside each group, and those between two groups for each
        pair of groups, given by their numbers."""
        found = [*self._inside(), *self._between(left, right)]
        one = np.concatenate([pair[0] for pair in found])
        other = np.concatenate([pair[1] for pair in found])
        ads = max(len(self.ads), 1)
        smaller = np.minimum(one, other)
        larger = np.maximum(one, other)
        numbers = np.unique(smaller * ads + larger)
        columns = {"distinct_l": numbers // ads, "distinct_r": numbers % ads}
        return pl.DataFrame(columns, schema=CANDIDATE_PAIRS)

    def _inside(self) -> Sequence[Pairs]:
        """Each ad of a group of several with the group's first, and with those that follow it."""
        if not self.are_candidates:
            return []
        several = self.sizes > 1
        starts = self.starts[several]
        sizes = self.sizes[several]
        at = ragged(starts, sizes)
        size = np.repeat(sizes, sizes)
        place = at - np.repeat(starts, sizes)
        not_first = place > 0
        member = at[not_first]
        first_of_group = member - place[not_first]
        found = [(self.ads[member], self.ads[first_of_group])]
        following = np.where(size <= MAX_SQUARE, MAX_SQUARE, MAX_FOLLOWING)
        largest = int(sizes.max(initial=1))
        max_step = max(MAX_SQUARE - 1, MAX_FOLLOWING)
        last_step = min(max_step, largest - 1)
        for step in range(1, last_step + 1):
            exists = place + step < size
            is_paired = exists & (step <= following)
            first = at[is_paired]
            found.append((self.ads[first], self.ads[first + step]))
        return found

    def _between(self, left: GroupPairs, right: GroupPairs) -> Sequence[Pairs]:
        """All pairs of two groups if one of them is small, else those of `_nearest` from both sides."""
        size_l = self.sizes[left]
        size_r = self.sizes[right]
        smaller = np.minimum(size_l, size_r)
        is_small = smaller <= MAX_PRODUCT
        product = self._product(left[is_small], right[is_small])
        large_left = left[~is_small]
        large_right = right[~is_small]
        from_left = self._nearest(large_left, large_right)
        from_right = self._nearest(large_right, large_left)
        return [product, *from_left, *from_right]

    def _product(self, left: GroupPairs, right: GroupPairs) -> Pairs:
        """Every ad of the first group with every ad of the second."""
        size_r = self.sizes[right]
        counts = self.sizes[left] * size_r
        pairs = len(left)
        pair = np.repeat(np.arange(pairs), counts)
        zeros = np.zeros(pairs, np.int64)
        number = ragged(zeros, counts)
        size = size_r[pair]
        start_l = self.starts[left][pair]
        start_r = self.starts[right][pair]
        place_l = start_l + number // size
        place_r = start_r + number % size
        return self.ads[place_l], self.ads[place_r]

    def _nearest(self, of: GroupPairs, among: GroupPairs) -> Sequence[Pairs]:
        """Each ad of the groups `of` with the first of the group `among`, and with the two around its own rank."""
        sizes = self.sizes[of]
        pair = np.repeat(np.arange(len(of)), sizes)
        starts = self.starts[of]
        ads = self.ads[ragged(starts, sizes)]
        other_group = among[pair]
        first = self.starts[other_group]
        last = first + self.sizes[other_group] - 1
        count = len(self.ads) + 1
        groups = np.arange(len(self.sizes))
        group = np.repeat(groups, self.sizes)
        keys = group * count + self.rank[self.ads]  # ascending: ads are ordered by group, then rank
        own_keys = other_group * count + self.rank[ads]
        after = np.searchsorted(keys, own_keys)
        below = np.clip(after - 1, first, last)
        above = np.clip(after, first, last)
        return [(ads, self.ads[place]) for place in (first, below, above)]


def _place_in_group(group_of: Ads) -> Ads:
    """Of each ad, how many ads before it are in its group."""
    order = np.argsort(group_of, kind="stable")
    ordered = group_of[order]
    start = np.searchsorted(ordered, ordered)
    place = np.empty(len(group_of), dtype=np.int64)
    place[order] = np.arange(len(order)) - start
    return place
