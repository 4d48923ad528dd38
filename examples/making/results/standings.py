"""How the systems stand on the test pairs, and everything else that the report says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from nrl_dedup.training.search.trial_tables import mean_and_deviation
from results.commands import Plan, trial_names
from results.markdown import figure
from results.on_disk import (
    BASELINE,
    Data,
    Evaluation,
    Finished,
    Part,
    Run,
    Seed,
    read_data,
    read_evaluation,
    read_run,
)


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
        return figure(self.mean) + (
            "" if self.deviation is None else f" ± {figure(self.deviation)}"
        )


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


def standings(
    runs: Sequence[Run],
    seeds: int,
    evaluation: Evaluation | None,
    test: Callable[[Run], Iterable[float | None]],
) -> list[Standing]:
    """All systems, then the baseline.

    :param evaluation: of the finished systems; None if there are none.
    :param test: the average precision of each seed on the test pairs.
    """
    kept = {name: model.overall for name, model in evaluation.models.items()} if evaluation else {}
    found = [
        Standing(
            run.system, run.state(seeds), run.seeds, Spread.of(test(run)), kept.get(run.system)
        )
        for run in runs
    ]
    baseline = kept.get(BASELINE)
    return [
        *found,
        Standing(BASELINE, "-", (), Spread(baseline.ap if baseline else None), baseline),
    ]


def by_name(found: Iterable[Standing], name: str) -> Standing:
    """The standing of that name; one without figures, if the system was not asked for."""
    missing = Standing(name, "not trained", (), Spread(None), None)
    return next((standing for standing in found if standing.name == name), missing)


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


def gather(plan: Plan, finished: Finished) -> Results:
    """What the trainings, and the evaluations of those that were `finished`, have left on disk."""

    def evaluation(name: str, of: Sequence[str]) -> Evaluation | None:
        return read_evaluation(plan.json(name), of) if of else None

    real = [read_run(plan.real_run(system), system) for system in plan.systems]
    made = [read_run(plan.examples_run(system), system) for system in plan.systems]
    on_real, on_shipped = (
        evaluation("real", finished.systems),
        evaluation("examples", finished.on_examples),
    )
    of_trials = [
        evaluation(f"examples-{name}", finished.on_examples) for name in trial_names(plan.seeds)
    ]

    def on_shipped_pairs(run: Run) -> list[float | None]:
        return [
            one.models[run.system].overall.ap
            for one in of_trials
            if one and run.system in one.models
        ]

    return Results(
        data=read_data(plan.real),
        split=next((run.split for run in real if run.split), None),
        real=standings(real, plan.seeds, on_real, lambda run: [seed.test_ap for seed in run.seeds]),
        evaluation=on_real,
        forms=evaluation("regions", finished.forms),
        examples=standings(made, plan.seeds, on_shipped, on_shipped_pairs),
        examples_evaluation=on_shipped,
    )
