"""The examples' generator: the same files each time, Avito's formats, and negatives that need words and photos."""

import csv
import io
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
MAKING = EXAMPLES / "making"
ADS = 16


def generate(out: Path, *options: str) -> Path:
    command = [
        sys.executable,
        str(MAKING / "make_examples.py"),
        "--out",
        str(out),
        "--jobs",
        "1",
        *options,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("made"), "--ads", str(ADS), "--seed", "7")


def test_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path):
    assert contents(generate(tmp_path / "again", "--ads", str(ADS), "--seed", "7")) == contents(
        made
    )


def test_every_photo_of_the_catalogue_is_at_avitos_place_and_no_other(made: Path):
    wanted = set()
    for ad in rows(made / "catalogue.csv"):
        for photo in filter(None, ad["images_array"].split(", ")):
            n = int(photo) % 100
            wanted.add(f"Images_{n // 10}/{n}/{photo}.jpg")
    assert set(contents(made / "images")) == wanted
    for path in wanted:
        with Image.open(made / "images" / path) as photo:
            assert (photo.format, photo.mode) == ("JPEG", "RGB")


def shipped() -> tuple[list[dict[str, str]], list[dict[str, str]], dict[str, str]]:
    truth = {row["itemID"]: row["entity"] for row in rows(EXAMPLES / "truth.csv")}
    return rows(EXAMPLES / "catalogue.csv"), rows(EXAMPLES / "pairs.csv"), truth


def test_labels_of_the_shipped_pairs_are_the_truth_and_all_duplicates_are_there():
    ads, pairs, truth = shipped()
    assert [ad["itemID"] for ad in ads] == list(truth)
    labelled = {(p["itemID_1"], p["itemID_2"]): p["isDuplicate"] for p in pairs}
    assert len(labelled) == len(pairs)
    assert all(label == str(int(truth[a] == truth[b])) for (a, b), label in labelled.items())
    duplicates = {pair for pair in combinations(truth, 2) if truth[pair[0]] == truth[pair[1]]}
    assert {pair for pair, label in labelled.items() if label == "1"} == duplicates


def test_the_shipped_catalogue_has_the_mixtures_of_real_ads():
    ads, _, truth = shipped()
    assert ",".join(ads[0]) == (
        "itemID,categoryID,title,description,images_array,attrsJSON,price,locationID,metroID,lat,lon"
    )
    reposts = len(truth) - len(set(truth.values()))
    assert 0.25 <= reposts / len(ads) <= 0.42
    assert any("\n" in ad["description"] for ad in ads)
    assert any(not ad["description"] for ad in ads)
    photos = Counter(len(list(filter(None, ad["images_array"].split(", ")))) for ad in ads)
    assert set(photos) == {0, 1, 2, 3}
    assert 0.02 <= photos[0] / len(ads) <= 0.1


def test_a_third_of_the_shipped_negatives_share_words_or_looks():
    _, pairs, _ = shipped()
    negatives = [pair for pair in pairs if pair["isDuplicate"] == "0"]
    assert len(negatives) >= 2 * (len(pairs) - len(negatives))
    assert sum(pair["generationMethod"] in "12" for pair in negatives) >= len(negatives) / 3


def test_twins_in_words_differ_in_shape_and_hue_and_twins_in_looks_in_model(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.syspath_prepend(str(MAKING))
    from make_examples import HUES, make_entities

    blocks: dict[str, int] = Counter()
    entities = [entity for entity, _ in make_entities(300, np.random.default_rng(3))]
    for a, b in combinations(entities, 2):
        same_words = (a.wording.category, a.wording.model) == (b.wording.category, b.wording.model)
        if same_words:
            unlike = a.appearance.variant != b.appearance.variant
            assert unlike or HUES[a.appearance.colour] != HUES[b.appearance.colour]
        blocks["words"] += same_words
        blocks["looks"] += a.appearance == b.appearance
    assert blocks["words"] >= len(entities) / 5
    assert blocks["looks"] >= len(entities) / 6
