"""The comparison vectors of pairs: one row per pair, a named column for each respect in which the two are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Shaped

from nrl_dedup.comparison.ad_profiles import AdProfiles
from nrl_dedup.comparison.columns import Direction
from nrl_dedup.comparison.similarities import Rows
from nrl_dedup.runtime.progress import SILENT, Progress

CHUNK_PAIRS = 1 << 15  # compared at once; bounds the memory


@dataclass(frozen=True)
class ComparisonVectors:
    """`values`: NaN where a side is missing. `groups`: the group of each column, one of `base.GROUPS`, or `RIVALS`.

    `directions`: of columns by name; that of a column without one is `EITHER`.
    """

    values: Float32[np.ndarray, "pairs columns"]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    directions: Mapping[str, Direction] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def joined(cls, parts: "Sequence[ComparisonVectors]") -> "ComparisonVectors":
        """One after the other. A column that one of them lacks is NaN there."""
        if len(parts) == 1:
            return parts[0]
        group_of: dict[str, str] = {}
        directions: dict[str, Direction] = {}
        for part in parts:
            group_of.update(zip(part.names, part.groups, strict=True))
            directions.update(part.directions)
        names = tuple(group_of)
        values = np.concatenate([part.columns(names) for part in parts])
        return cls(values, names, tuple(group_of.values()), directions)

    def take(self, pairs: Shaped[np.ndarray, "some"]) -> "ComparisonVectors":
        """Those of some pairs, by their numbers or a mask."""
        return replace(self, values=self.values[pairs])

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
        return replace(
            self,
            values=self.values[:, kept],
            names=tuple(self.names[at] for at in kept),
            groups=tuple(self.groups[at] for at in kept),
        )


def compare_pairs(
    ads: AdProfiles, rows_l: Rows, rows_r: Rows, progress: Progress = SILENT
) -> ComparisonVectors:
    """The comparison vector of each pair of rows, the same whichever ad is on the left, and whatever the other pairs.

    All are in memory, 4 bytes for each pair and column: score many millions of pairs with `score_pairs_in_chunks`.
    """
    names: list[str] = []
    groups: list[str] = []
    directions: dict[str, Direction] = {}
    for comparison in ads.comparisons:
        for name, column in comparison.columns.items():
            names.append(name)
            groups.append(comparison.group)
            directions[name] = column.direction
    values = np.empty((len(rows_l), len(names)), np.float32)
    with progress.task("pair evidence", len(rows_l)) as task:
        for start in range(0, len(rows_l), CHUNK_PAIRS):
            chunk = slice(start, start + CHUNK_PAIRS)
            _compare_chunk(ads, rows_l[chunk], rows_r[chunk], values[chunk])
            task.advance(len(rows_l[chunk]))
    return ComparisonVectors(values, tuple(names), tuple(groups), directions)


def _compare_chunk(
    ads: AdProfiles, rows_l: Rows, rows_r: Rows, values: Float32[np.ndarray, "pairs columns"]
) -> None:
    """Write the comparison vectors into `values`."""
    at = 0
    for comparison in ads.comparisons:
        compared = comparison.compare(rows_l, rows_r)
        for name in comparison.columns:
            values[:, at] = compared[name]
            at += 1
