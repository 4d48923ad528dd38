"""The catalogue: one row for each ad, ordered by item id, with its texts and the names of its photos."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.reading import LINE, BadRow, Column, Table, read_table
from nrl_dedup.tables import CATALOGUE

_ID_NAMES = ("item_id", "id", "sku", "ad_id", "listing_id", "product_id", "offer_id", "posting_id", "uid", "uuid")
_TITLE_NAMES = ("title", "name", "heading", "headline", "subject", "product_name", "product_title", "item_name")
_DESCRIPTION_NAMES = ("description", "text", "body", "desc", "product_description", "details")
_PHOTO_NAMES = (
    "images_array",
    *("images", "image", "photos", "photo", "pictures", "picture"),
    *("image_ids", "image_id", "photo_ids", "photo_id"),
    *("image_paths", "image_path", "photo_path", "imgs", "img"),
)
_COMPARED = {
    "price": ("price", "price_rub", "price_usd", "price_eur", "amount", "cost", "цена", "стоимость"),
    "category": ("category", "category_id", "category_name", "product_type", "категория", "рубрика"),
    "location": ("location", "location_id", "city", "city_id", "town", "region", "region_id", "город", "регион"),
    "metro": ("metro", "metro_id", "metro_station", "метро", "станция метро"),
    "latitude": ("latitude", "lat", "широта"),
    "longitude": ("longitude", "lon", "lng", "long", "долгота"),
    "phone": ("phone", "phone_number", "telephone", "tel", "телефон", "номер телефона"),
    "brand": ("brand", "brand_name", "manufacturer", "бренд", "марка", "производитель"),
}
_TEXTS = ("title", "description")
_BATCH = 50_000

# A JSON list of strings that polars is sure to decode: lone surrogates, which it refuses, are left out.
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9abcefABCEF][0-9a-fA-F]{3}|u[dD][0-7][0-9a-fA-F]{2})'
_JSON_STRING = rf'"(?:[^"\\\x00-\x1f]|{_ESCAPE})*"'
_JSON_LIST = rf"^\s*\[\s*{_JSON_STRING}(?:\s*,\s*{_JSON_STRING})*\s*\]\s*$"


@dataclass(frozen=True)
class Catalogue:
    """The ads of one file. An ad's *row* is its position in `frame`.

    `frame` has the columns of `tables.CATALOGUE` and no nulls. Its order is that of the item ids: as numbers if
    every one of them is a whole number (`7` and `007`, equal as numbers, as text), as text (by code point) if not.
    `further`: the columns beside these that ads are compared by, such as the price: text by row, null where there is
    none. `compared`: those of them that the user named, or that a bundle remembers so.
    """

    path: Path
    frame: pl.DataFrame
    bad_rows: tuple[BadRow, ...] = ()  # the first ten
    bad_count: int = 0
    further: pl.DataFrame = field(default_factory=pl.DataFrame)
    compared: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    @property
    def ids(self) -> pl.Series:
        """Item ids (String), by row."""
        return self.frame["item_id"]

    def rows_of(self, ids: pl.Series) -> pl.Series:
        """The row of each id (Int64), null where the catalogue does not have it."""
        rows = self.frame.select("item_id", row=pl.int_range(pl.len(), dtype=pl.Int64))
        asked = pl.DataFrame({"item_id": ids, "position": np.arange(len(ids))})
        return asked.join(rows, on="item_id", how="left").sort("position")["row"]

    def take(self, rows: Int64[np.ndarray, " rows"]) -> "Catalogue":
        """The ads of `rows`, each once and in this catalogue's order; their rows are counted anew."""
        rows = np.unique(rows)
        return replace(self, frame=self.frame[rows], further=self.further[rows] if self.further.width else self.further)


def read_catalogue(
    path: Path,
    *,
    id_column: str | None = None,
    title_column: str | None = None,
    description_column: str | None = None,
    photo_column: str | None = None,
) -> Catalogue:
    """The catalogue in a CSV or Parquet file, its columns found by their usual names or named by the caller.

    Ids stay the text that they are. A text column that is missing counts as empty, as does a photo column. A
    photo cell holds one reference or several, separated by `,` `;` or `|`, or a JSON list of them; the same
    reference twice in an ad counts once. Rows with an empty id are bad rows.

    :raises NrlDedupError: what `read_table` raises; no column of texts or photos; an id that stands twice.
    """
    wanted = {
        "item_id": Column("--id-column", _ID_NAMES, id_column, identifier=True),
        "title": Column("--title-column", _TITLE_NAMES, title_column, required=False),
        "description": Column("--description-column", _DESCRIPTION_NAMES, description_column, required=False),
        "photos": Column("--photo-column", _PHOTO_NAMES, photo_column, required=False),
    }
    table = read_table(path, wanted).without(pl.col("item_id") == "", "its id is empty")
    found = set(table.frame.columns) - {"item_id", LINE}
    _refuse_repeated_ids(path, table)
    photos = _photo_lists(table.frame["photos"]) if "photos" in found else pl.lit([], pl.List(pl.String))
    frame = table.frame.with_columns(
        photos.alias("photos"), *(pl.lit("").alias(name) for name in _TEXTS if name not in found)
    )
    frame = _by_id(frame).select(list(CATALOGUE))
    return Catalogue(path, frame, table.bad_rows, table.bad_count)


def read_further_columns(
    catalogue: Catalogue, names: Sequence[str], flag: str, id_column: str | None = None
) -> dict[str, pl.Series]:
    """Columns of the catalogue's file that no stage reads: name -> text (String) by row of `catalogue`.

    A Parquet cell that is a list is its values joined by ", ".

    :param flag: the option that names them, for messages.
    :raises NrlDedupError: what `read_table` raises; so a column that is not there.
    """
    found = _by_row(catalogue, {str(place): Column(flag, (), name) for place, name in enumerate(names)}, id_column)
    return {name: found[str(place)] for place, name in enumerate(names)}


def read_compared_columns(
    catalogue: Catalogue,
    names: Sequence[str],
    flag: str,
    id_column: str | None = None,
    remembered: Sequence[str] = (),
) -> dict[str, pl.Series]:
    """Price, category, place, phone and brand, found by their usual names, and the columns that the user names.

    The former stand under one name whatever the file calls them (price, category, location, metro, latitude,
    longitude, phone, brand), so that what is learned on one catalogue can be used on another; the latter under their
    own, except one that is found already. A column without a value is left out.

    :param flag: the option that names further columns, for messages.
    :param remembered: further columns that a bundle was trained with; those that the file lacks are left out.
    :return: name -> text (String) by row of `catalogue`.
    :raises NrlDedupError: what `read_table` raises; so a named column that is not there.
    """
    usual = {name: Column("", likely, required=False) for name, likely in _COMPARED.items()}
    named = {str(place): Column(flag, (), name) for place, name in enumerate(names)}
    names = [*names, *(name for name in remembered if name not in names)]
    named |= {
        str(place): Column(flag, (name,), required=False) for place, name in enumerate(names) if str(place) not in named
    }
    found = {key: texts for key, texts in _by_row(catalogue, usual | named, id_column).items() if (texts != "").any()}
    columns = {name: found[name] for name in _COMPARED if name in found}
    for place, name in enumerate(names):
        texts = found.get(str(place))
        if texts is not None and not any(texts.equals(other) for other in columns.values()):
            columns[name] = texts
    return columns


def with_compared_columns(
    catalogue: Catalogue, names: Sequence[str] = (), id_column: str | None = None, remembered: Sequence[str] = ()
) -> Catalogue:
    """The catalogue with `further` and `compared` filled by `read_compared_columns`.

    :raises NrlDedupError: what that raises.
    """
    found = read_compared_columns(catalogue, names, "--compare", id_column, remembered)
    compared = tuple(name for name in found if name in {*names, *remembered})
    return replace(catalogue, further=pl.DataFrame(found), compared=compared)


def _by_row(catalogue: Catalogue, wanted: dict[str, Column], id_column: str | None) -> dict[str, pl.Series]:
    """Columns of the catalogue's file as text, by row: those of `wanted` that are there, under its keys."""
    # Not required, or else one of the others would have to be there; that the ids are, is known.
    ids = Column("--id-column", _ID_NAMES, id_column, required=False, identifier=True)
    frame = read_table(catalogue.path, {"item_id": ids, **wanted}).frame
    frame = catalogue.frame.select("item_id").join(frame, on="item_id", how="left", maintain_order="left")
    columns = {key: frame[key] for key in wanted if key in frame.columns}
    return {
        key: column.list.join(", ") if isinstance(column.dtype, pl.List) else column for key, column in columns.items()
    }


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 (hex) of the ids, the texts and the photo references, in the catalogue's order.

    Each column adds the digest of its values' lengths in bytes and that of their UTF-8 bytes, the photos also that
    of their numbers per ad; so it depends on neither the file's name, its other columns, its order nor polars.
    """
    total = hashlib.sha256()
    photos = catalogue.frame["photos"]
    total.update(hashlib.sha256(photos.list.len().to_numpy().astype("<i8").tobytes()).digest())
    for column in (*(catalogue.frame[name] for name in ("item_id", *_TEXTS)), photos.explode().drop_nulls()):
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


def _photo_lists(cells: pl.Series) -> pl.Series:
    """Photo references as List(String): trimmed, without empty ones, each once and in its order."""
    lists = cells if isinstance(cells.dtype, pl.List) else _split(cells)
    part = pl.element()
    return lists.list.eval(part.str.strip_chars().filter(part.str.strip_chars() != "")).list.unique(maintain_order=True)


def _split(cells: pl.Series) -> pl.Series:
    cell = pl.col("cell")
    is_json = cell.str.contains(_JSON_LIST)
    bracketed = cell.str.contains(r"(?s)^\s*\[.*\]\s*$")  # [1, 2] or ['a.jpg', 'b.jpg']
    bare = pl.when(bracketed).then(cell.str.replace_all(r"""[\[\]"']""", "")).otherwise(cell)
    frame = cells.alias("cell").to_frame()
    plain = bare.str.replace_all("[;|]", ",").str.split(",")
    if not frame.select(is_json.any()).item():
        return frame.select(plain).to_series()
    decoded = pl.when(is_json).then(cell).str.json_decode(pl.List(pl.String))
    return frame.select(pl.when(is_json).then(decoded).otherwise(plain)).to_series()
