"""The pair model: comparison vectors -> the probability that a pair is a duplicate, and what each group adds."""

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
_ABOUT = "evidence.json"
_CORRECTION = "correction.txt"
_RERANKING = "second-look.txt"
_WORDS = "words.txt"
_FURTHER = (_CORRECTION, _RERANKING, _WORDS)

_MAX_ABOUT_BYTES = 16 << 20  # the shipped file has 13 thousand
_MAX_FOREST_BYTES = 64 << 20  # the shipped files have at most 371 thousand
_MAX_COLUMNS = 10_000  # the shipped correction reads 151, and a named column adds a handful

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class PairModel:
    """pairwise score = start(views' log-odds) + correction's log-odds;
    log-odds = calibration(pairwise score + reranking's log-odds).

    `views`: learned without labels; None where the model was fitted to labelled pairs alone, their log-odds then being
    0. `start`: their scale, learned from labels. `correction`: trees grown on top of that; None without labels.
    `reranking`: trees whose input is the pairwise score of a pair and of its competitors (`Competitors`); None without
    labels, or where they did not help. `calibration`: to candidate pairs, which are what `link` scores; `labelled`: to
    labelled pairs. Probabilities calibrated on candidate pairs are wrong for labelled pairs, which hold far more
    duplicates; hence two calibrations.
    `words`: trees that know the texts of other catalogues, from which adapting to a catalogue starts; no part of the
    score.
    """

    views: ModalityModels | None
    start: Calibration
    correction: Trees | None
    calibration: Calibration
    labelled: Calibration | None = None
    reranking: Trees | None = None
    words: Trees | None = None

    @property
    def has_context(self) -> bool:
        """Whether it looks at the other candidates of a pair's ads."""
        return self.reranking is not None

    @property
    def columns(self) -> frozenset[str]:
        """The names of all columns of pair evidence that it reads."""
        names: set[str] = set()
        if self.correction is not None:
            names.update(self.correction.names)
        if self.views is not None:
            for trees in self.views.trees.values():
                names.update(trees.names)
        return frozenset(names)

    def for_labelled_pairs(self) -> "PairModel":
        """The same, calibrated to labelled pairs, as far as it has seen any."""
        if self.labelled is None:
            return self
        return replace(self, calibration=self.labelled)

    def pairwise_log_odds(self, evidence: ComparisonVectors) -> Scores:
        """The score of each pair by itself, before calibration."""
        log_odds = np.zeros(len(evidence))
        if self.views is not None:
            log_odds = self.views.log_odds(evidence)
        score = self.start(log_odds)
        if self.correction is not None:
            score = score + self.correction.log_odds(evidence)
        return score

    def calibrated_log_odds(
        self, pairwise_log_odds: Scores, competitors: ComparisonVectors | None = None
    ) -> Scores:
        """The log-odds of each pair being a duplicate. Rank by these: probabilities that round to 1 have lost their
        order.

        :param competitors: `Competitors.evidence` of the pairs; None for a model without re-ranking.
        """
        reranked = pairwise_log_odds + self._reranking_log_odds(competitors, len(pairwise_log_odds))
        return self.calibration(reranked)

    def log_odds(
        self, evidence: ComparisonVectors, competitors: ComparisonVectors | None = None
    ) -> Scores:
        """`calibrated_log_odds` of the pairwise score of each pair."""
        return self.calibrated_log_odds(self.pairwise_log_odds(evidence), competitors)

    def contributions(
        self, evidence: ComparisonVectors, competitors: ComparisonVectors | None = None
    ) -> dict[str, Scores]:
        """What each group of columns adds to the log-odds; `base` is the rest. They sum to `log_odds`.

        A view's own log-likelihood ratio, the Shapley values of the correction's trees, and the sum of `reranking`.
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
            found[RIVALS] = self.calibration.slope * self._reranking_log_odds(
                competitors, len(evidence)
            )
        added = np.sum([found[group] for group in found if group != BASE], axis=0)
        found[BASE] = self.log_odds(evidence, competitors) - added
        return found

    def _reranking_log_odds(self, competitors: ComparisonVectors | None, pairs: int) -> Scores:
        if self.reranking is None:
            return np.zeros(pairs)
        assert competitors is not None
        return self.reranking.log_odds(competitors)


UNCHANGED = Calibration(1.0, 0.0)


def unlabelled_model(views: ModalityModels, words: Trees | None = None) -> PairModel:
    """The views alone, with the prior that they agree on for all calibration."""
    return PairModel(views, UNCHANGED, None, UNCHANGED, words=words)


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
    """Read what `save_pair_model` wrote. The files may be anybody's: everything in them is checked (`forest_text`).

    :raises NrlDedupError: a file is missing, damaged, or no plain file; or it is of another version.
    """
    try:
        about = read_json(folder / _ABOUT, _MAX_ABOUT_BYTES)
        version = about.get("version") if isinstance(about, dict) else None
        if type(version) is not int or version != VERSION:
            found = version if type(version) is int else "none"
            raise NrlDedupError(
                f"{_ABOUT}: of version {found}; this program reads version {VERSION}. Train again."
            )
        views, described = about["views"], about["forests"]
        _check_forests(views, described)
        forests: dict[str, Trees] = {}
        for name, columns in described.items():
            forests[name] = _load_forest(folder / name, **columns)
        start = Calibration.loaded(about["start"])
        calibration = Calibration.loaded(about["calibration"])
        labelled = None
        if about["labelled"] is not None:
            labelled = Calibration.loaded(about["labelled"])
        of_views = {group: forests[_view_file(group)] for group in views}
        return PairModel(
            views=_views(about["prior"], of_views),
            start=start,
            correction=forests.get(_CORRECTION),
            calibration=calibration,
            labelled=labelled,
            reranking=forests.get(_RERANKING),
            words=forests.get(_WORDS),
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
    if not set(files) <= described.keys() <= {*files, *_FURTHER}:
        raise NrlDedupError(
            f"{_ABOUT}: wanted the forests of its views, {', '.join(_FURTHER)} alone"
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
        if not 0 < len(names) == len(groups) == len(set(names)) <= _MAX_COLUMNS:
            raise NrlDedupError(
                f"{name}: wanted 1 to {_MAX_COLUMNS:,} columns, each once and with its group"
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
    text = read_text(path, _MAX_FOREST_BYTES)
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
    further = {_CORRECTION: model.correction, _RERANKING: model.reranking, _WORDS: model.words}
    return found | {name: trees for name, trees in further.items() if trees is not None}
