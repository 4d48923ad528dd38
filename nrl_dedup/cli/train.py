"""`nrl-dedup train`."""

import shlex
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
@click.argument("items", type=FILE)
@click.argument("pairs", type=FILE)
@images_option
@click.option("-o", "--output", type=FILE, help="The bundle's folder.  [default: weights/NAME-FUSION]")
@click.option("--force", is_flag=True, help="Replace the bundle that is there.")
@click.option("--fusion", default="rnn-cnn", show_default=True, help="rnn-cnn, text or image.")
@click.option("--language", default="ru", show_default=True, help="ru, en or none.")
@click.option("--text", default="title+description", show_default=True, help="title+description or description.")
@click.option("--backbone", default="resnet152", show_default=True, help="The photo network.")
@backbone_weights_option
@click.option("--word-vectors", type=FILE, help="fastText .bin.  [default: learnt from the training ads]")
@click.option("--views", default=2, show_default=True, help="Augmented views kept of each photo for training.")
@click.option("--photos-per-ad", default=4, show_default=True, help="Photos of an ad that training draws from.")
@click.option("--photo-choice", default="first", show_default=True, help="The photo embedding takes: first, random.")
@click.option("--complete-only", is_flag=True, help="Drop ads without words or readable photo, as the thesis did.")
@click.option("--epochs", default=30, show_default=True)
@click.option("--patience", default=5, show_default=True, help="Epochs without a better validation loss.")
@click.option("--batch-size", default=64, show_default=True, help="Pairs a step.")
@click.option("--lr", default=1e-4, show_default=True, help="Adam's learning rate.")
@click.option("--hidden-size", default=256, show_default=True, help="Of the GRU.")
@click.option("--gru-layers", default=1, show_default=True)
@click.option("--fused-size", default=256, show_default=True, help="Of an ad's fused vector.")
@click.option("--branch-sizes", nargs=2, type=int, default=(128, 64), show_default=True)
@click.option("--dropout", default=0.0, show_default=True)
@click.option("--head", default="nonpositive", show_default=True, help="Sign of w: nonpositive or free.")
@click.option("--split", default="ads", show_default=True, help="ads: no ad on two sides; pairs: the thesis's.")
@click.option("--valid-pairs", type=FILE, help="A published validation split.")
@click.option("--test-pairs", type=FILE, help="A published test split.")
@click.option("--seed", default=0, show_default=True)
@work_dir_option
@device_option
@column_options
@pair_column_options
def train(items: Path, pairs: Path, **options: Any) -> None:
    """Learn from labelled pairs: ITEMS is the catalogue, PAIRS two ids and a 0/1 label a row.

    \b
    nrl-dedup train ItemInfo_train.csv ItemPairs_train.csv --images photos/
    nrl-dedup train items.csv pairs.csv --language en --backbone mobilenet_v2 -o weights/mine
    """
    from nrl_dedup.bundle import check_bundle_target, save_bundle
    from nrl_dedup.cli.console import (
        ConsoleProgress,
        messages,
        show_epoch,
        show_split,
        show_trained,
        show_unreadable,
    )
    from nrl_dedup.config import ModelSettings, PhotoSettings, Settings, TextSettings, TrainSettings
    from nrl_dedup.device import pick_device
    from nrl_dedup.pairs import require_both_classes
    from nrl_dedup.train import train as train_model
    from nrl_dedup.training_data import Resources

    settings = Settings(
        TextSettings(options["language"], options["text"]),
        PhotoSettings(options["backbone"], options["views"], options["photos_per_ad"], options["photo_choice"]),
        ModelSettings(
            fusion=options["fusion"],
            gru_layers=options["gru_layers"],
            hidden_size=options["hidden_size"],
            fused_size=options["fused_size"],
            branch_sizes=options["branch_sizes"],
            dropout=options["dropout"],
            head=options["head"],
        ),
        TrainSettings(
            epochs=options["epochs"],
            patience=options["patience"],
            batch_size=options["batch_size"],
            learning_rate=options["lr"],
            split=options["split"],
            complete_only=options["complete_only"],
            seed=options["seed"],
        ),
    )
    output = options["output"] or _default_bundle(items, settings.model.fusion)
    check_bundle_target(output, force=options["force"])
    device = pick_device(options["device"])
    progress = ConsoleProgress()
    names = columns(options)
    catalogue = read_catalogue(items, names)
    labelled = read_labelled(pairs, catalogue, options)
    require_both_classes(labelled)
    published = None
    if options["valid_pairs"] or options["test_pairs"]:
        extra = [
            options[name] and read_labelled(options[name], catalogue, options).frame
            for name in ("valid_pairs", "test_pairs")
        ]
        published = (extra[0], extra[1])
    trained = train_model(
        catalogue,
        labelled.frame,
        published,
        settings,
        Resources(
            work_dir(options),
            device,
            photo_folder(options["images"], items),
            options["backbone_weights"],
            options["word_vectors"],
        ),
        names,
        on_split=show_split,
        on_epoch=show_epoch,
        progress=progress,
    )
    save_bundle(trained.bundle, trained.backbone, output, force=options["force"])
    if trained.interrupted:
        progress.warn("stopped by Ctrl-C; the best epoch so far is kept.")
    show_unreadable(trained.unreadable)
    show_trained(trained.bundle)
    where = shlex.quote(str(output.resolve()))
    messages.print(f"Saved {output}. Next:", markup=False)
    messages.print(f"  nrl-dedup evaluate --model {where} --by-length", markup=False)
    messages.print(f"  nrl-dedup link CATALOGUE.csv --model {where} -o dupes.csv", markup=False)


def _default_bundle(items: Path, fusion: str) -> Path:
    folder = Path("weights")
    folder.mkdir(exist_ok=True)
    return folder / f"{items.stem}-{fusion}"
