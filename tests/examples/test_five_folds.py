"""`examples/making/five_folds.py`: its figures against brute force, and that finished commands are not run again."""

import json
import os
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from measuring.clusters import (
    bcubed,
    best_linked,
    linked,
    pairwise,
    read_clusters,
    read_links,
    read_truth,
)
from measuring.data import sample_pairs, sample_things
from measuring.found import calibration_error, read_stages
from measuring.steps import OUTPUT, run_all, state, step
from results.document import lowered, markers

from nrl_dedup.evaluation.cluster_quality import bcubed_quality, pairwise_quality
from tests.conftest import write

ACROSS = (1.0, 0.5)


def made_up(seed: int, ads: int = 40) -> pl.DataFrame:
    """Ads of few entities and clusters, about a third of them inside the fold."""
    draw = np.random.default_rng(seed)
    columns = {name: draw.integers(0, 15, ads).astype(str) for name in ("entity", "cluster")}
    return pl.DataFrame(
        {"item": [f"{n}" for n in range(ads)], **columns, "inside": draw.random(ads) < 0.35}
    )


def touching(ads: pl.DataFrame, across: float) -> list[tuple[dict, dict, float]]:
    """All pairs with an ad of the fold, one by one, and their weight."""
    pairs = combinations(ads.iter_rows(named=True), 2)
    weights = {2: 1.0, 1: across}
    return [
        (a, b, weights[a["inside"] + b["inside"]]) for a, b in pairs if a["inside"] or b["inside"]
    ]


def quality_of(claimed: list[float], both: list[float], true: list[float]) -> list[float]:
    precision, recall = sum(both) / sum(claimed), sum(both) / sum(true)
    return [precision, recall, 2 * sum(both) / (sum(claimed) + sum(true))]


@pytest.mark.parametrize("across", ACROSS)
@pytest.mark.parametrize("seed", range(5))
def test_pairwise_figures_are_those_of_a_count_pair_by_pair(seed: int, across: float) -> None:
    ads = made_up(seed)
    pairs = touching(ads, across)
    claimed = [(a, b, weight) for a, b, weight in pairs if a["cluster"] == b["cluster"]]
    both = [weight for a, b, weight in claimed if a["entity"] == b["entity"]]
    true = [weight for a, b, weight in pairs if a["entity"] == b["entity"]]
    expected = quality_of([weight for _, _, weight in claimed], both, true)
    found = pairwise(ads, across)
    assert [found.precision, found.recall, found.f1] == pytest.approx(expected)


def test_where_all_ads_are_of_the_fold_the_figures_are_those_of_the_package() -> None:
    ads = made_up(7).with_columns(inside=pl.lit(True))
    labels = [ads[name].cast(pl.Int64).to_numpy() for name in ("cluster", "entity")]
    for across in ACROSS:
        assert vars(pairwise(ads, across)) == pytest.approx(vars(pairwise_quality(*labels)))
    assert vars(bcubed(ads)) == pytest.approx(vars(bcubed_quality(*labels)))


def test_bcubed_means_are_over_the_ads_of_the_fold_in_clusters_of_all() -> None:
    ads = made_up(3)
    rows = ads.rows(named=True)

    def members(name: str, ad: dict) -> set[str]:
        return {other["item"] for other in rows if other[name] == ad[name]}

    together = [(members("cluster", ad), members("entity", ad)) for ad in rows if ad["inside"]]
    precision = np.mean([len(c & e) / len(c) for c, e in together])
    recall = np.mean([len(c & e) / len(e) for c, e in together])
    assert vars(bcubed(ads)) == pytest.approx(
        {
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / (precision + recall),
        }
    )


@pytest.mark.parametrize("across", ACROSS)
def test_links_and_the_best_threshold_by_trying_each(tmp_path: Path, across: float) -> None:
    draw, ads = np.random.default_rng(1), made_up(1)
    truth = ads.drop("cluster")
    pairs = list(combinations(ads.rows(named=True), 2))
    chosen = [pairs[place] for place in draw.choice(len(pairs), 200, replace=False)]
    scores = [
        round(0.4 * (a["entity"] == b["entity"]) + 0.6 * draw.random(), 1) for a, b in chosen
    ]  # with ties
    rows = [
        [a["item"], b["item"], score, 0.1] for (a, b), score in zip(chosen, scores, strict=True)
    ]
    links = read_links(
        write(tmp_path / "links.csv", ["item_id_l", "item_id_r", "score", "text"], rows), truth
    )
    weight = {(a["item"], b["item"]): weight for a, b, weight in touching(ads, across)}
    true = [weight for a, b, weight in touching(ads, across) if a["entity"] == b["entity"]]

    def tried(threshold: float) -> list[float]:
        kept = [(a, b) for (a, b), score in zip(chosen, scores, strict=True) if score >= threshold]
        claimed = [weight.get((a["item"], b["item"]), 0) for a, b in kept]
        both = [
            weight.get((a["item"], b["item"]), 0) for a, b in kept if a["entity"] == b["entity"]
        ]
        return quality_of(claimed, both, true)

    every = linked(links, truth, across)
    assert [every.precision, every.recall, every.f1] == pytest.approx(tried(0))
    best = best_linked(links, truth, across)
    highest = max((tried(threshold) for threshold in set(scores)), key=lambda quality: quality[2])
    assert [best.precision, best.recall, best.f1] == pytest.approx(highest)
    assert tried(best.threshold) == pytest.approx(highest)
    assert best_linked(links.clear(), truth, across) is None


def test_an_ad_in_no_cluster_stands_alone(tmp_path: Path) -> None:
    rows = [["1", "7", "0"], ["2", "7", "0"], ["3", "8", "1"], ["9", "8", "1"]]
    truth = read_truth(write(tmp_path / "truth.csv", ["itemID", "entity", "fold"], rows), "1")
    dupes = write(
        tmp_path / "dupes.csv",
        ["cluster_id", "item_id", "score"],
        [["9", "1", 0.9], ["9", "2", 0.9]],
    )
    ads = read_clusters(dupes, truth)
    assert ads["inside"].to_list() == [False, False, True, True]
    first, second, third, fourth = ads["cluster"]
    assert (
        first == second and len({first, third, fourth}) == 3
    )  # though the cluster is called as the last ad is


def test_calibration_error_of_scores(tmp_path: Path) -> None:
    rows = [["a", "b", int(n < 5), 0.25] for n in range(10)] + [["a", "b", 1, 1.0]] * 10
    path = write(tmp_path / "scores.csv", ["item_id_l", "item_id_r", "is_duplicate", "score"], rows)
    assert calibration_error(path) == pytest.approx((10 * 0.25 + 10 * 0) / 20, abs=1e-6)


def test_a_share_of_the_labels_is_of_both_classes_and_part_of_a_larger_one() -> None:
    pairs = pl.DataFrame({"itemID_1": range(300), "isDuplicate": ["1", "0", "0"] * 100})
    tenth, hundredth, all_of_them = (sample_pairs(pairs, share) for share in (0.1, 0.01, 1.0))
    assert tenth["isDuplicate"].value_counts().sort("isDuplicate").rows() == [("0", 20), ("1", 10)]
    assert set(hundredth["itemID_1"]) < set(tenth["itemID_1"]) and len(hundredth) == 3
    assert all_of_them.equals(pairs)


def test_a_share_of_the_things_brings_those_that_they_are_told_apart_from() -> None:
    things = range(1000)
    ads = [(f"{thing}-{shot}", f"{thing}", "0") for thing in things for shot in "ab"]
    truth = pl.DataFrame(ads, schema=["itemID", "entity", "fold"], orient="row")
    others = [
        (f"{thing}-a", f"{(thing + step) % 1000}-b") for thing in things for step in (17, 301)
    ]
    pairs = pl.DataFrame(others, schema=["itemID_1", "itemID_2"], orient="row")
    kept = sample_things(truth, pairs, 0.1)
    inside = pairs.filter(pl.all_horizontal(pl.all().is_in(kept["itemID"].implode())))
    assert 0.05 < len(kept) / len(truth) < 0.15 and len(inside) > 0.5 * kept["entity"].n_unique()
    assert sample_things(truth, pairs, 1.0).equals(truth)


FAKE = """
import csv, json, os, sys
from pathlib import Path

words = sys.argv[1:]
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(json.dumps(words) + "\\n")
if os.environ.get("FAKE_FAILS", "nothing at all") in " ".join(words):
    sys.exit("Error: as it was told")
value = lambda name: words[words.index(name) + 1]
if words[0] == "train":
    Path(value("-o")).mkdir()
if words[0] == "evaluate":
    fold = 0.1 * ("fold-1" in value("--pairs"))
    part = {"average_precision": 0.8 + fold, "pairs": 10, "positives": 4}
    blocking = {"pairs_completeness": 0.9, "candidates_per_ad": {"mean": 50.0}, "reduction_ratio": 0.99}
    models = {"bundle": part | {"blocking": blocking}, "baseline": part | {"average_precision": 0.6}}
    Path(value("--json")).write_text(json.dumps({"models": models}))
    Path(value("--scores")).write_text("item_id_l,item_id_r,is_duplicate,score\\na,b,1,0.75\\n")
if words[0] == "link":
    ads = list(csv.DictReader(open(words[1])))
    with open(value("-o"), "w") as file:
        rows = [("c" + ad["title"], ad["itemID"], 0.9) for ad in ads if ad["title"]]
        csv.writer(file).writerows([("cluster_id", "item_id", "score"), *rows])
    if "--links" in words:
        same = [(a["itemID"], b["itemID"]) for a in ads for b in ads if a["title"] == b["title"]]
        pairs = [pair for pair in same if pair[0] < pair[1]]
        with open(value("--links"), "w") as file:
            csv.writer(file).writerows([("item_id_l", "item_id_r", "score"), *((*pair, 0.9) for pair in pairs)])
    print("Expected of links from 0.7000 on")
    print("│ words │ 1.5 │ 300 MiB │")
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands that a made-up `nrl-dedup` was called with; it links ads of the same title."""
    return made_up_program(FAKE, tmp_path, monkeypatch)


def made_up_program(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put `nrl-dedup`, made of this code, before the real one; it finds the place of the log in FAKE_LOG."""
    program, log = folder / "bin" / "nrl-dedup", folder / "log"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(log))
    log.touch()
    return log


def commands(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_what_is_finished_is_not_done_again_and_what_failed_is(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    train = step(out / "train", "train", "-o", "{}/bundle")
    again = step(out / "again", "train", "--again", "-o", "{}/bundle", needs=[train])
    monkeypatch.setenv("FAKE_FAILS", "-o")
    run_all([train, again], out)
    assert state(train) == "failed: Error: as it was told" and state(again) == "not run"
    monkeypatch.delenv("FAKE_FAILS")
    train.part.mkdir()  # as a run that was killed leaves it
    (train.part / "half").touch()
    for _ in range(2):
        run_all([train, again], out)
    assert [words[1] for words in commands(log)] == ["-o", "-o", "--again"]
    assert state(train) == state(again) == "finished" and (again.folder / "bundle").is_dir()
    assert {path.name for path in out.iterdir()} == {"train", "again"} and not (
        train.folder / "half"
    ).exists()
    other = step(out / "train", "train", "--epochs", 3, "-o", "{}/bundle")
    with pytest.raises(SystemExit, match="Name another OUT"):
        run_all([other], out)


def test_seconds_of_stages_are_read_from_what_link_prints(tmp_path: Path) -> None:
    from io import StringIO

    from rich.console import Console

    from nrl_dedup.cli import console

    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "results", Console(file=printed, width=160))
        console.show_table("Linked", ("", "count"), [("ads", 1234), ("photos read", 5)])
        console.show_table(
            "Stages",
            ("", "seconds", "peak memory"),
            [("joint space", "12.5", "1.20 GiB"), ("all", "13.0", "20 MiB")],
        )
    one = step(tmp_path / "link", "link")
    one.folder.mkdir()
    (one.folder / OUTPUT).write_text(printed.getvalue(), "utf-8")
    assert read_stages(one) == {"joint space": 12.5, "all": 13.0}


def small_real(folder: Path) -> Path:
    """Forty things of two ads in each of two folds, in pairs with the next things; the ads of all things but the last
    have one title."""
    ads = [(2 * thing + shot, thing, str(thing // 40)) for thing in range(80) for shot in (0, 1)]
    columns = ["itemID", "categoryID", "title", "description", "images_array", "price"]
    items = [
        [item, 3, f"title {thing}" if thing < 79 else f"{item}", "words", "", 10]
        for item, thing, _ in ads
    ]
    duplicates = [[2 * thing, 2 * thing + 1, 1, 1, thing // 40] for thing in range(80)]
    others = [
        [2 * thing, 2 * (thing + 1) + shot, 0, 3, thing // 40]
        for thing in range(79)
        for shot in (0, 1)
    ]
    others = [pair for pair in others if pair[0] // 80 == pair[1] // 80]
    folder.mkdir()
    write(folder / "ItemInfo.csv", columns, items)
    pairs = ["itemID_1", "itemID_2", "isDuplicate", "generationMethod", "fold"]
    write(folder / "ItemPairs.csv", pairs, duplicates + others)
    write(folder / "truth.csv", ["itemID", "entity", "fold"], [list(ad) for ad in ads])
    return folder


def run_script(real: Path, out: Path, *options: str) -> str:
    import five_folds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sys.argv",
            ["five_folds.py", str(real), str(out), "--folds", "2", "--few", "0.5", *options],
        )
        five_folds.main()
    return (out / "five_folds.md").read_text("utf-8")


def cells(report: str, start: str) -> list[str]:
    """Of the first row that starts so."""
    line = next(line for line in report.splitlines() if line.startswith(f"| {start}"))
    return line.strip("| ").split(" | ")[1:]


def test_the_whole_study(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, out = small_real(tmp_path / "real"), tmp_path / "out"
    monkeypatch.setenv("FAKE_FAILS", "fold-1/labels-50/train.part")
    report = run_script(real, out, "--epochs", "2")
    assert cells(report, "all columns: trained with labels")[:2] == [
        "0.850 ± 0.071",
        "0.250 ± 0.000",
    ]
    assert cells(report, "all columns: baseline")[0] == "0.600 ± 0.000"
    assert cells(report, "all columns: 50 %")[0] == "0.800 (1 of 2)"
    clusters = cells(report, "all columns, at the default threshold")
    recall, f1 = (
        (1 + 39 / 40) / 2,
        (1 + 2 * 39 / 79) / 2,
    )  # the ads of the last thing, in the second fold, are not joined
    assert [clusters[at].split(" ± ")[0] for at in (0, 1, 2)] == [
        "1.000",
        f"{recall:.3f}",
        f"{f1:.3f}",
    ]
    for method in ("centre", "connected-components", "correlation"):
        assert cells(report, f"all columns, --clustering {method}")[:3] == clusters[:3]
    assert sum("--clustering" in command for command in commands(log)) == 3 * 2 * 2
    assert cells(report, "words")[0] == "1.5 ± 0.0" and "0.700 ± 0.000" in report
    assert "`all/fold-1/labels-50/train`: failed: Error: as it was told" in report
    assert "`all/fold-1/labels-50/evaluate`: not run" in report
    ran = len(commands(log))

    monkeypatch.delenv("FAKE_FAILS")
    report = run_script(real, out, "--epochs", "2")
    assert len(commands(log)) == ran + 4 and "52 of 52 commands have ended well" in report
    document = tmp_path / "document.md"
    start, end = markers("five_folds.py")
    document.write_text(f"before\n{start}\nold\n{end}\nafter\n", "utf-8")
    again = run_script(real, out, "--epochs", "2", "--only-report", "--document", str(document))
    assert again == report and len(commands(log)) == ran + 4
    assert document.read_text("utf-8") == f"before\n{start}\n\n{lowered(report)}\n{end}\nafter\n"


def test_training_learns_from_no_pair_of_the_fold_and_hidden_columns_are_left_out(
    log: Path, tmp_path: Path
) -> None:
    real, out = small_real(tmp_path / "real"), tmp_path / "out"
    run_script(real, out)

    def rows(words: list[str], option: str) -> pl.DataFrame:
        return pl.read_csv(words[words.index(option) + 1], infer_schema=False)

    labelled = [
        words for words in commands(log) if words[0] == "train" and "--valid-pairs" in words
    ]
    assert len(labelled) == 8
    for words in labelled:
        (fold,) = {fold for fold in "01" if f"/fold-{fold}/" in words[-1]}
        train, valid = pl.read_csv(words[2], infer_schema=False), rows(words, "--valid-pairs")
        assert {"01".replace(fold, "")} == set(train["fold"]) == set(valid["fold"])
        assert {fold} == set(rows(words, "--test-pairs")["fold"])
        in_train, in_valid = (
            set(pairs["itemID_1"]) | set(pairs["itemID_2"]) for pairs in (train, valid)
        )
        assert not in_train & in_valid and set(valid["isDuplicate"]) == {"0", "1"}
        assert 0.05 < len(valid) / len(train) < 0.2
        columns = pl.read_csv(words[1], infer_schema=False).columns
        assert ({"price", "categoryID"} & set(columns) == set()) == ("/hidden/" in words[-1])
    for words in commands(log):
        if words[0] == "evaluate":
            assert set(rows(words, "--pairs")["fold"]) in ({"0"}, {"1"})


def test_too_few_pairs_to_keep_some_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="larger --share"):
        run_script(small_real(tmp_path / "real"), tmp_path / "out", "--few", "0.02")
