"""Parquet: every type is read or refused by the column's name, and what a damaged file declares is not believed."""

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.catalogue.files.parquet_footer import check_parquet
from nrl_dedup.catalogue.files.table_rows import BadRow
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.errors import NrlDedupError


def write(folder: Path, **columns: pl.Series | list) -> Path:
    path = folder / "ads.parquet"
    first = next(iter(columns.values()))
    pl.DataFrame({"id": [str(i) for i in range(len(first))]} | columns).write_parquet(path)
    return path


TYPES = {
    "text": (pl.Series(["a", None]), ["a", ""]),
    "categories": (pl.Series(["a", None], dtype=pl.Categorical), ["a", ""]),
    "enumeration": (pl.Series(["a", None], dtype=pl.Enum(["a"])), ["a", ""]),
    "bytes": (pl.Series(["я".encode(), None]), ["я", ""]),
    "whole numbers": (pl.Series([7, None], dtype=pl.UInt8), ["7", ""]),
    "floats": (pl.Series([1.5, float("nan")]), ["1.5", ""]),
    "decimals": (pl.Series([Decimal("5.50"), None]), ["5.50", ""]),
    "booleans": (pl.Series([True, None]), ["true", ""]),
    "dates": (pl.Series([date(2024, 1, 2), None]), ["2024-01-02", ""]),
    "moments": (
        pl.Series([datetime(2024, 1, 2, 3, 4), None], dtype=pl.Datetime("ms")),
        ["2024-01-02 03:04:00.000", ""],
    ),
    "times": (pl.Series([time(3, 4), None]), ["03:04:00", ""]),
    "nothing": (pl.Series([None, None]), ["", ""]),
    "lists of text": (pl.Series([["a", None, "b"], None]), ["a{}b", ""]),
    "lists of bytes": (pl.Series([[b"a", b"b"], []]), ["a{}b", ""]),
    "lists of numbers": (pl.Series([[1, 2], []]), ["1{}2", ""]),
    "lists of floats": (pl.Series([[1.5, float("nan")], []]), ["1.5", ""]),
    "arrays": (pl.Series([["a", "b"], None], dtype=pl.Array(pl.String, 2)), ["a{}b", ""]),
}


@pytest.mark.parametrize("kind", TYPES)
def test_types_that_are_read(tmp_path, kind):
    values, texts = TYPES[kind]
    path = write(tmp_path, title=["x", "y"], description=values)
    found = read_catalogue(path, by=["description"])
    assert found.frame["description"].to_list() == [
        text.format("\n") for text in texts
    ]  # paragraphs
    assert found.by["description"].to_list() == [text.format(", ") for text in texts]


REFUSED = {
    "structs": pl.Series([{"a": 1}, {"a": 2}]),
    "lists of structs": pl.Series([[{"a": "x"}], []]),
    "lists of lists": pl.Series([[["x"]], []]),
    "durations": pl.Series([timedelta(1), None]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_types_that_are_refused_by_name(tmp_path, kind):
    values = REFUSED[kind]
    path = write(tmp_path, title=["x", "y"], description=values)
    with pytest.raises(NrlDedupError) as error:
        read_catalogue(path)
    assert f"the column description holds {values.dtype}" in str(error.value)
    assert "--description-column" in str(error.value)


def test_a_column_that_nobody_asked_for_is_left_aside_with_a_note(tmp_path):
    path = write(tmp_path, title=["x", "y"], price=REFUSED["structs"], city=["a", "b"])
    found = read_catalogue(path)
    assert found.further.columns == ["location"]
    assert found.notes == ("\"price\" holds Struct({'a': Int64}), which is not compared.",)
    with pytest.raises(NrlDedupError, match=r"the column price holds Struct.*--compare"):
        read_catalogue(path, compare=["price"])


def test_a_column_without_a_value_gives_way_to_the_next(tmp_path):
    path = write(tmp_path, title=pl.Series([None, None], dtype=pl.String), name=["x", "y"])
    assert read_catalogue(path).frame["title"].to_list() == ["x", "y"]


def test_ids(tmp_path):
    for ids in (
        pl.Series([7, 8]),
        pl.Series(["7", "8"], dtype=pl.Categorical),
        pl.Series([b"7", b"8"]),
    ):
        assert read_catalogue(write(tmp_path, id=ids, title=["a", "b"])).ids.to_list() == ["7", "8"]
    whole = pl.Series([Decimal(7), Decimal(8)], dtype=pl.Decimal(20, 0))
    assert read_catalogue(write(tmp_path, id=whole, title=["a", "b"])).ids.to_list() == ["7", "8"]
    for ids in (pl.Series([7.0, 8.0]), whole.cast(pl.Decimal(20, 2)), pl.Series([["7"], ["8"]])):
        with pytest.raises(
            NrlDedupError, match=r"the column id holds .*; ids must be text or whole numbers"
        ):
            read_catalogue(write(tmp_path, id=ids, title=["a", "b"]))


def test_bytes_that_are_no_text_cost_their_row(tmp_path):
    found = read_catalogue(
        write(tmp_path, title=pl.Series([b"a", b"\xff", None]), description=[["x"], ["y"], ["z"]])
    )
    assert found.ids.to_list() == ["0", "2"]
    assert found.bad_rows == (BadRow(2, "its title is no text in UTF-8"),)


def test_bytes_that_are_no_text_in_a_further_column_cost_their_cell(tmp_path):
    prices = pl.Series([b"5", b"\xff", b"6"])
    path = write(tmp_path, title=["x", "y", "z"], price=prices, city=["a", "b", "c"])
    found = read_catalogue(path, by=["price"])
    assert found.bad_count == 0
    assert found.further["price"].to_list() == ["5", None, "6"]
    assert found.further["location"].to_list() == ["a", "b", "c"]
    assert found.by["price"].to_list() == ["5", None, "6"]


def footer_at(data: bytes) -> int:
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


@pytest.mark.parametrize("compression", ["zstd", "snappy", "uncompressed"])
def test_damaged_files_are_refused_in_one_line(tmp_path, capfd, compression):
    path = write(
        tmp_path, title=[f"Диван {i}" for i in range(60)], images=[["a.jpg", None], []] * 30
    )
    pl.read_parquet(path).write_parquet(path, compression=compression)
    whole = path.read_bytes()
    refused = 0
    for seed in range(150):
        draw = random.Random(seed)
        data = bytearray(whole)
        for _ in range(draw.choice([1, 2, 8])):
            place = (
                draw.randrange(4, len(data))
                if draw.random() < 0.5
                else draw.randrange(footer_at(whole), len(data))
            )
            data[place] = draw.choice([0, 127, 128, 255, data[place] ^ (1 << draw.randrange(8))])
        path.write_bytes(data)
        try:
            read_catalogue(path)
        except NrlDedupError as error:
            refused += 1
            assert "\n" not in str(error) and str(path) in str(error)
    assert refused > 50
    assert capfd.readouterr() == ("", "")


def varint(value: int) -> bytes:
    value = value << 1  # zigzag
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def with_footer(path: Path, footer: bytes) -> Path:
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


@pytest.mark.parametrize(
    ("footer", "said"),
    [
        (b"\x1c" * 100, "nested too deeply"),
        (b"\x29" + b"\x19" * 100, "nested too deeply"),
        (b"\x29\xfc\xff\xff\xff\xff\x0f", "a list of 4,294,967,295 values does not fit"),
        (b"\x18\xff\xff\xff\xff\x0f", "ends too early"),
        (
            b"\x15\x02\x19\x1c\x48\x01a\x00\x16" + varint(1 << 40) + b"\x00",
            "other rows than it declares",
        ),
        (b"\x15\x02\x19\x1c\x55\x0a\x00\x00", "has 5 children"),
        (b"\x00", "has no schema"),
    ],
)
def test_what_a_footer_declares_is_checked(tmp_path, footer, said):
    with pytest.raises(NrlDedupError, match=said):
        check_parquet(with_footer(tmp_path / "ads.parquet", footer))


def test_a_schema_has_a_deepest_level(tmp_path):
    deep: object = "x"
    for _ in range(20):
        deep = [deep]
    path = write(tmp_path, title=["a"], description=pl.Series([deep]))
    with pytest.raises(NrlDedupError, match=r"its schema is more than 32 levels deep"):
        read_catalogue(path)


def test_files_in_good_order_pass(tmp_path):
    columns = {
        "title": ["x" * 100] * 5000,
        "images": [["a.jpg"], None] * 2500,
        "price": list(range(5000)),
    }
    path = write(tmp_path, **columns)
    for options in ({"row_group_size": 700}, {"data_page_size": 100}, {"compression": "snappy"}):
        pl.read_parquet(path).write_parquet(path, **options)
        check_parquet(path)
        assert len(read_catalogue(path)) == 5000
