"""The nearest ads in a space of dense vectors, by the search that suits their number."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32

from nrl_dedup.blocking.across_sources import Items, Sources, nearest_lists
from nrl_dedup.blocking.exact_duplicates import first_of_equal
from nrl_dedup.blocking.faiss_indexes import (
    L1,
    L2,
    WANTED_RECALL,
    ExactSearch,
    InvertedSearch,
    Search,
    faiss_device,
)
from nrl_dedup.blocking.item_search import Held, Similar
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Progress

INDEXES = ("auto", "exact", "ivf")
# Up to so many coordinate differences (n * n * size) in L1, `auto` searches exactly; beyond, by inverted lists. Two CPU
# cores do 1e12 in about 100 s; the GPU's border is an estimate. Counted in work, not in seconds, so that the same
# catalogue gets the same index on every machine of its kind.
MAX_EXACT_WORK = {"cpu": 1e12, "cuda": 5e13}
L2_SPEED = 5  # times that of L1

Vectors = Float32[np.ndarray, "items size"]

_SIMILARITY: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    L1: lambda distances: -distances,
    L2: lambda distances: 1 - distances / 2,  # the cosine of two vectors of length 1
}


def nearest_by_vectors(
    name: str,
    vectors: Vectors,
    held: Held,
    neighbours: int,
    metric: int,
    *,
    device: torch.device,
    seed: int,
    index: str,
    progress: Progress,
    source_of: Sources | None = None,
) -> NeighbourLists:
    """The `neighbours` nearest ads of each ad by the vectors that they hold, as in `nearest_ads`.

    Similarities are minus the distance with the metric L1; with L2, which wants vectors of length 1, they are cosines.
    `index`: `exact` compares all with all; `ivf` probes inverted lists, as many as it takes to find 97 % of the
    exact neighbours of a sample; `auto` is `exact` up to `MAX_EXACT_WORK`, then `ivf`. `source_of`: as in
    `nearest_lists`.

    :raises NrlDedupError: `neighbours` is not positive or more than the GPU can keep, or `index` is unknown.
    """
    if neighbours < 1:
        raise NrlDedupError(f"--candidates {neighbours}: wanted 1 or more.")
    if index not in INDEXES:
        raise NrlDedupError(f"index {index}: wanted one of {', '.join(INDEXES)}.")
    distinct, number = np.unique(first_of_equal(vectors), return_inverse=True)
    if len(distinct) < len(vectors):
        vectors = np.ascontiguousarray(vectors[distinct])

    def make_index(searched: Items | None, progress: Progress) -> _VectorIndex:
        found_among = vectors if searched is None else vectors[searched]
        wanted = min(neighbours, len(found_among) - 1)
        search = None
        if len(found_among) > 1 or (searched is not None and len(searched)):
            askers = len(vectors) if searched is None else len(vectors) - len(searched)
            search = _choose(
                name, found_among, askers, wanted, metric, device, seed, index, progress
            )
        return _VectorIndex(vectors, searched, search, metric)

    equal = float(_SIMILARITY[metric](np.zeros(1))[0])
    renumbered = held.renumbered(number)
    return nearest_lists(name, renumbered, make_index, neighbours, equal, source_of, progress)


class _VectorIndex:
    """`across_sources.ItemIndex` over some of the vectors, or all. `search`: None where nothing can be found."""

    def __init__(
        self, vectors: Vectors, searched: Items | None, search: Search | None, metric: int
    ) -> None:
        self.name = "nothing to search" if search is None else search.name
        self.recall = 1.0 if search is None else search.recall
        self._vectors = vectors
        self._searched = searched
        self._search = search
        self._similarity = _SIMILARITY[metric]

    def nearest(self, queries: Items) -> Similar:
        if self._search is None:
            nothing = (len(queries), 0)
            return np.empty(nothing, np.float32), np.empty(nothing, np.int64)
        distances, found = self._search.nearest(self._vectors[queries])
        if self._searched is not None:
            found = np.append(self._searched, NONE)[found]  # the last place is that of NONE
        return self._similarity(distances), found


def _choose(
    name: str,
    vectors: Vectors,
    askers: int,
    neighbours: int,
    metric: int,
    device: torch.device,
    seed: int,
    index: str,
    progress: Progress,
) -> Search:
    device = faiss_device(device, progress)
    speed = L2_SPEED if metric == L2 else 1
    work = askers * len(vectors) * vectors.shape[1] / speed
    is_cheap = work <= MAX_EXACT_WORK[device.type]
    search: Search
    if index == "exact" or (index == "auto" and is_cheap):
        search = ExactSearch(vectors, neighbours, device, metric)
    else:
        search = InvertedSearch(vectors, neighbours, device, seed, metric)
    progress.say(f"Nearest by {name}: {search.name}; recall {search.recall:.3f} of exact search.")
    if search.recall < WANTED_RECALL:
        progress.warn(
            f"Blocking finds only {search.recall:.1%} of the {neighbours:,} nearest by {name}: these vectors have "
            "little structure to search by."
        )
    return search
