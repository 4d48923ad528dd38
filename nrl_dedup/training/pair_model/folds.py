"""Folds of labelled pairs such that no ad, and no group of duplicates, is in two of them."""

import numpy as np
from jaxtyping import Bool, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.tables import DistinctRows

FOLDS = 5  # Not tuned.


def ad_folds(
    distinct_l: DistinctRows,
    distinct_r: DistinctRows,
    labels: Bool[np.ndarray, "pairs"],
    folds: int = FOLDS,
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """The fold of either ad of each pair, the same for all ads that duplicate pairs join.

    Groups that other pairs join are close in order (reverse Cuthill-McKee), so that few pairs have their ads in two
    folds. A pair is held out with the fold of its left ad; a model for that fold may learn from no pair with an ad in
    it.
    """
    ads, place = np.unique(np.concatenate([distinct_l, distinct_r]), return_inverse=True)
    ad_l = place[: len(distinct_l)]
    ad_r = place[len(distinct_l) :]
    group = duplicate_groups(ad_l[labels], ad_r[labels], len(ads))
    left = group[ad_l]
    right = group[ad_r]
    groups = int(group.max(initial=-1)) + 1
    ones = np.ones(2 * len(left), dtype=bool)
    one_end = np.concatenate([left, right])
    other_end = np.concatenate([right, left])
    graph = coo_array((ones, (one_end, other_end)), shape=(groups, groups))
    order = reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)
    pairs_of_group = np.bincount(left, minlength=groups)[order]
    pairs_before = np.concatenate([[0], np.cumsum(pairs_of_group)[:-1]])
    fold = np.empty(groups, np.int64)
    fold[order] = np.minimum(pairs_before * folds // max(len(left), 1), folds - 1)
    return fold[left], fold[right]
