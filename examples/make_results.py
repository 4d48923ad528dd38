"""Trains every system several times, evaluates all of them on the same pairs, and writes `examples/RESULTS.md`.

    python examples/real_ads.py PHOTOS_REPOSITORY TEXT_REPOSITORY REAL
    python examples/make_results.py REAL --backbone mobilenet_v2 --backbone-weights FILE --regions-table

Everything goes through the command line, as a user would do it, and takes hours. What is finished is kept in the
folder of --runs: stop it, and the same command goes on. `--only-report` trains nothing, evaluates what is finished and
marks the rest; name the other options as in the run, for the report shows its commands. What the report says of the
figures follows from them.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.config import REGION_KINDS, PhotoSettings
from nrl_dedup.features.backbones import BACKBONES, BackboneRow, backbone_row
from nrl_dedup.features.kinds import KINDS
from nrl_dedup.trial_tables import FIGURES, mean_and_deviation

CHECKOUT = Path(__file__).parent.parent
SYSTEMS = {
    "text": "the words alone: the state of a GRU",
    "image": "the photo alone: its pooled features",
    "rnn-cnn": "the thesis's product of the two, point by point",
    "bilinear": "low-rank bilinear pooling of the two",
    "san": "stacked attention: the words look twice at the regions of the photo",
}
PRODUCT, ATTENTION, BASELINE = "rnn-cnn", "san", "baseline"
BOTH_SIDES = (PRODUCT, "bilinear", ATTENTION)
OWN_FORM = PhotoSettings().regions  # the form in which `san` is trained anyway
EXACT_FORM = REGION_KINDS[0]
LONG = 40  # words from which on the thesis found both of its models worse
MADE_SEED = 1
FIRST = "001"  # trial
HELD_SPACE = "\N{NO-BREAK SPACE}"


# The commands. Their last use is the report, where `Plan.shown` has put names in the place of this machine's paths.


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and where the results are kept."""

    real: Path
    runs: Path
    weights: Path | None
    checkout: Path
    systems: tuple[str, ...]
    seeds: int
    backbone: str
    ads: int
    train_options: tuple[str, ...]
    regions_table: bool

    @property
    def shown(self) -> "Plan":
        """The same with names for paths."""
        weights = self.weights and Path("FILE")
        return replace(self, real=Path("REAL"), runs=Path("RUNS"), weights=weights, checkout=Path())

    @property
    def made(self) -> Path:
        """The folder of the made-up ads to train on."""
        return self.runs / "examples" / f"ads-{self.ads}"

    def real_run(self, system: str) -> Path:
        return self.runs / system

    def examples_run(self, system: str) -> Path:
        return self.runs / "examples" / system

    def form_run(self, form: str) -> Path:
        """`san` with its own form is one of the systems."""
        return self.real_run(ATTENTION) if form == OWN_FORM else self.runs / "regions" / form

    def json(self, name: str) -> Path:
        return self.runs / f"{name}.json"

    def photo_weights(self) -> list[object]:
        return ["--backbone-weights", self.weights] if self.weights else []


def train_real(plan: Plan, system: str) -> list[str]:
    tables = plan.real / "ItemInfo.csv", plan.real / "ItemPairs.csv", plan.real / "images"
    return _train(plan, *tables, "--language", "en", "--fusion", system, "--seeds", plan.seeds, plan.real_run(system))


def train_form(plan: Plan, form: str) -> list[str]:
    tables = plan.real / "ItemInfo.csv", plan.real / "ItemPairs.csv", plan.real / "images"
    how = ("--language", "en", "--fusion", ATTENTION, "--regions", form, "--seeds", 1)
    return _train(plan, *tables, *how, plan.form_run(form))


def train_examples(plan: Plan, system: str) -> list[str]:
    tables = plan.made / "catalogue.csv", plan.made / "pairs.csv", plan.made / "images"
    return _train(plan, *tables, "--fusion", system, "--seeds", plan.seeds, plan.examples_run(system))


def _train(plan: Plan, items: Path, pairs: Path, images: Path, *how: object) -> list[str]:
    *options, output = how
    network = ["--backbone", plan.backbone, *plan.photo_weights()]
    return _words("train", items, pairs, "--images", images, *network, *plan.train_options, *options, "-o", output)


def make_results(plan: Plan) -> list[str]:
    """This script's own command."""
    network = ["--backbone", plan.backbone, *plan.photo_weights()]
    how = ["--systems", *plan.systems, "--seeds", plan.seeds, "--ads", plan.ads, "--runs", plan.runs]
    how += ["--regions-table"] * plan.regions_table
    how += [f"--train-options={shlex.join(plan.train_options)}"] * bool(plan.train_options)
    return _words(plan.checkout / "examples" / "make_results.py", plan.real, *network, *how)


def make_ads(plan: Plan, out: Path) -> list[str]:
    script = plan.checkout / "examples" / "make_examples.py"
    return _words(script, "--apart", "--seed", MADE_SEED, "--ads", plan.ads, "--out", out)


def evaluate_real(plan: Plan, systems: Sequence[str]) -> list[str]:
    models = [plan.real_run(system) for system in systems]
    return _evaluate(plan, models, "real", "--by-length", "--blocking")


def evaluate_forms(plan: Plan, forms: Sequence[str]) -> list[str]:
    return _evaluate(plan, [trial(plan.form_run(form), FIRST) for form in forms], "regions", *plan.photo_weights())


def evaluate_examples(plan: Plan, systems: Sequence[str]) -> list[str]:
    return _evaluate(plan, [plan.examples_run(system) for system in systems], "examples", *_shipped(plan))


def evaluate_trial(plan: Plan, systems: Sequence[str], name: str) -> list[str]:
    """One training of each system, on the shipped examples."""
    models = [trial(plan.examples_run(system), name) for system in systems]
    return _evaluate(plan, models, f"examples-{name}", *_shipped(plan), *plan.photo_weights())


def _evaluate(plan: Plan, models: Sequence[Path], name: str, *how: object) -> list[str]:
    named = (word for model in models for word in ("--model", model))
    return _words("evaluate", *named, *how, "--json", plan.json(name))


def _shipped(plan: Plan) -> list[object]:
    examples = plan.checkout / "examples"
    return [
        "--items", examples / "catalogue.csv", "--pairs", examples / "pairs.csv", "--images", examples / "images"
    ]  # fmt: skip


def _words(*words: object) -> list[str]:
    return [str(word) for word in words]


def trial(run: Path, name: str) -> Path:
    """The bundle of one training; its photo network is not in it."""
    return run / "trials" / name


def trial_names(seeds: int) -> list[str]:
    return [f"{number:03d}" for number in range(1, seeds + 1)]


# What is on disk.


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
    neighbours: int
    candidate_pairs: int
    pairs_completeness: float | None
    reduction_ratio: float | None
    part: Part


@dataclass(frozen=True)
class Overlap:
    """Of the regions that attention looks at most, the share that two photos have in common: those of a duplicate, and
    by chance those of different things. `interval` is that of the difference."""

    pairs: int
    overlap: float | None
    chance: float | None
    difference: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Figures:
    """One model in an evaluation. `by_unlike_length`: by the words of the shorter and of the longer description.
    `attention`: of `san` alone, and where `evaluate` tells it."""

    overall: Part
    by_length: dict[str, Part]
    by_unlike_length: dict[tuple[str, str], Part]
    blocking: Blocking | None
    attention: Overlap | None


@dataclass(frozen=True)
class Evaluation:
    """Models by the names that the report has for them, the baseline last; `groups` of duplicates were drawn."""

    models: dict[str, Figures]
    groups: int


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
        bundle = json.loads((trial(folder, f"{row['trial']:03d}") / "bundle.json").read_text("utf-8"))
        seeds.append(Seed(*figures, len(bundle["epochs"]), bundle["settings"]["train"]["epochs"]))
        split = bundle["split"]
    return Run(system, tuple(seeds), (folder / "bundle.json").exists(), split)


def read_evaluation(path: Path, names: Sequence[str]) -> Evaluation:
    """The JSON of `evaluate`. Its models have the names of folders there; here, in the same order, `names`."""
    found = json.loads(path.read_text("utf-8"))
    figures = [_figures(model) for model in found["models"].values()]
    return Evaluation(dict(zip((*names, BASELINE), figures, strict=True)), found["bootstrap"]["groups"])


def _figures(model: dict[str, Any]) -> Figures:
    return Figures(
        _part(model),
        {row["mean_words"]: _part(row) for row in model["by_length"]},
        {(row["shorter"], row["longer"]): _part(row) for row in model["by_unlike_length"]},
        _blocking(model["blocking"]) if model["blocking"] else None,
        _attention(model["attention_overlap"]) if model.get("attention_overlap") else None,
    )


def _part(row: dict[str, Any]) -> Part:
    low, high = row["average_precision_interval"] or (None, None)
    return Part(row["pairs"], row["positives"], row["average_precision"], low, high)


def _blocking(row: dict[str, Any]) -> Blocking:
    names = ("ads", "neighbours", "candidate_pairs", "pairs_completeness", "reduction_ratio")
    return Blocking(*(row[name] for name in names), _part(row))


def _attention(row: dict[str, Any]) -> Overlap:
    interval = row["interval"] and tuple(row["interval"])
    return Overlap(row["pairs"], row["overlap"], row["chance"], row["difference"], interval)


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


# How the systems stand.


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; a value that is missing leaves none of them."""

    mean: float | None
    deviation: float | None = None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread":
        known = pl.Series(list(values), dtype=pl.Float64)
        return cls(*mean_and_deviation(known)) if len(known) else cls(None)

    def __str__(self) -> str:
        return figure(self.mean) + ("" if self.deviation is None else f" ± {figure(self.deviation)}")


@dataclass(frozen=True)
class Standing:
    """A system, or the baseline, on the test pairs. `kept`: the figures of its bundle, once all seeds are finished."""

    name: str
    state: str
    seeds: tuple[Seed, ...]
    test: Spread
    kept: Part | None

    @property
    def comparable(self) -> bool:
        return self.kept is not None and None not in (self.kept.ap, self.test.mean)


def is_finished(run: Run, seeds: int) -> bool:
    """Whether all trainings have come to an end, and a good one."""
    return run.kept and len(run.seeds) >= seeds and not run.diverged


def standings(
    runs: Sequence[Run], seeds: int, evaluation: Evaluation | None, test: Callable[[Run], Iterable[float | None]]
) -> list[Standing]:
    """All systems, then the baseline.

    :param evaluation: of the finished systems; None if there are none.
    :param test: the average precision of each seed on the test pairs.
    """
    kept = {name: model.overall for name, model in evaluation.models.items()} if evaluation else {}
    found = [
        Standing(run.system, state(run, seeds), run.seeds, Spread.of(test(run)), kept.get(run.system)) for run in runs
    ]
    baseline = kept.get(BASELINE)
    return [*found, Standing(BASELINE, "-", (), Spread(baseline.ap if baseline else None), baseline)]


def state(run: Run, seeds: int) -> str:
    if run.diverged:
        return f"diverged: {run.diverged} of {seeds} seeds"
    return str(len(run.seeds)) if is_finished(run, seeds) else f"unfinished: {len(run.seeds)} of {seeds} seeds"


@dataclass(frozen=True)
class Results:
    """Everything that the report says. `split`: the audit of the real ads' split."""

    data: Data
    split: dict[str, Any] | None
    real: list[Standing]
    evaluation: Evaluation | None
    forms: Evaluation | None
    examples: list[Standing]
    examples_evaluation: Evaluation | None


@dataclass(frozen=True)
class Finished:
    """What there is to evaluate. Found once: trainings may go on meanwhile."""

    systems: list[str]
    forms: list[str]
    on_examples: list[str]


def find_finished(plan: Plan) -> Finished:
    def systems(run_of: Callable[[str], Path]) -> list[str]:
        return [system for system in plan.systems if is_finished(read_run(run_of(system), system), plan.seeds)]

    forms = [form for form in REGION_KINDS if (trial(plan.form_run(form), FIRST) / "bundle.json").exists()]
    return Finished(systems(plan.real_run), forms, systems(plan.examples_run))


def gather(plan: Plan, finished: Finished) -> Results:
    """What the trainings and `evaluate_all` have left on disk."""

    def evaluation(name: str, of: Sequence[str]) -> Evaluation | None:
        return read_evaluation(plan.json(name), of) if of else None

    real = [read_run(plan.real_run(system), system) for system in plan.systems]
    made = [read_run(plan.examples_run(system), system) for system in plan.systems]
    on_real, on_shipped = evaluation("real", finished.systems), evaluation("examples", finished.on_examples)
    of_trials = [evaluation(f"examples-{name}", finished.on_examples) for name in trial_names(plan.seeds)]

    def on_shipped_pairs(run: Run) -> list[float | None]:
        return [one.models[run.system].overall.ap for one in of_trials if one and run.system in one.models]

    return Results(
        data=read_data(plan.real),
        split=next((run.split for run in real if run.split), None),
        real=standings(real, plan.seeds, on_real, lambda run: [seed.test_ap for seed in run.seeds]),
        evaluation=on_real,
        forms=evaluation("regions", finished.forms),
        examples=standings(made, plan.seeds, on_shipped, on_shipped_pairs),
        examples_evaluation=on_shipped,
    )


# Words and tables of the report.


def figure(value: float | int | None) -> str:
    """A number as people read it; `-` for what is not defined."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The first column to the left, the others to the right; `-` for None."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join('-' if cell is None else str(cell) for cell in line)} |" for line in lines)


def commands(*all_words: Sequence[str]) -> str:
    """The commands that made a table, as one types them in the checkout."""
    typed = []
    for words in all_words:
        program = "python" if words[0].endswith(".py") else "nrl-dedup"
        line = " ".join([program, *(shlex.quote(word).replace(" ", HELD_SPACE) for word in words)])
        held = re.sub(r"(-[-\w]+) (?!-)", rf"\1{HELD_SPACE}", line)  # no line ends between an option and its value
        typed.append(" \\\n    ".join(textwrap.wrap(held, 112, break_long_words=False, break_on_hyphens=False)))
    return "\n".join(["```sh", *typed, "```"]).replace(HELD_SPACE, " ")


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *filter(None, parts)])


def overlap(one: Part, other: Part) -> bool | None:
    """Whether the two intervals have a value in common; None if one is missing."""
    if one.low is None or other.low is None:
        return None
    return one.low <= other.high and other.low <= one.high


def overlap_words(one: Part, other: Part) -> str:
    return {
        True: "the intervals overlap, so other test pairs may say otherwise",
        False: "the intervals do not overlap",
        None: "one of them has no interval",
    }[overlap(one, other)]


def verdict(one: Standing, other: Standing) -> str:
    """Whether one beats the other, by the means over seeds; the intervals are those of the kept models."""
    unknown = [standing.name for standing in (one, other) if not standing.comparable]
    if unknown:
        return f"Whether `{one.name}` beats `{other.name}` is not known: no figures yet for {code(unknown)}."
    beats = one.test.mean > other.test.mean
    turned = (one.kept.ap > other.kept.ap) != beats
    return (
        f"`{one.name}` {'beats' if beats else 'does not beat'} `{other.name}`: {figure(one.test.mean)} against "
        f"{figure(other.test.mean)}; {overlap_words(one.kept, other.kept)}"
        f"{'; of the kept models alone one would say the opposite' if turned else ''}."
    )


def by_name(found: Iterable[Standing], name: str) -> Standing:
    """The standing of that name; one without figures, if the system was not asked for."""
    missing = Standing(name, "not trained", (), Spread(None), None)
    return next((standing for standing in found if standing.name == name), missing)


def systems_table(found: Sequence[Standing], test: str, kept: str) -> str:
    """:param test: what the means over seeds are called; `kept`: the figures of the kept models."""
    rows = []
    for standing in found:
        epochs = ", ".join(f"{figure(seed.kept_epoch)} of {seed.epochs}" for seed in standing.seeds)
        train, valid = (Spread.of(getattr(seed, name) for seed in standing.seeds) for name in ("train_ap", "valid_ap"))
        rows.append((f"`{standing.name}`", standing.state, epochs or None, train, valid, standing.test, standing.kept))
    return table(("", "seeds", "kept epoch", "training AP", "validation AP", test, kept), rows)


def against_baseline(found: Sequence[Standing]) -> str:
    """A verdict for each system; for those that are no better, what they lose from training to validation too."""
    *systems, baseline = found
    lines = []
    for standing in systems:
        line = verdict(standing, baseline)
        if standing.comparable and baseline.comparable and standing.test.mean <= baseline.test.mean:
            known = figure(Spread.of(seed.train_ap for seed in standing.seeds).mean)
            new = figure(Spread.of(seed.valid_ap for seed in standing.seeds).mean)
            line += f" It reaches {known} on its training pairs and {new} on the validation pairs."
        lines.append(line)
    return bullets(lines)


def trained_to_the_end(standing: Standing) -> str:
    """Whether early stopping, and not the limit of epochs, ended all trainings of a system."""
    if not standing.comparable:
        return f"`{standing.name}`: {standing.state}."
    early = sum(seed.epochs < seed.most_epochs for seed in standing.seeds)
    ended = "trained to the end" if early == len(standing.seeds) else "not trained to the end with every seed"
    lengths = ", ".join(f"{seed.epochs} of at most {seed.most_epochs}" for seed in standing.seeds)
    return (
        f"`{standing.name}` is {ended}: early stopping ended {early} of {len(standing.seeds)} trainings (epochs: "
        f"{lengths})."
    )


def added_parts(found: Sequence[Standing]) -> tuple[str, str]:
    """What the second side adds to the first in each system that has both, and in how many it adds anything."""
    rows, said = [], []
    for side, other in (("text", "photos"), ("image", "words")):
        one, helped, known = by_name(found, side), 0, 0
        for both in (by_name(found, name) for name in BOTH_SIDES):
            added, relative, meet = None, None, None
            if one.comparable and both.comparable:
                difference = both.test.mean - one.test.mean
                known, helped = known + 1, helped + (difference > 0)
                added, relative = f"{difference:+.3f}", f"{difference / one.test.mean:+.1%}"
                meet = {True: "overlap", False: "do not overlap", None: None}[overlap(one.kept, both.kept)]
            means = (figure(each.test.mean) if each.comparable else None for each in (one, both))
            rows.append((f"{other}: `{side}` to `{both.name}`", *means, added, relative, meet))
        if known:
            said.append(f"{other.capitalize()} add to `{side}` in {helped} of {known} systems that have both.")
    return table(("what is added", "AP without", "AP with", "added", "relative", "intervals"), rows), " ".join(said)


@dataclass(frozen=True)
class Together:
    """Several parts. `ap`: their mean, each weighted by its duplicates; parts without an average precision left out."""

    pairs: int
    positives: int
    ap: float | None

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "Together":
        parts = list(parts)
        known = [part for part in parts if part.ap is not None]
        weight = sum(part.positives for part in known)
        mean = sum(part.ap * part.positives for part in known) / weight if weight else None
        return cls(sum(part.pairs for part in parts), sum(part.positives for part in parts), mean)


def share(of: Part | Together) -> str | None:
    """Of duplicates."""
    return f"{of.positives / of.pairs:.0%}" if of.pairs else None


def compare_kinds(kinds: dict[str, tuple[Together, Together]], first: str, second: str) -> str:
    """Which models are worse on the second kind of pairs than on the first."""
    worse, others, unknown = [], [], []
    for name, (one, other) in kinds.items():
        fits = one.ap is not None and other.ap is not None
        (unknown if not fits else worse if other.ap < one.ap else others).append(name)
    if not worse and not others:
        return f"Nothing to compare: no model has an average precision both on pairs {first} and on pairs {second}."
    said = f"Worse on pairs {second} than on pairs {first}: {code(worse)}; not worse: {code(others)}"
    said += f"; not known: {code(unknown)}." if unknown else "."
    one, other = next(iter(kinds.values()))
    return said + (
        f" Duplicates are {share(one)} of the pairs {first} and {share(other)} of those {second}; average precision "
        "rises with that share."
    )


def lowest(span: str) -> int:
    """The number of words at which `40-49` begins."""
    return int(span.split("-")[0])


def length_parts(evaluation: Evaluation) -> tuple[str, str]:
    """The table by the mean length of the two descriptions, and whether long ones are harder."""
    models = evaluation.models
    rows = []
    for span in next(iter(models.values())).by_length:
        parts = [model.by_length[span] for model in models.values()]
        rows.append((span, figure(parts[0].pairs), share(parts[0]), *parts))
    kinds = {
        name: (
            Together.of(part for span, part in model.by_length.items() if lowest(span) < LONG),
            Together.of(part for span, part in model.by_length.items() if lowest(span) >= LONG),
        )
        for name, model in models.items()
    }
    for title, parts in zip((f"below {LONG}", f"from {LONG} on"), zip(*kinds.values(), strict=True), strict=True):
        rows.append((title, figure(parts[0].pairs), share(parts[0]), *(figure(part.ap) for part in parts)))
    header = ("mean words", "pairs", "share of duplicates", *(f"`{name}`" for name in models))
    said = "The last two rows are means of the rows above, each weighted by its duplicates. " + compare_kinds(
        kinds, f"below {LONG} words", f"from {LONG} words on"
    )
    return table(header, rows), said


def unlike_parts(evaluation: Evaluation) -> tuple[str, str]:
    """The product and the baseline by the words of the shorter (down) and the longer description, and whether unlike
    lengths are harder than like ones."""
    models = {name: evaluation.models[name].by_unlike_length for name in (PRODUCT, BASELINE)}
    product, baseline = models.values()

    def cell(key: tuple[str, str]) -> str | None:
        if key not in product:
            return ""  # the shorter description is not the longer one
        pairs = product[key].pairs
        return f"{figure(product[key].ap)} / {figure(baseline[key].ap)} ({pairs:,})" if pairs else None

    spans = list(dict.fromkeys(longer for _, longer in product))
    rows = [(shorter, *(cell((shorter, longer)) for longer in spans)) for shorter in spans]
    kinds = {
        name: (
            Together.of(part for (shorter, longer), part in parts.items() if shorter == longer),
            Together.of(part for (shorter, longer), part in parts.items() if shorter != longer),
        )
        for name, parts in models.items()
    }
    means = "; ".join(f"`{name}` {figure(like.ap)} and {figure(unlike.ap)}" for name, (like, unlike) in kinds.items())
    said = f"On the diagonal (like length) and off it, cells weighted by their duplicates: {means}. "
    return table(("shorter", *spans), rows), said + compare_kinds(kinds, "of like length", "of unlike length")


def blocking_parts(evaluation: Evaluation) -> tuple[str, str]:
    """What each model's candidate search keeps, and whose keeps the most."""
    found = {name: model.blocking for name, model in evaluation.models.items() if model.blocking}
    rows = []
    for name, kept in found.items():
        ratio = None if kept.reduction_ratio is None else f"{kept.reduction_ratio:.5f}"
        completeness = figure(kept.pairs_completeness)
        rows.append((f"`{name}`", figure(kept.candidate_pairs), completeness, ratio, kept.part))
    known = {name: kept.pairs_completeness for name, kept in found.items() if kept.pairs_completeness is not None}
    said = ""
    if known:
        best, worst = max(known, key=known.get), min(known, key=known.get)
        said = f"Of the duplicates, the search of `{best}` keeps the largest share, {figure(known[best])}"
        said += f", and that of `{worst}` the smallest, {figure(known[worst])}." if known[worst] < known[best] else "."
    header = ("", "candidate pairs", "pairs completeness", "reduction ratio", "AP with lost pairs last")
    return table(header, rows), said


def attention_parts(name: str, found: Overlap) -> tuple[str, str]:
    """How much of what attention looks at most is the same in both photos of a duplicate, and whether by chance."""
    low, high = found.interval or (None, None)
    interval = None if low is None else f"{low:+.3f} to {high:+.3f}"
    difference = None if found.difference is None else f"{found.difference:+.3f}"
    row = (f"`{name}`", figure(found.pairs), figure(found.overlap), figure(found.chance), difference, interval)
    header = ("", "duplicates", "overlap", "by chance", "difference", "95 % interval")
    if low is None:
        said = "Whether that is more than chance is not known: there is no interval."
    elif low <= 0 <= high:
        said = "That duplicates share more than photos of different things do is not shown: the interval holds 0."
    else:
        more, above = ("more", "above") if low > 0 else ("less", "below")
        said = f"Duplicates share {more} than photos of different things do: the interval lies {above} 0."
    caution = (
        "Photos that look alike have like maps in any network; a difference alone does not show that this is learnt."
    )
    return table(header, [row]), f"{said} {caution}"


def forms_parts(forms: Evaluation | None, row: BackboneRow) -> tuple[str, str]:
    """The forms in which `san` can keep regions: their size, and what it loses with them."""
    parts = {form: model.overall for form, model in forms.models.items()} if forms else {}
    exact, whole = parts.get(EXACT_FORM), KINDS[EXACT_FORM].bytes_per_photo(row)
    rows, said = [], []
    for form in REGION_KINDS:
        part, size = parts.get(form), KINDS[form].bytes_per_photo(row)
        change = None
        if form != EXACT_FORM and part and exact and None not in (part.ap, exact.ap):
            change = f"{part.ap - exact.ap:+.3f}"
            loses = "loses" if part.ap < exact.ap else "does not lose"
            said.append(f"`{form}` {loses} against `{EXACT_FORM}` ({change}); {overlap_words(part, exact)}.")
        title = f"`{form}`{', the default' if form == OWN_FORM else ''}"
        places, length = KINDS[form].shape(row)
        rows.append((title, f"{places} x {length}", figure(size), f"{size / whole:.0%}", part or "not trained", change))
    header = ("form", "regions x size", "bytes an ad", f"of `{EXACT_FORM}`", "test AP", f"against `{EXACT_FORM}`")
    return table(header, rows), bullets(said)


def data_sentences(data: Data, split: dict[str, Any] | None) -> str:
    said = (
        "Real classified ads with constructed duplicates, in English, made by `examples/real_ads.py` from two public "
        f"repositories: {data.postings:,} postings, each of them one half of an ad's sentences and one of its two "
        f"photos, degraded. The two halves of an ad are a duplicate pair ({data.duplicates:,}); each of the other "
        f"{data.pairs - data.duplicates:,} labelled pairs joins postings of two ads, of one category or with like "
        "words."
    )
    if split:
        said += (
            " They are split by ads, so that no ad and no group of duplicates stands on two sides: "
            f"{split['pairs_train']:,} pairs train, {split['pairs_valid']:,} choose the epoch, {split['pairs_test']:,} "
            f"test, and {split['pairs_dropped']:,} that join two sides are dropped."
        )
    return said


# The report.

NONE_YET = "No system is finished yet."
SAME_COMMAND = "By the `nrl-dedup evaluate` of the first table."


def report(plan: Plan, results: Results) -> str:
    """The whole of RESULTS.md."""
    shown = plan.shown
    parts = [
        "# Results",
        "Everything here was made by one command, which trains and evaluates with the commands below:",
        commands(make_results(shown)),
        "REAL is the folder of the real ads, RUNS that of the trained models, FILE the ImageNet weights of the photo "
        "network. What is said about the figures was computed from them.",
        section(
            "The data", data_sentences(results.data, results.split), "No row, photo or person of them is shown here."
        ),
        systems_section(shown, results),
        section(
            "What photos add, and what words add",
            *added_parts(results.real),
            "From the first table: means over seeds, and whether the intervals of the kept models overlap.",
        ),
        attention_section(results),
        *evaluation_sections(results.evaluation),
        forms_section(shown, results.forms),
        examples_section(shown, results),
    ]
    return "\n\n".join(parts) + "\n"


def systems_section(shown: Plan, results: Results) -> str:
    evaluation = results.evaluation
    legend = (
        "Average precision (AP); ± is the standard deviation over seeds. The kept epoch is of how many that were "
        "trained, for each seed. Training AP is taken while the weights move, on augmented photos. The kept model is "
        "that of the seed with the highest validation AP."
    )
    if evaluation:
        legend += f" In brackets: 95 % bootstrap intervals over {evaluation.groups:,} groups of duplicates."
    return section(
        "Every system",
        bullets(f"`{name}`: {SYSTEMS[name]}." for name in shown.systems)
        + f"\n- `{BASELINE}`: the thesis's, logistic regression on likeness of words (Jaccard) and distance of photos.",
        systems_table(results.real, "test AP", "test AP of the kept model"),
        legend,
        against_baseline(results.real),
        commands(train_real(shown, "NAME"), *([evaluate_real(shown, systems_of(evaluation))] if evaluation else [])),
    )


def systems_of(evaluation: Evaluation) -> list[str]:
    return [name for name in evaluation.models if name != BASELINE]


def attention_section(results: Results) -> str:
    product, attention, bilinear = (by_name(results.real, name) for name in (PRODUCT, ATTENTION, "bilinear"))
    models = results.evaluation.models if results.evaluation else {}
    looked = models[ATTENTION].attention if ATTENTION in models else None
    where = []
    if looked:
        what = "Whether attention looks at the same place in both photos of a duplicate: of the fifth of the regions"
        what += " that it looks at most, the share in common."
        where = [what, *attention_parts(ATTENTION, looked), SAME_COMMAND]
    said = [verdict(attention, product), *map(trained_to_the_end, (attention, product)), verdict(bilinear, product)]
    return section("Attention and bilinear pooling against the product", bullets(said), "From the first table.", *where)


def evaluation_sections(evaluation: Evaluation | None) -> list[str]:
    """By length, by unlike lengths, blocking."""
    titles = ("By the length of the descriptions", "Descriptions of unlike length", "Blocking")
    if evaluation is None:
        return [section(title, NONE_YET) for title in titles]
    if PRODUCT in evaluation.models:
        what = f"AP of `{PRODUCT}` / of the baseline, and in brackets the pairs, by the words of the shorter "
        unlike = (what + "description (down) and of the longer one (to the right).", *unlike_parts(evaluation))
    else:
        unlike = (f"`{PRODUCT}` is not finished yet.",)
    searched = next(model.blocking for model in evaluation.models.values())
    search = f"The {searched.neighbours:,} nearest neighbours of each of the {searched.ads:,} ads are candidates."
    parts = (length_parts(evaluation), unlike, (search, *blocking_parts(evaluation)))
    return [section(title, *made, SAME_COMMAND) for title, made in zip(titles, parts, strict=True)]


def forms_section(shown: Plan, forms: Evaluation | None) -> str:
    done = systems_of(forms) if forms else []
    made_by = [train_form(shown, "FORM")] * any(form != OWN_FORM for form in done)
    made_by += [evaluate_forms(shown, done)] * bool(done)
    return section(
        f"How `{ATTENTION}` keeps the regions of a photo",
        *forms_parts(forms, backbone_row(shown.backbone)),
        f"Bytes of one photo in one view, of `{shown.backbone}`, by `nrl_dedup.features.kinds`. Test AP on the real "
        "ads, with the first seed.",
        commands(*made_by) if made_by else "",
    )


def examples_section(shown: Plan, results: Results) -> str:
    evaluation = results.examples_evaluation
    tested, evaluated = "", []
    if evaluation:
        names = systems_of(evaluation)
        tested = f", tested on all {evaluation.models[BASELINE].overall.pairs:,} labelled pairs of the shipped ones"
        evaluated = [evaluate_examples(shown, names), evaluate_trial(shown, names, "NNN")]
    return section(
        "The example ads",
        f"Made up, in Russian; trained on {shown.ads:,} ads of another seed, each photo in a posting of its own"
        f"{tested}. Neither words nor photos alone tell all of these ads apart (`examples/README.md`).",
        systems_table(results.examples, "AP on the shipped pairs", "AP of the kept model"),
        against_baseline(results.examples),
        commands(make_ads(shown, shown.made), train_examples(shown, "NAME"), *evaluated),
    )


# The work.


def train_all(plan: Plan) -> None:
    for system in plan.systems:
        run(train_real(plan, system))
    if not plan.made.exists():
        part = plan.made.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        run(make_ads(plan, part))
        part.rename(plan.made)
    for system in plan.systems:
        run(train_examples(plan, system))
    for form in REGION_KINDS:
        if plan.regions_table and form != OWN_FORM:
            plan.form_run(form).parent.mkdir(exist_ok=True)
            run(train_form(plan, form))


def evaluate_all(plan: Plan, finished: Finished) -> None:
    if finished.systems:
        run(evaluate_real(plan, finished.systems))
    if finished.forms:
        run(evaluate_forms(plan, finished.forms))
    if finished.on_examples:
        run(evaluate_examples(plan, finished.on_examples))
        for name in trial_names(plan.seeds):
            run(evaluate_trial(plan, finished.on_examples, name))


def run(words: Sequence[str]) -> None:
    """One command, in a process of its own; the end of all if it fails."""
    program = [sys.executable] if words[0].endswith(".py") else ["nrl-dedup"]
    print("$", shlex.join([*program, *words]), flush=True)
    try:
        ended = subprocess.run([*program, *words]).returncode
    except KeyboardInterrupt:
        ended = 130
    if ended:
        sys.exit("Stopped there. What was finished is kept: the same command goes on, --only-report shows it.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, help="the folder that examples/real_ads.py made")
    parser.add_argument("--backbone", default="mobilenet_v2", choices=BACKBONES, help="default: %(default)s")
    parser.add_argument("--backbone-weights", type=Path, help="its ImageNet weights; default: torchvision's download")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS, help="default: all")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each system; default: %(default)s")
    parser.add_argument("--ads", type=int, default=1000, help="made-up ads to train on; default: %(default)s")
    parser.add_argument(
        "--regions-table", action="store_true", help="train san in every form of regions, one seed each"
    )
    parser.add_argument("--runs", type=Path, default=CHECKOUT / "weights" / "results", help="default: weights/results")
    parser.add_argument(
        "--only-report", action="store_true", help="train nothing; evaluate and report what is finished"
    )
    parser.add_argument(
        "--train-options", type=shlex.split, default=[], help='further ones, as "--epochs 1 --lr 0.001"'
    )
    parser.add_argument("-o", "--output", type=Path, default=CHECKOUT / "examples" / "RESULTS.md")
    options = parser.parse_args()
    plan = Plan(
        real=options.real,
        runs=options.runs,
        weights=options.backbone_weights,
        checkout=CHECKOUT,
        systems=tuple(system for system in SYSTEMS if system in options.systems),
        seeds=options.seeds,
        backbone=options.backbone,
        ads=options.ads,
        train_options=tuple(options.train_options),
        regions_table=options.regions_table,
    )
    plan.runs.mkdir(parents=True, exist_ok=True)
    if not options.only_report:
        train_all(plan)
    finished = find_finished(plan)
    evaluate_all(plan, finished)
    options.output.write_text(report(plan, gather(plan, finished)), "utf-8")
    print(f"Wrote {options.output}.")


if __name__ == "__main__":
    main()
