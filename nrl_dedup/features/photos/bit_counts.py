"""How many bits of whole numbers are set."""

import numpy as np
from jaxtyping import Int64, UInt64

_NUMBERS = range(1 << 16)
_BITS_SET = np.array([number.bit_count() for number in _NUMBERS], np.uint8)


def count_bits(numbers: UInt64[np.ndarray, "*some"]) -> Int64[np.ndarray, "*some"]:
    """The number of set bits of each."""
    parts = np.ascontiguousarray(numbers).view(np.uint16)
    parts = parts.reshape(*numbers.shape, 4)
    return _BITS_SET[parts].sum(axis=-1, dtype=np.int64)
