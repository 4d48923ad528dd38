"""`nrl-dedup link`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from nrl_dedup.cli.shared_options import (
    FILE,
    backbone_weights_option,
    candidates_option,
    check_threshold_and_candidates,
    clustering_option,
    column_options,
    columns,
    device_option,
    images_option,
    photo_count,
    photo_folder,
    read_catalogue,
    scorer_option,
    work_dir_option,
)
from nrl_dedup.cli.work_folder import work_dir

DEFAULT_THRESHOLD = 0.5


HELP = """Find the ads of CATALOGUE that describe the same thing, and write them as clusters.

A run that was stopped goes on where it was: the photos done are kept in the work folder.

\b
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv
nrl-dedup link ItemInfo.csv --images zips/ -o dupes.csv --links links.csv --model weights/mine
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv --model weights/mine --precision 0.95

--precision and --recall choose the threshold from the candidate pairs that training held out, and say what is to be
expected of it. On a catalogue much larger than the labelled ads there are more pairs to be wrong about.
"""


@click.command(help=HELP)
@click.argument("catalogue", type=FILE)
@images_option
@click.option(
    "-o", "--output", type=FILE, required=True, help="The clusters: cluster_id, item_id, score."
)
@click.option(
    "--links", type=FILE, help="The links too: item_id_l, item_id_r, score, and what it rests on."
)
@click.option("--model", type=FILE, help="A bundle.  [default: the shipped one]")
@backbone_weights_option
@click.option(
    "--threshold", type=float, help="The score from which two ads are linked.  [default: 0.5]"
)
@click.option(
    "--precision",
    type=float,
    help="Instead of --threshold: the share of links that are to be right.",
)
@click.option(
    "--recall",
    type=float,
    help="Instead of --threshold: the share of duplicates that are to be linked.",
)
@candidates_option
@scorer_option
@clustering_option
@click.option("--seed", default=0, show_default=True)
@work_dir_option
@device_option
@column_options
def link(catalogue: Path, **options: Any) -> bool:
    """`HELP`."""
    from nrl_dedup.bundle.load import load_bundle, model_folder
    from nrl_dedup.cli.console import (
        ConsoleProgress,
        show_linked,
        show_missing_pair_model,
        show_photo_use,
        show_threshold,
        show_unreadable,
    )
    from nrl_dedup.config import check_seed
    from nrl_dedup.pipeline import link as link_catalogue
    from nrl_dedup.runtime.atomic_files import write_csv, write_together
    from nrl_dedup.runtime.device import pick_device
    from nrl_dedup.runtime.output_checks import check_outputs
    from nrl_dedup.runtime.run import Run
    from nrl_dedup.training.pair_model.held_out import choose_threshold, score_of

    wanted = [
        f"--{name}" for name in ("threshold", "precision", "recall") if options[name] is not None
    ]
    if len(wanted) > 1:
        raise click.UsageError(
            f"{' and '.join(wanted)}: one of them says where links begin. Name one."
        )
    check_threshold_and_candidates(options)
    check_seed(options["seed"])
    outputs = {"-o": options["output"], "--links": options["links"]}
    read = [catalogue, options["backbone_weights"]]
    images = photo_folder(options["images"], catalogue)
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
    ads = read_catalogue(catalogue, columns(options), options["compare"], bundle.data.compared)
    show_photo_use(bundle, ads, images, options["images"])
    linked = link_catalogue(
        ads,
        bundle,
        images,
        Run(work_dir(options), device, options["seed"], ConsoleProgress()),
        threshold=threshold,
        candidates_per_ad=options["candidates"],
        scorer=options["scorer"],
        clustering=options["clustering"],
        backbone_weights=options["backbone_weights"],
    )
    clusters, links = linked.with_ids(ads.ids)
    tables = {options["links"]: links, options["output"]: clusters}
    write_together(
        {path: partial(write_csv, table) for path, table in tables.items() if path is not None}
    )
    show_unreadable(linked.features.unreadable, images, photo_count(ads))
    show_linked(linked, ads, bundle, threshold)
    return True
