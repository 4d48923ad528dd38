"""What gives a pair its score: pair evidence, of which the Siamese score is a part, or the Siamese head alone.

Pairs are positions in `Blocked.rows`.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from nrl_dedup.blocked import Blocked, scaled, telling
from nrl_dedup.bundle import Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evidence import AdEvidence, Evidence, PairModel, describe_ads, pair_evidence, score_evidence
from nrl_dedup.evidence.pairs import PAIRS_AT_ONCE
from nrl_dedup.model import SiameseModel
from nrl_dedup.prepared import Prepared
from nrl_dedup.progress import SILENT, Progress, StageClock
from nrl_dedup.scoring import logits_of

EVIDENCE, SIAMESE = "evidence", "siamese"

Positions = Int64[np.ndarray, "pairs"]
Logits = Float64[np.ndarray, "pairs"]


@runtime_checkable
class Scorer(Protocol):
    """Scores pairs of positions, the same whatever other pairs are asked for."""

    def logits(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        """Log-odds of each pair being a duplicate. A position of -1 is an ad that says nothing."""

    def contributions(self, left: Positions, right: Positions) -> dict[str, Logits]:
        """What each group of evidence adds to the log-odds; nothing where the scorer does not know it."""


@dataclass(frozen=True)
class SiameseScorer:
    """The head's logit b - sum_i |w_i| |h_l - h_r|_i."""

    model: SiameseModel
    embeddings: Float32[np.ndarray, "distinct size"]
    device: torch.device

    def logits(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        return logits_of(self.model, self.embeddings, left, right, device=self.device, progress=progress)

    def contributions(self, left: Positions, right: Positions) -> dict[str, Logits]:
        return {}


@dataclass(frozen=True)
class EvidenceScorer:
    """The pair model's log-odds, from everything that the two ads are compared by."""

    model: PairModel
    ads: AdEvidence

    def logits(self, left: Positions, right: Positions, progress: Progress = SILENT) -> Logits:
        known = (left >= 0) & (right >= 0)
        nothing = Evidence(np.empty((1, 0), np.float32), (), ())
        found = np.full(len(left), self.model.log_odds(nothing)[0])
        found[known] = score_evidence(self.model, self.ads, left[known], right[known], progress)
        return found

    def contributions(self, left: Positions, right: Positions) -> dict[str, Logits]:
        parts = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, max(len(left), 1), PAIRS_AT_ONCE)]
        found = [self.model.contributions(pair_evidence(self.ads, left[part], right[part])) for part in parts]
        return {group: np.concatenate([part[group] for part in found]) for group in found[0]}


def scorer_name(bundle: Bundle, asked: str | None) -> str:
    """`asked`, or the best that the bundle has.

    :raises NrlDedupError: there is no such scorer, or the bundle does not have it.
    """
    if asked not in (None, EVIDENCE, SIAMESE):
        raise NrlDedupError(f"--scorer {asked}: wanted {EVIDENCE} or {SIAMESE}.")
    if asked == EVIDENCE and bundle.pair_model is None:
        raise NrlDedupError(
            f"--scorer {EVIDENCE}: {bundle.folder} has no pair evidence. Use --scorer {SIAMESE}, or train again."
        )
    return asked or (SIAMESE if bundle.pair_model is None else EVIDENCE)


def make_scorer(
    name: str,
    catalogue: Catalogue,
    bundle: Bundle,
    prepared: Prepared,
    blocked: Blocked,
    *,
    device: torch.device,
    clock: StageClock | None = None,
) -> Scorer:
    """
    :param name: what `scorer_name` gave.
    """
    if name == SIAMESE:
        return SiameseScorer(bundle.model, blocked.embeddings, device)
    assert bundle.pair_model is not None
    with (clock or StageClock()).stage("pair evidence"):
        described = describe(catalogue, bundle.model, prepared, blocked, device)
    return EvidenceScorer(bundle.pair_model, described)


def describe(
    catalogue: Catalogue, model: SiameseModel, prepared: Prepared, blocked: Blocked, device: torch.device
) -> AdEvidence:
    """Everything that the ads of `blocked.rows` are compared by."""
    rows = blocked.rows
    known = telling(model, prepared.features)[rows]
    z = np.full(blocked.embeddings.shape, np.nan, np.float32)
    z[known] = scaled(model, blocked.embeddings[known], device)
    part = catalogue.take(rows)
    photos = prepared.features.photos
    return describe_ads(
        part,
        prepared.words.take(rows),
        None if photos is None else photos.take(rows),
        prepared.sketches,
        part.further.to_dict(),
        [space.neighbours for space in blocked.candidates.spaces],
        z,
    )
