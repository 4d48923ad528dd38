"""The two ways to the nearest vectors in L1 or L2: compare with all, or with those in the likeliest inverted lists."""

from typing import Any, Protocol, runtime_checkable

import faiss
import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Progress

MAX_ON_GPU = 2_048  # FAISS on a GPU keeps, and probes, no more
CHUNK_COORDINATES = 2**24  # of the vectors that re-ranking holds at a time: 64 MiB
WANTED_RECALL = 0.97  # of inverted lists. Not tuned.
TIE = 1e-5  # relative: a distance that is larger by less counts as equal, as 32 bits round differently in other orders

L1, L2 = faiss.METRIC_L1, faiss.METRIC_L2  # FAISS's distances in L2 are squared

Vectors = Float32[np.ndarray, "ads size"]
Queries = Float32[np.ndarray, "queries size"]
Found = tuple[Float32[np.ndarray, "queries found"], Int64[np.ndarray, "queries found"]]


@runtime_checkable
class Search(Protocol):
    """An index over vectors, built once and asked in chunks.

    `name`: in words, for the user. `recall`: the share of the exact nearest neighbours that it finds.
    """

    name: str
    neighbours: int
    recall: float

    def nearest(self, queries: Queries) -> Found:
        """Distances, ascending, and rows of the `neighbours` + 1 nearest vectors (a query that is itself one of the
        vectors is its own nearest); row -1 where fewer were found."""


def faiss_device(device: torch.device, progress: Progress) -> torch.device:
    """`device`, or the CPU where `device` is a GPU and this FAISS has no GPU code."""
    if device.type != "cuda":
        return device
    has_gpu_code = hasattr(faiss, "get_num_gpus") and faiss.get_num_gpus() > 0
    if not has_gpu_code:
        progress.say("This FAISS has no GPU code: candidate pairs are searched on the CPU.")
        return torch.device("cpu")
    return device


def without_self(
    found: Int64[np.ndarray, "queries found"], rows: Int64[np.ndarray, "queries"]
) -> Bool[np.ndarray, "queries found"]:
    """Where `found` names a neighbour of its query in `rows`: another row, one fewer than were asked for.

    Where the query's own row is not among them, because all found are at distance 0, the last goes instead.
    """
    is_other = found != rows[:, None]
    others = is_other & (found >= 0)
    lacks_itself = others.all(axis=1)
    others[:, -1] &= ~lacks_itself
    return others


class ExactSearch:
    """Every vector is compared with every other (FAISS's flat index)."""

    def __init__(
        self,
        z: Vectors,
        neighbours: int,
        device: torch.device,
        metric: int = L1,
    ) -> None:
        _check_neighbours(neighbours, device)
        self.name = f"exact search among {len(z):,}"
        self.neighbours = neighbours
        self.recall = 1.0
        index = faiss.IndexFlat(z.shape[1], metric)
        self._index, self._resources = _place(index, device)
        self._index.add(z)

    def nearest(self, queries: Queries) -> Found:
        """As in `Search`."""
        return self._index.search(queries, self.neighbours + 1)


class InvertedSearch:
    """The vectors are divided into about 4 sqrt(n) lists, each around a k-means centre; a query sees the nearest lists.

    On the CPU the lists are compared in `metric` itself. On a GPU FAISS compares lists in L2 only: where L1 is wanted
    it gives a wider net, which is then ranked by L1.

    The number of lists that a query sees (and the net, with its square root) grows until `WANTED_RECALL` of the
    exact neighbours of `SAMPLE` vectors are found, or until a quarter of all lists are seen: exact search would not
    take much longer then.

    :param in_lists: the metric in which lists are compared; by default what the device allows.
    """

    SAMPLE = 500  # vectors by which the recall is measured. Not tuned.
    FIRST_PROBES = 8  # lists of the first try. Not tuned.
    GROWTH = 1.25  # from one try to the next: the search is at most so much wider than it need be
    FIRST_NET = 10  # times the neighbours, at `FIRST_PROBES`: the nearest in L2 from which those in L1 are taken
    MAX_TRAINING_VECTORS = 64  # of each list, for k-means. Not tuned.
    ROUNDS = 10  # of k-means: FAISS's default for inverted lists

    def __init__(
        self,
        z: Vectors,
        neighbours: int,
        device: torch.device,
        seed: int,
        metric: int = L1,
        in_lists: int | None = None,
    ) -> None:
        _check_neighbours(neighbours, device)
        if in_lists is None:
            in_lists = metric if device.type == "cpu" else L2
        random = np.random.default_rng(seed)
        self.neighbours = neighbours
        self._metric = metric
        self._net = neighbours + 1
        self._vectors = None
        if in_lists != metric:
            self._vectors = torch.from_numpy(z).to(device)
        self._max_found = MAX_ON_GPU if device.type == "cuda" else len(z)
        usual = int(4 * len(z) ** 0.5)
        lists = max(1, min(usual, len(z) // 4))
        size = z.shape[1]

        centres = faiss.IndexFlat(size, in_lists)
        index = faiss.IndexIVFFlat(centres, size, lists, in_lists)
        self._trainer = faiss.IndexFlatL2(size)  # the index does not keep it alive
        index.clustering_index = self._trainer
        index.cp.seed = int(random.integers(2**31))
        index.cp.niter = self.ROUNDS
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = self.MAX_TRAINING_VECTORS
        self._index, self._resources = _place(index, device)
        self._index.train(z)
        self._index.add(z)

        sample_size = min(self.SAMPLE, len(z))
        drawn = random.choice(len(z), sample_size, replace=False)
        sample = np.sort(drawn)
        self.recall = self._tune(z, sample, lists)
        self.name = f"inverted lists ({self._index.nprobe:,} of {lists:,} seen by each)"

    def nearest(self, queries: Queries) -> Found:
        """As in `Search`."""
        distances, rows = self._index.search(queries, self._net)
        if self._vectors is None:
            return distances, rows
        return _ranked_by_l1(queries, self._vectors, rows, self.neighbours + 1)

    def _tune(self, z: Vectors, sample: Int64[np.ndarray, "sample"], lists: int) -> float:
        """Widen the search until the recall suffices, and return the recall reached.

        A neighbour counts as found if it is no farther than the last exact one, so a tie is no loss.
        """
        exact, _ = faiss.knn(z[sample], z, self.neighbours + 1, metric=self._metric)
        last = exact[:, -1:] * (1 + TIE)
        wanted = self.neighbours * len(sample)
        max_probes = max(1, min(lists // 4, self._max_found))
        probes = min(self.FIRST_PROBES, max_probes)
        while True:
            self._index.nprobe = probes
            if self._vectors is not None:
                self._net = self._net_of(probes)
            distances, rows = self.nearest(z[sample])
            is_near = distances <= last
            found = without_self(rows, sample) & is_near
            recall = float(found.sum() / wanted)
            if recall >= WANTED_RECALL or probes == max_probes:
                return recall
            wider = int(probes * self.GROWTH) + 1
            probes = min(wider, max_probes)

    def _net_of(self, probes: int) -> int:
        """How many vectors that are near in L2 are ranked by L1."""
        width = self.FIRST_NET * (probes / self.FIRST_PROBES) ** 0.5
        net = int((self.neighbours + 1) * max(1, width))
        return min(net, self._max_found)


def _check_neighbours(neighbours: int, device: torch.device) -> None:
    if device.type == "cuda" and neighbours >= MAX_ON_GPU:
        raise NrlDedupError(
            f"--candidates {neighbours}: FAISS finds at most {MAX_ON_GPU - 1} on a GPU. Ask for fewer, or use "
            "--device cpu."
        )


def _place(index: Any, device: torch.device) -> tuple[Any, Any]:
    """`index` on `device`, and FAISS's handle of the GPU, which must live as long as the index."""
    if device.type == "cpu":
        return index, None
    resources = faiss.StandardGpuResources()
    on_gpu = faiss.index_cpu_to_gpu(resources, device.index or 0, index)
    return on_gpu, resources


def _ranked_by_l1(
    queries: Queries,
    vectors: Float32[torch.Tensor, "ads size"],
    rows: Int64[np.ndarray, "queries net"],
    wanted: int,
) -> Found:
    """The `wanted` nearest in L1 of each query's `rows` (-1: none), ties in the order of `rows`."""
    distances = np.empty((len(rows), wanted), dtype=np.float32)
    nearest = np.empty((len(rows), wanted), dtype=np.int64)
    coordinates = rows.shape[1] * vectors.shape[1]  # of one query
    step = max(1, CHUNK_COORDINATES // coordinates)
    for start in range(0, len(rows), step):
        chunk = slice(start, start + step)
        net = torch.from_numpy(rows[chunk]).to(vectors.device)
        query = torch.from_numpy(queries[chunk]).to(vectors.device)
        gathered = vectors[net.clamp(min=0)]
        apart = (gathered - query[:, None]).abs_().sum(dim=2)  # queries x net
        apart = apart.masked_fill_(net < 0, torch.inf)
        ascending, order = apart.sort(dim=1, stable=True)
        best = net.gather(1, order[:, :wanted])
        distances[chunk] = ascending[:, :wanted].cpu().numpy()
        nearest[chunk] = best.cpu().numpy()
    return distances, nearest
