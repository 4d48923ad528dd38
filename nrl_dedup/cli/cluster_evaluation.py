"""`nrl-dedup evaluate --clusters`: the figures of a file of clusters, for which no model is needed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.cli.grouped_help import CLUSTERS, Command, option
from nrl_dedup.cli.shared_options import FILE, given_names, with_options

if TYPE_CHECKING:
    from nrl_dedup.evaluation.cluster_quality import ClusterReport

# The largest size of each row of the table but the last.
SIZE_LIMITS = (2, 3, 4, 5, 10, 100)

# Options of `evaluate` that are about models -> what click calls their values.
ABOUT_MODELS = {
    "--items": "items",
    "--pairs": "pairs",
    "--images": "images",
    "--backbone-weights": "backbone_weights",
    "--by-length": "by_length",
    "--by": "by",
    "--blocking": "blocking",
    "--scorer": "scorer",
    "--scores": "scores",
    "--plots": "plots",
}


def cluster_options(command: Command) -> Command:
    """The clusters and the truth about them."""
    return with_options(
        command,
        option(
            CLUSTERS,
            "--clusters",
            type=FILE,
            help="Clusters to measure, as link -o writes them. With --truth; needs no --model.",
        ),
        option(
            CLUSTERS,
            "--truth",
            type=FILE,
            help="What is the same thing: an id and an entity for each ad; or labelled pairs of ads.",
        ),
        option(
            CLUSTERS,
            "--entity-column",
            help="The truth's entity column, if its name is unusual.",
        ),
    )


def check_cluster_options(options: dict[str, Any]) -> None:
    """:raises click.UsageError: one of --clusters and --truth alone; or an option about models, and no model."""
    if (options["clusters"] is None) != (options["truth"] is None):
        raise click.UsageError("--clusters and --truth go together.")
    if options["clusters"] is None or options["models"]:
        return
    about_models = [name for name, value in ABOUT_MODELS.items() if options[value]]
    if about_models:
        raise click.UsageError(
            f"{', '.join(about_models)}: beside --clusters, these need a model. Name one with --model."
        )


def evaluate_clusters(options: dict[str, Any]) -> bool:
    """What `evaluate` does where there are clusters and no model.

    :return: whether a file was written.
    """
    from nrl_dedup.runtime.atomic_files import written_beside
    from nrl_dedup.runtime.output_checks import check_outputs

    json_path = options["json_path"]
    check_outputs({"--json": json_path}, [options["clusters"], options["truth"]])
    report = measure_clusters_of(options)
    if json_path:
        text = json.dumps({"clusters": report.as_json()}, indent=1, allow_nan=False) + "\n"
        with written_beside(json_path) as part:
            part.write_text(text, encoding="utf-8")
    show_clusters(report, options["clusters"], options["truth"])
    return bool(json_path)


def measure_clusters_of(options: dict[str, Any]) -> "ClusterReport":
    """The figures of --clusters against --truth, and a word about what was read and left out."""
    from nrl_dedup.cli.console import say, show_bad_rows, show_dropped_pairs, warn
    from nrl_dedup.evaluation.cluster_files import measure_clusters

    clusters, truth = options["clusters"], options["truth"]
    columns = given_names(
        options,
        "id_column",
        "entity_column",
        "left_column",
        "right_column",
        "label_column",
        "source_l",
        "source_r",
    )
    measured = measure_clusters(clusters, truth, columns, options["encoding"])
    for file in measured.files:
        show_bad_rows(file.path, file.bad_count, file.bad_rows)
        say(file.columns_taken)
        for note in file.notes:
            warn(f"{file.path}: {note}")
    if measured.pairs is not None:
        show_dropped_pairs(truth, measured.pairs)
    report = measured.report
    if report.unknown:
        ids = ", ".join(report.unknown_ids)
        warn(
            f"{clusters}: {report.unknown:,} of its {report.clustered:,} ads are not in {truth} ({ids}"
            f"{', ...' if report.unknown > len(report.unknown_ids) else ''}), and do not count."
        )
    return report


def show_clusters(report: "ClusterReport", clusters: Path, truth: Path) -> None:
    """The closing tables of the clusters."""
    from nrl_dedup.cli.console import results, show_table

    against = f"{report.ads:,} ads"
    if report.pairs is not None:
        against = f"{report.pairs:,} labelled pairs"
    rows = [("pairs of ads", *vars(report.pairwise).values())]
    if report.bcubed is not None:
        rows.append(("ads (B-cubed)", *vars(report.bcubed).values()))
    show_table(
        f"Clusters of {clusters.name} against the {against} of {truth.name}",
        ("", "precision", "recall", "F1"),
        rows,
    )
    _show_sizes(report)
    if report.bcubed is None:
        results.print(
            "Only labelled pairs count. B-cubed is not given: it needs to know of each ad with which others it belongs."
        )


def _show_sizes(report: "ClusterReport") -> None:
    from nrl_dedup.cli.console import show_table

    columns = {"clusters": report.cluster_sizes}
    if report.entity_sizes is not None:
        columns["entities"] = report.entity_sizes
    rows: list[tuple[object, ...]] = []
    smallest = 2
    for largest in (*SIZE_LIMITS, None):
        counts = [
            sum(
                count
                for size, count in sizes.items()
                if size >= smallest and (largest is None or size <= largest)
            )
            for sizes in columns.values()
        ]
        if any(counts):
            rows.append((_span(smallest, largest), *counts))
        smallest = (largest or 0) + 1
    rows.append(("all", *(sum(sizes.values()) for sizes in columns.values())))
    show_table("By size, from two ads on", ("ads", *columns), rows)


def _span(smallest: int, largest: int | None) -> str:
    if largest is None:
        return f"{smallest:,} or more"
    return f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
