"""`nrl-dedup link`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from nrl_dedup.cli.grouped_help import LINKS, MODEL, OUTPUT, GroupedCommand, option
from nrl_dedup.cli.matching_options import check_matching, matching_options
from nrl_dedup.cli.option_types import Score
from nrl_dedup.cli.shared_options import (
    FILE,
    clustering_option,
    columns,
    files_read,
    photo_count,
    photo_folder,
    read_catalogue,
    scoring_options,
    seed_option,
)
from nrl_dedup.cli.source_options import source_option
from nrl_dedup.cli.work_folder import work_dir
from nrl_dedup.config import DEFAULT_THRESHOLD

HELP = """Find the ads of CATALOGUE that describe the same thing, and write them as clusters.

With a second file, or --source COLUMN, only ads of different files, or of different sources, are linked. A catalogue
in several files is named by a pattern in quotes.

A run that was stopped goes on where it was: the photos done are kept in the work folder.

\b
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv
nrl-dedup link ItemInfo.csv --images zips/ -o dupes.csv --links links.csv --model weights/mine
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv --model weights/mine --precision 0.95
nrl-dedup link 'parts/*.csv' -o dupes.csv
nrl-dedup link left.csv right.csv -o dupes.csv --links links.csv --one-to-one
nrl-dedup link offers.csv --source shop -o dupes.csv --one-to-many maker

--precision and --recall choose the threshold from the candidate pairs that training held out, and say what is to be
expected of it. On a catalogue much larger than the labelled ads there are more pairs to be wrong about.
"""


@click.command(cls=GroupedCommand, help=HELP)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="CATALOGUE [CATALOGUE]")
@option(MODEL, "--model", type=FILE, default_in_words="the shipped one", help="A bundle.")
@option(
    LINKS,
    "--threshold",
    type=Score(),
    default_in_words=str(DEFAULT_THRESHOLD),
    help="The score from which two ads are linked.",
)
@option(
    LINKS,
    "--precision",
    type=float,
    help="Instead of --threshold: choose the threshold that reaches this precision.",
)
@option(
    LINKS,
    "--recall",
    type=float,
    help="Instead of --threshold: choose the threshold that reaches this recall.",
)
@clustering_option
@matching_options
@option(
    OUTPUT,
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="The file of the clusters: cluster_id, item_id, score.",
)
@option(
    OUTPUT,
    "--links",
    type=FILE,
    help="The file of the links: item_id_l, item_id_r, score, and what the score rests on.",
)
@seed_option
@scoring_options
@source_option
def link(files: tuple[Path, ...], **options: Any) -> bool:
    """`HELP`."""
    from nrl_dedup.bundle.load import load_bundle, model_folder
    from nrl_dedup.cli.console import (
        ConsoleProgress,
        show_missing_pair_model,
        show_photo_use,
        show_unreadable,
    )
    from nrl_dedup.cli.show_linked import show_linked, show_threshold
    from nrl_dedup.pipeline import link as link_catalogue
    from nrl_dedup.runtime.atomic_files import write_csv, write_together
    from nrl_dedup.runtime.device import pick_device
    from nrl_dedup.runtime.output_checks import check_outputs
    from nrl_dedup.runtime.run import Run
    from nrl_dedup.training.pair_model.held_out import choose_threshold, score_of

    ways = ("threshold", "precision", "recall")
    given = [f"--{name}" for name in ways if options[name] is not None]
    if len(given) > 1:
        raise click.UsageError(
            f"{' and '.join(given)}: one of them says where links begin. Name one."
        )
    catalogue, other = _one_or_two(files)
    check_matching(options, has_sources=other is not None or options["source"] is not None)
    outputs = {"-o": options["output"], "--links": options["links"]}
    read = [*files_read(*files), options["backbone_weights"]]
    images = photo_folder(options["images"], catalogue, other)
    check_outputs(outputs, read, photos=[images], bundles=[model_folder(options["model"])])
    device = pick_device(options["device"])
    bundle = load_bundle(options["model"], device)
    show_missing_pair_model(bundle, options["scorer"])
    threshold = DEFAULT_THRESHOLD if options["threshold"] is None else options["threshold"]
    chosen = choose_threshold(
        bundle, scorer=options["scorer"], precision=options["precision"], recall=options["recall"]
    )
    if chosen is not None:
        threshold = score_of(chosen)
        show_threshold(threshold, chosen)
    ads = read_catalogue(
        catalogue,
        columns(options),
        options["compare"],
        bundle.data.compared,
        other=other,
        source=options["source"],
    )
    show_photo_use(bundle, ads, images, options["images"])
    linked = link_catalogue(
        ads,
        bundle,
        images,
        Run(work_dir(options), device, options["seed"], ConsoleProgress()),
        threshold=threshold,
        candidates_per_ad=options["candidates"],
        scorer=options["scorer"],
        adapt=options["adapt"],
        clustering=options["clustering"],
        one_to_one=options["one_to_one"],
        one_to_many=options["one_to_many"],
        backbone_weights=options["backbone_weights"],
    )
    clusters, links = linked.with_ids(ads)
    tables = {options["links"]: links, options["output"]: clusters}
    write_together(
        {path: partial(write_csv, table) for path, table in tables.items() if path is not None}
    )
    show_unreadable(linked.features.unreadable, images, photo_count(ads))
    show_linked(linked, ads, bundle, threshold)
    return True


def _one_or_two(files: tuple[Path, ...]) -> tuple[Path, Path | None]:
    """:raises click.UsageError: there are more."""
    if len(files) > 2:
        shown = ", ".join(map(str, files[:5])) + (", ..." if len(files) > 5 else "")
        raise click.UsageError(
            f"link takes one catalogue, or two to be linked with each other, and {len(files)} were named: {shown}. "
            "Files that are one catalogue are named by a pattern in quotes: 'parts/*.csv'."
        )
    return files[0], files[1] if len(files) == 2 else None
