"""What the commands share: options of one name and one meaning, and reading what the user named."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrl_dedup.cli.grouped_help import DATA, LINKS, OTHER, PHOTOS, Command, Decorator, option
from nrl_dedup.cli.option_types import TABLE_NAMES
from nrl_dedup.cli.setting_options import SEED_TYPE
from nrl_dedup.features.photos.link_following import LINKS_FOLLOWED

if TYPE_CHECKING:
    from nrl_dedup.catalogue.labelled_pairs import LabelledPairs
    from nrl_dedup.catalogue.read import Catalogue

FILE = click.Path(path_type=Path)

work_dir_option = option(
    PHOTOS,
    "--work-dir",
    type=FILE,
    default_in_words="the user's cache folder, nrl-dedup",
    help="Folder where photo features are kept between runs.",
)
device_option = option(OTHER, "--device", default="auto", help="auto, cpu, cuda or cuda:N.")
seed_option = option(
    OTHER, "--seed", default=0, type=SEED_TYPE, help="Seed of what is drawn at random."
)
backbone_weights_option = option(
    PHOTOS,
    "--backbone-weights",
    type=FILE,
    help="The photo network's weights (.pth, .safetensors).",
)
clustering_option = option(
    LINKS,
    "--clustering",
    default="average-linkage",
    type=TABLE_NAMES["--clustering"],
    help="How links become clusters.",
)


def images_option(command: Command) -> Command:
    """Where the photos are, and whether links out of there are followed."""
    return with_options(
        command,
        option(
            PHOTOS,
            "--images",
            type=FILE,
            default_in_words="looked for beside the CSV",
            help="The photo folder, or a zip of it; Avito's zips are read in place.",
        ),
        option(
            PHOTOS,
            "--follow-links",
            is_flag=True,
            expose_value=False,
            callback=_follow_links,
            help="Read photos to which links in the photo folder lead, also out of it.",
        ),
    )


def _follow_links(_context: click.Context, _parameter: click.Parameter, allowed: bool) -> None:
    """For the whole run: every photo folder that it opens asks the same variable."""
    LINKS_FOLLOWED.set(allowed)


def column_options(command: Command) -> Command:
    """Names for a catalogue whose columns have unusual ones, and further columns."""
    of_items = [
        option(
            DATA, f"--{name}-column", help=f"The catalogue's {name} column, if its name is unusual."
        )
        for name in ("id", "title", "description", "photo")
    ]
    return with_options(
        command,
        *of_items,
        option(
            DATA,
            "--encoding",
            metavar="NAME",
            default_in_words="UTF-8",
            help="Text encoding of the CSV files, such as utf-16, cp1251 or cp1252.",
        ),
        option(
            DATA,
            "--compare",
            multiple=True,
            metavar="COLUMN",
            help="A further column by which ads are compared, beside price, category and place. Repeatable.",
        ),
    )


def pair_column_options(command: Command) -> Command:
    """Names for a file of pairs whose columns have unusual ones."""
    of_pairs = [
        option(DATA, f"--{name}-column", help=f"The pairs' {what} column, if its name is unusual.")
        for name, what in (("left", "first id"), ("right", "second id"), ("label", "label"))
    ]
    return with_options(command, *of_pairs)


def scoring_options(command: Command) -> Command:
    """What the commands share that use a model on a catalogue: link, evaluate and explain."""
    return with_options(
        command,
        images_option,
        backbone_weights_option,
        option(
            LINKS,
            "--candidates",
            default=100,
            type=click.IntRange(1),
            metavar="INTEGER",
            help="Candidates per ad, at most, on average.",
        ),
        option(
            LINKS,
            "--scorer",
            type=TABLE_NAMES["--scorer"],
            default_in_words="evidence, where the model has it",
            help="What scores a pair: evidence, or siamese, the network's score alone.",
        ),
        option(
            LINKS,
            "--adapt/--no-adapt",
            default=None,
            default_in_words="--adapt for the shipped model and those trained without labels",
            help="Whether the pair model learns on from the catalogue at hand, without labels.",
        ),
        work_dir_option,
        device_option,
        column_options,
    )


def with_options(command: Command, *decorators: Decorator) -> Command:
    """The command with these options, which `--help` shows in this order."""
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def columns(options: dict[str, Any]) -> dict[str, str]:
    """The catalogue's columns that the user named, and its encoding, as `read_catalogue` takes them."""
    return given_names(
        options, "id_column", "title_column", "description_column", "photo_column", "encoding"
    )


def given_names(options: dict[str, Any], *names: str) -> dict[str, str]:
    """Those of the options that the user gave."""
    return {name: options[name] for name in names if options[name]}


def read_catalogue(
    path: Path,
    names: dict[str, str],
    compared: Sequence[str] = (),
    remembered: Sequence[str] = (),
    by: Sequence[str] = (),
    *,
    other: Path | None = None,
    source: str | None = None,
) -> "Catalogue":
    """The catalogue with the columns that ads are compared by, and a word about the rows that were skipped,
    which columns were taken for what, the cells that say nothing, and the sources.

    :param compared: further columns that the user named. :param remembered: those that the bundle was trained with.
    :param by: columns that an evaluation slices by. :param other: a second file, each being a source.
    :param source: the column with each ad's source.
    """
    from nrl_dedup.catalogue.read import read_catalogue as read
    from nrl_dedup.catalogue.source_names import names_of_files, sources_in_words
    from nrl_dedup.catalogue.two_catalogues import joined
    from nrl_dedup.cli.console import say

    if other is not None and source is not None:
        raise click.UsageError(
            "--source names a column of one file; of two files each is a source. Leave one of them out."
        )
    paths = [path]
    if other is not None:
        names_of_files(path, other)
        paths.append(other)
    encoding = names.get("encoding")
    given = {name: column for name, column in names.items() if name != "encoding"}
    read_files = []
    for one in paths:
        catalogue = read(
            one,
            **given,
            encoding=encoding,
            compare=compared,
            remembered=remembered,
            by=by,
            source=source,
            may_lack=other is not None,
        )
        _show_read(catalogue)
        read_files.append(catalogue)
    if other is not None:
        options = {f"--{name.replace('_', '-')}": column for name, column in given.items()}
        left, right = read_files
        catalogue = joined(left, right, options | {f"--compare {name}": name for name in compared})
        for note in catalogue.notes:
            say(note)
    if catalogue.source is not None:
        say(sources_in_words(catalogue.source, catalogue.source_names))
    return catalogue


def _show_read(catalogue: "Catalogue") -> None:
    from nrl_dedup.catalogue.cells.empty_cells import NOTHING
    from nrl_dedup.cli.console import show_bad_rows, warn

    show_bad_rows(catalogue.path, catalogue.bad_count, catalogue.bad_rows)
    _show_columns(catalogue)
    if catalogue.nothing:
        warn(
            f"{catalogue.path}: {catalogue.nothing:,} cells say {NOTHING}, or the like, and are taken for nothing."
        )


def read_labelled(path: Path, catalogue: "Catalogue", options: dict[str, Any]) -> "LabelledPairs":
    """Labelled pairs, and a word about those that were left out."""
    from nrl_dedup.catalogue.labelled_pairs import read_pairs
    from nrl_dedup.cli.console import show_bad_rows, show_dropped_pairs

    pairs = read_pairs(
        path,
        catalogue,
        **given_names(
            options,
            "left_column",
            "right_column",
            "label_column",
            "encoding",
            "source_l",
            "source_r",
        ),
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


def files_read(*catalogues: Path | None) -> list[Path]:
    """The files of catalogues; those that fit it where a name is a pattern."""
    from nrl_dedup.catalogue.files.file_pattern import files_of

    return [file for path in catalogues if path is not None for file in files_of(path)]


def photo_folder(images: Path | None, catalogue: Path, other: Path | None = None) -> Path | None:
    """The photo folder that the user named, or the one beside the catalogue, or beside its second file."""
    from nrl_dedup.features.photos.photo_folder import find_photo_folder

    beside = images or find_photo_folder(catalogue)
    if beside is None and other is not None:
        return find_photo_folder(other)
    return beside


def photo_count(ads: "Catalogue") -> int:
    """How many photos the ads name, each counted once."""
    return ads.frame["photos"].explode().drop_nulls().n_unique()
