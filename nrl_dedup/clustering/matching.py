"""Clusters across sources: at most one ad of each source, or one ad of a source with all that are nearest to it."""

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from nrl_dedup.tables import SCORED_PAIRS, check

MIN_SCORE = 1e-7  # scores are kept so far from 0 and 1, whose log-odds are infinite: the resolution of 32 bits
# Weight of a link at the threshold, whose log-odds above it are 0: enough to be preferred to no link.
WEIGHT_OF_ANY_LINK = 1e-6

Ads = Int64[np.ndarray, "ads"]
Rows = Int64[np.ndarray, "links"]
Weights = Float64[np.ndarray, "links"]
Links = tuple[Rows, Rows, Weights]


def one_to_one(scored: pl.DataFrame, ads: int, threshold: float, source_of: Ads) -> Ads:
    """Clusters with at most one ad of each source.

    Of two sources: the pairs of the maximum-weight matching of the links, the weight of a link being its log-odds less
    those of `threshold`. Of more: the links are taken by their score, the highest first, and each joins the clusters of
    its two ads if these have no source in common.

    :param scored: `tables.SCORED_PAIRS`, pairs of ads of different sources.
    :param source_of: the number of each ad's source.
    :return: one label per ad, which the ads of its cluster share.
    :raises NrlDedupError: `scored` has other columns or types.
    """
    left, right, weight = _links(scored, threshold)
    if source_of.max(initial=0) <= 1:
        swapped = source_of[left] > source_of[right]
        of_first = np.where(swapped, right, left)
        of_second = np.where(swapped, left, right)
        return _matching(of_first, of_second, weight, ads)
    return _greedily(left, right, weight, source_of)


def one_to_many(
    scored: pl.DataFrame, ads: int, threshold: float, source_of: Ads, source: int
) -> Ads:
    """Clusters of one ad of `source` with the ads of other sources of which it is the best partner: the sum of the
    links' weights (`one_to_one`) is the highest that there is where each of these has one partner.

    Links between two other sources count for nothing.

    :param source: the number of the source whose ads may have several partners. Other arguments: as in `one_to_one`.
    """
    left, right, weight = _links(scored, threshold)
    is_left = source_of[left] == source
    is_right = source_of[right] == source
    counts = is_left | is_right
    of_source = np.where(is_left, left, right)[counts]
    other = np.where(is_left, right, left)[counts]
    order = np.lexsort((of_source, -weight[counts], other))  # the best of each ad first
    other = other[order]
    is_first = np.diff(other, prepend=-1) != 0
    label = np.arange(ads)
    label[other[is_first]] = of_source[order][is_first]
    return label


def _links(scored: pl.DataFrame, threshold: float) -> Links:
    """Rows of the two ads of each link, and its weight, above 0."""
    pairs = check(scored, SCORED_PAIRS, "scored pairs")
    links = pairs.filter(pl.col("score") >= threshold)
    left = links["row_l"].to_numpy()
    right = links["row_r"].to_numpy()
    score = links["score"].to_numpy().astype(np.float64)
    above = _log_odds(score) - _log_odds(np.array([threshold]))
    return left, right, np.maximum(above, 0) + WEIGHT_OF_ANY_LINK


def _log_odds(score: Weights) -> Weights:
    inside = np.clip(score, MIN_SCORE, 1 - MIN_SCORE)
    return np.log(inside / (1 - inside))


def _matching(left: Rows, right: Rows, weight: Weights, ads: int) -> Ads:
    """Maximum-weight matching of a bipartite graph, as a full matching of least cost (Jonker and Volgenant 1987): each
    left ad may take a column of its own, at the cost of no link."""
    label = np.arange(ads)
    if not len(left):
        return label
    lefts, row = np.unique(left, return_inverse=True)
    rights, column = np.unique(right, return_inverse=True)
    no_link = float(weight.max()) + 1.0  # costs must not be 0, which a sparse matrix does not hold
    alone = np.arange(len(lefts))
    rows = np.concatenate([row, alone])
    columns = np.concatenate([column, len(rights) + alone])
    costs = np.concatenate([no_link - weight, np.full(len(lefts), no_link)])
    shape = (len(lefts), len(rights) + len(lefts))
    graph = sparse.csr_array((costs, (rows, columns)), shape=shape)
    matched_row, matched_column = min_weight_full_bipartite_matching(graph)
    is_link = matched_column < len(rights)
    partner = rights[matched_column[is_link]]
    label[partner] = lefts[matched_row[is_link]]
    return label


def _greedily(left: Rows, right: Rows, weight: Weights, source_of: Ads) -> Ads:
    order = np.lexsort((right, left, -weight))
    label = list(range(len(source_of)))
    members: dict[int, list[int]] = {}
    sources: dict[int, set[int]] = {}
    for one, other in zip(left[order].tolist(), right[order].tolist(), strict=True):
        a = label[one]
        b = label[other]
        sources_a = sources.setdefault(a, {int(source_of[a])})
        sources_b = sources.setdefault(b, {int(source_of[b])})
        if a == b or sources_a & sources_b:
            continue
        moved = members.pop(b, [b])
        members.setdefault(a, [a]).extend(moved)
        sources_a |= sources.pop(b)
        for ad in moved:
            label[ad] = a
    return np.array(label, dtype=np.int64)
