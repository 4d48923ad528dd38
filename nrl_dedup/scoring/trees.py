"""Boosted trees over columns of evidence, grown by LightGBM and kept as its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.forest_text import checked_forest
from nrl_dedup.scoring.lightgbm_import import lightgbm

MOST_ROUNDS = 200
_FEW_TO_GROW, _FEW_TO_SCORE = (
    10_000_000,
    1_000_000,
)  # numbers, below which threads cost more than they bring
_FEWEST, _FEW = 300, 3_000
_NEVER_LOWER = ("same_picture", "same_file", "first_look")
# Halving or doubling any of these moves the average precision on the real ads by less than 0.003.
_SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.1,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Size:
    """How much one tree may say: its leaves, and how many pairs a leaf holds at least."""

    leaves: int
    pairs_in_leaf: int


@dataclass(frozen=True)
class Trees:
    """A forest. `text`: LightGBM's own format; `names`, `groups`: of the columns that it reads, in its order."""

    text: str
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=checked_forest(self.text, len(self.names), "the trees"))

    def log_odds(self, evidence: ComparisonVectors) -> Float64[np.ndarray, "pairs"]:
        """The sum of all trees."""
        if not len(evidence):
            return np.zeros(0)
        values = evidence.columns(self.names)
        return np.asarray(
            self._booster.predict(
                values, raw_score=True, num_threads=_threads(values, _FEW_TO_SCORE)
            )
        )

    def log_odds_after(
        self, evidence: ComparisonVectors, rounds: Sequence[int]
    ) -> Float64[np.ndarray, "stages pairs"]:
        """The sum of the first so many trees, for each of some numbers, which rise."""
        values, found = evidence.columns(self.names), np.zeros((len(rounds), len(evidence)))
        before, total = 0, np.zeros(len(evidence))
        for place, number in enumerate(rounds):
            if number > before and len(evidence):
                total = total + self._booster.predict(
                    values,
                    raw_score=True,
                    start_iteration=before,
                    num_iteration=number - before,
                    num_threads=_threads(values, _FEW_TO_SCORE),
                )
            found[place], before = total, number
        return found

    def cut(self, rounds: int) -> "Trees":
        """The first so many trees."""
        return Trees(self._booster.model_to_string(num_iteration=rounds), self.names, self.groups)

    def contributions(self, evidence: ComparisonVectors) -> Float64[np.ndarray, "pairs columns_1"]:
        """What each column of `names` adds to the sum of all trees, and last what none of them does.

        Shapley values of the trees' conditional means (TreeSHAP: Lundberg et al., 2018); a row sums to `log_odds`.
        """
        if not len(evidence):
            return np.zeros((0, len(self.names) + 1))
        values = evidence.columns(self.names)
        return np.asarray(
            self._booster.predict(
                values, pred_contrib=True, num_threads=_threads(values, _FEW_TO_SCORE)
            )
        )


def grow(
    evidence: ComparisonVectors,
    labels: Bool[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
    *,
    rounds: int,
    size: Size,
    start: Float64[np.ndarray, "pairs"] | None = None,
    seed: int = 0,
) -> Trees:
    """Trees that minimise the weighted log loss (4.4), one a round, on top of the log-odds of `start`.

    No similarity, by itself or against its surroundings, can lower the log-odds by being higher. The same data and
    seed give the same trees, whatever the number of threads.
    """
    data = lightgbm.Dataset(
        evidence.values, labels.astype(np.float32), weight=weights, init_score=start
    )
    settings: dict[str, Any] = {
        **_SETTINGS,
        "num_leaves": size.leaves,
        "min_data_in_leaf": size.pairs_in_leaf,
        "monotone_constraints": [int(rises) for rises in _rising(evidence.names)],
        "seed": seed,
        "num_threads": _threads(evidence.values, _FEW_TO_GROW),
    }
    booster = lightgbm.train(settings, data, rounds)
    return Trees(booster.model_to_string(), evidence.names, evidence.groups)


def size_for(pairs: int) -> Size:
    """Small trees for few pairs."""
    if pairs < _FEWEST:
        return Size(leaves=4, pairs_in_leaf=5)
    return Size(leaves=7, pairs_in_leaf=10) if pairs < _FEW else Size(leaves=15, pairs_in_leaf=20)


def _rising(names: tuple[str, ...]) -> list[bool]:
    spaces = {name.removesuffix("_above_mean") for name in names if name.endswith("_above_mean")}
    judged = {space + suffix for space in spaces for suffix in ("", "_above_mean", "_above_max")}
    return [name in judged or name in _NEVER_LOWER for name in names]


def _threads(values: Float32[np.ndarray, "pairs columns"], few: int) -> int:
    """0: as many as there are."""
    return 1 if values.size < few else 0
