"""The three commands as a person runs them: what they write, and that they write the same again."""

import json
import shlex
import shutil
import zipfile
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from nrl_dedup.embedding.fusion import FUSIONS
from tests.conftest import RunCommand, Shop, train_arguments


def link(
    run: RunCommand,
    shop: Shop,
    model: Path,
    folder: Path,
    *more: object,
    images: Path | None = None,
) -> list[bytes]:
    outputs = [folder / "dupes.csv", folder / "links.csv"]
    arguments = [
        "link",
        shop.items,
        "--images",
        images or shop.images,
        "--model",
        model,
        "--device",
        "cpu",
    ]
    status, _, err = run(*arguments, "-o", outputs[0], "--links", outputs[1], *more)
    assert status == 0, err
    return [path.read_bytes() for path in outputs]


def test_link_writes_the_components_of_its_links(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    link(run, shop, trained, tmp_path, "--clustering", "connected-components")
    links = pl.read_csv(tmp_path / "links.csv", infer_schema=False).cast({"score": pl.Float64})
    clusters = pl.read_csv(tmp_path / "dupes.csv", infer_schema=False).cast({"score": pl.Float64})
    links, reasons = links[:, :3], links[:, 3:].cast(pl.Float64)
    assert len(links) and links.columns == ["item_id_l", "item_id_r", "score"]
    assert {"base", "text", "photos"} <= set(reasons.columns)
    log_odds = reasons.sum_horizontal().to_numpy()
    assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(links["score"].to_numpy(), abs=1e-5)
    assert (links["item_id_l"] < links["item_id_r"]).all() and (links["score"] >= 0.5).all()
    graph = nx.Graph(list(links.select("item_id_l", "item_id_r").iter_rows()))
    found = {frozenset(rows["item_id"]) for _, rows in clusters.group_by("cluster_id")}
    assert found == {frozenset(part) for part in nx.connected_components(graph)}
    for (name,), rows in clusters.group_by("cluster_id"):
        assert name == rows["item_id"].min()
    best = {}
    for left, right, score in links.iter_rows():
        for item in (left, right):
            best[item] = max(best.get(item, 0.0), score)
    assert dict(clusters.select("item_id", "score").iter_rows()) == best
    assert clusters["item_id"].str.starts_with("0").all()  # ids come out as they went in


def test_linking_twice_gives_the_same_bytes(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    first = link(run, shop, trained, tmp_path)
    assert link(run, shop, trained, tmp_path, "--work-dir", tmp_path / "work") == first


def test_avitos_zips_give_the_same_bytes(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    zips = tmp_path / "zips"
    zips.mkdir()
    for photo in sorted(shop.images.iterdir()):
        number = int(photo.stem) % 100
        with zipfile.ZipFile(zips / f"Images_{number // 10}.zip", "a") as archive:
            archive.write(photo, f"Images_{number // 10}/{number}/{photo.name}")
    expected = link(run, shop, trained, tmp_path)
    assert link(run, shop, trained, tmp_path, images=zips) == expected


def test_training_twice_gives_the_same_metrics(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    status, _out, err = run(*train_arguments(shop, tmp_path / "again"))
    assert status == 0, err
    first, second = (
        json.loads((folder / "bundle.json").read_text()) for folder in (trained, tmp_path / "again")
    )
    for about in (first, second):
        for epoch in about["epochs"]:
            del epoch["seconds"]
    assert first == second


def test_evaluate_agrees_with_scikit_learn_on_its_scores(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    files = ("--json", tmp_path / "metrics.json", "--scores", tmp_path / "scores.csv")
    where = ("--items", shop.items, "--pairs", shop.pairs, "--images", shop.images)
    status, out, err = run(
        "evaluate", "--model", trained, *where, *files, "--by-length", "--device", "cpu"
    )
    assert status == 0, err
    scores = pl.read_csv(
        tmp_path / "scores.csv", schema_overrides={"item_id_l": pl.String, "item_id_r": pl.String}
    )
    models = json.loads((tmp_path / "metrics.json").read_text())["models"]
    assert set(models) == {"shop", "baseline"}
    model = models["shop"]
    assert (
        (model["pairs"], model["positives"])
        == (len(scores), scores["is_duplicate"].sum())
        == (180, 60)
    )
    expected = average_precision_score(scores["is_duplicate"], scores["score"])
    assert model["average_precision"] == pytest.approx(
        expected, abs=1e-3
    )  # scores are rounded to 32 bits
    assert [row["bucket"] for row in model["by_length"]] == list(range(11))
    assert sum(row["pairs"] for row in model["by_length"]) == 180
    assert model["by_length"][5]["average_precision"] is None  # no pair is that long
    assert f"{model['average_precision']:.3f}" in out and "baseline" in out


def test_the_lines_that_train_prints_can_be_typed(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    arguments = [
        part for part in train_arguments(shop, Path("-"), "--epochs", 1) if part not in ("-o", "-")
    ]
    status, _, err = run(*arguments)
    assert status == 0, err
    lines = [
        line.split(maxsplit=1)[1] for line in err.splitlines() if line.startswith("  nrl-dedup ")
    ]
    assert (tmp_path / "here" / "weights" / "items-rnn-cnn" / "bundle.json").exists()
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*shlex.split(lines[0]))
    assert status == 0 and "baseline" in out, err
    status, _, err = run(*shlex.split(lines[1].replace("CATALOGUE.csv", str(shop.items))))
    assert status == 0 and (tmp_path / "dupes.csv").exists(), err


def test_identical_ads_are_linked_and_empty_ones_are_not(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    same = [f"{n},диван икеа,диван икеа синий," for n in range(20)]
    empty = [f"{n},,," for n in range(20, 30)]
    items = tmp_path / "items.csv"
    items.write_text("\n".join(["item_id,title,description,image", *same, *empty]) + "\n", "utf-8")
    status, _out, err = run(
        "link", items, "--model", trained, "-o", tmp_path / "dupes.csv", "--candidates", 3
    )
    assert status == 0, err
    clusters = pl.read_csv(tmp_path / "dupes.csv")
    assert sorted(clusters["item_id"]) == list(range(20)) and set(clusters["cluster_id"]) == {0}


def test_a_catalogue_of_photos_alone(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    pl.read_csv(shop.items, infer_schema=False).select("item_id", "image").write_csv(items)
    arguments = [
        "train",
        items,
        *train_arguments(shop, tmp_path / "bundle")[2:],
        "--images",
        shop.images,
    ]
    status, _, err = run(*arguments, "--fusion", "text")
    assert status == 1 and "no words" in err and "--fusion image" in err
    status, _, err = run(*arguments)
    assert status == 0, err
    data = (
        "--items",
        items,
        "--pairs",
        shop.pairs,
        "--images",
        shop.images,
        "--json",
        tmp_path / "m.json",
    )
    status, _, err = run("evaluate", "--model", tmp_path / "bundle", *data, "--device", "cpu")
    assert status == 0, err
    assert (
        json.loads((tmp_path / "m.json").read_text())["models"]["bundle"]["average_precision"] > 0.9
    )


@pytest.mark.parametrize(
    ("fusion", "lost"), [("image", ["image"]), ("text", ["title", "description"])]
)
def test_ads_without_what_the_model_reads_are_linked_to_identical_ones_only(
    run: RunCommand, shop: Shop, tmp_path: Path, fusion: str, lost: list[str]
) -> None:
    """With as many candidates as there are other ads, `--threshold 0` links every pair of ads that are searched."""
    status, _, err = run(
        *train_arguments(shop, tmp_path / "bundle", "--fusion", fusion, "--epochs", 1)
    )
    assert status == 0, err
    ads = pl.read_csv(shop.items, infer_schema=False).with_row_index("row")
    bare = pl.col("row") % 4 == 0
    ads = ads.with_columns(
        pl.when(bare).then(pl.lit("")).otherwise(name).alias(name) for name in lost
    ).drop("row")
    twin = ads.row(0)
    pl.concat([ads, ads.head(1).with_columns(item_id=pl.lit("0999"))]).write_csv(
        tmp_path / "items.csv"
    )
    outputs = ("-o", tmp_path / "dupes.csv", "--links", tmp_path / "links.csv")
    options = (
        "--images",
        shop.images,
        "--scorer",
        "siamese",
        "--threshold",
        0,
        "--candidates",
        120,
    )
    status, _, err = run(
        "link", tmp_path / "items.csv", "--model", tmp_path / "bundle", *options, *outputs
    )
    assert status == 0, err
    links = pl.read_csv(tmp_path / "links.csv", infer_schema=False).select("item_id_l", "item_id_r")
    searched = [item for row, item in enumerate(ads["item_id"]) if row % 4]
    assert sorted(links.iter_rows()) == sorted([*combinations(searched, 2), (twin[0], "0999")])


def test_ads_of_unknown_words_are_linked_to_identical_ones_only(
    run: RunCommand, trained: Path, tmp_path: Path
) -> None:
    texts = [
        "жёсткость",
        "кальмар тетива",
        "плинтус",
        "герань",
        "плинтус",
        "диван",
        "диван герань",
        "герань диван",
    ]
    lines = [f"{number},{text}" for number, text in enumerate(texts)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *lines]) + "\n", "utf-8")
    outputs = ("-o", tmp_path / "dupes.csv", "--links", tmp_path / "links.csv")
    status, _, err = run(
        "link",
        tmp_path / "items.csv",
        "--model",
        trained,
        "--scorer",
        "siamese",
        "--threshold",
        0,
        *outputs,
    )
    assert status == 0, err
    links = pl.read_csv(tmp_path / "links.csv").select("item_id_l", "item_id_r")
    assert list(links.iter_rows()) == [(2, 4), (5, 6), (5, 7), (6, 7)]


def test_a_killed_training_keeps_nothing_half_written(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nrl_dedup.training.unfinished.write_network", fail)
    status, _, err = run(*train_arguments(shop, tmp_path / "bundle", "--epochs", 1))
    assert status == 1 and "could not be written" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("search", [False, True])
def test_force_replaces_the_bundle_that_a_link_leads_to(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, search: bool
) -> None:
    """For a training and for a search; and the link may lead to where nothing is yet."""
    shutil.copytree(trained, tmp_path / "real")
    for name, leads_to in (("old", "real"), ("new", "other")):
        (tmp_path / name).symlink_to(tmp_path / leads_to)
        options = ("--epochs", 1, "--force", *(("--seeds", 1) if search else ()))
        status, _, err = run(*train_arguments(shop, tmp_path / name, *options))
        assert status == 0, err
        assert (tmp_path / name).readlink() == tmp_path / leads_to
        assert len(json.loads((tmp_path / leads_to / "bundle.json").read_text())["epochs"]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new", "real", "other"}


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    "stage", ["nrl_dedup.bundle.save.save_pair_model", "nrl_dedup.training.unfinished.put_in_place"]
)
def test_a_bundle_that_cannot_be_replaced_stays_and_the_same_command_goes_on(
    run: RunCommand,
    shop: Shop,
    trained: Path,
    tmp_path: Path,
    monkeypatch,
    stage: str,
    failure: BaseException,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    bundle = shutil.copytree(trained, tmp_path / "bundle")
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    command = train_arguments(shop, bundle, "--force", "--epochs", 1)
    with monkeypatch.context() as patch:
        patch.setattr(stage, fail)
        status, _, err = run(*command)
    assert status in (1, 130) and "Traceback" not in err
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before
    status, _, err = run(*command)
    assert status == 0 and "epoch  train loss" not in err and "goes on with the pair model" in err
    assert len(json.loads((bundle / "bundle.json").read_text())["epochs"]) == 1
    assert list(tmp_path.iterdir()) == [bundle]


def test_ctrl_c_keeps_the_best_epoch(
    run: RunCommand, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nrl_dedup.features.network_inputs import NetworkInputs

    calls, original = [], NetworkInputs.training_batch

    def interrupted(self: NetworkInputs, rows: np.ndarray, draw: np.random.Generator) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(self, rows, draw)

    monkeypatch.setattr(NetworkInputs, "training_batch", interrupted)
    status, _, err = run(*train_arguments(shop, tmp_path / "bundle"))
    assert status == 0 and "the best epoch so far is kept" in err
    epochs = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["epochs"]
    assert 1 <= len(epochs) <= 5


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_learns_the_pairs_that_it_is_shown(
    run: RunCommand, shop: Shop, tmp_path: Path, fusion: str
) -> None:
    options = ("--fusion", fusion, "--epochs", 60, "--patience", 60, "--views", 0)
    status, _out, err = run(*train_arguments(shop, tmp_path / "bundle", *options))
    assert status == 0, err
    epochs = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["epochs"]
    assert max(epoch["train_ap"] for epoch in epochs) > 0.98


@pytest.mark.parametrize(
    ("options", "backbone"),
    [
        (["pairs.csv"], "resnet152"),
        ([], "resnet152"),
        (["pairs.csv", "--fusion", "san"], "vgg19"),
        (["pairs.csv", "--fusion", "san", "--backbone", "resnet50"], "resnet50"),
    ],
)
def test_each_fusion_module_has_the_photo_network_of_the_thesis(
    options: list[str], backbone: str
) -> None:
    from nrl_dedup.cli.train_command import train
    from nrl_dedup.cli.training_options import settings_of, with_defaults

    given = train.make_context("train", ["items.csv", *options]).params
    assert settings_of(with_defaults(given["pairs"], given)).photos.backbone == backbone
