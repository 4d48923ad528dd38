"""What the options of `nrl-dedup train` mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.cli.setting_options import settings_from
from nrl_dedup.cli.shared_options import read_labelled
from nrl_dedup.config import Settings

if TYPE_CHECKING:
    import polars as pl

    from nrl_dedup.catalogue.read import Catalogue

THESIS = "rnn-cnn"  # what a grid file varies where --fusion names nothing else


def with_defaults(pairs: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with the defaults that depend on whether there are labelled pairs.

    :raises click.UsageError: an option wants labelled pairs, and there are none.
    """
    if pairs is None:
        for name in ("grid", "seeds", "valid_pairs", "test_pairs", "complete_only"):
            if options[name]:
                raise click.UsageError(
                    f"--{name.replace('_', '-')} is about labelled pairs; name them: ITEMS PAIRS."
                )
    from nrl_dedup.training.defaults import DEFAULT_FUSION, default_settings

    fusion = options["fusion"] or (THESIS if options["grid"] else DEFAULT_FUSION)
    epochs = options["pretrain_epochs"]
    if epochs is None:
        usual = default_settings(labelled=pairs is not None, fusion=fusion)
        epochs = usual.pretrain.epochs
    if pairs is None and not epochs:
        raise click.UsageError(
            "--pretrain-epochs 0 leaves nothing to learn from; name labelled pairs: ITEMS PAIRS."
        )
    return {**options, "pretrain_epochs": epochs, "fusion": fusion}


def read_labels(
    pairs: Path | None, catalogue: "Catalogue", options: dict[str, Any]
) -> "tuple[pl.DataFrame | None, tuple[pl.DataFrame | None, pl.DataFrame | None] | None]":
    """The labelled pairs, and those of a published split, if there are any."""
    from nrl_dedup.catalogue.labelled_pairs import require_both_classes

    if pairs is None:
        return None, None
    labelled = read_labelled(pairs, catalogue, options)
    require_both_classes(labelled)
    if not options["valid_pairs"] and not options["test_pairs"]:
        return labelled.frame, None
    valid = (
        options["valid_pairs"] and read_labelled(options["valid_pairs"], catalogue, options).frame
    )
    test = options["test_pairs"] and read_labelled(options["test_pairs"], catalogue, options).frame
    return labelled.frame, (valid, test)


def settings_of(options: dict[str, Any]) -> Settings:
    """The settings that the options say; photo network and pooling, where not named, are those of the fusion module.

    :raises NrlDedupError: a value is out of its range.
    """
    from nrl_dedup.training.defaults import default_settings

    usual = default_settings(fusion=options["fusion"]).photos
    backbone = options["backbone"] or usual.backbone
    pool = options["photo_pool"] or usual.pool
    return settings_from({**options, "backbone": backbone, "photo_pool": pool})
