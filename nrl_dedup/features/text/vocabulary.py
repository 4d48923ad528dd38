"""From the text columns of a catalogue to token ids, kept ragged: one array of values and one of offsets."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32, Int64

from nrl_dedup.features.text.cleaning import clean
from nrl_dedup.features.text.words import ADS_AT_ONCE, Words, jaccard, ragged, read_words

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
    "has_text",
    "jaccard",
    "read_words",
    "two_texts",
]

PAD, UNKNOWN, START, END = 0, 1, 2, 3
FIRST_WORD = 4

SPAN = 6  # words
LOST, MISSPELT = 0.1, 0.03  # of the words
REORDERED = 0.3  # of the ads


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


def has_text(catalogue: pl.DataFrame) -> Bool[np.ndarray, "ads"]:
    """Whether an ad has a letter or a digit of any script in its title or its description."""
    sign = r"[\p{L}\p{N}]"
    found = catalogue.select(
        pl.col("title").str.contains(sign) | pl.col("description").str.contains(sign)
    )
    return found.to_series().to_numpy()


def encode(words: Words, vocabulary: Vocabulary, max_words: int) -> TokenIds:
    """[START, the first `max_words` words, END] of each ad, UNKNOWN for words outside the vocabulary.

    An ad without words is an empty sequence, without START and END: its text is absent.
    """
    token_of = vocabulary.tokens_of(words.distinct)
    kept = np.minimum(np.diff(words.offsets), max_words)
    framed = _framed(kept)
    for start in range(0, len(words), ADS_AT_ONCE):
        ads = slice(start, start + ADS_AT_ONCE)
        read = ragged(words.offsets[:-1][ads], kept[ads])
        written = ragged(framed.offsets[:-1][ads] + 1, kept[ads])
        framed.values[written] = token_of[words.ids[read]]
    return framed


def _framed(words: Int64[np.ndarray, "ads"]) -> TokenIds:
    """START, so many words that are still to be filled in, and END, for each ad that has words."""
    sizes = np.where(words > 0, words + 2, 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    values = np.empty(offsets[-1], np.int32)
    values[offsets[:-1][words > 0]] = START
    values[offsets[1:][words > 0] - 1] = END
    return TokenIds(values, offsets)


def two_texts(
    tokens: TokenIds, rows: Int64[np.ndarray, "ads"], draw: np.random.Generator
) -> tuple[TokenIds, TokenIds]:
    """Some ads as two sellers might write them, each with words of its own; in the order of `rows`.

    An ad's words are dealt out in spans of `SPAN` words on average, fewer where the ad is short, each span to one of
    the two; of two words or more each gets at least one. So they hardly share words: that an ad posted again with the
    same words is the same ad needs no learning. Then each of the two, on its own, loses `LOST` of its words; `MISSPELT`
    of them are misspelt, shortened or spelt with other letters, which for the vocabulary is the unknown word; and in
    `REORDERED` of the ads the spans stand in another order.
    """
    counts = np.maximum(np.diff(tokens.offsets)[rows] - 2, 0)
    at, ad = ragged(tokens.offsets[rows] + 1, counts), np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(at)) - (np.cumsum(counts) - counts)[ad]
    cut = 1 + np.floor(
        draw.random(len(rows)) * (counts - 1)
    )  # both sides of it go to different texts
    begins = (
        (draw.random(len(at)) * np.clip(counts / 4, 1, SPAN)[ad] < 1)
        | (place == cut[ad])
        | (place == 0)
    )
    span = np.cumsum(begins)
    first_span = (
        span[np.minimum(np.cumsum(counts) - counts, max(0, len(at) - 1))] if len(at) else counts
    )
    side = (span - first_span[ad] + draw.integers(2, size=len(rows))[ad]) % 2
    texts = []
    for which in (0, 1):
        kept = np.flatnonzero((side == which) & (draw.random(len(at)) >= LOST))
        words = np.where(draw.random(len(kept)) < MISSPELT, UNKNOWN, tokens.values[at[kept]])
        reordered = draw.random(len(rows)) < REORDERED
        order = np.where(reordered[ad[kept]], draw.random(len(at) + 1)[span[kept]], 0.0)
        sequence = np.lexsort((order, ad[kept]))  # stable: the words of a span stay together
        framed = _framed(np.bincount(ad[kept], minlength=len(rows)))
        framed.values[
            ragged(framed.offsets[:-1] + 1, np.maximum(np.diff(framed.offsets) - 2, 0))
        ] = words[sequence]
        texts.append(framed)
    return texts[0], texts[1]
