"""Copies of pairs with whole groups of evidence left out, so that trees learn to do without a group."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from nrl_dedup.comparison.compare import ComparisonVectors

SHARE = 0.5  # of the pairs that are copied. Not tuned.


def with_group_dropout(
    evidence: ComparisonVectors, seed: int = 0
) -> tuple[ComparisonVectors, Int64[np.ndarray, "rows"]]:
    """The pairs, then copies of half of them, drawn by `seed`; and the number of the pair that each row shows.

    A copy lacks some of the groups, though not all: every choice is as likely. Without copies, trees take a missing
    price for one of 0 where none was missing in training. Of one group alone there are none.
    """
    pairs = len(evidence)
    groups = list(dict.fromkeys(evidence.groups))
    if len(groups) < 2:
        return evidence, np.arange(pairs)
    draw = np.random.default_rng(seed)
    copied = np.sort(draw.permutation(pairs)[: round(SHARE * pairs)])
    choice = draw.integers(1, 2 ** len(groups) - 1, size=len(copied))
    values = np.concatenate([evidence.values, evidence.values[copied]])
    for at, group in enumerate(evidence.groups):
        bit = groups.index(group)
        lacking = choice >> bit & 1 == 1
        values[pairs:, at][lacking] = np.nan
    pair = np.concatenate([np.arange(pairs), copied])
    return replace(evidence, values=values), pair
