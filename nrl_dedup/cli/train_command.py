"""`nrl-dedup train`."""

import shlex
from pathlib import Path
from typing import Any

import click

from nrl_dedup.cli.grouped_help import DATA, OUTPUT, SEARCH, GroupedCommand, option
from nrl_dedup.cli.setting_options import setting_options
from nrl_dedup.cli.shared_options import (
    FILE,
    backbone_weights_option,
    column_options,
    columns,
    device_option,
    files_read,
    images_option,
    pair_column_options,
    photo_count,
    photo_folder,
    read_catalogue,
    work_dir_option,
)
from nrl_dedup.cli.source_options import side_options, source_options
from nrl_dedup.cli.training_options import read_labels, settings_of, with_defaults
from nrl_dedup.cli.work_folder import work_dir

# Options that name files which are read, beside ITEMS and PAIRS.
_READ = (
    "images",
    "backbone_weights",
    "word_vectors",
    "valid_pairs",
    "test_pairs",
    "grid",
)


HELP = """Learn from labelled pairs: ITEMS is the catalogue, PAIRS two ids and a 0/1 label a row.

Without PAIRS the network learns from the catalogue alone: to know an ad again by other words of it, other photos or
other views of its photo. With PAIRS and --fusion towers it does so first, and then learns from the labels.

\b
nrl-dedup train ItemInfo_train.csv --images photos/
nrl-dedup train ItemInfo_train.csv ItemPairs_train.csv --images photos/
nrl-dedup train items.csv pairs.csv --language en --backbone mobilenet_v2 -o weights/mine
nrl-dedup train items.csv pairs.csv --grid examples/thesis.toml --seeds 3 -o weights/best
nrl-dedup train left.csv pairs.csv --other right.csv -o weights/two

With --grid or --seeds, words, photos and split are computed once and every setting is trained on them. The split
and the photo views stay those of --seed; a seed in the grid, and --seeds, vary the initial weights and the order
of the batches. Finished trials are kept in the bundle's folder: the same command goes on after a stop.
"""


@click.command(cls=GroupedCommand, help=HELP)
@click.argument("items", type=FILE)
@click.argument("pairs", type=FILE, required=False)
@images_option
@setting_options
@backbone_weights_option
@option(
    DATA,
    "--word-vectors",
    type=FILE,
    default_in_words="learned from the training ads",
    help="fastText's word vectors (.bin).",
)
@option(DATA, "--valid-pairs", type=FILE, help="Labelled pairs of a published validation split.")
@option(DATA, "--test-pairs", type=FILE, help="Labelled pairs of a published test split.")
@option(
    SEARCH,
    "--grid",
    type=FILE,
    metavar="FILE.toml",
    help="Train every setting of the file; keep the best.",
)
@option(
    SEARCH,
    "--seeds",
    type=click.IntRange(1),
    metavar="N",
    help="Train N times, with initial weights from --seed, --seed + 1, ...",
)
@option(
    OUTPUT,
    "-o",
    "--output",
    type=FILE,
    default_in_words="weights/NAME-FUSION or weights/NAME-GRID",
    help="The bundle's folder.",
)
@option(
    OUTPUT, "--force", is_flag=True, help="Replace the bundle, or other trials, that are there."
)
@work_dir_option
@device_option
@column_options
@pair_column_options
@source_options
@side_options
def train(items: Path, pairs: Path | None, **options: Any) -> bool:
    """`HELP`."""
    from nrl_dedup.cli.console import ConsoleProgress, show_photos_not_seen, show_unreadable
    from nrl_dedup.cli.show_training import show_held_out, show_split, show_trained
    from nrl_dedup.cli.show_trials import show_search
    from nrl_dedup.cli.training_stages import train_many, train_one
    from nrl_dedup.embedding.fusion import fusion_module
    from nrl_dedup.runtime.device import pick_device
    from nrl_dedup.runtime.run import Run
    from nrl_dedup.training.data import (
        prepare_training,
        prepare_unlabelled,
    )
    from nrl_dedup.training.language import with_language
    from nrl_dedup.training.search.grid import plan_trials, read_grid, with_text_settings
    from nrl_dedup.training.seen_ads import TrainingFiles, check_before_the_work
    from nrl_dedup.training.train_bundle import add_fitted_pair_model
    from nrl_dedup.training.unfinished import unfinished

    fusion_named = options["fusion"] is not None or not options["grid"]
    options = with_defaults(pairs, options)
    settings = settings_of(options)
    tried = read_grid(options["grid"], settings) if options["grid"] else (settings,)
    plan = plan_trials(tried, options["seeds"] or 1)
    many = bool(options["grid"] or options["seeds"])
    output = _output(items, pairs, options, many)
    device = pick_device(options["device"])
    progress = ConsoleProgress()
    run = Run(work_dir(options), device, progress=progress)
    resources = TrainingFiles(
        photo_folder(options["images"], items, options["other"]),
        options["backbone_weights"],
        options["word_vectors"],
    )
    for one in tried:
        check_before_the_work(one, resources)
    names = columns(options)
    catalogue = read_catalogue(
        items, names, options["compare"], other=options["other"], source=options["source"]
    )
    if resources.photo_folder is None and any(
        fusion_module(one.model.fusion).reads_photos for one in tried
    ):
        show_photos_not_seen("training", catalogue)
    labelled, published = read_labels(pairs, catalogue, options)
    settings = with_language(settings, catalogue, progress)
    plan = with_text_settings(plan, settings.text)
    if many:
        show_search(settings.model.fusion, named=fusion_named)
    with unfinished(output) as work:
        if labelled is None:
            data = prepare_unlabelled(catalogue, settings, resources, run, names)
        else:
            given = (published, settings, resources, run, names)
            data = prepare_training(catalogue, labelled, *given, on_split=show_split)
        if many:
            show_unreadable(data.unreadable, resources.photo_folder, photo_count(catalogue))
            trials = train_many(data, plan, work, run, force=options["force"])
            bundle, whole = trials.bundle, trials.was_finished
        else:
            bundle, whole = (
                train_one(data, settings, work, run, force=options["force"]),
                False,
            )
            show_unreadable(data.unreadable, resources.photo_folder, photo_count(catalogue))
        show_trained(bundle)
        if not whole:
            fitted = add_fitted_pair_model(catalogue, work.bundle, resources.photo_folder, run)
            if len(fitted.held_out):
                show_held_out(fitted.held_out)
            work.put_in_place()
    where = shlex.quote(str(output.resolve()))
    progress.say(f"Saved {output}. Next:")
    on_pairs = "--by-length" if bundle.labelled else "--items CSV --pairs CSV"
    progress.say(f"  nrl-dedup evaluate --model {where} {on_pairs}")
    progress.say(f"  nrl-dedup link CATALOGUE.csv --model {where} -o dupes.csv")
    return True


def _output(items: Path, pairs: Path | None, options: dict[str, Any], many: bool) -> Path:
    """The folder of -o or its default, checked; `weights`, if it is the default's and missing, is made with the bundle.

    :raises NrlDedupError: it holds something that must not be replaced, or cannot be written.
    """
    from nrl_dedup.bundle.save import check_bundle_target
    from nrl_dedup.runtime.output_checks import (
        check_folder_writable,
        check_outside,
        check_photos_stay,
    )
    from nrl_dedup.training.search.trial_folder import check_search_target
    from nrl_dedup.training.unfinished import remove_rubbish

    named = options["grid"].stem if options["grid"] else options["fusion"]
    output: Path = options["output"] or Path("weights") / f"{items.stem}-{named}"
    read = [*files_read(items, options["other"]), pairs, *(options[name] for name in _READ)]
    check_outside(output, [options["work_dir"], *(read if options["force"] else [])])
    photos = photo_folder(options["images"], items, options["other"])
    check_photos_stay({"-o": output}, [photos], files_read(items, options["other"]))
    if options["output"] is None and not output.parent.exists():
        check_folder_writable(Path(), f"-o {output}")
        return output
    remove_rubbish(output)
    check = check_search_target if many else check_bundle_target
    check(output, force=options["force"])
    return output
