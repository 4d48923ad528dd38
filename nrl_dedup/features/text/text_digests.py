"""Digests of texts that are the same in every run, on every machine, whatever the version of a library."""

import numpy as np
import polars as pl
from jaxtyping import UInt64

_FNV_OFFSET, _FNV_PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)
_TEXTS_AT_ONCE = 1 << 16


def text_digests(texts: pl.Series) -> UInt64[np.ndarray, "texts"]:
    """FNV-1a (64 bits; Fowler, Noll and Vo, 1991) of each text's UTF-8 bytes, its bits then mixed as in MurmurHash3.

    Without the mixing, texts that differ in their last letter alone would have digests in the order of that letter.
    """
    parts = [
        _digests_of(texts[start : start + _TEXTS_AT_ONCE])
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def _digests_of(texts: pl.Series) -> UInt64[np.ndarray, "texts"]:
    data = np.frombuffer("".join(texts.to_list()).encode(), np.uint8)
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    digests = np.full(len(texts), _FNV_OFFSET)
    longest_first = np.argsort(-lengths, kind="stable")
    reaching = np.searchsorted(
        -lengths[longest_first], -np.arange(1, int(lengths.max(initial=0)) + 1), side="right"
    )
    for place, count in enumerate(reaching):
        some = longest_first[:count]
        digests[some] = (digests[some] ^ data[starts[some] + place]) * _FNV_PRIME
    digests ^= digests >> np.uint64(33)
    digests *= np.uint64(0xFF51AFD7ED558CCD)
    return digests ^ (digests >> np.uint64(33))
