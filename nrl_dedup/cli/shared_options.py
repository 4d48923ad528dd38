"""What the commands share: options of one name and one meaning, and reading what the user named."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.features.photos.link_following import LINKS_FOLLOWED

if TYPE_CHECKING:
    from nrl_dedup.catalogue.labelled_pairs import LabelledPairs
    from nrl_dedup.catalogue.read import Catalogue

FILE = click.Path(path_type=Path)
Command = Callable[..., bool]

work_dir_option = click.option(
    "--work-dir",
    type=FILE,
    help="Where photo features are kept between runs.  [default: the user's cache folder, nrl-dedup]",
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
)


def images_option(command: Command) -> Command:
    """Where the photos are, and whether links out of there are followed."""
    command = click.option(
        "--follow-links",
        is_flag=True,
        expose_value=False,
        callback=_follow_links,
        help="Read photos to which links in the photo folder lead, out of it too.",
    )(command)
    return click.option(
        "--images",
        type=FILE,
        help="The photo folder, or a zip of it; Avito's zips are read in place.  [default: looked for beside the CSV]",
    )(command)


def _follow_links(_context: click.Context, _parameter: click.Parameter, allowed: bool) -> None:
    """For the whole run: every photo folder that it opens asks the same variable."""
    LINKS_FOLLOWED.set(allowed)


backbone_weights_option = click.option(
    "--backbone-weights", type=FILE, help="The photo network's weights (.pth, .safetensors)."
)

candidates_option = click.option(
    "--candidates",
    default=100,
    show_default=True,
    help="At most so many candidates an ad, on average.",
)
clustering_option = click.option(
    "--clustering",
    default="average-linkage",
    show_default=True,
    help="average-linkage, correlation, centre or connected-components.",
)
scorer_option = click.option(
    "--scorer",
    help="evidence, or siamese: the network's score alone.  [default: evidence, where the model has it]",
)


def column_options(command: Command) -> Command:
    """Names for a catalogue whose columns have unusual ones, and further columns."""
    help_text = (
        "A further column that ads are compared by, beside price, category and place. Repeatable."
    )
    command = click.option("--compare", multiple=True, metavar="COLUMN", help=help_text)(command)
    help_text = "The CSV files' text encoding, such as utf-16, cp1251 or cp1252.  [default: UTF-8]"
    command = click.option("--encoding", metavar="NAME", help=help_text)(command)
    for name in ("photo", "description", "title", "id"):
        help_text = f"The catalogue's {name} column, if its name is unusual."
        command = click.option(f"--{name}-column", help=help_text)(command)
    return command


def pair_column_options(command: Command) -> Command:
    """Names for a file of pairs whose columns have unusual ones."""
    for name, what in (("label", "label"), ("right", "second id"), ("left", "first id")):
        help_text = f"The pairs' {what} column, if its name is unusual."
        command = click.option(f"--{name}-column", help=help_text)(command)
    return command


def check_threshold_and_candidates(options: dict[str, Any]) -> None:
    """:raises BadParameter: --threshold is given and no score, or --candidates is not positive."""
    if not 0 <= (options["threshold"] or 0) <= 1:
        raise click.BadParameter("wanted a score from 0 to 1.", param_hint="--threshold")
    if options["candidates"] < 1:
        raise click.BadParameter("wanted 1 or more.", param_hint="--candidates")


def columns(options: dict[str, Any]) -> dict[str, str]:
    """The catalogue's columns that the user named, and its encoding, as `read_catalogue` takes them."""
    return _given(
        options, "id_column", "title_column", "description_column", "photo_column", "encoding"
    )


def _given(options: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: options[name] for name in names if options[name]}


def read_catalogue(
    path: Path,
    names: dict[str, str],
    compared: Sequence[str] = (),
    remembered: Sequence[str] = (),
    by: Sequence[str] = (),
) -> "Catalogue":
    """The catalogue with the columns that ads are compared by, and a word about the rows that were skipped,
    which columns were taken for what, and the cells that say nothing.

    :param compared: further columns that the user named. :param remembered: those that the bundle was trained with.
    :param by: columns that an evaluation slices by.
    """
    from nrl_dedup.catalogue.cells.empty_cells import NOTHING
    from nrl_dedup.catalogue.read import read_catalogue as read
    from nrl_dedup.cli.console import show_bad_rows, warn

    catalogue = read(path, compare=compared, remembered=remembered, by=by, **names)
    show_bad_rows(path, catalogue.bad_count, catalogue.bad_rows)
    _show_columns(catalogue)
    if catalogue.nothing:
        warn(
            f"{path}: {catalogue.nothing:,} cells say {NOTHING}, or the like, and are taken for nothing."
        )
    return catalogue


def read_labelled(path: Path, catalogue: "Catalogue", options: dict[str, Any]) -> "LabelledPairs":
    """Labelled pairs, and a word about those that were left out."""
    from nrl_dedup.catalogue.labelled_pairs import read_pairs
    from nrl_dedup.cli.console import show_bad_rows, show_dropped_pairs

    pairs = read_pairs(
        path,
        catalogue,
        **_given(options, "left_column", "right_column", "label_column", "encoding"),
    )
    show_bad_rows(path, pairs.bad_count, pairs.bad_rows)
    _show_columns(pairs)
    show_dropped_pairs(path, pairs)
    return pairs


def _show_columns(table: "Catalogue | LabelledPairs") -> None:
    """Which columns were taken for what, and what else there is to say about them."""
    from nrl_dedup.cli.console import say, warn

    say(table.columns_taken())
    for note in table.notes:
        warn(f"{table.path}: {note}")


def photo_folder(images: Path | None, catalogue: Path) -> Path | None:
    """The photo folder that the user named, or the one beside the catalogue."""
    from nrl_dedup.features.photos.source import find_photo_folder

    return images or find_photo_folder(catalogue)


def photo_count(ads: "Catalogue") -> int:
    """How many photos the ads name, each counted once."""
    return ads.frame["photos"].explode().drop_nulls().n_unique()
