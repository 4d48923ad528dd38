"""The words of ads in other letters than those of the model's language, as they are written."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.features.text.languages import language_row
from nrl_dedup.features.text.words import Words, offsets_of, places_in

_WORD = r"[\p{L}\p{M}\p{N}]+"

Segments = Int64[np.ndarray, "words"]


def with_foreign_words(words: Words, columns: Sequence[pl.Series], language: str) -> Words:
    """The same words, and those of the texts that have a letter which the language drops, in NFC and lower case; of an
    ad without any word, all its runs of letters and digits.

    So ads in letters that the language drops are compared by their words too, and not by the brand names and numbers
    among them alone. In each text they come after the others. The network does not read them.

    :param columns: those that `words` was read from. :param language: by which.
    """
    has_no_words = np.diff(words.offsets) == 0
    foreign = foreign_letter(language)
    found = []
    segments = []
    for place, column in enumerate(columns):
        own, ad = _foreign_words(column, has_no_words, foreign)
        found.append(own)
        segments.append(ad * len(columns) + place)
    own = pl.concat(found)
    if own.is_empty():
        return words
    # A segment is one text of one ad; those of an ad follow one another.
    segment_of_own = np.concatenate(segments)
    counts = words.lengths.ravel()
    own_counts = np.bincount(segment_of_own, minlength=len(counts))
    segment_of_known = np.repeat(np.arange(len(counts)), counts)
    every = pl.concat([words.distinct, own])
    distinct = every.unique().sort()
    number_of_known = places_in(words.distinct, distinct)
    ids = np.concatenate([number_of_known[words.ids], places_in(own, distinct)])
    segment = np.concatenate([segment_of_known, segment_of_own])
    order = np.argsort(segment, kind="stable")
    added = own_counts.reshape(words.lengths.shape)
    lengths = words.lengths + added.astype(np.int32)
    words_of_ad = lengths.sum(axis=1, dtype=np.int64)
    return replace(
        words, ids=ids[order], offsets=offsets_of(words_of_ad), distinct=distinct, lengths=lengths
    )


def foreign_letter(language: str) -> str:
    """A regular expression of the letters that a language drops; those of no script, such as µ, are none."""
    kept = language_row(language).letters
    return rf"[\p{{L}}--\p{{Common}}--[{kept}]]"


def _foreign_words(
    column: pl.Series, has_no_words: Bool[np.ndarray, "ads"], foreign: str
) -> tuple[pl.Series, Segments]:
    """The words, and the ad of each."""
    texts = column.fill_null("")
    has_foreign = texts.str.contains(foreign).to_numpy()
    ads = np.flatnonzero(has_foreign | has_no_words)
    composed = texts.gather(ads).str.normalize("NFC")
    folded = fold_twins(composed)
    lowered = folded.str.to_lowercase()
    words = lowered.str.extract_all(_WORD)
    frame = pl.DataFrame({"ad": ads, "word": words})
    each = frame.explode("word")
    each = each.drop_nulls("word")
    word = each["word"]
    ad = each["ad"].to_numpy()
    is_foreign = word.str.contains(foreign).to_numpy()
    kept = is_foreign | has_no_words[ad]
    return word.filter(kept), ad[kept]
