"""What blocking keeps, by space, against sets in plain Python."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists, Neighbours
from nrl_dedup.evaluation.blocking_quality import blocking_quality
from nrl_dedup.tables import CANDIDATE_PAIRS, IDENTICAL_PAIRS


def listing(name, rows):
    """A space whose lists are in the order of csls already: all similarities of a place are one."""
    rows = np.array(rows)
    near = np.where(rows == NONE, np.nan, -np.arange(rows.shape[1])).astype(np.float32)
    return NeighbourLists(name, Neighbours(rows, near), np.zeros(len(rows), bool), "", 1.0)


def test_the_part_of_each_space_is_counted_from_its_own_lists():
    """Nine ads: 6 and 7 are ads 0 and 1 again, 8 says nothing."""
    one = listing("one", [[1, 2], [0, 3], [0, NONE], [1, 4], [3, 5], [4, 3]])
    other = listing("other", [[1, 5], [0, 2], [NONE, NONE], [5, 1], [2, 1], [3, 0]])
    depths = (1, 2)
    pairs = {
        place: {
            (min(ad, mate), max(ad, mate))
            for ad, row in enumerate(space.neighbours.rows.tolist())
            for mate in row[:depth]
            if mate != NONE
        }
        for place, (space, depth) in enumerate(zip((one, other), depths, strict=True))
    }
    frame = pl.DataFrame(sorted(pairs[0] | pairs[1]), schema=CANDIDATE_PAIRS, orient="row")
    position = np.array([0, 1, 2, 3, 4, 5, 0, 1, -1])
    candidates = Candidates(frame, (one, other), depths)
    blocked = BlockingResult(
        DistinctAds(np.arange(6), position),
        *np.zeros((2, 6, 2), np.float32),
        candidates,
        candidates,
        pl.DataFrame(schema=IDENTICAL_PAIRS),
    )

    rows = list(combinations(range(9), 2))
    draw = np.random.default_rng(0)
    labels = draw.random(len(rows)) < 0.5
    logits = draw.standard_normal(len(rows))
    quality = blocking_quality(blocked, 3, *np.array(rows).T, labels, logits)

    duplicates = [row for row, label in zip(rows, labels, strict=True) if label]

    def found(left, right, spaces):
        ends = sorted((position[left], position[right]))
        return ends[0] >= 0 and (
            ends[0] == ends[1] or any(tuple(ends) in pairs[place] for place in spaces)
        )

    def share(*spaces):
        return np.mean([found(left, right, spaces) for left, right in duplicates])

    assert quality.pairs_completeness == pytest.approx(share(0, 1))
    assert [space.pairs_completeness for space in quality.spaces] == [
        pytest.approx(share(0)),
        pytest.approx(share(1)),
    ]
    lost = [share(0, 1) - share(1), share(0, 1) - share(0)]
    assert [space.lost_without for space in quality.spaces] == [
        pytest.approx(lost[0]),
        pytest.approx(lost[1]),
    ]
    assert min(lost) > 0 and [space.depth for space in quality.spaces] == [1, 2]
    degree = np.bincount(np.array(sorted(pairs[0] | pairs[1])).ravel(), minlength=6)
    assert (quality.mean_per_ad, quality.most_per_ad) == (
        pytest.approx(degree.mean()),
        degree.max(),
    )
    assert quality.candidate_pairs == len(frame) and quality.wanted == 3
    assert quality.reduction_ratio == pytest.approx(1 - len(frame) / 36)
