"""Ads of equal words: searched for as one, compared by everything, linked by the score alone."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.blocking import group_members as members_module
from nrl_dedup.blocking.exact_duplicates import collapse
from nrl_dedup.blocking.group_members import Members
from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.pipeline import LinkResult, link
from nrl_dedup.runtime.progress import SILENT, Progress, Silent
from nrl_dedup.runtime.run import Run
from nrl_dedup.tables import distinct_ends
from nrl_dedup.training.pair_model.fit import fit_pairs
from nrl_dedup.training.pair_model.training_pairs import training_pairs
from tests.conftest import Shop, write

CPU = torch.device("cpu")
PHONE = ["Айфон 6 на 64 гигабайта", "Продам айфон, серый, работает, зарядка в комплекте"]
HEADER = ["id", "title", "description", "price", "city", "phone"]
OTHERS = [
    [str(10 + place), thing, f"продам {thing}, недорого", str(1000 + 100 * place), "Тула", ""]
    for place, thing in enumerate(["стол", "стул", "шкаф", "велосипед", "коляска", "гитара"])
]


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def warn(self, message: str) -> None:
        self.lines.append(f"warning: {message}")


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(None, CPU)


def read(
    folder: Path, rows: list[list[str]], header: list[str] = HEADER, compared: tuple[str, ...] = ()
) -> Catalogue:
    return read_catalogue(write(folder / "items.csv", header, rows), compare=compared)


def link_rows(
    bundle: Bundle,
    catalogue: Catalogue,
    folder: Path,
    progress: Progress = SILENT,
    **options: object,
) -> LinkResult:
    return link(catalogue, bundle, None, Run(folder, CPU, progress=progress), **options)


def links_of(linked: LinkResult, catalogue: Catalogue) -> dict[tuple[str, str], float]:
    _, links = linked.with_ids(catalogue)
    return {
        (left, right): score for left, right, score in links.select(links.columns[:3]).iter_rows()
    }


def brute_force(
    groups: list[list[int]], rank: dict[int, int], found: list[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The pairs of `Members`, by their definition."""
    wanted = set()
    for ads in groups:
        if len(ads) <= members_module.MAX_SQUARE:
            wanted |= set(combinations(ads, 2))
        for place, ad in enumerate(ads):
            wanted |= {(ads[0], ad)} | {
                (ad, other) for other in ads[place + 1 : place + 1 + members_module.MAX_FOLLOWING]
            }
    for one, other in ((groups[a], groups[b]) for a, b in found):
        if min(len(one), len(other)) <= members_module.MAX_PRODUCT:
            wanted |= set(product(one, other))
            continue
        for mine, theirs in ((one, other), (other, one)):
            for ad in mine:
                below = [x for x in theirs if rank[x] < rank[ad]][-1:] or theirs[:1]
                above = [x for x in theirs if rank[x] >= rank[ad]][:1] or theirs[-1:]
                wanted |= {(ad, x) for x in (theirs[0], *below, *above)}
    return {(min(pair), max(pair)) for pair in wanted if pair[0] != pair[1]}


@pytest.mark.parametrize(("square", "following", "times"), [(100, 10, 3), (4, 2, 1), (1, 1, 0)])
def test_members_are_paired_with_their_nearest(square: int, following: int, times: int) -> None:
    draw = np.random.default_rng(0)
    ads = 90
    group_of = np.unique(draw.integers(0, 12, size=ads), return_inverse=True)[1]
    searched = np.unique(group_of, return_index=True)[1]
    order = np.argsort(searched)  # groups are numbered in the order of their first ads
    group_of, searched = np.argsort(order)[group_of], searched[order]
    price = draw.permutation(ads).astype(float)
    rank = dict(enumerate(price.argsort().argsort().tolist()))
    groups = [
        sorted(np.flatnonzero(group_of == group).tolist(), key=rank.__getitem__)
        for group in range(len(searched))
    ]
    found = [pair for pair in combinations(range(len(searched)), 2) if draw.random() < 0.5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members_module, "MAX_SQUARE", square)
        patch.setattr(members_module, "MAX_FOLLOWING", following)
        patch.setattr(members_module, "MAX_PRODUCT", times)
        made = Members.of(searched, group_of, pl.DataFrame({"price": price})).pairs(
            *np.array(found).T
        )
        wanted = brute_force(groups, rank, found)
    assert made.rows() == sorted(wanted)


def test_ads_of_equal_words_are_copies_only_if_nothing_else_differs() -> None:
    frame = pl.DataFrame({"title": ["a"] * 5, "description": ["b"] * 5})
    columns = pl.DataFrame({"price": ["1", "1", "2", None, "1"], "place": ["x", "x", "x", "x", ""]})
    digests = np.array([7, 7, 7, 7, 7], np.uint64)
    assert collapse(frame, digests, columns).copy_pairs().rows() == [(0, 1)]
    assert collapse(frame, digests).copy_pairs().rows() == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert collapse(frame, np.array([7, 8, 7, 7, 7], np.uint64), columns).copy_pairs().rows() == []


def test_equal_words_do_not_link_past_price_and_place(shipped: Bundle, tmp_path: Path) -> None:
    first = ["1", *PHONE, "5000", "Москва", "+79001112233"]
    second = ["2", *PHONE, "19000", "Владивосток", "+79994445566"]
    third = ["3", "Айфон 6, 64 гигабайта", "Продаю серый айфон, рабочий, с зарядкой", *second[3:]]
    found = {}
    for name, rows in (
        ("with", [first, second, third, *OTHERS]),
        ("without", [second, third, *OTHERS]),
    ):
        catalogue = read(tmp_path, rows)
        found[name] = links_of(link_rows(shipped, catalogue, tmp_path, threshold=0.0), catalogue)
    assert found["without"]["2", "3"] > 0.9 and found["with"]["2", "3"] > 0.9
    assert found["with"]["1", "2"] < found["with"]["2", "3"]
    catalogue = read(tmp_path, [first, second, third, *OTHERS])
    assert ("1", "2") not in links_of(
        link_rows(shipped, catalogue, tmp_path, threshold=0.9999999), catalogue
    )


def test_copies_are_scored_and_the_threshold_holds_for_them(
    shipped: Bundle, tmp_path: Path
) -> None:
    rows = [[str(number), *PHONE, "5000", "Москва", ""] for number in (1, 2, 3)] + OTHERS
    catalogue = read(tmp_path, rows)
    linked = link_rows(shipped, catalogue, tmp_path)
    links = links_of(linked, catalogue)
    assert set(links) == {("1", "2"), ("1", "3")} and links["1", "2"] == links["1", "3"] < 1
    reasons = linked.reasons.sum_horizontal().to_numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-reasons)), list(links.values()), atol=1e-6)
    assert (
        linked.clusters["row"].to_list() == catalogue.rows_of(pl.Series(["1", "2", "3"])).to_list()
    )
    above = link_rows(
        shipped, catalogue, tmp_path, threshold=float(np.nextafter(np.float32(links["1", "2"]), 2))
    )
    assert links_of(above, catalogue) == {} and above.clusters.is_empty()


def test_a_labelled_pair_of_copies_is_learned_from() -> None:
    left, right, labels = np.array([0, 2, 4]), np.array([0, 3, 5]), np.array([False, True, False])
    pairs = training_pairs(left, right, labels, np.array([2]), np.array([3]))
    assert pairs.distinct_l.tolist() == [0, 2, 4] and pairs.labels.tolist() == [False, True, False]
    assert pairs.sampling_weight.tolist() == [
        1,
        1,
        0,
    ]  # copies are scored by `link`, as candidates are


def test_labelled_negatives_of_equal_words_are_held_out_with_their_label(
    shop: Shop, trained: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(trained, CPU)
    items = pl.read_csv(shop.items, infer_schema=False).with_columns(price=pl.lit("100"))
    chosen = items.head(12)
    twins = chosen.with_columns(
        item_id=pl.concat_str(pl.lit("9"), "item_id"), price=pl.lit("90000")
    )
    pl.concat([items, twins]).write_csv(tmp_path / "items.csv")
    labels = pl.DataFrame(
        {
            "item_id_l": chosen["item_id"],
            "item_id_r": twins["item_id"],
            "is_duplicate": False,
            "side": "train",
            "weight": 1.0,
        }
    )
    without = fit_pairs(
        [read_catalogue(shop.items)], bundle, None, Run(tmp_path, device=CPU)
    ).held_out
    split = pl.concat(
        [bundle.split, labels.select(bundle.split.columns).cast(dict(bundle.split.schema))]
    )
    catalogue = read_catalogue(tmp_path / "items.csv")
    bundle = Bundle(**{**vars(bundle), "split": split})
    found = fit_pairs([catalogue], bundle, None, Run(tmp_path, device=CPU)).held_out
    negatives = [
        table.filter(scorer="evidence", is_duplicate=False)["weight"].sum()
        for table in (without, found)
    ]
    assert negatives[1] >= negatives[0] + 12


def test_a_text_in_any_letters_is_a_text(shipped: Bundle, tmp_path: Path) -> None:
    rows = [
        ["1", "出售二手苹果手机白色", "几乎全新，成都自提"],
        ["2", "出售二手苹果手机白色", "几乎全新，成都自提"],
        ["3", "山地自行车", "变速，蓝色"],
        ["4", "Πωλείται ποδήλατο", "Σχεδόν καινούργιο"],
        ["5", "Πωλείται ποδήλατο", "Σχεδόν καινούργιο"],
        ["6", "დივანი კუთხის", "ახალი"],
        ["7", "", "!!!"],
        ["8", "", "!!!"],
    ]
    catalogue, heard = read(tmp_path, rows, HEADER[:3]), Heard()
    linked = link_rows(shipped, catalogue, tmp_path, progress=heard)
    assert set(links_of(linked, catalogue)) == {("1", "2"), ("4", "5")}
    assert (
        sum(
            "6 of 8 ads have no word in the letters of --language ru" in line
            for line in heard.lines
        )
        == 1
    )


def test_a_column_that_the_model_does_not_know_changes_no_score(
    shipped: Bundle, tmp_path: Path
) -> None:
    rows = [
        ["1", "Ботинки зимние мужские", "Продам ботинки зимние кожа"],
        ["2", "Зимние мужские ботинки", "Продаю зимние ботинки, кожа"],
        ["3", "Велосипед", "Горный"],
        ["4", "Стол", "дуб"],
    ]
    found, heard = [], Heard()
    for further in ([], ["brand"], ["phone", "size"]):
        values = [
            [*row, *(f"{name} {row[0] if name == 'phone' else 'x'}" for name in further)]
            for row in rows
        ]
        catalogue = read(tmp_path, values, [*HEADER[:3], *further], tuple(further[1:]))
        linked = link_rows(shipped, catalogue, tmp_path, threshold=0.0, progress=heard)
        found.append(links_of(linked, catalogue))
    assert found[0] == found[1] == found[2] and len(found[0]) >= 3
    told = [line for line in heard.lines if "not trained with the column" in line]
    assert (
        len(told) == 2
        and "brand" in told[0]
        and told[1].startswith("warning: ")
        and "size" in told[1]
    )


@pytest.mark.parametrize("scorer", ["evidence", "siamese"])
def test_the_number_of_candidates_changes_no_score(
    shop: Shop, trained: Path, tmp_path: Path, scorer: str
) -> None:
    bundle, catalogue = load_bundle(trained, CPU), read_catalogue(shop.items)
    logits = {}
    for candidates_per_ad in (5, 30, 100, 119):
        run = Run(tmp_path, CPU)
        linked = link(
            catalogue,
            bundle,
            shop.images,
            run,
            threshold=0.0,
            candidates_per_ad=candidates_per_ad,
            scorer=scorer,
        )
        pairs = linked.candidates.frame
        scores = linked.scorer.logits(*distinct_ends(pairs))
        logits[candidates_per_ad] = dict(zip(pairs.iter_rows(), scores.tolist(), strict=True))
    assert len(logits[5]) < len(logits[30]) < len(logits[100]) <= len(logits[119])
    for found in logits.values():
        both = found.keys() & logits[100].keys()
        assert len(both) > 100 or len(both) == len(found)
        for pair in both:
            assert found[pair] == pytest.approx(logits[100][pair], abs=1e-5)
