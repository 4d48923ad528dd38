"""The baseline's two features and its decision (thesis, Figures 4.1 to 4.4)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import expit, logit

from nrl_dedup.evaluation.plots.style import BLUE, ORANGE, house_style, legend_below, new_figure

MAX_POINTS = 5_000
SEED = 0
STRIP = (-0.17, -0.05)  # where pairs without a distance lie, in parts of the largest distance

Linear = Callable[[Float64[np.ndarray, "pairs 2"]], Float64[np.ndarray, "pairs"]]


@house_style()
def feature_plane(
    evidence: Float64[np.ndarray, "pairs 2"],
    labels: Bool[np.ndarray, "pairs"],
    logits: Linear,
    pairs: str,
    threshold: float = 0.5,
) -> Figure:
    """The pairs by Jaccard similarity (3.1) and distance of the photos (3.2): actual classes (Figures 4.1, 4.3) beside
    predicted ones (4.2, 4.4), with the line between them, where expit(logits) is `threshold`.

    Pairs whose distance is NaN lie in a strip of their own below the plane, at random heights. Of more than 5,000
    pairs a random 5,000 are drawn, always the same ones, which the picture states.

    :param logits: `Baseline.logits`, or another function that is linear in the two features and gives NaN a fixed say.
    :param pairs: which pairs these are, for the title: "test pairs".
    """
    draw = np.random.default_rng(SEED)
    count = len(labels)
    chosen = np.sort(draw.choice(count, size=min(count, MAX_POINTS), replace=False))
    predicted = expit(logits(evidence[chosen])) >= threshold
    missing = np.isnan(evidence[chosen, 1])
    height = float(np.max(evidence[chosen, 1], initial=0.0, where=~missing)) or 1.0
    strip_y = draw.uniform(STRIP[0] * height, STRIP[1] * height, size=len(chosen))
    x, y = evidence[chosen, 0], np.where(missing, strip_y, evidence[chosen, 1])

    figure = new_figure(8.5, 4.3, f"The baseline's features, {pairs}")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    line = _segment(*_line(logits, threshold), height)
    for axes, classes, title in (
        (left, labels[chosen], "actual classes"),
        (right, predicted, "predicted classes"),
    ):
        handles = _points(axes, x, y, classes)
        handles += axes.plot(*line.T, color="black", linewidth=1.5)
        axes.set(title=title, xlabel="Jaccard similarity of the words", xlim=(-0.03, 1.03))
    left.set_ylabel("Euclidean distance of the photos")
    _mark_distances((left, right), height, missing, logits, threshold)
    words = [
        "duplicate",
        "not a duplicate",
        "decision" if len(line) else "decision: outside the picture",
    ]
    without = np.isnan(evidence[:, 1]).sum()
    notes = (
        [f"{len(chosen):,} of {count:,} pairs are drawn, chosen at random."]
        if len(chosen) < count
        else []
    )
    notes += (
        [f"{without:,} of {count:,} pairs have no distance: a photo is missing."] if without else []
    )
    legend_below(figure, handles, words, "\n".join(notes), columns=3)
    return figure


def _points(axes: Axes, x: np.ndarray, y: np.ndarray, duplicate: np.ndarray) -> list[Artist]:
    """A pair is a hollow circle or a cross. Rasterised: an SVG of 10,000 markers is slow to open."""
    look: dict[str, Any] = {
        "linestyle": "",
        "markersize": 3.5,
        "markeredgewidth": 0.7,
        "rasterized": True,
        "zorder": 1,
    }
    negative = axes.plot(x[~duplicate], y[~duplicate], marker="x", color=ORANGE, **look)
    positive = axes.plot(
        x[duplicate], y[duplicate], marker="o", color=BLUE, markerfacecolor="none", **look
    )
    return [*positive, *negative]


def _line(logits: Linear, threshold: float) -> tuple[float, float, float]:
    """a, b, c with a * similarity + b * distance + c = 0 where the score is `threshold`."""
    origin, one_similar, one_distant = logits(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    return (
        float(one_similar - origin),
        float(one_distant - origin),
        float(origin - logit(threshold)),
    )


def _segment(a: float, b: float, c: float, height: float) -> Float64[np.ndarray, "points 2"]:
    """The two ends of the part of the line a x + b y + c = 0 with x from 0 to 1 and y from 0 to `height`, if any."""
    crossings = [(x, -(a * x + c) / b) for x in (0.0, 1.0)] if b else []
    crossings += [(-(b * y + c) / a, y) for y in (0.0, height)] if a else []
    inside = sorted((x, y) for x, y in crossings if 0 <= x <= 1 and 0 <= y <= height)
    return np.array([inside[0], inside[-1]] if inside else []).reshape(-1, 2)


def _mark_distances(
    panels: tuple[Axes, Axes], height: float, missing: np.ndarray, logits: Linear, threshold: float
) -> None:
    """Ticks of the distance, and the strip of the pairs that have none with its own decision."""
    ticks = (
        []
        if missing.all()
        else [float(t) for t in MaxNLocator(5).tick_values(0, height) if 0 <= t <= height]
    )
    names = [f"{tick:g}" for tick in ticks]
    bottom = -0.03 * height
    if missing.any():
        bottom = (STRIP[0] - 0.05) * height
        ticks.append(sum(STRIP) / 2 * height)
        names.append("none")
        zero, one = logits(np.array([[0.0, np.nan], [1.0, np.nan]])) - logit(threshold)
        crossing = -zero / (one - zero) if one != zero else np.nan
        for axes in panels:
            axes.axhline((STRIP[1] / 2) * height, color="0.4", linewidth=0.8)
            if 0 <= crossing <= 1:
                axes.plot([crossing] * 2, np.array(STRIP) * height, color="black", linewidth=1.5)
    for axes in panels:
        axes.set_ylim(bottom, 1.03 * height)
        axes.set_yticks(ticks, names)
