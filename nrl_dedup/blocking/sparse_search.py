"""The nearest of many sparse vectors by cosine: products of few rows at a time, through the lists of their columns."""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from scipy import sparse

from nrl_dedup.blocking.item_search import Similar
from nrl_dedup.blocking.neighbours import NONE
from nrl_dedup.features.text.words import offsets_of

MAX_EXACT_WORK = 1e10  # products of an exact search: a few minutes of one core
POSTINGS = 30_000  # vectors that one vector sees by its rarest columns. Not tuned.
NET = 2  # times as many as are wanted are ranked by all columns. Not tuned.
SAMPLE = 500  # vectors by which the recall is measured. Not tuned.
TIE = 1e-5  # relative: a cosine that is smaller by less counts as equal, as 32 bits round differently in other orders
CHUNK_PRODUCTS = 2**23  # 100 MB
CHUNK_NUMBERS = 2**28  # on a GPU: 1 GiB, twice
CHUNK_ENTRIES = 2**22  # 50 MB

Queries = Int64[np.ndarray, "queries"]


class SparseSearch:
    """Compares every vector with all that share a column with it, up to `MAX_EXACT_WORK` products of two entries; on a
    GPU always (written after PyTorch's documentation; not yet measured on a GPU).

    Beyond that, a vector looks by its rarest columns only: as many of them as occur in `POSTINGS` vectors together,
    and at least one. Of the `NET` times as many that are nearest by these, the nearest by all columns are kept. Its
    work grows with the number of vectors, not with its square.

    :param weights: a row of length 1 for each vector, f32.
    :param searched: the vectors that are looked for, ascending, by all others; None: all are, by all.
    """

    def __init__(
        self,
        weights: sparse.csr_array,
        neighbours: int,
        seed: int,
        device: torch.device,
        searched: Queries | None = None,
    ) -> None:
        vectors, columns = weights.shape
        all_frequency = np.bincount(weights.indices, minlength=columns).astype(np.int64)
        frequency = all_frequency
        if searched is not None:
            found_in = weights[searched].indices
            frequency = np.bincount(found_in, minlength=columns).astype(np.int64)
        is_shared = (all_frequency > 1) & (frequency > 0)  # the others bring nobody together
        self._weights = weights[:, is_shared]
        self._frequency = frequency[is_shared]
        self._searched = searched
        self._among = self._weights if searched is None else self._weights[searched]
        self._lists = self._among.T.tocsr()
        self._neighbours = neighbours
        self._device = device
        work = float(all_frequency[is_shared] @ self._frequency)
        self._count = self._among.shape[0]
        self._on_gpu = device.type == "cuda"
        is_cheap = work <= MAX_EXACT_WORK
        self._exact = self._on_gpu or is_cheap
        self.name = f"exact search among {self._count:,} texts"
        self.recall = 1.0
        if not self._exact:
            self.name = f"search by the rarest stems ({POSTINGS:,} texts seen by each)"
            self.recall = self._measure(seed, vectors)

    def nearest(self, queries: Queries) -> Similar:
        """Cosines, descending, and rows of up to `neighbours` + 1 vectors, the query perhaps among them (with a cosine
        too low); at equal cosines the smaller row first. NONE and -inf where there are fewer."""
        similarities, places = self._nearest_places(queries)
        if self._searched is None:
            return similarities, places
        return similarities, np.append(self._searched, NONE)[
            places
        ]  # the last place is that of NONE

    def _nearest_places(self, queries: Queries) -> Similar:
        """The same, as places among those that are searched."""
        rows = self._weights[queries]
        wanted = self._neighbours + 1
        if self._on_gpu:
            at_most = min(wanted, self._count)
            return best_products(self._among, rows, at_most, self._device)
        if self._exact:
            return self._best(rows, wanted)
        rarest = self._rarest(rows)
        net = NET * self._neighbours + 1
        _, found = self._best(rarest, net)
        return self._ranked(queries, found)

    def _best(self, rows: sparse.csr_array, wanted: int) -> Similar:
        """The `wanted` rows with the largest products."""
        count = rows.shape[0]
        shape = (count, wanted)
        similarities = np.full(shape, -np.inf, np.float32)
        found = np.full(shape, NONE)
        for some in self._chunks(rows):
            products = rows[some] @ self._lists
            starts = products.indptr[:-1]
            stops = products.indptr[1:]
            for place, start, stop in zip(some, starts, stops, strict=True):
                near = products.data[start:stop]
                other = products.indices[start:stop]
                if len(near) > wanted:
                    best_first = np.argpartition(-near, wanted)
                    best = best_first[:wanted]
                    near = near[best]
                    other = other[best]
                order = np.lexsort((other, -near))
                filled = len(order)
                similarities[place, :filled] = near[order]
                found[place, :filled] = other[order]
        return similarities, found

    def _chunks(self, rows: sparse.csr_array) -> list[Int64[np.ndarray, "some"]]:
        """The numbers of the rows, divided so that some `CHUNK_PRODUCTS` products are made at a time."""
        frequency = self._frequency[rows.indices]
        padded = np.append(frequency, 0)  # the start of an empty last row is after the last entry
        starts = rows.indptr[:-1]
        products_of = np.add.reduceat(padded, starts)
        entries = np.diff(rows.indptr)
        products_of[entries == 0] = 0
        products_so_far = np.cumsum(products_of)
        part = products_so_far // CHUNK_PRODUCTS
        is_last_of_part = np.diff(part) != 0
        ends = np.flatnonzero(is_last_of_part) + 1
        numbers = np.arange(rows.shape[0])
        return np.split(numbers, ends)

    def _rarest(self, rows: sparse.csr_array) -> sparse.csr_array:
        """Each row with the entries in its rarest columns only."""
        count = rows.shape[0]
        entries_of_row = np.diff(rows.indptr)
        of_entry = np.repeat(np.arange(count), entries_of_row)
        frequency = self._frequency[rows.indices]
        order = np.lexsort((frequency, of_entry))
        of_row = of_entry[order]
        frequency = frequency[order]
        seen = np.cumsum(frequency)
        is_first = np.diff(of_row, prepend=-1) != 0
        before_entry = seen - frequency
        before_row = before_entry[is_first]
        starts = np.flatnonzero(is_first)
        ends = np.append(starts, len(seen))
        entries = np.diff(ends)  # of each row that has any
        seen_in_row = seen - np.repeat(before_row, entries)
        is_rare = seen_in_row <= POSTINGS
        is_kept = is_first | is_rare
        kept = order[is_kept]
        kept_of_row = np.bincount(of_row[is_kept], minlength=count)
        indptr = offsets_of(kept_of_row)
        data = rows.data[kept]
        indices = rows.indices[kept]
        return sparse.csr_array((data, indices, indptr), shape=rows.shape)

    def _ranked(self, queries: Queries, found: Int64[np.ndarray, "queries net"]) -> Similar:
        """The nearest of `found` by all columns."""
        query, column = np.nonzero(found != NONE)
        similarities = np.full(found.shape, -np.inf, np.float32)
        mean_entries = int(self._among.nnz / max(1, self._count))
        pairs = CHUNK_ENTRIES // max(1, mean_entries)
        step = max(1, pairs)
        for start in range(0, len(query), step):
            some_query = query[start : start + step]
            some_column = column[start : start + step]
            place = (some_query, some_column)
            left = self._weights[queries[some_query]]
            right = self._among[found[place]]
            products = left.multiply(right)
            similarities[place] = products.sum(axis=1)
        order = np.lexsort((found, -similarities))
        best = order[:, : self._neighbours + 1]
        best_similarities = np.take_along_axis(similarities, best, axis=1)
        best_found = np.take_along_axis(found, best, axis=1)
        return best_similarities, best_found

    def _measure(self, seed: int, vectors: int) -> float:
        """The recall on a sample; one that is as near as the last exact neighbour is found, so a tie is no loss."""
        random = np.random.default_rng(seed)
        size = min(SAMPLE, vectors)
        drawn = random.choice(vectors, size, replace=False)
        sample = np.sort(drawn)
        rows = self._weights[sample]
        own_places = sample
        if self._searched is not None:
            own_places = np.full(size, NONE)  # none of a query's finds is left out
        exact = self._best(rows, self._neighbours + 1)
        exact_cosines = _of_others(own_places, exact)
        found = self._nearest_places(sample)
        cosines = _of_others(own_places, found)
        there = np.isfinite(exact_cosines)
        or_infinite = np.where(there, exact_cosines, np.inf)
        last = or_infinite.min(axis=1, keepdims=True)
        is_near = cosines >= last * (1 - TIE)
        wanted = max(1, there.sum())
        return float(is_near.sum() / wanted)


def _of_others(queries: Queries, similar: Similar) -> Float32[np.ndarray, "queries found"]:
    """The cosines, -inf of a query with itself."""
    cosines, found = similar
    is_itself = found == queries[:, None]
    return np.where(is_itself, np.float32(-np.inf), cosines)


def best_products(
    weights: sparse.csr_array, rows: sparse.csr_array, wanted: int, device: torch.device
) -> Similar:
    """The `wanted` rows of `weights` with the largest positive products with each of `rows`, all of them computed."""
    every = _on_device(weights, device)
    numbers_of_row = max(weights.shape)
    step = max(1, CHUNK_NUMBERS // numbers_of_row)
    count = rows.shape[0]
    shape = (count, wanted)
    similarities = np.empty(shape, np.float32)
    found = np.empty(shape, np.int64)
    for start in range(0, count, step):
        some = slice(start, start + step)
        dense = rows[some].T.toarray()
        columns = torch.from_numpy(dense).to(device)
        products = torch.sparse.mm(every, columns).T  # queries x rows of weights
        near, best = products.topk(wanted, dim=1)
        nothing = near <= 0
        near = near.masked_fill(nothing, -torch.inf)
        best = best.masked_fill(nothing, NONE)
        similarities[some] = near.cpu().numpy()
        found[some] = best.cpu().numpy()
    return similarities, found


def _on_device(weights: sparse.csr_array, device: torch.device) -> torch.Tensor:
    entries = weights.tocoo()
    places = np.stack([entries.row, entries.col]).astype(np.int64)
    tensor = torch.sparse_coo_tensor(
        torch.from_numpy(places),
        torch.from_numpy(entries.data),
        weights.shape,
        device=device,
        check_invariants=True,
    )
    return tensor.coalesce()
