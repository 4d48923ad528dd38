"""From the text columns of a catalogue to token ids, kept ragged: one array of values and one of offsets."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32, Int64

from nrl_dedup.features.text.words import CHUNK_ADS, Offsets, PerAd, Words, offsets_of, ragged

PerWord = Int64[np.ndarray, "words"]
WhichAds = Bool[np.ndarray, "ads"]

# The token ids that are no words.
PAD = 0
UNKNOWN = 1
START = 2
END = 3
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
        distinct = len(words.distinct)
        counts = np.bincount(words.ids, minlength=distinct)
        by_count = np.argsort(-counts, kind="stable")
        order = by_count[:size]
        occurring = order[counts[order] > 0]
        return cls(tuple(words.distinct[occurring].to_list()))

    def tokens_of(self, distinct: pl.Series) -> Int32[np.ndarray, "distinct"]:
        """The token id of each of some words, UNKNOWN for those that are not in the vocabulary."""
        tokens = np.arange(FIRST_WORD, len(self), dtype=np.int32)
        words = pl.Series(self.words, dtype=pl.String)
        known = pl.DataFrame({"word": words, "token": tokens})
        asked = distinct.to_frame("word")
        found = asked.join(known, on="word", how="left", maintain_order="left")
        return found["token"].fill_null(UNKNOWN).to_numpy()


@dataclass(frozen=True)
class TokenIds:
    """Token ids of every ad: those of ad i are `values[offsets[i]:offsets[i + 1]]`."""

    values: Int32[np.ndarray, "tokens"]
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def has_known_word(self) -> WhichAds:
        """Whether an ad has a word of the vocabulary."""
        full = np.diff(self.offsets) > 0
        known = np.zeros(len(self), dtype=bool)
        starts = self.offsets[:-1][full]
        largest_token = np.maximum.reduceat(self.values, starts)
        known[full] = largest_token >= FIRST_WORD
        return known


def has_text(catalogue: pl.DataFrame) -> WhichAds:
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
    lengths = np.diff(words.offsets)
    kept = np.minimum(lengths, max_words)
    framed = _framed(kept)
    for start in range(0, len(words), CHUNK_ADS):
        ads = slice(start, start + CHUNK_ADS)
        counts = kept[ads]
        starts = words.offsets[:-1][ads]
        read = ragged(starts, counts)
        framed_starts = framed.offsets[:-1][ads]
        after_start = framed_starts + 1
        written = ragged(after_start, counts)
        ids = words.ids[read]
        framed.values[written] = token_of[ids]
    return framed


def _framed(words: PerAd) -> TokenIds:
    """START, so many words that are still to be filled in, and END, for each ad that has words."""
    has_words = words > 0
    sizes = np.where(has_words, words + 2, 0)
    offsets = offsets_of(sizes)
    starts = offsets[:-1][has_words]
    ends = offsets[1:][has_words]
    values = np.empty(offsets[-1], np.int32)
    values[starts] = START
    values[ends - 1] = END
    return TokenIds(values, offsets)


def two_texts(
    tokens: TokenIds, rows: PerAd, draw: np.random.Generator
) -> tuple[TokenIds, TokenIds]:
    """Some ads as two sellers might write them, each with words of its own; in the order of `rows`.

    An ad's words are dealt out in spans of `SPAN` words on average, fewer where the ad is short, each span to one of
    the two; of two words or more each gets at least one. So they hardly share words: that an ad posted again with the
    same words is the same ad needs no learning. Then each of the two, on its own, loses `LOST` of its words; `MISSPELT`
    of them are misspelt, shortened or spelt with other letters, which for the vocabulary is the unknown word; and in
    `REORDERED` of the ads the spans stand in another order.
    """
    lengths = np.diff(tokens.offsets)[rows]
    counts = np.maximum(lengths - 2, 0)  # words, without START and END
    after_start = tokens.offsets[rows] + 1
    at = ragged(after_start, counts)
    ad = np.repeat(np.arange(len(rows)), counts)
    span, side = _dealt_out(counts, ad, draw)
    texts = []
    for which in (0, 1):
        is_lost = draw.random(len(at)) < LOST
        is_kept = (side == which) & ~is_lost
        kept = np.flatnonzero(is_kept)
        ad_of_kept = ad[kept]
        is_misspelt = draw.random(len(kept)) < MISSPELT
        own = tokens.values[at[kept]]
        words = np.where(is_misspelt, UNKNOWN, own)
        is_reordered = draw.random(len(rows)) < REORDERED
        place_of_span = draw.random(len(at) + 1)
        drawn_place = place_of_span[span[kept]]
        moves = is_reordered[ad_of_kept]
        order = np.where(moves, drawn_place, 0.0)
        sequence = np.lexsort((order, ad_of_kept))  # stable: the words of a span stay together
        inside = np.bincount(ad_of_kept, minlength=len(rows))
        framed = _framed(inside)
        after_start = framed.offsets[:-1] + 1
        written = ragged(after_start, inside)
        framed.values[written] = words[sequence]
        texts.append(framed)
    return texts[0], texts[1]


def _dealt_out(counts: PerAd, ad: PerWord, draw: np.random.Generator) -> tuple[PerWord, PerWord]:
    """The span of each word, counted from 1 over all ads, and the text that gets it, 0 or 1.

    :param counts: words of each ad; `ad`: the ad of each word.
    """
    starts = np.cumsum(counts) - counts
    before = starts[ad]
    place = np.arange(len(ad)) - before
    # The words before and after the cut go to different texts.
    share = draw.random(len(counts))
    drawn = np.floor(share * (counts - 1))
    cut = 1 + drawn
    mean_span = np.clip(counts / 4, 1, SPAN)
    chance = draw.random(len(ad))
    begins_by_chance = chance * mean_span[ad] < 1
    is_cut = place == cut[ad]
    begins = begins_by_chance | is_cut | (place == 0)
    span = np.cumsum(begins)
    first_span = counts
    if len(ad):
        first_word = np.minimum(starts, len(ad) - 1)  # of an ad without words: any
        first_span = span[first_word]
    first_side = draw.integers(2, size=len(counts))
    spans_before = span - first_span[ad]
    side = (spans_before + first_side[ad]) % 2
    return span, side
