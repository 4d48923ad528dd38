"""Trees' text: LightGBM gets what our reader has understood, and nothing else; predictions stay the same to the bit."""

import json
import re
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.scoring.forest_text import MAX_LEAF_VALUE, MAX_LEAVES, checked_forest
from nrl_dedup.scoring.trees import Trees

EVIDENCE = Path(__file__).parents[2] / "weights" / "default" / "evidence"
COLUMNS = {
    name: len(about["names"])
    for name, about in json.loads((EVIDENCE / "evidence.json").read_text())["forests"].items()
}
LOOKS = (
    {"raw_score": True},
    {"pred_contrib": True},
    {"raw_score": True, "start_iteration": 1, "num_iteration": 2},
)


def same_predictions(one: str, other: str, columns: int) -> bool:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(500, columns)) * draw.choice([0.1, 1, 10], size=(500, columns))
    values[draw.random(values.shape) < 0.2] = np.nan
    first, second = lightgbm.Booster(model_str=one), lightgbm.Booster(model_str=other)
    return all(
        np.array_equal(first.predict(values, **look), second.predict(values, **look))
        for look in LOOKS
    )


@pytest.mark.parametrize("name", COLUMNS)
def test_the_shipped_forests_predict_the_same(name: str) -> None:
    text = (EVIDENCE / name).read_text("utf-8")
    found = checked_forest(text, COLUMNS[name], name)
    assert same_predictions(text, found, COLUMNS[name])
    assert "parameters" in text and "parameters" not in found and "importances" not in found
    assert checked_forest(found, COLUMNS[name], name) == found


def grown(rows: int = 400, **settings: object) -> str:
    draw = np.random.default_rng(1)
    values = draw.normal(size=(rows, 3))
    labels = (values[:, 0] + draw.normal(size=rows) > 0).astype(np.float32)
    settings = {
        "objective": "binary",
        "verbosity": -1,
        "num_leaves": 4,
        "min_data_in_leaf": 5,
        "num_threads": 1,
    } | settings
    return lightgbm.train(settings, lightgbm.Dataset(values, labels), 3).model_to_string()


@pytest.mark.parametrize(
    "settings", [{}, {"monotone_constraints": [1, 0, -1]}, {"min_data_in_leaf": 10_000}]
)
def test_what_lightgbm_grows_is_taken(settings: dict) -> None:
    text = grown(**settings)
    assert same_predictions(text, checked_forest(text, 3, "x"), 3)


def test_a_tree_of_many_leaves_is_taken_and_one_of_too_many_is_not() -> None:
    text = grown(4_000, num_leaves=MAX_LEAVES, min_data_in_leaf=1, min_sum_hessian_in_leaf=0)
    checked_forest(text, 3, "x")
    more = text.replace(re.findall(r"num_leaves=\d+", text)[0], f"num_leaves={MAX_LEAVES + 1}", 1)
    with pytest.raises(NrlDedupError, match="num_leaves from 1 to 1024"):
        checked_forest(more, 3, "x")


def changed(key: str, value: str, text: str = "") -> str:
    """The first line of that key with another value."""
    found = re.sub(rf"(?m)^{key}=.*$", f"{key}={value}", text or SMALL, count=1)
    assert found != (text or SMALL)
    return found


SMALL = grown()
DAMAGES = {
    "no tree": ("tree", "found no line 'end of trees'"),
    "empty": ("", "found no line"),
    "something else": ("x\n" + SMALL, "wanted the line 'tree', found 'x'"),
    "cut": (SMALL[: SMALL.index("Tree=2")] + "end of trees\n", "wanted 3 trees, and at most 10,000; found 2"),
    "version": (changed("version", "v9"), "wanted version=v4, found 'v9'"),
    "classes": (changed("num_class", "2"), "wanted num_class=1"),
    "objective": (changed("objective", "regression"), "wanted objective=binary sigmoid:1"),
    "columns": (changed("max_feature_idx", "3"), "wanted the 3 columns"),
    "names": (changed("feature_names", "a b c"), "wanted the 3 columns"),
    "linear": (changed("is_linear", "1"), "tree 0: found categories or linear leaves"),
    "categories": (changed("num_cat", "1"), "tree 0: found categories or linear leaves"),
    "an unknown line of the header": (SMALL.replace("num_class", "average_output\nnum_class"), "there twice"),
    "an unknown key of the header": (SMALL.replace("num_class=", "machines=a\nnum_class="), "an unknown 'machines'"),
    "an unknown key of a tree": (SMALL.replace("shrinkage=", "leaf_coeff=1\nshrinkage="), "an unknown 'leaf_coeff'"),
    "a key twice": (SMALL.replace("num_cat=0", "num_cat=0\nnum_cat=0"), "there twice"),
    "no key": (SMALL.replace("leaf_count=", "shrinkage_="), "found an unknown 'shrinkage_'"),
    "another number of a tree": (SMALL.replace("Tree=1", "Tree=7"), "wanted the line 'Tree=1', found 'Tree=7'"),
    "sizes": (re.sub(r"tree_sizes=(\d+)", "tree_sizes=10", SMALL), "wanted trees of the sizes"),
    "sizes beyond 32 bits": (re.sub(r"tree_sizes=(\d+)", "tree_sizes=9999999999", SMALL), "tree_sizes from 0 to"),
    "leaves": (changed("num_leaves", "5"), "wanted 4 split_feature"),
    "no leaves": (changed("num_leaves", "0"), "num_leaves from 1 to"),
    "leaves of 2^31": (changed("num_leaves", "2147483647"), "num_leaves from 1 to"),
    "no number of leaves": (changed("num_leaves", "four"), "whole numbers of num_leaves, found 'four'"),
    "feature": (changed("split_feature", "0 1 3"), "wanted 3 split_feature from 0 to 2, found '0 1 3'"),
    "negative feature": (changed("split_feature", "0 -1 2"), "split_feature from 0 to 2"),
    "decision": (changed("decision_type", "2 1 2"), "wanted 3 numerical decision_type, found '2 1 2'"),
    "decision of another kind": (changed("decision_type", "2 14 2"), "numerical decision_type"),
    "fewer children": (changed("left_child", "1 -1"), "wanted 3 left_child"),
    "child out of range": (changed("left_child", "1 -1 3"), "left_child from -4 to 2"),
    "leaf out of range": (changed("left_child", "1 -1 -5"), "left_child from -4 to 2"),
    "NaN threshold": (changed("threshold", "0.5 nan 1"), "wanted numbers of threshold"),
    "NaN leaf": (changed("leaf_value", "0.5 nan 1 1"), "wanted numbers of leaf_value"),
    "infinite leaf": (changed("leaf_value", "0.5 1e999 1 1"), "4 finite numbers of leaf_value"),
    "huge leaf": (changed("leaf_value", f"0.5 {10 * MAX_LEAF_VALUE} 1 1"), "leaf_value from -1,000,000 to 1,000,000"),
    "a long number": (changed("leaf_value", "0.5 1" + "0" * 50 + " 1 1"), "wanted numbers of leaf_value"),
    "no count": (changed("internal_count", "400 0 3"), "wanted 3 internal_count from 1 to"),
    "digits of another script": (changed("split_feature", "0 1 ١"), "whole numbers of split_feature"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_named(damage: str) -> None:
    text, said = DAMAGES[damage]
    with pytest.raises(
        NrlDedupError, match=rf"x\.txt: wanted .*{re.escape(said.removeprefix('wanted '))}"
    ):
        checked_forest(text, 3, "x.txt")
    with pytest.raises(NrlDedupError):
        Trees(text, ("a", "b", "c"), ("text",) * 3)._booster  # noqa: B018


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ("1 0 -1", "2 -2 -3", "one parent"),  # the first node is a child of the second
        ("1 -1 -1", "2 -2 -3", "one parent"),  # a leaf with two parents, another with none
        ("1 -1 -4", "1 -2 -3", "one parent"),
        ("-1 2 1", "-2 -3 -4", "behind it"),  # 1 and 2 go round, apart from the rest
        ("-1 1 2", "-2 -3 -4", "behind it"),  # each its own child
    ],
)
def test_what_is_no_tree_is_refused(left: str, right: str, said: str) -> None:
    text = re.sub(
        r"(?m)^right_child=.*$",
        f"right_child={right}",
        re.sub(r"(?m)^left_child=.*$", f"left_child={left}", SMALL),
    )
    with pytest.raises(NrlDedupError, match=rf"tree 0: wanted .*{said}"):
        checked_forest(text, 3, "x.txt")


def test_the_smallest_tree_and_a_threshold_of_infinity_are_taken() -> None:
    text = grown(min_data_in_leaf=10_000)
    assert "num_leaves=1\n" in text
    checked_forest(text, 3, "x")
    first = re.findall(r"(?m)^threshold=(\S+) ", SMALL)[0]
    infinite = SMALL.replace(f"threshold={first} ", "threshold=inf ", 1)
    sizes = re.sub(
        r"tree_sizes=(\d+)", lambda size: f"tree_sizes={int(size[1]) + 3 - len(first)}", infinite
    )
    assert "threshold=inf " in checked_forest(sizes, 3, "x")
