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

from nrl_dedup.blocking.across_sources import Items, Sources, nearest_lists
from nrl_dedup.blocking.exact_duplicates import first_of_equal_rows
from nrl_dedup.blocking.item_search import Held
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists
from nrl_dedup.blocking.sparse_search import SparseSearch
from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies, places_of
from nrl_dedup.features.text.words import offsets_of
from nrl_dedup.runtime.progress import SILENT, Progress

STEM = 5  # letters: most endings begin later. Not tuned.
GRAM = 4  # letters of a run. Not tuned.
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
            ordered = numbered.sort("row", "id")
            matrix = _as_matrix(ordered, len(part))
            parts.append(matrix)
            task.advance(len(part))
    size = len(known)
    rows = []
    for counts, indices, indptr in parts:
        ads = len(indptr) - 1
        part_rows = sparse.csr_array((counts, indices, indptr), shape=(ads, size))
        rows.append(part_rows)
    words = known["word"]
    if not rows:
        no_ads = sparse.csr_array((0, size), dtype=np.int32)
        return Texts(no_ads, words)
    all_counts = sparse.vstack(rows, format="csr")
    return Texts(all_counts, words)


def _count_words(ads: pl.DataFrame) -> pl.DataFrame:
    """Columns row, word and n: how often each word occurs in each ad."""
    texts = ads["title"] + " " + ads["description"]
    composed = texts.str.normalize("NFC")
    folded = fold_twins(composed)
    cleaned = folded.str.to_lowercase()
    words = cleaned.str.extract_all(_WORD)
    lists = pl.DataFrame({"word": words}).with_row_index("row")
    each = lists.explode("word").drop_nulls()
    by_word = each.group_by("row", "word", maintain_order=True)
    return by_word.agg(n=pl.len())


def _with_new_words(known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The known words (columns word and id), and after them those that are new."""
    word = pl.col("word").unique(maintain_order=True)
    distinct = found.select(word)
    new = distinct.join(known, on="word", how="anti", maintain_order="left")
    numbered = new.with_row_index("id", offset=len(known))
    new_known = numbered.select("word", "id")
    return pl.concat([known, new_known])


def _as_matrix(found: pl.DataFrame, ads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data, indices and indptr of a sparse matrix, one row per ad. `found`: columns row, id and n, ordered."""
    words_of_ad = np.bincount(found["row"], minlength=ads)
    indptr = offsets_of(words_of_ad)
    counts = found["n"].to_numpy()
    indices = found["id"].to_numpy()
    return counts.astype(np.int32), indices.astype(np.int32), indptr


@dataclass(frozen=True)
class Pieces:
    """Pieces of words. `of_words`: one row per word, how often it has each piece, int32; `names`: of the pieces, each
    once, in the order of their first sight."""

    of_words: sparse.csr_array
    names: pl.Series

    def count(self, texts: Texts) -> sparse.csr_array:
        """How often each piece occurs in each ad; [ads, pieces]. `texts`: of the same words."""
        return _sorted_product(texts.counts, self.of_words)

    def only(self, known: pl.Series) -> "Pieces":
        """The pieces that are known, in the order of `known`: the columns are the same whatever the words are."""
        column = places_of(self.names, known)
        entries = self.of_words.tocoo()
        column_of_entry = column[entries.col]
        is_known = column_of_entry >= 0
        places = (entries.row[is_known], column_of_entry[is_known])
        shape = (self.of_words.shape[0], len(known))
        of_words = sparse.coo_array((entries.data[is_known], places), shape=shape)
        return Pieces(of_words.tocsr(), known)


def _sorted_product(left: sparse.csr_array, right: sparse.csr_array) -> sparse.csr_array:
    product = (left @ right).tocsr()
    product.sort_indices()
    return product


def stems(words: pl.Series) -> Pieces:
    """One piece for each word: its stem."""
    has_digit = words.str.contains(r"\p{N}")
    beginning = words.str.slice(0, STEM)
    stem = pl.when(has_digit).then(words).otherwise(beginning)
    number = pl.int_range(len(words))
    pieces = pl.select(word=number, piece=stem)
    return _pieces(pieces, len(words))


def grams(words: pl.Series) -> Pieces:
    """The runs of four letters of each word, a blank before it and one after it."""
    padded = pl.DataFrame({"piece": " " + words + " "}).with_row_index("word")
    length = pl.col("piece").str.len_chars().cast(pl.Int64)
    runs = pl.max_horizontal(length - GRAM + 1, 1)
    starts = pl.int_ranges(0, runs)
    each = padded.with_columns(start=starts).explode("start")
    gram = pl.col("piece").str.slice("start", GRAM)
    pieces = each.select("word", gram)
    return _pieces(pieces, len(words))


def _pieces(frame: pl.DataFrame, words: int) -> Pieces:
    """`frame`: columns word (number) and piece."""
    different = pl.col("piece").unique(maintain_order=True)
    numbered = frame.select(different).with_row_index("id")
    found = frame.join(numbered, on="piece", how="left", maintain_order="left")
    ones = np.ones(len(found), np.int32)
    word = found["word"].to_numpy()
    piece = found["id"].to_numpy().astype(np.int64)
    entries = sparse.coo_array((ones, (word, piece)), shape=(words, len(numbered)))
    return Pieces(entries.tocsr(), numbered["piece"])


def fit_frequencies(texts: Texts, pieces: Pieces, min_ads: int = 1) -> InverseFrequencies:
    """The idf of the pieces that occur in `min_ads` of the ads or more. `pieces`: of `texts.words`."""
    return InverseFrequencies.fit(pieces.count(texts), pieces.names, min_ads)


@dataclass(frozen=True)
class WeightedPieces:
    """Pieces of words, and the idf of each."""

    pieces: Pieces
    idf: Float64[np.ndarray, " pieces"]

    def weights(self, texts: Texts) -> sparse.csr_array:
        """(1 + ln n) idf of each piece that occurs n times in an ad (Salton and Buckley 1988): one row per ad, divided
        by its length, f32; empty where an ad has no piece. `texts`: of the same words."""
        found = self.pieces.count(texts)
        ads = found.shape[0]
        frequency = 1 + np.log(found.data)
        weights = frequency * self.idf[found.indices]
        pieces_of_ad = np.diff(found.indptr)
        of_ad = np.repeat(np.arange(ads), pieces_of_ad)
        squares = np.bincount(of_ad, weights**2, minlength=ads)
        length = np.sqrt(squares)
        scaled = weights / length[of_ad]
        data = scaled.astype(np.float32)
        return sparse.csr_array((data, found.indices, found.indptr), shape=found.shape)


def piece_weights(
    texts: Texts, pieces: Pieces, frequencies: InverseFrequencies
) -> sparse.csr_array:
    """`WeightedPieces.weights`. The ads may be others than those that `frequencies` were fitted to: pieces that these
    lack weigh as those of no ad."""
    idf = frequencies.of(pieces.names)
    return WeightedPieces(pieces, idf).weights(texts)


def text_neighbours(
    frequencies: InverseFrequencies,
    texts: Texts,
    neighbours: int,
    *,
    device: torch.device,
    seed: int = 0,
    progress: Progress = SILENT,
    source_of: Sources | None = None,
) -> NeighbourLists:
    """The nearest ads by the cosine of the weights of their stems, as `SparseSearch` finds them. Ads without a common
    stem are no neighbours.

    :param frequencies: of stems.
    """
    weights = piece_weights(texts, stems(texts.words), frequencies)
    first = first_of_equal_rows(weights)
    has_words = np.diff(weights.indptr) > 0
    distinct, number = np.unique(first[has_words], return_inverse=True)
    text_of = np.full(len(first), NONE)
    text_of[has_words] = number
    weights = weights[distinct]

    def make_index(searched: Items | None, progress: Progress) -> SparseSearch:
        search = SparseSearch(weights, neighbours, seed, device, searched)
        progress.say(f"Nearest by text: {search.name}; recall {search.recall:.3f} of exact search.")
        return search

    held = Held.one_each(text_of)
    return nearest_lists("text", held, make_index, neighbours, 1.0, source_of, progress)
