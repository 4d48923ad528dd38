"""The words of ads that have none in the letters of the model's language, as they stand."""

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
    found = [
        fold_twins(column.fill_null("").gather(empty).str.normalize("NFC")) for column in columns
    ]
    lists = [texts.str.to_lowercase().str.extract_all(_WORD) for texts in found]
    counts = np.stack([column.list.len().to_numpy() for column in lists], axis=1).astype(np.int32)
    if not counts.any():
        return words
    joined = lists[0]
    for further in lists[1:]:
        joined = joined.list.concat(further)
    own = joined.explode().drop_nulls()
    distinct = pl.concat([words.distinct, own]).unique().sort()
    lengths = words.lengths.copy()
    lengths[empty] = counts
    offsets = np.concatenate([[0], np.cumsum(lengths.sum(axis=1, dtype=np.int64))])
    ids = np.empty(offsets[-1], np.int32)
    full = np.flatnonzero(np.diff(words.offsets) > 0)
    for ads, numbers in (
        (full, _numbers(words.distinct, distinct)[words.ids]),
        (empty, _numbers(own, distinct)),
    ):
        ids[_places(offsets, ads)] = numbers
    return replace(words, ids=ids, offsets=offsets, distinct=distinct, lengths=lengths)


def _numbers(some: pl.Series, distinct: pl.Series) -> Int32[np.ndarray, "some"]:
    """The place of each of some words in `distinct`."""
    places = distinct.to_frame("word").with_row_index("place")
    found = some.to_frame("word").join(places, on="word", how="left", maintain_order="left")
    return found["place"].cast(pl.Int32).to_numpy()


def _places(
    offsets: Int64[np.ndarray, "ads_plus_1"], ads: Int64[np.ndarray, "some"]
) -> Int64[np.ndarray, "words"]:
    return ragged(offsets[ads], offsets[ads + 1] - offsets[ads])
