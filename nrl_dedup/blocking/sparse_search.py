"""The nearest of many sparse vectors by cosine: products of few rows at a time, through the lists of their columns."""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from scipy import sparse

from nrl_dedup.blocking.item_search import Similar
from nrl_dedup.blocking.neighbours import NONE

MAX_EXACT_WORK = 1e10  # products of an exact search: a few minutes of one core
POSTINGS = 30_000  # vectors that one vector sees by its rarest columns. Not tuned.
NET = 2  # times as many as are wanted are ranked by all columns. Not tuned.
SAMPLE = 500  # vectors; at 100 neighbours each, the recall is known to about 0.002
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
    """

    def __init__(
        self, weights: sparse.csr_array, neighbours: int, seed: int, device: torch.device
    ) -> None:
        counts = np.bincount(weights.indices, minlength=weights.shape[1])
        frequency = counts.astype(np.int64)
        is_shared = frequency > 1  # the other columns bring nobody together
        self._weights = weights[:, is_shared]
        self._frequency = frequency[is_shared]
        self._lists = self._weights.T.tocsr()
        self._neighbours = neighbours
        self._device = device
        work = float(self._frequency @ self._frequency)
        self._exact = device.type == "cuda" or work <= MAX_EXACT_WORK
        self.name = f"exact search among {weights.shape[0]:,} texts"
        self.recall = 1.0
        if not self._exact:
            self.name = f"search by the rarest stems ({POSTINGS:,} texts seen by each)"
            self.recall = self._measure(seed)

    def nearest(self, queries: Queries) -> Similar:
        """Cosines, descending, and rows of up to `neighbours` + 1 vectors, the query perhaps among them (with a cosine
        too low); at equal cosines the smaller row first. NONE and -inf where there are fewer."""
        rows = self._weights[queries]
        wanted = self._neighbours + 1
        if self._device.type == "cuda":
            count = self._weights.shape[0]
            return best_products(self._weights, rows, min(wanted, count), self._device)
        if self._exact:
            return self._best(rows, wanted)
        rarest = self._rarest(rows)
        _, found = self._best(rarest, NET * self._neighbours + 1)
        return self._ranked(queries, found)

    def _best(self, rows: sparse.csr_array, wanted: int) -> Similar:
        """The `wanted` rows with the largest products."""
        similarities = np.full((rows.shape[0], wanted), -np.inf, np.float32)
        found = np.full(similarities.shape, NONE)
        for some in self._chunks(rows):
            products = rows[some] @ self._lists
            starts = products.indptr[:-1]
            stops = products.indptr[1:]
            for place, start, stop in zip(some, starts, stops, strict=True):
                near = products.data[start:stop]
                other = products.indices[start:stop]
                if len(near) > wanted:
                    best = np.argpartition(-near, wanted)[:wanted]
                    near = near[best]
                    other = other[best]
                order = np.lexsort((other, -near))
                similarities[place, : len(order)] = near[order]
                found[place, : len(order)] = other[order]
        return similarities, found

    def _chunks(self, rows: sparse.csr_array) -> list[Int64[np.ndarray, "some"]]:
        """The numbers of the rows, divided so that some `CHUNK_PRODUCTS` products are made at a time."""
        work = np.append(self._frequency[rows.indices], 0)  # a start may be one behind the last
        products_of = np.add.reduceat(work, rows.indptr[:-1])
        is_empty = np.diff(rows.indptr) == 0
        products_of[is_empty] = 0
        part = np.cumsum(products_of) // CHUNK_PRODUCTS
        first_of_part = np.flatnonzero(np.diff(part)) + 1
        return np.split(np.arange(rows.shape[0]), first_of_part)

    def _rarest(self, rows: sparse.csr_array) -> sparse.csr_array:
        """Each row with the entries in its rarest columns only."""
        count = rows.shape[0]
        of_entry = np.repeat(np.arange(count), np.diff(rows.indptr))
        frequency = self._frequency[rows.indices]
        order = np.lexsort((frequency, of_entry))
        of_row = of_entry[order]
        frequency = frequency[order]
        seen = np.cumsum(frequency)
        is_first = np.diff(of_row, prepend=-1) != 0
        seen_before = (seen - frequency)[is_first]
        starts = np.append(np.flatnonzero(is_first), len(seen))
        seen_in_row = seen - np.repeat(seen_before, np.diff(starts))
        is_kept = is_first | (seen_in_row <= POSTINGS)
        entries = order[is_kept]
        entries_of_row = np.bincount(of_row[is_kept], minlength=count)
        indptr = np.concatenate([[0], np.cumsum(entries_of_row)])
        kept = (rows.data[entries], rows.indices[entries], indptr)
        return sparse.csr_array(kept, shape=rows.shape)

    def _ranked(self, queries: Queries, found: Int64[np.ndarray, "queries net"]) -> Similar:
        """The nearest of `found` by all columns."""
        query, column = np.nonzero(found != NONE)
        similarities = np.full(found.shape, -np.inf, np.float32)
        mean_entries = int(self._weights.nnz / max(1, self._weights.shape[0]))
        step = max(1, CHUNK_ENTRIES // max(1, mean_entries))
        for start in range(0, len(query), step):
            some_query = query[start : start + step]
            some_column = column[start : start + step]
            left = self._weights[queries[some_query]]
            right = self._weights[found[some_query, some_column]]
            similarities[some_query, some_column] = left.multiply(right).sum(axis=1)
        order = np.lexsort((found, -similarities))
        best = order[:, : self._neighbours + 1]
        best_similarities = np.take_along_axis(similarities, best, axis=1)
        best_found = np.take_along_axis(found, best, axis=1)
        return best_similarities, best_found

    def _measure(self, seed: int) -> float:
        """The recall on a sample; one that is as near as the last exact neighbour is found, so a tie is no loss."""
        count = self._weights.shape[0]
        random = np.random.default_rng(seed)
        drawn = random.choice(count, min(SAMPLE, count), replace=False)
        sample = np.sort(drawn)
        exact = self._best(self._weights[sample], self._neighbours + 1)
        exact_cosines = _of_others(sample, exact)
        cosines = _of_others(sample, self.nearest(sample))
        there = np.isfinite(exact_cosines)
        last = np.where(there, exact_cosines, np.inf).min(axis=1, keepdims=True)
        found = cosines >= last * (1 - TIE)
        return float(found.sum() / max(1, there.sum()))


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
    step = max(1, CHUNK_NUMBERS // max(weights.shape))
    similarities = np.empty((rows.shape[0], wanted), np.float32)
    found = np.empty((rows.shape[0], wanted), np.int64)
    for start in range(0, rows.shape[0], step):
        some = slice(start, start + step)
        dense = rows[some].T.toarray()
        columns = torch.from_numpy(dense).to(device)
        products = torch.sparse.mm(every, columns).T  # queries x rows of weights
        near, best = products.topk(wanted, dim=1)
        nothing = near <= 0
        similarities[some] = near.masked_fill(nothing, -torch.inf).cpu().numpy()
        found[some] = best.masked_fill(nothing, NONE).cpu().numpy()
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
