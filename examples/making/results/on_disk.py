"""What the commands leave on disk, read back: trainings, evaluations, and the data itself."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.config import REGION_KINDS
from nrl_dedup.training.search.trial_tables import FIGURES
from results.commands import FIRST, Plan, trial
from results.markdown import figure

BASELINE = "baseline"


@dataclass(frozen=True)
class Data:
    """The labelled set of real ads: `duplicates` of the `pairs`."""

    postings: int
    pairs: int
    duplicates: int


def read_data(real: Path) -> Data:
    pairs = pl.read_csv(real / "ItemPairs.csv", infer_schema=False)
    postings = len(pl.read_csv(real / "ItemInfo.csv", infer_schema=False))
    return Data(postings, len(pairs), (pairs["isDuplicate"] == "1").sum())


@dataclass(frozen=True)
class Seed:
    """One finished training. The figures are None if its loss diverged."""

    train_ap: float | None
    valid_ap: float | None
    test_ap: float | None
    kept_epoch: int | None
    epochs: int
    most_epochs: int


@dataclass(frozen=True)
class Run:
    """The finished trainings of a system; `kept`: the best of them is there as a bundle. `split`: its audit."""

    system: str
    seeds: tuple[Seed, ...]
    kept: bool
    split: dict[str, Any] | None

    @property
    def diverged(self) -> int:
        return sum(seed.kept_epoch is None for seed in self.seeds)

    def is_finished(self, seeds: int) -> bool:
        """Whether all trainings have come to an end, and a good one."""
        return self.kept and len(self.seeds) >= seeds and not self.diverged

    def state(self, seeds: int) -> str:
        if self.diverged:
            return f"diverged: {self.diverged} of {seeds} seeds"
        done = len(self.seeds)
        return str(done) if self.is_finished(seeds) else f"unfinished: {done} of {seeds} seeds"


def read_run(folder: Path, system: str) -> Run:
    """What is finished in the output folder of `train --seeds`; nothing, if it is not there yet."""
    if not (folder / "trials.csv").exists():
        return Run(system, (), kept=False, split=None)
    seeds, split = [], None
    for row in pl.read_csv(folder / "trials.csv", schema_overrides=FIGURES).iter_rows(named=True):
        figures = (row["train_ap"], row["valid_ap"], row["test_ap"], row["epoch"])
        if row["note"] is not None:
            seeds.append(Seed(*figures, 0, 0))
            continue
        bundle = json.loads(
            (trial(folder, f"{row['trial']:03d}") / "bundle.json").read_text("utf-8")
        )
        seeds.append(Seed(*figures, len(bundle["epochs"]), bundle["settings"]["train"]["epochs"]))
        split = bundle["split"]
    return Run(system, tuple(seeds), (folder / "bundle.json").exists(), split)


@dataclass(frozen=True)
class Finished:
    """What there is to evaluate. Found once: trainings may go on meanwhile."""

    systems: list[str]
    forms: list[str]
    on_examples: list[str]


def find_finished(plan: Plan) -> Finished:
    def systems(run_of: Callable[[str], Path]) -> list[str]:
        return [
            system
            for system in plan.systems
            if read_run(run_of(system), system).is_finished(plan.seeds)
        ]

    forms = [
        form
        for form in REGION_KINDS
        if (trial(plan.form_run(form), FIRST) / "bundle.json").exists()
    ]
    return Finished(systems(plan.real_run), forms, systems(plan.examples_run))


@dataclass(frozen=True)
class Part:
    """Average precision on some pairs, and its interval; None where not defined."""

    pairs: int
    positives: int
    ap: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({figure(self.low)}-{figure(self.high)})"
        return figure(self.ap) + interval


@dataclass(frozen=True)
class Blocking:
    """What a model's candidate search keeps; `part` is the average precision in which lost pairs rank last."""

    ads: int
    wanted: int
    candidate_pairs: int
    pairs_completeness: float | None
    reduction_ratio: float | None
    part: Part


Interval = tuple[float, float]


@dataclass(frozen=True)
class Overlap:
    """Of the regions that attention looks at most, the share that two photos have in common: those of a duplicate, and
    by chance those of different things. `interval` is that of the difference."""

    overlap: float | None
    chance: float | None
    difference: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Attention:
    """The overlap over `pairs` duplicates, that of the same network before its training, and what training added to
    the difference."""

    pairs: int
    trained: Overlap
    untrained: Overlap
    added: float | None
    added_interval: Interval | None


@dataclass(frozen=True)
class Figures:
    """One model in an evaluation. `by_unlike_length`: by the words of the shorter and of the longer description.
    `attention`: of `san` alone."""

    overall: Part
    by_length: dict[str, Part]
    by_unlike_length: dict[tuple[str, str], Part]
    blocking: Blocking | None
    attention: Attention | None


@dataclass(frozen=True)
class Evaluation:
    """Models by the names that the report has for them, the baseline last; `groups` of duplicates were drawn."""

    models: dict[str, Figures]
    groups: int

    @property
    def systems(self) -> list[str]:
        """The names of the models, without the baseline."""
        return [name for name in self.models if name != BASELINE]


def read_evaluation(path: Path, names: Sequence[str]) -> Evaluation:
    """The JSON of `evaluate`. Its models have the names of folders there; here, in the same order, `names`."""
    found = json.loads(path.read_text("utf-8"))
    figures = [_figures(model) for model in found["models"].values()]
    return Evaluation(
        dict(zip((*names, BASELINE), figures, strict=True)), found["bootstrap"]["groups"]
    )


def _figures(model: dict[str, Any]) -> Figures:
    return Figures(
        _part(model),
        {row["mean_words"]: _part(row) for row in model["by_length"]},
        {(row["shorter"], row["longer"]): _part(row) for row in model["by_unlike_length"]},
        _blocking(model["blocking"]) if model["blocking"] else None,
        _attention(model["attention_overlap"]) if model["attention_overlap"] else None,
    )


def _part(row: dict[str, Any]) -> Part:
    low, high = row["average_precision_interval"] or (None, None)
    return Part(row["pairs"], row["positives"], row["average_precision"], low, high)


def _blocking(row: dict[str, Any]) -> Blocking:
    names = ("ads", "candidates_wanted", "candidate_pairs", "pairs_completeness", "reduction_ratio")
    return Blocking(*(row[name] for name in names), _part(row))


def _attention(row: dict[str, Any]) -> Attention:
    trained, untrained = _overlap(row), _overlap(row["untrained"])
    return Attention(
        row["pairs"], trained, untrained, row["added"], _interval(row["added_interval"])
    )


def _overlap(row: dict[str, Any]) -> Overlap:
    return Overlap(row["overlap"], row["chance"], row["difference"], _interval(row["interval"]))


def _interval(ends: Sequence[float] | None) -> Interval | None:
    return None if ends is None else (ends[0], ends[1])
