"""Where ads have sources, only ads of other sources are found: every search against brute force."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.blocking import sparse_search as sparse_module
from nrl_dedup.blocking.across_sources import nearest_lists
from nrl_dedup.blocking.block import block
from nrl_dedup.blocking.dense_search import nearest_by_vectors
from nrl_dedup.blocking.faiss_indexes import L2
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.joint_source import joint_neighbours
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.blocking.text_source import fit_frequencies, read_texts, stems, text_neighbours
from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.pipeline import link
from nrl_dedup.runtime.progress import SILENT
from nrl_dedup.runtime.run import Run
from nrl_dedup.tables import distinct_ends
from tests.conftest import write

CPU = torch.device("cpu")
Lists = list[list[tuple[int, float]]]


def listed(space: NeighbourLists) -> Lists:
    """Of each ad its neighbours and their similarities."""
    found = []
    for rows, near in zip(space.neighbours.rows, space.neighbours.similarities, strict=True):
        kept = rows != NONE
        found.append(list(zip(rows[kept].tolist(), near[kept].tolist(), strict=True)))
    return found


def brute_force(
    like: Callable[[int, int], float | None], source_of: list[int], neighbours: int
) -> Lists:
    """The same by comparing each ad with every one of another source."""
    ads = range(len(source_of))
    found = []
    for ad in ads:
        others = [other for other in ads if source_of[other] != source_of[ad]]
        similar = [(like(ad, other), other) for other in others]
        nearest = sorted((-near, other) for near, other in similar if near is not None)
        found.append([(other, -near) for near, other in nearest[:neighbours]])
    return found


def agree(found: Lists, wanted: Lists) -> None:
    for mine, theirs in zip(found, wanted, strict=True):
        assert [near for _, near in mine] == pytest.approx([near for _, near in theirs], abs=1e-5)
        # Of those that are not as near as the last, all are there.
        last = theirs[-1][1] if theirs else 0.0
        clear = {other for other, near in theirs if near > last + 1e-5}
        assert clear <= {other for other, _ in mine}


@given(st.integers(2, 14), st.integers(2, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_items_are_found_in_other_sources_only(
    ads: int, sources: int, neighbours: int, seed: int
) -> None:
    """Several ads may hold an item, but no more of a source than a list can name. At equal similarity the smaller row
    is the nearer one."""
    draw = np.random.default_rng(seed)
    source_of = draw.integers(0, sources, ads)
    count = 10
    values = draw.integers(0, 6, (count, count)) / 6
    values = np.minimum(values, values.T).astype(np.float32)
    np.fill_diagonal(values, 1)
    held: list[list[int]] = []
    for ad in range(ads):
        of_source = [
            item for other in range(ad) if source_of[other] == source_of[ad] for item in held[other]
        ]
        free = [item for item in range(count) if of_source.count(item) < neighbours]
        size = min(len(free), int(draw.integers(0, 4)))
        held.append(sorted(draw.choice(free, size, replace=False).tolist()) if free else [])
    items = Held(
        np.array([item for mine in held for item in mine], dtype=np.int64),
        np.cumsum([0, *map(len, held)]),
        count,
    )

    class Index:
        name, recall = "brute force", 1.0

        def __init__(self, searched: np.ndarray) -> None:
            self.searched = searched

        def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            near = values[queries][:, self.searched]
            order = np.argsort(-near, axis=1, kind="stable")
            return np.take_along_axis(near, order, axis=1), self.searched[order]

    space = nearest_lists(
        "items", items, lambda searched, _: Index(searched), neighbours, 1.0, source_of, SILENT
    )

    def like(ad: int, other: int) -> float | None:
        pairs = [float(values[a, b]) for a in held[ad] for b in held[other]]
        return max(pairs) if pairs else None

    assert listed(space) == brute_force(like, source_of.tolist(), neighbours)
    assert not space.is_hub.any()


def test_an_item_of_more_ads_of_a_source_than_a_list_names_is_that_of_its_first() -> None:
    """Ads 0 to 5 of one source show one picture, as does ad 6 of a second source; ad 7 of a third one shows two."""
    source_of = np.array([0, 0, 0, 0, 0, 0, 1, 2])
    vectors = np.eye(3, dtype=np.float32)
    held = Held(np.array([0, 0, 0, 0, 0, 0, 0, 0, 1]), np.array([0, 1, 2, 3, 4, 5, 6, 7, 9]), 3)
    space = nearest_by_vectors(
        "photos", vectors, held, 3, L2, device=CPU, seed=0, index="exact", progress=SILENT,
        source_of=source_of,
    )  # fmt: skip
    found = [[row for row, _ in mine] for mine in listed(space)]
    assert found[:6] == [[6, 7]] * 6
    # Of the six that are equal to it only the first is listed, as one of another source is equal to it too.
    assert found[6] == [0, 7]
    assert found[7] == [6, 0]  # that first one is found by its other picture, which is unlike it
    assert not space.is_hub[:7].any()


def test_an_ad_whose_equals_in_the_only_other_source_are_too_many_is_a_hub() -> None:
    held = Held.one_each(np.zeros(6, dtype=np.int64))
    space = nearest_by_vectors(
        "photos", np.ones((1, 1), np.float32), held, 3, L2, device=CPU, seed=0, index="exact",
        progress=SILENT, source_of=np.array([0, 0, 0, 0, 0, 1]),
    )  # fmt: skip
    assert space.is_hub.tolist() == [False] * 5 + [True]
    assert [row for row, _ in listed(space)[5]] == [0, 1, 2]
    assert [[row for row, _ in mine] for mine in listed(space)[:5]] == [[5]] * 5


@pytest.mark.parametrize("sources", [2, 4])
def test_embeddings_are_compared_exactly(sources: int) -> None:
    draw = np.random.default_rng(1)
    z = draw.random((60, 4), dtype=np.float32)
    z[40:] = z[:20]  # equal ads, some of one source
    source_of = draw.integers(0, sources, 60)
    space = joint_neighbours(z, 7, device=CPU, index="exact", source_of=source_of)

    def like(ad: int, other: int) -> float:
        return -float(np.abs(z[ad] - z[other]).sum())

    agree(listed(space), brute_force(like, source_of.tolist(), 7))


@pytest.mark.parametrize("most", [1e10, 0])
def test_texts_are_compared_exactly(most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once by the exact search, and once by the rarest stems, which are all of these."""
    monkeypatch.setattr(sparse_module, "MAX_EXACT_WORK", most)
    draw = np.random.default_rng(2)
    words = ["диван", "стол", "стул", "шкаф", "лампа", "кресло", "гитара", "коляска"]
    texts = [" ".join(draw.choice(words, draw.integers(0, 5))) for _ in range(50)]
    source_of = draw.integers(0, 3, 50)
    frame = pl.DataFrame({"title": texts, "description": [""] * 50})
    read = read_texts(frame)
    frequencies = fit_frequencies(read, stems(read.words))
    space = text_neighbours(frequencies, read, 12, device=CPU, source_of=source_of)
    counts = read.counts.toarray()
    present = (counts > 0).sum(axis=0)
    weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    weights = weights * (1 + np.log((1 + 50) / (1 + present)))
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    unit = weights / np.where(lengths > 0, lengths, 1)

    def like(ad: int, other: int) -> float | None:
        cosine = float(unit[ad] @ unit[other])
        return cosine if cosine > 0 else None

    agree(listed(space), brute_force(like, source_of.tolist(), 12))
    assert space.recall == 1.0


# ---- a catalogue

SAME = ["Айфон 6 на 64 гигабайта", "Продам айфон, серый, работает"]


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(None, CPU)


def read(folder: Path, rows: list[list[str]]) -> Catalogue:
    path = write(folder / "items.csv", ["id", "title", "description", "shop"], rows)
    return read_catalogue(path, source="shop")


def test_equal_ads_of_one_source_are_never_linked(shipped: Bundle, tmp_path: Path) -> None:
    """Three equal ads in one shop, five in another: all pairs of both shops are scored alike, and no others."""
    things = ["стол", "стул", "шкаф", "велосипед", "гитара"]
    rows = [[str(place), *SAME, "a" if place < 3 else "b"] for place in range(8)]
    rows += [[str(20 + place), thing, f"продам {thing}", "b"] for place, thing in enumerate(things)]
    catalogue = read(tmp_path, rows)
    linked = link(catalogue, shipped, None, Run(tmp_path, CPU), adapt=False, threshold=0.0)
    _, links = linked.with_ids(catalogue)
    assert linked.identical == 0
    assert {frozenset(pair) for pair in links.select("source_l", "source_r").iter_rows()} == {
        frozenset("ab")
    }
    equal = links.filter(pl.col("item_id_r").cast(int) < 8)
    pairs = set(equal.select("item_id_l", "item_id_r").iter_rows())
    assert pairs == {(str(a), str(b)) for a in range(3) for b in range(3, 8)}
    assert len(equal) == 15 and equal["score"].n_unique() == 1
    found = linked.blocked.finds(np.array([0, 0]), np.array([1, 5]))
    assert found.tolist() == [False, True]
    for place in range(len(linked.candidates.spaces)):
        of_one = linked.blocked.finds_in(place, np.array([0, 1, 6]), np.array([1, 2, 7]))
        assert not of_one.any()
    one = link(
        catalogue, shipped, None, Run(tmp_path, CPU), adapt=False, threshold=0.0, one_to_one=True
    )
    clusters, _ = one.with_ids(catalogue)
    assert len(clusters.filter(pl.col("item_id").cast(int) < 8)) == 6
    for _, ads in clusters.group_by("cluster_id"):
        assert sorted(ads["source"]) == ["a", "b"]


def test_many_equal_ads_find_one_each(shipped: Bundle, tmp_path: Path) -> None:
    """Of 60 equal ads here and 50 there, 50 pairs can be made, though each is paired with a few only."""
    rows = [[str(place), *SAME, "a" if place % 11 < 6 else "b"] for place in range(110)]
    rows += [[str(900 + n), f"стол {n}", "", "ab"[n % 2]] for n in range(20)]
    catalogue = read(tmp_path, rows)
    linked = link(
        catalogue, shipped, None, Run(tmp_path, CPU), adapt=False, one_to_one=True, threshold=0.0
    )
    clusters, _ = linked.with_ids(catalogue)
    equal = clusters.filter(pl.col("item_id").cast(int) < 900)
    assert len(equal) == 100 and (equal["cluster_id"].value_counts()["count"] == 2).all()
    assert len(linked.candidates.frame) < 3_000


def test_candidates_and_neighbours_are_of_two_sources(shipped: Bundle, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    words = ["диван", "стол", "стул", "шкаф", "лампа", "кресло", "гитара", "коляска"]
    rows = [
        [
            str(place),
            " ".join(draw.choice(words, 3)),
            " ".join(draw.choice(words, 2)),
            "abc"[place % 3],
        ]
        for place in range(90)
    ]
    catalogue = read(tmp_path, rows)
    run = Run(tmp_path, CPU)
    features = shipped.extract(catalogue, None, run)
    blocked = block(catalogue, features, shipped.model, run, 20)
    source = blocked.source_of
    assert source is not None and len(source) == 90
    left, right = distinct_ends(blocked.candidates.frame)
    assert len(left) > 500 and (source[left] != source[right]).all()
    for found in (blocked.candidates, blocked.reference):
        for space in found.spaces:
            ad, place = np.nonzero(space.neighbours.rows != NONE)
            assert len(ad) and (source[ad] != source[space.neighbours.rows[ad, place]]).all()
