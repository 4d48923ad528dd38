"""Neighbour lists -> candidate pairs: the nearest ads of each ad in every space, as many as the cap allows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.group_members import Members
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.tables import CANDIDATE_PAIRS, DistinctRows, distinct_ends

MAX_NEIGHBOURHOOD = 10  # ads that make up a neighbourhood, as in CSLS (Conneau et al. 2018)
CHUNK_ADS = 65_536  # 50 MiB for each array of lists of 100 neighbours
CHUNK_NUMBERS = 2**22  # 32 MiB

AdValues = Float32[np.ndarray, "ads"]
PairNumbers = Int64[np.ndarray, "pairs"]
SomeAds = Int64[np.ndarray, "some"]


@dataclass(frozen=True)
class Candidates:
    """Pairs of the ads that were searched; by `of_members`, pairs of all distinct ads.

    `frame`: `tables.CANDIDATE_PAIRS`, ordered. `spaces`: where they come from; `depths`: of each space, how many of an
    ad's nearest became candidates. `stand_in`: of each ad, the one that was searched for it and that represents it in
    the lists of others; None: each represents itself. `are_candidates`: whether two ads that one represents are a
    candidate pair.
    """

    frame: pl.DataFrame
    spaces: tuple[NeighbourLists, ...]
    depths: tuple[int, ...]
    stand_in: Int64[np.ndarray, "ads"] | None = None
    are_candidates: bool = True

    def from_space(
        self, place: int, distinct_l: DistinctRows, distinct_r: DistinctRows
    ) -> Bool[np.ndarray, "pairs"]:
        """Whether each pair is a candidate pair through the space at `place`, be it through other spaces too."""
        space = self.spaces[place]
        depth = self.depths[place]
        mean = neighbourhood_levels(space)
        stand_in = self.stand_in
        if stand_in is None:
            stand_in = np.arange(len(mean))
        found = stand_in[distinct_l] == stand_in[distinct_r]
        if not self.are_candidates:
            found[:] = False
        for one, other in ((distinct_l, distinct_r), (distinct_r, distinct_l)):
            candidates = proposed(space, mean, one)[:, :depth]
            is_other = candidates == stand_in[other][:, None]
            found |= is_other.any(axis=1)
        return found

    def of_members(self, members: Members) -> "Candidates":
        """The candidates of all ads, from those of the ads that represent them."""
        ads = len(members.stand_in)
        if len(members.searched) == ads:
            return self
        left, right = distinct_ends(self.frame)
        spaces = []
        for space in self.spaces:
            among_all = space.spread(members.searched, ads)
            spaces.append(among_all.shared(members.stand_in))
        pairs = members.pairs(left, right)
        return Candidates(
            pairs, tuple(spaces), self.depths, members.stand_in, members.are_candidates
        )

    def per_ad(self, ads: int) -> Int64[np.ndarray, "ads"]:
        """How many candidate partners each of `ads` ads has."""
        left, right = distinct_ends(self.frame)
        ends = np.concatenate([left, right])
        return np.bincount(ends, minlength=ads)


def neighbourhood_levels(space: NeighbourLists) -> AdValues:
    """The mean similarity of each ad to its ten nearest, or to those that there are; 0 where there are none."""
    near = space.neighbours.similarities[:, :MAX_NEIGHBOURHOOD]
    rows = space.neighbours.rows[:, :MAX_NEIGHBOURHOOD]
    counts = (rows != NONE).sum(axis=1)
    total = np.nan_to_num(near).sum(axis=1)
    mean = total / np.maximum(counts, 1)
    return mean.astype(np.float32)


def proposed(
    space: NeighbourLists, mean: AdValues, ads: SomeAds
) -> Int64[np.ndarray, "some neighbours"]:
    """The neighbours of some ads in the order in which they become candidates, that of

        2 s(l, r) - m(r),   m = `neighbourhood_levels`,

    which, as m(l) is the same for all of l's neighbours, is the order of s - m(l) / 2 - m(r) / 2: similarity judged
    against the neighbourhoods of both (CSLS; Conneau et al. 2018). It keeps hubs, which are near to everything, such as
    an ad with a template for a text, out of the first places. A hub proposes its first neighbour only: n equal ads give
    n - 1 pairs in place of n (n - 1) / 2.
    """
    rows = space.neighbours.rows[ads]
    near = space.neighbours.similarities[ads]
    mean_of_neighbours = np.append(mean, 0)[rows]  # the 0 is for NONE, the last place
    cost = np.where(rows != NONE, mean_of_neighbours - 2 * near, np.inf)
    order = np.argsort(cost, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    is_hub = space.is_hub[ads]
    ordered[is_hub] = NONE
    ordered[is_hub, :1] = rows[is_hub, :1]
    return ordered


def unite(
    spaces: Sequence[NeighbourLists],
    steps: Sequence[int],
    candidates_per_ad: int,
    progress: Progress = SILENT,
) -> Candidates:
    """The pairs of each ad with the first T / step `proposed` in every space, T the largest that keeps to the cap.

    The cap: on average an ad has at most `candidates_per_ad`, counted among all ads and from both sides (a pair that
    both list, or that several spaces list, is one). A space of step 1 gives its nearest at T = 1, 2, 3 ...; one of
    step 6 gives one at T = 6, 12, 18 ... Whatever the cap, T is at least 1. An ad that is near to many may have more
    than `candidates_per_ad`, but what it lists itself takes no more of the cap than any other ad's.

    :param spaces: of the same ads. :param steps: one for each space, at least one of them 1.
    """
    ads = len(spaces[0].is_hub)
    depth_limit = _depth_limit(spaces, steps)
    numbers, counts = _numbered_pairs(spaces, steps, depth_limit)
    ends_up_to = 2 * np.cumsum(counts)  # of the pairs of T = 0, 1, 2 ...
    fitting = int(np.searchsorted(ends_up_to, candidates_per_ad * ads, side="right"))
    last = max(1, fitting - 1)
    depths = []
    for space, step in zip(spaces, steps, strict=True):
        width = space.neighbours.rows.shape[1]
        depths.append(min(last // step, width))
    frame = _frame(numbers, depth_limit, last, ads)
    found = Candidates(frame, tuple(spaces), tuple(depths))
    _report(found, ads, candidates_per_ad, progress)
    return found


def _report(found: Candidates, ads: int, candidates_per_ad: int, progress: Progress) -> None:
    parts = []
    for space, depth in zip(found.spaces, found.depths, strict=True):
        parts.append(f"{depth:,} by {space.name}")
    depths = ", ".join(parts)
    per_ad = found.per_ad(ads)
    mean = per_ad.mean() if ads else 0
    progress.say(
        f"Candidate pairs: {len(found.frame):,}, of the nearest {depths}; {mean:.1f} for each "
        f"ad (wanted at most {candidates_per_ad:,}), {per_ad.max(initial=0):,} for the ad with most."
    )


def _depth_limit(spaces: Sequence[NeighbourLists], steps: Sequence[int]) -> int:
    """One more than the T at which every list is used up."""
    last = 0
    for space, step in zip(spaces, steps, strict=True):
        width = space.neighbours.rows.shape[1]
        last = max(last, step * max(1, width))
    return last + 1


def _numbered_pairs(
    spaces: Sequence[NeighbourLists], steps: Sequence[int], depth_limit: int
) -> tuple[PairNumbers, Int64[np.ndarray, "depth_limit"]]:
    """The pairs l < r that any space lists, in order, and the T at which each is first listed; how many each T has.

    A pair and its T are one number, (l * ads + r) * depth_limit + T: 8 bytes for each neighbour of each ad are all that
    is held, sorted and thinned in place.
    """
    ads = len(spaces[0].is_hub)
    largest = ads * ads * depth_limit
    if largest >= 2**63:
        raise NrlDedupError(
            f"{ads:,} ads with {depth_limit:,} neighbours are too many. Ask for fewer --candidates."
        )
    size = 0
    for space in spaces:
        size += space.neighbours.rows.size
    numbers = np.empty(size, dtype=np.int64)
    filled = 0
    for space, step in zip(spaces, steps, strict=True):
        mean = neighbourhood_levels(space)
        for start in range(0, ads, CHUNK_ADS):
            stop = min(start + CHUNK_ADS, ads)
            some = np.arange(start, stop)
            listed = proposed(space, mean, some)
            row, column = np.nonzero(listed != NONE)
            left = some[row]
            right = listed[row, column]
            smaller = np.minimum(left, right)
            larger = np.maximum(left, right)
            pair = smaller * ads + larger
            depth = step * (column + 1)
            end = filled + len(pair)
            numbers[filled:end] = pair * depth_limit + depth
            filled = end
    numbers = numbers[:filled]
    numbers.sort()
    return _first_of_each_pair(numbers, depth_limit)


def _first_of_each_pair(
    numbers: Int64[np.ndarray, "listed"], depth_limit: int
) -> tuple[PairNumbers, Int64[np.ndarray, "depth_limit"]]:
    """Of the sorted numbers, which are overwritten, the first of each pair; how many each T has."""
    filled = 0
    last_pair = -1
    counts = np.zeros(depth_limit, dtype=np.int64)
    for start in range(0, len(numbers), CHUNK_NUMBERS):
        some = numbers[start : start + CHUNK_NUMBERS]
        pair = some // depth_limit
        is_first = np.diff(pair, prepend=last_pair) != 0
        first = some[is_first]
        last_pair = pair[-1]
        end = filled + len(first)
        numbers[filled:end] = first
        filled = end
        depths = first % depth_limit
        counts += np.bincount(depths, minlength=depth_limit)
    return numbers[:filled], counts


def _frame(numbers: PairNumbers, depth_limit: int, last: int, ads: int) -> pl.DataFrame:
    """The pairs of T <= `last`."""
    parts = [numbers[:0]]
    for start in range(0, len(numbers), CHUNK_NUMBERS):
        some = numbers[start : start + CHUNK_NUMBERS]
        depths = some % depth_limit
        kept = some[depths <= last]
        parts.append(kept // depth_limit)
    pairs = np.concatenate(parts)
    ads = max(ads, 1)
    left = pairs // ads
    right = pairs % ads
    columns = {"distinct_l": left, "distinct_r": right}
    return pl.DataFrame(columns, schema=CANDIDATE_PAIRS)
