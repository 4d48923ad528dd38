"""The words of ads that have none in the letters of the model's language, as they are written."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from jaxtyping import Int32, Int64

from nrl_dedup.features.text.cleaning import fold_twins
from nrl_dedup.features.text.words import Words, ragged

_WORD = r"[\p{L}\p{M}\p{N}]+"


def with_foreign_words(words: Words, columns: Sequence[pl.Series]) -> Words:
    """The same words, and for each ad without any the runs of letters and digits of its texts, in NFC and lower case.

    So ads in letters that the language drops are compared by their words too. The network does not read them.

    :param columns: those that `words` was read from.
    """
    empty = np.flatnonzero(np.diff(words.offsets) == 0)
    lists = []
    counts = np.zeros((len(empty), len(columns)), np.int32)
    for place, column in enumerate(columns):
        texts = column.fill_null("").gather(empty).str.normalize("NFC")
        found = fold_twins(texts).str.to_lowercase().str.extract_all(_WORD)
        lists.append(found)
        counts[:, place] = found.list.len().to_numpy()
    if not counts.any():
        return words
    joined = lists[0]
    for further in lists[1:]:
        joined = joined.list.concat(further)
    own = joined.explode().drop_nulls()
    distinct = pl.concat([words.distinct, own]).unique().sort()
    lengths = words.lengths.copy()
    lengths[empty] = counts
    words_of_ad = lengths.sum(axis=1, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(words_of_ad)])
    full = np.flatnonzero(np.diff(words.offsets) > 0)
    number_of_known = _numbers(words.distinct, distinct)
    ids = np.empty(offsets[-1], np.int32)
    ids[_places(offsets, full)] = number_of_known[words.ids]
    ids[_places(offsets, empty)] = _numbers(own, distinct)
    return replace(words, ids=ids, offsets=offsets, distinct=distinct, lengths=lengths)


def _numbers(some: pl.Series, distinct: pl.Series) -> Int32[np.ndarray, "some"]:
    """The place of each of some words in `distinct`."""
    places = distinct.to_frame("word").with_row_index("place")
    found = some.to_frame("word").join(places, on="word", how="left", maintain_order="left")
    return found["place"].cast(pl.Int32).to_numpy()


def _places(
    offsets: Int64[np.ndarray, "ads_plus_1"], ads: Int64[np.ndarray, "some"]
) -> Int64[np.ndarray, "words"]:
    starts = offsets[ads]
    ends = offsets[ads + 1]
    return ragged(starts, ends - starts)
