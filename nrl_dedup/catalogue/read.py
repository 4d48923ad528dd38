"""The catalogue: one row for each ad, ordered by item id, with its texts and the names of its photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.catalogue.ad_columns import wanted_of_ads
from nrl_dedup.catalogue.cells.empty_cells import emptied, emptied_lists
from nrl_dedup.catalogue.cells.photo_cells import photo_lists
from nrl_dedup.catalogue.compared_columns import choose_compared, wanted_to_compare
from nrl_dedup.catalogue.files.file_pattern import read_tables
from nrl_dedup.catalogue.files.table_rows import LINE, BadRow, Table, columns_taken
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.source_names import names_in_column
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

    `source`: where only ads of different sources can be linked, the name of each ad's source (String, by row), and
    `source_names`: all of them, the first one first. Then an id may occur once in each source, equal ids are ordered by
    the name of their source, and rows do not depend on the order of the files. None and empty without sources.
    `other`: the second of two files.
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
    source: pl.Series | None = None
    source_names: tuple[str, ...] = ()
    other: Path | None = None

    def __len__(self) -> int:
        return self.frame.height

    @property
    def ids(self) -> pl.Series:
        """Item ids (String), by row."""
        return self.frame["item_id"]

    def names_of(self, rows: pl.Series) -> pl.Series:
        """The id of each row's ad; with its source, as in `shop/7`, where several sources have that id."""
        ids = self.ids.gather(rows)
        if self.source is None:
            return ids
        is_repeated = self.ids.is_duplicated().gather(rows)
        return ids.zip_with(~is_repeated, self.source.gather(rows) + "/" + ids)

    def columns_taken(self) -> str:
        """One line: which columns of the file were taken for what, and which are not used."""
        return columns_taken(self.path, self.taken, self.header)

    def source_numbers(self) -> Int64[np.ndarray, "ads"] | None:
        """The place of each ad's source in `source_names`; None without sources."""
        if self.source is None:
            return None
        numbers = {name: place for place, name in enumerate(self.source_names)}
        return self.source.replace_strict(numbers, return_dtype=pl.Int64).to_numpy()

    def rows_of(self, ids: pl.Series, sources: pl.Series | None = None) -> pl.Series:
        """The row of each id (Int64), null where the catalogue does not have it, or has it in several sources.

        :param sources: the source of each of `ids`, null where it may be any.
        """
        rows = self.frame.select("item_id", row=pl.int_range(pl.len(), dtype=pl.Int64))
        asked = pl.DataFrame({"item_id": ids, "position": np.arange(len(ids))})
        if self.source is None:
            return asked.join(rows, on="item_id", how="left").sort("position")["row"]
        of_one_source = rows.filter(~pl.col("item_id").is_duplicated())
        by_id = asked.join(of_one_source, on="item_id", how="left").sort("position")["row"]
        if sources is None:
            return by_id
        key = ["item_id", "source"]
        named = rows.with_columns(source=self.source)
        found = asked.with_columns(source=sources).join(named, on=key, how="left")
        return found.sort("position")["row"].zip_with(sources.is_not_null(), by_id)

    def take(self, rows: Int64[np.ndarray, " rows"]) -> "Catalogue":
        """The ads of `rows`, each once and in this catalogue's order; their rows are counted anew."""
        rows = np.unique(rows)
        return replace(
            self,
            frame=self.frame[rows],
            further=_rows_of(self.further, rows),
            by=_rows_of(self.by, rows),
            source=None if self.source is None else self.source[rows],
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
    source: str | None = None,
    may_lack: bool = False,
) -> Catalogue:
    """The catalogue in a CSV or Parquet file, its columns found by their usual names or named by the caller.

    The file, or each that fits a pattern (`files_of`), is read once, for all that a command needs of it. Ids stay the
    text that they are. A text column that is missing counts as empty, as does a photo column, and as do cells that hold
    `nan`, `NULL` or the like (`empty_cells.py`). A photo cell holds one reference or several, separated by `,` `;` or
    `|`, or a JSON list of them; the same reference twice in an ad counts once. Rows with an empty id are bad rows.

    Price, category, place, phone and brand become `further`, under these names (`compared_columns.py`), with the
    columns of `compare` and `remembered` under their own, except one that is found already. A column without a value
    is left out.

    :param encoding: of a CSV file; None for UTF-8.
    :param compare: further columns that the user named to compare ads by (`--compare`).
    :param remembered: those that a bundle was trained with; one that the file lacks is left out.
    :param by: columns that an evaluation slices by (`--by`). A Parquet cell that is a list is joined by ", ".
    :param source: the column that names the source of each ad; ads are not compared by it. Rows where it is empty are
        bad rows.
    :param may_lack: whether a named column may be missing: a second file may have it.
    :raises NrlDedupError: what `read_tables` raises; no column of texts or photos; a named column that is not there; an
        id that occurs twice (in one source); what `names_in_column` raises.
    """
    names = {
        "item_id": id_column,
        "title": title_column,
        "description": description_column,
        "photos": photo_column,
    }
    texts_and_photos = wanted_of_ads(names, may_lack)
    ids = texts_and_photos["item_id"]
    to_compare, key_of = wanted_to_compare(
        [name for name in compare if name != source],
        [name for name in remembered if name != source],
        may_lack=may_lack,
    )
    # The ids again, so that a column that the user gave for them is not taken for another; not required, so that none
    # of the others need be there.
    to_compare["item_id"] = replace(ids, required=False)
    others = {
        f"by {name}": WantedColumn("--by", (), name, required=not may_lack, may_lack=may_lack)
        for name in by
    }
    if may_lack:
        others["item_id"] = to_compare["item_id"]  # one of those not required must be there
    if source is not None:
        others["source"] = WantedColumn("--source", (), source)
    table = read_tables(path, texts_and_photos, to_compare, others, encoding=encoding)
    table = table.without(pl.col("item_id") == "", "its id is empty")
    key = ["item_id"]
    if source is not None:
        table = table.without(pl.col("source").str.strip_chars() == "", "its source is empty")
        key = ["item_id", "source"]
    _refuse_repeated_ids(path, table, key)
    rows = by_id(table.frame)
    frame, empty_words = _texts_and_photos(rows)
    of_evidence = {key: name for key, name in table.taken.items() if name != source}
    compared = choose_compared(rows, of_evidence, key_of)
    taken = {key: name for key, name in table.taken.items() if key in texts_and_photos}
    if source is not None:
        taken["source"] = source
    source_names = () if source is None else names_in_column(path, source, rows["source"])
    sliced_by = [name for name in dict.fromkeys(by) if f"by {name}" in rows.columns]
    notes = dict.fromkeys([*table.notes, *compared.notes])  # each once
    return Catalogue(
        path,
        frame,
        table.bad_rows,
        table.bad_count,
        further=compared.frame,
        compared=compared.named,
        by=rows.select(pl.col(f"by {name}").alias(name) for name in sliced_by),
        taken={**taken, **compared.taken},
        header=table.header,
        nothing=empty_words + compared.empty_words,
        notes=tuple(notes),
        source=None if source is None else rows["source"],
        source_names=source_names,
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


def _refuse_repeated_ids(path: Path, table: Table, key: list[str]) -> None:
    """:param key: the columns that tell two ads apart."""
    repeated = table.frame.select(*key, LINE).filter(pl.struct(key).is_duplicated())
    if repeated.is_empty():
        return
    first = repeated["item_id"][0]
    lines = repeated.join(repeated[:1].select(key), on=key, how="semi")[LINE]
    ids = repeated.select(key).n_unique()
    raise NrlDedupError(
        f"{path}: item ids must be unique, but {first!r} stands on lines {lines[0]} and {lines[1]}; in all, "
        f"{ids} ids stand on {repeated.height} lines. Remove {repeated.height - ids} rows or give them other ids."
    )


def by_id(frame: pl.DataFrame) -> pl.DataFrame:
    """Ordered by the column item_id, equal ids by source (`Catalogue`)."""
    of_equal_ids = ["source"] if "source" in frame.columns else []
    if frame["item_id"].str.contains("^[0-9]+$").all():
        # Whole numbers of any length: fewer digits first, then digit by digit.
        digits = pl.col("item_id").str.strip_chars_start("0")
        return frame.sort(digits.str.len_bytes(), digits, "item_id", *of_equal_ids)
    return frame.sort("item_id", *of_equal_ids)
