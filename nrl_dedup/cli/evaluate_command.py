"""`nrl-dedup evaluate`."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.cli.cluster_evaluation import (
    check_cluster_options,
    cluster_options,
    evaluate_clusters,
    measure_clusters_of,
    show_clusters,
)
from nrl_dedup.cli.grouped_help import DATA, FIGURES, LINKS, MODEL, OUTPUT, GroupedCommand, option
from nrl_dedup.cli.option_types import Score
from nrl_dedup.cli.remembered_data import (
    remembered_images,
    remembered_items,
    remembered_other,
)
from nrl_dedup.cli.shared_options import (
    FILE,
    columns,
    files_read,
    pair_column_options,
    photo_count,
    photo_folder,
    read_catalogue,
    read_labelled,
    scoring_options,
)
from nrl_dedup.cli.source_options import side_options, source_options
from nrl_dedup.cli.work_folder import work_dir
from nrl_dedup.config import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    import polars as pl

    from nrl_dedup.catalogue.read import Catalogue
    from nrl_dedup.evaluation.evaluate import Contender, Evaluation
    from nrl_dedup.evaluation.slices import Slicing

PHOTOS, MISSING = "photos", "missing"


HELP = """Say how good models are, beside the baseline: on their own test split, or on labelled pairs that you name.

With --clusters and --truth, say how good the clusters in a file are; models are evaluated then only if you name them.

\b
nrl-dedup evaluate --by-length --plots plots/
nrl-dedup evaluate --model weights/one --model weights/other --blocking
nrl-dedup evaluate --model weights/mine --items ItemInfo.csv --pairs ItemPairs.csv --json metrics.json
nrl-dedup evaluate --clusters dupes.csv --truth truth.csv
"""


@click.command(cls=GroupedCommand, help=HELP)
@option(
    MODEL,
    "--model",
    "models",
    type=FILE,
    multiple=True,
    default_in_words="the shipped one",
    help="A bundle. Repeatable: several are compared.",
)
@option(DATA, "--items", type=FILE, help="Other ads than the bundle's own test split.")
@option(DATA, "--pairs", type=FILE, help="Labelled pairs of --items.")
@option(
    LINKS,
    "--threshold",
    default=DEFAULT_THRESHOLD,
    type=Score(),
    help="The score from which a pair counts as linked, for precision and recall.",
)
@option(
    FIGURES,
    "--by-length",
    is_flag=True,
    help="Average precision by the length of the two descriptions, and by unlike lengths.",
)
@option(
    FIGURES,
    "--by",
    multiple=True,
    metavar="COLUMN|photos|missing",
    help="Average precision by a column of the items, the number of photos, or what an ad lacks. Repeatable.",
)
@option(
    FIGURES, "--blocking", is_flag=True, help="How many of the duplicates become candidate pairs."
)
@option(OUTPUT, "--json", "json_path", type=FILE, help="All figures as JSON.")
@option(OUTPUT, "--scores", type=FILE, help="Every pair's score as CSV.")
@option(OUTPUT, "--plots", type=FILE, help="Folder for pictures of all this, each as PNG and SVG.")
@cluster_options
@pair_column_options
@scoring_options
@source_options
@side_options
def evaluate(items: Path | None, pairs: Path | None, **options: Any) -> bool:
    """`HELP`."""
    import polars as pl

    from nrl_dedup.cli.console import (
        ConsoleProgress,
        show_missing_pair_model,
        show_photo_use,
        show_unreadable,
    )
    from nrl_dedup.cli.show_evaluation import show_evaluation
    from nrl_dedup.evaluation.attention_maps import attention_overlaps
    from nrl_dedup.evaluation.evaluate import evaluate as evaluate_models
    from nrl_dedup.evaluation.report import report
    from nrl_dedup.runtime.atomic_files import write_csv, write_together
    from nrl_dedup.runtime.device import pick_device
    from nrl_dedup.runtime.run import Run

    if (items is None) != (pairs is None):
        raise click.UsageError("--items and --pairs go together.")
    if items is None and (options["other"] or options["source"]):
        raise click.UsageError("--other and --source are about the ads of --items. Name these too.")
    check_cluster_options({**options, "items": items, "pairs": pairs})
    if options["clusters"] and not options["models"]:
        return evaluate_clusters(options)
    _check_outputs(options, [*files_read(items, options["other"]), pairs], [])
    if options["plots"]:
        from nrl_dedup.evaluation.plots.figure_files import make_folder

        make_folder(options["plots"])
    clusters = measure_clusters_of(options) if options["clusters"] else None
    device, progress = pick_device(options["device"]), ConsoleProgress()
    contenders, ads, labelled = _inputs(items, pairs, options, device)
    for contender in contenders:
        show_missing_pair_model(contender.bundle, options["scorer"])
        show_photo_use(contender.bundle, ads, contender.photo_folder, options["images"])
    by_column = _columns_by_pair(ads, labelled)
    run = Run(work_dir(options), device, progress=progress)
    evaluation = evaluate_models(
        ads,
        labelled,
        contenders,
        run,
        threshold=options["threshold"],
        scorer=options["scorer"],
        adapt=options["adapt"],
        candidates_per_ad=options["candidates"],
        blocking=options["blocking"],
    )
    by = {
        name: by_column[name] if name in by_column else _by_state(evaluation, name)
        for name in options["by"]
    }
    attention = attention_overlaps(evaluation, contenders, run)
    figures = report(evaluation, by, attention, progress)
    files: dict[Path, Callable[[Path], object]] = {}
    if options["scores"]:
        files[options["scores"]] = partial(write_csv, evaluation.scores())
    if options["json_path"]:
        document = figures.as_json()
        if clusters is not None:
            document["clusters"] = clusters.as_json()
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        files[options["json_path"]] = partial(Path.write_text, data=text, encoding="utf-8")
    write_together(files)
    unreadable = pl.concat([features.unreadable for features in evaluation.features.values()])
    show_unreadable(
        unreadable.unique(maintain_order=True), contenders[0].photo_folder, photo_count(ads)
    )
    show_evaluation(figures, by_length=options["by_length"])
    if clusters is not None:
        show_clusters(clusters, options["clusters"], options["truth"])
    if options["plots"]:
        from nrl_dedup.evaluation.pictures import draw_pictures

        which = pairs.name if pairs else "test pairs"
        drawn = draw_pictures(figures, contenders, which, options["plots"], run)
        progress.say(f"{drawn} pictures, each as PNG and SVG, are in {options['plots']}.")
    return bool(files or options["plots"])


def _check_outputs(
    options: dict[str, Any], read: Sequence[Path | None], photos: list[Path | None]
) -> None:
    """:raises NrlDedupError: an output cannot be written, or would take the place of what is read."""
    from nrl_dedup.bundle.load import model_folder
    from nrl_dedup.runtime.output_checks import check_outputs, check_pictures_stay_apart

    files = {"--json": options["json_path"], "--scores": options["scores"]}
    bundles = [model_folder(folder) for folder in options["models"] or (None,)]
    read = [*read, options["clusters"], options["truth"], options["backbone_weights"]]
    check_outputs(files, read, photos=photos, bundles=bundles)
    if options["plots"]:
        check_pictures_stay_apart("--plots", options["plots"], read, photos=photos, bundles=bundles)


def _inputs(
    items: Path | None, pairs: Path | None, options: dict[str, Any], device: Any
) -> tuple[list["Contender"], "Catalogue", "pl.DataFrame"]:
    """The bundles, the ads and the labelled pairs: what the user named, or else what the bundles remember."""
    import polars as pl

    from nrl_dedup.bundle.load import load_bundle
    from nrl_dedup.evaluation.evaluate import (
        Contender,
        names_of,
        weights_of,
    )
    from nrl_dedup.evaluation.remembered_test import check_same_test, remembered_test

    bundles = [load_bundle(folder, device) for folder in options["models"] or (None,)]
    called = names_of([bundle.folder for bundle in bundles if bundle.folder])
    weights: list[Path | None] = [None] * len(bundles)
    if options["backbone_weights"]:
        weights = weights_of(dict(zip(called, bundles, strict=True)), options["backbone_weights"])
    compared = [name for bundle in bundles for name in bundle.data.compared]
    by = [name for name in options["by"] if name not in (PHOTOS, MISSING)]
    if items is not None and pairs is not None:
        other = options["other"]
        images = [photo_folder(options["images"], items, other)] * len(bundles)
        _check_outputs(options, [*files_read(items, other), pairs], images)
        ads = read_catalogue(
            items,
            columns(options),
            options["compare"],
            compared,
            by,
            other=other,
            source=options["source"],
        )
        labelled = read_labelled(pairs, ads, options).frame.with_columns(weight=pl.lit(1.0))
        contenders = [
            Contender(*each) for each in zip(called, bundles, images, weights, strict=True)
        ]
        return contenders, ads, labelled
    images = [options["images"] or remembered_images(bundle) for bundle in bundles]
    contenders = [Contender(*each) for each in zip(called, bundles, images, weights, strict=True)]
    check_same_test(contenders)
    data = bundles[0].data
    instead = "Name labelled ads: --items CSV --pairs CSV."
    file = remembered_items(bundles[0], instead)
    other = remembered_other(bundles[0], instead)
    _check_outputs(options, files_read(file, other), images)
    ads = read_catalogue(
        file, data.columns, options["compare"], compared, by, other=other, source=data.source
    )
    return contenders, ads, remembered_test(bundles[0], ads)


def _columns_by_pair(ads: "Catalogue", labelled: "pl.DataFrame") -> dict[str, "Slicing"]:
    """The slices by columns of the items' file."""
    from nrl_dedup.evaluation.slices import by_values

    slicings = {}
    for column in ads.by.iter_columns():
        left = column.gather(labelled["row_l"])
        right = column.gather(labelled["row_r"])
        slicings[column.name] = by_values(left, right)
    return slicings


def _by_state(evaluation: "Evaluation", name: str) -> "Slicing":
    """The slices by what the ads have and lack."""
    from nrl_dedup.evaluation.slices import by_missing, by_photos

    if name == PHOTOS:
        photos = evaluation.catalogue.frame["photos"].list.len().cast(int).to_numpy()
        return by_photos(*evaluation.ends(photos))
    words_l, words_r = evaluation.ends(evaluation.has_words())
    photo_l, photo_r = evaluation.ends(evaluation.has_photo())
    return by_missing(words_l, words_r, photo_l, photo_r)
