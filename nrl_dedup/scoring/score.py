"""What gives a pair its score: pair evidence, or the Siamese head alone. Pairs are of distinct
ads, but where it says catalogue rows.

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
from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.ad_profiles import AdProfiles, build_profiles, fit_statistics
from nrl_dedup.comparison.compare import CHUNK_PAIRS, ComparisonVectors, compare_pairs
from nrl_dedup.comparison.compared_ads import ComparedAds
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.competitors import MIN_LOG_ODDS, Competitors
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.pair_scores import Context, PairScores
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks
from nrl_dedup.scoring.siamese import SIAMESE, Logits, siamese_scorer
from nrl_dedup.tables import CatalogueRows, DistinctRows, distinct_ends

EVIDENCE = "evidence"  # the name of the pair model's scorer


@runtime_checkable
class Scorer(Protocol):
    """Scores pairs of distinct ads, the same whatever other pairs are asked for."""

    name: ClassVar[str]

    def logits(
        self, left: DistinctRows, right: DistinctRows, progress: Progress = SILENT
    ) -> Logits:
        """Log-odds of each pair being a duplicate; -inf if the pair cannot be scored."""

    def contributions(self, left: DistinctRows, right: DistinctRows) -> dict[str, Logits]:
        """What each group of columns adds to the log-odds; empty for a scorer without groups."""


@dataclass(frozen=True)
class PairwiseScores:
    """The pairwise score of every pair of `BlockingResult.reference`, in their order, and what it
    makes of each ad's other candidates."""

    pairs: PairIndex
    scores: Logits
    context: Context

    @classmethod
    def at(
        cls, blocked: BlockingResult, model: PairModel, ads: AdProfiles, progress: Progress = SILENT
    ) -> "PairwiseScores":
        """For the re-ranking of `model`."""
        pairs = blocked.reference_index
        left, right = distinct_ends(pairs.frame)
        scores = score_pairs_in_chunks(model, ads, left, right, progress)
        ends = [(left, right, scores), (right, left, scores)]
        return cls(pairs, scores, Competitors.of(ends, len(blocked.ads)))


@dataclass(frozen=True)
class EvidenceScorer:
    """The pair model's log-odds, from everything that the two ads are compared by, and from what they have with others.

    `pairwise`: None where the model looks at no other candidates.
    """

    name: ClassVar[str] = EVIDENCE
    model: PairScores
    ads: AdProfiles
    pairwise: PairwiseScores | None = None

    def logits(
        self, left: DistinctRows, right: DistinctRows, progress: Progress = SILENT
    ) -> Logits:
        pairwise = self._pairwise_log_odds(left, right, progress)
        found = np.empty(len(left))
        for part in _chunks(len(left)):
            competitors = self._competitors(left[part], right[part], pairwise[part])
            found[part] = self.model.calibrated_log_odds(pairwise[part], competitors)
        return found

    def logits_without_evidence(
        self, ads: DistinctAds, row_l: CatalogueRows, row_r: CatalogueRows
    ) -> Logits:
        """Log-odds of pairs of catalogue rows of which at least one ad has neither words nor a readable photo. No
        column knows anything of such a pair; all that counts is the best score of the other ad with a third one."""
        nothing = ComparisonVectors(np.empty((1, 0), np.float32), (), ())
        pairwise = np.full(len(row_l), self.model.pairwise_log_odds(nothing)[0])
        competitors = None
        if self.pairwise is not None:
            context = self.pairwise.context
            best = ads.spread(context.best, MIN_LOG_ODDS)
            competitors = context.beside_nothing(pairwise, best[row_l], best[row_r])
        return self.model.calibrated_log_odds(pairwise, competitors)

    def contributions(self, left: DistinctRows, right: DistinctRows) -> dict[str, Logits]:
        parts = _chunks(max(len(left), 1))
        found = [
            self.model.contributions(*self.evidence(left[part], right[part])) for part in parts
        ]
        return {group: np.concatenate([part[group] for part in found]) for group in found[0]}

    def evidence(
        self, left: DistinctRows, right: DistinctRows
    ) -> tuple[ComparisonVectors, ComparisonVectors | None]:
        """The input of the pairwise score and of the re-ranking."""
        own = compare_pairs(self.ads, left, right)
        return own, self._competitors(left, right, self.model.pairwise_log_odds(own))

    def _competitors(
        self, left: DistinctRows, right: DistinctRows, pairwise: Logits
    ) -> ComparisonVectors | None:
        if self.pairwise is None:
            return None
        return self.pairwise.context.evidence(left, right, pairwise)

    def _pairwise_log_odds(
        self, left: DistinctRows, right: DistinctRows, progress: Progress = SILENT
    ) -> Logits:
        found = np.empty(len(left))
        new = np.ones(len(left), dtype=bool)
        if self.pairwise is not None:
            place = self.pairwise.pairs.places(left, right)
            is_scored = place >= 0
            found[is_scored] = self.pairwise.scores[place[is_scored]]
            new = ~is_scored
        found[new] = score_pairs_in_chunks(self.model, self.ads, left[new], right[new], progress)
        return found


def logits_of_rows(
    scorer: EvidenceScorer,
    ads: DistinctAds,
    row_l: CatalogueRows,
    row_r: CatalogueRows,
    progress: Progress = SILENT,
) -> Logits:
    """`scorer.logits` of pairs of catalogue rows; of those with an ad that has neither words nor a readable photo,
    `scorer.logits_without_evidence`."""
    pairs = ads.pairs(row_l, row_r)
    is_empty = ~pairs.is_there
    found = np.empty(len(row_l))
    found[pairs.is_there] = scorer.logits(pairs.distinct_l, pairs.distinct_r, progress)
    found[is_empty] = scorer.logits_without_evidence(ads, row_l[is_empty], row_r[is_empty])
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
    profiles: AdProfiles | None = None,
) -> Scorer:
    """
    :param name: what `scorer_name` gave.
    :param trained_columns: the further columns that the user named at training.
    :param labelled: whether the pairs to score are labelled ones rather than candidates (`PairModel`).
    :param profiles: `profiles_of`, if they were made already.
    """
    if name == SIAMESE:
        return siamese_scorer(network, blocked, run.device)
    assert pair_model is not None
    with run.clock.stage("pair evidence"):
        if profiles is None:
            profiles = profiles_of(catalogue, features, blocked)
        described, unknown = profiles.known_to(pair_model.columns)
    say_what_is_not_compared(trained_columns, catalogue, unknown, run.progress)
    with run.clock.stage("first look"):
        pairwise = None
        if pair_model.has_context:
            pairwise = PairwiseScores.at(blocked, pair_model, described, run.progress)
    if labelled:
        pair_model = pair_model.for_labelled_pairs()
    return EvidenceScorer(pair_model, described, pairwise)


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
    """Everything that the distinct ads are compared by."""
    rows = blocked.ads.rows
    photos = features.photos.photos
    part = catalogue.take(rows)
    texts = features.texts[rows]
    ads = ComparedAds(
        titles=texts["title"],
        descriptions=texts["description"],
        words=features.words.take(rows),
        photos=None if photos is None else photos.take(rows),
        sketches=features.photos.sketches,
        columns=part.further.to_dict(),
    )
    statistics = fit_statistics(ads)
    neighbours = [space.neighbours for space in blocked.reference.spaces]
    return build_profiles(statistics, ads, neighbours)
