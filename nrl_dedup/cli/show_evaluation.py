"""The closing tables of `nrl-dedup evaluate`."""

from typing import TYPE_CHECKING

from nrl_dedup.cli.console import figure, results, show_table, warn

if TYPE_CHECKING:
    from nrl_dedup.evaluation.report import Report, SliceFigures
    from nrl_dedup.evaluation.slices import Slicing


def show_evaluation(report: "Report", *, by_length: bool) -> None:
    """The models and the baseline side by side (Table 4.5), by description length (Figure 4.12) and by what else was
    asked for; what blocking keeps; and a warning for each model that is worse than the baseline."""
    models = report.models
    first = next(iter(models.values())).overall
    show_table(
        f"On {first.pairs:,} pairs, {first.positives:,} of them duplicates",
        (
            *("model", "average precision", "loss", "calibration error"),
            *(f"precision at {report.evaluation.threshold}", "recall"),
        ),
        [
            (
                name,
                _with_interval(model.overall),
                total.loss,
                total.calibration_error,
                total.precision,
                total.recall,
            )
            for name, model in models.items()
            for total in (model.total,)
        ],
    )
    shown = []
    if by_length:
        lengths = {name: model.by_length for name, model in models.items()}
        _show_slices("By description length", "mean words", "mean_words", report.by_length, lengths)
        _show_unlike_lengths(report)
        shown += [*lengths.values(), *(model.by_unlike_length for model in models.values())]
    for key, slicing in report.by.items():
        values = {name: model.by[key] for name, model in models.items()}
        _show_slices(f"By {key}", key, "value", slicing, values)
        shown += values.values()
    if report.evaluation.blocking:
        _show_blocking(report)
    if report.attention:
        _show_attention(report)
    _explain(report, [part for parts in shown for part in parts])
    _compare_with_baseline(report)


def _with_interval(part: "SliceFigures") -> str:
    if part.interval.low is None:
        return figure(part.average_precision)
    return f"{figure(part.average_precision)} ({figure(part.interval.low)}-{figure(part.interval.high)})"


def _show_slices(
    title: str, what: str, key: str, slicing: "Slicing", models: dict[str, list["SliceFigures"]]
) -> None:
    rows = []
    for name, *parts in zip(slicing.keys, *models.values(), strict=True):
        count = parts[0].pairs
        share = parts[0].positives / count if count else None
        rows.append((str(name[key]), count or None, share, *map(_with_interval, parts)))
    show_table(
        title, (what, "pairs", "share of duplicates", *(f"AP {name}" for name in models)), rows
    )


def _show_unlike_lengths(report: "Report") -> None:
    """The shorter description down, the longer one to the right; in each cell the pairs, then each model's AP."""
    keys = report.by_unlike_length.keys
    spans = list(dict.fromkeys(str(key["longer"]) for key in keys))
    legend = "\n".join(["pairs", *(f"AP {name}" for name in report.models)])
    cells = {}
    for key, *parts in zip(
        keys, *(model.by_unlike_length for model in report.models.values()), strict=True
    ):
        figures = [figure(parts[0].pairs), *(figure(part.average_precision) for part in parts)]
        cells[key["shorter"], key["longer"]] = "\n".join(figures) if parts[0].pairs else "-"
    show_table(
        "Words of the shorter description (rows) against those of the longer one (columns)",
        ("", "", *spans),
        [
            (shorter, legend, *(cells.get((shorter, longer), "") for longer in spans))
            for shorter in spans
        ],
    )


def _show_blocking(report: "Report") -> None:
    kept = report.evaluation.blocking
    wanted = next(iter(kept.values())).wanted
    rows: list[tuple[object, ...]] = []
    parts: list[tuple[object, ...]] = []
    for name, model in report.models.items():
        if model.after_blocking:
            found = kept[name]
            ratio = "-" if found.reduction_ratio is None else f"{found.reduction_ratio:.5f}"
            per_ad = f"{found.mean_per_ad:.1f}", found.most_per_ad
            after = _with_interval(model.after_blocking)
            rows.append(
                (name, found.candidate_pairs, *per_ad, found.pairs_completeness, ratio, after)
            )
            parts += [
                (name, space.name, space.depth, space.pairs_completeness, space.lost_without)
                for space in found.spaces
            ]
    show_table(
        f"Blocking of all {len(report.evaluation.catalogue):,} ads, at most {wanted:,} candidates an ad on average",
        (
            "model",
            *("candidate pairs", "an ad", "the ad with most"),
            *("pairs completeness", "reduction ratio", "AP with lost pairs last"),
        ),
        rows,
    )
    show_table(
        "Of each space: the nearest that became candidates, and duplicates found by it alone or by no other",
        ("model", "space", "nearest", "pairs completeness", "lost without it"),
        parts,
    )


def _show_attention(report: "Report") -> None:
    rows: list[tuple[object, ...]] = []
    for name, found in report.attention.items():
        for network, one in ((name, found.trained), (f"{name}, untrained", found.untrained)):
            rows.append(
                (network, found.pairs, one.overlap, one.chance, one.difference, _span(one.interval))
            )
        rows.append(
            (
                f"{name}, added by training",
                None,
                None,
                None,
                found.added,
                _span(found.added_interval),
            )
        )
    show_table(
        "Attention: of the 20 % of the regions looked at most, the share that both photos of a duplicate have",
        ("model", "duplicates", "overlap", "by chance", "difference", "95 % interval"),
        rows,
    )


def _span(interval: tuple[float, float] | None) -> str | None:
    return None if interval is None else " to ".join(map(figure, interval))


def _explain(report: "Report", parts: list["SliceFigures"]) -> None:
    results.print(
        f"In brackets: 95 % bootstrap intervals over {report.groups:,} groups of duplicates; none where more than "
        "half of the replicates lack a class."
    )
    if any(part.average_precision is None for part in parts):
        results.print(
            "-: no pairs, or pairs of one class only, of which average precision is not defined."
        )


def _compare_with_baseline(report: "Report") -> None:
    *models, (_, baseline) = report.models.items()
    if baseline.overall.average_precision is None:
        warn("average precision is not defined: the pairs are all of one class.")
        return
    for name, model in models:
        ap = model.overall.average_precision
        if ap is not None and ap < baseline.overall.average_precision:
            warn(
                f"{name} is worse than the baseline here ({ap:.3f} against {baseline.overall.average_precision:.3f})."
            )
