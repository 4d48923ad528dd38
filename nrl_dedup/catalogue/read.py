"""The catalogue: one row for each ad, ordered by item id, with its texts and the names of its photos."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.catalogue.cells.empty_cells import emptied, emptied_lists
from nrl_dedup.catalogue.cells.photo_cells import photo_lists
from nrl_dedup.catalogue.cells.written_numbers import NoNumbers, read_numbers
from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import LINE, BadRow, Table, columns_taken
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import CATALOGUE

_ID_NAMES = (
    "item_id",
    "id",
    "sku",
    "ad_id",
    "listing_id",
    "product_id",
    "offer_id",
    "posting_id",
    "uid",
    "uuid",
)
_TITLE_NAMES = (
    "title",
    "name",
    "heading",
    "headline",
    "subject",
    "product_name",
    "product_title",
    "item_name",
)
_DESCRIPTION_NAMES = ("description", "text", "body", "desc", "product_description", "details")
_PHOTO_NAMES = (
    "images_array",
    *("images", "image", "photos", "photo", "pictures", "picture"),
    *("image_ids", "image_id", "photo_ids", "photo_id"),
    *("image_paths", "image_path", "photo_path", "imgs", "img"),
)
_COMPARED = {
    "price": (
        "price",
        "price_rub",
        "price_usd",
        "price_eur",
        "amount",
        "cost",
        "цена",
        "стоимость",
    ),
    "category": (
        "category",
        "category_id",
        "category_name",
        "product_type",
        "категория",
        "рубрика",
    ),
    "location": (
        "location",
        "location_id",
        "city",
        "city_id",
        "town",
        "region",
        "region_id",
        "город",
        "регион",
    ),
    "metro": ("metro", "metro_id", "metro_station", "метро", "станция метро"),
    "latitude": ("latitude", "lat", "широта"),
    "longitude": ("longitude", "lon", "lng", "long", "долгота"),
    "phone": ("phone", "phone_number", "telephone", "tel", "телефон", "номер телефона"),
    "brand": ("brand", "brand_name", "manufacturer", "бренд", "марка", "производитель"),
}
_NUMBERS = {
    "price": True,
    "latitude": False,
    "longitude": False,
}  # whether 1,500 may be thousands in them
_TEXTS = ("title", "description")
_BATCH = 50_000


@dataclass(frozen=True)
class Catalogue:
    """The ads of one file. An ad's *row* is its position in `frame`.

    `frame` has the columns of `tables.CATALOGUE` and no nulls. Its order is that of the item ids: as numbers if
    every one of them is a whole number (`7` and `007`, equal as numbers, as text), as text (by code point) if not.
    `further`: the columns beside these that ads are compared by, such as the price: text by row, null or "" where there
    is none. `compared`: those of them that the user named, or that a bundle remembers so. `taken`: what the file calls
    each column that is used, of all in `header`. `nothing`: how many cells say `nan`, `NULL` or the like, and are empty
    here. `notes`: what else there is to say about the columns, a line each.
    """

    path: Path
    frame: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0
    further: pl.DataFrame = field(default_factory=pl.DataFrame)
    compared: tuple[str, ...] = ()
    taken: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    nothing: int = 0
    notes: tuple[str, ...] = ()
    encoding: str | None = None  # of the file, where the user named one

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
            further=self.further[rows] if self.further.width else self.further,
        )


def read_catalogue(
    path: Path,
    *,
    id_column: str | None = None,
    title_column: str | None = None,
    description_column: str | None = None,
    photo_column: str | None = None,
    encoding: str | None = None,
) -> Catalogue:
    """The catalogue in a CSV or Parquet file, its columns found by their usual names or named by the caller.

    Ids stay the text that they are. A text column that is missing counts as empty, as does a photo column, and as do
    cells that say `nan`, `NULL` or the like (`empty_cells.py`). A photo cell holds one reference or several, separated
    by `,` `;` or `|`, or a JSON list of them; the same reference twice in an ad counts once. Rows with an empty id are
    bad rows.

    :param encoding: of a CSV file; None for UTF-8.
    :raises NrlDedupError: what `read_table` raises; no column of texts or photos; an id that stands twice.
    """
    wanted = {
        "item_id": WantedColumn("--id-column", _ID_NAMES, id_column, identifier=True),
        "title": WantedColumn(
            "--title-column", _TITLE_NAMES, title_column, required=False, joint="\n"
        ),
        "description": WantedColumn(
            "--description-column", _DESCRIPTION_NAMES, description_column, False, joint="\n"
        ),
        "photos": WantedColumn(
            "--photo-column", _PHOTO_NAMES, photo_column, required=False, joint=None
        ),
    }
    table = read_table(path, wanted, encoding).without(pl.col("item_id") == "", "its id is empty")
    _refuse_repeated_ids(path, table)
    frame, nothing = _without_empty_words(table.frame)
    photos = (
        photo_lists(frame["photos"])
        if "photos" in frame.columns
        else pl.lit([], pl.List(pl.String))
    )
    frame = frame.with_columns(
        photos.alias("photos"),
        *(pl.lit("").alias(name) for name in _TEXTS if name not in frame.columns),
    )
    frame = _by_id(frame).select(list(CATALOGUE))
    return Catalogue(
        path,
        frame,
        table.bad_rows,
        table.bad_count,
        taken=table.taken,
        header=table.header,
        nothing=nothing,
        notes=table.notes,
        encoding=encoding,
    )


def _without_empty_words(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Texts and photos, the cells that say nothing being empty, and how many these are."""
    total = 0
    for name in (*_TEXTS, "photos"):
        if name in frame.columns:
            cells = frame[name]
            cells, count = (
                emptied_lists(cells) if isinstance(cells.dtype, pl.List) else emptied(cells)
            )
            frame, total = frame.with_columns(cells.alias(name)), total + count
    return frame, total


def read_further_columns(
    catalogue: Catalogue, names: Sequence[str], flag: str, id_column: str | None = None
) -> dict[str, pl.Series]:
    """Columns of the catalogue's file that no stage reads: name -> text (String) by row of `catalogue`.

    A Parquet cell that is a list is its values joined by ", ".

    :param flag: the option that names them, for messages.
    :raises NrlDedupError: what `read_table` raises; so a column that is not there.
    """
    wanted = {str(place): WantedColumn(flag, (), name) for place, name in enumerate(names)}
    found = _by_row(catalogue, wanted, id_column).frame
    return {name: found[str(place)] for place, name in enumerate(names)}


def read_compared_columns(
    catalogue: Catalogue,
    names: Sequence[str],
    flag: str,
    id_column: str | None = None,
    remembered: Sequence[str] = (),
) -> dict[str, pl.Series]:
    """The columns that `with_compared_columns` fills `further` with: name -> text (String) by row of `catalogue`.

    :param flag: the option that names further columns, for messages.
    :param remembered: further columns that a bundle was trained with; those that the file lacks are left out.
    :raises NrlDedupError: what that raises.
    """
    further = _with_compared_columns(catalogue, names, flag, id_column, remembered).further
    return {name: further[name] for name in further.columns}


def with_compared_columns(
    catalogue: Catalogue,
    names: Sequence[str] = (),
    id_column: str | None = None,
    remembered: Sequence[str] = (),
) -> Catalogue:
    """The catalogue with price, category, place, phone and brand, found by their usual names, and the columns that the
    user names, as `further`.

    The former stand under one name whatever the file calls them (price, category, location, metro, latitude,
    longitude, phone, brand), so that what is learned on one catalogue can be used on another; the latter under their
    own, except one that is found already. Cells that say `nan`, `NULL` or the like are empty, and a column without a
    value is left out.

    :raises NrlDedupError: what `read_table` raises; so a named column that is not there.
    """
    return _with_compared_columns(catalogue, names, "--compare", id_column, remembered)


def _with_compared_columns(
    catalogue: Catalogue,
    names: Sequence[str],
    flag: str,
    id_column: str | None,
    remembered: Sequence[str],
) -> Catalogue:
    usual = {name: WantedColumn("", likely, required=False) for name, likely in _COMPARED.items()}
    asked = [WantedColumn(flag, (), name) for name in names]
    remembered = [name for name in remembered if name not in names]
    asked += [WantedColumn(flag, (name,), required=False) for name in remembered]
    names = [*names, *remembered]
    named = {str(place): column for place, column in enumerate(asked)}
    table = _by_row(catalogue, usual | named, id_column)
    read = {key: emptied(table.frame[key]) for key in table.taken if key != "item_id"}
    found = {key: texts for key, (texts, _) in read.items() if (texts != "").any()}
    keys = {name: name for name in _COMPARED if name in found}
    for place, name in enumerate(names):
        texts = found.get(str(place))
        if texts is not None and not any(texts.equals(found[key]) for key in keys.values()):
            keys[name] = str(place)
    further = pl.DataFrame({name: found[key] for name, key in keys.items()})
    taken = {name: table.taken[key] for name, key in keys.items()}
    return replace(
        catalogue,
        further=further,
        compared=tuple(name for name in names if name in further.columns),
        taken={**catalogue.taken, **taken},
        nothing=catalogue.nothing + sum(read[key][1] for key in keys.values()),
        notes=tuple(dict.fromkeys((*catalogue.notes, *table.notes, *_not_numbers(further, taken)))),
    )


def _not_numbers(further: pl.DataFrame, taken: Mapping[str, str]) -> list[str]:
    """A line for each column that its name says is one of numbers, and that is not."""
    notes = []
    for name in (name for name in _NUMBERS if name in further.columns):
        found = read_numbers(further[name], thousands=_NUMBERS[name])
        if isinstance(found, NoNumbers) and found.others:
            notes.append(
                f'"{taken[name]}" is not compared as numbers: {found.others:,} of its {found.there:,} values are none, '
                f"the first {found.first!r}."
            )
    return notes


def _by_row(catalogue: Catalogue, wanted: dict[str, WantedColumn], id_column: str | None) -> Table:
    """The table of those columns of `wanted` that are in the catalogue's file, by row of `catalogue`."""
    # Not required, or else one of the others would have to be there; that the ids are, is known.
    ids = WantedColumn("--id-column", _ID_NAMES, id_column, required=False, identifier=True)
    table = read_table(catalogue.path, {"item_id": ids, **wanted}, catalogue.encoding)
    rows = catalogue.frame.select("item_id").join(
        table.frame, on="item_id", how="left", maintain_order="left"
    )
    return replace(table, frame=rows)


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 (hex) of the ids, the texts and the photo references, in the catalogue's order.

    Each column adds the digest of its values' lengths in bytes and that of their UTF-8 bytes, the photos also that
    of their numbers per ad; so it depends on neither the file's name, its other columns, its order nor polars.
    """
    total = hashlib.sha256()
    photos = catalogue.frame["photos"]
    total.update(hashlib.sha256(photos.list.len().to_numpy().astype("<i8").tobytes()).digest())
    for column in (
        *(catalogue.frame[name] for name in ("item_id", *_TEXTS)),
        photos.explode().drop_nulls(),
    ):
        lengths, values = hashlib.sha256(), hashlib.sha256()
        for start in range(0, len(column), _BATCH):
            part = column.slice(start, _BATCH)
            lengths.update(part.str.len_bytes().to_numpy().astype("<i8").tobytes())
            values.update(part.str.join("").item().encode())
        total.update(lengths.digest() + values.digest())
    return total.hexdigest()


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
