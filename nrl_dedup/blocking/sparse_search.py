"""The nearest of many sparse vectors by cosine: products of few rows at a time, through the lists of their columns."""

import numpy as np
import torch
from jaxtyping import Int64
from scipy import sparse

from nrl_dedup.blocking.item_search import Similar
from nrl_dedup.blocking.neighbours import NONE

EXACT_WORK = 1e10  # most products of an exact search: a few minutes of one core
POSTINGS = 30_000
PRODUCTS_AT_ONCE = 2**23  # 100 MB
NUMBERS_AT_ONCE = 2**28  # on a GPU: 1 GiB, twice
ENTRIES_AT_ONCE = 2**22
SAMPLE = 500
WIDER = 2


class SparseSearch:
    """Compares every vector with all that share a column with it, up to `EXACT_WORK` products of two entries; on a GPU
    always (written after PyTorch's documentation; not yet measured on a GPU).

    Beyond that, a vector looks by its rarest columns only: as many of them as stand in `POSTINGS` vectors together,
    and at least one. Of the `WIDER` times as many that are nearest by these, the nearest by all columns are kept. Its
    work grows with the number of vectors, not with its square.

    :param weights: a row of length 1 for each vector, f32.
    """

    def __init__(
        self, weights: sparse.csr_array, neighbours: int, seed: int, device: torch.device
    ) -> None:
        frequency = np.bincount(weights.indices, minlength=weights.shape[1]).astype(np.int64)
        self._weights = weights[:, frequency > 1]  # the other columns bring nobody together
        self._frequency = frequency[frequency > 1]
        self._lists = self._weights.T.tocsr()
        self._wanted = neighbours
        self._device = device
        self._exact = (
            device.type == "cuda" or float(self._frequency @ self._frequency) <= EXACT_WORK
        )
        self.name = f"exact search among {weights.shape[0]:,} texts"
        self.recall = 1.0
        if not self._exact:
            self.name = f"search by the rarest stems ({POSTINGS:,} texts seen by each)"
            self.recall = self._measure(seed)

    def nearest(self, queries: Int64[np.ndarray, "queries"]) -> Similar:
        """Cosines, descending, and rows of up to `neighbours` + 1 vectors, the query perhaps among them (with a cosine
        too low); at equal cosines the smaller row first. NONE and -inf where there are fewer."""
        rows = self._weights[queries]
        if self._device.type == "cuda":
            return best_products(
                self._weights, rows, min(self._wanted + 1, self._weights.shape[0]), self._device
            )
        if self._exact:
            return self._best(rows, self._wanted + 1)
        _, found = self._best(self._rarest(rows), WIDER * self._wanted + 1)
        return self._ranked(queries, found)

    def _best(self, rows: sparse.csr_array, wanted: int) -> Similar:
        """The `wanted` rows with the largest products."""
        similarities = np.full((rows.shape[0], wanted), -np.inf, np.float32)
        found = np.full(similarities.shape, NONE)
        products_of = np.add.reduceat(np.append(self._frequency[rows.indices], 0), rows.indptr[:-1])
        products_of[np.diff(rows.indptr) == 0] = 0
        part = np.cumsum(products_of) // PRODUCTS_AT_ONCE
        for some in np.split(np.arange(rows.shape[0]), np.flatnonzero(np.diff(part)) + 1):
            products = rows[some] @ self._lists
            for place, start, stop in zip(
                some, products.indptr[:-1], products.indptr[1:], strict=True
            ):
                near, other = products.data[start:stop], products.indices[start:stop]
                if len(near) > wanted:
                    best = np.argpartition(-near, wanted)[:wanted]
                    near, other = near[best], other[best]
                order = np.lexsort((other, -near))
                similarities[place, : len(order)] = near[order]
                found[place, : len(order)] = other[order]
        return similarities, found

    def _rarest(self, rows: sparse.csr_array) -> sparse.csr_array:
        """Each row with the entries in its rarest columns only."""
        of_row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        frequency = self._frequency[rows.indices]
        order = np.lexsort((frequency, of_row))
        of_row, seen = of_row[order], np.cumsum(frequency[order])
        first = np.diff(of_row, prepend=-1) != 0
        before = (seen - frequency[order])[first]
        kept = first | (
            seen - np.repeat(before, np.diff(np.append(np.flatnonzero(first), len(seen))))
            <= POSTINGS
        )
        entries = order[kept]
        ends = np.concatenate([[0], np.cumsum(np.bincount(of_row[kept], minlength=rows.shape[0]))])
        return sparse.csr_array((rows.data[entries], rows.indices[entries], ends), shape=rows.shape)

    def _ranked(
        self, queries: Int64[np.ndarray, "queries"], found: Int64[np.ndarray, "queries net"]
    ) -> Similar:
        """The nearest of `found` by all columns."""
        query, column = np.nonzero(found != NONE)
        similarities = np.full(found.shape, -np.inf, np.float32)
        entries = max(1, int(self._weights.nnz / max(1, self._weights.shape[0])))
        step = max(1, ENTRIES_AT_ONCE // entries)
        for start in range(0, len(query), step):
            some = slice(start, start + step)
            left = self._weights[queries[query[some]]]
            right = self._weights[found[query[some], column[some]]]
            similarities[query[some], column[some]] = left.multiply(right).sum(axis=1)
        order = np.lexsort((found, -similarities))[:, : self._wanted + 1]
        return np.take_along_axis(similarities, order, axis=1), np.take_along_axis(
            found, order, axis=1
        )

    def _measure(self, seed: int) -> float:
        """The recall on a sample; one that is as near as the last exact neighbour is found, so a tie is no loss."""
        count = self._weights.shape[0]
        sample = np.sort(
            np.random.default_rng(seed).choice(count, min(SAMPLE, count), replace=False)
        )
        results = [self._best(self._weights[sample], self._wanted + 1), self.nearest(sample)]
        exact, near = (
            np.where(found == sample[:, None], -np.inf, cosines) for cosines, found in results
        )
        there = np.isfinite(exact)
        last = np.where(there, exact, np.inf).min(axis=1, keepdims=True) * (1 - 1e-5)
        return float((near >= last).sum() / max(1, there.sum()))


def best_products(
    weights: sparse.csr_array, rows: sparse.csr_array, wanted: int, device: torch.device
) -> Similar:
    """The `wanted` rows of `weights` with the largest positive products with each of `rows`, all of them computed."""
    entries = weights.tocoo()
    places = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    data = torch.from_numpy(entries.data)
    every = torch.sparse_coo_tensor(
        places, data, weights.shape, device=device, check_invariants=True
    ).coalesce()
    step = max(1, NUMBERS_AT_ONCE // max(weights.shape))
    similarities = np.empty((rows.shape[0], wanted), np.float32)
    found = np.empty((rows.shape[0], wanted), np.int64)
    for start in range(0, rows.shape[0], step):
        some = slice(start, start + step)
        columns = torch.from_numpy(rows[some].T.toarray()).to(device)
        near, best = torch.sparse.mm(every, columns).T.topk(wanted, dim=1)  # queries x wanted
        nothing = near <= 0
        similarities[some] = near.masked_fill(nothing, -torch.inf).cpu().numpy()
        found[some] = best.masked_fill(nothing, NONE).cpu().numpy()
    return similarities, found
