"""Price, category, place and any further column: compared as numbers where it is one of numbers, and as values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nrl_dedup.catalogue.cells.comparable_columns import CODE_COLUMNS
from nrl_dedup.catalogue.cells.phone_numbers import phones
from nrl_dedup.catalogue.cells.written_numbers import (
    NO_THOUSANDS,
    NoNumbers,
    NumberSpelling,
    fit_spelling,
    read_spelled,
)
from nrl_dedup.comparison.base import OTHER, PRICE, Columns, Comparison
from nrl_dedup.comparison.columns import Column, Unit, with_endings
from nrl_dedup.comparison.quantiles import Quantiles
from nrl_dedup.comparison.rarities import Rarities
from nrl_dedup.comparison.similarities import NAN, Rows

_LATITUDE = ("lat", "latitude")
_LONGITUDE = ("lon", "lng", "long", "longitude")
_EARTH_KM = 6371.0  # mean radius
_PHONE = "phone"

Numbers = Float64[np.ndarray, "ads"]


@dataclass(frozen=True)
class NumberStatistics:
    """Of a column of numbers: how it spells them, and how they are distributed."""

    spelling: NumberSpelling
    quantiles: Quantiles


@dataclass(frozen=True)
class ColumnStatistics:
    """Of one column: how rare its values are; `numbers`: None if they are not numbers on the whole."""

    name: str
    rarities: Rarities
    numbers: NumberStatistics | None

    @classmethod
    def fit(cls, name: str, texts: pl.Series) -> "ColumnStatistics":
        spelling = _fit_spelling(name, texts)
        values, numbers = _values(name, texts, spelling)
        codes = as_codes(values)
        there = codes.filter(codes != "")
        rarities = Rarities.fit(there, len(there))
        if spelling is None or numbers is None:
            return cls(name, rarities, None)
        return cls(name, rarities, NumberStatistics(spelling, Quantiles.fit(numbers)))

    def comparisons(self, texts: pl.Series) -> list[Comparison]:
        """Of the values of any ads; one more if the column is one of numbers."""
        group = PRICE if "price" in self.name.lower() else OTHER
        spelling = None if self.numbers is None else self.numbers.spelling
        values, numbers = _values(self.name, texts, spelling)
        found: list[Comparison] = [ValueColumn.of(self.name, group, values, self.rarities)]
        if self.numbers is not None and numbers is not None:
            quantiles = self.numbers.quantiles.of(numbers)
            found.append(NumberColumn(self.name, group, numbers, quantiles))
        return found


@dataclass(frozen=True)
class PlaceColumns:
    """The columns that hold degrees north and degrees east."""

    latitude: str
    longitude: str

    @classmethod
    def find(cls, columns: Mapping[str, pl.Series]) -> "PlaceColumns | None":
        """None if there are none, or they do not hold numbers."""
        latitude = _first_of(_LATITUDE, columns)
        longitude = _first_of(_LONGITUDE, columns)
        if latitude is None or longitude is None:
            return None
        for name in (latitude, longitude):
            if isinstance(fit_spelling(columns[name], thousands=False), NoNumbers):
                return None
        return cls(latitude, longitude)

    def comparison(self, columns: Mapping[str, pl.Series]) -> "Place":
        degrees_north = read_spelled(columns[self.latitude], NO_THOUSANDS).numbers
        degrees_east = read_spelled(columns[self.longitude], NO_THOUSANDS).numbers
        return Place(OTHER, np.radians(degrees_north), np.radians(degrees_east))


@dataclass(frozen=True)
class TableStatistics:
    """Of all columns of a sample. `columns`: without those of `place`."""

    place: PlaceColumns | None
    columns: tuple[ColumnStatistics, ...]

    @classmethod
    def fit(cls, columns: Mapping[str, pl.Series]) -> "TableStatistics":
        """:param columns: text (String) by row of the sample; null and blank are missing."""
        place = PlaceColumns.find(columns)
        of_place: tuple[str, ...] = ()
        if place is not None:
            of_place = (place.latitude, place.longitude)
        found: list[ColumnStatistics] = []
        for name, texts in columns.items():
            if name not in of_place:
                found.append(ColumnStatistics.fit(name, texts))
        return cls(place, tuple(found))


def column_comparisons(
    statistics: TableStatistics, columns: Mapping[str, pl.Series]
) -> list[Comparison]:
    """A comparison of each column's values, one more if it is numeric on the whole, one of latitude with longitude.

    Of category, location, metro, phone and brand (`compared_columns.py`) a number is a name, and is not measured.
    Columns that the sample or these ads lack are left out.

    :param columns: text (String) by row of any ads; null and blank are missing.
    """
    comparisons: list[Comparison] = []
    place = statistics.place
    if place is not None and {place.latitude, place.longitude} <= columns.keys():
        comparisons.append(place.comparison(columns))
    for column in statistics.columns:
        if column.name in columns:
            comparisons += column.comparisons(columns[column.name])
    return comparisons


def _first_of(names: tuple[str, ...], columns: Mapping[str, pl.Series]) -> str | None:
    """The column with the first of these names that there is, in any case of letters."""
    lowered = {name.lower(): name for name in columns}
    for name in names:
        if name in lowered:
            return lowered[name]
    return None


def read_values(name: str, texts: pl.Series) -> tuple[pl.Series, Numbers | None]:
    """What ads are compared by in a column: its values, each in one spelling; its numbers, where it is one of numbers.

    Phones are their digits, numbers are themselves (`written_numbers.py`), all else is text.
    """
    return _values(name, texts, _fit_spelling(name, texts))


def _fit_spelling(name: str, texts: pl.Series) -> NumberSpelling | None:
    """None where the column is not one of numbers."""
    if name == _PHONE or name in CODE_COLUMNS:
        return None
    spelling = fit_spelling(texts)
    return spelling if isinstance(spelling, NumberSpelling) else None


def _values(
    name: str, texts: pl.Series, spelling: NumberSpelling | None
) -> tuple[pl.Series, Numbers | None]:
    """As `read_values`, with the spelling of numbers of these ads or of others."""
    if name == _PHONE:
        return phones(texts), None
    if spelling is None:
        return texts, None
    found = read_spelled(texts, spelling)
    return found.texts, found.numbers


def as_codes(values: pl.Series) -> pl.Series:
    """Without outer spaces and capitals; "" for none."""
    return values.fill_null("").str.strip_chars().str.to_lowercase()


_OF_VALUES = {
    "_same": Column("same {}", Unit.YES_OR_NO),
    "_rarity": Column("rarity of the {} that both have"),
    "_missing": Column("ads without {}", Unit.COUNT),
}
_OF_NUMBERS = {
    "_relative": Column("difference in {}", Unit.SHARE),
    "_between": Column("ads with a {} between the two", Unit.SHARE),
}
PLACE_COLUMNS = {"distance": Column("distance", Unit.LOG_KILOMETRES)}


def column_in_catalogue(name: str) -> Column:
    """What a column of comparison vectors is whose name comes from a column of the catalogue."""
    for ending in (*_OF_VALUES, *_OF_NUMBERS):
        if name.endswith(ending):
            catalogue_column = name.removesuffix(ending)
            return with_endings(catalogue_column, catalogue_column, _OF_VALUES | _OF_NUMBERS)[name]
    return Column(name)


@dataclass(frozen=True)
class ValueColumn:
    """Whether both ads have the same value (case and outer spaces aside), how rare it is, and how many have none.

    `codes`: a number for each value, -1 for none. `rarity`: of each ad's value, ln(ads with a value / ads with this
    one) in the sample; of a pair, 0 where the values differ.
    """

    name: str
    group: str
    codes: Int64[np.ndarray, "ads"]
    rarity: Float32[np.ndarray, "ads"]

    @classmethod
    def of(cls, name: str, group: str, texts: pl.Series, rarities: Rarities) -> "ValueColumn":
        """:param rarities: of the values of these ads or of others."""
        values = as_codes(texts)
        ranks = values.rank("dense").cast(pl.Int64).to_numpy()
        there = (values != "").to_numpy()
        codes = np.where(there, ranks, -1)
        return cls(name, group, codes, rarities.of(values))

    @property
    def columns(self) -> dict[str, Column]:
        return with_endings(self.name, self.name, _OF_VALUES)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left = self.codes[rows_l]
        right = self.codes[rows_r]
        both = (left >= 0) & (right >= 0)
        same = left == right
        missing_l = (left < 0).astype(np.float32)
        missing = missing_l + (right < 0)
        rarity = np.where(same & both, self.rarity[rows_l], 0)
        return {
            f"{self.name}_same": np.where(both, same, NAN).astype(np.float32),
            f"{self.name}_rarity": np.where(both, rarity, NAN).astype(np.float32),
            f"{self.name}_missing": missing.astype(np.float32),
        }


@dataclass(frozen=True)
class NumberColumn:
    """|a - b| / max(|a|, |b|), and the share of the sample's ads whose number lies between the two.

    `quantiles`: of each ad's number (`Quantiles.of`).
    """

    name: str
    group: str
    numbers: Float64[np.ndarray, "ads"]
    quantiles: Float64[np.ndarray, "ads"]

    @property
    def columns(self) -> dict[str, Column]:
        return with_endings(self.name, self.name, _OF_NUMBERS)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left = self.numbers[rows_l]
        right = self.numbers[rows_r]
        largest = np.maximum(np.abs(left), np.abs(right))
        apart = np.abs(left - right) / np.where(largest > 0, largest, 1)
        between = np.abs(self.quantiles[rows_l] - self.quantiles[rows_r])
        return {
            f"{self.name}_relative": np.where(np.isnan(largest), NAN, apart).astype(np.float32),
            f"{self.name}_between": between.astype(np.float32),
        }


@dataclass(frozen=True)
class Place:
    """ln(1 + kilometres between the two places), on a sphere (haversine); the two angles are in radians."""

    group: str
    latitude: Float64[np.ndarray, "ads"]
    longitude: Float64[np.ndarray, "ads"]

    @property
    def columns(self) -> dict[str, Column]:
        return PLACE_COLUMNS

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        latitude_l = self.latitude[rows_l]
        latitude_r = self.latitude[rows_r]
        longitude_l = self.longitude[rows_l]
        longitude_r = self.longitude[rows_r]
        north = np.sin((latitude_l - latitude_r) / 2) ** 2
        east = np.sin((longitude_l - longitude_r) / 2) ** 2
        haversine = north + np.cos(latitude_l) * np.cos(latitude_r) * east
        half_angle = np.arcsin(np.sqrt(np.clip(haversine, 0, 1)))
        kilometres = 2 * _EARTH_KM * half_angle
        return {"distance": np.log1p(kilometres).astype(np.float32)}
