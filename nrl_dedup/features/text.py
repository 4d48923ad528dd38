"""From the text columns of a catalogue to token ids, kept ragged: one array of values and one of offsets."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32, Int64

from nrl_dedup.features.cleaning import clean
from nrl_dedup.features.words import ADS_AT_ONCE, Words, jaccard, ragged, read_words

__all__ = [
    "END",
    "FIRST_WORD",
    "PAD",
    "START",
    "UNKNOWN",
    "TokenIds",
    "Vocabulary",
    "Words",
    "clean",
    "encode",
    "jaccard",
    "read_words",
]

PAD, UNKNOWN, START, END = 0, 1, 2, 3
FIRST_WORD = 4


@dataclass(frozen=True)
class Vocabulary:
    """The words that the model knows, the most frequent first; word i has the token id `FIRST_WORD + i`."""

    words: tuple[str, ...]

    def __len__(self) -> int:
        return FIRST_WORD + len(self.words)

    @classmethod
    def most_frequent(cls, words: Words, size: int) -> "Vocabulary":
        """The `size` words that occur most often in all ads; equally frequent ones in the order of `distinct`."""
        counts = np.bincount(words.ids, minlength=len(words.distinct))
        order = np.argsort(-counts, kind="stable")[:size]
        return cls(tuple(words.distinct[order[counts[order] > 0]].to_list()))

    def tokens_of(self, distinct: pl.Series) -> Int32[np.ndarray, "distinct"]:
        """The token id of each of some words, UNKNOWN for those that are not in the vocabulary."""
        tokens = np.arange(FIRST_WORD, len(self), dtype=np.int32)
        known = pl.DataFrame({"word": pl.Series(self.words, dtype=pl.String), "token": tokens})
        found = distinct.to_frame("word").join(known, on="word", how="left", maintain_order="left")
        return found["token"].fill_null(UNKNOWN).to_numpy()


@dataclass(frozen=True)
class TokenIds:
    """Token ids of every ad: those of ad i are `values[offsets[i]:offsets[i + 1]]`."""

    values: Int32[np.ndarray, "tokens"]
    offsets: Int64[np.ndarray, "ads_plus_1"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def has_known_word(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has a word of the vocabulary."""
        full = np.diff(self.offsets) > 0
        known = np.zeros(len(self), dtype=bool)
        known[full] = np.maximum.reduceat(self.values, self.offsets[:-1][full]) >= FIRST_WORD
        return known


def encode(words: Words, vocabulary: Vocabulary, max_words: int) -> TokenIds:
    """[START, the first `max_words` words, END] of each ad, UNKNOWN for words outside the vocabulary.

    An ad without words is an empty sequence, without START and END: its text is absent.
    """
    token_of = vocabulary.tokens_of(words.distinct)
    kept = np.minimum(np.diff(words.offsets), max_words)
    sizes = np.where(kept > 0, kept + 2, 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    values = np.empty(offsets[-1], np.int32)
    full = kept > 0
    values[offsets[:-1][full]] = START
    values[offsets[1:][full] - 1] = END
    for start in range(0, len(words), ADS_AT_ONCE):
        ads = slice(start, start + ADS_AT_ONCE)
        read = ragged(words.offsets[:-1][ads], kept[ads])
        written = ragged(offsets[:-1][ads] + 1, kept[ads])
        values[written] = token_of[words.ids[read]]
    return TokenIds(values, offsets)
