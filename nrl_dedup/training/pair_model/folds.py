"""Folds of labelled pairs such that no ad, and no group of duplicates, stands on both sides."""

import numpy as np
from jaxtyping import Bool, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.duplicate_groups import duplicate_groups

FOLDS = 5


def ad_folds(
    rows_l: Rows, rows_r: Rows, labels: Bool[np.ndarray, "pairs"], folds: int = FOLDS
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """The fold of either ad of each pair, the same for all ads that duplicate pairs join.

    Groups that other pairs join stand close (reverse Cuthill-McKee), so that few pairs have their ads in two folds. A
    pair is held out with the fold of its left ad; a model for that fold may learn from no pair with an ad in it.
    """
    ads, place = np.unique(np.concatenate([rows_l, rows_r]), return_inverse=True)
    left, right = place[: len(rows_l)], place[len(rows_l) :]
    group = duplicate_groups(left[labels], right[labels], len(ads))
    left, right = group[left], group[right]
    groups = int(group.max(initial=-1)) + 1
    ones = np.ones(2 * len(left), dtype=bool)
    graph = coo_array(
        (ones, (np.concatenate([left, right]), np.concatenate([right, left]))),
        shape=(groups, groups),
    )
    order = reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)
    pairs_before = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=groups)[order])[:-1]])
    fold = np.empty(groups, np.int64)
    fold[order] = np.minimum(pairs_before * folds // max(len(left), 1), folds - 1)
    return fold[left], fold[right]
