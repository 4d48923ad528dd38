"""Every recipe of `examples/EXTENDING.md` works: its code blocks are run as the document says where they go."""

import csv
import inspect
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup import clustering
from nrl_dedup.blocking import sources
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.comparison import ad_profiles
from nrl_dedup.embedding import fusion
from nrl_dedup.embedding.fusion.word_encoder import SPECIAL_TOKENS
from nrl_dedup.explanation.wording import name_in_words, value_in_words
from nrl_dedup.features.photos import backbone_weights, backbones
from nrl_dedup.features.text import languages
from nrl_dedup.features.text.words import read_words
from nrl_dedup.runtime.run import Run
from tests.conftest import RunCommand, Shop, train_arguments

DOCUMENT = Path(__file__).parents[2] / "examples" / "EXTENDING.md"
BLOCKS = dict(
    re.findall(r"<!-- (.*?) -->\n```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
)
CPU = torch.device("cpu")


def new_file(name: str) -> dict[str, Any]:
    """The names of a new file with this block in it."""
    names: dict[str, Any] = {"__name__": f"the block {name}"}
    exec(BLOCKS[name], names)
    return names


def add_row(
    name: str, module: ModuleType, table: str, imported: dict[str, Any], patch: pytest.MonkeyPatch
) -> None:
    """Run the block below the table of that module."""
    patch.setattr(module, table, dict(getattr(module, table)))
    exec(BLOCKS[name], {**vars(module), **imported})


def replace_code(
    module: ModuleType, name: str, source: str, imported: dict, patch: pytest.MonkeyPatch
) -> None:
    """Give a function of the module this source, wherever it was imported already."""
    names = {**vars(module), **imported}
    exec(source, names)
    for imported_name, value in imported.items():
        patch.setattr(module, imported_name, value, raising=False)
    patch.setattr(inspect.unwrap(getattr(module, name)), "__code__", names[name].__code__)


def insert_above_return(
    name: str,
    module: ModuleType,
    function: str,
    imported: dict[str, Any],
    patch: pytest.MonkeyPatch,
) -> None:
    """Put the block above the last line of that function."""
    lines = inspect.getsource(inspect.unwrap(getattr(module, function))).rstrip().splitlines()
    assert lines[-1].strip().startswith("return ")
    replace_code(
        module, function, "\n".join([*lines[:-1], BLOCKS[name], lines[-1]]), imported, patch
    )


def only(names: dict[str, Any], *wanted: str) -> dict[str, Any]:
    return {name: names[name] for name in wanted}


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def train(run: RunCommand, shop: Shop, folder: Path, *options: object) -> Path:
    status, _, error = run(*train_arguments(shop, folder, "--epochs", 1, "--views", 0, *options))
    assert status == 0, error
    return folder


def test_a_fusion_module(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trained model's vectors are the mean of the word vectors, and the linear function of the photo."""
    add_row(
        "fusion: row", fusion, "FUSIONS", only(new_file("fusion: module"), "MeanWords"), monkeypatch
    )
    model = load_bundle(train(run, shop, tmp_path / "mine", "--fusion", "mean-words"), CPU).model
    vectors, image = model.fusion.vectors, torch.randn(3, model.fusion.image.in_features)
    first, second = SPECIAL_TOKENS, SPECIAL_TOKENS + 1
    tokens = torch.tensor([[2, first, second, 3], [2, first, 3, 0], [0, 0, 0, 0]])
    found = model.fusion(tokens, torch.tensor([4, 3, 0]), image, torch.tensor([True, False, False]))
    size = vectors.shape[1]
    assert vectors[first].abs().sum() > 0 and found.shape[1] == model.fusion.output_size > size
    torch.testing.assert_close(found[0, :size], (vectors[first] + vectors[second]) / 2)
    torch.testing.assert_close(found[1, :size], vectors[first])
    torch.testing.assert_close(
        found[0, size:], model.fusion.image.weight @ image[0] + model.fusion.image.bias
    )
    assert found[1, size:].abs().sum() == found[2].abs().sum() == 0


def test_a_photo_network(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained with it, and linked by the weights that the bundle carries."""
    add_row("backbone: row", backbones, "BACKBONES", {}, monkeypatch)
    replace_code(
        backbone_weights, "published_name", BLOCKS["backbone: published_name"], {}, monkeypatch
    )
    network = backbones.BACKBONES["tiny"].builder(weights=None)
    weights = tmp_path / "tiny.pth"
    torch.save(network.state_dict(), weights)
    loaded, pictures = backbones.load_backbone("tiny", weights, CPU), torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(
        backbones.pooled(loaded, pictures), network(pictures).mean(dim=(2, 3)).detach()
    )
    assert backbones.regions(loaded, pictures).shape == (2, *backbones.BACKBONES["tiny"].regions)
    bundle = train(
        run,
        shop,
        tmp_path / "mine",
        "--fusion",
        "image",
        "--backbone",
        "tiny",
        "--backbone-weights",
        weights,
    )
    weights.unlink()
    assert load_bundle(bundle, CPU).model.fusion.image.in_features == 16
    status, _, error = run(
        "link", shop.items, "--images", shop.images, "--model", bundle, "-o", tmp_path / "dupes.csv"
    )
    assert status == 0 and (tmp_path / "dupes.csv").exists(), error


def test_a_photo_network_of_torchvision_keeps_the_name_of_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_code(
        backbone_weights, "published_name", BLOCKS["backbone: published_name"], {}, monkeypatch
    )
    assert (
        backbone_weights.published_name("ResNet152_Weights.IMAGENET1K_V1")
        == "resnet152-394f9c45.pth"
    )
    assert backbone_weights.published_name("tiny.safetensors") == "tiny.safetensors"


def test_a_language(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_row("language: row", languages, "LANGUAGES", {}, monkeypatch)
    text = pl.Series(["Zwei schöne Fahrräder", "das Rad, велосипед; schönes FAHRRÄDERN"])
    words = read_words([text], "de")
    assert words.distinct.to_list() == sorted(["zwei", "schön", "fahrräd", "das", "rad"])
    assert np.diff(words.offsets).tolist() == [3, 4]
    status, _, error = run(*train_arguments(shop, tmp_path / "mine", "--language", "xx"))
    assert status != 0 and "de" in re.split(r"\W+", error.split("wanted one of")[1])


def test_a_clustering_method(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a low threshold the other methods make large clusters; of this one, each cluster is a best pair."""
    row = only(new_file("clustering: module"), "best_pairs")
    add_row("clustering: row", clustering, "METHODS", row, monkeypatch)
    link = ("link", shop.items, "--images", shop.images, "--model", trained, "--device", "cpu")
    link += ("--scorer", "siamese", "--threshold", 0.2)

    def clusters(method: str) -> dict[str, list[str]]:
        where = (
            "-o",
            tmp_path / f"{method}.csv",
            "--links",
            tmp_path / "links.csv",
            "--clustering",
            method,
        )
        status, _, error = run(*link, *where)
        assert status == 0, error
        found: dict[str, list[str]] = {}
        for ad in rows_of(tmp_path / f"{method}.csv"):
            found.setdefault(ad["cluster_id"], []).append(ad["item_id"])
        return found

    assert max(map(len, clusters("connected-components").values())) > 2
    pairs = clusters("best-pairs")
    assert set(Counter(map(len, pairs.values()))) == {2}
    links = rows_of(tmp_path / "links.csv")
    best = max(links, key=lambda link: float(link["score"]))
    assert sorted(next(ads for ads in pairs.values() if best["item_id_l"] in ads)) == sorted(
        [best["item_id_l"], best["item_id_r"]]
    )


def test_a_source_of_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ads whose words differ in their first letter have no stem in common; their runs of letters bring them
    together, and the pair becomes a candidate."""
    new = only(new_file("candidates: module"), "LetterSpace")
    row = eval(BLOCKS["candidates: row"], {**vars(sources), **new})
    monkeypatch.setattr(sources, "SOURCES", (*sources.SOURCES, row))
    others = [f"{a}{b}{a}{b}{a}{b}" for a in "bcdfghjklm" for b in "aeiou"]
    titles = [*others, "velosiped", "welosiped"]
    catalogue = pl.DataFrame({"title": titles, "description": ["offer"] * len(titles)})
    rows, z = np.arange(len(titles)), np.random.default_rng(0).random((len(titles), 4), np.float32)
    candidates = sources.search_sources(z, catalogue, None, rows, 100, Run(Path(), CPU)).candidates
    place = {space.name: at for at, space in enumerate(candidates.spaces)}
    nearest = candidates.spaces[place["letters"]].neighbours.rows[:, 0]
    assert nearest[-2] == len(titles) - 1 and nearest[-1] == len(titles) - 2
    ends = np.array([len(titles) - 2]), np.array([len(titles) - 1])
    assert candidates.from_space(place["letters"], *ends)[0]
    assert (len(titles) - 2, len(titles) - 1) in candidates.frame.rows()


def test_a_comparison(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are right, a model that is trained with it reads its column, and `explain` has words for it."""
    new = only(new_file("comparison: module"), "CommonBeginning", "COMMON_BEGINNING")
    values = new["CommonBeginning"](pl.Series(["гитара ямаха", "гитара сони", "диван"]))
    rows = np.array([0, 0, 1]), np.array([1, 2, 2])
    assert values.compare(*rows)["common_beginning"].tolist() == [7, 0, 0]
    insert_above_return(
        "comparison: above the return of build_profiles",
        ad_profiles,
        "build_profiles",
        new,
        monkeypatch,
    )
    model = load_bundle(train(run, shop, tmp_path / "mine", "--fusion", "text"), CPU).pair_model
    assert "common_beginning" in model.columns
    add_row("comparison: row", ad_profiles, "COLUMNS", new, monkeypatch)
    assert name_in_words("common_beginning") == "letters with which both titles begin"
    assert value_in_words("common_beginning", 7.0) == "7"


def test_every_block_of_the_document_is_run_here() -> None:
    tests = Path(__file__).read_text("utf-8")
    assert all(f'"{name}"' in tests for name in BLOCKS)
    assert len(BLOCKS) == DOCUMENT.read_text("utf-8").count("```python")
