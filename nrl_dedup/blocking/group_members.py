"""From pairs of ads that stand for others to pairs of all ads: what was searched for once is compared in full.

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
# In a larger group, the pairs of each ad with so many that follow it in the order of the columns, beside its first.
NEXT = 10
# Of two groups, all pairs where one of them has so many ads or fewer; else each ad with the other group's first and
# with its two nearest there. The more, the more pairs of groups cost that differ in words.
MAX_PRODUCT = 3

Pairs = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"]]


@dataclass(frozen=True)
class Members:
    """The ads that each searched ad stands for, itself among them, in the order of their columns.

    `stand_in`: of each ad, the place of the one that is searched for it. `ads`: group after group, those of the
    searched ad g being `ads[starts[g]:starts[g] + sizes[g]]`. `rank`: of each ad by its columns.
    """

    searched: Int64[np.ndarray, "groups"]
    stand_in: Int64[np.ndarray, "ads"]
    ads: Int64[np.ndarray, "ads"]
    starts: Int64[np.ndarray, "groups"]
    sizes: Int64[np.ndarray, "groups"]
    rank: Int64[np.ndarray, "ads"]

    @classmethod
    def of(
        cls,
        searched: Int64[np.ndarray, "groups"],
        group_of: Int64[np.ndarray, "ads"],
        columns: pl.DataFrame,
    ) -> "Members":
        """
        :param searched: the ad that is searched for each group, ascending. :param group_of: the group of each ad.
        :param columns: by which the ads of a group can differ, the most telling first; numbers in their order.
        """
        rank = np.zeros(len(group_of), np.int64)
        if columns.width:
            order = columns.with_row_index("ad").sort(*columns.columns, "ad")["ad"].to_numpy()
            rank[order] = np.arange(len(order))
        sizes = np.bincount(group_of, minlength=len(searched))
        ads = np.lexsort((rank, group_of))
        return cls(searched, searched[group_of], ads, np.cumsum(sizes) - sizes, sizes, rank)

    def pairs(
        self, left: Int64[np.ndarray, "pairs"], right: Int64[np.ndarray, "pairs"]
    ) -> pl.DataFrame:
        """`tables.CANDIDATE_PAIRS` of all ads, ordered: those inside each group, and those between two groups for each
        pair of groups, given by their numbers."""
        found = [*self._inside(), *self._between(left, right)]
        one, other = (np.concatenate([pair[end] for pair in found]) for end in (0, 1))
        ads = max(len(self.ads), 1)
        numbers = np.unique(np.minimum(one, other) * ads + np.maximum(one, other))
        return pl.DataFrame(
            {"row_l": numbers // ads, "row_r": numbers % ads}, schema=CANDIDATE_PAIRS
        )

    def _inside(self) -> Sequence[Pairs]:
        several = self.sizes > 1
        starts, sizes = self.starts[several], self.sizes[several]
        at, size = ragged(starts, sizes), np.repeat(sizes, sizes)
        place = at - np.repeat(starts, sizes)
        found = [(self.ads[at], self.ads[at - place])]
        reach = np.where(size <= MAX_SQUARE, MAX_SQUARE, NEXT)
        for step in range(1, int(min(max(MAX_SQUARE, NEXT + 1), sizes.max(initial=1)))):
            first = at[(place + step < size) & (step <= reach)]
            found.append((self.ads[first], self.ads[first + step]))
        return [(one[one != other], other[one != other]) for one, other in found]

    def _between(
        self, left: Int64[np.ndarray, "pairs"], right: Int64[np.ndarray, "pairs"]
    ) -> Sequence[Pairs]:
        small = np.minimum(self.sizes[left], self.sizes[right]) <= MAX_PRODUCT
        one, other = left[small], right[small]
        counts = self.sizes[one] * self.sizes[other]
        pair = np.repeat(np.arange(len(one)), counts)
        number = ragged(np.zeros(len(one), np.int64), counts)
        of_one = self.ads[self.starts[one][pair] + number // self.sizes[other][pair]]
        of_other = self.ads[self.starts[other][pair] + number % self.sizes[other][pair]]
        large = left[~small], right[~small]
        return [(of_one, of_other), *self._nearest(*large), *self._nearest(*large[::-1])]

    def _nearest(
        self, of: Int64[np.ndarray, "pairs"], among: Int64[np.ndarray, "pairs"]
    ) -> Sequence[Pairs]:
        """Each ad of the groups `of` with the first of the group `among`, and with the two around its own rank."""
        pair = np.repeat(np.arange(len(of)), self.sizes[of])
        ads = self.ads[ragged(self.starts[of], self.sizes[of])]
        start, size = self.starts[among][pair], self.sizes[among][pair]
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        count = len(self.ads) + 1
        keys = group * count + self.rank[self.ads]
        after = np.searchsorted(keys, among[pair] * count + self.rank[ads])
        places = (
            start,
            np.clip(after - 1, start, start + size - 1),
            np.clip(after, start, start + size - 1),
        )
        return [(ads, self.ads[place]) for place in places]
