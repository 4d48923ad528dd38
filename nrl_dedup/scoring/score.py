"""What gives a pair its score: pair evidence, or the Siamese head alone. Pairs are positions in
`BlockingResult.rows`.

The Siamese score is no part of the evidence. A network knows the pairs that it was trained on better than others, so
what its score is worth could be learned from the few held-out pairs alone. Learned from those, it lowers average
precision on the real ads (0.947 with it, 0.950 without; words and photos), and makes log-odds too sure of themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from nrl_dedup.blocking.block import BlockingResult, PairIndex
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.ad_profiles import AdProfiles, build_profiles
from nrl_dedup.comparison.compare import CHUNK_PAIRS, ComparisonVectors, compare_pairs
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.competitors import Competitors
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks
from nrl_dedup.scoring.siamese import SIAMESE, Logits, Positions, siamese_scorer

EVIDENCE = "evidence"  # the name of the pair model's scorer


@runtime_checkable
class Scorer(Protocol):
    """Scores pairs of positions, the same whatever other pairs are asked for."""

    name: ClassVar[str]

    def logits(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        """Log-odds of each pair being a duplicate; -inf where that is nothing that the scorer can tell. A position of
        -1 is an ad that says nothing."""

    def contributions(self, left: Positions, right: Positions) -> dict[str, Logits]:
        """What each group of evidence adds to the log-odds; nothing where the scorer does not know it."""


@dataclass(frozen=True)
class PairwiseScores:
    """The first look at every pair of `BlockingResult.reference`, in their order, and each ad's competitors by it."""

    pairs: PairIndex
    scores: Logits
    rivals: Competitors

    @classmethod
    def at(
        cls, blocked: BlockingResult, model: PairModel, ads: AdProfiles, progress: Progress = SILENT
    ) -> "PairwiseScores":
        pairs = blocked.reference_index
        left = pairs.frame["row_l"].to_numpy()
        right = pairs.frame["row_r"].to_numpy()
        scores = score_pairs_in_chunks(model, ads, left, right, progress)
        rivals = Competitors.of([(left, right, scores), (right, left, scores)], len(blocked.rows))
        return cls(pairs, scores, rivals)


@dataclass(frozen=True)
class EvidenceScorer:
    """The pair model's log-odds, from everything that the two ads are compared by, and from what they have with others.

    `seen`: None where the model has no second look.
    """

    name: ClassVar[str] = EVIDENCE
    model: PairModel
    ads: AdProfiles
    seen: PairwiseScores | None = None

    def logits(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        first = self._first_look(left, right, progress)
        found = np.empty(len(left))
        for part in _chunks(len(left)):
            found[part] = self.model.calibrated_log_odds(
                first[part], self._rivals(left[part], right[part], first[part])
            )
        return found

    def contributions(self, left: Positions, right: Positions) -> dict[str, Logits]:
        parts = _chunks(max(len(left), 1))
        found = [
            self.model.contributions(*self.evidence(left[part], right[part])) for part in parts
        ]
        return {group: np.concatenate([part[group] for part in found]) for group in found[0]}

    def evidence(
        self, left: Positions, right: Positions
    ) -> tuple[ComparisonVectors, ComparisonVectors | None]:
        """What the model sees of pairs of positions of 0 or more, at the first look and at the second."""
        own = compare_pairs(self.ads, left, right)
        return own, self._rivals(left, right, self.model.pairwise_log_odds(own))

    def _rivals(self, left: Positions, right: Positions, first: Logits) -> ComparisonVectors | None:
        return None if self.seen is None else self.seen.rivals.evidence(left, right, first)

    def _first_look(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        nothing = ComparisonVectors(np.empty((1, 0), np.float32), (), ())
        found = np.full(len(left), self.model.pairwise_log_odds(nothing)[0])
        new = (left >= 0) & (right >= 0)
        if self.seen is not None:
            place = self.seen.pairs.places(left, right)
            seen = new & (place >= 0)
            found[seen] = self.seen.scores[place[seen]]
            new &= ~seen
        found[new] = score_pairs_in_chunks(self.model, self.ads, left[new], right[new], progress)
        return found


def _chunks(pairs: int) -> list[slice]:
    return [slice(start, start + CHUNK_PAIRS) for start in range(0, pairs, CHUNK_PAIRS)]


def scorer_name(
    asked: str | None, pair_model: PairModel | None, model_folder: Path | None = None
) -> str:
    """`asked`, or the best that there is: the pair model's score, or the Siamese one where there is no pair model.

    :param model_folder: for messages.
    :raises NrlDedupError: there is no such scorer, or it needs a pair model and there is none.
    """
    if asked not in (None, EVIDENCE, SIAMESE):
        raise NrlDedupError(f"--scorer {asked}: wanted {EVIDENCE} or {SIAMESE}.")
    if asked == EVIDENCE and pair_model is None:
        raise NrlDedupError(
            f"--scorer {EVIDENCE}: {model_folder} has no pair evidence. Use --scorer {SIAMESE}, or train again."
        )
    return asked or (SIAMESE if pair_model is None else EVIDENCE)


def make_scorer(
    name: str,
    catalogue: Catalogue,
    features: CatalogueFeatures,
    blocked: BlockingResult,
    network: SiameseModel,
    pair_model: PairModel | None,
    run: Run,
    *,
    trained_columns: Sequence[str] = (),
    labelled: bool = False,
) -> Scorer:
    """
    :param name: what `scorer_name` gave.
    :param trained_columns: the further columns that the user named at training.
    :param labelled: whether the pairs to score are labelled ones rather than candidates (`PairModel`).
    """
    if name == SIAMESE:
        return siamese_scorer(network, blocked, run.device)
    assert pair_model is not None
    with run.clock.stage("pair evidence"):
        described, unknown = profiles_of(catalogue, features, blocked).known_to(pair_model.columns)
    say_what_is_not_compared(trained_columns, catalogue, unknown, run.progress)
    with run.clock.stage("first look"):
        seen = (
            None
            if pair_model.reranking is None
            else PairwiseScores.at(blocked, pair_model, described, run.progress)
        )
    return EvidenceScorer(
        pair_model.for_labelled_pairs() if labelled else pair_model, described, seen
    )


def say_what_is_not_compared(
    trained_columns: Sequence[str],
    catalogue: Catalogue,
    unknown: Sequence[str],
    progress: Progress = SILENT,
) -> None:
    """Where the columns of a catalogue are not those that the model was fitted to.

    :param trained_columns: those that the user named at training.
    :param unknown: columns of the catalogue that the model does not know.
    """
    if unknown:
        named = [name for name in unknown if name in catalogue.compared]
        tell = progress.warn if named else progress.say
        tell(
            f"The model was not trained with the column {', '.join(named or unknown)}, which changes no score. Train "
            "one that knows it: nrl-dedup train CATALOGUE --compare COLUMN."
        )
    missing = [name for name in trained_columns if name not in catalogue.further.columns]
    if missing:
        progress.warn(
            f"The model compares the column {', '.join(missing)}, which {catalogue.path} lacks."
        )


def profiles_of(
    catalogue: Catalogue, features: CatalogueFeatures, blocked: BlockingResult
) -> AdProfiles:
    """Everything that the ads of `blocked.rows` are compared by."""
    rows, photos = blocked.rows, features.photos.photos
    part = catalogue.take(rows)
    return build_profiles(
        part,
        features.words.take(rows),
        None if photos is None else photos.take(rows),
        features.photos.sketches,
        part.further.to_dict(),
        [space.neighbours for space in blocked.reference.spaces],
    )
