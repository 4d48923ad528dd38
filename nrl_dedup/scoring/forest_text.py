"""A forest in LightGBM's text, read strictly: LightGBM itself believes what it reads, and ends or hangs the process.

    tree                        the header: what model it is, its columns, the size of each tree's text
    version=v4
    ...
    tree_sizes=870 887
                                then each tree: its nodes in columns, inner ones first to last, then leaves
    Tree=0
    num_leaves=3
    ...
    left_child=1 -1             an inner node's number, or -1 - the leaf's
    ...

    end of trees                then importances and parameters, which no prediction needs

What `checked_forest` returns has the header's lines anew and the trees' own, each of which it has understood.
"""

import re
from collections.abc import Mapping

import numpy as np

from nrl_dedup.errors import NrlDedupError

MAX_TREES = 10_000  # training grows at most 200
MAX_LEAVES = 1_024  # of a tree: training grows at most 15
MAX_LEAF_VALUE = (
    1e6  # of a leaf: far beyond any log-odds, and so small that no sum of leaves is infinite
)
_MAX_NUMBER_LENGTH = 32  # letters; LightGBM writes at most 25
# Decisions: missing values in three ways, left or right.
_NUMERICAL = frozenset(("0", "2", "4", "6", "8", "10"))
_MAX_COUNT = 2**31 - 1  # LightGBM counts in 32 bits

_END = "end of trees\n"
_FIXED = {  # a forest of log-odds, one tree a round
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
_HEADER = (
    *_FIXED,
    "max_feature_idx",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
    "tree_sizes",
)
_OPTIONAL = ("monotone_constraints",)
_OF_NODES = (
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
)
_NODE_FIGURES = ("internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_TREE = ("num_leaves", "num_cat", *_OF_NODES, *_OF_LEAVES, *_NODE_FIGURES, "is_linear", "shrinkage")
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def checked_forest(text: str, columns: int, name: str) -> str:
    """The text of a forest that LightGBM can be given, with the same predictions to the bit.

    :param columns: how many it may read; `name`: of the file, for the message.
    :raises NrlDedupError: a line is unknown or missing; a number is not one, or is not finite; or the nodes are not a
        tree.
    """
    try:
        head, *blocks = text.partition(_END)[0].split("\nTree=")
        if _END not in text:
            raise ValueError(f"found no line {_END.strip()!r}: it is cut short")
        sizes = _check_header(_entries(head.split("\n"), "tree"), columns)
        if len(blocks) != len(sizes) or len(blocks) > MAX_TREES:
            raise ValueError(
                f"wanted {len(sizes):,} trees, and at most {MAX_TREES:,}; found {len(blocks):,}"
            )
        trees = [_checked_tree(block, number, columns) for number, block in enumerate(blocks)]
    except ValueError as error:
        raise NrlDedupError(f"{name}: wanted the text of a forest of trees; {error}.") from error
    if [len(tree) for tree in trees] != sizes:
        raise NrlDedupError(f"{name}: wanted trees of the sizes that its header has; found others.")
    return _header(columns, sizes) + "".join(trees) + _END


def _header(columns: int, sizes: list[int]) -> str:
    written = {
        **_FIXED,
        "max_feature_idx": str(columns - 1),
        "feature_names": " ".join(f"Column_{column}" for column in range(columns)),
        "feature_infos": " ".join(["none"] * columns),  # the range of each column at training
        "tree_sizes": " ".join(map(str, sizes)),
    }
    return "tree\n" + "".join(f"{key}={value}\n" for key, value in written.items()) + "\n"


def _entries(lines: list[str], first: str) -> dict[str, str]:
    """The lines KEY=VALUE that follow the line `first`, and then nothing."""
    if lines[0] != first:
        raise ValueError(f"wanted the line {first!r}, found {lines[0][:60]!r}")
    found: dict[str, str] = {}
    for line in lines[1:]:
        key, equals, value = line.partition("=")
        if equals and key not in found:
            found[key] = value
        elif line:
            raise ValueError(f"found the line {line[:60]!r}, which is unknown or there twice")
    return found


def _check_header(entries: Mapping[str, str], columns: int) -> list[int]:
    """The sizes of the trees' texts."""
    _check_keys(entries, _HEADER, _OPTIONAL)
    for key, wanted in _FIXED.items():
        if entries[key] != wanted:
            raise ValueError(f"wanted {key}={wanted}, found {entries[key][:60]!r}")
    names, infos = entries["feature_names"].split(" "), entries["feature_infos"].split(" ")
    named = names == [f"Column_{column}" for column in range(columns)]
    if entries["max_feature_idx"] != str(columns - 1) or not named or len(infos) != columns:
        raise ValueError(
            f"wanted the {columns} columns of evidence.json, found {len(names)} or others"
        )
    return _whole("tree_sizes", entries["tree_sizes"], None, 0, _MAX_COUNT).tolist()


def _checked_tree(block: str, number: int, columns: int) -> str:
    entries = _entries(f"Tree={block}".split("\n"), f"Tree={number}")
    try:
        _check_keys(entries, _TREE, ())
        _check_tree(entries, columns)
    except ValueError as error:
        raise ValueError(f"tree {number}: {error}") from error
    return f"Tree={number}\n" + "".join(f"{key}={entries[key]}\n" for key in _TREE) + "\n\n"


def _check_tree(entries: Mapping[str, str], columns: int) -> None:
    (leaves,) = _whole("num_leaves", entries["num_leaves"], 1, 1, MAX_LEAVES)
    nodes = int(leaves) - 1
    if entries["num_cat"] != "0" or entries["is_linear"] != "0":
        raise ValueError("found categories or linear leaves, which this program does not grow")
    _whole("split_feature", entries["split_feature"], nodes, 0, columns - 1)
    kinds = entries["decision_type"].split()
    if len(kinds) != nodes or not _NUMERICAL.issuperset(kinds):
        raise ValueError(
            f"wanted {nodes} numerical decision_type, found {entries['decision_type'][:60]!r}"
        )
    # A threshold of infinity is one: every value that is known goes left.
    _figures(
        "threshold",
        " ".join("0" if one == "inf" else one for one in entries["threshold"].split(" ")),
        nodes,
    )
    for key in ("split_gain", "internal_value", "internal_weight"):
        _figures(key, entries[key], nodes)
    # What Shapley values divide by.
    _whole("internal_count", entries["internal_count"], nodes, 1, _MAX_COUNT)
    _whole("leaf_count", entries["leaf_count"], int(leaves), 0, _MAX_COUNT)
    _figures("leaf_weight", entries["leaf_weight"], int(leaves) if nodes else 0)
    _figures("shrinkage", entries["shrinkage"], 1)
    if (np.abs(_figures("leaf_value", entries["leaf_value"], int(leaves))) > MAX_LEAF_VALUE).any():
        raise ValueError(
            f"wanted a leaf_value from -{MAX_LEAF_VALUE:,.0f} to {MAX_LEAF_VALUE:,.0f}, found others"
        )
    left = _whole("left_child", entries["left_child"], nodes, -int(leaves), nodes - 1)
    right = _whole("right_child", entries["right_child"], nodes, -int(leaves), nodes - 1)
    _check_nodes(left, right)


def _check_nodes(left: np.ndarray, right: np.ndarray) -> None:
    """Each node but the first is the child of exactly one, and an inner one comes after its parent: so there is no way
    round in a circle, and every node is reached."""
    nodes = len(left)
    children = np.concatenate([left, right])
    if not np.array_equal(
        np.sort(children), np.setdiff1d(np.arange(-nodes - 1, nodes), [0] if nodes else [-1])
    ):
        raise ValueError("wanted each node to have one parent, found one without, or with two")
    for side in (left, right):
        if ((side >= 0) & (side <= np.arange(nodes))).any():
            raise ValueError("wanted a node's children behind it, found one ahead: a circle")


def _check_keys(
    entries: Mapping[str, str], wanted: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    unknown = [key for key in entries if key not in wanted]
    missing = [key for key in wanted if key not in entries and key not in optional]
    if unknown or missing:
        raise ValueError(
            f"found an unknown {unknown[0][:60]!r}" if unknown else f"{missing[0]} is missing"
        )


def _whole(key: str, text: str, count: int | None, low: int, high: int) -> np.ndarray:
    words = text.split(" ") if text else []
    if not all(map(_WHOLE.fullmatch, words)):
        raise ValueError(f"wanted whole numbers of {key}, found {text[:60]!r}")
    numbers = np.array(words, np.int64)
    if (
        (count is not None and len(numbers) != count)
        or (numbers < low).any()
        or (numbers > high).any()
    ):
        raise ValueError(
            f"wanted {count or 'some'} {key} from {low} to {high}, found {text[:60]!r}"
        )
    return numbers


def _figures(key: str, text: str, count: int) -> np.ndarray:
    words = text.split(" ") if text else []
    if not all(len(word) <= _MAX_NUMBER_LENGTH and _FIGURE.fullmatch(word) for word in words):
        raise ValueError(f"wanted numbers of {key}, found {text[:60]!r}")
    numbers = np.array(words, np.float64)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"wanted {count} finite numbers of {key}, found {text[:60]!r}")
    return numbers
