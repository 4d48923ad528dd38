"""Principal components, whose common directions can be damped: what many photos share says little about any two."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

MAX_SAMPLE = 20_000  # rows that components are fitted to. Not tuned.
_CHUNK_ROWS = 4_096  # projected at once; bounds the memory
_ROWS_PER_COMPONENT = 2  # of 119 photos, 59 directions do better than 119, 29 or none
_MIN_SHARE_OF_VARIANCE = (
    1e-6  # of the largest: a smaller one is rounding error, and is not divided by
)
_MIN_VARIANCE = 1e-12  # in place of 0 where all rows are equal
_MIN_LENGTH = np.float32(1e-12)  # in place of 0 where a vector is divided by its length

Read = Callable[[Int64[np.ndarray, "some"]], Float32[np.ndarray, "some features"]]


def unit(vectors: Float32[np.ndarray, "n size"]) -> Float32[np.ndarray, "n size"]:
    """Vectors divided by their length; what is 0 stays 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


@dataclass(frozen=True)
class PrincipalComponents:
    """z = (x - mean) @ directions, of any vectors x."""

    mean: Float32[np.ndarray, " features"]
    directions: Float32[np.ndarray, "features size"]

    @classmethod
    def fit(
        cls, read: Read, count: int, size: int, power: float, seed: int = 0
    ) -> "PrincipalComponents":
        """The `size` directions V in which the rows vary most, each times l^(-power / 2), l being its variance.

        `power` 0 is a plain projection, 1 whitening. Fitted to at most `MAX_SAMPLE` of the rows, drawn by `seed`; the
        size is at most half the number of rows.

        :param read: the vectors x of some of the rows 0 .. `count` - 1; `count` is at least 1.
        """
        drawn = np.arange(count)
        if count > MAX_SAMPLE:
            shuffled = np.random.default_rng(seed).permutation(count)
            drawn = np.sort(shuffled[:MAX_SAMPLE])
        x = read(drawn).astype(np.float64)
        mean = x.mean(axis=0)
        centred = x - mean
        ascending, directions = np.linalg.eigh(centred.T @ centred / len(x))
        size = min(size, x.shape[1], max(1, count // _ROWS_PER_COMPONENT))
        variances = ascending[::-1][:size]
        largest = directions[:, ::-1][:, :size]
        least = variances[0] * _MIN_SHARE_OF_VARIANCE + _MIN_VARIANCE
        damped = largest * np.maximum(variances, least) ** (-power / 2)
        return cls(mean.astype(np.float32), np.ascontiguousarray(damped, np.float32))

    def project(self, x: Float32[np.ndarray, "some features"]) -> Float32[np.ndarray, "some size"]:
        return (x - self.mean) @ self.directions

    def unit_vectors(self, read: Read, count: int) -> Float32[np.ndarray, "rows size"]:
        """z of the rows 0 .. `count` - 1 that `read` gives, scaled to length 1; some thousand are read at once."""
        z = np.empty((count, self.directions.shape[1]), np.float32)
        for start in range(0, count, _CHUNK_ROWS):
            rows = np.arange(start, min(start + _CHUNK_ROWS, count))
            z[rows] = self.project(read(rows))
        lengths = np.linalg.norm(z, axis=1, keepdims=True)
        return z / np.maximum(lengths, _MIN_LENGTH)
