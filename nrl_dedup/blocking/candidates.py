"""Spaces -> candidate pairs: the nearest ads of each ad in every space, as many as the cap allows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.dense_search import nearest_by_vectors
from nrl_dedup.blocking.faiss_indexes import L1
from nrl_dedup.blocking.group_members import Members
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.tables import CANDIDATE_PAIRS

SURROUNDINGS = 10
ADS_AT_ONCE = 65_536
NUMBERS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Candidates:
    """`frame`: `tables.CANDIDATE_PAIRS`, ordered by row_l, row_r. `spaces`: where they come from; `depths`: of each
    space, how many of an ad's nearest became candidates. `stand_in`: of each ad, the one that was searched for it and
    that stands for it in the lists of others; None: each stands for itself."""

    frame: pl.DataFrame
    spaces: tuple[NeighbourLists, ...]
    depths: tuple[int, ...]
    stand_in: Int64[np.ndarray, "ads"] | None = None

    def from_space(
        self, place: int, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Bool[np.ndarray, "pairs"]:
        """Whether each pair is a candidate pair through the space at `place`, be it through other spaces too."""
        space, depth = self.spaces[place], self.depths[place]
        mean = neighbourhood_levels(space)
        stand_in = np.arange(len(mean)) if self.stand_in is None else self.stand_in
        found = stand_in[rows_l] == stand_in[rows_r]
        for one, other in ((rows_l, rows_r), (rows_r, rows_l)):
            found |= (proposed(space, mean, one)[:, :depth] == stand_in[other][:, None]).any(axis=1)
        return found

    def of_members(self, members: Members) -> "Candidates":
        """The candidates of all ads, from those of the ads that stand for them."""
        left, right = (self.frame[end].to_numpy() for end in ("row_l", "row_r"))
        stand_in, ads = members.stand_in, len(members.stand_in)
        if len(members.searched) == ads:
            return self
        spaces = tuple(
            space.spread(members.searched, ads).shared(stand_in) for space in self.spaces
        )
        return Candidates(members.pairs(left, right), spaces, self.depths, stand_in)

    def per_ad(self, ads: int) -> Int64[np.ndarray, "ads"]:
        """How many candidate partners each of `ads` ads has."""
        ends = np.concatenate([self.frame["row_l"].to_numpy(), self.frame["row_r"].to_numpy()])
        return np.bincount(ends, minlength=ads)


def neighbourhood_levels(space: NeighbourLists) -> Float32[np.ndarray, "ads"]:
    """The mean similarity of each ad to its ten nearest, or to those that there are; 0 where there are none."""
    near = space.neighbours.similarities[:, :SURROUNDINGS]
    counts = (space.neighbours.rows[:, :SURROUNDINGS] != NONE).sum(axis=1)
    return (np.nan_to_num(near).sum(axis=1) / np.maximum(counts, 1)).astype(np.float32)


def proposed(
    space: NeighbourLists, mean: Float32[np.ndarray, "ads"], ads: Int64[np.ndarray, "some"]
) -> Int64[np.ndarray, "some neighbours"]:
    """The neighbours of some ads in the order in which they become candidates, that of

        2 s(l, r) - m(r),   m = `neighbourhood_levels`,

    which, as m(l) is the same for all of l's neighbours, is the order of s - m(l) / 2 - m(r) / 2: similarity judged
    against the surroundings of both (CSLS; Conneau et al. 2018). It keeps an ad that is near to everything, such as
    one with a template for a text, out of the first places. Of a crowded ad only the first, so that a crowd is a star.
    """
    rows, near = space.neighbours.rows[ads], space.neighbours.similarities[ads]
    behind = np.where(rows != NONE, np.append(mean, 0)[rows] - 2 * near, np.inf)
    ordered = np.take_along_axis(rows, np.argsort(behind, axis=1, kind="stable"), axis=1)
    is_hub = space.is_hub[ads]
    ordered[is_hub] = NONE
    ordered[is_hub, :1] = rows[is_hub, :1]
    return ordered


def joint_neighbours(
    z: Float32[np.ndarray, "ads size"],
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
) -> NeighbourLists:
    """The nearest ads by sum_i |z_l - z_r|_i, z being h scaled by |w|; similarities are minus that distance.

    With b added they are the head's logits, where no w is positive. `index`: as in `nearest_by_vectors`.

    The same z and seed give the same neighbours on the same kind of processor. Runs on the GPU where `device` is one
    and this FAISS has GPU code (written after FAISS's documentation; not yet measured on a GPU).

    :raises NrlDedupError: what `nearest_by_vectors` raises; z holds values that are not finite.
    """
    if not np.isfinite(z.sum(dtype=np.float64)):
        raise NrlDedupError(
            "The embeddings hold values that are not finite numbers. Train with a lower --lr."
        )
    each = Held.one_each(np.arange(len(z)))
    return nearest_by_vectors(
        "joint", z, each, neighbours, L1, device=device, seed=seed, index=index, progress=progress
    )


def find_candidates(
    z: Float32[np.ndarray, "ads size"],
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
) -> Candidates:
    """Pair each ad with its `neighbours` nearest ads in the joint space alone, without a cap.

    Arguments and errors are those of `joint_neighbours`. A crowd, more than `neighbours` ads of one vector, is a star
    around its smallest row, which stands for all of them where others search.
    """
    space = joint_neighbours(
        z, neighbours, device=device, seed=seed, index=index, progress=progress
    )
    levels = _levels([space], [1])
    numbers, _ = _listed([space], [1], levels)
    return Candidates(_frame(numbers, levels, levels, len(z)), (space,), (neighbours,))


def unite(
    spaces: Sequence[NeighbourLists], steps: Sequence[int], most: int, progress: Progress = SILENT
) -> Candidates:
    """The pairs of each ad with the first T / step `proposed` in every space, T the largest that keeps to the cap.

    The cap: on average an ad has at most `most` candidates, counted among all ads and from both sides (a pair that both
    list, or that several spaces list, is one). A space of step 1 gives its nearest at T = 1, 2, 3 ...; one of step
    6 gives one at T = 6, 12, 18 ... Whatever the cap, T is at least 1. An ad that is near to many may have more
    than `most`, but what it lists itself takes no more of the cap than any other ad's.

    :param spaces: of the same ads. :param steps: one for each space, at least one of them 1.
    """
    ads, levels = len(spaces[0].is_hub), _levels(spaces, steps)
    numbers, counts = _listed(spaces, steps, levels)
    reach = max(1, int(np.searchsorted(2 * np.cumsum(counts), most * ads, side="right")) - 1)
    found = Candidates(
        _frame(numbers, levels, reach, ads),
        tuple(spaces),
        tuple(
            min(reach // step, space.neighbours.rows.shape[1])
            for space, step in zip(spaces, steps, strict=True)
        ),
    )
    per_ad = found.per_ad(ads)
    depths = ", ".join(
        f"{depth:,} by {space.name}" for space, depth in zip(spaces, found.depths, strict=True)
    )
    progress.say(
        f"Candidate pairs: {len(found.frame):,}, of the nearest {depths}; {per_ad.mean() if ads else 0:.1f} for each "
        f"ad (wanted at most {most:,}), {per_ad.max(initial=0):,} for the ad with most."
    )
    return found


def _levels(spaces: Sequence[NeighbourLists], steps: Sequence[int]) -> int:
    """One more than the T at which every list is used up."""
    return 1 + max(
        step * max(1, space.neighbours.rows.shape[1])
        for space, step in zip(spaces, steps, strict=True)
    )


def _listed(
    spaces: Sequence[NeighbourLists], steps: Sequence[int], levels: int
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "levels"]]:
    """The pairs l < r that any space lists, in order, and the T at which each is first listed; how many each T has.

    A pair and its T are one number, (l * ads + r) * levels + T: 8 bytes for each neighbour of each ad are all that is
    held, sorted and thinned in place.
    """
    ads = len(spaces[0].is_hub)
    if ads * ads * levels >= 2**63:
        raise NrlDedupError(
            f"{ads:,} ads with {levels:,} neighbours are too many. Ask for fewer --candidates."
        )
    numbers = np.empty(sum(space.neighbours.rows.size for space in spaces), dtype=np.int64)
    filled = 0
    for space, step in zip(spaces, steps, strict=True):
        mean = neighbourhood_levels(space)
        for start in range(0, ads, ADS_AT_ONCE):
            some = np.arange(start, min(start + ADS_AT_ONCE, ads))
            listed = proposed(space, mean, some)
            row, column = np.nonzero(listed != NONE)
            left, right = some[row], listed[row, column]
            pair = np.minimum(left, right) * ads + np.maximum(left, right)
            numbers[filled : filled + len(pair)] = pair * levels + step * (column + 1)
            filled += len(pair)
    numbers = numbers[:filled]
    numbers.sort()
    filled, last, counts = 0, -1, np.zeros(levels, dtype=np.int64)
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        some = numbers[start : start + NUMBERS_AT_ONCE]
        pair = some // levels
        first = some[np.diff(pair, prepend=last) != 0]
        last = pair[-1]
        numbers[filled : filled + len(first)] = first
        counts += np.bincount(first % levels, minlength=levels)
        filled += len(first)
    return numbers[:filled], counts


def _frame(numbers: Int64[np.ndarray, "pairs"], levels: int, reach: int, ads: int) -> pl.DataFrame:
    """The pairs of T <= `reach`."""
    parts = [numbers[:0]]
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        some = numbers[start : start + NUMBERS_AT_ONCE]
        parts.append(some[some % levels <= reach] // levels)
    pairs = np.concatenate(parts)
    return pl.DataFrame(
        {"row_l": pairs // max(ads, 1), "row_r": pairs % max(ads, 1)}, schema=CANDIDATE_PAIRS
    )
