"""`nrl-dedup evaluate`."""

import json
from pathlib import Path
from typing import Any

import click

from nrl_dedup.cli.inputs import (
    FILE,
    backbone_weights_option,
    column_options,
    columns,
    device_option,
    images_option,
    pair_column_options,
    photo_folder,
    read_catalogue,
    read_labelled,
    work_dir,
    work_dir_option,
)


@click.command()
@click.option("--model", type=FILE, help="A bundle.  [default: the shipped one]")
@click.option("--items", type=FILE, help="Other ads than the bundle's own test split.")
@click.option("--pairs", type=FILE, help="Labelled pairs of --items.")
@images_option
@backbone_weights_option
@click.option("--by-length", is_flag=True, help="Average precision by description length, in the thesis's buckets.")
@click.option("--threshold", default=0.5, show_default=True, help="For precision and recall.")
@click.option("--json", "json_path", type=FILE, help="All figures as JSON.")
@click.option("--scores", type=FILE, help="Every pair's score as CSV.")
@work_dir_option
@device_option
@column_options
@pair_column_options
def evaluate(items: Path | None, pairs: Path | None, **options: Any) -> None:
    """Say how good a model is, beside the baseline: on its own test split, or on labelled pairs that you name.

    \b
    nrl-dedup evaluate --by-length
    nrl-dedup evaluate --model weights/mine --items ItemInfo.csv --pairs ItemPairs.csv --json metrics.json
    """
    import polars as pl

    from nrl_dedup.bundle import load_bundle
    from nrl_dedup.cli.console import ConsoleProgress, show_evaluation, show_unreadable
    from nrl_dedup.device import pick_device
    from nrl_dedup.evaluate import evaluate as evaluate_model
    from nrl_dedup.evaluate import remembered_test
    from nrl_dedup.tables import check_writable, written_beside

    if (items is None) != (pairs is None):
        raise click.UsageError("--items and --pairs go together.")
    for flag, path in (("--json", options["json_path"]), ("--scores", options["scores"])):
        if path:
            check_writable(path, flag)
    device = pick_device(options["device"])
    bundle = load_bundle(options["model"], device)
    if items is not None and pairs is not None:
        ads = read_catalogue(items, columns(options))
        labelled = read_labelled(pairs, ads, options).frame.with_columns(weight=pl.lit(1.0))
        images = photo_folder(options["images"], items)
    else:
        ads = read_catalogue(bundle.data_path(bundle.data.items), bundle.data.columns)
        labelled = remembered_test(bundle, ads)
        remembered = None if bundle.data.images is None else bundle.data_path(bundle.data.images)
        images = options["images"] or remembered
    evaluation = evaluate_model(
        ads,
        labelled,
        bundle,
        options["model"].name if options["model"] else "default",
        images,
        work_dir(options),
        threshold=options["threshold"],
        device=device,
        backbone_weights=options["backbone_weights"],
        progress=ConsoleProgress(),
    )
    if options["scores"]:
        with written_beside(options["scores"]) as path:
            evaluation.scores().write_csv(path)
    if options["json_path"]:
        with written_beside(options["json_path"]) as path:
            path.write_text(json.dumps(evaluation.as_json(), indent=1, allow_nan=False) + "\n", "utf-8")
    show_unreadable(evaluation.prepared.unreadable)
    show_evaluation(evaluation, by_length=options["by_length"])
