"""How every picture looks: colours, lines, markers, hatches, sizes of letters, and the legend below."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
import numpy as np
from jaxtyping import Bool, Float64
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

# Okabe and Ito (2008): colours that people with any colour vision can distinguish, without the yellow, too pale for
# paper; dark and light by turns, so that neighbours differ in grey too.
BLUE, ORANGE, SKY, VERMILION, PURPLE, GREEN = (
    "#0072B2",
    "#E69F00",
    "#56B4E9",
    "#D55E00",
    "#CC79A7",
    "#009E73",
)
COLOURS = (BLUE, ORANGE, "black", SKY, VERMILION, PURPLE, GREEN)
LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----")

SMALL = 9.0
LINE_OF_TITLE, LINE_OF_LEGEND = 6.5, 9  # characters an inch, such that wide letters fit too
# Under letters on a hatch or a line.
PAPER = {
    "facecolor": "white",
    "edgecolor": "none",
    "pad": 1.0,
}
SETTINGS: dict[str, Any] = {
    "font.size": SMALL,
    "axes.titlesize": 10.0,
    "axes.labelsize": 10.0,
    "figure.titlesize": 11.0,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "legend.handlelength": 3.5,
    "hatch.linewidth": 0.6,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "lines.markersize": 5.0,
    "text.parse_math": False,  # a model's name or an ad's id may hold dollar signs
    "svg.hashsalt": "nrl-dedup",  # the same picture, the same bytes
}


@dataclass(frozen=True)
class Scores:
    """The scores of one model for labelled pairs; weights above 0."""

    labels: Bool[np.ndarray, "pairs"]
    logits: Float64[np.ndarray, "pairs"]
    weights: Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class Look:
    """How the model at one place of the legend is drawn, on every picture."""

    colour: str
    line: Any
    marker: str
    hatch: str


def look(place: int) -> Look:
    """The cycles have no common length, so no two of the first 840 models look the same."""
    return Look(*(cycle[place % len(cycle)] for cycle in (COLOURS, LINES, MARKERS, HATCHES)))


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's defaults and `SETTINGS`, whatever a user's own matplotlibrc sets; undone at the end."""
    with matplotlib.style.context(["default", SETTINGS]):
        yield


def paler(colour: str) -> tuple[float, float, float]:
    """Half way to white, so that a black hatch can be seen on it."""
    red, green, blue = to_rgb(colour)
    return (1 + red) / 2, (1 + green) / 2, (1 + blue) / 2


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of so many inches, its title broken so that none of it is cut off."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(wrapped(title, int(width * LINE_OF_TITLE)))
    return figure


def wrapped(text: str, width: int) -> str:
    """`text` in lines of at most `width` characters; its own line breaks stay."""
    return "\n".join(textwrap.fill(line, width) for line in text.splitlines())


def legend_below(
    figure: Figure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    note: str = "",
    columns: int = 1,
) -> None:
    """A legend under the axes, where it hides nothing; `note` is above it. The figure grows by its height."""
    width = figure.get_figwidth()
    note = wrapped(note, int(width * LINE_OF_LEGEND))
    labels = [wrapped(label, int((width / columns - 0.8) * LINE_OF_LEGEND)) for label in labels]
    rows = [labels[start : start + columns] for start in range(0, len(labels), columns)]
    lines = sum(max(label.count("\n") + 1 for label in row) for row in rows) + note.count("\n") + 1
    figure.set_figheight(figure.get_figheight() + 0.2 * lines)
    legend = figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, title=note, frameon=False
    )
    legend.get_title().set_multialignment("center")
