"""The plan, and every command that it takes, as words.

They are run, and in the end shown in the report, where `Plan.shown` puts names in the place of this machine's paths.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nrl_dedup.config import REGION_KINDS, PhotoSettings

SYSTEMS = {
    "text": "the words alone: the state of a GRU",
    "image": "the photo alone: its pooled features",
    "rnn-cnn": "the thesis's product of the two, point by point",
    "bilinear": "low-rank bilinear pooling of the two",
    "san": "stacked attention: the words look twice at the regions of the photo",
}
PRODUCT, ATTENTION, BILINEAR = "rnn-cnn", "san", "bilinear"
OWN_FORM = PhotoSettings().regions  # the form of regions in which `san` is trained anyway
EXACT_FORM = REGION_KINDS[0]
MADE_SEED = 1  # of the made-up ads to train on; the shipped ones are of another
FIRST = "001"  # trial


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

    def network(self) -> list[object]:
        return ["--backbone", self.backbone, *self.photo_weights()]


def make_results(plan: Plan) -> list[str]:
    """The script's own command."""
    how = [
        "--systems",
        *plan.systems,
        "--seeds",
        plan.seeds,
        "--ads",
        plan.ads,
        "--runs",
        plan.runs,
    ]
    how += ["--regions-table"] * plan.regions_table
    how += [f"--train-options={shlex.join(plan.train_options)}"] * bool(plan.train_options)
    return _words(
        plan.checkout / "examples" / "making" / "make_results.py", plan.real, *plan.network(), *how
    )


def make_ads(plan: Plan, out: Path) -> list[str]:
    script = plan.checkout / "examples" / "making" / "make_examples.py"
    return _words(script, "--apart", "--seed", MADE_SEED, "--ads", plan.ads, "--out", out)


def train_real(plan: Plan, system: str) -> list[str]:
    how = ("--language", "en", "--fusion", system, "--seeds", plan.seeds)
    return _train(plan, _real_ads(plan), how, plan.real_run(system))


def train_form(plan: Plan, form: str) -> list[str]:
    how = ("--language", "en", "--fusion", ATTENTION, "--regions", form, "--seeds", 1)
    return _train(plan, _real_ads(plan), how, plan.form_run(form))


def train_examples(plan: Plan, system: str) -> list[str]:
    made_ads = (
        plan.made / "catalogue.csv",
        plan.made / "pairs.csv",
        "--images",
        plan.made / "images",
    )
    return _train(
        plan, made_ads, ("--fusion", system, "--seeds", plan.seeds), plan.examples_run(system)
    )


def _real_ads(plan: Plan) -> Sequence[object]:
    return plan.real / "ItemInfo.csv", plan.real / "ItemPairs.csv", "--images", plan.real / "images"


def _train(plan: Plan, ads: Sequence[object], how: Sequence[object], output: Path) -> list[str]:
    return _words("train", *ads, *plan.network(), *plan.train_options, *how, "-o", output)


def evaluate_real(plan: Plan, systems: Sequence[str]) -> list[str]:
    models = [plan.real_run(system) for system in systems]
    return _evaluate(plan, models, "real", "--by-length", "--blocking")


def evaluate_forms(plan: Plan, forms: Sequence[str]) -> list[str]:
    return _evaluate(
        plan,
        [trial(plan.form_run(form), FIRST) for form in forms],
        "regions",
        *plan.photo_weights(),
    )


def evaluate_examples(plan: Plan, systems: Sequence[str]) -> list[str]:
    return _evaluate(
        plan, [plan.examples_run(system) for system in systems], "examples", *_shipped_ads(plan)
    )


def evaluate_trial(plan: Plan, systems: Sequence[str], name: str) -> list[str]:
    """One training of each system, on the shipped examples."""
    models = [trial(plan.examples_run(system), name) for system in systems]
    return _evaluate(plan, models, f"examples-{name}", *_shipped_ads(plan), *plan.photo_weights())


def _shipped_ads(plan: Plan) -> Sequence[object]:
    examples = plan.checkout / "examples"
    return (
        "--items",
        examples / "catalogue.csv",
        "--pairs",
        examples / "pairs.csv",
        "--images",
        examples / "images",
    )


def _evaluate(plan: Plan, models: Sequence[Path], name: str, *how: object) -> list[str]:
    named = (word for model in models for word in ("--model", model))
    return _words("evaluate", *named, "--scorer", "siamese", *how, "--json", plan.json(name))


def _words(*words: object) -> list[str]:
    return [str(word) for word in words]


def trial(run: Path, name: str) -> Path:
    """The bundle of one training; its photo network is not in it."""
    return run / "trials" / name


def trial_names(seeds: int) -> list[str]:
    return [f"{number:03d}" for number in range(1, seeds + 1)]
