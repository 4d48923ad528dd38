"""Training, validation and test: no leak, nothing lost, the class ratio kept."""

import networkx
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nrl_dedup.catalogue.splits import SIDES, Split, published_split, split_pairs
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import LABELLED_PAIRS


def labelled(pairs: list[tuple[int, int, bool]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=LABELLED_PAIRS, orient="row")


def random_pairs(seed: int, ads: int, pairs: int, reach: int, share: float = 0.3) -> pl.DataFrame:
    """Pairs of ads at most `reach` rows apart, the nearest ones likeliest duplicates."""
    draw = np.random.default_rng(seed)
    left = draw.integers(0, ads - 1, pairs)
    right = np.minimum(left + draw.integers(1, reach + 1, pairs), ads - 1)
    frame = pl.DataFrame({"row_l": left, "row_r": right}).filter(pl.col("row_l") < pl.col("row_r"))
    frame = frame.unique().sort("row_l", "row_r")
    return frame.with_columns(is_duplicate=pl.Series(draw.random(frame.height) < share))


def ads_of(pairs: pl.DataFrame) -> set[int]:
    return set(pairs["row_l"]) | set(pairs["row_r"])


def triples(pairs: pl.DataFrame) -> list[tuple]:
    return sorted(pairs.select(list(LABELLED_PAIRS)).rows())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    ads=st.integers(20, 80),
    pairs=st.integers(40, 150),
    reach=st.integers(1, 30),
    share=st.floats(0.1, 0.4),
)
def test_a_split_by_ads_leaks_nothing_and_accounts_for_every_pair(seed, ads, pairs, reach, share):
    frame = random_pairs(seed, ads, pairs, reach, share)
    try:
        split = split_pairs(frame, "ads", seed)
    except NrlDedupError:
        assume(False)
    sides = {name: split.side(name) for name in SIDES}

    graph = networkx.Graph()
    graph.add_edges_from(frame.filter("is_duplicate").select("row_l", "row_r").rows())
    side_of: dict[int, str] = {}
    for name, side in sides.items():
        for ad in ads_of(side):
            assert side_of.setdefault(ad, name) == name
    for group in networkx.connected_components(graph):
        assert len({side_of[ad] for ad in group}) == 1

    kept = [pair for side in sides.values() for pair in triples(side)]
    assert len(set(kept)) == len(kept)
    dropped = set(triples(frame)) - set(kept)
    assert set(kept) <= set(triples(frame))
    assert not any(is_duplicate for _, _, is_duplicate in dropped)
    for left, right, _ in dropped:
        assert left not in side_of or right not in side_of or side_of[left] != side_of[right]

    assert split.audit["pairs_dropped"] == len(dropped)
    assert split.audit["duplicates_dropped"] == split.audit["ads_on_two_sides"] == 0
    assert split.audit["pairs_on_two_sides"] == 0
    for name, side in sides.items():
        assert split.audit[f"pairs_{name}"] == side.height
        assert split.audit[f"duplicates_{name}"] == side["is_duplicate"].sum()
        assert split.audit[f"ads_{name}"] == len(ads_of(side))


@pytest.fixture(scope="module")
def many() -> pl.DataFrame:
    return random_pairs(seed=5, ads=3000, pairs=9000, reach=40, share=0.1)


def test_weights_restore_the_class_ratio(many):
    split = split_pairs(many, "ads", 0)
    assert split.side("train")["weight"].unique().to_list() == [1.0]
    for name in ("valid", "test"):
        side = split.side(name)
        weights = dict(side.group_by("is_duplicate").agg(pl.col("weight").unique()).rows())
        assert weights == {True: [1.0], False: [split.audit[f"negative_weight_{name}"]]}
        ratio = side.filter("is_duplicate")["weight"].sum() / side["weight"].sum()
        assert ratio == pytest.approx(many["is_duplicate"].mean())


@pytest.mark.parametrize("how", ["ads", "pairs"])
def test_the_sides_hold_80_10_and_10_percent_of_the_pairs_kept(many, how):
    split = split_pairs(many, how, 0)
    shares = [split.side(name).height / split.frame.height for name in SIDES]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert split.frame["side"].rle_id().max() == 2
    assert split.frame["side"].unique(maintain_order=True).to_list() == list(SIDES)


def test_the_shares_are_of_the_pairs_kept_where_many_are_cut():
    tangled = random_pairs(seed=6, ads=4000, pairs=10_000, reach=4000, share=0.05)
    split = split_pairs(tangled, "ads", 0)
    assert split.audit["pairs_dropped"] > 0.2 * tangled.height
    shares = [split.side(name).height / split.frame.height for name in SIDES]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_of_groups_is_cut_at_two_places(seed):
    """200 things of two ads each, in a row: any split into three windows cuts two of the 199 negatives."""
    duplicates = [(2 * i, 2 * i + 1, True) for i in range(200)]
    negatives = [(2 * i + 1, 2 * i + 2, False) for i in range(199)]
    split = split_pairs(labelled(sorted(duplicates + negatives)), "ads", seed)
    assert split.audit["pairs_dropped"] == 2


@pytest.mark.parametrize(("size", "share"), [(4_000, 0.1), (150_000, 0.02)])
def test_a_group_too_large_for_a_window_is_for_training(many, size, share):
    """One group of many duplicates; without care it would fill, and burst, a window.

    All other pairs are 5.5 % of the second set; a third of the groups then stands on each side.
    """
    star = labelled([(10_000, 10_000 + i, True) for i in range(1, size)])
    split = split_pairs(pl.concat([many, star]), "ads", 0)
    assert set(triples(star)) <= set(triples(split.side("train")))
    assert split.side("test").height / split.frame.height == pytest.approx(share, abs=0.01)


def test_separate_clumps_are_not_cut_apart():
    """Twenty clumps, all pairs of ten ads: whole clumps fill a tenth of the pairs, and no window needs a part."""
    pairs = [
        (10 * clump + i, 10 * clump + j, i % 2 == 0 and j == i + 1)
        for clump in range(20)
        for i in range(10)
        for j in range(i + 1, 10)
    ]
    split = split_pairs(labelled(pairs), "ads", 3)
    assert split.audit["pairs_dropped"] == 0
    assert [split.audit[f"pairs_{name}"] for name in SIDES] == [16 * 45, 2 * 45, 2 * 45]
    assert split.audit["negative_weight_test"] == pytest.approx(1.0)


@pytest.mark.parametrize("how", ["ads", "pairs"])
def test_the_seed_alone_decides(many, how):
    first, again, other = (split_pairs(many, how, seed) for seed in (1, 1, 2))
    assert first.frame.equals(again.frame)
    assert first.audit == again.audit
    assert triples(first.side("test")) != triples(other.side("test"))


def test_a_split_by_pairs_is_stratified_and_says_what_it_shares(many):
    split = split_pairs(many, "pairs", 0)
    sides = {name: split.side(name) for name in SIDES}
    assert triples(split.frame) == triples(many)
    assert split.frame["weight"].unique().to_list() == [1.0]
    duplicates = int(many["is_duplicate"].sum())
    for name in ("valid", "test"):
        assert split.audit[f"duplicates_{name}"] == round(0.1 * duplicates)
        assert split.audit[f"pairs_{name}"] == round(0.1 * duplicates) + round(
            0.1 * (many.height - duplicates)
        )
    a, b, c = (ads_of(side) for side in sides.values())
    assert split.audit["ads_on_two_sides"] == len((a & b) | (a & c) | (b & c)) > 0
    assert split.audit["pairs_dropped"] == split.audit["pairs_on_two_sides"] == 0


def rows_apart(split: Split, name: str) -> list[tuple]:
    return triples(split.side(name))


def test_published_sides_are_taken_as_they_are():
    train = labelled([(0, 1, True), (0, 2, False), (3, 4, False)])
    valid = labelled([(0, 5, False)])
    test = labelled([(3, 4, False), (6, 7, True)])
    split = published_split(train, valid, test, seed=0)
    assert [rows_apart(split, name) for name in SIDES] == [
        triples(side) for side in (train, valid, test)
    ]
    assert split.frame["weight"].to_list() == [1.0] * 6
    assert split.audit["ads_on_two_sides"] == 3  # 0, 3 and 4
    assert split.audit["pairs_on_two_sides"] == 1
    assert split.audit["pairs_dropped"] == 0


@pytest.mark.parametrize("missing", [("valid",), ("test",), ("valid", "test")])
def test_missing_published_sides_come_from_training(many, missing):
    given = {
        name: None if name in missing else labelled([(9000, 9001, True)])
        for name in ("valid", "test")
    }
    split = published_split(many, given["valid"], given["test"], seed=4)
    taken = [pair for name in ("train", *missing) for pair in rows_apart(split, name)]
    assert sorted(taken) == triples(many)
    duplicates = int(many["is_duplicate"].sum())
    for name in ("valid", "test"):
        if name in missing:
            assert split.audit[f"duplicates_{name}"] == round(0.1 * duplicates)
            assert split.audit[f"pairs_{name}"] == round(0.1 * duplicates) + round(
                0.1 * (many.height - duplicates)
            )
        else:
            assert rows_apart(split, name) == [(9000, 9001, True)]


STAR = [
    (0, i, i % 2 == 0) for i in range(1, 40)
]  # its duplicates are one group, and each negative hangs on it


@pytest.mark.parametrize(
    ("pairs", "how", "message"),
    [
        (
            [(0, 1, True), (2, 3, False)],
            "ads",
            r"Too few labelled pairs to split: of the \d pairs for",
        ),
        (
            [(0, 1, True), (2, 3, False), (4, 5, False)],
            "pairs",
            "of the 0 pairs for train|0 are duplicates",
        ),
        (STAR, "ads", "needs at least one that is and one that is not.*--split pairs"),
        ([(i, i + 1, False) for i in range(0, 90, 2)], "ads", "0 are duplicates"),
        ([(i, i + 1, True) for i in range(0, 90, 2)], "pairs", "is and one that is not"),
        ([], "ads", "of the 0 pairs"),
        ([], "pairs", "of the 0 pairs"),
    ],
)
def test_too_few_pairs(pairs, how, message):
    with pytest.raises(NrlDedupError, match=message):
        split_pairs(labelled(pairs), how, 0)


def test_training_pairs_of_one_class_are_refused_and_other_sides_are_not():
    both, one = labelled([(0, 1, True), (0, 2, False)]), labelled([(3, 4, True)])
    assert published_split(both, one, one, 0).audit["negative_weight_test"] == 1.0
    with pytest.raises(NrlDedupError, match="1 pairs for train, 1 are duplicates"):
        published_split(one, both, both, 0)


@pytest.mark.parametrize("name", ["valid", "test"])
def test_a_published_side_without_pairs_is_refused(name):
    both = labelled([(0, 1, True), (0, 2, False)])
    sides = {"valid": both, "test": both, name: both.clear()}
    with pytest.raises(NrlDedupError, match=f"--{name}-pairs: not one pair"):
        published_split(both, **sides, seed=0)


def test_other_columns_are_refused():
    with pytest.raises(NrlDedupError, match="wanted the columns is_duplicate"):
        split_pairs(labelled([(0, 1, True)]).drop("is_duplicate"), "ads", 0)
