"""The text space: the words of title and description, weighted by how rare they are, compared by cosine.

It needs no model and no language. A word of letters counts by its first five (so most endings do not matter), one
with a digit in it as a whole (so sizes and model codes do).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64
from scipy import sparse

from nrl_dedup.blocking.exact_duplicates import first_of_equal_rows
from nrl_dedup.blocking.item_search import Held, nearest_ads
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.blocking.sparse_search import SparseSearch
from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.runtime.progress import SILENT, Progress

STEM = 5
GRAM = 4
ADS_AT_ONCE = 50_000

_WORD = r"[\p{L}\p{M}\p{N}]+"


@dataclass(frozen=True)
class Texts:
    """How often each of `words` stands in each ad: `counts`, int32, a row for each ad."""

    counts: sparse.csr_array
    words: pl.Series


def read_texts(catalogue: pl.DataFrame, progress: Progress = SILENT) -> Texts:
    """The words (letters and digits) of each ad's title and description, in NFC and lower case, their look-alike
    letters put right; numbered in the order of their first sight."""
    known = pl.DataFrame(schema={"word": pl.String, "id": pl.UInt32})
    parts = []
    with progress.task("texts", len(catalogue)) as task:
        for start in range(0, len(catalogue), ADS_AT_ONCE):
            part = catalogue[start : start + ADS_AT_ONCE]
            texts = fold_twins(
                (part["title"] + " " + part["description"]).str.normalize("NFC")
            ).str.to_lowercase()
            found = pl.DataFrame({"word": texts.str.extract_all(_WORD)}).with_row_index("row")
            found = (
                found.explode("word")
                .drop_nulls()
                .group_by("row", "word", maintain_order=True)
                .agg(n=pl.len())
            )
            new = found.select(pl.col("word").unique(maintain_order=True))
            new = new.join(known, on="word", how="anti", maintain_order="left")
            known = pl.concat(
                [known, new.with_row_index("id", offset=len(known)).select("word", "id")]
            )
            found = found.join(known, on="word", how="left", maintain_order="left").sort(
                "row", "id"
            )
            ends = np.concatenate([[0], np.cumsum(np.bincount(found["row"], minlength=len(part)))])
            parts.append(
                (
                    found["n"].to_numpy().astype(np.int32),
                    found["id"].to_numpy().astype(np.int32),
                    ends,
                )
            )
            task.advance(len(part))
    shape = len(known)
    rows = [sparse.csr_array(part, shape=(len(part[2]) - 1, shape)) for part in parts]
    counts = (
        sparse.vstack(rows, format="csr") if rows else sparse.csr_array((0, shape), dtype=np.int32)
    )
    return Texts(counts, known["word"])


def stems(words: pl.Series) -> sparse.csr_array:
    """A row for each word, with a 1 at its stem."""
    stem = pl.when(words.str.contains(r"\p{N}")).then(words).otherwise(words.str.slice(0, STEM))
    return _pieces(pl.select(word=pl.int_range(len(words)), piece=stem), len(words))


def grams(words: pl.Series) -> sparse.csr_array:
    """A row for each word: how often it has each run of four letters, a blank before it and one after it."""
    frame = pl.DataFrame({"piece": " " + words + " "}).with_row_index("word")
    starts = pl.int_ranges(
        0, pl.max_horizontal(pl.col("piece").str.len_chars().cast(pl.Int64) - GRAM + 1, 1)
    )
    frame = frame.with_columns(start=starts).explode("start")
    return _pieces(frame.select("word", pl.col("piece").str.slice("start", GRAM)), len(words))


def _pieces(frame: pl.DataFrame, words: int) -> sparse.csr_array:
    """`frame`: columns word (number) and piece."""
    distinct = frame.select(pl.col("piece").unique(maintain_order=True)).with_row_index("id")
    found = frame.join(distinct, on="piece", how="left", maintain_order="left")
    entries = (
        np.ones(len(found), np.int32),
        (found["word"].to_numpy(), found["id"].to_numpy().astype(np.int64)),
    )
    return sparse.coo_array(entries, shape=(words, len(distinct))).tocsr()


@dataclass(frozen=True)
class Weigher:
    """tf-idf of the pieces of words. `pieces`: a row for each word, how often it has each piece; `rarity`: of each."""

    pieces: sparse.csr_array
    rarity: Float64[np.ndarray, " pieces"]

    @classmethod
    def of(cls, pieces: sparse.csr_array, counts: sparse.csr_array, least: int = 1) -> "Weigher":
        """With the rarity 1 + log((1 + N) / (1 + d)) of each piece that stands in d >= `least` of the N ads of
        `counts`; the other pieces are left out."""
        frequency = np.bincount((counts @ pieces).indices, minlength=pieces.shape[1])
        kept = frequency >= least
        return cls(pieces[:, kept], 1 + np.log((1 + counts.shape[0]) / (1 + frequency[kept])))

    def weights(self, counts: sparse.csr_array) -> sparse.csr_array:
        """(1 + log n) rarity of each piece that stands n times in an ad (Salton and Buckley 1988; smoothed as in
        scikit-learn): a row for each ad, divided by its length, f32; empty where an ad has no piece."""
        found = (counts @ self.pieces).tocsr()
        found.sort_indices()
        weights = (1 + np.log(found.data)) * self.rarity[found.indices]
        of_ad = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        length = np.sqrt(np.bincount(of_ad, weights**2, minlength=found.shape[0]))
        data = (weights / length[of_ad]).astype(np.float32)
        return sparse.csr_array((data, found.indices, found.indptr), shape=found.shape)


def text_neighbours(
    texts: Texts,
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    progress: Progress = SILENT,
) -> NeighbourLists:
    """The nearest ads by the cosine of the weights of their stems, as `SparseSearch` finds them. Ads without a common
    stem are no neighbours."""
    weights = Weigher.of(stems(texts.words), texts.counts).weights(texts.counts)
    first = first_of_equal_rows(weights)
    empty = np.diff(weights.indptr) == 0
    distinct, number = np.unique(first[~empty], return_inverse=True)
    text_of = np.full(len(first), NONE)
    text_of[~empty] = number
    search = SparseSearch(weights[distinct], neighbours, seed, device)
    progress.say(f"Nearest by text: {search.name}; recall {search.recall:.3f} of exact search.")
    held = Held.one_each(text_of)
    found, is_hub = nearest_ads(held, search.nearest, neighbours, 1.0, "text", progress)
    if is_hub.any():
        progress.say(
            f"text: {is_hub.sum():,} ads are crowded: more than {neighbours:,} are equal to each."
        )
    return NeighbourLists("text", found, is_hub, search.name, search.recall)
