"""Boosted trees over comparison vectors, grown by LightGBM and kept as its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from nrl_dedup.comparison.columns import Direction
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.scoring.forest_text import checked_forest
from nrl_dedup.scoring.lightgbm_import import lightgbm

MAX_ROUNDS = 200  # trees of a forest. Not tuned.
# Numbers (pairs times columns) below which threads cost more than they bring.
_MIN_NUMBERS_TO_GROW_IN_THREADS = 10_000_000
_MIN_NUMBERS_TO_SCORE_IN_THREADS = 1_000_000
# Pairs from which trees become larger. Not tuned.
_MIN_PAIRS_FOR_MEDIUM_TREES = 300
_MIN_PAIRS_FOR_LARGE_TREES = 3_000
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
    """The capacity of one tree: its leaves, and how many pairs a leaf holds at least."""

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
        threads = _threads(values, _MIN_NUMBERS_TO_SCORE_IN_THREADS)
        return np.asarray(self._booster.predict(values, raw_score=True, num_threads=threads))

    def log_odds_after(
        self, evidence: ComparisonVectors, rounds: Sequence[int]
    ) -> Float64[np.ndarray, "stages pairs"]:
        """The sum of the first `rounds[0]` trees, of the first `rounds[1]`, and so on; `rounds` ascend."""
        values = evidence.columns(self.names)
        threads = _threads(values, _MIN_NUMBERS_TO_SCORE_IN_THREADS)
        found = np.zeros((len(rounds), len(evidence)))
        total = np.zeros(len(evidence))
        before = 0
        for place, number in enumerate(rounds):
            if number > before and len(evidence):
                total = total + self._booster.predict(
                    values,
                    raw_score=True,
                    start_iteration=before,
                    num_iteration=number - before,
                    num_threads=threads,
                )
            found[place] = total
            before = number
        return found

    def cut(self, rounds: int) -> "Trees":
        """The first so many trees."""
        text = self._booster.model_to_string(num_iteration=rounds)
        return Trees(text, self.names, self.groups)

    def contributions(self, evidence: ComparisonVectors) -> Float64[np.ndarray, "pairs columns_1"]:
        """What each column of `names` adds to the sum of all trees, and last what none of them does.

        Shapley values of the trees' conditional means (TreeSHAP: Lundberg et al., 2018); a row sums to `log_odds`.
        """
        if not len(evidence):
            return np.zeros((0, len(self.names) + 1))
        values = evidence.columns(self.names)
        threads = _threads(values, _MIN_NUMBERS_TO_SCORE_IN_THREADS)
        return np.asarray(self._booster.predict(values, pred_contrib=True, num_threads=threads))


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

    The log-odds follow the direction of each column. The same data and seed give the same trees, whatever the number of
    threads.
    """
    targets = labels.astype(np.float32)
    data = lightgbm.Dataset(evidence.values, targets, weight=weights, init_score=start)
    constraints = [int(evidence.directions.get(name, Direction.EITHER)) for name in evidence.names]
    settings: dict[str, Any] = {
        **_SETTINGS,
        "num_leaves": size.leaves,
        "min_data_in_leaf": size.pairs_in_leaf,
        "monotone_constraints": constraints,
        "seed": seed,
        "num_threads": _threads(evidence.values, _MIN_NUMBERS_TO_GROW_IN_THREADS),
    }
    booster = lightgbm.train(settings, data, rounds)
    return Trees(booster.model_to_string(), evidence.names, evidence.groups)


def size_for(pairs: int) -> Size:
    """Small trees for few pairs."""
    if pairs < _MIN_PAIRS_FOR_MEDIUM_TREES:
        return Size(leaves=4, pairs_in_leaf=5)
    if pairs < _MIN_PAIRS_FOR_LARGE_TREES:
        return Size(leaves=7, pairs_in_leaf=10)
    return Size(leaves=15, pairs_in_leaf=20)


def _threads(values: Float32[np.ndarray, "pairs columns"], enough: int) -> int:
    """0: as many as there are."""
    return 1 if values.size < enough else 0
