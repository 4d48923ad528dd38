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
from nrl_dedup.blocking.item_search import Held, nearest_ads, report_hubs
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.blocking.sparse_search import SparseSearch
from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.runtime.progress import SILENT, Progress

STEM = 5  # letters: most endings begin later. Not tuned.
GRAM = 4  # letters: runs of fewer are in too many words. Not tuned.
CHUNK_ADS = 50_000  # some 100 MB of words

_WORD = r"[\p{L}\p{M}\p{N}]+"


@dataclass(frozen=True)
class Texts:
    """How often each of `words` occurs in each ad: `counts`, int32, one row per ad."""

    counts: sparse.csr_array
    words: pl.Series


def read_texts(catalogue: pl.DataFrame, progress: Progress = SILENT) -> Texts:
    """The words (letters and digits) of each ad's title and description, in NFC and lower case, their look-alike
    letters put right; numbered in the order of their first sight."""
    known = pl.DataFrame(schema={"word": pl.String, "id": pl.UInt32})
    parts = []
    with progress.task("texts", len(catalogue)) as task:
        for start in range(0, len(catalogue), CHUNK_ADS):
            part = catalogue[start : start + CHUNK_ADS]
            found = _count_words(part)
            known = _with_new_words(known, found)
            numbered = found.join(known, on="word", how="left", maintain_order="left")
            parts.append(_as_matrix(numbered.sort("row", "id"), len(part)))
            task.advance(len(part))
    size = len(known)
    rows = []
    for counts, indices, indptr in parts:
        shape = (len(indptr) - 1, size)
        rows.append(sparse.csr_array((counts, indices, indptr), shape=shape))
    words = known["word"]
    if not rows:
        no_ads = sparse.csr_array((0, size), dtype=np.int32)
        return Texts(no_ads, words)
    return Texts(sparse.vstack(rows, format="csr"), words)


def _count_words(ads: pl.DataFrame) -> pl.DataFrame:
    """Columns row, word and n: how often each word occurs in each ad."""
    texts = ads["title"] + " " + ads["description"]
    cleaned = fold_twins(texts.str.normalize("NFC")).str.to_lowercase()
    words = pl.DataFrame({"word": cleaned.str.extract_all(_WORD)}).with_row_index("row")
    each = words.explode("word").drop_nulls()
    return each.group_by("row", "word", maintain_order=True).agg(n=pl.len())


def _with_new_words(known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The known words (columns word and id), and after them those that are new."""
    distinct = found.select(pl.col("word").unique(maintain_order=True))
    new = distinct.join(known, on="word", how="anti", maintain_order="left")
    numbered = new.with_row_index("id", offset=len(known))
    return pl.concat([known, numbered.select("word", "id")])


def _as_matrix(found: pl.DataFrame, ads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data, indices and indptr of a sparse matrix, one row per ad. `found`: columns row, id and n, ordered."""
    words_of_ad = np.bincount(found["row"], minlength=ads)
    indptr = np.concatenate([[0], np.cumsum(words_of_ad)])
    counts = found["n"].to_numpy().astype(np.int32)
    indices = found["id"].to_numpy().astype(np.int32)
    return counts, indices, indptr


def stems(words: pl.Series) -> sparse.csr_array:
    """One row per word, with a 1 at its stem."""
    has_digit = words.str.contains(r"\p{N}")
    beginning = words.str.slice(0, STEM)
    stem = pl.when(has_digit).then(words).otherwise(beginning)
    pieces = pl.select(word=pl.int_range(len(words)), piece=stem)
    return _pieces(pieces, len(words))


def grams(words: pl.Series) -> sparse.csr_array:
    """One row per word: how often it has each run of four letters, a blank before it and one after it."""
    padded = pl.DataFrame({"piece": " " + words + " "}).with_row_index("word")
    length = pl.col("piece").str.len_chars().cast(pl.Int64)
    runs = pl.max_horizontal(length - GRAM + 1, 1)
    starts = padded.with_columns(start=pl.int_ranges(0, runs)).explode("start")
    gram = pl.col("piece").str.slice("start", GRAM)
    return _pieces(starts.select("word", gram), len(words))


def _pieces(frame: pl.DataFrame, words: int) -> sparse.csr_array:
    """`frame`: columns word (number) and piece."""
    distinct = frame.select(pl.col("piece").unique(maintain_order=True)).with_row_index("id")
    found = frame.join(distinct, on="piece", how="left", maintain_order="left")
    ones = np.ones(len(found), np.int32)
    word = found["word"].to_numpy()
    piece = found["id"].to_numpy().astype(np.int64)
    entries = sparse.coo_array((ones, (word, piece)), shape=(words, len(distinct)))
    return entries.tocsr()


@dataclass(frozen=True)
class Weigher:
    """tf-idf of the pieces of words. `pieces`: one row per word, how often it has each piece; `rarity`: of each."""

    pieces: sparse.csr_array
    rarity: Float64[np.ndarray, " pieces"]

    @classmethod
    def of(cls, pieces: sparse.csr_array, counts: sparse.csr_array, min_ads: int = 1) -> "Weigher":
        """With the rarity 1 + log((1 + N) / (1 + d)) of each piece that occurs in d >= `min_ads` of the N ads of
        `counts`; the other pieces are left out."""
        ads = counts.shape[0]
        pieces_of_ads = (counts @ pieces).indices
        frequency = np.bincount(pieces_of_ads, minlength=pieces.shape[1])
        kept = frequency >= min_ads
        inverse = (1 + ads) / (1 + frequency[kept])
        return cls(pieces[:, kept], 1 + np.log(inverse))

    def weights(self, counts: sparse.csr_array) -> sparse.csr_array:
        """(1 + log n) rarity of each piece that occurs n times in an ad (Salton and Buckley 1988; smoothed as in
        scikit-learn): one row per ad, divided by its length, f32; empty where an ad has no piece."""
        found = (counts @ self.pieces).tocsr()
        found.sort_indices()
        ads = found.shape[0]
        frequency = 1 + np.log(found.data)
        weights = frequency * self.rarity[found.indices]
        of_ad = np.repeat(np.arange(ads), np.diff(found.indptr))
        squares = np.bincount(of_ad, weights**2, minlength=ads)
        length = np.sqrt(squares)
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
    weigher = Weigher.of(stems(texts.words), texts.counts)
    weights = weigher.weights(texts.counts)
    first = first_of_equal_rows(weights)
    has_words = np.diff(weights.indptr) > 0
    distinct, number = np.unique(first[has_words], return_inverse=True)
    text_of = np.full(len(first), NONE)
    text_of[has_words] = number
    search = SparseSearch(weights[distinct], neighbours, seed, device)
    progress.say(f"Nearest by text: {search.name}; recall {search.recall:.3f} of exact search.")
    held = Held.one_each(text_of)
    found, is_hub = nearest_ads(held, search.nearest, neighbours, 1.0, "text", progress)
    report_hubs("text", is_hub, neighbours, progress)
    return NeighbourLists("text", found, is_hub, search.name, search.recall)
