"""The catalogue: one row for each ad, ordered by item id, with its texts and the names of its photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.catalogue.cells.empty_cells import emptied, emptied_lists
from nrl_dedup.catalogue.cells.photo_cells import photo_lists
from nrl_dedup.catalogue.compared_columns import choose_compared, wanted_to_compare
from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import LINE, BadRow, Table, columns_taken
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.usual_names import DESCRIPTION_NAMES, ID_NAMES, PHOTO_NAMES, TITLE_NAMES
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import CATALOGUE

_TEXTS = ("title", "description")


@dataclass(frozen=True)
class Catalogue:
    """The ads of one file. An ad's *row* is its position in `frame`.

    `frame` has the columns of `tables.CATALOGUE` and no nulls. Its order is that of the item ids: as numbers if
    every one of them is a whole number (`7` and `007`, equal as numbers, as text), as text (by code point) if not.
    `further`: the columns beside these that ads are compared by, such as the price: text by row, null or "" where a
    cell is empty. `compared`: those of them that the user named, or that a bundle remembers so. `by`: the columns by
    which an evaluation slices, as they are in the file: text by row. `taken`: what the file calls each column that is
    used, of all in `header`. `nothing`: how many cells hold `nan`, `NULL` or the like, and are empty here. `notes`:
    what else there is to say about the columns, one line each.
    """

    path: Path
    frame: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0
    further: pl.DataFrame = field(default_factory=pl.DataFrame)
    compared: tuple[str, ...] = ()
    by: pl.DataFrame = field(default_factory=pl.DataFrame)
    taken: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    nothing: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    @property
    def ids(self) -> pl.Series:
        """Item ids (String), by row."""
        return self.frame["item_id"]

    def columns_taken(self) -> str:
        """One line: which columns of the file were taken for what, and which are not used."""
        return columns_taken(self.path, self.taken, self.header)

    def rows_of(self, ids: pl.Series) -> pl.Series:
        """The row of each id (Int64), null where the catalogue does not have it."""
        rows = self.frame.select("item_id", row=pl.int_range(pl.len(), dtype=pl.Int64))
        asked = pl.DataFrame({"item_id": ids, "position": np.arange(len(ids))})
        return asked.join(rows, on="item_id", how="left").sort("position")["row"]

    def take(self, rows: Int64[np.ndarray, " rows"]) -> "Catalogue":
        """The ads of `rows`, each once and in this catalogue's order; their rows are counted anew."""
        rows = np.unique(rows)
        return replace(
            self,
            frame=self.frame[rows],
            further=_rows_of(self.further, rows),
            by=_rows_of(self.by, rows),
        )


def _rows_of(columns: pl.DataFrame, rows: Int64[np.ndarray, " rows"]) -> pl.DataFrame:
    """These rows; a frame without columns, which polars takes no rows of, stays as it is."""
    if columns.width == 0:
        return columns
    return columns[rows]


def read_catalogue(
    path: Path,
    *,
    id_column: str | None = None,
    title_column: str | None = None,
    description_column: str | None = None,
    photo_column: str | None = None,
    encoding: str | None = None,
    compare: Sequence[str] = (),
    remembered: Sequence[str] = (),
    by: Sequence[str] = (),
) -> Catalogue:
    """The catalogue in a CSV or Parquet file, its columns found by their usual names or named by the caller.

    The file is read once, for all that a command needs of it. Ids stay the text that they are. A text column that is
    missing counts as empty, as does a photo column, and as do cells that hold `nan`, `NULL` or the like
    (`empty_cells.py`). A photo cell holds one reference or several, separated by `,` `;` or `|`, or a JSON list of
    them; the same reference twice in an ad counts once. Rows with an empty id are bad rows.

    Price, category, place, phone and brand become `further`, under these names (`compared_columns.py`), with the
    columns of `compare` and `remembered` under their own, except one that is found already. A column without a value
    is left out.

    :param encoding: of a CSV file; None for UTF-8.
    :param compare: further columns that the user named to compare ads by (`--compare`).
    :param remembered: those that a bundle was trained with; one that the file lacks is left out.
    :param by: columns that an evaluation slices by (`--by`). A Parquet cell that is a list is joined by ", ".
    :raises NrlDedupError: what `read_table` raises; no column of texts or photos; a named column that is not there; an
        id that occurs twice.
    """
    ids = WantedColumn("--id-column", ID_NAMES, id_column, identifier=True)
    texts_and_photos = {
        "item_id": ids,
        "title": WantedColumn(
            "--title-column", TITLE_NAMES, title_column, required=False, joint="\n"
        ),
        "description": WantedColumn(
            "--description-column",
            DESCRIPTION_NAMES,
            description_column,
            required=False,
            joint="\n",
        ),
        "photos": WantedColumn(
            "--photo-column", PHOTO_NAMES, photo_column, required=False, joint=None
        ),
    }
    to_compare, key_of = wanted_to_compare(compare, remembered)
    # The ids again, so that a column that the user gave for them is not taken for another; not required, so that none
    # of the others need be there.
    to_compare["item_id"] = replace(ids, required=False)
    to_slice_by = {f"by {name}": WantedColumn("--by", (), name) for name in by}
    table = read_table(path, texts_and_photos, to_compare, to_slice_by, encoding=encoding)
    table = table.without(pl.col("item_id") == "", "its id is empty")
    _refuse_repeated_ids(path, table)
    rows = _by_id(table.frame)
    frame, empty_words = _texts_and_photos(rows)
    compared = choose_compared(rows, table.taken, key_of)
    taken = {key: name for key, name in table.taken.items() if key in texts_and_photos}
    notes = dict.fromkeys([*table.notes, *compared.notes])  # each once
    return Catalogue(
        path,
        frame,
        table.bad_rows,
        table.bad_count,
        further=compared.frame,
        compared=compared.named,
        by=rows.select(pl.col(f"by {name}").alias(name) for name in dict.fromkeys(by)),
        taken={**taken, **compared.taken},
        header=table.header,
        nothing=empty_words + compared.empty_words,
        notes=tuple(notes),
    )


def _texts_and_photos(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The columns of `tables.CATALOGUE`, and how many cells hold `nan`, `NULL` or the like and are empty in it."""
    total = 0
    columns = {"item_id": rows["item_id"]}
    for name in _TEXTS:
        if name in rows.columns:
            columns[name], count = emptied(rows[name])
            total += count
        else:
            columns[name] = pl.repeat("", rows.height, dtype=pl.String, eager=True)
    if "photos" in rows.columns:
        cells = rows["photos"]
        empty = emptied_lists if isinstance(cells.dtype, pl.List) else emptied
        cells, count = empty(cells)
        columns["photos"] = photo_lists(cells)
        total += count
    else:
        no_photos = pl.Series([[]], dtype=pl.List(pl.String))
        columns["photos"] = no_photos.new_from_index(0, rows.height)
    return pl.DataFrame(columns).select(list(CATALOGUE)), total


def _refuse_repeated_ids(path: Path, table: Table) -> None:
    repeated = table.frame.select("item_id", LINE).filter(pl.col("item_id").is_duplicated())
    if repeated.is_empty():
        return
    first = repeated["item_id"][0]
    lines = repeated.filter(pl.col("item_id") == first)[LINE]
    ids = repeated["item_id"].n_unique()
    raise NrlDedupError(
        f"{path}: item ids must be unique, but {first!r} stands on lines {lines[0]} and {lines[1]}; in all, "
        f"{ids} ids stand on {repeated.height} lines. Remove {repeated.height - ids} rows or give them other ids."
    )


def _by_id(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["item_id"].str.contains("^[0-9]+$").all():
        # Whole numbers of any length: fewer digits first, then digit by digit.
        digits = pl.col("item_id").str.strip_chars_start("0")
        return frame.sort(digits.str.len_bytes(), digits, "item_id")
    return frame.sort("item_id")
