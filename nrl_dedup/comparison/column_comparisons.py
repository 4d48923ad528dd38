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
from nrl_dedup.comparison.similarities import NAN, Rows

_LATITUDE, _LONGITUDE = ("lat", "latitude"), ("lon", "lng", "long", "longitude")
_EARTH_KM = 6371.0
_PHONE = "phone"


def column_comparisons(columns: Mapping[str, pl.Series]) -> list[Comparison]:
    """A part for each column's values, one more where it is numeric on the whole, one for latitude with longitude.

    Of category, location, metro, phone and brand (`compared_columns.py`) a number is a name, and is not measured.

    :param columns: text (String) by row of the catalogue; null and blank are missing.
    """
    parts: list[Comparison] = []
    lowered = {name.lower(): name for name in columns}
    place = [
        next((lowered[x] for x in names if x in lowered), None) for names in (_LATITUDE, _LONGITUDE)
    ]
    latitude, longitude = (
        None if name is None else numbers_of(columns[name], thousands=False) for name in place
    )
    if latitude is not None and longitude is not None:
        parts.append(Place(OTHER, np.radians(latitude), np.radians(longitude)))
    else:
        place = []
    for name, texts in columns.items():
        if name in place:
            continue
        group = PRICE if "price" in name.lower() else OTHER
        values, numbers = read_values(name, texts)
        parts.append(ValueColumn.of(name, group, values))
        if numbers is not None:
            parts.append(NumberColumn.of(name, group, numbers))
    return parts


def read_values(name: str, texts: pl.Series) -> tuple[pl.Series, Float64[np.ndarray, "ads"] | None]:
    """What ads are compared by in a column: its values, each in one spelling; its numbers, where it is one of numbers.

    Phones are their digits, numbers are themselves (`written_numbers.py`), all else is text.
    """
    if name == _PHONE:
        return phones(texts), None
    found = None if name in CODE_COLUMNS else read_numbers(texts)
    return (found.texts, found.numbers) if isinstance(found, WrittenNumbers) else (texts, None)


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
        return cls(
            name,
            group,
            codes,
            np.log(max(there.sum(), 1) / np.maximum(counts, 1)).astype(np.float32),
        )

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left, right = self.codes[rows_l], self.codes[rows_r]
        both, same = (left >= 0) & (right >= 0), left == right
        missing = (left < 0).astype(np.float32) + (right < 0)
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
        quantiles[there] = (
            pl.Series(numbers[there]).rank("average").to_numpy() - 0.5
        ) / there.sum()
        return cls(name, group, numbers, quantiles)

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        left, right = self.numbers[rows_l], self.numbers[rows_r]
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

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        (a, b), (c, d) = ((x[rows_l], x[rows_r]) for x in (self.latitude, self.longitude))
        half = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin((c - d) / 2) ** 2
        kilometres = 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
        return {"distance": np.log1p(kilometres).astype(np.float32)}
