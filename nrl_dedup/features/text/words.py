"""The words of every ad as numbers, and how alike the words of two ads are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int32, Int64, Shaped
from scipy import sparse

from nrl_dedup.features.text.cleaning import spell, transliterate
from nrl_dedup.features.text.languages import Language, language_row
from nrl_dedup.runtime.progress import SILENT, Progress

PerPair = Int64[np.ndarray, "pairs"]
PerAd = Int64[np.ndarray, "ads"]
PerWord = Int32[np.ndarray, "words"]
Offsets = Int64[np.ndarray, "ads_plus_1"]
SomeAds = Int64[np.ndarray, "some"]

CHUNK_ADS = 50_000  # cleaned at a time, so that memory stays small. Not tuned.
_CHUNK_PAIRS = 20_000  # compared at a time, for the same reason. Not tuned.


@dataclass(frozen=True)
class Words:
    """The words of every ad, after cleaning and lemmas.

    `ids`: index into `distinct`, ad after ad, the first text column's words before the second's;
    `offsets`: the words of ad i are `ids[offsets[i]:offsets[i + 1]]`;
    `distinct`: every word that occurs, once, in the order of its code points;
    `lengths`: how many words each text column of each ad has.
    """

    ids: PerWord
    offsets: Offsets
    distinct: pl.Series
    lengths: Int32[np.ndarray, "ads columns"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: SomeAds) -> "Words":
        """The words of some ads, in the order of `rows`; `distinct` stays whole."""
        counts = np.diff(self.offsets)[rows]
        starts = self.offsets[rows]
        found = self.ids[ragged(starts, counts)]
        offsets = offsets_of(counts)
        lengths = self.lengths[rows]
        return Words(found, offsets, self.distinct, lengths)


def read_words(columns: Sequence[pl.Series], language: str, progress: Progress = SILENT) -> Words:
    """The words of every ad: the texts cleaned, taken apart at the spaces, each *distinct* word made its lemma once.

    :param columns: String columns of one length, such as titles and descriptions; null counts as empty.
    :raises NrlDedupError: `language` is not a row of `LANGUAGES`.
    """
    row = language_row(language)
    ads = len(columns[0])
    spellings = _Spellings()
    chunks = []
    lengths = np.zeros((ads, len(columns)), np.int32)
    with progress.task("words", ads) as task:
        for start in range(0, ads, CHUNK_ADS):
            chunk = slice(start, start + CHUNK_ADS)
            cleaned = []
            for place, column in enumerate(columns):
                texts = spell(column[chunk], row)
                lengths[chunk, place] = _count_words(texts)
                cleaned.append(texts)
            words = _take_apart(cleaned)
            chunks.append(spellings.numbers_of(words))
            task.advance(len(cleaned[0]))
    distinct, lemma_of = _lemmas(spellings.words, row)
    counts = lengths.sum(axis=1, dtype=np.int64)
    offsets = offsets_of(counts)
    ids = np.empty(offsets[-1], np.int32)
    start = 0
    for numbers in chunks:
        end = start + len(numbers)
        np.take(lemma_of, numbers, out=ids[start:end])
        start = end
    return Words(ids, offsets, distinct, lengths)


def count_words(columns: Sequence[pl.Series], language: str) -> Int32[np.ndarray, "ads columns"]:
    """How many words each text has, as `Words.lengths`.

    :raises NrlDedupError: `language` is not a row of `LANGUAGES`.
    """
    row = language_row(language)
    lengths = np.zeros((len(columns[0]), len(columns)), np.int32)
    for start in range(0, len(lengths), CHUNK_ADS):
        chunk = slice(start, start + CHUNK_ADS)
        for place, column in enumerate(columns):
            lengths[chunk, place] = _count_words(spell(column[chunk], row))
    return lengths


class _Spellings:
    """The distinct words met so far, numbered in the order of their first sight."""

    def __init__(self) -> None:
        self.words = pl.Series("word", [], dtype=pl.String)

    def numbers_of(self, words: pl.Series) -> PerWord:
        distinct = words.unique(maintain_order=True)
        seen = distinct.to_frame("word")
        known = self.words.to_frame("word")
        known = known.with_row_index("number")
        new = seen.join(known, on="word", how="anti", maintain_order="left")
        self.words = pl.concat([self.words, new["word"]], rechunk=True)
        numbered = new.with_row_index("number", offset=len(known))
        known = pl.concat([known, numbered])
        seen = seen.join(known, on="word", how="left", maintain_order="left")
        asked = words.to_frame("word")
        found = asked.join(seen, on="word", how="left", maintain_order="left")
        return found["number"].cast(pl.Int32).to_numpy()


def _count_words(cleaned: pl.Series) -> Int32[np.ndarray, "ads"]:
    gaps = cleaned.str.count_matches(" ", literal=True)
    has_words = (cleaned != "").to_numpy()
    return gaps.to_numpy().astype(np.int32) + has_words


def _take_apart(cleaned: Sequence[pl.Series]) -> pl.Series:
    """The words of some cleaned columns, ad after ad."""
    whole = pl.select(pl.concat_str(cleaned, separator=" "))
    lists = whole.to_series().str.split(" ")
    words = lists.explode()
    return words.filter(words != "")


def _lemmas(
    spellings: pl.Series, row: Language
) -> tuple[pl.Series, Int32[np.ndarray, "spellings"]]:
    """The distinct lemmas in order, and for each spelling the index of its lemma."""
    words = transliterate(spellings, row)
    if row.lemmas is not None:
        once = words.unique()
        lemmas = row.lemmas(once.to_list())
        lemma_of = pl.Series(lemmas, dtype=pl.String)
        words = lemma_of.gather(places_in(words, once))
    distinct = words.unique().sort()
    return distinct, places_in(words, distinct)


def jaccard(words: Words, row_l: PerPair, row_r: PerPair) -> Float64[np.ndarray, "pairs"]:
    """|A and B| / |A or B| of the sets of words of the two ads of each pair, equation (3.1).

    All words count, whether the vocabulary has them or not. Two ads without words have a similarity of 0.
    """
    similarity = np.empty(len(row_l))
    for start in range(0, len(row_l), _CHUNK_PAIRS):
        pairs = slice(start, start + _CHUNK_PAIRS)
        left_rows = row_l[pairs]
        right_rows = row_r[pairs]
        rows = np.concatenate([left_rows, right_rows])
        ads, position = np.unique(rows, return_inverse=True)
        left, right = np.split(position, 2)
        sets = _word_sets(words, ads)
        sets_l = sets[left]
        sets_r = sets[right]
        shared = sets_l.multiply(sets_r)
        common = np.asarray(shared.sum(axis=1)).ravel()
        sizes = np.diff(sets.indptr)
        both_sizes = sizes[left] + sizes[right]
        union = both_sizes - common
        similarity[pairs] = common / np.maximum(union, 1)
    return similarity


def _word_sets(words: Words, ads: SomeAds) -> sparse.csr_array:
    """One row per ad, with a one at each of its words."""
    counts = np.diff(words.offsets)[ads]
    starts = words.offsets[ads]
    found = words.ids[ragged(starts, counts)]
    ones = np.ones(len(found))
    ends = offsets_of(counts)
    shape = (len(ads), len(words.distinct))
    sets = sparse.csr_array((ones, found, ends), shape=shape)
    sets.sum_duplicates()
    sets.data[:] = 1
    return sets


def offsets_of(counts: Shaped[np.ndarray, "ads"]) -> Offsets:
    """Where the values of each ad begin, ad after ad, and where those of the last end.

    :param counts: whole numbers, or whether each has its one value.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    return np.append(0, ends)


def places_in(words: pl.Series, distinct: pl.Series) -> PerWord:
    """The place of each of some words in `distinct`, which has them all."""
    places = distinct.to_frame("word").with_row_index("place")
    asked = words.to_frame("word")
    found = asked.join(places, on="word", how="left", maintain_order="left")
    return found["place"].cast(pl.Int32).to_numpy()


def ragged(starts: PerAd, counts: PerAd) -> Int64[np.ndarray, "positions"]:
    """The positions start, start + 1, ... start + count - 1 of every ad, one after the other."""
    before = np.cumsum(counts) - counts
    shifts = np.repeat(starts - before, counts)
    return shifts + np.arange(counts.sum())
