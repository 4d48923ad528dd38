"""Catalogue -> embeddings."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.ahead import ahead
from nrl_dedup.features.ads import AdFeatures
from nrl_dedup.model import SiameseModel
from nrl_dedup.progress import SILENT, Progress

SHARD = 4096


@torch.no_grad()
def embed_ads(
    model: SiameseModel,
    features: AdFeatures,
    rows: Int64[np.ndarray, "wanted"] | None = None,
    *,
    device: torch.device,
    batch_size: int = 256,
    progress: Progress = SILENT,
) -> Float32[np.ndarray, "wanted size"]:
    """h of the ads at `rows` (all of them by default), in that order, in 32 bits whatever training used.

    The ads are taken in shards of 4096 by their place in `rows`, inside a shard in order of length, so that little
    padding is computed. Shards and batches follow from the ads alone: the same catalogue gives the same bits. An
    ad's vector does not depend on its batch beyond rounding (1e-5).
    """
    if rows is None:
        rows = np.arange(len(features))
    lengths = features.lengths()
    embeddings = np.empty((len(rows), model.raw_weight.shape[0]), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with progress.task("embedding ads", len(rows)) as task:
            batches = ((places, features.batch(rows[places])) for places in _places(lengths[rows], batch_size))
            with closing(ahead(batches)) as made:
                for places, batch in made:
                    embeddings[places] = model.embed(batch.to(device)).float().cpu().numpy()
                    task.advance(len(places))
    finally:
        model.train(was_training)
    return embeddings


def _places(lengths: Int64[np.ndarray, "wanted"], batch_size: int) -> Iterator[Int64[np.ndarray, "ads"]]:
    """Batches of places: shard after shard, inside a shard in order of length."""
    for start in range(0, len(lengths), SHARD):
        order = start + np.argsort(lengths[start : start + SHARD], kind="stable")
        for first in range(0, len(order), batch_size):
            yield order[first : first + batch_size]
