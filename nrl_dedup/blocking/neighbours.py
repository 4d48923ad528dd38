"""The nearest ads of each ad in one space: what blocking searches, and what pair evidence is judged against."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

NONE = -1


@dataclass(frozen=True)
class Neighbours:
    """Of each ad the nearest others, the nearest first.

    `rows`: NONE where there are fewer, and for an ad that is not in the space (one without a photo). `similarities`:
    the higher, the nearer; NaN where there is none.
    """

    rows: Int64[np.ndarray, "ads neighbours"]
    similarities: Float32[np.ndarray, "ads neighbours"]
