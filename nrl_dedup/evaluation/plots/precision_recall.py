"""Precision against recall (thesis, Figures 4.6, 4.7 and 4.10)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from nrl_dedup.evaluation.plots.style import Scores, house_style, legend_below, look, new_figure
from nrl_dedup.metrics import average_precision, precision_recall_curve


@house_style()
def precision_recall(models: Mapping[str, Scores], pairs: str) -> Figure:
    """The curves of Figures 4.6 and 4.7 (one model) and 4.10 (several).

    A curve is drawn as steps with a point for each distinct logit, so the area below it is the AP of the legend. The
    chance line is at the weighted share of duplicates: the precision of scores that mean nothing.

    :param models: by name, in the order of the legend. One whose pairs are of one class has no curve: its AP is "n/a".
    :param pairs: which pairs these are, for the title: "test pairs".
    """
    figure = new_figure(6.0, 5.0, f"Precision and recall, {pairs}")
    axes = figure.add_subplot(
        xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
    )
    axes.grid()
    handles, labels = [], []
    for place, (name, scores) in enumerate(models.items()):
        curve = precision_recall_curve(scores.labels, scores.logits, scores.weights)
        ap = average_precision(scores.labels, scores.logits, scores.weights)
        nothing = np.array([])
        recall = nothing if curve is None else np.append(0.0, curve.recall)
        precision = nothing if curve is None else np.append(curve.precision[0], curve.precision)
        style = look(place)
        handles += axes.plot(
            recall,
            precision,
            drawstyle="steps-pre",
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            # apart from those of a curve that runs along this one
            markevery=np.searchsorted(recall, np.arange(0.1, 1, 0.2) + 0.02 * (place % 5)).tolist()
            if curve
            else None,
        )
        labels.append(f"AP {'n/a' if ap is None else format(ap, '.3f')}  {name}")
    shares = {
        round(float(np.average(s.labels, weights=s.weights)), 3)
        for s in models.values()
        if len(s.labels)
    }
    for share in sorted(shares):
        handles.append(axes.axhline(share, color="0.4", linewidth=1, linestyle=(0, (1, 3))))
        labels.append(f"chance: the share of duplicates, {share:.3f}")
    legend_below(figure, handles, labels)
    return figure
