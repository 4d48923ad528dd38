"""Labelled pairs into training, validation and test.

A model that has seen an ad in training knows it again in the test. The split by ads therefore puts each ad, and each
group of ads joined by duplicate pairs, on one side only; pairs of ads on different sides, none of them duplicates,
are left out. As ads with many such pairs lose more of them, the negatives of validation and test weigh more.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int8, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import LABELLED_PAIRS, check

SPLIT = {**LABELLED_PAIRS, "side": pl.String, "weight": pl.Float64}
SIDES = ("train", "valid", "test")
HELD_OUT = ("valid", "test")
_SHARE = 0.1  # of the pairs, for validation and for test
_ORDERS = 8  # orders of the groups that are tried, the best one taken
_DROPPED = -1


@dataclass(frozen=True)
class Split:
    """The pairs that are used, each with its side, and what a reader must know to trust it.

    `frame` has the columns of `SPLIT`, train first, then valid, then test. `audit`, for each side S: `pairs_S`,
    `duplicates_S`, `ads_S`; for valid and test also `negative_weight_S`; and `pairs_dropped` (across sides),
    `duplicates_dropped`, `ads_on_two_sides`, `pairs_on_two_sides`.
    """

    frame: pl.DataFrame
    audit: dict[str, int | float]

    def side(self, name: str) -> pl.DataFrame:
        """The pairs of one of `SIDES`, with all columns of `SPLIT`."""
        return self.frame.filter(pl.col("side") == name)


def split_pairs(pairs: pl.DataFrame, how: str, seed: int) -> Split:
    """80 % of the pairs for training, 10 % for validation, 10 % for test.

    `how` is "ads" (see above; the shares are of the pairs that are kept) or "pairs" (at random within each class, as
    in the thesis: an ad may stand on several sides). The weights are 1, but those of the negatives of validation and
    test in a split by ads give either side the class ratio of all of `pairs`.

    :param pairs: columns of `tables.LABELLED_PAIRS`, each pair once.
    :raises NrlDedupError: a side would have no duplicates or nothing but duplicates.
    """
    pairs = check(pairs, LABELLED_PAIRS, "labelled pairs")
    duplicate = pairs["is_duplicate"].to_numpy()
    random = np.random.default_rng(seed)
    if how == "pairs":
        side = _stratified(duplicate, {"valid": _SHARE, "test": _SHARE}, random)
    else:
        side = _by_ads(pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy(), duplicate, random)
    split = _split(pairs, side, weighted=how == "ads")
    _refuse_empty_classes(split, SIDES)
    return split


def published_split(
    train: pl.DataFrame, valid: pl.DataFrame | None, test: pl.DataFrame | None, seed: int
) -> Split:
    """Published sides as they are, weights 1; for each that is None, 10 % of `train` at random within each class.

    :param train: columns of `tables.LABELLED_PAIRS`; so for `valid` and `test`.
    :raises NrlDedupError: training, or a side taken from it, would have no duplicates or nothing but duplicates; or a
        published side has no pairs.
    """
    given = {"valid": valid, "test": test}
    train = check(train, LABELLED_PAIRS, "training pairs")
    missing = {name: _SHARE for name, frame in given.items() if frame is None}
    side = _stratified(train["is_duplicate"].to_numpy(), missing, np.random.default_rng(seed))
    parts, sides = [train], [side]
    for name, frame in given.items():
        if frame is not None:
            if frame.is_empty():
                raise NrlDedupError(
                    f"--{name}-pairs: not one pair is left. Name other pairs, or leave out --complete-only: it drops "
                    "those of ads without words or a readable photo."
                )
            parts.append(check(frame, LABELLED_PAIRS, f"{name} pairs"))
            sides.append(np.full(frame.height, SIDES.index(name), dtype=np.int8))
    split = _split(pl.concat(parts), np.concatenate(sides), weighted=False)
    _refuse_empty_classes(split, ("train", *missing))
    return split


def _stratified(
    duplicate: Bool[np.ndarray, " pairs"], shares: dict[str, float], random: np.random.Generator
) -> Int8[np.ndarray, " pairs"]:
    """Of each class, at random, the given share (rounded, at least one) for each side; the rest for training."""
    side = np.zeros(len(duplicate), dtype=np.int8)
    for of_class in (duplicate, ~duplicate):
        members = random.permutation(np.flatnonzero(of_class))
        start = 0
        for name, share in shares.items():
            count = max(1, round(share * len(members)))
            side[members[start : start + count]] = SIDES.index(name)
            start += count
    return side


def _by_ads(
    row_l: Int64[np.ndarray, " pairs"],
    row_r: Int64[np.ndarray, " pairs"],
    duplicate: Bool[np.ndarray, " pairs"],
    random: np.random.Generator,
) -> Int8[np.ndarray, " pairs"]:
    """The side of each pair, `_DROPPED` across sides.

    A group with pairs for half a window or more is for training: at a border it would make the window far too large.
    Of several orders of the groups, the split that drops the fewest pairs is taken, each pair of either class too many
    or too few in validation and test counting like a dropped one. One that leaves a side without a class is taken
    only for want of others.
    """
    if not len(row_l):
        return np.zeros(0, dtype=np.int8)
    ads, ad = np.unique(np.concatenate([row_l, row_r]), return_inverse=True)
    left, right = ad[: len(row_l)], ad[len(row_l) :]
    group = duplicate_groups(left[duplicate], right[duplicate], len(ads))
    groups = int(group.max()) + 1
    left, right = group[left], group[right]
    heavy = np.bincount(left[left == right], minlength=groups) >= _SHARE / 2 * len(row_l)
    light = (left != right) & ~heavy[left] & ~heavy[right]
    graph = _graph(left[light], right[light], groups)
    of_kind = np.array([np.sum(duplicate), np.sum(~duplicate)])
    best, least = np.full(len(row_l), _DROPPED, dtype=np.int8), np.inf
    for _ in range(_ORDERS):
        position = _local_order(graph, random)
        position[heavy] = groups // 2
        side = _windows(position[left], position[right], groups)
        per_side = np.array(
            [[np.sum((side == s) & kind) for kind in (duplicate, ~duplicate)] for s in range(3)]
        )
        cost = np.sum(side == _DROPPED) + np.abs(per_side[1:] - _SHARE * of_kind).sum()
        cost += len(row_l) * 3 * np.sum(per_side == 0)
        if cost < least:
            best, least = side, cost
    return best


def _graph(left: np.ndarray, right: np.ndarray, nodes: int) -> coo_array:
    return coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(nodes, nodes))


def _local_order(graph: coo_array, random: np.random.Generator) -> Int64[np.ndarray, " nodes"]:
    """A position for each node such that neighbours stand close: reverse Cuthill-McKee, ties and roots by chance.

    Connected components follow each other in random order, where the algorithm would begin with the lowest degrees.
    """
    nodes = graph.shape[0]
    name = random.permutation(nodes)
    row, column = name[graph.row], name[graph.col]
    renamed = _graph(np.concatenate([row, column]), np.concatenate([column, row]), nodes).tocsr()
    order = reverse_cuthill_mckee(renamed, symmetric_mode=True)
    components, component = connected_components(renamed, directed=False)
    order = order[np.argsort(random.permutation(components)[component[order]], kind="stable")]
    position = np.empty(nodes, dtype=np.int64)
    position[order] = np.arange(nodes)
    return position[name]


def _windows(
    left: Int64[np.ndarray, " pairs"], right: Int64[np.ndarray, " pairs"], nodes: int
) -> Int8[np.ndarray, " pairs"]:
    """Cut the order twice: validation is its start, test its end, and either holds its share of the pairs kept.

    Neither takes more than a third of the nodes, so that what is in the middle is always for training.
    """
    first, last = np.minimum(left, right), np.maximum(left, right)
    by_last, by_first = np.sort(last), np.sort(first)

    def cut(wanted: int) -> Int8[np.ndarray, " pairs"]:
        start = min(by_last[wanted - 1] + 1, nodes // 3)
        end = max(by_first[-wanted], nodes - nodes // 3)
        side = np.full(len(left), _DROPPED, dtype=np.int8)
        side[last < start] = SIDES.index("valid")
        side[first >= end] = SIDES.index("test")
        side[(first >= start) & (last < end)] = SIDES.index("train")
        return side

    low, high = 1, max(1, round(_SHARE * len(left)))
    while low < high:  # how many pairs are kept depends on where the cuts are: bisect
        wanted = (low + high + 1) // 2
        if wanted <= _SHARE * np.sum(cut(wanted) != _DROPPED):
            low = wanted
        else:
            high = wanted - 1
    return cut(low)


def _split(pairs: pl.DataFrame, side: Int8[np.ndarray, " pairs"], *, weighted: bool) -> Split:
    total, duplicates = pairs.height, int(pairs["is_duplicate"].sum())
    names = pl.col("side").replace_strict(dict(enumerate(SIDES)), return_dtype=pl.String)
    kept = pairs.with_columns(side=pl.Series(side)).filter(pl.col("side") != _DROPPED)
    frame = kept.sort("side", maintain_order=True).with_columns(names, weight=pl.lit(1.0))
    audit: dict[str, int | float] = {
        "pairs_dropped": total - frame.height,
        "duplicates_dropped": duplicates - int(frame["is_duplicate"].sum()),
    }
    ads = []
    for name in SIDES:
        part = frame.filter(pl.col("side") == name)
        ads.append(pl.DataFrame({"ad": pl.concat([part["row_l"], part["row_r"]]).unique()}))
        audit |= {
            f"pairs_{name}": part.height,
            f"duplicates_{name}": int(part["is_duplicate"].sum()),
        }
        audit[f"ads_{name}"] = ads[-1].height
    for name in HELD_OUT:
        negatives = audit[f"pairs_{name}"] - audit[f"duplicates_{name}"]
        weight = 1.0
        if weighted and negatives and duplicates:
            weight = (total - duplicates) / duplicates * audit[f"duplicates_{name}"] / negatives
        audit[f"negative_weight_{name}"] = weight
        raised = (pl.col("side") == name) & ~pl.col("is_duplicate")
        frame = frame.with_columns(weight=pl.when(raised).then(weight).otherwise("weight"))
    audit["ads_on_two_sides"] = _standing_twice(pl.concat(ads))
    audit["pairs_on_two_sides"] = _standing_twice(
        frame.select("row_l", "row_r", "side").unique().drop("side")
    )
    return Split(check(frame, SPLIT, "split"), audit)


def _standing_twice(frame: pl.DataFrame) -> int:
    """How many distinct rows `frame` has more than once."""
    return frame.group_by(frame.columns).len().filter(pl.col("len") > 1).height


def _refuse_empty_classes(split: Split, names: tuple[str, ...]) -> None:
    for name in names:
        pairs, duplicates = split.audit[f"pairs_{name}"], split.audit[f"duplicates_{name}"]
        if duplicates in (0, pairs):
            raise NrlDedupError(
                f"Too few labelled pairs to split: of the {pairs} pairs for {name}, {duplicates} are duplicates, "
                "and each side needs at least one that is and one that is not. Label more pairs, or, where most "
                "ads hang together by duplicate pairs, split with --split pairs."
            )
