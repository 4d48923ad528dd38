"""Digests of texts that are the same in every run, on every machine, whatever the version of a library."""

import numpy as np
import polars as pl
from jaxtyping import UInt64

# The two numbers of FNV-1a, and the mixing steps of MurmurHash3, as published.
_FNV_OFFSET = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)
_MIX_SHIFT = np.uint64(33)
_MIX_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
_CHUNK_TEXTS = 1 << 16  # so that memory stays small. Not tuned.


def text_digests(texts: pl.Series) -> UInt64[np.ndarray, "texts"]:
    """FNV-1a (64 bits; Fowler, Noll and Vo, 1991) of each text's UTF-8 bytes, its bits then mixed as in MurmurHash3.

    Without the mixing, texts that differ in their last letter alone would have digests in the order of that letter.
    """
    digests = np.zeros(len(texts), np.uint64)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = slice(start, start + _CHUNK_TEXTS)
        digests[chunk] = _digests_of(texts[chunk])
    return digests


def _digests_of(texts: pl.Series) -> UInt64[np.ndarray, "texts"]:
    joined = "".join(texts.to_list())
    data = np.frombuffer(joined.encode(), np.uint8)
    sizes = texts.str.len_bytes()
    lengths = sizes.to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    digests = np.full(len(texts), _FNV_OFFSET)
    longest_first = np.argsort(-lengths, kind="stable")
    longest = int(lengths.max(initial=0))
    places = np.arange(longest)
    # Of each place, how many texts have a byte there.
    descending = -lengths[longest_first]
    reaching = np.searchsorted(descending, -(places + 1), side="right")
    for place, count in enumerate(reaching):
        some = longest_first[:count]
        byte = data[starts[some] + place]
        mixed = digests[some] ^ byte
        digests[some] = mixed * _FNV_PRIME
    digests ^= digests >> _MIX_SHIFT
    digests *= _MIX_FACTOR
    digests ^= digests >> _MIX_SHIFT
    return digests
