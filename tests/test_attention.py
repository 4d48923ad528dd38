"""Attention maps against the module on one ad at a time; their overlap against maps made by hand and plain loops."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup import attention, embed
from nrl_dedup.attention import AttentionOverlap, attention_maps, attention_overlap, top_regions
from nrl_dedup.bundle import load_bundle
from nrl_dedup.catalogue import read_catalogue
from nrl_dedup.evaluate import Contender, evaluate
from nrl_dedup.fusion.san import StackedAttention
from nrl_dedup.pairs import read_pairs
from tests.conftest import Run, Shop

CPU = torch.device("cpu")


def random_maps(pairs: int, seed: int, layers: int = 2, regions: int = 25) -> np.ndarray:
    return np.random.default_rng(seed).random((pairs, layers, regions)).astype(np.float32)


def tops(maps: np.ndarray) -> list[list[set[int]]]:
    """By photo and layer: the regions that no more than k - 1 others surpass."""
    count = max(1, int(0.2 * maps.shape[-1] + 1e-9))
    order = [[sorted(range(len(p)), key=lambda r, p=p: (-p[r], r)) for p in photo] for photo in maps.tolist()]
    return [[set(regions[:count]) for regions in photo] for photo in order]


def shared(one: list[set[int]], other: list[set[int]]) -> float:
    return float(np.mean([len(a & b) / len(a) for a, b in zip(one, other, strict=True)]))


def expected(left: list, right: list, groups: list[int]) -> tuple[float, float | None]:
    """Overlap and chance by plain loops; `groups` may hold copies of one group, which are then the same thing."""
    photos = [(photo, group) for side in (left, right) for photo, group in zip(side, groups, strict=True)]
    others = [shared(a, b) for (a, g), (b, h) in combinations(photos, 2) if g != h]
    return float(np.mean([shared(*pair) for pair in zip(left, right, strict=True)])), (
        float(np.mean(others)) if others else None
    )


@pytest.mark.parametrize("regions", [1, 4, 9, 16, 49, 196])
def test_top_regions_are_the_largest_fifth(regions: int) -> None:
    maps = np.round(random_maps(6, 0, regions=regions), 1)  # with ties
    found = [[set(np.flatnonzero(layer).tolist()) for layer in photo] for photo in top_regions(maps)]
    assert found == tops(maps)
    assert {len(layer) for photo in found for layer in photo} == {max(1, regions // 5)}


def test_identical_maps_overlap_wholly_and_opposite_ones_not_at_all() -> None:
    maps = random_maps(30, 1)
    groups = np.arange(30)
    same = attention_overlap(top_regions(maps), top_regions(maps), groups)
    assert same.overlap == 1.0 and same.chance == pytest.approx(0.2, abs=0.03)
    assert same.interval and 0.7 < same.interval[0] <= same.interval[1] < 0.9
    opposite = attention_overlap(top_regions(maps), top_regions(-maps), groups)
    assert opposite.overlap == 0.0 and opposite.interval and opposite.interval[1] < 0


@pytest.mark.parametrize("middle", [0.0, 3.0])
def test_independent_maps_overlap_as_chance_has_it(middle: float) -> None:
    """Attention that likes the middle of every photo overlaps much, and no more than by chance."""
    rows, columns = np.mgrid[-2:3, -2:3]
    liking = middle * np.exp(-(rows**2 + columns**2) / 4).ravel().astype(np.float32)
    left, right = (top_regions(random_maps(400, seed) + liking) for seed in (2, 3))
    found = attention_overlap(left, right, np.arange(400))
    assert found.overlap == pytest.approx(found.chance, abs=0.03)
    assert found.interval and found.interval[0] < 0 < found.interval[1]
    assert found.overlap == pytest.approx(0.2, abs=0.03) if not middle else found.overlap > 0.7


def test_overlap_chance_and_interval_are_those_of_plain_loops() -> None:
    left, right, groups = random_maps(9, 4), random_maps(9, 5), np.array([7, 7, 7, 2, 2, 5, 30, 31, 31])
    right[:3] = left[:3]
    found = attention_overlap(top_regions(left), top_regions(right), groups)
    sets_l, sets_r = tops(left), tops(right)
    overlap, chance = expected(sets_l, sets_r, groups.tolist())
    assert (found.pairs, found.overlap, found.chance) == (9, pytest.approx(overlap), pytest.approx(chance))
    names, draw, differences = sorted(set(groups.tolist())), np.random.default_rng(0), []
    for _ in range(1000):
        drawn = [pair for group in draw.integers(5, size=5) for pair in np.flatnonzero(groups == names[group])]
        sides = [[sets[pair] for pair in drawn] for sets in (sets_l, sets_r)]
        overlap, chance = expected(*sides, groups[drawn].tolist())
        if chance is not None:
            differences.append(overlap - chance)
    assert found.interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_what_is_not_defined() -> None:
    top = top_regions(random_maps(3, 6))
    assert attention_overlap(top[:0], top[:0], np.zeros(0, np.int64)) == AttentionOverlap(0, None, None, None)
    alone = attention_overlap(top, top, np.zeros(3, np.int64))  # one thing only: chance has nothing to compare
    assert alone == AttentionOverlap(3, 1.0, None, None) and alone.difference is None
    as_json = {"overlap": 1.0, "chance": None, "difference": None, "interval": None, "pairs": 3}
    assert alone.as_json() == as_json


# --- of a trained model ----------------------------------------------------------------------------------------------


def maps_of_each_ad(bundle: Path, shop: Shop, work_dir: Path) -> tuple[np.ndarray, pl.DataFrame, pl.Series]:
    """p_I of every ad by itself, the pairs, and the ids."""
    model = load_bundle(bundle, CPU)
    ads = read_catalogue(shop.items)
    pairs = read_pairs(shop.pairs, ads).frame.with_columns(weight=pl.lit(1.0))
    evaluation = evaluate(ads, pairs, [Contender("a", model, shop.images)], work_dir, device=CPU)
    features, fusion = evaluation.prepared["a"].features, model.model.fusion
    assert isinstance(fusion, StackedAttention)
    alone = []
    with torch.no_grad():
        for row in range(len(ads)):
            batch = features.batch(np.array([row]))
            alone.append(fusion.attend(batch.tokens, batch.lengths, batch.image, batch.has_image)[1][:, 0].numpy())
    rows = np.random.default_rng(0).permutation(len(ads))[:70]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "SHARD", 32)
        patch.setattr(attention, "BATCH", 10)
        maps = attention_maps(fusion, features, rows, device=CPU)
    np.testing.assert_allclose(maps, np.stack(alone)[rows], atol=1e-5)
    return np.stack(alone), pairs, ads.ids


def test_the_report_has_the_overlap_of_models_with_attention(
    run: Run, shop: Shop, attending: Path, trained: Path, tmp_path: Path
) -> None:
    """Over duplicates with two photos: one photo is broken here, and one is the very file of the other ad's."""
    images = shutil.copytree(shop.images, tmp_path / "images")
    (images / "100.jpg").write_bytes(b"no photo")
    shutil.copy(images / "102.jpg", images / "103.jpg")
    files = ("--items", shop.items, "--pairs", shop.pairs, "--images", images, "--json", tmp_path / "figures.json")
    status, out, err = run("evaluate", "--device", "cpu", "--model", trained, "--model", attending, *files)
    assert status == 0, err
    models = json.loads((tmp_path / "figures.json").read_text())["models"]
    assert models["shop"]["attention_overlap"] is None and models["baseline"]["attention_overlap"] is None
    found = models["attending"]["attention_overlap"]

    maps, pairs, ids = maps_of_each_ad(attending, Shop(shop.folder, shop.backbone), tmp_path)
    left_out = {"0100", "0102"}
    used = [
        (left, right) for left, right, label, _ in pairs.iter_rows() if label and not {ids[left], ids[right]} & left_out
    ]
    sets = tops(maps)
    sides = ([sets[pair[side]] for pair in used] for side in (0, 1))
    overlap, chance = expected(*sides, list(range(len(used))))
    assert found["pairs"] == len(used) == 58
    # a share may move by rounding, and with it the last of the top regions
    assert (found["overlap"], found["chance"]) == (pytest.approx(overlap, abs=0.01), pytest.approx(chance, abs=0.01))
    assert found["difference"] == pytest.approx(found["overlap"] - found["chance"])
    low, high = found["interval"]
    assert low < found["difference"] < high
    (row,) = [line for line in out.splitlines() if "attending" in line and f"{low:.3f} to {high:.3f}" in line]
    assert f"{found['overlap']:.3f}" in row and f"{found['chance']:.3f}" in row


def test_a_catalogue_without_photos_has_no_overlap(run: Run, shop: Shop, attending: Path, tmp_path: Path) -> None:
    items = shutil.copy(shop.items, tmp_path / "items.csv")
    files = ("--items", items, "--pairs", shop.pairs, "--json", tmp_path / "figures.json", "--plots", tmp_path / "p")
    status, _, err = run("evaluate", "--device", "cpu", "--model", attending, *files)
    assert status == 0, err
    found = json.loads((tmp_path / "figures.json").read_text())["models"]["attending"]["attention_overlap"]
    assert found == {"overlap": None, "chance": None, "difference": None, "interval": None, "pairs": 0}
    assert not list((tmp_path / "p").glob("attention-*")) and (tmp_path / "p" / "precision_recall.svg").exists()
