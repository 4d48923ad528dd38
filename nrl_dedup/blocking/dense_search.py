"""The nearest ads in a space of dense vectors, by the search that suits their number."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.exact_duplicates import first_of_equal
from nrl_dedup.blocking.faiss_indexes import (
    L1,
    L2,
    ExactSearch,
    InvertedSearch,
    Search,
    faiss_device,
)
from nrl_dedup.blocking.item_search import Held, Similar, nearest_ads
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Progress

INDEXES = ("auto", "exact", "ivf")
# Most coordinate differences (n * n * size) of an exact search in L1 before `auto` takes the inverted lists. Two CPU
# cores do 1e12 in about 100 s; the GPU's border is an estimate. Counted in work, not in seconds, so that the same
# catalogue gets the same index on every machine of its kind.
EXACT_WORK = {"cpu": 1e12, "cuda": 5e13}
L2_SPEED = 5  # times that of L1

_SIMILARITY: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    L1: lambda distances: -distances,
    L2: lambda distances: 1 - distances / 2,  # the cosine of two vectors of length 1
}


def nearest_by_vectors(
    name: str,
    vectors: Float32[np.ndarray, "items size"],
    held: Held,
    neighbours: int,
    metric: int,
    *,
    device: torch.device,
    seed: int,
    index: str,
    progress: Progress,
) -> NeighbourLists:
    """The `neighbours` nearest ads of each ad by the vectors that they hold, as in `nearest_ads`.

    Similarities are minus the distance with the metric L1; with L2, which wants vectors of length 1, they are cosines.
    `index`: `exact` compares all with all; `ivf` probes inverted lists, as many as it takes to find 97 % of the
    exact neighbours of a sample; `auto` is `exact` up to `EXACT_WORK`, then `ivf`.

    :raises NrlDedupError: `neighbours` is not positive or more than the GPU can keep, or `index` is unknown.
    """
    if neighbours < 1:
        raise NrlDedupError(f"--candidates {neighbours}: wanted 1 or more.")
    if index not in INDEXES:
        raise NrlDedupError(f"index {index}: wanted one of {', '.join(INDEXES)}.")
    distinct, number = np.unique(first_of_equal(vectors), return_inverse=True)
    held = held.renumbered(number)
    search = None
    if len(distinct) > 1:
        chosen = (
            np.ascontiguousarray(vectors[distinct]) if len(distinct) < len(vectors) else vectors
        )
        search = _choose(
            name, chosen, min(neighbours, len(distinct) - 1), metric, device, seed, index, progress
        )

    def find(queries: Int64[np.ndarray, "queries"]) -> Similar:
        if search is None:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        distances, found = search.nearest(chosen[queries])
        return _SIMILARITY[metric](distances), found

    equal = float(_SIMILARITY[metric](np.zeros(1))[0])
    found, is_hub = nearest_ads(held, find, neighbours, equal, name, progress)
    if is_hub.any():
        progress.say(
            f"{name}: {is_hub.sum():,} ads are crowded: more than {neighbours:,} are equal to each."
        )
    name_of_search, recall = (search.name, search.recall) if search else ("nothing to search", 1.0)
    return NeighbourLists(name, found, is_hub, name_of_search, recall)


def _choose(
    name: str,
    vectors: Float32[np.ndarray, "items size"],
    neighbours: int,
    metric: int,
    device: torch.device,
    seed: int,
    index: str,
    progress: Progress,
) -> Search:
    device = faiss_device(device, progress)
    work = len(vectors) * len(vectors) * vectors.shape[1] / (L2_SPEED if metric == L2 else 1)
    if index == "exact" or (index == "auto" and work <= EXACT_WORK[device.type]):
        search: Search = ExactSearch(vectors, neighbours, device, metric)
    else:
        search = InvertedSearch(vectors, neighbours, device, seed, metric)
    progress.say(f"Nearest by {name}: {search.name}; recall {search.recall:.3f} of exact search.")
    if search.recall < InvertedSearch.WANTED_RECALL:
        progress.warn(
            f"Blocking finds only {search.recall:.1%} of the {neighbours:,} nearest by {name}: these vectors have "
            "little structure to search by."
        )
    return search
