"""Catalogue -> embeddings."""

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.network_inputs import Batch, NetworkInputs
from nrl_dedup.runtime.prefetch import ahead
from nrl_dedup.runtime.progress import SILENT, Progress

SHARD = 4096
LARGEST = 1e12  # of a vector's numbers, which any weights then bring to a finite score


@torch.no_grad()
def embed_ads(
    model: SiameseModel,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "wanted"] | None = None,
    *,
    device: torch.device,
    batch_size: int = 256,
    progress: Progress = SILENT,
) -> Float32[np.ndarray, "wanted size"]:
    """h of the ads at `rows` (all of them by default), in that order, in 32 bits whatever training used.

    Shards and batches follow from the ads alone (`batches_by_length`): the same catalogue gives the same bits. An ad's
    vector does not depend on its batch beyond rounding (1e-5).
    """
    if rows is None:
        rows = np.arange(len(features))
    embeddings = np.empty((len(rows), model.raw_weight.shape[0]), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with (
            progress.task("embedding ads", len(rows)) as task,
            closing(batches_by_length(features, rows, batch_size)) as batches,
        ):
            for places, batch in batches:
                embeddings[places] = model.embed(batch.to(device)).float().cpu().numpy()
                task.advance(len(places))
    finally:
        model.train(was_training)
    return embeddings


def check_embeddings(embeddings: Float32[np.ndarray, "ads size"], model: Path | None) -> None:
    """Find out whether a model's vectors can be compared: weights that are finite can still give some that are not.

    :param model: the folder of its bundle, for the message.
    :raises NrlDedupError: a number is NaN or larger than `LARGEST`.
    """
    spoiled = ~(np.abs(embeddings) <= LARGEST).all(axis=1)
    if spoiled.any():
        raise NrlDedupError(
            f"--model {model}: the bundle is damaged (wanted finite vectors of the ads, found others for "
            f"{spoiled.sum():,} of {len(embeddings):,}). Copy it again, or train anew."
        )


def batches_by_length(
    features: NetworkInputs, rows: Int64[np.ndarray, "wanted"], batch_size: int
) -> Generator[tuple[Int64[np.ndarray, "ads"], Batch], None, None]:
    """The ads at `rows`, each once: the places of a batch's ads in `rows`, and the batch. The next one is made while
    one is used; close the generator to end early.

    The ads are taken in shards of 4096 by their place in `rows`, inside a shard in order of length, so that little
    padding is computed.
    """
    lengths = features.lengths()[rows]

    def made() -> Iterator[tuple[Int64[np.ndarray, "ads"], Batch]]:
        for start in range(0, len(rows), SHARD):
            order = start + np.argsort(lengths[start : start + SHARD], kind="stable")
            for first in range(0, len(order), batch_size):
                places = order[first : first + batch_size]
                yield places, features.batch(rows[places])

    return ahead(made())
