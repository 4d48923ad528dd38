"""What a pair model is fitted to: the labelled pairs, and the candidate pairs of the ads that they label."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.tables import DistinctRows

MAX_PAIRS = 1_000_000  # bounds memory and time
# For each duplicate. On the real ads' candidates, 60 in place of 20 raise the average precision from 0.65 to 0.67.
NEGATIVES = 60


@dataclass(frozen=True)
class TrainingPairs:
    """The labelled pairs in their order, then candidate pairs, all of distinct ads.

    `labelled`: which are the former. `sampling_weight`: 0 for labelled pairs that are not candidates, 1 for duplicates,
    N / n for negatives of which n were drawn out of N.
    """

    distinct_l: DistinctRows
    distinct_r: DistinctRows
    labels: Bool[np.ndarray, "pairs"]
    labelled: Bool[np.ndarray, "pairs"]
    sampling_weight: Float64[np.ndarray, "pairs"]

    @classmethod
    def joined(cls, parts: "Sequence[TrainingPairs]") -> "TrainingPairs":
        """One after the other."""
        joined = {}
        for field in fields(cls):
            joined[field.name] = np.concatenate([getattr(part, field.name) for part in parts])
        return cls(**joined)

    def numbered_from(self, first: int) -> "TrainingPairs":
        """The same pairs, their ads numbered from `first` on among the distinct ads of all catalogues."""
        return replace(self, distinct_l=self.distinct_l + first, distinct_r=self.distinct_r + first)


def training_pairs(
    distinct_l: Int64[np.ndarray, "labelled"],
    distinct_r: Int64[np.ndarray, "labelled"],
    labels: Bool[np.ndarray, "labelled"],
    candidates_l: Int64[np.ndarray, "candidates"],
    candidates_r: Int64[np.ndarray, "candidates"],
    seed: int = 0,
) -> TrainingPairs:
    """Labelled pairs of distinct ads, and those candidates whose two ads are both in labelled pairs.

    Candidates that labelled duplicates join, directly or through others, are duplicates; the rest of them are
    different, of which `seed` draws 60 for each duplicate, and no more than make a million pairs in all. So the labels
    must name all duplicates among their ads. A labelled pair of an ad and itself is one of copies, which `link` scores.

    :param candidates_l, candidates_r: of blocking, each pair once, in either order; labelled ones may be among them.
    """
    ads = 0
    for distinct in (distinct_l, distinct_r, candidates_l, candidates_r):
        ads = max(ads, 1 + int(distinct.max(initial=-1)))
    known = np.zeros(ads, dtype=bool)
    known[distinct_l] = True
    known[distinct_r] = True
    group = duplicate_groups(distinct_l[labels], distinct_r[labels], ads)
    own = _keys(distinct_l, distinct_r, ads)
    found = _keys(candidates_l, candidates_r, ads)
    of_known_ads = known[candidates_l] & known[candidates_r]
    new = np.flatnonzero(of_known_ads & ~np.isin(found, own))
    same = group[candidates_l[new]] == group[candidates_r[new]]
    others = new[~same]
    most = min(
        NEGATIVES * int(labels.sum() + same.sum()),
        max(0, MAX_PAIRS - len(labels) - int(same.sum())),
    )
    drawn = np.sort(np.random.default_rng(seed).permutation(others)[:most])
    further = np.concatenate([new[same], drawn])
    weight = len(others) / max(1, len(drawn))
    is_candidate = np.isin(own, found) | (distinct_l == distinct_r)
    further_labels = np.repeat([True, False], [int(same.sum()), len(drawn)])
    further_weights = np.where(further_labels, 1.0, weight)
    return TrainingPairs(
        distinct_l=np.concatenate([distinct_l, candidates_l[further]]),
        distinct_r=np.concatenate([distinct_r, candidates_r[further]]),
        labels=np.concatenate([labels, further_labels]),
        labelled=np.arange(len(labels) + len(further)) < len(labels),
        sampling_weight=np.concatenate([is_candidate.astype(np.float64), further_weights]),
    )


def _keys(left: DistinctRows, right: DistinctRows, ads: int) -> Int64[np.ndarray, "pairs"]:
    """One number for each pair, whichever of its ads is on the left."""
    low = np.minimum(left, right)
    high = np.maximum(left, right)
    return low * ads + high
