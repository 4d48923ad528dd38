"""Loss and average precision by epoch (thesis, Figures 4.8 and 4.9)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nrl_dedup.evaluation.plots.style import (
    BLUE,
    ORANGE,
    PAPER,
    house_style,
    legend_below,
    new_figure,
)


@house_style()
def history(
    numbers: Sequence[int],
    train_loss: Sequence[float],
    valid_loss: Sequence[float],
    train_ap: Sequence[float | None],
    valid_ap: Sequence[float | None],
    best_epoch: int,
    name: str,
) -> Figure:
    """Figure 4.8, the mean binary cross-entropy (4.4) of an epoch, and Figure 4.9, the AP (4.1), beside it.

    :param numbers: of the epochs, rising; the four sequences have a value for each. An AP that is None leaves a gap.
    :param best_epoch: the number of the epoch whose weights were kept.
    :param name: the model's, for the title.
    """
    figure = new_figure(8.0, 3.6, f"Training of {name}")
    left, right = figure.subplots(1, 2)
    _curves(left, numbers, train_loss, valid_loss, "binary cross-entropy")
    _curves(right, numbers, train_ap, valid_ap, "average precision")
    handles = [
        *left.lines,
        left.axvline(best_epoch, color="0.4", linewidth=1.2, linestyle=(0, (1, 2))),
    ]
    right.axvline(best_epoch, color="0.4", linewidth=1.2, linestyle=(0, (1, 2)))
    legend_below(
        figure, handles, ["training", "validation", f"kept: epoch {best_epoch}"], columns=3
    )
    return figure


def _curves(
    axes: Axes,
    numbers: Sequence[int],
    train: Sequence[float | None],
    valid: Sequence[float | None],
    what: str,
) -> None:
    axes.set(xlabel="epoch", ylabel=what, xlim=(min(numbers) - 0.5, max(numbers) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid()
    train_values = np.array(train, dtype=np.float64)
    valid_values = np.array(valid, dtype=np.float64)
    axes.plot(numbers, train_values, color=BLUE, linestyle="-", marker="o")
    axes.plot(numbers, valid_values, color=ORANGE, linestyle="--", marker="s")
    if np.isnan(train_values).all() and np.isnan(valid_values).all():
        axes.set_yticks([])
        axes.text(
            0.5,
            0.5,
            "not defined: one class only",
            transform=axes.transAxes,
            ha="center",
            bbox=PAPER,
        )
