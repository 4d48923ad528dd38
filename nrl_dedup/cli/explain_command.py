"""`nrl-dedup explain`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.cli.grouped_help import DATA, LINKS, OUTPUT, GroupedCommand, option
from nrl_dedup.cli.matching_options import check_matching, matching_options
from nrl_dedup.cli.option_types import Score
from nrl_dedup.cli.remembered_data import (
    remembered_images,
    remembered_items,
    remembered_other,
)
from nrl_dedup.cli.shared_options import (
    FILE,
    clustering_option,
    columns,
    files_read,
    photo_folder,
    read_catalogue,
    scoring_options,
    seed_option,
)
from nrl_dedup.cli.source_options import side_options, source_options
from nrl_dedup.cli.work_folder import work_dir
from nrl_dedup.config import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from nrl_dedup.bundle.load import Bundle
    from nrl_dedup.catalogue.read import Catalogue


HELP = """Say why the ads ID_A and ID_B are linked, or at which stage the pair was lost.

The whole catalogue is linked as `link` does it, so give the options that you gave there. Photos that were computed
then are not computed again.

\b
nrl-dedup explain weights/mine 1002 3781
nrl-dedup explain weights/mine 1002 3781 --items catalogue.csv --images imgs/ --threshold 0.8 --json why.json
nrl-dedup explain weights/mine 17 17 --items left.csv --other right.csv
"""


@click.command(cls=GroupedCommand, help=HELP)
@click.argument("model", type=FILE)
@click.argument("id_a")
@click.argument("id_b")
@option(
    DATA,
    "--items",
    type=FILE,
    default_in_words="the one that the model was trained on",
    help="The catalogue.",
)
@option(
    LINKS,
    "--threshold",
    default=DEFAULT_THRESHOLD,
    type=Score(),
    help="The score from which two ads are linked.",
)
@clustering_option
@matching_options
@option(OUTPUT, "--json", "json_path", type=FILE, help="The whole explanation as JSON.")
@seed_option
@scoring_options
@source_options
@side_options
def explain(model: Path, id_a: str, id_b: str, items: Path | None, **options: Any) -> bool:
    """`HELP`."""
    from nrl_dedup.bundle.load import load_bundle
    from nrl_dedup.catalogue.sides import Sides
    from nrl_dedup.cli.console import ConsoleProgress, show_missing_pair_model, show_photo_use
    from nrl_dedup.cli.show_explanation import show_explanation
    from nrl_dedup.explanation.explain import explain as explain_pair
    from nrl_dedup.explanation.explain import find_pair
    from nrl_dedup.pipeline import link
    from nrl_dedup.runtime.atomic_files import written_beside
    from nrl_dedup.runtime.device import pick_device
    from nrl_dedup.runtime.output_checks import check_outputs
    from nrl_dedup.runtime.run import Run

    if items is None and (options["other"] or options["source"]):
        raise click.UsageError("--other and --source are about the ads of --items. Name these too.")
    device = pick_device(options["device"])
    bundle = load_bundle(model, device)
    instead = "Name a catalogue with --items."
    path = items or remembered_items(bundle, instead)
    other = options["other"] if items is not None else remembered_other(bundle, instead)
    has_sources = other is not None or _source(items, bundle, options) is not None
    if id_a == id_b and not has_sources:
        raise click.UsageError(f"Two ads are wanted, but {id_a} is named twice.")
    check_matching(options, has_sources=has_sources)
    images = _images(path, other, items, bundle, options)
    outputs = {"--json": options["json_path"]}
    read = [*files_read(path, other), options["backbone_weights"]]
    check_outputs(outputs, read, photos=[images], bundles=[model])
    show_missing_pair_model(bundle, options["scorer"])
    ads = _read(path, other, items, bundle, options)
    sides = Sides(options["source_l"], options["source_r"])
    find_pair(ads, id_a, id_b, sides)
    show_photo_use(bundle, ads, images, options["images"])
    linked = link(
        ads,
        bundle,
        images,
        Run(work_dir(options), device, options["seed"], ConsoleProgress()),
        threshold=options["threshold"],
        candidates_per_ad=options["candidates"],
        scorer=options["scorer"],
        adapt=options["adapt"],
        clustering=options["clustering"],
        one_to_one=options["one_to_one"],
        one_to_many=options["one_to_many"],
        backbone_weights=options["backbone_weights"],
    )
    explanation = explain_pair(linked, ads, id_a, id_b, options["threshold"], sides)
    if options["json_path"]:
        text = json.dumps(explanation.as_json(), ensure_ascii=False, indent=1, allow_nan=False)
        with written_beside(options["json_path"]) as part:
            # A photo's name may not be UTF-8.
            part.write_bytes(f"{text}\n".encode("utf-8", "backslashreplace"))
    show_explanation(explanation)
    return bool(options["json_path"])


def _read(
    path: Path,
    other: Path | None,
    items: Path | None,
    bundle: "Bundle",
    options: dict[str, Any],
) -> "Catalogue":
    """As `link` reads them; where the user names no columns, the remembered ads by the names that they had."""
    named = columns(options)
    return read_catalogue(
        path,
        named if items is not None else bundle.data.columns | named,
        options["compare"],
        bundle.data.compared,
        other=other,
        source=_source(items, bundle, options),
    )


def _source(items: Path | None, bundle: "Bundle", options: dict[str, Any]) -> str | None:
    """The column with each ad's source."""
    source: str | None = options["source"]
    return source if items is not None else bundle.data.source


def _images(
    path: Path,
    other: Path | None,
    items: Path | None,
    bundle: "Bundle",
    options: dict[str, Any],
) -> Path | None:
    if items is None and options["images"] is None and bundle.data.images:
        return remembered_images(bundle)
    return photo_folder(options["images"], path, other)
