"""Price, category, place and any further column: compared as numbers where it is one of numbers, and as values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from nrl_dedup.catalogue.cells.comparable_columns import CODE_COLUMNS
from nrl_dedup.catalogue.cells.phone_numbers import phones
from nrl_dedup.catalogue.cells.written_numbers import WrittenNumbers, numbers_of, read_numbers
from nrl_dedup.comparison.base import OTHER, PRICE, Columns, Comparison
from nrl_dedup.comparison.columns import Column, Unit, with_endings
from nrl_dedup.comparison.similarities import NAN, Rows

_LATITUDE = ("lat", "latitude")
_LONGITUDE = ("lon", "lng", "long", "longitude")
_EARTH_KM = 6371.0  # mean radius
_PHONE = "phone"


def column_comparisons(columns: Mapping[str, pl.Series]) -> list[Comparison]:
    """A comparison of each column's values, one more if it is numeric on the whole, one of latitude with longitude.

    Of category, location, metro, phone and brand (`compared_columns.py`) a number is a name, and is not measured.

    :param columns: text (String) by row of the catalogue; null and blank are missing.
    """
    comparisons: list[Comparison] = []
    of_place: tuple[str, ...] = ()
    latitude = _first_of(_LATITUDE, columns)
    longitude = _first_of(_LONGITUDE, columns)
    if latitude is not None and longitude is not None:
        degrees_north = numbers_of(columns[latitude], thousands=False)
        degrees_east = numbers_of(columns[longitude], thousands=False)
        if degrees_north is not None and degrees_east is not None:
            comparisons.append(Place(OTHER, np.radians(degrees_north), np.radians(degrees_east)))
            of_place = (latitude, longitude)
    for name, texts in columns.items():
        if name in of_place:
            continue
        group = PRICE if "price" in name.lower() else OTHER
        values, numbers = read_values(name, texts)
        comparisons.append(ValueColumn.of(name, group, values))
        if numbers is not None:
            comparisons.append(NumberColumn.of(name, group, numbers))
    return comparisons


def _first_of(names: tuple[str, ...], columns: Mapping[str, pl.Series]) -> str | None:
    """The column with the first of these names that there is, in any case of letters."""
    lowered = {name.lower(): name for name in columns}
    for name in names:
        if name in lowered:
            return lowered[name]
    return None


def read_values(name: str, texts: pl.Series) -> tuple[pl.Series, Float64[np.ndarray, "ads"] | None]:
    """What ads are compared by in a column: its values, each in one spelling; its numbers, where it is one of numbers.

    Phones are their digits, numbers are themselves (`written_numbers.py`), all else is text.
    """
    if name == _PHONE:
        return phones(texts), None
    if name in CODE_COLUMNS:
        return texts, None
    found = read_numbers(texts)
    if isinstance(found, WrittenNumbers):
        return found.texts, found.numbers
    return texts, None


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

    `codes`: a number for each value, -1 for none. Rarity: ln(ads with a value / ads with this one), 0 where the values
    differ.
    """

    name: str
    group: str
    codes: Int64[np.ndarray, "ads"]
    rarity: Float32[np.ndarray, "values"]

    @classmethod
    def of(cls, name: str, group: str, texts: pl.Series) -> "ValueColumn":
        values = texts.fill_null("").str.strip_chars().str.to_lowercase()
        found = values.rank("dense").cast(pl.Int64).to_numpy() - 1
        there = (values != "").to_numpy()
        codes = np.where(there, found, -1)
        counts = np.bincount(codes[there], minlength=1)
        rarity = np.log(max(there.sum(), 1) / np.maximum(counts, 1))
        return cls(name, group, codes, rarity.astype(np.float32))

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
        rarity = np.where(same & both, self.rarity[left], 0)
        return {
            f"{self.name}_same": np.where(both, same, NAN).astype(np.float32),
            f"{self.name}_rarity": np.where(both, rarity, NAN).astype(np.float32),
            f"{self.name}_missing": missing.astype(np.float32),
        }


@dataclass(frozen=True)
class NumberColumn:
    """|a - b| / max(|a|, |b|), and the share of the catalogue's ads whose number lies between the two.

    `quantiles`: the share of the ads with a number that have a lower one, ties at their middle.
    """

    name: str
    group: str
    numbers: Float64[np.ndarray, "ads"]
    quantiles: Float64[np.ndarray, "ads"]

    @classmethod
    def of(cls, name: str, group: str, numbers: Float64[np.ndarray, "ads"]) -> "NumberColumn":
        there = ~np.isnan(numbers)
        quantiles = np.full(len(numbers), np.nan)
        ranks = pl.Series(numbers[there]).rank("average").to_numpy()
        quantiles[there] = (ranks - 0.5) / there.sum()
        return cls(name, group, numbers, quantiles)

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
