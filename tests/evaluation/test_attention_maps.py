"""Attention maps against the module on one ad at a time; their overlap against maps made by hand and plain loops."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.catalogue.labelled_pairs import read_pairs
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.embedding import embed
from nrl_dedup.embedding.fusion.san import StackedAttention
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.evaluation import attention_maps as attention
from nrl_dedup.evaluation.attention_maps import (
    AttentionOverlap,
    Overlap,
    attention_maps,
    attention_overlap,
    top_regions,
    untrained_network,
)
from nrl_dedup.evaluation.evaluate import Contender, evaluate
from nrl_dedup.runtime.run import Run
from tests.conftest import RunCommand, Shop

CPU = torch.device("cpu")


def random_maps(pairs: int, seed: int, layers: int = 2, regions: int = 25) -> np.ndarray:
    return np.random.default_rng(seed).random((pairs, layers, regions)).astype(np.float32)


def tops(maps: np.ndarray) -> list[list[set[int]]]:
    """By photo and layer: the regions that no more than k - 1 others surpass."""
    count = max(1, int(0.2 * maps.shape[-1] + 1e-9))
    order = [
        [sorted(range(len(p)), key=lambda r, p=p: (-p[r], r)) for p in photo]
        for photo in maps.tolist()
    ]
    return [[set(regions[:count]) for regions in photo] for photo in order]


def shared(one: list[set[int]], other: list[set[int]]) -> float:
    return float(np.mean([len(a & b) / len(a) for a, b in zip(one, other, strict=True)]))


def expected(left: list, right: list, groups: list[int]) -> tuple[float, float | None]:
    """Overlap and chance by plain loops; `groups` may hold copies of one group, which are then the same thing."""
    photos = [
        (photo, group) for side in (left, right) for photo, group in zip(side, groups, strict=True)
    ]
    others = [shared(a, b) for (a, g), (b, h) in combinations(photos, 2) if g != h]
    return float(np.mean([shared(*pair) for pair in zip(left, right, strict=True)])), (
        float(np.mean(others)) if others else None
    )


@pytest.mark.parametrize("regions", [1, 4, 9, 16, 49, 196])
def test_top_regions_are_the_largest_fifth(regions: int) -> None:
    maps = np.round(random_maps(6, 0, regions=regions), 1)  # with ties
    found = [
        [set(np.flatnonzero(layer).tolist()) for layer in photo] for photo in top_regions(maps)
    ]
    assert found == tops(maps)
    assert {len(layer) for photo in found for layer in photo} == {max(1, regions // 5)}


def top_of(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return top_regions(np.stack([left, right]))


def test_identical_maps_overlap_wholly_and_opposite_ones_not_at_all() -> None:
    maps = random_maps(30, 1)
    found = attention_overlap(top_of(maps, maps), top_of(maps, -maps), np.arange(30))
    same, opposite = found.trained, found.untrained
    assert same.overlap == 1.0 and same.chance == pytest.approx(0.2, abs=0.03)
    assert same.interval and 0.7 < same.interval[0] <= same.interval[1] < 0.9
    assert opposite.overlap == 0.0 and opposite.interval and opposite.interval[1] < 0
    assert same.difference is not None and opposite.difference is not None
    assert found.added == same.difference - opposite.difference > 0.9
    assert (
        found.added_interval
        and 0.8 < found.added_interval[0] <= found.added <= found.added_interval[1]
    )


def test_training_that_changed_nothing_added_nothing() -> None:
    top = top_of(random_maps(30, 1), random_maps(30, 2))
    found = attention_overlap(top, top, np.arange(30))
    assert found.trained == found.untrained and found.trained.overlap is not None
    assert (found.added, found.added_interval) == (0.0, (0.0, 0.0))


def test_the_overlap_of_like_photos_is_not_added_by_training() -> None:
    """The maps of the two photos of a thing are alike with any weights; the trained ones look elsewhere, no more."""
    things = [random_maps(300, seed) for seed in (2, 3)]
    alike = [
        top_of(
            *(maps + 0.5 * random_maps(300, seed) for seed in (4 + 2 * network, 5 + 2 * network))
        )
        for network, maps in enumerate(things)
    ]
    found = attention_overlap(*alike, np.arange(300))
    assert found.trained.interval and found.trained.interval[0] > 0.2
    assert found.added_interval and found.added_interval[0] < 0 < found.added_interval[1]


@pytest.mark.parametrize("middle", [0.0, 3.0])
def test_independent_maps_overlap_as_chance_has_it(middle: float) -> None:
    """Attention that likes the middle of every photo overlaps much, and no more than by chance."""
    rows, columns = np.mgrid[-2:3, -2:3]
    liking = middle * np.exp(-(rows**2 + columns**2) / 4).ravel().astype(np.float32)
    top = top_of(*(random_maps(400, seed) + liking for seed in (2, 3)))
    found = attention_overlap(top, top, np.arange(400)).trained
    assert found.overlap == pytest.approx(found.chance, abs=0.03)
    assert found.interval and found.interval[0] < 0 < found.interval[1]
    assert found.overlap == pytest.approx(0.2, abs=0.03) if not middle else found.overlap > 0.7


def test_overlap_chance_and_intervals_are_those_of_plain_loops() -> None:
    groups = np.array([7, 7, 7, 2, 2, 5, 30, 31, 31])
    maps = {
        "trained": (random_maps(9, 4), random_maps(9, 5)),
        "untrained": (random_maps(9, 6), random_maps(9, 7)),
    }
    maps["trained"][1][:3] = maps["trained"][0][:3]
    found = attention_overlap(*(top_of(*sides) for sides in maps.values()), groups)
    sets = {network: [tops(side) for side in sides] for network, sides in maps.items()}
    names, draw = sorted(set(groups.tolist())), np.random.default_rng(0)
    differences: dict[str, list[float]] = {network: [] for network in maps}
    for _ in range(1000):
        drawn = [
            pair
            for group in draw.integers(5, size=5)
            for pair in np.flatnonzero(groups == names[group])
        ]
        for network, sides in sets.items():
            overlap, chance = expected(
                *([side[pair] for pair in drawn] for side in sides), groups[drawn].tolist()
            )
            if chance is not None:
                differences[network].append(overlap - chance)

    def interval(values: np.ndarray | list[float]) -> object:
        return pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))

    for network in maps:
        overlap, chance = expected(*sets[network], groups.tolist())
        of_network = getattr(found, network)
        assert (of_network.overlap, of_network.chance) == (
            pytest.approx(overlap),
            pytest.approx(chance),
        )
        assert of_network.interval == interval(differences[network])
    assert found.pairs == 9
    assert found.added_interval == interval(
        np.subtract(differences["trained"], differences["untrained"])
    )


def test_what_is_not_defined() -> None:
    top, nothing = top_of(random_maps(3, 6), random_maps(3, 6)), Overlap(None, None, None)
    no_pairs = attention_overlap(top[:, :0], top[:, :0], np.zeros(0, np.int64))
    assert no_pairs == AttentionOverlap(0, nothing, nothing, None)
    alone = attention_overlap(
        top, top, np.zeros(3, np.int64)
    )  # one thing only: chance has nothing to compare
    assert alone == AttentionOverlap(3, Overlap(1.0, None, None), Overlap(1.0, None, None), None)
    figures = {"overlap": 1.0, "chance": None, "difference": None, "interval": None}
    as_json = {**figures, "pairs": 3, "untrained": figures, "added": None, "added_interval": None}
    assert alone.as_json() == as_json


# --- of a trained model ----------------------------------------------------------------------------------------------


def maps_of_each_ad(
    bundle: Path, shop: Shop, work_dir: Path
) -> tuple[np.ndarray, np.ndarray, pl.DataFrame, pl.Series]:
    """p_I of every ad by itself, by the trained network and as its training began, the pairs, and the ids."""
    model = load_bundle(bundle, CPU)
    ads = read_catalogue(shop.items)
    pairs = read_pairs(shop.pairs, ads).frame.with_columns(weight=pl.lit(1.0))
    evaluation = evaluate(
        ads, pairs, [Contender("a", model, shop.images)], Run(work_dir, device=CPU)
    )
    features, fusion = evaluation.features["a"].inputs, model.model.fusion
    assert isinstance(fusion, StackedAttention)
    torch.manual_seed(model.settings.train.seed)
    start = (
        SiameseModel(model.settings.model, fusion.encoder.vectors, model.image_size).eval().fusion
    )
    assert isinstance(start, StackedAttention)

    def alone(network: StackedAttention) -> np.ndarray:
        found = []
        with torch.no_grad():
            for row in range(len(ads)):
                batch = features.batch(np.array([row]))
                found.append(
                    network.attend(batch.tokens, batch.lengths, batch.image, batch.has_image)[1][
                        :, 0
                    ].numpy()
                )
        return np.stack(found)

    of_trained, of_start = alone(fusion), alone(start)
    rows = np.random.default_rng(0).permutation(len(ads))[:70]
    state = torch.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "SHARD", 32)
        patch.setattr(attention, "BATCH", 10)
        for network, maps in ((fusion, of_trained), (untrained_network(model, fusion), of_start)):
            np.testing.assert_allclose(
                attention_maps(network, features, rows, device=CPU), maps[rows], atol=1e-5
            )
    assert torch.equal(torch.get_rng_state(), state)
    return of_trained, of_start, pairs, ads.ids


def test_the_report_has_the_overlap_of_models_with_attention(
    run: RunCommand, shop: Shop, attending: Path, trained: Path, tmp_path: Path
) -> None:
    """Over duplicates with two photos: one photo is broken here, and one is the very file of the other ad's."""
    images = shutil.copytree(shop.images, tmp_path / "images")
    (images / "100.jpg").write_bytes(b"no photo")
    shutil.copy(images / "102.jpg", images / "103.jpg")
    files = (
        "--items",
        shop.items,
        "--pairs",
        shop.pairs,
        "--images",
        images,
        "--json",
        tmp_path / "figures.json",
    )
    status, out, err = run(
        "evaluate", "--device", "cpu", "--model", trained, "--model", attending, *files
    )
    assert status == 0, err
    models = json.loads((tmp_path / "figures.json").read_text())["models"]
    assert (
        models["shop"]["attention_overlap"] is None
        and models["baseline"]["attention_overlap"] is None
    )
    found = models["attending"]["attention_overlap"]

    *maps, pairs, ids = maps_of_each_ad(attending, Shop(shop.folder, shop.backbone), tmp_path)
    left_out = {"0100", "0102"}
    used = [
        (left, right)
        for left, right, label, _ in pairs.iter_rows()
        if label and not {ids[left], ids[right]} & left_out
    ]
    assert found["pairs"] == len(used) == 58
    for title, of_network, figures in zip(
        ("attending", "attending, untrained"), maps, (found, found["untrained"]), strict=True
    ):
        sets = tops(of_network)
        sides = ([sets[pair[side]] for pair in used] for side in (0, 1))
        overlap, chance = expected(*sides, list(range(len(used))))
        # a share may move by rounding, and with it the last of the top regions
        assert figures["overlap"] == pytest.approx(overlap, abs=0.01)
        assert figures["chance"] == pytest.approx(chance, abs=0.01)
        assert figures["difference"] == pytest.approx(figures["overlap"] - figures["chance"])
        low, high = figures["interval"]
        assert low < figures["difference"] < high
        shown = [f"{figures[name]:.3f}" for name in ("overlap", "chance", "difference")]
        assert ["58", *shown, f"{low:.3f} to {high:.3f}"] == cells_of(out, title)
    assert found["added"] == pytest.approx(found["difference"] - found["untrained"]["difference"])
    low, high = found["added_interval"]
    assert low < found["added"] < high
    added = ["-", "-", "-", f"{found['added']:.3f}", f"{low:.3f} to {high:.3f}"]
    assert cells_of(out, "attending, added by training") == added


def cells_of(out: str, first: str) -> list[str]:
    """The cells of the last printed row that begins with `first`, without that one."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]
    return [row[1:] for row in rows if row[0] == first][-1]


def test_a_catalogue_without_photos_has_no_overlap(
    run: RunCommand, shop: Shop, attending: Path, tmp_path: Path
) -> None:
    items = shutil.copy(shop.items, tmp_path / "items.csv")
    files = (
        "--items",
        items,
        "--pairs",
        shop.pairs,
        "--json",
        tmp_path / "figures.json",
        "--plots",
        tmp_path / "p",
    )
    status, _, err = run("evaluate", "--device", "cpu", "--model", attending, *files)
    assert status == 0, err
    found = json.loads((tmp_path / "figures.json").read_text())["models"]["attending"][
        "attention_overlap"
    ]
    nothing = dict.fromkeys(("overlap", "chance", "difference", "interval"))
    assert found == {
        **nothing,
        "pairs": 0,
        "untrained": nothing,
        "added": None,
        "added_interval": None,
    }
    assert (
        not list((tmp_path / "p").glob("attention-*"))
        and (tmp_path / "p" / "precision_recall.svg").exists()
    )
