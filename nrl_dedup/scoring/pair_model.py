"""The second model: evidence of a pair -> the probability that it is a duplicate, and what it rests on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nrl_dedup.comparison.base import GROUPS, RIVALS
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.scoring.calibration import MAX_ABSOLUTE, Calibration
from nrl_dedup.scoring.forest_text import checked_forest
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.trees import Trees
from nrl_dedup.untrusted.plain_file import read_text
from nrl_dedup.untrusted.strict_json import read_json

VERSION = 2
BASE = "base"
_ABOUT, _CORRECTION, _SECOND_LOOK = "evidence.json", "correction.txt", "second-look.txt"

_MOST_ABOUT, _MOST_FOREST = (
    16 << 20,
    64 << 20,
)  # bytes; the shipped files have 13 and at most 371 thousand
_MOST_COLUMNS = (
    10_000  # of evidence; the shipped correction reads 151, and a named column adds a handful
)

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class PairModel:
    """first look = start(views' log-odds) + correction's log-odds; log-odds = calibration(first look + second look).

    `views`: learned without labels; None where the model was fitted to labelled pairs alone, their log-odds then being
    0. `start`: their scale, learned from labels. `correction`: trees grown on top of that; None without labels.
    `reranking`: trees that see the first look at a pair beside its rivals (`Competitors`); None without labels, or
    where they did not help. `calibration`: to candidate pairs, which are what `link` scores; `labelled`: to pairs that
    somebody chose to label, many more of which are duplicates. What is a probability among the ones is none among the
    others.
    """

    views: ModalityModels | None
    start: Calibration
    correction: Trees | None
    calibration: Calibration
    labelled: Calibration | None = None
    reranking: Trees | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The names of all columns of pair evidence that it reads."""
        pairwise_log_odds = [trees for trees in (self.correction,) if trees is not None]
        pairwise_log_odds += [] if self.views is None else self.views.trees.values()
        return frozenset(name for trees in pairwise_log_odds for name in trees.names)

    def for_labelled_pairs(self) -> "PairModel":
        """The same, calibrated to labelled pairs, as far as it has seen any."""
        return self if self.labelled is None else replace(self, calibration=self.labelled)

    def pairwise_log_odds(self, evidence: ComparisonVectors) -> Scores:
        """The score of each pair by itself, before calibration."""
        score = self.start(
            np.zeros(len(evidence)) if self.views is None else self.views.log_odds(evidence)
        )
        return score if self.correction is None else score + self.correction.log_odds(evidence)

    def calibrated_log_odds(
        self, pairwise_log_odds: Scores, rivals: ComparisonVectors | None = None
    ) -> Scores:
        """The log-odds of each pair being a duplicate. Rank by these: probabilities that round to 1 have lost their
        order.

        :param rivals: `Competitors.evidence` of the pairs; None: of a model without a second look.
        """
        return self.calibration(
            pairwise_log_odds + self._second_look(rivals, len(pairwise_log_odds))
        )

    def log_odds(
        self, evidence: ComparisonVectors, rivals: ComparisonVectors | None = None
    ) -> Scores:
        """`calibrated_log_odds` of the first look at each pair."""
        return self.calibrated_log_odds(self.pairwise_log_odds(evidence), rivals)

    def contributions(
        self, evidence: ComparisonVectors, rivals: ComparisonVectors | None = None
    ) -> dict[str, Scores]:
        """What each group of evidence adds to the log-odds; `base` is what no evidence does. They sum to `log_odds`.

        A view's own log-likelihood ratio, the Shapley values of the correction's trees, and the whole second look.
        """
        found: dict[str, Scores] = {BASE: np.zeros(len(evidence))}
        if self.views is not None:
            for group, ratio in self.views.ratios(evidence).items():
                found[group] = self.start.slope * self.calibration.slope * ratio
        if self.correction is not None:
            by_column = self.calibration.slope * self.correction.contributions(evidence)
            for at, group in enumerate(self.correction.groups):
                found[group] = found.get(group, 0.0) + by_column[:, at]
        if self.reranking is not None:
            found[RIVALS] = self.calibration.slope * self._second_look(rivals, len(evidence))
        found[BASE] = self.log_odds(evidence, rivals) - np.sum(
            [found[group] for group in found if group != BASE], axis=0
        )
        return found

    def _second_look(self, rivals: ComparisonVectors | None, pairs: int) -> Scores:
        if self.reranking is None:
            return np.zeros(pairs)
        assert rivals is not None
        return self.reranking.log_odds(rivals)


UNCHANGED = Calibration(1.0, 0.0)


def unlabelled_model(views: ModalityModels) -> PairModel:
    """The views alone, with the prior that they agree on for all calibration."""
    return PairModel(views, UNCHANGED, None, UNCHANGED)


def save_pair_model(model: PairModel, folder: Path) -> None:
    """Write `evidence.json` and a text file for each forest into an existing folder.

    :raises OSError: it cannot be written.
    """
    forests = _forests(model)
    about = {
        "version": VERSION,
        "start": model.start.saved(),
        "calibration": model.calibration.saved(),
        "labelled": None if model.labelled is None else model.labelled.saved(),
        "prior": None if model.views is None else model.views.prior,
        "views": [] if model.views is None else list(model.views.trees),
        "forests": {name: _described(trees) for name, trees in forests.items()},
    }
    (folder / _ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for name, trees in forests.items():
        (folder / name).write_text(trees.text, "utf-8")


def load_pair_model(folder: Path) -> PairModel:
    """Read what `save_pair_model` wrote, or a stranger: nothing in it is believed unchecked (`forest_text`).

    :raises NrlDedupError: a file is missing, damaged, or no plain file; or it is of another version.
    """
    try:
        about = read_json(folder / _ABOUT, _MOST_ABOUT)
        version = about.get("version") if isinstance(about, dict) else None
        if type(version) is not int or version != VERSION:
            found = version if type(version) is int else "none"
            raise NrlDedupError(
                f"{_ABOUT}: of version {found}; this program reads version {VERSION}. Train again."
            )
        views, described = about["views"], about["forests"]
        _check_forests(views, described)
        forests = {
            name: _load_forest(folder / name, **columns) for name, columns in described.items()
        }
        start = Calibration.loaded(about["start"])
        calibration = Calibration.loaded(about["calibration"])
        labelled = None if about["labelled"] is None else Calibration.loaded(about["labelled"])
        return PairModel(
            _views(about["prior"], {group: forests[_view_file(group)] for group in views}),
            start,
            forests.get(_CORRECTION),
            calibration,
            labelled,
            forests.get(_SECOND_LOOK),
        )
    except (LookupError, TypeError, ValueError, AttributeError, NrlDedupError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise NrlDedupError(
            f"{folder.name}: the pair evidence is damaged ({why}). Copy the bundle again."
        ) from error


def _check_forests(views: Any, described: Any) -> None:
    """Find out whether these are views, and the forests theirs and the two others, each of columns and their groups.

    :raises NrlDedupError: they are not.
    """
    if not isinstance(views, list) or not all(
        isinstance(one, str) and one in GROUPS for one in views
    ):
        raise NrlDedupError(f"{_ABOUT}: wanted views of {', '.join(GROUPS)}; found others")
    files = [_view_file(group) for group in views]
    if not isinstance(described, dict) or len(set(files)) < len(files):
        raise NrlDedupError(f"{_ABOUT}: wanted a forest for each view; found others")
    if not set(files) <= described.keys() <= {*files, _CORRECTION, _SECOND_LOOK}:
        raise NrlDedupError(
            f"{_ABOUT}: wanted the forests of its views, {_CORRECTION} and {_SECOND_LOOK} alone"
        )
    for name, columns in described.items():
        if not isinstance(columns, dict) or columns.keys() != {"names", "groups", "sha256"}:
            raise NrlDedupError(
                f"{name}: wanted names, groups and sha256 in {_ABOUT}; found others"
            )
        names, groups = columns["names"], columns["groups"]
        if not _are_texts(names) or not _are_texts(groups) or not set(groups) <= {*GROUPS, RIVALS}:
            raise NrlDedupError(
                f"{name}: wanted columns by name and group in {_ABOUT}; found others"
            )
        if not 0 < len(names) == len(groups) == len(set(names)) <= _MOST_COLUMNS:
            raise NrlDedupError(
                f"{name}: wanted 1 to {_MOST_COLUMNS:,} columns, each once and with its group"
            )


def _views(prior: Any, trees: dict[str, Trees]) -> ModalityModels | None:
    if prior is None and not trees:
        return None
    if type(prior) not in (int, float) or abs(prior) > MAX_ABSOLUTE:
        raise NrlDedupError(
            f"{_ABOUT}: wanted a prior from -{MAX_ABSOLUTE:,.0f} to {MAX_ABSOLUTE:,.0f}; found another"
        )
    return ModalityModels(trees, float(prior))


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _described(trees: Trees) -> dict[str, Any]:
    return {"names": trees.names, "groups": trees.groups, "sha256": _digest(trees.text)}


def _load_forest(path: Path, names: list[str], groups: list[str], sha256: str) -> Trees:
    text = read_text(path, _MOST_FOREST)
    if _digest(text) != sha256:
        raise NrlDedupError(f"{path.name} is not the file that was written")
    checked_forest(text, len(names), path.name)
    return Trees(text, tuple(names), tuple(groups))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _view_file(group: str) -> str:
    return f"view-{group}.txt"


def _forests(model: PairModel) -> dict[str, Trees]:
    views: Mapping[str, Trees] = {} if model.views is None else model.views.trees
    found = {_view_file(group): trees for group, trees in views.items()}
    further = {_CORRECTION: model.correction, _SECOND_LOOK: model.reranking}
    return found | {name: trees for name, trees in further.items() if trees is not None}
