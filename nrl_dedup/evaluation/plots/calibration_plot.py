"""Whether a score of 0.8 means 8 duplicates in 10 pairs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit

from nrl_dedup.evaluation.plots.style import Scores, house_style, legend_below, look, new_figure
from nrl_dedup.metrics import CALIBRATION_BINS, calibration_bins, expected_calibration_error

COLUMNS = 20


@house_style()
def calibration(models: Mapping[str, Scores], pairs: str) -> Figure:
    """Reliability curves: the share of duplicates in each quantile bin against its mean score; the diagonal is right.

    Below, how many pairs (a plain count) have a score in each twentieth of 0 to 1; the last one holds score 1 too.
    The legend gives the expected calibration error over the quantile bins.

    :param models: by name, in the order of the legend. Without pairs a model has no curve: its error is "n/a".
    :param pairs: which pairs these are, for the title: "test pairs".
    """
    figure = new_figure(6.0, 6.5, f"Calibration, {pairs}")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.set(ylabel="share of duplicates", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    below.set(xlabel="score", ylabel="pairs")
    below.yaxis.set_major_formatter("{x:,.0f}")
    edges = np.linspace(0, 1, COLUMNS + 1)
    handles, labels = [], []
    for place, (name, scores) in enumerate(models.items()):
        bins = calibration_bins(scores.labels, scores.logits, scores.weights)
        error = expected_calibration_error(bins)
        style = look(place)
        handles += above.plot(
            bins.predicted,
            bins.observed,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
        )
        labels.append(f"ECE {'n/a' if error is None else format(error, '.3f')}  {name}")
        counts = np.histogram(expit(scores.logits), edges)[0]
        below.stairs(counts, edges, color=style.colour, linestyle=style.line, linewidth=1.5)
    handles += above.plot([0, 1], [0, 1], color="0.4", linewidth=1, linestyle=(0, (1, 3)))
    labels.append("perfect")
    for axes in (above, below):
        axes.grid()
    legend_below(
        figure,
        handles,
        labels,
        f"ECE: expected calibration error over {CALIBRATION_BINS} quantile bins",
    )
    return figure
