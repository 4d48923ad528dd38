"""The words of ads that have none in the letters of the model's language, as they are written."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.features.text.words import Offsets, SomeAds, Words, offsets_of, places_in, ragged

_WORD = r"[\p{L}\p{M}\p{N}]+"


def with_foreign_words(words: Words, columns: Sequence[pl.Series]) -> Words:
    """The same words, and for each ad without any the runs of letters and digits of its texts, in NFC and lower case.

    So ads in letters that the language drops are compared by their words too. The network does not read them.

    :param columns: those that `words` was read from.
    """
    words_before = np.diff(words.offsets)
    empty = np.flatnonzero(words_before == 0)
    lists = []
    shape = (len(empty), len(columns))
    counts = np.zeros(shape, np.int32)
    for place, column in enumerate(columns):
        texts = column.fill_null("").gather(empty)
        folded = fold_twins(texts.str.normalize("NFC"))
        found = folded.str.to_lowercase().str.extract_all(_WORD)
        lists.append(found)
        lengths_here = found.list.len()
        counts[:, place] = lengths_here.to_numpy()
    if not counts.any():
        return words
    joined = lists[0]
    for further in lists[1:]:
        joined = joined.list.concat(further)
    own = joined.explode().drop_nulls()
    every = pl.concat([words.distinct, own])
    distinct = every.unique().sort()
    lengths = words.lengths.copy()
    lengths[empty] = counts
    words_of_ad = lengths.sum(axis=1, dtype=np.int64)
    offsets = offsets_of(words_of_ad)
    full = np.flatnonzero(words_before > 0)
    number_of_known = places_in(words.distinct, distinct)
    ids = np.empty(offsets[-1], np.int32)
    of_full = _places(offsets, full)
    ids[of_full] = number_of_known[words.ids]
    of_empty = _places(offsets, empty)
    ids[of_empty] = places_in(own, distinct)
    return replace(words, ids=ids, offsets=offsets, distinct=distinct, lengths=lengths)


def _places(offsets: Offsets, ads: SomeAds) -> Int64[np.ndarray, "words"]:
    starts = offsets[ads]
    ends = offsets[ads + 1]
    return ragged(starts, ends - starts)
