"""`evaluate` with several models, slices and blocking: against single runs, scikit-learn and what `link` writes."""

import json
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file, save_file
from sklearn.metrics import average_precision_score

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.evaluate import names_of
from nrl_dedup.features.photos.backbones import weights_fingerprint
from nrl_dedup.tables import CANDIDATE_PAIRS, IDENTICAL_PAIRS
from tests.conftest import RunCommand, Shop, train_once

Figures = dict[str, dict]
IDS = ["item_id_l", "item_id_r"]


@pytest.fixture(scope="session")
def words_only(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle of the shop's data, which looks at words alone and has hardly learnt them."""
    return train_once(shop, tmp_path_factory, "words", "--fusion", "text", "--epochs", 1)


@pytest.fixture
def evaluated(
    run: RunCommand, tmp_path: Path
) -> Callable[..., tuple[Figures, pl.DataFrame, str, str]]:
    """Runs `evaluate`: the models of `--json`, `--scores`, and what was printed."""

    def invoke(*arguments: object) -> tuple[Figures, pl.DataFrame, str, str]:
        files = ("--json", tmp_path / "figures.json", "--scores", tmp_path / "scores.csv")
        status, out, err = run("evaluate", "--device", "cpu", *arguments, *files)
        assert status == 0, err
        scores = pl.read_csv(
            tmp_path / "scores.csv", schema_overrides=dict.fromkeys(IDS, pl.String)
        )
        return json.loads((tmp_path / "figures.json").read_text())["models"], scores, out, err

    return invoke


def data(shop: Shop) -> tuple[object, ...]:
    return ("--items", shop.items, "--pairs", shop.pairs, "--images", shop.images)


def test_several_models_have_the_figures_that_each_has_alone(
    evaluated, trained: Path, words_only: Path
) -> None:
    both, scores, out, err = evaluated("--model", words_only, "--model", trained, "--by-length")
    assert list(both) == ["words", "shop", "baseline"]
    alone, alone_scores, _, _ = evaluated("--model", trained)
    assert both["shop"] == alone["shop"]
    assert scores.columns == ["item_id_l", "item_id_r", "is_duplicate", "score", "model"]
    assert scores.filter(pl.col("model") == "shop").drop("model").equals(alone_scores)
    first, first_scores, _, _ = evaluated("--model", words_only)
    assert (both["words"], both["baseline"]) == (first["words"], first["baseline"])
    assert scores.filter(pl.col("model") == "words").drop("model").equals(first_scores)
    assert "AP words" in out and "AP shop" in out
    worse = {name for name in ("words", "shop") if f"{name} is worse than the baseline" in err}
    base = both["baseline"]["average_precision"]
    assert worse == {name for name in ("words", "shop") if both[name]["average_precision"] < base}


def test_a_broken_photo_is_told_once(
    evaluated, shop: Shop, trained: Path, words_only: Path, tmp_path: Path
) -> None:
    images = shutil.copytree(shop.images, tmp_path / "images")
    (images / "100.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    where = (*data(shop)[:4], "--images", images)
    *_, err = evaluated("--model", trained, "--model", words_only, *where)
    assert "1 photos could not be read" in err and err.count("  100: ") == 1


def changed(bundle: Path, folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    """A copy of `bundle` that remembers another split."""
    shutil.copytree(bundle, folder)
    change(pl.read_parquet(folder / "split.parquet")).write_parquet(folder / "split.parquet")
    return folder


test_side = pl.col("side") == "test"
DIFFERENCES = {
    "labels": (
        lambda split: split.with_columns(is_duplicate=pl.col("is_duplicate") ^ test_side),
        "other labels",
    ),
    "pairs": (
        lambda split: split.filter(~test_side | (pl.int_range(pl.len()) % 2 == 0)),
        "test pairs differ",
    ),
    "weights": (lambda split: split.with_columns(weight=pl.col("weight") * 2), "other weights"),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_models_with_other_test_pairs_are_refused(
    evaluated, run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, what: str
) -> None:
    change, said = DIFFERENCES[what]
    other = changed(trained, tmp_path / "other", change)
    status, out, err = run("evaluate", "--model", trained, "--model", other)
    assert status == 1 and not out and "Traceback" not in err
    assert "shop and other" in err and said in err and "--items" in err
    figures, *_ = evaluated("--model", trained, "--model", other, *data(shop))
    assert figures["shop"] == figures["other"]


def test_other_sides_than_the_test_may_differ_and_rows_may_stand_elsewhere(
    evaluated, trained, tmp_path
) -> None:
    other = changed(trained, tmp_path / "other", lambda split: split.filter(test_side).reverse())
    figures, *_ = evaluated("--model", trained, "--model", other)
    assert figures["shop"] == figures["other"]


def test_models_of_other_data_are_refused(run: RunCommand, trained: Path, tmp_path: Path) -> None:
    other = shutil.copytree(trained, tmp_path / "other")
    about = json.loads((other / "bundle.json").read_text())
    about["data"].update(fingerprint="0" * 64, items="/elsewhere/ads.csv")
    (other / "bundle.json").write_text(json.dumps(about))
    status, _, err = run("evaluate", "--model", trained, "--model", other)
    assert (
        status == 1
        and "shop and other" in err
        and "different ads" in err
        and "/elsewhere/ads.csv" in err
    )


def without_its_network(bundle: Path, folder: Path) -> Path:
    """A copy that needs --backbone-weights: its photo network is neither in it nor torchvision's."""
    shutil.copytree(bundle, folder)
    (folder / "backbone.safetensors").unlink()
    about = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**about, "backbone_file": False}))
    return folder


def of_another_network(bundle: Path, folder: Path) -> Path:
    """A copy that has another photo network of the same kind."""
    shutil.copytree(bundle, folder)
    state = load_file(folder / "backbone.safetensors")
    state["features.0.0.weight"] *= 0.5
    save_file(state, folder / "backbone.safetensors")
    about = json.loads((folder / "bundle.json").read_text())
    about["backbone_fingerprint"] = weights_fingerprint(
        "mobilenet_v3_small", folder / "backbone.safetensors"
    )
    (folder / "bundle.json").write_text(json.dumps(about))
    return folder


def test_each_model_gets_the_photo_network_that_fits_it(
    evaluated, run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    bare, other = (
        without_its_network(trained, tmp_path / "bare"),
        of_another_network(trained, tmp_path / "other"),
    )
    file = ("--backbone-weights", shop.backbone)
    together, *_ = evaluated("--model", other, "--model", bare, *file)
    assert together["bare"] == evaluated("--model", trained)[0]["shop"]
    assert together["other"] == evaluated("--model", other)[0]["other"] != together["bare"]
    status, out, err = run("evaluate", "--model", other, *file)
    assert status == 1 and not out and f"--backbone-weights {shop.backbone}" in err
    assert "none of the models" in err and "other on mobilenet_v3_small weights" in err


def test_names_of_bundles(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a/net", "b/net", "b/baseline", "x/b/other", "y/b/net")]
    assert names_of(folders) == [
        "a/net",
        f"{tmp_path.name}/b/net",
        "b/baseline",
        "other",
        "y/b/net",
    ]
    with pytest.raises(NrlDedupError, match="2 times"):
        names_of([tmp_path / "a", tmp_path / "b" / ".." / "a"])


def ap(frame: pl.DataFrame) -> float | None:
    if frame["is_duplicate"].n_unique() < 2:
        return None
    return average_precision_score(frame["is_duplicate"], frame["score"])


def rows_of(slices: list[dict], *names: str) -> dict[tuple, tuple]:
    return {
        tuple(row[name] for name in names): (
            row["pairs"],
            row["positives"],
            row["average_precision"]
            and pytest.approx(row["average_precision"], abs=1e-3),  # scores have 32 bits
        )
        for row in slices
        if row["pairs"]
    }


def expected(scores: pl.DataFrame, key: pl.Expr) -> dict[tuple, tuple]:
    parts = scores.with_columns(key=key).partition_by("key", as_dict=True)
    return {key: (len(part), part["is_duplicate"].sum(), ap(part)) for key, part in parts.items()}


def test_slices(evaluated, shop: Shop, trained: Path, tmp_path: Path) -> None:
    ads = pl.read_csv(shop.items, infer_schema=False)
    ads = ads.with_columns(
        kind=pl.col("title").str.split(" ").list.first(), key=pl.col("item_id") + "x"
    ).reverse()
    few = pl.int_range(pl.len()) % 7 == 0
    ads = ads.with_columns(
        description=pl.when(few)
        .then(pl.lit("стол " * 30) + pl.col("item_id"))
        .otherwise("description"),
        image=pl.when(pl.int_range(pl.len()) % 5 == 0)
        .then(pl.lit(""))
        .otherwise(pl.col("image") + ",no-such"),
    )
    ads = ads.select(
        "kind",
        sku="item_id",
        own=pl.lit("1"),
        **{"my key": "key"},
        t="title",
        d="description",
        i="image",
    )
    ads.write_csv(tmp_path / "ads.csv")
    pairs = pl.read_csv(shop.pairs, infer_schema=False)
    pairs.with_columns(pl.col("id1", "id2") + "x").write_csv(tmp_path / "pairs.csv")
    names = (
        "--id-column",
        "my key",
        "--title-column",
        "t",
        "--description-column",
        "d",
        "--photo-column",
        "i",
    )
    where = (
        "--items",
        tmp_path / "ads.csv",
        "--pairs",
        tmp_path / "pairs.csv",
        "--images",
        shop.images,
    )
    by = ("--by", "kind", "--by", "photos", "--by", "missing", "--by", "own", "--by", "my key")
    figures, scores, out, _ = evaluated("--model", trained, *where, *names, *by, "--by-length")
    model = figures["shop"]
    for side in "lr":
        scores = scores.join(
            ads.select(pl.all().name.suffix(f"_{side}")),
            left_on=f"item_id_{side}",
            right_on=f"my key_{side}",
        )
    assert len(scores) == 180

    kind = (
        pl.when(pl.col("kind_l") == pl.col("kind_r"))
        .then("kind_l")
        .otherwise(pl.lit("(different)"))
    )
    assert rows_of(model["by"]["kind"], "value") == expected(scores, kind)
    assert rows_of(model["by"]["own"], "value") == expected(scores, pl.lit("1"))
    assert rows_of(model["by"]["my key"], "value") == expected(scores, pl.lit("(different)"))
    photos = [pl.when(pl.col(f"i_{side}") == "").then(0).otherwise(2) for side in "lr"]
    counts = pl.format("{} and {}", pl.min_horizontal(photos), pl.max_horizontal(photos))
    assert rows_of(model["by"]["photos"], "value") == expected(scores, counts)
    lacks = (
        pl.when(pl.min_horizontal(photos) == 0)
        .then(pl.lit("a photo missing"))
        .otherwise(pl.lit("both complete"))
    )
    assert rows_of(model["by"]["missing"], "value") == expected(scores, lacks)
    long = [pl.col(f"d_{side}").str.count_matches("стол ") == 30 for side in "lr"]
    spans = [pl.when(part).then(pl.lit("20-39")).otherwise(pl.lit("0-9")) for part in long]
    unlike = pl.concat_str(pl.min_horizontal(spans), pl.lit("|"), pl.max_horizontal(spans))
    cells = {tuple(key[0].split("|")): value for key, value in expected(scores, unlike).items()}
    assert rows_of(model["by_unlike_length"], "shorter", "longer") == cells and len(cells) == 3
    assert len(model["by_unlike_length"]) == 21
    assert all(
        row["average_precision"] is None for row in model["by_unlike_length"] if not row["pairs"]
    )
    assert all(
        title in out for title in ("By kind", "By photos", "By missing", "shorter description")
    )


def test_intervals_hold_the_figure_and_say_where_there_is_none(
    evaluated, shop: Shop, trained: Path
) -> None:
    figures, _, out, _ = evaluated("--model", trained, *data(shop), "--by", "photos")
    for model in figures.values():
        for part in (model, *model["by_length"], *model["by"]["photos"]):
            if part["average_precision"] is None:
                assert (
                    part["average_precision_interval"] is None
                    and part["undefined_replicates"] == 1000
                )
            else:
                low, high = part["average_precision_interval"]
                assert 0 <= low <= part["average_precision"] <= high <= 1
    low, high = figures["baseline"]["average_precision_interval"]
    assert (
        low < high
        and f"({low:.3f}-{high:.3f})" in out
        and "120 groups" not in out
        and "60 groups" in out
    )
    again, *_ = evaluated("--model", trained, *data(shop), "--by", "photos")
    assert again == figures


def test_an_empty_slice_is_a_dash_and_one_class_is_said(
    evaluated, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    *_, out, _ = evaluated("--model", trained, *data(shop), "--by-length")
    (row,) = [line for line in out.splitlines() if line.startswith("│ 90-99")]
    assert {cell.strip() for cell in row.strip("│").split("│")[1:]} == {"-"}
    assert "-: no pairs, or pairs of one class only" in out


def test_a_slice_column_that_is_not_there(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    status, out, err = run(
        "evaluate", "--model", trained, "--by", "colour", "--json", tmp_path / "figures.json"
    )
    assert status == 1 and not out and not (tmp_path / "figures.json").exists()
    assert "no column 'colour' (--by)" in err and "item_id, title, description, image" in err


@pytest.mark.parametrize(
    "options", [("--threshold", "1.5"), ("--candidates", "0"), ("--model", "no-such-bundle")]
)
def test_wrong_options(run: RunCommand, trained: Path, options: tuple[str, str]) -> None:
    status, _, err = run("evaluate", "--model", trained, "--blocking", *options)
    assert status in (1, 2) and options[0] in err and "Traceback" not in err


# --- blocking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidates", [1, 3, 119])
def test_blocking_is_that_of_link(
    evaluated, run: RunCommand, shop: Shop, words_only: Path, tmp_path: Path, candidates
) -> None:
    """`link` at threshold 0 writes every candidate. Some ads of the catalogue are identical to others, and some unlike
    ones are labelled duplicates, so that there is something to lose."""
    ads = pl.read_csv(shop.items, infer_schema=False)
    twins = ads.head(10).with_columns(item_id=pl.format("twin{}", "item_id"))
    pl.concat([ads, twins]).write_csv(tmp_path / "items.csv")
    pairs = pl.read_csv(shop.pairs, infer_schema=False)
    unlike = pl.int_range(pl.len()) % 4 == 1
    pairs = pairs.with_columns(label=pl.when(unlike).then(pl.lit("1")).otherwise("label"))
    of_twins = pairs.filter(pl.col("id1").is_in(twins["item_id"].str.tail(4).implode()))
    of_twins = of_twins.with_columns(id1=pl.format("twin{}", "id1"))
    identical = twins.select(id1="item_id", id2=pl.col("item_id").str.tail(4), label=pl.lit("1"))
    pl.concat([pairs, of_twins, identical]).write_csv(tmp_path / "pairs.csv")
    where = ("--images", shop.images, "--model", words_only, "--candidates", candidates)
    items = ("--items", tmp_path / "items.csv", "--pairs", tmp_path / "pairs.csv", "--blocking")
    figures, scores, out, _ = evaluated(*items, *where)
    links = tmp_path / "links.csv"
    options = ("-o", tmp_path / "dupes.csv", "--links", links, "--threshold", 0, "--device", "cpu")
    status, _, err = run("link", tmp_path / "items.csv", *where, *options)
    assert status == 0, err

    linked = [
        tuple(pair) for pair in pl.read_csv(links, infer_schema=False).select(IDS).iter_rows()
    ]
    pairs_of = [
        {item.removeprefix("twin") for item in pair} for pair in linked
    ]  # a twin is found with its original
    stars = sum(len(pair) == 1 for pair in pairs_of)
    assert stars == 10
    wanted = [
        {item.removeprefix("twin") for item in pair} for pair in scores.select(IDS).iter_rows()
    ]
    found = [len(pair) == 1 or pair in pairs_of for pair in wanted]
    kept = figures["words"]["blocking"]
    duplicate = scores["is_duplicate"].to_numpy() == 1
    assert kept["pairs_completeness"] == pytest.approx(np.mean(np.array(found)[duplicate]))
    assert (kept["ads"], kept["candidate_pairs"]) == (130, len(linked) - stars)
    assert kept["reduction_ratio"] == pytest.approx(1 - (len(linked) - stars) / (130 * 129 / 2))
    lost_last = np.where(found, scores["score"], -1.0)
    assert kept["average_precision"] == pytest.approx(
        average_precision_score(duplicate, lost_last), abs=1e-3
    )
    if candidates == 119:
        assert kept["pairs_completeness"] == 1.0
        assert kept["average_precision"] == figures["words"]["average_precision"]
    else:
        assert kept["pairs_completeness"] < 1.0
    assert figures["baseline"]["blocking"] is None and "pairs completeness" in out


def test_pairs_that_blocking_finds_are_those_of_a_set() -> None:
    draw = np.random.default_rng(0)
    position = np.concatenate(
        [draw.permutation(8), draw.integers(-1, 8, size=12)]
    )  # 20 ads, 8 of them distinct
    chosen = sorted(pair for pair in combinations(range(8), 2) if draw.random() < 0.4)
    frame = pl.DataFrame(chosen, schema=CANDIDATE_PAIRS, orient="row")
    candidates = Candidates(frame, (), ())
    no_pairs = Candidates(frame.clear(), (), ())
    row_l, row_r = np.array(list(combinations(range(20), 2))).T
    for candidate_pairs, known in ((candidates, set(chosen)), (no_pairs, set())):
        none = np.zeros((8, 2), np.float32)
        ads = DistinctAds(np.arange(8), position)
        identical = pl.DataFrame(schema=IDENTICAL_PAIRS)
        blocked = BlockingResult(ads, none, none, candidate_pairs, candidate_pairs, identical)
        expected = [
            a == b >= 0 or (min(a, b), max(a, b)) in known
            for a, b in zip(position[row_l], position[row_r], strict=True)
        ]
        assert blocked.finds(row_l, row_r).tolist() == expected
        assert blocked.finds(row_r, row_l).tolist() == expected
