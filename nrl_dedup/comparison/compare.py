"""The evidence of pairs: a row each, a named column for each respect in which the two ads are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped

from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.runtime.progress import SILENT, Progress

PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class ComparisonVectors:
    """`values`: NaN where a side is missing. `groups`: the group of each column, one of `base.GROUPS`."""

    values: Float32[np.ndarray, "pairs columns"]
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def joined(cls, parts: "Sequence[ComparisonVectors]") -> "ComparisonVectors":
        """One after the other. A column that a part lacks is NaN there."""
        if len(parts) == 1:
            return parts[0]
        group_of = {
            name: group
            for part in parts
            for name, group in zip(part.names, part.groups, strict=True)
        }
        names = tuple(group_of)
        return cls(
            np.concatenate([part.columns(names) for part in parts]), names, tuple(group_of.values())
        )

    def take(self, pairs: Shaped[np.ndarray, "some"]) -> "ComparisonVectors":
        """The evidence of some pairs, by their numbers or a mask."""
        return ComparisonVectors(self.values[pairs], self.names, self.groups)

    def columns(self, names: Sequence[str]) -> Float32[np.ndarray, "pairs named"]:
        """These columns, in their order; NaN for one that is not there, such as the price of a catalogue without."""
        place = {name: at for at, name in enumerate(self.names)}
        found = np.full((len(self), len(names)), np.nan, np.float32)
        for at, name in enumerate(names):
            if name in place:
                found[:, at] = self.values[:, place[name]]
        return found

    def only(self, groups: Sequence[str]) -> "ComparisonVectors":
        """The columns of some groups."""
        kept = [at for at, group in enumerate(self.groups) if group in groups]
        names = tuple(self.names[at] for at in kept)
        return ComparisonVectors(self.values[:, kept], names, tuple(self.groups[at] for at in kept))


def compare_pairs(
    ads: AdProfiles, rows_l: Rows, rows_r: Rows, progress: Progress = SILENT
) -> ComparisonVectors:
    """The evidence of each pair of rows, the same whichever ad stands first, and whatever other pairs are asked for.

    Held whole, 4 bytes for each pair and column: score many millions of pairs with `scoring.score_pairs_in_chunks`.
    """
    nothing = np.zeros(0, np.int64)
    named = [(name, part.group) for part in ads.parts for name in part.compare(nothing, nothing)]
    values = np.empty((len(rows_l), len(named)), np.float32)
    with progress.task("pair evidence", len(rows_l)) as task:
        for start in range(0, len(rows_l), PAIRS_AT_ONCE):
            chunk = slice(start, start + PAIRS_AT_ONCE)
            left, right = rows_l[chunk], rows_r[chunk]
            columns = (
                column for part in ads.parts for column in part.compare(left, right).values()
            )
            for at, column in enumerate(columns):
                values[chunk, at] = column
            task.advance(len(left))
    return ComparisonVectors(
        values, tuple(name for name, _ in named), tuple(group for _, group in named)
    )
