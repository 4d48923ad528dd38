"""How the length of the descriptions matters (thesis, Figures 4.11 and 4.12, and what it guessed at)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from nrl_dedup.evaluation.plots.style import (
    PAPER,
    SKY,
    house_style,
    legend_below,
    look,
    new_figure,
    paler,
)
from nrl_dedup.metrics import BUCKETS

BUCKET_NAMES = (*(f"{10 * bucket}-{10 * bucket + 9}" for bucket in range(BUCKETS - 1)), "100")
MEAN_WORDS = "mean words of the two descriptions"


@house_style()
def class_shares(
    labels: Bool[np.ndarray, "pairs"],
    weights: Float64[np.ndarray, "pairs"],
    buckets: Int64[np.ndarray, "pairs"],
) -> Figure:
    """Figure 4.11: the weighted share of duplicates in each length bucket; on the bar, how many of how many pairs (a
    plain count). A bucket without pairs has the word "empty" in place of a bar.

    :param buckets: `metrics.length_bucket` of each pair.
    """
    figure = new_figure(8.0, 4.0, "Share of duplicates by description length")
    axes = figure.add_subplot(xlabel=MEAN_WORDS, ylabel="share of duplicates")
    counts = np.bincount(buckets, minlength=BUCKETS)
    found = np.bincount(buckets[labels], minlength=BUCKETS)
    total = np.bincount(buckets, weights, minlength=BUCKETS)
    positive = np.bincount(buckets, weights * labels, minlength=BUCKETS)
    full = np.flatnonzero(counts)
    shares = positive[full] / total[full]
    axes.bar(full, shares, width=0.75, color=paler(SKY), edgecolor="black", hatch="////")
    for bucket in full:
        text = f"{found[bucket]:,}\nof\n{counts[bucket]:,}"
        axes.annotate(
            text,
            (bucket, 0),
            (0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            bbox=PAPER,
        )
    for bucket in np.flatnonzero(counts == 0):
        _mark_missing(axes, float(bucket), "empty")
    axes.set_xticks(range(BUCKETS), BUCKET_NAMES)
    axes.set_xlim(-0.6, BUCKETS - 0.4)
    axes.set_ylim(0, 1.1 * float(np.max(shares, initial=0.0)) or 1.0)
    if len(full):
        share = float(positive.sum() / total.sum())
        line = axes.axhline(share, color="black", linewidth=1.2, linestyle="--")
        legend_below(figure, [line], [f"all pairs: {share:.3f}"])
    return figure


@house_style()
def ap_by_length(
    models: Mapping[str, Sequence[float | None]],
    counts: Int64[np.ndarray, "buckets"],
    intervals: Mapping[str, Sequence[tuple[float, float] | None]] | None = None,
) -> Figure:
    """Figure 4.12: the AP (4.1) of every model in each length bucket; below it, the bucket's pairs.

    An AP that is not defined has "n/a" in place of a bar.

    :param models: by name, in the order of the legend: the AP in each of the 11 buckets, None where it is not defined.
    :param counts: pairs in each bucket.
    :param intervals: by the same names: lowest and highest AP of the 95 % interval, drawn as whiskers.
    """
    figure = new_figure(
        max(8.0, 1 + 1.6 * len(models)), 4.2, "Average precision by description length"
    )
    axes = figure.add_subplot(
        xlabel=f"{MEAN_WORDS}\n(pairs)", ylabel="average precision", ylim=(0, 1.02)
    )
    axes.grid(axis="y")
    width = 0.84 / max(len(models), 1)
    handles = []
    for place, (name, values) in enumerate(models.items()):
        at = np.arange(len(values)) + width * (place - (len(models) - 1) / 2)
        style = look(place)
        fill: dict[str, Any] = {
            "facecolor": paler(style.colour),
            "hatch": style.hatch,
            "edgecolor": "black",
        }
        defined = [(x, value) for x, value in zip(at, values, strict=True) if value is not None]
        axes.bar([x for x, _ in defined], [value for _, value in defined], width, **fill)
        handles.append(Patch(**fill))
        whiskers = (intervals or {}).get(name, [None] * len(values))
        for x, value, interval in zip(at, values, whiskers, strict=True):
            if value is None:
                _mark_missing(axes, x, "n/a")
            if interval is not None:
                halo = [withStroke(linewidth=3, foreground="white")]
                axes.plot(
                    [x] * 2,
                    interval,
                    color="black",
                    linewidth=1.2,
                    marker="_",
                    markersize=5,
                    path_effects=halo,
                )
    axes.set_xticks(
        range(BUCKETS), [f"{name}\n({n:,})" for name, n in zip(BUCKET_NAMES, counts, strict=True)]
    )
    axes.set_xlim(-0.6, BUCKETS - 0.4)
    note = "Whiskers: 95 % intervals" if intervals else ""
    # Matplotlib before 3.10 hides a label that starts with an underscore.
    names = [f" {name}" for name in models]
    legend_below(figure, handles, names, note, columns=2 if len(models) > 1 else 1)
    return figure


@house_style()
def unlike_lengths(
    ap: Float64[np.ndarray, "bins bins"],
    counts: Int64[np.ndarray, "bins bins"],
    names: Sequence[str],
    model: str,
) -> Figure:
    """The AP (4.1) by the words of the shorter (row) and of the longer description (column), and the pairs in each.

    Where the AP is not defined the cell is hatched: without pairs it is otherwise empty, with pairs of one class only
    it shows "n/a" and how many. Nothing is drawn where the shorter one would be the longer.

    :param ap: NaN where it is not defined.
    :param names: of the bins, from the shortest on: "0-9".
    :param model: its name, for the title.
    """
    bins = len(names)
    size = 0.75 * bins
    figure = new_figure(
        max(size, 3.0) + 2.1,
        max(size, 3.0) + 0.9,
        f"Average precision of {model} by the two lengths",
    )
    axes = figure.add_subplot(
        xlabel="words of the longer description",
        ylabel="words of the shorter description",
        aspect="equal",
    )
    lowest = float(np.floor(10 * np.min(ap, initial=0.9, where=~np.isnan(ap)))) / 10
    image = axes.imshow(np.ma.masked_invalid(ap), cmap="Blues", vmin=lowest, vmax=1)
    possible = np.triu(np.ones((bins, bins), dtype=bool))
    for row, column in np.argwhere(possible | (counts > 0)).tolist():
        value, pairs = ap[row, column], counts[row, column]
        if np.isnan(value):
            axes.add_patch(_hatched_cell(row, column))
        if pairs:
            text = f"{'n/a' if np.isnan(value) else format(value, '.2f')}\n({pairs:,})"
            colour = "white" if (value - lowest) / (1 - lowest) > 0.7 else "black"
            box = PAPER if np.isnan(value) else None
            axes.text(column, row, text, ha="center", va="center", color=colour, bbox=box)
    axes.set_xticks(range(bins), names)
    axes.set_yticks(range(bins), names)
    figure.colorbar(image, ax=axes, shrink=0.7, label="average precision (hatched: not defined)")
    return figure


def _mark_missing(axes: Axes, at: float, word: str) -> None:
    """A word where the bar would be."""
    axes.annotate(
        word, (at, 0), (0, 3), textcoords="offset points", rotation=90, ha="center", va="bottom"
    )


def _hatched_cell(row: int, column: int) -> Rectangle:
    return Rectangle(
        (column - 0.5, row - 0.5),
        1,
        1,
        facecolor="white",
        edgecolor="0.6",
        hatch="////",
        linewidth=0.5,
    )
