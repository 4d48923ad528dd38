"""Candidate pairs -> scored pairs, by the head itself."""

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Float64, Int64

from nrl_dedup.embedding.embed import embed_ads
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.features.network_inputs import AdFeatures
from nrl_dedup.runtime.progress import SILENT, Progress

CHUNK = 1 << 16


@torch.no_grad()
def logits_of(
    model: SiameseModel,
    embeddings: Float32[np.ndarray, "ads size"],
    rows_l: Int64[np.ndarray, "pairs"],
    rows_r: Int64[np.ndarray, "pairs"],
    *,
    device: torch.device,
    progress: Progress = SILENT,
) -> Float64[np.ndarray, "pairs"]:
    """The head's logit of each pair of rows of `embeddings`."""
    logits = np.empty(len(rows_l), dtype=np.float64)
    h = torch.from_numpy(embeddings).to(device)
    with progress.task("scoring pairs", len(rows_l)) as task:
        for start in range(0, len(rows_l), CHUNK):
            part = slice(start, start + CHUNK)
            left, right = (torch.tensor(rows[part], device=device) for rows in (rows_l, rows_r))
            logits[part] = model.score(h[left], h[right]).double().cpu().numpy()
            task.advance(len(left))
    return logits


def pair_logits(
    model: SiameseModel,
    features: AdFeatures,
    pairs: pl.DataFrame,
    device: torch.device,
    progress: Progress = SILENT,
) -> np.ndarray:
    """The logits, f64, of `pairs`; each of their ads is embedded once, by the code that `link` uses."""
    rows_l, rows_r = pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy()
    ads, place = np.unique(np.concatenate([rows_l, rows_r]), return_inverse=True)
    left, right = place.reshape(2, -1)
    embeddings = embed_ads(model, features, ads, device=device, progress=progress)
    return logits_of(model, embeddings, left, right, device=device)
