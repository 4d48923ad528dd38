"""The joint space: the nearest ads by the embeddings of the network."""

import numpy as np
import torch
from jaxtyping import Float32

from nrl_dedup.blocking.across_sources import Sources
from nrl_dedup.blocking.dense_search import nearest_by_vectors
from nrl_dedup.blocking.faiss_indexes import L1
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import SILENT, Progress


def joint_neighbours(
    z: Float32[np.ndarray, "ads size"],
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
    source_of: Sources | None = None,
) -> NeighbourLists:
    """The nearest ads by sum_i |z_l - z_r|_i, z being h scaled by |w|; similarities are minus that distance.

    With b added they are the head's logits, where no w is positive. `index`, `source_of`: as in `nearest_by_vectors`.

    The same z and seed give the same neighbours on the same kind of processor. Runs on the GPU where `device` is one
    and this FAISS has GPU code (written after FAISS's documentation; not yet measured on a GPU).

    :raises NrlDedupError: what `nearest_by_vectors` raises; z holds values that are not finite.
    """
    if not np.isfinite(z.sum(dtype=np.float64)):
        raise NrlDedupError(
            "The embeddings hold values that are not finite numbers. Train with a lower --lr."
        )
    one_vector_each = Held.one_each(np.arange(len(z)))
    return nearest_by_vectors(
        "joint",
        z,
        one_vector_each,
        neighbours,
        L1,
        device=device,
        seed=seed,
        index=index,
        progress=progress,
        source_of=source_of,
    )
