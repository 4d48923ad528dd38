"""From the text columns of a catalogue to token ids, kept ragged: one array of values and one of offsets."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32, Int64

from nrl_dedup.features.text.cleaning import clean
from nrl_dedup.features.text.words import CHUNK_ADS, Words, jaccard, ragged, read_words

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

# How two sellers' texts of one ad differ (`two_texts`). Not tuned.
SPAN = 6  # words, on average
LOST = 0.1  # of the words
MISSPELT = 0.03  # of the words
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
        occurring = order[counts[order] > 0]
        return cls(tuple(words.distinct[occurring].to_list()))

    def tokens_of(self, distinct: pl.Series) -> Int32[np.ndarray, "distinct"]:
        """The token id of each of some words, UNKNOWN for those that are not in the vocabulary."""
        tokens = np.arange(FIRST_WORD, len(self), dtype=np.int32)
        words = pl.Series(self.words, dtype=pl.String)
        known = pl.DataFrame({"word": words, "token": tokens})
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
        starts = self.offsets[:-1][full]
        largest_token = np.maximum.reduceat(self.values, starts)
        known[full] = largest_token >= FIRST_WORD
        return known


def has_text(catalogue: pl.DataFrame) -> Bool[np.ndarray, "ads"]:
    """Whether an ad has a letter or a digit of any script in its title or its description."""
    sign = r"[\p{L}\p{N}]"
    in_title = catalogue["title"].str.contains(sign)
    in_description = catalogue["description"].str.contains(sign)
    return (in_title | in_description).to_numpy()


def encode(words: Words, vocabulary: Vocabulary, max_words: int) -> TokenIds:
    """[START, the first `max_words` words, END] of each ad, UNKNOWN for words outside the vocabulary.

    An ad without words is an empty sequence, without START and END: its text is absent.
    """
    token_of = vocabulary.tokens_of(words.distinct)
    kept = np.minimum(np.diff(words.offsets), max_words)
    framed = _framed(kept)
    for start in range(0, len(words), CHUNK_ADS):
        ads = slice(start, start + CHUNK_ADS)
        read = ragged(words.offsets[:-1][ads], kept[ads])
        written = ragged(framed.offsets[:-1][ads] + 1, kept[ads])
        framed.values[written] = token_of[words.ids[read]]
    return framed


def _framed(words: Int64[np.ndarray, "ads"]) -> TokenIds:
    """START, so many words that are still to be filled in, and END, for each ad that has words."""
    sizes = np.where(words > 0, words + 2, 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    starts = offsets[:-1][words > 0]
    ends = offsets[1:][words > 0]
    values = np.empty(offsets[-1], np.int32)
    values[starts] = START
    values[ends - 1] = END
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
    counts = np.maximum(np.diff(tokens.offsets)[rows] - 2, 0)  # words, without START and END
    at = ragged(tokens.offsets[rows] + 1, counts)
    ad = np.repeat(np.arange(len(rows)), counts)
    span, side = _dealt_out(counts, ad, draw)
    texts = []
    for which in (0, 1):
        is_kept = (side == which) & (draw.random(len(at)) >= LOST)
        kept = np.flatnonzero(is_kept)
        ad_of_kept = ad[kept]
        is_misspelt = draw.random(len(kept)) < MISSPELT
        words = np.where(is_misspelt, UNKNOWN, tokens.values[at[kept]])
        is_reordered = draw.random(len(rows)) < REORDERED
        place_of_span = draw.random(len(at) + 1)
        order = np.where(is_reordered[ad_of_kept], place_of_span[span[kept]], 0.0)
        sequence = np.lexsort((order, ad_of_kept))  # stable: the words of a span stay together
        framed = _framed(np.bincount(ad_of_kept, minlength=len(rows)))
        inside = np.maximum(np.diff(framed.offsets) - 2, 0)
        written = ragged(framed.offsets[:-1] + 1, inside)
        framed.values[written] = words[sequence]
        texts.append(framed)
    return texts[0], texts[1]


def _dealt_out(
    counts: Int64[np.ndarray, "ads"], ad: Int64[np.ndarray, "words"], draw: np.random.Generator
) -> tuple[Int64[np.ndarray, "words"], Int64[np.ndarray, "words"]]:
    """The span of each word, counted from 1 over all ads, and the text that gets it, 0 or 1.

    :param counts: words of each ad; `ad`: the ad of each word.
    """
    starts = np.cumsum(counts) - counts
    place = np.arange(len(ad)) - starts[ad]
    # The words before and after the cut go to different texts.
    cut = 1 + np.floor(draw.random(len(counts)) * (counts - 1))
    mean_span = np.clip(counts / 4, 1, SPAN)
    begins_by_chance = draw.random(len(ad)) * mean_span[ad] < 1
    begins = begins_by_chance | (place == cut[ad]) | (place == 0)
    span = np.cumsum(begins)
    first_span = counts
    if len(ad):
        first_word = np.minimum(starts, len(ad) - 1)  # of an ad without words: any
        first_span = span[first_word]
    first_side = draw.integers(2, size=len(counts))
    side = (span - first_span[ad] + first_side[ad]) % 2
    return span, side
