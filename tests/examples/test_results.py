"""The report of `examples/making/make_results.py`: its figures, marks and sentences, from made-up results on disk."""

import json
import re
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import make_results
import numpy as np
import polars as pl
import pytest
from results.commands import (
    SYSTEMS,
    Plan,
    evaluate_examples,
    evaluate_forms,
    evaluate_real,
    evaluate_trial,
    make_ads,
    train_examples,
    train_form,
    train_real,
)
from results.comparisons import added_parts, against_baseline, trained_to_the_end, verdict
from results.document import lowered, markers
from results.lengths import length_parts, unlike_parts
from results.markdown import typed
from results.on_disk import Attention, Overlap, Part, Seed, find_finished, read_evaluation, read_run
from results.report import attention_parts, blocking_parts, forms_parts, report
from results.standings import Spread, Standing, gather

from nrl_dedup.cli.main import cli
from nrl_dedup.config import REGION_KINDS
from nrl_dedup.features.photos.backbones import backbone_row
from nrl_dedup.training.search.trial_tables import FIGURES
from tests.conftest import RunCommand, Shop, write

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDS = {  # training, validation and test AP with each seed
    "text": [(0.81, 0.52, 0.50), (0.83, 0.55, 0.52), (0.85, 0.53, 0.54)],
    "image": [(0.71, 0.42, 0.40), (0.72, 0.44, 0.41), (0.74, 0.43, 0.45)],
    "rnn-cnn": [(0.91, 0.71, 0.70), (0.92, 0.73, 0.71), (0.94, 0.72, 0.75)],
    "bilinear": [(0.91, 0.62, 0.60), (0.92, 0.64, 0.61), (0.94, 0.63, 0.65)],
    "san": [(0.91, 0.61, 0.62)],
}
BASELINE = 0.66
BUCKETS = [*(f"{start}-{start + 9}" for start in range(0, 100, 10)), "100"]
SPANS = ["0-9", "10-19", "20-39", "40-69", "70-99", "100"]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "runs").mkdir()
    (tmp_path / "real").mkdir()
    write(
        tmp_path / "real" / "ItemInfo.csv",
        ["itemID", "title"],
        [[n, "two\nlines, one ad"] for n in range(1234)],
    )
    pairs = [[n, n + 1, int(n % 5 == 0)] for n in range(1000)]
    write(tmp_path / "real" / "ItemPairs.csv", ["itemID_1", "itemID_2", "isDuplicate"], pairs)
    return Plan(
        real=tmp_path / "real",
        runs=tmp_path / "runs",
        weights=tmp_path / "network.pth",
        checkout=EXAMPLES.parent,
        systems=tuple(SYSTEMS),
        seeds=3,
        backbone="mobilenet_v2",
        ads=500,
        train_options=("--epochs", "7"),
        regions_table=True,
    )


def write_run(folder: Path, seeds: list, *, kept: bool = True, epochs: int = 9) -> None:
    """What `train --seeds` leaves; a seed of None diverged."""
    rows = []
    for number, figures in enumerate(seeds, 1):
        row = {"trial": number, **dict.fromkeys(FIGURES)}
        if figures is None:
            row["note"] = "the loss is not a number"
        else:
            row.update(
                zip(("train_ap", "valid_ap", "test_ap"), figures, strict=True), epoch=4 + number
            )
            audit = {"pairs_train": 801, "pairs_valid": 102, "pairs_test": 103, "pairs_dropped": 44}
            about = {"epochs": [{}] * epochs, "settings": {"train": {"epochs": 30}}, "split": audit}
            bundle = folder / "trials" / f"{number:03d}" / "bundle.json"
            bundle.parent.mkdir(parents=True)
            bundle.write_text(json.dumps(about))
        rows.append(row)
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, schema_overrides=FIGURES).write_csv(folder / "trials.csv")
    if kept:
        (folder / "bundle.json").write_text("{}")


def part(
    pairs: int, positives: int, ap: float | None, interval: tuple[float, float] | None = None
) -> dict:
    return {
        "pairs": pairs,
        "positives": positives,
        "average_precision": ap,
        "average_precision_interval": interval and list(interval),
    }


def model(
    ap: float, *, lengths: dict | None = None, unlike: dict | None = None, **more: object
) -> dict:
    """A model of the JSON of `evaluate`: `lengths` and `unlike` name the slices that are not empty."""
    lengths, unlike = lengths or {}, unlike or {}
    cells = [(shorter, longer) for at, shorter in enumerate(SPANS) for longer in SPANS[at:]]
    return {
        **part(103, 34, ap, (ap - 0.04, ap + 0.04)),
        "by_length": [
            {"mean_words": name, **part(*lengths.get(name, (0, 0, None)))} for name in BUCKETS
        ],
        "by_unlike_length": [
            {"shorter": cell[0], "longer": cell[1], **part(*unlike.get(cell, (0, 0, None)))}
            for cell in cells
        ],
        "by": {},
        "blocking": None,
        "attention_overlap": None,
        **more,
    }


def blocking(completeness: float | None) -> dict:
    figures = {
        "ads": 1234,
        "candidates_wanted": 20,
        "candidate_pairs": 98765,
        "pairs_completeness": completeness,
    }
    return {**figures, "reduction_ratio": 0.87654321, **part(103, 34, 0.5, (0.4, 0.6))}


def write_json(path: Path, models: dict[str, dict]) -> None:
    path.write_text(json.dumps({"models": models, "bootstrap": {"groups": 321}}))


def all_but_san(plan: Plan) -> None:
    """All systems finished on the real ads, but `san`, of which there is one seed; nothing on the examples."""
    for system, seeds in SEEDS.items():
        write_run(plan.real_run(system), seeds, kept=len(seeds) == 3)
    done = {
        system: model(seeds[2][2], blocking=blocking(0.9))
        for system, seeds in SEEDS.items()
        if len(seeds) == 3
    }
    write_json(plan.json("real"), {**done, "baseline": model(BASELINE)})
    write_json(plan.json("regions"), {"001": model(0.62), "baseline": model(BASELINE)})


def report_of(plan: Plan) -> str:
    return report(plan, gather(plan, find_finished(plan)))


def rows_of(markdown: str, title: str) -> dict[str, list[str]]:
    """The first table below a heading: the cells of each row by its first one."""
    below = markdown.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\| (.*) \|$", below, re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def test_the_table_of_systems_has_means_deviations_the_baseline_and_the_intervals(
    plan: Plan,
) -> None:
    all_but_san(plan)
    rows = rows_of(report_of(plan), "Every system")
    for system in ("text", "image", "rnn-cnn", "bilinear"):
        columns = [spread([seed[place] for seed in SEEDS[system]]) for place in range(3)]
        ap = SEEDS[system][2][2]
        kept = f"{ap:.3f} ({ap - 0.04:.3f}-{ap + 0.04:.3f})"
        assert rows[system] == ["3", "5 of 9, 6 of 9, 7 of 9", *columns, kept]
    assert rows["baseline"] == ["-", "-", "-", "-", "0.660", "0.660 (0.620-0.700)"]


def test_a_system_that_is_not_finished_is_marked_and_not_compared(plan: Plan) -> None:
    all_but_san(plan)
    report = report_of(plan)
    assert rows_of(report, "Every system")["san"] == [
        "unfinished: 1 of 3 seeds", "5 of 9", "0.910", "0.610", "0.620", "-"
    ]  # fmt: skip
    assert "Whether `san` beats `baseline` is not known: no figures yet for `san`." in report
    assert "`san`: unfinished: 1 of 3 seeds." in report
    assert rows_of(report, "The example ads")["text"] == ["unfinished: 0 of 3 seeds", *["-"] * 5]
    assert (
        "Whether `text` beats `baseline` is not known: no figures yet for `text`, `baseline`."
        in report
    )


@pytest.mark.parametrize(
    ("seeds", "kept", "state"),
    [
        ([(0.9, 0.8, 0.7)] * 3, True, "3"),
        (
            [(0.9, 0.8, 0.7)] * 3,
            False,
            "unfinished: 3 of 3 seeds",
        ),  # killed before the best became the bundle
        ([(0.9, 0.8, 0.7)] * 2, False, "unfinished: 2 of 3 seeds"),
        ([(0.9, 0.8, 0.7), None, (0.9, 0.8, 0.7)], True, "diverged: 1 of 3 seeds"),
    ],
)
def test_what_is_finished(plan: Plan, seeds: list, kept: bool, state: str) -> None:
    write_run(plan.real_run("text"), seeds, kept=kept)
    run = read_run(plan.real_run("text"), "text")
    assert run.state(3) == state
    assert find_finished(plan).systems == (["text"] if state == "3" else [])


def test_nothing_finished_is_a_report_too(plan: Plan) -> None:
    report = report_of(plan)
    states = [row[0] for name, row in rows_of(report, "Every system").items() if name in SYSTEMS]
    assert states == ["unfinished: 0 of 3 seeds"] * 5
    assert report.count("No system is finished yet.") == 3 and "beats `baseline`:" not in report


def standing(name: str, ap: float, interval: tuple | None, kept: float | None = None) -> Standing:
    low, high = interval or (None, None)
    seeds = (Seed(0.95, 0.7, ap, 3, 8, 30),) * 3
    kept_part = Part(103, 34, ap if kept is None else kept, low, high)
    return Standing(name, "3", seeds, Spread(ap), kept_part)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((0.72, (0.6, 0.8)), (0.7, (0.55, 0.79)), "`a` beats `b`: 0.720 against 0.700; the intervals overlap"),
        ((0.7, (0.6, 0.8)), (0.72, (0.6, 0.8)), "`a` does not beat `b`: 0.700 against 0.720; the intervals overlap"),
        ((0.7, (0.6, 0.8)), (0.7, (0.6, 0.8)), "`a` does not beat `b`: 0.700 against 0.700; the intervals overlap"),
        ((0.9, (0.81, 0.95)), (0.7, (0.6, 0.8)), "`a` beats `b`: 0.900 against 0.700; the intervals do not overlap."),
        ((0.7, (0.6, 0.8)), (0.9, (0.81, 0.95)), "`a` does not beat `b`: 0.700 against 0.900; the intervals do not"),
        ((0.9, (0.8, 0.95)), (0.7, (0.6, 0.8)), "`a` beats `b`: 0.900 against 0.700; the intervals overlap"),
        ((0.9, None), (0.7, (0.6, 0.8)), "`a` beats `b`: 0.900 against 0.700; one of them has no interval."),
    ],
)  # fmt: skip
def test_verdicts(one: tuple, other: tuple, said: str) -> None:
    found = verdict(standing("a", *one), standing("b", *other))
    assert said in found and "opposite" not in found


def test_a_verdict_says_when_the_kept_models_stand_the_other_way_round() -> None:
    one, other = standing("a", 0.72, (0.6, 0.8), kept=0.69), standing("b", 0.7, (0.6, 0.8))
    assert verdict(one, other).endswith("of the kept models alone one would say the opposite.")


def test_those_no_better_than_the_baseline_say_what_they_reach_in_training() -> None:
    better, worse = standing("a", 0.72, (0.6, 0.8)), standing("b", 0.64, (0.6, 0.8))
    lines = against_baseline([better, worse, standing("baseline", 0.66, (0.6, 0.8))]).splitlines()
    assert "`a` beats" in lines[0] and "training" not in lines[0]
    assert "`b` does not beat" in lines[1]
    assert lines[1].endswith(
        "It reaches 0.950 on its training pairs and 0.700 on the validation pairs."
    )


def test_what_photos_and_words_add(plan: Plan) -> None:
    all_but_san(plan)
    report = report_of(plan)
    means = {system: statistics.mean(seed[2] for seed in seeds) for system, seeds in SEEDS.items()}
    rows = rows_of(report, "What photos add, and what words add")
    for side, other in (("text", "photos"), ("image", "words")):
        for both in ("rnn-cnn", "bilinear"):
            one, two = means[side], means[both]
            assert rows[f"{other}: `{side}` to `{both}"] == [
                f"{one:.3f}", f"{two:.3f}", f"{two - one:+.3f}", f"{100 * (two - one) / one:+.1f}%", "do not overlap"
            ]  # fmt: skip
        assert rows[f"{other}: `{side}` to `san"] == [f"{means[side]:.3f}", "-", "-", "-", "-"]
    assert (
        "Photos add to `text` in 2 of 2 systems that have both. Words add to `image` in 2 of 2"
        in report
    )


def test_photos_that_add_nothing() -> None:
    interval = (0.6, 0.8)
    found = [
        standing(name, ap, interval)
        for name, ap in (("text", 0.7), ("rnn-cnn", 0.68), ("san", 0.71))
    ]
    table, said = added_parts(found)
    assert said == "Photos add to `text` in 1 of 2 systems that have both."
    assert "| photos: `text` to `rnn-cnn` | 0.700 | 0.680 | -0.020 | -2.9% | overlap |" in table


@pytest.mark.parametrize(
    ("most", "ended"), [(30, "trained to the end: early stopping ended 3 of 3"), (8, "not trained")]
)
def test_whether_training_went_to_the_end(most: int, ended: str) -> None:
    system = standing("san", 0.7, (0.6, 0.8))
    system = replace(system, seeds=tuple(replace(seed, most_epochs=most) for seed in system.seeds))
    assert f"`san` is {ended}" in trained_to_the_end(system)


LENGTHS = {
    "10-19": (40, 10, 0.9),
    "20-29": (30, 30, None),
    "30-39": (20, 5, 0.6),
    "40-49": (8, 4, 0.5),
    "100": (5, 1, 0.2),
}


def length_report(tmp_path: Path, lengths: dict, baseline: dict) -> tuple[str, str]:
    models = {"rnn-cnn": model(0.7, lengths=lengths), "baseline": model(0.6, lengths=baseline)}
    write_json(tmp_path / "real.json", models)
    return length_parts(read_evaluation(tmp_path / "real.json", ["rnn-cnn"]))


def test_by_length(tmp_path: Path) -> None:
    turned = {**LENGTHS, "100": (5, 1, 1.0), "40-49": (8, 4, 0.9)}
    table, said = length_report(tmp_path, LENGTHS, turned)
    rows = rows_of(f"## x\n{table}", "x")
    assert list(rows)[2:] == [*BUCKETS, "below 40", "from 40 on"]
    assert rows["10-19"] == ["40", "25%", "0.900", "0.900"]
    assert rows["20-29"] == ["30", "100%", "-", "-"]
    assert rows["50-59"] == ["0", "-", "-", "-"]
    short = np.average([0.9, 0.6], weights=[10, 5])
    assert rows["below 40"] == ["90", "50%", f"{short:.3f}", f"{short:.3f}"]
    long = (np.average(values, weights=[4, 1]) for values in ([0.5, 0.2], [0.9, 1.0]))
    assert rows["from 40 on"] == ["13", "38%", *(f"{ap:.3f}" for ap in long)]
    compared = "Worse on pairs from 40 words on than on pairs below 40 words: `rnn-cnn`; not worse: `baseline`."
    assert (
        compared in said
        and "50% of the pairs below 40 words and 38% of those from 40 words on" in said
    )


def test_no_long_descriptions(tmp_path: Path) -> None:
    short = {"10-19": (40, 10, 0.9)}
    _, said = length_report(tmp_path, short, short)
    assert "Nothing to compare" in said and "Worse" not in said


def test_unlike_lengths(tmp_path: Path) -> None:
    cells = {
        ("0-9", "0-9"): (12, 4, 0.8),
        ("20-39", "20-39"): (8, 2, 0.5),
        ("0-9", "100"): (10, 5, 0.6),
    }
    better = {**cells, ("0-9", "100"): (10, 5, 0.75)}
    models = {"rnn-cnn": model(0.7, unlike=cells), "baseline": model(0.6, unlike=better)}
    write_json(tmp_path / "real.json", models)
    table, said = unlike_parts(read_evaluation(tmp_path / "real.json", ["rnn-cnn"]))
    rows = rows_of(f"## x\n{table}", "x")
    assert rows["0-9"] == ["0.800 / 0.800 (12)", "-", "-", "-", "-", "0.600 / 0.750 (10)"]
    assert rows["20-39"] == ["", "", "0.500 / 0.500 (8)", "-", "-", "-"]
    assert np.average([0.8, 0.5], weights=[4, 2]) == pytest.approx(0.7)
    assert "`rnn-cnn` 0.700 and 0.600; `baseline` 0.700 and 0.750" in said
    assert (
        "Worse on pairs of unlike length than on pairs of like length: `rnn-cnn`; not worse: `baseline`."
        in said
    )


def test_blocking(tmp_path: Path) -> None:
    models = {
        "a": model(0.7, blocking=blocking(0.95)),
        "b": model(0.7, blocking=blocking(0.9)),
        "baseline": model(0.6),
    }
    write_json(tmp_path / "real.json", models)
    table, said = blocking_parts(read_evaluation(tmp_path / "real.json", ["text", "san"]))
    assert (
        "| `text` | 98,765 | 0.950 | 0.87654 | 0.500 (0.400-0.600) |" in table
        and "baseline" not in table
    )
    assert said.startswith(
        "Of the duplicates, the search of `text` keeps the largest share, 0.950, and that of `san`"
    )
    write_json(tmp_path / "real.json", {"a": models["a"], "baseline": models["baseline"]})
    _, said = blocking_parts(read_evaluation(tmp_path / "real.json", ["text"]))
    assert said == "Of the duplicates, the search of `text` keeps the largest share, 0.950."


def test_the_overlap_of_attention_is_shown_where_the_evaluation_has_it(plan: Plan) -> None:
    plan = replace(plan, systems=("rnn-cnn", "san"), regions_table=False)
    for system in plan.systems:
        write_run(plan.real_run(system), SEEDS["bilinear"])
    write_json(plan.json("regions"), {"001": model(0.62), "baseline": model(BASELINE)})
    models = {
        "rnn-cnn": model(0.65, blocking=blocking(0.9)),
        "san": model(0.65),
        "baseline": model(BASELINE),
    }
    write_json(plan.json("real"), models)
    assert "looks at the same place" not in report_of(plan)
    models["san"]["attention_overlap"] = {
        "overlap": 0.31,
        "chance": 0.25,
        "difference": 0.06,
        "interval": [0.02, 0.1],
        "pairs": 1034,
        "untrained": {"overlap": 0.36, "chance": 0.26, "difference": 0.1, "interval": [0.07, 0.12]},
        "added": -0.04,
        "added_interval": [-0.06, -0.01],
    }
    write_json(plan.json("real"), models)
    report = report_of(plan)
    assert "looks at the same place" in report
    for row in (
        "| `san` | 1,034 | 0.310 | 0.250 | +0.060 | +0.020 to +0.100 |",
        "| `san`, untrained | 1,034 | 0.360 | 0.260 | +0.100 | +0.070 to +0.120 |",
        "| added by training | - | - | - | -0.040 | -0.060 to -0.010 |",
    ):
        assert row in report
    assert (
        "share more than photos of different things do: the interval lies above 0. Training took from"
        in report
    )


INTERVALS = {
    "above": (0.02, 0.1),
    "holds": (-0.02, 0.1),
    "touches": (0.0, 0.1),
    "below": (-0.2, -0.1),
    "none": None,
}


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (
            "above",
            "Duplicates share more than photos of different things do: the interval lies above 0.",
        ),
        ("holds", "different things do is not shown: the interval holds 0."),
        ("touches", "different things do is not shown: the interval holds 0."),
        (
            "below",
            "Duplicates share less than photos of different things do: the interval lies below 0.",
        ),
        ("none", "Whether that is more than chance is not known"),
    ],
)
@pytest.mark.parametrize(
    ("added", "learnt"),
    [
        (
            "above",
            "Training added to what the untrained network shares: the last interval lies above 0.",
        ),
        ("holds", "That training added to what the untrained network shares is not shown"),
        (
            "below",
            "Training took from what the untrained network shares: the last interval lies below 0.",
        ),
        ("none", "Whether training added to what the untrained network shares is not known"),
    ],
)
def test_whether_the_overlap_is_chance_and_whether_it_is_learnt(
    interval: str, said: str, added: str, learnt: str
) -> None:
    trained, untrained = (
        Overlap(0.3, 0.3, 0.0, INTERVALS[interval]),
        Overlap(0.3, 0.2, 0.1, (0.05, 0.15)),
    )
    sentences = attention_parts("san", Attention(40, trained, untrained, -0.1, INTERVALS[added]))[1]
    assert said in sentences and learnt in sentences


def test_forms_of_regions(plan: Plan) -> None:
    aps = {"half": 0.62, "int8": 0.62, "int8-2x2": 0.60, "int8-2x2-128": 0.5}
    write_json(
        plan.json("regions"),
        {form: model(ap) for form, ap in aps.items()} | {"baseline": model(0.6)},
    )
    forms = read_evaluation(plan.json("regions"), REGION_KINDS)
    table, said = forms_parts(forms, backbone_row("mobilenet_v2"))
    rows = rows_of(f"## x\n{table}", "x")
    sizes = {
        "half": 49 * 1280 * 2,
        "int8": 49 * (1280 + 4),
        "int8-2x2`, the default": 16 * (1280 + 4),
        "int8-2x2-128": 16 * 132,
    }
    assert {form: int(rows[form][1].replace(",", "")) for form in sizes} == sizes
    assert rows["int8-2x2-128"] == ["16 x 128", "2,112", "2%", "0.500 (0.460-0.540)", "-0.120"]
    assert "`int8` does not lose against `half` (+0.000); the intervals overlap" in said
    assert "`int8-2x2` loses against `half` (-0.020); the intervals overlap" in said
    assert "`int8-2x2-128` loses against `half` (-0.120); the intervals do not overlap." in said


def test_forms_that_are_not_trained_have_a_size_only(plan: Plan) -> None:
    all_but_san(plan)
    report = report_of(plan)
    rows = rows_of(report, "How `san` keeps the regions of a photo")
    assert rows["half"] == ["49 x 1280", "125,440", "100%", "not trained", "-"]
    assert rows["int8-2x2`, the default"][2:] == [
        "16%",
        "0.620 (0.580-0.660)",
        "-",
    ]  # the first trial of `san`
    assert "--regions FORM" not in report


def test_the_examples_have_the_mean_over_the_trials_on_the_shipped_pairs(plan: Plan) -> None:
    write_run(plan.examples_run("text"), SEEDS["text"])
    shipped = [0.4, 0.45, 0.47]
    write_json(plan.json("examples"), {"text": model(0.45), "baseline": model(0.42)})
    for number, ap in enumerate(shipped, 1):
        write_json(
            plan.json(f"examples-00{number}"), {f"00{number}": model(ap), "baseline": model(0.42)}
        )
    report = report_of(plan)
    row = rows_of(report, "The example ads")["text"]
    valid = spread([seed[1] for seed in SEEDS["text"]])
    assert row[3:] == [valid, spread(shipped), "0.450 (0.410-0.490)"]
    assert "`text` beats `baseline`: 0.440 against 0.420" in report


def test_the_data_is_counted_and_no_path_is_shown(plan: Plan) -> None:
    all_but_san(plan)
    report = report_of(plan)
    data = report.split("## The data\n", 1)[1].split("\n## ", 1)[0]
    for figure in (
        "1,234 postings",
        "(200)",
        "800 labelled",
        "801 pairs train",
        "102 choose",
        "103 test",
        "44 that",
    ):
        assert figure in data
    assert str(plan.real.parent) not in report and str(EXAMPLES.parent) not in report
    assert "two\nlines" not in report and "None" not in report


def every_command(plan: Plan) -> list[list[str]]:
    systems = list(SYSTEMS)
    of_system = [
        train(plan, system) for system in systems for train in (train_real, train_examples)
    ]
    of_form = [train_form(plan, form) for form in REGION_KINDS]
    evaluations = [evaluate_real(plan, systems), evaluate_forms(plan, REGION_KINDS)]
    evaluations += [evaluate_examples(plan, systems), evaluate_trial(plan, systems, "002")]
    return [*of_system, *of_form, *evaluations]


def test_every_command_is_one_of_the_command_line(plan: Plan) -> None:
    parsed = [
        cli.commands[name].make_context(name, words).params for name, *words in every_command(plan)
    ]
    real, examples = parsed[0], parsed[1]
    assert (real["fusion"], real["seeds"], real["language"], real["epochs"]) == ("text", 3, "en", 7)
    assert (real["items"], real["output"]) == (plan.real / "ItemInfo.csv", plan.runs / "text")
    assert (examples["language"], examples["output"]) == ("auto", plan.runs / "examples" / "text")
    assert [one["regions"] for one in parsed[10:14]] == list(REGION_KINDS)
    assert parsed[-1]["models"] == tuple(
        plan.runs / "examples" / name / "trials" / "002" for name in SYSTEMS
    )
    assert parsed[-4]["by_length"] and parsed[-4]["blocking"]


def test_shown_commands_are_typed_as_they_were_run(plan: Plan) -> None:
    plan = replace(plan.shown, train_options=("--word-vectors", "my vectors.bin"))
    for words in every_command(plan):
        block = typed(words).removeprefix("```sh\n").removesuffix("\n```")
        script = f'nrl-dedup() {{ printf "%s\\0" "$@"; }}\n{block}'
        shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert shell.stdout.split("\0")[:-1] == words
        assert max(map(len, block.splitlines())) <= 120
        assert all(line.startswith("    -") for line in block.splitlines()[1:])


def test_the_script_trains_then_evaluates_what_is_finished_and_reports(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was begun: the words on the real ads are finished, and the evaluations are there."""
    write_run(plan.real_run("text"), SEEDS["text"])
    write_json(
        plan.json("real"),
        {"text": model(0.54, blocking=blocking(0.9)), "baseline": model(BASELINE)},
    )
    ran = []

    def run(words: list[str]) -> None:
        ran.append(words)
        if words[0].endswith("make_examples.py"):
            Path(words[-1]).mkdir()

    monkeypatch.setattr(make_results, "run", run)
    output = tmp_path / "results.md"
    options = (
        "--backbone-weights",
        plan.weights,
        "--ads",
        plan.ads,
        "--train-options=--epochs 7",
        "--regions-table",
    )
    monkeypatch.setattr(
        "sys.argv",
        [str(word) for word in ("script", plan.real, "--runs", plan.runs, "-o", output, *options)],
    )
    make_results.main()
    assert ran == [
        *(train_real(plan, system) for system in SYSTEMS),
        make_ads(plan, plan.runs / "examples" / "ads-500.part"),
        *(train_examples(plan, system) for system in SYSTEMS),
        *(train_form(plan, form) for form in ("half", "int8", "int8-2x2-128")),
        evaluate_real(plan, ["text"]),
    ]
    assert plan.made.is_dir() and not plan.made.with_suffix(".part").exists()
    assert output.read_text("utf-8") == report_of(plan)

    ran.clear()
    document = tmp_path / "document.md"
    start, end = markers("make_results.py")
    document.write_text(f"before\n{start}\nold\n{end}\nafter\n", "utf-8")
    monkeypatch.setattr("sys.argv", [*sys.argv, "--only-report", "--document", str(document)])
    make_results.main()
    assert ran == [evaluate_real(plan, ["text"])]
    assert (
        document.read_text("utf-8")
        == f"before\n{start}\n\n{lowered(report_of(plan))}\n{end}\nafter\n"
    )


def test_the_json_of_evaluate_is_understood(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "found.json"
    status, _, err = run(
        "evaluate", "--model", trained, "--blocking", "--device", "cpu", "--json", path
    )
    assert status == 0, err
    found = json.loads(path.read_text())["models"]["shop"]
    read = read_evaluation(path, ["text"])
    assert list(read.models) == ["text", "baseline"]
    figures = read.models["text"]
    assert figures.overall.ap == found["average_precision"]
    assert [figures.overall.low, figures.overall.high] == found["average_precision_interval"]
    assert sum(one.pairs for one in figures.by_length.values()) == found["pairs"] == len(pl.read_parquet(
        trained / "split.parquet").filter(pl.col("side") == "test"))  # fmt: skip
    assert (
        list(figures.by_length) == BUCKETS
        and list(dict.fromkeys(key[1] for key in figures.by_unlike_length)) == SPANS
    )
    assert figures.blocking.pairs_completeness == found["blocking"]["pairs_completeness"]
    assert read.models["baseline"].blocking is None
