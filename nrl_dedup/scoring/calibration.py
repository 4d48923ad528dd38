"""Calibration: from a score to the log-odds of a duplicate."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float64

from nrl_dedup.errors import NrlDedupError

# Of a calibration's numbers: far beyond any log-odds, and so small that no score is infinite.
MAX_ABSOLUTE = 1e6

Scores = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class Calibration:
    """log-odds = slope * score + intercept (Platt), then bent along `knots` where there are some.

    `knots`: log-odds before and after, both rising; between two of them a straight line, beyond the last ones one of
    slope 1. So the order of the scores stays.
    """

    slope: float
    intercept: float
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, scores: Scores) -> Scores:
        log_odds = self.slope * scores + self.intercept
        if not self.knots:
            return log_odds
        knots = np.array(self.knots)
        before = knots[:, 0]
        after = knots[:, 1]
        inside = np.clip(log_odds, before[0], before[-1])
        return np.interp(inside, before, after) + log_odds - inside

    def saved(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def loaded(cls, saved: Any) -> "Calibration":
        """:raises NrlDedupError: `saved` is not what `saved()` gives: a number is missing, not finite or beyond
        `MAX_ABSOLUTE`, or the order of the scores would not stay."""
        if not isinstance(saved, dict) or saved.keys() != {"slope", "intercept", "knots"}:
            raise NrlDedupError("wanted a calibration of slope, intercept and knots; found others")
        knots, rows = saved["knots"], list | tuple
        if not isinstance(knots, rows) or not all(
            isinstance(knot, rows) and len(knot) == 2 for knot in knots
        ):
            raise NrlDedupError("wanted knots of two numbers each in a calibration; found others")
        figures = [
            saved["slope"],
            saved["intercept"],
            *(figure for knot in knots for figure in knot),
        ]
        if not all(
            type(figure) in (int, float) and abs(figure) <= MAX_ABSOLUTE for figure in figures
        ):
            raise NrlDedupError(
                f"wanted the numbers of a calibration from -{MAX_ABSOLUTE:,.0f} to {MAX_ABSOLUTE:,.0f}"
            )
        falls = any(later[end] < knot[end] for knot, later in pairwise(knots) for end in (0, 1))
        if falls or saved["slope"] < 0:
            raise NrlDedupError(
                "wanted a calibration that rises, found a slope below 0 or knots that fall"
            )
        return cls(
            float(saved["slope"]),
            float(saved["intercept"]),
            tuple((float(x), float(y)) for x, y in knots),
        )
