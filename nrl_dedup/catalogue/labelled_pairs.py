"""Labelled pairs: two ads of the catalogue and whether they are duplicates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import LINE, LISTED, BadRow, Table, columns_taken
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.sides import Sides, rows_of_side, wanted_sources
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import LABELLED_PAIRS, check

# The two columns of a pair stand at the same place in both lists.
_LEFT_NAMES = (
    *("item_id_1", "item_id_l", "item_id_left", "left_item_id"),
    *(
        "id1",
        "id_l",
        "id_left",
        "left_id",
        "ltable_id",
        "item1",
        "ad_id_1",
        "ad_id_l",
        "ad1",
        "left",
        "l",
        "a",
    ),
)
_RIGHT_NAMES = (
    *("item_id_2", "item_id_r", "item_id_right", "right_item_id"),
    *(
        "id2",
        "id_r",
        "id_right",
        "right_id",
        "rtable_id",
        "item2",
        "ad_id_2",
        "ad_id_r",
        "ad2",
        "right",
        "r",
        "b",
    ),
)
_LABEL_NAMES = ("is_duplicate", "label", "duplicate", "is_match", "match", "target", "same", "y")
_DUPLICATE = ("1", "true", "yes", "1.0")
_DIFFERENT = ("0", "false", "no", "0.0")


@dataclass(frozen=True)
class LabelledPairs:
    """The pairs of one file, as rows of a catalogue, and what was left out of it.

    `frame` has the columns of `tables.LABELLED_PAIRS`, no nulls, row_l < row_r, each pair once, ordered by row_l and
    row_r. The counts are of the file's rows, so that
    `len(frame) + dropped_unknown + dropped_self + dropped_one_source + dropped_repeated + dropped_contradicting +
    bad_count` is the number of rows below its header.
    """

    path: Path
    frame: pl.DataFrame
    unknown_ids: tuple[str, ...] = ()  # the first ten ids that the catalogue does not have
    contradicting: tuple[tuple[str, str], ...] = ()  # the first ten pairs labelled both ways
    dropped_unknown: int = 0
    dropped_self: int = 0
    dropped_one_source: int = 0  # pairs of two ads of one source, where ads have sources
    dropped_repeated: int = 0
    dropped_contradicting: int = 0
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0
    # What the file calls each column that is used, of all that are in `header`.
    taken: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what there is to say about the columns, a line each

    def __len__(self) -> int:
        return self.frame.height

    def columns_taken(self) -> str:
        """One line: which columns of the file were taken for what, and which are not used."""
        return columns_taken(self.path, self.taken, self.header)


def pair_columns(
    left: str | None, right: str | None, label: str | None, *, required: bool = True
) -> dict[str, WantedColumn]:
    """The columns of a file of labelled pairs, for `read_table`; what is not None is what the user calls them."""
    return {
        "left": WantedColumn("--left-column", _LEFT_NAMES, left, required, identifier=True),
        "right": WantedColumn("--right-column", _RIGHT_NAMES, right, required, identifier=True),
        "label": WantedColumn("--label-column", _LABEL_NAMES, label, required),
    }


def read_pairs(
    path: Path,
    catalogue: Catalogue,
    *,
    left_column: str | None = None,
    right_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
    source_l: str | None = None,
    source_r: str | None = None,
) -> LabelledPairs:
    """The labelled pairs in a CSV or Parquet file, its columns found by their usual names or named by the caller.

    Labels are 0 or 1, true or false, yes or no, in any case. Left out and counted: rows with an empty id, pairs with an
    id that the catalogue does not have, pairs of an ad with itself, all but one of the rows that say the same (the
    order of the two ads does not matter), and every row of a pair that is labelled both ways. Where ads have sources,
    the ids are found as in `sides.rows_of_side`, and pairs of one source are left out too.

    :param encoding: of a CSV file; None for UTF-8.
    :param source_l: the source of the first ids, or the column that names it (`sides.Sides`); `source_r` of the second.
    :raises NrlDedupError: what `read_table` raises; a label of another kind; not one pair left.
    """
    wanted = pair_columns(left_column, right_column, label_column)
    sides = Sides(source_l, source_r)
    ids = {name: wanted[name] for name in ("left", "right")}
    of_sources = wanted_sources(catalogue, sides, ids)
    groups = [wanted, of_sources] if of_sources else [wanted]
    table = read_table(path, *groups, encoding=encoding)
    table = table.without((pl.col("left") == "") | (pl.col("right") == ""), "an id is empty")
    rows = table.frame.select(
        "left",
        "right",
        a=rows_of_side(catalogue, table.frame["left"], "l", source_l, _column(table, "source_l")),
        b=rows_of_side(catalogue, table.frame["right"], "r", source_r, _column(table, "source_r")),
        is_duplicate=_labels(path, table),
    )
    known = rows.filter(pl.col("a").is_not_null() & pl.col("b").is_not_null())
    of_two = known.filter(pl.col("a") != pl.col("b"))
    across = of_two
    if catalogue.source is not None:
        source_a = catalogue.source.gather(of_two["a"])
        across = of_two.filter(source_a != catalogue.source.gather(of_two["b"]))
    pairs = across.select(
        pl.min_horizontal("a", "b").alias("row_l"),
        pl.max_horizontal("a", "b").alias("row_r"),
        "is_duplicate",
    )
    both_ways = pl.col("is_duplicate").n_unique().over("row_l", "row_r") > 1
    agreeing = pairs.filter(~both_ways)
    frame = agreeing.unique(["row_l", "row_r"]).sort("row_l", "row_r")
    contradicting = (
        pairs.filter(both_ways).unique(["row_l", "row_r"]).sort("row_l", "row_r").head(LISTED)
    )
    unknown = _unknown_ids(rows)
    if frame.is_empty():
        one_source = of_two.height - across.height
        raise NrlDedupError(
            _none_left(path, table, rows.height - known.height, unknown, one_source)
        )
    return LabelledPairs(
        path,
        check(frame, LABELLED_PAIRS, str(path)),
        unknown_ids=unknown,
        contradicting=tuple(
            zip(
                catalogue.ids[contradicting["row_l"]],
                catalogue.ids[contradicting["row_r"]],
                strict=True,
            )
        ),
        dropped_unknown=rows.height - known.height,
        dropped_self=known.height - of_two.height,
        dropped_one_source=of_two.height - across.height,
        dropped_repeated=agreeing.height - frame.height,
        dropped_contradicting=pairs.height - agreeing.height,
        bad_rows=table.bad_rows,
        bad_count=table.bad_count,
        taken=table.taken,
        header=table.header,
        notes=table.notes,
    )


def require_both_classes(pairs: LabelledPairs) -> None:
    """What training needs and evaluation does not.

    :raises NrlDedupError: all pairs are duplicates, or none is.
    """
    duplicates = int(pairs.frame["is_duplicate"].sum())
    if duplicates in (0, len(pairs)):
        raise NrlDedupError(
            f"{pairs.path}: training wants pairs of both kinds; of its {len(pairs)} pairs {duplicates} are duplicates "
            f"and {len(pairs) - duplicates} are not. Add pairs of the other kind."
        )


def _labels(path: Path, table: Table) -> pl.Series:
    text = table.frame["label"]
    label = text.str.strip_chars().str.to_lowercase()
    strange = ~label.is_in([*_DUPLICATE, *_DIFFERENT])
    if strange.any():
        first = strange.arg_true()[0]
        raise NrlDedupError(
            f"{path}: line {table.frame[LINE][first]}: the label is {text[first]!r}; wanted 1 or 0, true or false, "
            f"yes or no. {strange.sum()} rows have such labels: correct or remove them."
        )
    return label.is_in(_DUPLICATE)


def _unknown_ids(rows: pl.DataFrame) -> tuple[str, ...]:
    """The first ten ids without a row, in the order of the file, the left one of a pair first."""
    unknown = pl.concat_list(
        pl.when(pl.col(row).is_null()).then(pl.col(name))
        for name, row in (("left", "a"), ("right", "b"))
    )
    strange = rows.filter(pl.col("a").is_null() | pl.col("b").is_null())
    ids = strange.select(unknown.alias("id").explode()).to_series().drop_nulls()
    return tuple(ids.unique(maintain_order=True).head(LISTED))


def _column(table: Table, name: str) -> pl.Series | None:
    return table.frame[name] if name in table.frame.columns else None


def _none_left(
    path: Path, table: Table, unknown: int, unknown_ids: tuple[str, ...], one_source: int
) -> str:
    if table.frame.is_empty():
        return f"{path}: there are no pairs in it; wanted rows of two item ids and a label."
    if unknown:
        return (
            f"{path}: not one pair is left. {unknown} of {table.frame.height} pairs have ids that are not in the "
            f"catalogue: {', '.join(map(_shown, unknown_ids))}{' ...' if len(unknown_ids) == LISTED else ''}. "
            "Are these the pairs of this catalogue, and is its id column the right one?"
        )
    if one_source:
        return (
            f"{path}: not one pair is left. {one_source} of {table.frame.height} pairs are of two ads of one source, "
            "and only ads of different sources are linked."
        )
    return f"{path}: not one pair is left: each is of an ad with itself, or labelled both ways."


def _shown(item_id: str) -> str:
    """In quotes where spaces around it would be overlooked."""
    return item_id if item_id == item_id.strip() else repr(item_id)
