"""Numbers and phones as people write them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrl_dedup.catalogue.cells.phone_numbers import phones
from nrl_dedup.catalogue.cells.written_numbers import (
    NoNumbers,
    WrittenNumbers,
    numbers_of,
    read_numbers,
)
from nrl_dedup.comparison.column_comparisons import (
    NumberColumn,
    TableStatistics,
    ValueColumn,
    column_comparisons,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1,000,000", "999,500", "1,200", "700"], [1e6, 999500, 1200, 700]),
        (["12,345,678", "1,234,567"], [12345678, 1234567]),
        (["1.000.000", "999.500", "700"], [1e6, 999500, 700]),
        (["1'234'567", "12’345", "1_000"], [1234567, 12345, 1000]),
        (
            ["50 000", "50\xa0000", "1\u2009000\u2009000", "1\u202f200,50"],
            [50000, 50000, 1e6, 1200.5],
        ),
        (["1,00,000", "12,34,567.50"], [100000, 1234567.5]),
        (["0,125"], [0.125]),
        (["0,5", "0,500", ".5", ",25"], [0.5, 0.5, 0.5, 0.25]),
        (["50.000,00", "1.200,50", "700,00"], [50000, 1200.5, 700]),
        (["50,000.00", "1,200.50"], [50000, 1200.5]),
        (["1234,567", "1234.567"], [1234.567, 1234.567]),
        (["-5", "−5", "(5)", "+5"], [-5, -5, -5, 5]),
        (["1e5", "1.5E+06", "2e-1"], [1e5, 1.5e6, 0.2]),
        (["5 %", "12%"], [5, 12]),
        (["50 000 руб.", "1 200р.", "700 ₽", "от 5000 RUB", "900"], [50000, 1200, 700, 5000, 900]),
        (["100 грн/мес", "12 zł", "5 лв", "100 kr", "10 тг", "7 Kč"], [100, 12, 5, 100, 10, 7]),
        (["US$ 5", "$1,299.00", "CHF 1'200.-", "500,- €", "R$5"], [5, 1299, 1200, 500, 5]),
        (["from 5", "ab 700", "от 900", "ca. 20"], [5, 700, 900, 20]),
        (["500-700", "от 500 до 700 руб", "$500 – $700", "1 000..2 000"], [500, 500, 500, 1000]),
        (["700-500"], [500]),
        (["50 тыс", "1,5 млн руб.", "50k", "2.5 mio €"], [50000, 1.5e6, 50000, 2.5e6]),
        (
            ["500", "бесплатно", "договорная", "free", "VB", "Gratis", ""],
            [500, NAN, NAN, NAN, NAN, NAN, NAN],
        ),
        (["500", "600", "700", "позвоню сама"], [500, 600, 700, NAN]),
        (["007", "7"], [7, 7]),
    ],
)
def test_spellings(texts: list[str], numbers: list[float]) -> None:
    found = numbers_of(pl.Series(texts))
    assert found is not None
    np.testing.assert_allclose(found, numbers)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1,500"], [1500]),
        (["1,500", "0,5"], [1.5, 0.5]),
        (["1,500", "1200,50"], [1.5, 1200.5]),
        (["1,500", "0,5", "1,000,000"], [1500, 0.5, 1e6]),  # the comma means both here
        (["1,500", "2.50"], [1500, 2.5]),
        (["1,500", "1.200,50"], [1.5, 1200.5]),
        (["1.500"], [1.5]),
        (["1.500", "2.75"], [1.5, 2.75]),
        (["1.500", "1.000.000"], [1500, 1e6]),
        (["1.500", "0.5", "1.000.000"], [1.5, 0.5, 1e6]),
        (["1.500 €", "2.799"], [1500, 2799]),
        (["1.200", "950", "12.500", "2.999"], [1200, 950, 12500, 2999]),
        (["1.200", "950", "12.500", "3000"], [1.2, 950, 12.5, 3000]),
        (["55.751", "37.618", "9"], [55.751, 37.618, 9]),
    ],
)
def test_the_column_says_which_sign_is_which(texts: list[str], numbers: list[float]) -> None:
    found = numbers_of(pl.Series(texts))
    assert found is not None
    np.testing.assert_allclose(found, numbers)


def test_degrees_have_no_thousands() -> None:
    found = numbers_of(pl.Series(["55,755", "37.618"]), thousands=False)
    assert found is not None and found.tolist() == [55.755, 37.618]


@given(st.lists(st.integers(1000, 10**12), min_size=1), st.sampled_from([",", " ", "'", "\xa0"]))
def test_groups_of_three_of_any_length(numbers: list[int], sign: str) -> None:
    found = numbers_of(pl.Series([f"{number:,}".replace(",", sign) for number in numbers]))
    assert found is not None and found.tolist() == numbers


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["A100", "B200"], "A100"),
        (["RS200", "FT100"], "RS200"),
        (["XL", "S", "M", "42"], "XL"),
        (["2024-01-15", "2024-01-16"], "2024-01-15"),
        (["01.02.2024"], "01.02.2024"),
        (["5", "iPhone 5", "6"], "iPhone 5"),
        (["5 12", "1/2", "12:30", "10x20"], "5 12"),
        (["1 млн 200 тыс"], "1 млн 200 тыс"),
        (["8-900-111-22-33"], "8-900-111-22-33"),
        (["1e999", "inf", "nan"], "1e999"),
        (["5 " + "x" * 5000], "5 " + "x" * 5000),
    ],
)
def test_columns_of_text(texts: list[str], first: str) -> None:
    found = read_numbers(pl.Series(texts))
    assert isinstance(found, NoNumbers) and found.first == first and found.there == len(texts)


def test_a_tenth_may_be_no_numbers() -> None:
    good = [str(number) for number in range(18)]
    assert isinstance(read_numbers(pl.Series([*good, "4x4", "6x6"])), WrittenNumbers)
    found = read_numbers(pl.Series([*good, "4x4", "6x6", "4x4"]))
    assert found == NoNumbers(3, 21, "4x4")
    assert read_numbers(pl.Series(["договорная", ""])) == NoNumbers(0, 0, "")


def parts(name: str, *texts: str) -> tuple[dict[str, float], dict[str, float]]:
    """What the first two ads' values and numbers come to."""
    columns = {name: pl.Series(texts)}
    found = column_comparisons(TableStatistics.fit(columns), columns)
    rows = np.array([0]), np.array([1])
    values = next(part.compare(*rows) for part in found if isinstance(part, ValueColumn))
    numbers = next((part.compare(*rows) for part in found if isinstance(part, NumberColumn)), {})
    return {key: float(value[0]) for key, value in values.items()}, {
        key: float(v[0]) for key, v in numbers.items()
    }


@pytest.mark.parametrize("other", ["1 000 000", "1,000,000", "1000000.00", "1e6", "1 млн руб."])
def test_a_number_is_the_same_in_every_spelling(other: str) -> None:
    values, numbers = parts("price", "1000000", other, "5", "6")
    assert values["price_same"] == 1 and numbers["price_relative"] == 0
    assert values["price_rarity"] == pytest.approx(np.log(4 / 2))


def test_ranges_and_codes_are_the_same_only_as_they_are_written() -> None:
    assert parts("price", "500-700", "500-900", "5")[0]["price_same"] == 0
    assert parts("price", "007", "7", "5")[0]["price_same"] == 0


def test_words_for_no_price_are_no_value() -> None:
    values, numbers = parts("price", "договорная", "договорная", "5", "6")
    assert (
        values["price_missing"] == 2
        and np.isnan(values["price_same"])
        and np.isnan(numbers["price_relative"])
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+7 (900) 111-22-33", "8 900 111 22 33", True),
        ("9001112233", "+79001112233", True),
        ("тел. 8(900)1112233", "79001112233", True),
        ("0049 30 1234567", "+49 30 123 45 67", True),
        ("89001112233, 84951234567", "+7 495 123-45-67; +7 900 111-22-33", True),
        ("89001112233", "89001112234", False),
        ("a1b2c3d4", "a1b2c3d5", False),
        ("скрыт", "Скрыт ", True),
    ],
)
def test_phones_are_compared_by_their_digits(one: str, other: str, same: bool) -> None:
    assert parts("phone", one, other)[0]["phone_same"] == same


def test_phones_one_by_one() -> None:
    found = phones(pl.Series(["8 (900) 111-22-33", "1-23", None, "ask"]))
    assert found.to_list() == ["79001112233", "1-23", "", "ask"]
