"""The Siamese score: candidate pairs -> scored pairs, by the network's own head."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Float64, Int64

from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.embedding.embed import embed_ads
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.tables import DistinctRows, catalogue_ends

SIAMESE = "siamese"  # the name of this scorer
CHUNK_PAIRS = 1 << 16  # scored at once; bounds the memory

Logits = Float64[np.ndarray, "pairs"]


@torch.no_grad()
def logits_of(
    model: SiameseModel,
    embeddings: Float32[np.ndarray, "ads size"],
    left: Int64[np.ndarray, "pairs"],
    right: Int64[np.ndarray, "pairs"],
    *,
    device: torch.device,
    progress: Progress = SILENT,
) -> Float64[np.ndarray, "pairs"]:
    """The head's logit of each pair of rows of `embeddings`, be they of distinct ads or of others."""
    logits = np.empty(len(left), dtype=np.float64)
    h = torch.from_numpy(embeddings).to(device)
    with progress.task("scoring pairs", len(left)) as task:
        for start in range(0, len(left), CHUNK_PAIRS):
            part = slice(start, start + CHUNK_PAIRS)
            one = torch.tensor(left[part], device=device)
            other = torch.tensor(right[part], device=device)
            logits[part] = model.score(h[one], h[other]).double().cpu().numpy()
            task.advance(len(one))
    return logits


def pair_logits(
    model: SiameseModel,
    features: NetworkInputs,
    pairs: pl.DataFrame,
    device: torch.device,
    progress: Progress = SILENT,
) -> np.ndarray:
    """The logits, f64, of `pairs` of catalogue rows; each of their ads is embedded once, by the code that `link`
    uses."""
    row_l, row_r = catalogue_ends(pairs)
    ads, place = np.unique(np.concatenate([row_l, row_r]), return_inverse=True)
    left, right = place.reshape(2, -1)
    embeddings = embed_ads(model, features, ads, device=device, progress=progress)
    return logits_of(model, embeddings, left, right, device=device)


@dataclass(frozen=True)
class SiameseScorer:
    """The head's logit b - sum_i |w_i| |h_l - h_r|_i.

    `known`: the ads with an input that the network knows. A pair with another ad cannot be scored.
    """

    name: ClassVar[str] = SIAMESE
    model: SiameseModel
    embeddings: Float32[np.ndarray, "distinct size"]
    known: Bool[np.ndarray, "distinct"]
    device: torch.device

    def logits(
        self, left: DistinctRows, right: DistinctRows, progress: Progress = SILENT
    ) -> Logits:
        logits = logits_of(
            self.model, self.embeddings, left, right, device=self.device, progress=progress
        )
        both_known = self.known[left] & self.known[right]
        can_be_scored = both_known | (left == right)
        return np.where(can_be_scored, logits, -np.inf)

    def contributions(self, left: DistinctRows, right: DistinctRows) -> dict[str, Logits]:
        return {}


def siamese_scorer(
    model: SiameseModel, blocked: BlockingResult, device: torch.device
) -> SiameseScorer:
    return SiameseScorer(model, blocked.embeddings, ~np.isnan(blocked.z).any(axis=1), device)
