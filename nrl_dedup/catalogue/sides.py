"""Which ad an id means where a catalogue has sources: the first id of a pair is of the first source, unless said."""

from dataclasses import dataclass, replace

import polars as pl

from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.errors import NrlDedupError

SIDES = ("l", "r")
_FLAGS = {"l": "--source-l", "r": "--source-r"}
_NAMES = {
    "l": ("source_l", "source_left", "left_source", "source_1"),
    "r": ("source_r", "source_right", "right_source", "source_2"),
}


@dataclass(frozen=True)
class Sides:
    """What the user says of the sources of two ids (`--source-l`, `--source-r`): the name of a source, or of the column
    that has it; None: a column of a usual name, or else as `rows_of_side` says."""

    left: str | None = None
    right: str | None = None

    def of(self, side: str) -> str | None:
        return self.left if side == "l" else self.right


BY_DEFAULT = Sides()


def check_sides(catalogue: Catalogue, sides: Sides) -> None:
    """Find out whether the sources of single ads can be so.

    :raises NrlDedupError: the user names sources, and there are none, or another one.
    """
    _refuse_without_sources(catalogue, sides)
    for side in SIDES:
        named = sides.of(side)
        if named is not None and named not in catalogue.source_names:
            shown = ", ".join(catalogue.source_names[:10])
            raise NrlDedupError(
                f"{_FLAGS[side]} {named}: there is no such source; wanted one of {shown}."
            )


def wanted_sources(
    catalogue: Catalogue, sides: Sides, ids: dict[str, WantedColumn]
) -> dict[str, WantedColumn]:
    """The columns of the two sources, for `read_table`; none for a catalogue without sources.

    :param ids: those of the two ids; they are in the result too, as one of those not required must be there.
    :raises NrlDedupError: the user names sources, and there are none.
    """
    _refuse_without_sources(catalogue, sides)
    if catalogue.source is None:
        return {}
    wanted = {name: replace(column, required=False) for name, column in ids.items()}
    for side in SIDES:
        named = sides.of(side)
        is_column = named is not None and named not in catalogue.source_names
        wanted[f"source_{side}"] = WantedColumn(
            _FLAGS[side], _NAMES[side], named if is_column else None, required=False
        )
    return wanted


def rows_of_side(
    catalogue: Catalogue,
    ids: pl.Series,
    side: str,
    named: str | None = None,
    column: pl.Series | None = None,
) -> pl.Series:
    """The row of each id (Int64), null where the catalogue does not have it.

    An id that only one source has is that ad. One that both of two sources have is, on the left side, that of the first
    source, and on the right that of the second.

    :param side: one of `SIDES`. :param named: the source of all of them, if it is one. :param column: that of each.
    :raises NrlDedupError: an id is in several of more than two sources, and nothing says which is meant.
    """
    if catalogue.source is None:
        return catalogue.rows_of(ids)
    if named in catalogue.source_names:
        return catalogue.rows_of(ids, pl.repeat(named, len(ids), dtype=pl.String, eager=True))
    if column is not None:
        return catalogue.rows_of(ids, column)
    is_repeated = catalogue.ids.is_duplicated()
    is_several = ids.is_in(catalogue.ids.filter(is_repeated).implode())
    if len(catalogue.source_names) > 2 and is_several.any():
        first = ids.filter(is_several)[0]
        raise NrlDedupError(
            f"{catalogue.path}: the id {first} is in several of the {len(catalogue.source_names)} sources. Say which "
            "is meant with --source-l and --source-r: a source, or the column of the pairs that names it."
        )
    default = catalogue.source_names[SIDES.index(side)]
    of_default = pl.repeat(default, len(ids), dtype=pl.String, eager=True)
    nobody = pl.repeat(None, len(ids), dtype=pl.String, eager=True)
    return catalogue.rows_of(ids, of_default.zip_with(is_several, nobody))


def rows_of_pairs(catalogue: Catalogue, pairs: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The rows of remembered pairs: item_id_l, item_id_r, and of ads with sources source_l, source_r."""
    rows = []
    for side in SIDES:
        name = f"source_{side}"
        source = pairs[name] if name in pairs.columns else None
        rows.append(rows_of_side(catalogue, pairs[f"item_id_{side}"], side, column=source))
    return rows[0], rows[1]


def _refuse_without_sources(catalogue: Catalogue, sides: Sides) -> None:
    if catalogue.source is None and sides != BY_DEFAULT:
        raise NrlDedupError(
            "--source-l and --source-r are about ads of different sources. Name a second file with --other, or the "
            "column with each ad's source: --source COLUMN."
        )
