"""What the score of one pair rests on: each group of evidence, and in it each column."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from nrl_dedup.comparison.base import CODES
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.adapted_model import AdaptedModel
from nrl_dedup.scoring.pair_model import BASE, PairModel
from nrl_dedup.scoring.pair_scores import PairScores
from nrl_dedup.scoring.score import EvidenceScorer, Scorer
from nrl_dedup.scoring.siamese import SIAMESE, SiameseScorer
from nrl_dedup.scoring.trees import Trees
from nrl_dedup.tables import DistinctRows, distinct_ends


@dataclass(frozen=True)
class ColumnContribution:
    """One respect in which the two ads are compared. `value`: None where one of them lacks it. `added`: log-odds."""

    name: str
    value: float | None
    added: float


@dataclass(frozen=True)
class Reason:
    """What a group of evidence adds to the log-odds.

    `columns`: what each of its columns adds to that, the strongest first; what they leave over is what the group adds
    for any pair.
    """

    group: str
    added: float
    columns: tuple[ColumnContribution, ...]


def find_reasons(scorer: Scorer, left: DistinctRows, right: DistinctRows) -> tuple[Reason, ...]:
    """The groups of one pair of distinct ads, in the order of the scorer; they sum to the log-odds.

    Of the Siamese head, b - sum_i |w_i| |h_l - h_r|_i, the base is b and the rest is the network's.
    """
    if isinstance(scorer, SiameseScorer):
        bias = scorer.model.bias.item()
        apart = float(scorer.logits(left, right)[0]) - bias
        return Reason(BASE, bias, ()), Reason(
            SIAMESE, apart, (ColumnContribution(SIAMESE, apart, apart),)
        )
    groups = {
        group: float(values[0]) for group, values in scorer.contributions(left, right).items()
    }
    columns: dict[str, tuple[ColumnContribution, ...]] = {}
    if isinstance(scorer, EvidenceScorer):
        columns = column_contributions(scorer.model, *scorer.evidence(left, right))
    return tuple(Reason(group, added, columns.get(group, ())) for group, added in groups.items())


def find_competitor(
    scorer: Scorer, pairs: pl.DataFrame, ad: int, other: int
) -> tuple[int, float] | None:
    """The best of the candidates of `ad` beside `other`, and the log-odds of that pair; None if it has none.

    :param pairs: `tables.CANDIDATE_PAIRS`, all candidates. :param ad: :param other: distinct ads.
    """
    left, right = distinct_ends(pairs)
    own = ((left == ad) | (right == ad)) & (left != other) & (right != other)
    if not own.any():
        return None
    logits = scorer.logits(left[own], right[own])
    best = int(np.argmax(logits))
    return int(left[own][best] + right[own][best]) - ad, float(logits[best])


def column_contributions(
    model: PairScores, evidence: ComparisonVectors, rivals: ComparisonVectors | None = None
) -> dict[str, tuple[ColumnContribution, ...]]:
    """Of the one pair of `evidence`, what each column adds, by group: the Shapley values of its view's trees, of the
    correction's and of the re-ranking's, on the scale of the log-odds; and the weights of identifiers."""
    added: dict[tuple[str, str], float] = {}
    values_of: dict[tuple[str, str], float] = {}
    if isinstance(model, AdaptedModel):
        for name, weights in model.agreement.added(evidence).items():
            added[CODES, name] = float(weights[0])
            values_of[CODES, name] = float(evidence.columns([name])[0, 0])
    for trees, slope, shown in _forests(model, evidence, rivals):
        *values, _ = slope * trees.contributions(shown)[0]
        for group, name, value in zip(trees.groups, trees.names, values, strict=True):
            added[group, name] = added.get((group, name), 0.0) + float(value)
            values_of[group, name] = float(shown.columns([name])[0, 0])
    found: dict[str, list[ColumnContribution]] = {}
    for (group, name), value in added.items():
        seen = values_of[group, name]
        found.setdefault(group, []).append(
            ColumnContribution(name, None if np.isnan(seen) else seen, value)
        )
    return {
        group: tuple(sorted(columns, key=lambda column: -abs(column.added)))
        for group, columns in found.items()
    }


def _forests(
    model: PairScores, evidence: ComparisonVectors, rivals: ComparisonVectors | None
) -> Iterable[tuple[Trees, float, ComparisonVectors]]:
    """Every forest, the slope by which its log-odds come into the model's, and what it reads."""
    if isinstance(model, AdaptedModel):
        for trees in model.views.trees.values():
            yield trees, 1.0, evidence
        return
    assert isinstance(model, PairModel)
    if model.views is not None:
        for trees in model.views.trees.values():
            yield trees, model.start.slope * model.calibration.slope, evidence
    if model.correction is not None:
        yield model.correction, model.calibration.slope, evidence
    if model.reranking is not None and rivals is not None:
        yield model.reranking, model.calibration.slope, rivals
