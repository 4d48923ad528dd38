"""How much of the duplicates blocking keeps, and at what price; the part of each space in it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.metrics import logits_after_blocking, pairs_completeness, reduction_ratio
from nrl_dedup.tables import CatalogueRows


@dataclass(frozen=True)
class SpaceQuality:
    """The part of one space.

    `depth`: how many of an ad's nearest in it became candidates. `pairs_completeness`: what blocking would keep by
    that space alone. `lost_without`: the share of the labelled duplicates that no other space finds.
    """

    name: str
    depth: int
    pairs_completeness: float | None
    lost_without: float | None


@dataclass(frozen=True)
class BlockingQuality:
    """What a model's blocking keeps, of the whole catalogue. An undefined figure is None.

    `wanted`: the cap, candidates an ad on average. `candidate_pairs`: the pairs that `link` would score; identical ads
    cost none. `mean_per_ad`, `most_per_ad`: the candidates of the average ad, and of the ad with most.
    `pairs_completeness`: of the labelled duplicates, the share that is found (identical ads are). `reduction_ratio`:
    1 - candidate_pairs / all pairs of ads, those of two sources where ads have sources. `logits`:
    `metrics.logits_after_blocking`; their average precision counts the lost pairs.
    """

    wanted: int
    candidate_pairs: int
    mean_per_ad: float
    most_per_ad: int
    pairs_completeness: float | None
    reduction_ratio: float | None
    spaces: tuple[SpaceQuality, ...]
    logits: Float64[np.ndarray, "pairs"]


def blocking_quality(
    blocked: BlockingResult,
    wanted: int,
    row_l: CatalogueRows,
    row_r: CatalogueRows,
    labels: Bool[np.ndarray, "pairs"],
    logits: Float64[np.ndarray, "pairs"],
) -> BlockingQuality:
    """`BlockingQuality` by labelled pairs of rows of the catalogue and the logits that the model gives them."""
    candidates = blocked.candidates
    found = blocked.finds(row_l, row_r)
    by_space = np.array(
        [blocked.finds_in(place, row_l, row_r) for place in range(len(candidates.spaces))]
    )
    identical = blocked.identical_ends(row_l, row_r)
    alone = (by_space.sum(axis=0) == 1) & ~identical
    per_ad = candidates.per_ad(len(blocked.ads))
    count = len(candidates.frame)
    return BlockingQuality(
        wanted,
        count,
        float(per_ad.mean()) if len(per_ad) else 0.0,
        int(per_ad.max(initial=0)),
        pairs_completeness(labels, found),
        reduction_ratio(count, _possible_pairs(blocked)),
        tuple(
            SpaceQuality(
                space.name,
                depth,
                pairs_completeness(labels, own),
                pairs_completeness(labels, own & alone),
            )
            for space, depth, own in zip(
                candidates.spaces, candidates.depths, by_space, strict=True
            )
        ),
        logits_after_blocking(logits, found),
    )


def _possible_pairs(blocked: BlockingResult) -> int:
    """How many pairs of ads there are; of two sources, where ads have sources."""
    if blocked.source_of is None:
        return _pairs_of(blocked.ads.catalogue_size)
    inside = 0
    for ads in np.bincount(blocked.source_of).tolist():
        inside += _pairs_of(ads)
    return _pairs_of(len(blocked.ads)) - inside


def _pairs_of(ads: int) -> int:
    return ads * (ads - 1) // 2
