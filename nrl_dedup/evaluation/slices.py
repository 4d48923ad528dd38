"""Kinds of pairs, to see where a model is good: by the length of descriptions, photos, what is missing, any column."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from nrl_dedup.metrics import BUCKETS, length_bucket

MAX_WORDS = 100  # longer descriptions share the last bucket, as in the thesis
MAX_PHOTOS = 3  # more photos share the last slice. Not tuned.
MAX_VALUES = 10  # slices of a column that a person reads at a glance. Not tuned.
DIFFERENT, OTHER, EMPTY = "(different)", "(other)", "(empty)"
_UNLIKE_STARTS = (0, 10, 20, 40, 70, 100)


@dataclass(frozen=True)
class Slicing:
    """A partition of the pairs. `keys`: what each slice is called; `of_pair`: each pair's slice, as a place in it.

    A slice may be empty.
    """

    keys: tuple[dict[str, Any], ...]
    of_pair: Int64[np.ndarray, "pairs"]

    def members(self) -> list[Int64[np.ndarray, "members"]]:
        """The pairs of each slice."""
        return [np.flatnonzero(self.of_pair == number) for number in range(len(self.keys))]


def by_length(words_l: Int64[np.ndarray, "pairs"], words_r: Int64[np.ndarray, "pairs"]) -> Slicing:
    """The thesis's eleven buckets (`metrics.length_bucket`). Keys: bucket, mean_words.

    :param words_l: the words of the pairs' left descriptions; `words_r` of the right ones.
    """
    labels = _spans(range(0, 10 * BUCKETS, 10))
    keys = tuple({"bucket": bucket, "mean_words": label} for bucket, label in enumerate(labels))
    return Slicing(keys, length_bucket(words_l, words_r))


def by_unlike_length(
    words_l: Int64[np.ndarray, "pairs"], words_r: Int64[np.ndarray, "pairs"]
) -> Slicing:
    """The words of the shorter description against those of the longer one, each at most 100; so 21 cells, for the
    shorter one is in no higher span. Keys: shorter, longer."""
    ends = np.sort(np.minimum([words_l, words_r], MAX_WORDS), axis=0)
    shorter, longer = np.searchsorted(_UNLIKE_STARTS, ends, side="right") - 1
    return _by_two("shorter", "longer", _spans(_UNLIKE_STARTS), shorter, longer)


def by_photos(
    photos_l: Int64[np.ndarray, "pairs"], photos_r: Int64[np.ndarray, "pairs"]
) -> Slicing:
    """How many photos the two ads name, the fewer first, each at most 3 ("3+"). Keys: value."""
    fewer, more = np.sort(np.minimum([photos_l, photos_r], MAX_PHOTOS), axis=0)
    labels = [*map(str, range(MAX_PHOTOS)), f"{MAX_PHOTOS}+"]
    cells = _by_two("fewer", "more", labels, fewer, more)
    return Slicing(
        tuple({"value": f"{key['fewer']} and {key['more']}"} for key in cells.keys), cells.of_pair
    )


def by_missing(
    words_l: Bool[np.ndarray, "pairs"],
    words_r: Bool[np.ndarray, "pairs"],
    photo_l: Bool[np.ndarray, "pairs"],
    photo_r: Bool[np.ndarray, "pairs"],
) -> Slicing:
    """Which sides one of the two ads lacks, or both do. Keys: value.

    :param words_l: whether the left ad has words; `photo_l`, a readable photo.
    """
    keys = ("both complete", "a photo missing", "words missing", "words and a photo missing")
    kind = 2 * ~(words_l & words_r) + ~(photo_l & photo_r)
    return Slicing(tuple({"value": key} for key in keys), kind.astype(np.int64))


def by_values(values_l: pl.Series, values_r: pl.Series) -> Slicing:
    """The value that both ads have in some column, or "(different)" where they have two. Keys: value.

    The ten values of the most pairs have slices of their own (of equally many, the first by code points), the rest
    share "(other)"; pairs of two empty cells are "(empty)". White space around a value does not count. There are only
    slices that have pairs.
    """
    pairs = pl.DataFrame({"l": values_l.str.strip_chars(), "r": values_r.str.strip_chars()})
    value = pairs.select(value=pl.when(pl.col("l") == pl.col("r")).then("l")).to_series()
    counts = value.drop_nulls().value_counts().filter(pl.col("value") != "")
    top = (
        counts.sort("count", "value", descending=[True, False])["value"].head(MAX_VALUES).to_list()
    )
    labels = np.array([*top, EMPTY, OTHER, DIFFERENT])
    empty, other, different = range(len(top), len(labels))
    number = value.replace_strict(
        [*top, ""], [*range(len(top)), empty], default=other, return_dtype=pl.Int64
    )
    used, of_pair = np.unique(np.where(value.is_null(), different, number), return_inverse=True)
    return Slicing(tuple({"value": str(label)} for label in labels[used]), of_pair)


def _spans(starts: Sequence[int]) -> list[str]:
    """0-9, 10-19, ...; the last one is its start alone, where counts are capped."""
    return [f"{start}-{end - 1}" for start, end in pairwise(starts)] + [str(starts[-1])]


def _by_two(
    low_name: str,
    high_name: str,
    labels: Sequence[str],
    low: Int64[np.ndarray, "pairs"],
    high: Int64[np.ndarray, "pairs"],
) -> Slicing:
    """The cells low <= high of two numbers, row after row."""
    cells = list(combinations_with_replacement(range(len(labels)), 2))
    number = np.zeros((len(labels), len(labels)), dtype=np.int64)
    number[tuple(np.transpose(cells))] = np.arange(len(cells))
    return Slicing(
        tuple({low_name: labels[a], high_name: labels[b]} for a, b in cells), number[low, high]
    )
