"""An evaluation -> its figures: each model's average precision with its interval, overall and by kinds of pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nrl_dedup.evaluation.attention_maps import AttentionOverlap
from nrl_dedup.evaluation.bootstrap import (
    LEVEL,
    REPLICATES,
    Interval,
    PairGroups,
    Ranking,
    intervals,
)
from nrl_dedup.evaluation.evaluate import Evaluation
from nrl_dedup.evaluation.slices import Slicing, by_length, by_unlike_length
from nrl_dedup.metrics import Quality, quality
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.tables import catalogue_ends

SEED = 0


@dataclass(frozen=True)
class SliceFigures:
    """What a model reaches on some of the pairs, or on what blocking leaves of them.

    `average_precision` is None where it is not defined: no pairs, or pairs of one class only.
    """

    pairs: int
    positives: int
    average_precision: float | None
    interval: Interval

    def as_json(self) -> dict[str, Any]:
        """`average_precision_interval` is [low, high] or None; `undefined_replicates` were left out of it."""
        low, high = self.interval.low, self.interval.high
        return {
            "pairs": self.pairs,
            "positives": self.positives,
            "average_precision": self.average_precision,
            "average_precision_interval": None if low is None else [low, high],
            "undefined_replicates": self.interval.undefined,
        }


@dataclass(frozen=True)
class ModelReport:
    """The figures of one model or of the baseline, which has none `after_blocking`; parts in the order of their
    slicing's keys."""

    total: Quality
    overall: SliceFigures
    by_length: list[SliceFigures]
    by_unlike_length: list[SliceFigures]
    by: dict[str, list[SliceFigures]]
    after_blocking: SliceFigures | None


@dataclass(frozen=True)
class Report:
    """All figures of an evaluation. `by`: the slicings that were asked for, by name. `groups`: of duplicates, that
    the intervals draw. `attention`: of the models that have some, by name."""

    evaluation: Evaluation
    models: dict[str, ModelReport]
    by_length: Slicing
    by_unlike_length: Slicing
    by: dict[str, Slicing]
    groups: int
    attention: dict[str, AttentionOverlap]

    def as_json(self) -> dict[str, Any]:
        """`{"models": {NAME: {pairs, positives, average_precision, ..., by_length, by_unlike_length, by, blocking,
        attention_overlap}}, "bootstrap": {...}}`; what is undefined, or was not asked for, is None."""
        models = {}
        for name, model in self.models.items():
            slices = {
                "by_length": _rows(self.by_length, model.by_length),
                "by_unlike_length": _rows(self.by_unlike_length, model.by_unlike_length),
                "by": {key: _rows(slicing, model.by[key]) for key, slicing in self.by.items()},
            }
            total = {
                **vars(model.total),
                **model.overall.as_json(),
                "threshold": self.evaluation.threshold,
            }
            attention = self.attention[name].as_json() if name in self.attention else None
            models[name] = {
                **total,
                **slices,
                "blocking": self._blocking(name),
                "attention_overlap": attention,
            }
        bootstrap = {"replicates": REPLICATES, "seed": SEED, "level": LEVEL, "groups": self.groups}
        return {"models": models, "bootstrap": bootstrap}

    def _blocking(self, name: str) -> dict[str, Any] | None:
        after = self.models[name].after_blocking
        if after is None:
            return None
        kept = self.evaluation.blocking[name]
        return {
            "ads": len(self.evaluation.catalogue),
            "candidates_wanted": kept.wanted,
            "candidate_pairs": kept.candidate_pairs,
            "candidates_per_ad": {"mean": kept.mean_per_ad, "most": kept.most_per_ad},
            "pairs_completeness": kept.pairs_completeness,
            "reduction_ratio": kept.reduction_ratio,
            "spaces": [vars(space) for space in kept.spaces],
            **after.as_json(),
        }


def report(
    evaluation: Evaluation,
    by: Mapping[str, Slicing],
    attention: Mapping[str, AttentionOverlap],
    progress: Progress = SILENT,
) -> Report:
    """Every figure, all intervals of average precision from the same replicates (`bootstrap.intervals`).

    :param by: further slicings of the pairs, by name.
    :param attention: `attention_overlaps` of the evaluation.
    """
    row_l, row_r = catalogue_ends(evaluation.pairs)
    labels = evaluation.pairs["is_duplicate"].to_numpy()
    weights = evaluation.pairs["weight"].to_numpy()
    words = evaluation.ends(evaluation.description_words())
    everything = np.zeros(len(labels), dtype=np.int64)
    slicings = {
        "overall": Slicing(({},), everything),
        "by_length": by_length(*words),
        "by_unlike_length": by_unlike_length(*words),
        **{f"by {name}": slicing for name, slicing in by.items()},
    }
    members = {kind: slicing.members() for kind, slicing in slicings.items()}
    rankings = {
        (name, kind, number): Ranking.of(labels, logits, at)
        for name, logits in evaluation.logits.items()
        for kind, slices in members.items()
        for number, at in enumerate(slices)
    }
    for name, kept in evaluation.blocking.items():
        rankings[name, "blocking", 0] = Ranking.of(labels, kept.logits, members["overall"][0])
    groups = PairGroups.of(row_l, row_r, labels)
    found = intervals(list(rankings.values()), groups, weights, seed=SEED, progress=progress)
    interval = dict(zip(rankings, found, strict=True))

    def part(name: str, kind: str, number: int = 0) -> SliceFigures:
        ranking = rankings[name, kind, number]
        ap = ranking.average_precision(weights)
        pairs, positives = len(ranking.at), len(ranking.duplicates)
        return SliceFigures(
            pairs, positives, None if np.isnan(ap) else ap, interval[name, kind, number]
        )

    def parts(name: str, kind: str) -> list[SliceFigures]:
        return [part(name, kind, number) for number in range(len(members[kind]))]

    models = {
        name: ModelReport(
            quality(labels, logits, weights, evaluation.threshold),
            part(name, "overall"),
            parts(name, "by_length"),
            parts(name, "by_unlike_length"),
            {key: parts(name, f"by {key}") for key in by},
            part(name, "blocking") if name in evaluation.blocking else None,
        )
        for name, logits in evaluation.logits.items()
    }
    lengths = slicings["by_length"], slicings["by_unlike_length"]
    return Report(evaluation, models, *lengths, dict(by), groups.count, dict(attention))


def _rows(slicing: Slicing, parts: list[SliceFigures]) -> list[dict[str, Any]]:
    return [{**key, **part.as_json()} for key, part in zip(slicing.keys, parts, strict=True)]
