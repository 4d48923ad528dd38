"""Embeddings -> candidate pairs: each ad with its nearest neighbours in L1, without ever holding n x n."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.collapse import first_of_equal
from nrl_dedup.blocking.search import ExactSearch, InvertedSearch, Search, faiss_device, without_self
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.tables import CANDIDATE_PAIRS

INDEXES = ("auto", "exact", "ivf")
# Most coordinate differences (n * n * size) of an exact search before `auto` takes the inverted lists. Two CPU
# cores do 1e12 in about 100 s; the GPU's border is an estimate. Counted in work, not in seconds, so that the same
# catalogue gets the same index on every machine of its kind.
EXACT_WORK = {"cpu": 1e12, "cuda": 5e13}
QUERIES = 4_096


@dataclass(frozen=True)
class Candidates:
    """`frame`: `tables.CANDIDATE_PAIRS` with rows of z, ordered by row_l, row_r.

    `index`: the search that was used, in words. `recall`: the share of the exact nearest neighbours that it found
    on a sample of the ads (1.0 where the search is exact).
    """

    frame: pl.DataFrame
    index: str
    recall: float


def find_candidates(
    z: Float32[np.ndarray, "ads size"],
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    index: str = "auto",
    progress: Progress = SILENT,
) -> Candidates:
    """Pair each ad with its `neighbours` nearest ads by sum_i |z_l - z_r|_i, z being h scaled by |w|.

    `index`: `exact` compares all with all; `ivf` probes inverted lists, as many as it takes to find 97 % of the
    exact neighbours of a sample; `auto` is `exact` up to `EXACT_WORK`, then `ivf`. An ad is never its own
    neighbour. Ads at the same distance as the last neighbour may be left out; which ones is arbitrary but the same
    in each run.

    Crowds: where more than `neighbours` ads have one and the same vector, each is the nearest neighbour of all the
    others, and no list of `neighbours` could leave the crowd. Only the crowd's smallest row is then searched (and
    found by others); the rest are paired with it.

    The same z and seed give the same pairs on the same kind of processor. Runs on the GPU where `device` is one
    and this FAISS has GPU code (written after FAISS's documentation; not yet measured on a GPU).

    :raises NrlDedupError: `neighbours` is not positive or more than the GPU can keep, `index` is unknown, or z
        holds values that are not finite.
    """
    if neighbours < 1:
        raise NrlDedupError(f"--neighbours {neighbours}: wanted 1 or more.")
    if index not in INDEXES:
        raise NrlDedupError(f"index {index}: wanted one of {', '.join(INDEXES)}.")
    if not np.isfinite(z.sum(dtype=np.float64)):
        raise NrlDedupError("The embeddings hold values that are not finite numbers. Train with a lower --lr.")
    if len(z) <= 1:
        return Candidates(pl.DataFrame(schema=CANDIDATE_PAIRS), "nothing to search", 1.0)

    leader = _crowd_leaders(z, neighbours)
    searched = np.flatnonzero(leader == np.arange(len(z)))
    members = np.flatnonzero(leader != np.arange(len(z)))
    if len(members):
        progress.say(
            f"{len(members):,} ads have the vector of more than {neighbours:,} others; each is paired with the "
            "first of those."
        )
    distinct = z[searched] if len(members) else np.ascontiguousarray(z)
    search = _choose(distinct, min(neighbours, len(distinct) - 1), device, seed, index, progress)
    row_l, row_r = _pairs(distinct, search, progress)
    frame = pl.DataFrame(
        {
            "row_l": np.concatenate([searched[row_l], leader[members]]),
            "row_r": np.concatenate([searched[row_r], members]),
        },
        schema=CANDIDATE_PAIRS,
    )
    return Candidates(frame.sort("row_l", "row_r") if len(members) else frame, search.name, search.recall)


def _crowd_leaders(z: Float32[np.ndarray, "ads size"], neighbours: int) -> Int64[np.ndarray, "ads"]:
    """Each ad's own row; inside a crowd of more than `neighbours` ads with one vector, its smallest row."""
    first = first_of_equal(z)
    crowded = np.bincount(first, minlength=len(z)) > neighbours
    return np.where(crowded[first], first, np.arange(len(z)))


def _choose(
    z: Float32[np.ndarray, "ads size"],
    neighbours: int,
    device: torch.device,
    seed: int,
    index: str,
    progress: Progress,
) -> Search:
    device = faiss_device(device, progress)
    work = len(z) * len(z) * z.shape[1]
    if index == "exact" or (index == "auto" and work <= EXACT_WORK[device.type]):
        search: Search = ExactSearch(z, neighbours, device)
    else:
        search = InvertedSearch(z, neighbours, device, seed)
    progress.say(f"Candidate pairs by {search.name}; recall {search.recall:.3f} of exact search.")
    if search.recall < InvertedSearch.WANTED_RECALL:
        progress.warn(
            f"Blocking finds only {search.recall:.1%} of each ad's {neighbours:,} nearest ads: these embeddings "
            "have little structure to search by."
        )
    return search


def _pairs(
    z: Float32[np.ndarray, "ads size"], search: Search, progress: Progress
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """The unique pairs l < r, ordered, of each ad and the neighbours that `search` finds.

    A pair is one number, l * n + r: 8 bytes for each neighbour of each ad are all that is held, sorted in place.
    """
    keys = np.empty(len(z) * search.neighbours, dtype=np.int64)
    filled = 0
    with progress.task("candidate pairs", len(z)) as task:
        for start in range(0, len(z), QUERIES):
            rows = np.arange(start, min(start + QUERIES, len(z)))
            _, found = search.nearest(z[rows])
            query, column = np.nonzero(without_self(found, rows))
            left, right = rows[query], found[query, column]
            keys[filled : filled + len(left)] = np.minimum(left, right) * len(z) + np.maximum(left, right)
            filled += len(left)
            task.advance(len(rows))
    keys = keys[:filled]
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) != 0]
    return keys // len(z), keys % len(z)
