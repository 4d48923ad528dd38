"""The commands on ads of several sources: two files with ids of their own, or a column."""

import json
from pathlib import Path

import polars as pl
import pytest

import nrl_dedup
from tests.conftest import RunCommand, Shop, write

FILES = ("dupes.csv", "links.csv")


@pytest.fixture(scope="module")
def halves(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's 60 things, once in left.csv and once in right.csv, in either with ids from 1 on; and all in one."""
    folder = tmp_path_factory.mktemp("halves")
    items = pl.read_csv(shop.items, infer_schema=False)
    files = {}
    for place, name in enumerate(("left", "right")):
        half = items[place::2].with_columns(
            item_id=pl.int_range(1, 61).cast(pl.String), source=pl.lit(name)
        )
        files[name] = half
        half.drop("source").write_csv(folder / f"{name}.csv")
    pl.concat(files.values()).write_csv(folder / "both.csv")
    pairs = [[n, n, 1] for n in range(1, 61)] + [[n, n % 60 + 1, 0] for n in range(1, 61)]
    write(folder / "pairs.csv", ["l", "r", "label"], pairs)
    return folder


def outputs(folder: Path) -> list[object]:
    return ["-o", folder / FILES[0], "--links", folder / FILES[1], "--device", "cpu"]


def written(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def options(shop: Shop, model: Path) -> list[object]:
    return ["--images", shop.images, "--model", model, "--no-adapt"]


def test_two_files_and_a_column_give_the_same(
    run: RunCommand, shop: Shop, trained: Path, halves: Path, tmp_path: Path
) -> None:
    left, right = halves / "left.csv", halves / "right.csv"
    ways = ([left, right], [right, left], [halves / "both.csv", "--source", "source"])
    results = []
    for way in ways:
        command = ["link", *way, *options(shop, trained), *outputs(tmp_path), "--one-to-one"]
        status, _, err = run(*command)
        assert status == 0, err
        assert "left (60 ads)" in err and "Only ads of different sources are linked." in err
        results.append(written(tmp_path))
    assert results[0] == results[1] == results[2]
    clusters = pl.read_csv(tmp_path / FILES[0], infer_schema=False)
    assert clusters.columns == ["cluster_id", "item_id", "score", "source"]
    assert len(clusters) > 60
    for (name,), ads in clusters.group_by("cluster_id"):
        assert sorted(ads["source"]) == ["left", "right"]
        first = ads.sort(pl.col("item_id").cast(int), "source").row(0, named=True)
        assert name == f"{first['source']}/{first['item_id']}"
    links = pl.read_csv(tmp_path / FILES[1], infer_schema=False)
    assert links.columns[:3] == ["item_id_l", "item_id_r", "score"]
    assert links.columns[-2:] == ["source_l", "source_r"]
    assert (links["source_l"] != links["source_r"]).all()
    model = nrl_dedup.load_model(trained, device="cpu")
    found = nrl_dedup.link(
        left, right, images=shop.images, model=model, one_to_one=True, device="cpu", adapt=False
    )
    assert found.clusters.write_csv().encode() == results[0][0]


def test_clusters_are_measured_by_source_and_id(run: RunCommand, tmp_path: Path) -> None:
    """Ad 1 of a goes with ad 1 of b, and ad 2 of a with ad 3 of b; true are 1 and 1, and 2 and 2."""
    header = ["cluster_id", "item_id", "score", "source"]
    rows = [["a/1", 1, 0.9, "a"], ["a/1", 1, 0.9, "b"], ["a/2", 2, 0.9, "a"], ["a/2", 3, 0.9, "b"]]
    write(tmp_path / "dupes.csv", header, rows)
    labels = [[1, 1, 1], [2, 2, 1], [2, 3, 0], [1, 3, 0]]
    write(tmp_path / "pairs.csv", ["l", "r", "label"], labels)
    named = [[*pair, "a", "b"] for pair in labels]
    write(tmp_path / "named.csv", ["l", "r", "label", "source_l", "source_r"], named)
    entities = [[1, "x", "a"], [1, "x", "b"], [2, "y", "a"], [2, "y", "b"], [3, "z", "b"]]
    write(tmp_path / "entities.csv", ["id", "entity", "source"], entities)
    command = ["evaluate", "--clusters", tmp_path / "dupes.csv", "--json", tmp_path / "f.json"]
    sides = ["--source-l", "a", "--source-r", "b"]
    for truth in (["pairs.csv", *sides], ["named.csv"], ["entities.csv"]):
        status, _, err = run(*command, "--truth", tmp_path / truth[0], *truth[1:])
        assert status == 0, err
        found = json.loads((tmp_path / "f.json").read_text("utf-8"))["clusters"]["pairwise"]
        assert (found["precision"], found["recall"]) == (0.5, 0.5), truth
    status, _, err = run(*command, "--truth", tmp_path / "pairs.csv")
    assert status == 1 and "'1' stands on lines 2 and 3" in err


def test_a_column_called_source_changes_nothing_without_the_option(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    items = pl.read_csv(shop.items, infer_schema=False)
    items.write_csv(tmp_path / "plain.csv")
    kinds = pl.Series("source", ["a", "b"] * 60)
    items.with_columns(kinds).write_csv(tmp_path / "with.csv")
    results = []
    for name in ("plain.csv", "with.csv"):
        status, _, err = run("link", tmp_path / name, *options(shop, trained), *outputs(tmp_path))
        assert status == 0, err
        results.append(written(tmp_path))
    assert results[0] == results[1]


def test_one_to_many(
    run: RunCommand, shop: Shop, trained: Path, halves: Path, tmp_path: Path
) -> None:
    """At a threshold of 0 each ad of the right file has a best partner in the left one."""
    command = ["link", halves / "left.csv", halves / "right.csv", *options(shop, trained)]
    status, _, err = run(*command, *outputs(tmp_path), "--one-to-many", "left", "--threshold", 0)
    assert status == 0, err
    clusters = pl.read_csv(tmp_path / FILES[0], infer_schema=False)
    counts = clusters.group_by("cluster_id").agg(left=(pl.col("source") == "left").sum())
    assert (counts["left"] == 1).all()
    assert (clusters["source"] == "right").sum() == 60
    status, _, err = run(*command, *outputs(tmp_path), "--one-to-many", "middle")
    assert status == 1 and "there is no such source; wanted one of left, right" in err


def test_a_pattern_in_quotes_is_one_catalogue(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    items = pl.read_csv(shop.items, infer_schema=False)
    (tmp_path / "parts").mkdir()
    for place in range(3):
        items[place::3].write_csv(tmp_path / "parts" / f"{place}.csv")
    pattern = tmp_path / "parts" / "*.csv"
    results = []
    for catalogue in (shop.items, pattern):
        status, _, err = run("link", catalogue, *options(shop, trained), *outputs(tmp_path))
        assert status == 0, err
        results.append(written(tmp_path))
    assert results[0] == results[1]
    over = ["-o", tmp_path / "parts" / "1.csv"]
    status, _, err = run("link", pattern, *options(shop, trained), *over)
    assert status == 1 and "-o" in err
    assert len(pl.read_csv(tmp_path / "parts" / "1.csv")) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["left.csv", "right.csv", "both.csv"], "takes one catalogue, or two"),
        (["left.csv", "left.csv"], "is named twice"),
        (["both.csv", "--one-to-one"], "--one-to-one is about ads of different sources"),
        (["both.csv", "--one-to-many", "left"], "--one-to-many is about ads of different sources"),
        (["left.csv", "right.csv", "--source", "source"], "--source names a column of one file"),
        (
            ["left.csv", "right.csv", "--one-to-one", "--one-to-many", "left"],
            "--one-to-one and --one-to-many: one of them",
        ),
        (
            ["left.csv", "right.csv", "--one-to-one", "--clustering", "centre"],
            "--one-to-one and --clustering: one of them",
        ),
        (["both.csv", "--source", "shop"], "no column 'shop' (--source)"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(
    run: RunCommand, halves: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    named = [halves / one if one.endswith(".csv") else one for one in arguments]
    status, _, err = run("link", *named, *outputs(tmp_path))
    assert status in (1, 2) and message in " ".join(err.split())
    assert not any((tmp_path / name).exists() for name in FILES)


def test_training_evaluating_and_explaining_with_equal_ids(
    run: RunCommand, halves: Path, tmp_path: Path
) -> None:
    """Pair n is of ad n of the left file and ad n of the right one; the bundle remembers both files."""
    model = tmp_path / "model"
    left, right = halves / "left.csv", halves / "right.csv"
    status, _, err = run(
        *("train", left, halves / "pairs.csv", "--other", right, "-o", model, "--fusion", "text"),
        *("--epochs", 2, "--split", "pairs", "--device", "cpu"),
    )
    assert status == 0, err
    split = pl.read_parquet(model / "split.parquet")
    assert set(split.select("source_l", "source_r").rows()) <= {
        ("left", "right"),
        ("right", "left"),
    }
    duplicates = split.filter("is_duplicate")
    assert len(duplicates) == 60 and (duplicates["item_id_l"] == duplicates["item_id_r"]).all()
    about = json.loads((model / "bundle.json").read_text("utf-8"))
    assert Path(about["data"]["other"]).name == "right.csv" and "source" not in about["data"]
    scores = tmp_path / "scores.csv"
    status, _, err = run("evaluate", "--model", model, "--scores", scores, "--device", "cpu")
    assert status == 0, err
    scored = pl.read_csv(scores, infer_schema=False)
    assert scored.columns[-2:] == ["source_l", "source_r"]
    tested = split.filter(pl.col("side") == "test")
    assert len(scored) == len(tested)
    named = ["--items", left, "--other", right, "--pairs", halves / "pairs.csv"]
    status, out, err = run("evaluate", "--model", model, *named, "--blocking", "--device", "cpu")
    assert status == 0 and "On 120 pairs, 60 of them duplicates" in out, err
    why = tmp_path / "why.json"
    status, out, err = run("explain", model, 7, 7, "--json", why, "--device", "cpu")
    assert status == 0, err
    said = json.loads(why.read_text("utf-8"))
    assert [said[side]["source"] for side in ("left", "right")] == ["left", "right"]
    side = ["--source-r", "left", "--device", "cpu"]
    status, out, err = run("explain", model, 7, 8, "--json", why, *side)
    assert status == 0 and "both are of one source" in out, err
    assert json.loads(why.read_text("utf-8"))["stage"] == "one source"
    status, _, err = run("explain", model, 7, 7, *side)
    assert status == 1 and "7 is named twice" in err
    status, _, err = run("explain", model, 7, 8, "--source-r", "nobody", "--device", "cpu")
    assert status == 1 and "there is no such source; wanted one of left, right" in err


def test_two_headers_give_an_empty_file(run: RunCommand, trained: Path, tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        write(tmp_path / name, ["id", "title"], [])
    command = ["link", tmp_path / "one.csv", tmp_path / "two.csv", "--model", trained]
    status, _, err = run(*command, *outputs(tmp_path), "--one-to-one")
    assert status == 0, err
    assert written(tmp_path)[0] == b"cluster_id,item_id,score,source\n"
