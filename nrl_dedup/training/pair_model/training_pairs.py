"""What a pair model is fitted to: the labelled pairs, and the candidate pairs of the ads that they label."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.duplicate_groups import duplicate_groups

MAX_PAIRS = 1_000_000  # bounds memory and time
# For each duplicate. On the real ads' candidates, 60 in place of 20 raise the average precision from 0.65 to 0.67.
NEGATIVES = 60


@dataclass(frozen=True)
class TrainingPairs:
    """The labelled pairs in their order, then candidate pairs.

    `labelled`: which are the former. `sampling_weight`: for how many candidate pairs each stands: 0 for a labelled pair
    that is no candidate, 1 for a duplicate, and for another the number of which it was drawn as one.
    """

    rows_l: Rows
    rows_r: Rows
    labels: Bool[np.ndarray, "pairs"]
    labelled: Bool[np.ndarray, "pairs"]
    sampling_weight: Float64[np.ndarray, "pairs"]

    @classmethod
    def joined(cls, parts: "Sequence[TrainingPairs]") -> "TrainingPairs":
        """One after the other."""
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            )
        )

    def numbered_from(self, first: int) -> "TrainingPairs":
        """Of ads that are numbered so among those of several catalogues."""
        return replace(self, rows_l=self.rows_l + first, rows_r=self.rows_r + first)


def training_pairs(
    rows_l: Int64[np.ndarray, "labelled"],
    rows_r: Int64[np.ndarray, "labelled"],
    labels: Bool[np.ndarray, "labelled"],
    candidates_l: Int64[np.ndarray, "candidates"],
    candidates_r: Int64[np.ndarray, "candidates"],
    seed: int = 0,
) -> TrainingPairs:
    """Labelled pairs, and those candidates whose two ads both stand in labelled pairs.

    Candidates that labelled duplicates join, directly or through others, are duplicates; the rest of them are
    different, of which `seed` draws 60 for each duplicate, and no more than make a million pairs in all. So the labels
    must name all duplicates among their ads. A labelled pair of an ad and itself is one of copies, which `link` scores.

    :param candidates_l, candidates_r: of blocking, each pair once, in either order; labelled ones may be among them.
    """
    ads = 1 + int(
        max(
            (rows.max(initial=-1) for rows in (rows_l, rows_r, candidates_l, candidates_r)),
            default=-1,
        )
    )
    known = np.zeros(ads, dtype=bool)
    known[rows_l], known[rows_r] = True, True
    group = duplicate_groups(rows_l[labels], rows_r[labels], ads)
    own, found = _keys(rows_l, rows_r, ads), _keys(candidates_l, candidates_r, ads)
    new = np.flatnonzero(known[candidates_l] & known[candidates_r] & ~np.isin(found, own))
    same = group[candidates_l[new]] == group[candidates_r[new]]
    others = new[~same]
    most = min(
        NEGATIVES * int(labels.sum() + same.sum()),
        max(0, MAX_PAIRS - len(labels) - int(same.sum())),
    )
    drawn = np.sort(np.random.default_rng(seed).permutation(others)[:most])
    further = np.concatenate([new[same], drawn])
    weight = len(others) / max(1, len(drawn))
    is_candidate = np.isin(own, found) | (rows_l == rows_r)
    return TrainingPairs(
        rows_l=np.concatenate([rows_l, candidates_l[further]]),
        rows_r=np.concatenate([rows_r, candidates_r[further]]),
        labels=np.concatenate([labels, np.repeat([True, False], [int(same.sum()), len(drawn)])]),
        labelled=np.arange(len(labels) + len(further)) < len(labels),
        sampling_weight=np.concatenate(
            [is_candidate.astype(np.float64), np.ones(int(same.sum())), np.full(len(drawn), weight)]
        ),
    )


def _keys(rows_l: Rows, rows_r: Rows, ads: int) -> Rows:
    return np.minimum(rows_l, rows_r) * ads + np.maximum(rows_l, rows_r)
