"""Reading CSV and Parquet files, and the catalogue made of them."""

import csv
import hashlib
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrl_dedup.catalogue import fingerprint as fingerprint_module
from nrl_dedup.catalogue.files import csv_records as records_module
from nrl_dedup.catalogue.files.csv_records import Dialect, Records, survey
from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import BadRow, Table
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.fingerprint import fingerprint
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.errors import NrlDedupError

AVITO_HEADER = (
    "itemID,categoryID,title,description,images_array,attrsJSON,price,locationID,metroID,lat,lon"
)
in_one_folder = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def write(folder: Path, content: str | bytes, name: str = "ads.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path, **columns: str) -> list[dict]:
    return read_catalogue(path, **columns).frame.to_dicts()


def in_good_order(path: Path) -> bool:
    with path.open("rb") as file:
        return survey(file, Dialect(",")) is not None


def any_columns(names: list[str]) -> dict[str, WantedColumn]:
    return {name: WantedColumn("--column", (), given=name) for name in names}


# --- the file as text -------------------------------------------------------------------------------------------

cells = st.text(st.sampled_from("аbЯ\",;\n\r \t'#ё🚲0"), max_size=6)


@in_one_folder
@given(
    width=st.integers(2, 4),
    data=st.data(),
    ending=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    chunk=st.sampled_from([1, 7, 1 << 22]),
)
def test_well_formed_csv_is_read_as_it_was_written(
    tmp_path, monkeypatch, width, data, ending, bom, chunk
):
    monkeypatch.setattr(records_module, "_CHUNK", chunk)
    table = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    header = [f"c{i}" for i in range(width)]
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
        returns = any(
            "\r" in cell for row in table for cell in row
        )  # older versions of csv do not quote them
        quoting = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        csv.writer(file, lineterminator=ending, quoting=quoting).writerows([header, *table])
    wanted = any_columns(data.draw(st.lists(st.sampled_from(header), min_size=1, unique=True)))
    positions = [header.index(column.given) for column in wanted.values()]
    expected_lines, line = [], 2
    for row in table:
        expected_lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)

    found = read_table(path, wanted)

    assert in_good_order(path)
    assert found.frame.drop("line").rows() == [tuple(row[i] for i in positions) for row in table]
    assert found.frame["line"].to_list() == expected_lines
    assert found.bad_count == 0


@in_one_folder
@given(text=st.text('a",\n\r', max_size=24), chunk=st.sampled_from([1, 5, 1 << 22]))
def test_the_fast_way_is_taken_only_where_it_finds_what_the_slow_way_finds(
    tmp_path, monkeypatch, text, chunk
):
    monkeypatch.setattr(records_module, "_CHUNK", chunk)
    path = write(tmp_path, "a,b,c\n" + text)
    if not in_good_order(path):
        return
    wanted = any_columns(["a", "c"])
    fast = read_table(path, wanted)
    with path.open("rb") as file:
        one_by_one = list(Records(file, Dialect(",")))[1:]

    assert all(reason == "" and len(fields) == 3 for _, fields, reason in one_by_one)
    assert fast.frame.rows() == [(fields[0], fields[2], line) for line, fields, _ in one_by_one]


@pytest.mark.parametrize(
    "row", ['5"a",b', '5"a,b",c', '"a" ,b', 'a,"b', 'a,b"', "a", "a,b,c", "", "a\rb,c", 'a,"b"\rc']
)
def test_what_is_not_in_good_order_does_not_pass_the_survey(tmp_path, row):
    assert not in_good_order(write(tmp_path, f"a,b\nc,d\n{row}\ne,f\n"))
    assert not in_good_order(write(tmp_path, f"a,b\nc,d\n{row}\n"))
    assert in_good_order(write(tmp_path, "a,b\nc,d\ne,f\n"))


@in_one_folder
@given(text=st.text('a",\n\r', max_size=24))
def test_any_text_below_the_header_is_read_or_listed(tmp_path, text):
    """Whatever stands in some rows, quotes that are never closed too, those in front and behind are read."""
    path = write(tmp_path, f"a,b\nfirst,1\n{text}\nlast,2\n")
    found = read_table(path, any_columns(["a", "b"]))
    read = found.frame.rows()
    assert read[0] == ("first", "1", 2)
    assert read[-1] == ("last", "2", 4 + text.count("\n"))
    assert len(found.bad_rows) == min(found.bad_count, 10)
    assert found.bad_count + len(read) <= 3 + text.count("\n") + text.count("\r")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,two", "2 fields where the header has 3"),
        ("2", "1 fields where the header has 3"),
        ("2,two,b.jpg,", "4 fields where the header has 3"),
        ('2,"two,b.jpg', "','"),  # the next quote closes the field, and text follows it
        ('2,"two"x,b.jpg', "','"),
    ],
)
def test_a_bad_row_costs_itself_alone(tmp_path, row, reason):
    path = write(
        tmp_path, f'id,title,photo\n1,"one\nline",a.jpg\n{row}\n3,"three",c.jpg\n4,four,d.jpg\n'
    )
    found = read_catalogue(path)
    assert found.ids.to_list() == ["1", "3", "4"]
    assert found.frame["title"].to_list() == ["one\nline", "three", "four"]
    assert found.bad_count == 1
    assert found.bad_rows[0].line == 4
    assert found.bad_rows[0].reason.startswith(reason)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(tmp_path):
    found = read_catalogue(write(tmp_path, 'id,title\n1,one\n2,"two\n3,three\n4,four\n'))
    assert found.ids.to_list() == ["1", "3", "4"]
    assert found.bad_rows == (BadRow(3, "a quote is opened and never closed"),)


def test_quotes_inside_an_unquoted_field_are_text(tmp_path):
    assert rows(write(tmp_path, 'id,title\n1,TV 32" "new"\n'))[0]["title"] == 'TV 32" "new"'


def test_ten_bad_rows_are_listed_and_all_are_counted(tmp_path):
    found = read_catalogue(
        write(tmp_path, "id,title\n" + "1,2,3\n" * 12 + ",no id\n\n5,good\n" + "x\n" * 3)
    )
    assert found.bad_count == 16
    assert [row.line for row in found.bad_rows] == list(range(2, 12))
    assert found.ids.to_list() == ["5"]


def test_bad_rows_of_both_kinds_are_listed_in_the_order_of_the_file(tmp_path):
    table = Table(pl.DataFrame({"x": ["", "a", ""], "line": [2, 4, 9]}), (BadRow(3, "ragged"),), 1)
    kept = table.without(pl.col("x") == "", "empty")
    assert kept.bad_rows == (BadRow(2, "empty"), BadRow(3, "ragged"), BadRow(9, "empty"))
    assert (kept.bad_count, kept.frame["line"].to_list()) == (3, [4])


def test_a_short_row_is_found_although_the_missing_column_is_not_read(tmp_path):
    path = write(tmp_path, "id,title,price\n1,one,10\n2,two\n3,three,30,\n4,four,\n")
    found = read_catalogue(path)
    assert found.ids.to_list() == ["1", "4"]
    assert [row.line for row in found.bad_rows] == [3, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (
            b"id,title\n1,caf\xe9\n",
            r"1 of its 1 rows: the byte at offset 14 \(0xe9\) is not UTF-8 \(line 2\).*cp1252",
        ),
        (b"\xef\xbb\xbfid,title\n1,\xff\n", r"offset 14 \(0xff\) is not UTF-8 \(line 2\)"),
        (
            b"id,title\n1,a\x00b\n",
            r"none of its 1 rows can be read; line 2: the byte at offset 12 is zero",
        ),
        (b"id,title\n1,cut \xd0", r"offset 15 \(0xd0\) is not UTF-8 \(line 2\)"),
        (
            "id,цена\n1,5\n".encode("cp1251"),
            r"names of the columns: .*offset 3 \(0xf6\).*--encoding cp1251",
        ),
        (b"PAR1 but no Parquet", "Parquet"),
        (b'"id,title\n1,one\n', "names of the columns"),
        (b"\n\n", "names of the columns"),
        (b"id,title\n1\n2\n", "none of its 2 rows can be read; line 2: 1 fields"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    with pytest.raises(NrlDedupError, match=message) as error:
        read_catalogue(write(tmp_path, content))
    assert str(tmp_path / "ads.csv") in str(error.value)


def test_a_bad_byte_is_found_behind_the_first_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module, "_CHUNK", 16)
    good = 'id,title\n1,"два\nслова"\n3,"два\nслова"\n'.encode()
    found = read_catalogue(write(tmp_path, good + b"2\xff,x\n4,y"))
    assert found.bad_rows == (BadRow(6, f"the byte at offset {len(good) + 1} (0xff) is not UTF-8"),)
    assert found.ids.to_list() == ["1", "3", "4"]


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(NrlDedupError, match=r"none\.csv: cannot be read \(No such file"):
        read_catalogue(tmp_path / "none.csv")
    with pytest.raises(NrlDedupError, match="this is a folder"):
        read_catalogue(tmp_path)


def test_a_header_alone_is_an_empty_catalogue(tmp_path):
    for content in (AVITO_HEADER, AVITO_HEADER + "\r\n"):
        found = read_catalogue(write(tmp_path, content))
        assert len(found) == found.bad_count == 0
        assert found.rows_of(pl.Series(["1"])).to_list() == [None]


def test_lone_carriage_returns_are_text_in_good_files_and_in_bad_ones(tmp_path):
    text = 'id,title\r\n1,a\rb\r\n2,"c\r",\r\n3,"d\r\n\re"\r\n'
    found = read_catalogue(write(tmp_path, text))
    assert found.frame["title"].to_list() == ["a\rb", "d\r\n\re"]
    assert [row.line for row in found.bad_rows] == [3]
    assert read_catalogue(write(tmp_path, text.replace('",', '"'))).frame["title"][1] == "c\r"


def test_lone_carriage_returns_end_lines_where_that_makes_rows_of_a_bad_one(tmp_path):
    found = read_catalogue(
        write(tmp_path, 'id,title\n1,a\r2,b\r4\r3,"c\nd"\n5,"e"f\r6,g\n7,h\ri\n')
    )
    assert found.frame.select("item_id", "title").rows() == [
        ("1", "a"), ("2", "b"), ("3", "c\nd"), ("6", "g"), ("7", "h\ri")
    ]  # fmt: skip
    assert [row.line for row in found.bad_rows] == [2, 4]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_that_of_the_header(tmp_path, separator):
    path = write(
        tmp_path, separator.join(["id", "title", "photo"]) + "\n" + separator.join("7xy") + "\n"
    )
    assert rows(path) == [{"item_id": "7", "title": "x", "description": "", "photos": ["y"]}]


def test_other_separators_in_a_header_with_commas_are_text(tmp_path):
    assert rows(write(tmp_path, "id,title,a;b\n7,x;y,\n"))[0]["title"] == "x;y"


# --- columns ----------------------------------------------------------------------------------------------------


def test_avitos_file(tmp_path):
    description = '"Новый ""BMX"",\nпочти даром"'
    path = write(
        tmp_path,
        f'{AVITO_HEADER}\n12,9,Велосипед,{description},"1064094, 5252822","{{""Вид"":""BMX""}}",50.0,1,,55.7,37.6\n'
        "3,9,,,,,,1,,55.7,37.6\n",
    )
    assert rows(path) == [
        {"item_id": "3", "title": "", "description": "", "photos": []},
        {
            "item_id": "12",
            "title": "Велосипед",
            "description": 'Новый "BMX",\nпочти даром',
            "photos": ["1064094", "5252822"],
        },
    ]


@pytest.mark.parametrize(
    "header",
    [
        "item_id,title,description,image",
        "ID,Name,Text,Photos",
        "sku,product-name,body,img",
        "Ad ID,Heading,desc,images_array",
        "listing_id,subject,text,picture",
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, header):
    expected = [{"item_id": "1", "title": "t", "description": "d", "photos": ["p"]}]
    assert rows(write(tmp_path, f"price,{header}\n9,1,t,d,p\n")) == expected


def test_the_first_of_the_usual_names_wins_and_the_first_of_equal_columns(tmp_path):
    path = write(tmp_path, "id,item_id,name,title,title,text\n1,2,n,first,second,d\n")
    assert rows(path) == [{"item_id": "2", "title": "first", "description": "d", "photos": []}]


def test_a_column_without_a_value_gives_way_to_the_next(tmp_path):
    path = write(tmp_path, "id,title,name,text,body\n1,,n,,\n2,,m,,\n")
    found = read_catalogue(path)
    assert found.frame["title"].to_list() == ["n", "m"] and found.taken["title"] == "name"
    assert found.taken["description"] == "text" and found.notes == ()


def test_named_columns_come_before_usual_names_and_are_not_taken_twice(tmp_path):
    path = write(tmp_path, "id,title,ref,Shots\n1,words,A,p\n")
    found = rows(path, id_column="ref", description_column="title", photo_column="Shots")
    assert found == [{"item_id": "A", "title": "", "description": "words", "photos": ["p"]}]


def test_columns_that_are_not_there(tmp_path):
    path = write(tmp_path, "number,colour\n1,red\n")
    with pytest.raises(
        NrlDedupError, match=r"item_id, id, .*Found the columns: number, colour\..*--id-column"
    ):
        read_catalogue(path)
    with pytest.raises(
        NrlDedupError, match=r"at least one of title.*Found the columns: number.*--title-column"
    ):
        read_catalogue(path, id_column="number")
    with pytest.raises(
        NrlDedupError, match=r"'Colour' \(--title-column\).*Found the columns: number, colour"
    ):
        read_catalogue(path, id_column="number", title_column="Colour")


def test_parquet_holds_numbers_lists_and_nulls(tmp_path):
    path = tmp_path / "ads.parquet"
    pl.DataFrame(
        {
            "item_id": [10, 9],
            "title": [None, "x"],
            "description": pl.Series(["d", "d"], dtype=pl.Categorical),
            "images": [[5, 4, 5], None],
        }
    ).write_parquet(path)
    assert rows(path) == [
        {"item_id": "9", "title": "x", "description": "d", "photos": []},
        {"item_id": "10", "title": "", "description": "d", "photos": ["5", "4"]},
    ]


def test_parquet_ids_that_are_floats_are_refused_and_null_ids_are_bad_rows(tmp_path):
    path = tmp_path / "ads.parquet"
    pl.DataFrame({"id": [1.0, 2.0], "title": ["a", "b"]}).write_parquet(path)
    with pytest.raises(NrlDedupError, match="holds Float64; ids must be text or whole numbers"):
        read_catalogue(path)
    pl.DataFrame({"id": ["a", None], "title": ["a", "b"]}).write_parquet(path)
    found = read_catalogue(path)
    assert (found.ids.to_list(), found.bad_rows) == (["a"], (BadRow(2, "its id is empty"),))


# --- ids, photos ------------------------------------------------------------------------------------------------


def of_ids(folder: Path, ids: list[str]) -> list[str]:
    path = folder / "ids.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "title"), *((i, "x") for i in ids)])
    return read_catalogue(path).ids.to_list()


@in_one_folder
@given(st.lists(st.text("0123456789", min_size=1, max_size=25), min_size=1, unique=True))
def test_whole_numbers_of_any_length_are_ordered_as_numbers(tmp_path, ids):
    assert of_ids(tmp_path, ids) == sorted(ids, key=lambda i: (int(i), i))


@in_one_folder
@given(st.lists(st.text("019 -.aяЖ٣²", min_size=1, max_size=4), min_size=1, unique=True))
def test_other_ids_are_ordered_as_text_and_kept_as_they_are(tmp_path, ids):
    assert of_ids(tmp_path, [*ids, "x"]) == sorted([*ids, "x"])


def test_ids_that_stand_twice(tmp_path):
    path = write(tmp_path, 'id,title\n7,"a\nb"\n8,c\n9,d\n8,e\n7,f\n7,g\n')
    with pytest.raises(
        NrlDedupError, match=r"'7' stands on lines 2 and 7; in all, 2 ids stand on 5 lines.*3 rows"
    ):
        read_catalogue(path)


@pytest.mark.parametrize(
    ("cell", "photos"),
    [
        ("1, 22,3", ["1", "22", "3"]),
        ("a b.jpg;c.jpg|d", ["a b.jpg", "c.jpg", "d"]),
        (" a.jpg , ,b.jpg,", ["a.jpg", "b.jpg"]),
        ("b,a,b", ["b", "a"]),
        ("dir/a.jpg", ["dir/a.jpg"]),
        ("", []),
        (" ; ", []),
        ('["a, b.jpg", "c\\/d.jpg", "\\u0444.jpg"]', ["a, b.jpg", "c/d.jpg", "ф.jpg"]),
        ("[]", []),
        ("[12, 13]", ["12", "13"]),
        ("['a.jpg', 'b.jpg']", ["a.jpg", "b.jpg"]),
        ('["\\ud800", "b"]', ["\\ud800", "b"]),  # no Unicode text, but no reason to stop either
        ("[1].jpg", ["[1].jpg"]),
    ],
)
def test_photo_cells(tmp_path, cell, photos):
    quoted = '"' + cell.replace('"', '""') + '"'
    other = '"[""json.jpg""]"'
    assert [
        row["photos"]
        for row in rows(write(tmp_path, f"id,photo\n1,{quoted}\n2,{other}\n3,plain\n"))
    ] == [
        photos,
        ["json.jpg"],
        ["plain"],
    ]


# --- the catalogue ----------------------------------------------------------------------------------------------


def test_rows_of_and_take(tmp_path):
    found = read_catalogue(write(tmp_path, "id,title\n10,a\n007,b\n9,c\n"))
    assert found.rows_of(pl.Series(["10", "x", "9", "7", "10", "007"])).to_list() == [
        2,
        None,
        1,
        None,
        2,
        0,
    ]
    part = found.take(np.array([2, 0, 2]))
    assert part.ids.to_list() == ["007", "10"]
    assert part.rows_of(found.ids).to_list() == [0, None, 1]


def digest_by_hand(frame: pl.DataFrame) -> str:
    """The definition in `fingerprint`'s docstring, one value after the other."""
    lists = frame["photos"].to_list()
    total = hashlib.sha256(b"".join(struct.pack("<q", len(photos)) for photos in lists)).digest()
    flat = [photo for photos in lists for photo in photos]
    for values in (*(frame[name].to_list() for name in ("item_id", "title", "description")), flat):
        encoded = [value.encode() for value in values]
        total += hashlib.sha256(
            b"".join(struct.pack("<q", len(value)) for value in encoded)
        ).digest()
        total += hashlib.sha256(b"".join(encoded)).digest()
    return hashlib.sha256(total).hexdigest()


@pytest.mark.parametrize("batch", [1, 2, 50_000])
def test_the_fingerprint_is_of_the_content(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(fingerprint_module, "CHUNK_ROWS", batch)
    text = "id,title,description,photo\n2,ab,c,\n10,ж,,x|y\n3,,,z\n"
    found = read_catalogue(write(tmp_path, text))
    assert fingerprint(found) == digest_by_hand(found.frame)

    again = write(
        tmp_path, "photo;price;name;text;sku\nz;1;;;3\nx,y;2;ж;;10\n;3;ab;c;2\n", "other.csv"
    )
    assert fingerprint(read_catalogue(again)) == fingerprint(found)
    for changed in (
        ("ab,c", "a,bc"),
        ("x|y", "xy"),
        ("x|y\n3,,,z", "x\n3,,,y|z"),
        ("3,,,z", "4,,,z"),
    ):
        other = read_catalogue(write(tmp_path, text.replace(*changed), "changed.csv"))
        assert fingerprint(other) != fingerprint(found)


def test_the_fingerprint_of_an_empty_catalogue(tmp_path):
    found = read_catalogue(write(tmp_path, "id,title\n"))
    assert fingerprint(found) == digest_by_hand(found.frame)


# --- further columns --------------------------------------------------------------------------------------------


def test_further_columns_stand_by_the_catalogues_rows(tmp_path):
    text = 'sku,colour,nr,title,size\n010,red,7,a,\n9,blue,8,b,L\n,none,9,c,S\n10,red,x\n11,"1\n2",10,d,M\n'
    path = write(tmp_path, text)
    by_number = read_catalogue(path, id_column="nr", by=["colour", "size", "nr", "title"])
    assert by_number.ids.to_list() == ["7", "8", "9", "10"]
    assert by_number.by.to_dict(as_series=False) == {
        "colour": ["red", "blue", "none", "1\n2"],
        "size": ["", "L", "S", "M"],
        "nr": ["7", "8", "9", "10"],
        "title": ["a", "b", "c", "d"],
    }
    by_sku = read_catalogue(path, by=["nr", "colour", "nr"])
    assert by_sku.ids.to_list() == ["9", "010", "11"]  # ids are joined as text: 010 is not 10
    assert by_sku.by["nr"].to_list() == ["8", "7", "10"]
    part = by_sku.take(np.array([1]))
    assert part.by["colour"].to_list() == ["red"]


def test_further_columns_of_parquet_are_text(tmp_path):
    frame = pl.DataFrame(
        {"id": [3, 1], "title": ["c", "a"], "price": [1.5, None], "tags": [["x", "y"], []]}
    )
    frame.write_parquet(tmp_path / "ads.parquet")
    found = read_catalogue(tmp_path / "ads.parquet", by=["price", "tags"]).by
    assert found.rows() == [("", ""), ("1.5", "x, y")]


def test_a_further_column_that_is_not_there(tmp_path):
    path = write(tmp_path, "id,title,colour\n1,a,red\n")
    with pytest.raises(
        NrlDedupError, match=r"no column 'Colour' \(--by\). Found the columns: id, title, colour."
    ):
        read_catalogue(path, by=["colour", "Colour"])


# --- columns to compare -----------------------------------------------------------------------------------------


def compared(path: Path, *names: str) -> dict[str, list[str]]:
    return read_catalogue(path, compare=names).further.to_dict(as_series=False)


def test_avitos_columns_to_compare(tmp_path):
    path = write(tmp_path, f'{AVITO_HEADER}\n12,9,a,b,,"{{}}",50.0,1,,55.7,37.6\n3,8,c,,,,,1,,,\n')
    assert compared(path) == {  # no metro: the column is empty
        "price": ["", "50.0"],
        "category": ["8", "9"],
        "location": ["1", "1"],
        "latitude": ["", "55.7"],
        "longitude": ["", "37.6"],
    }


def test_columns_to_compare_have_one_name_in_every_language(tmp_path):
    path = write(
        tmp_path, "id,title,ЦЕНА,Категория,Город,Номер телефона,Бренд\n1,a,5,вело,Тула,123,BMX\n"
    )
    found = {
        "price": ["5"],
        "category": ["вело"],
        "location": ["Тула"],
        "phone": ["123"],
        "brand": ["BMX"],
    }
    assert compared(path) == found
    assert (
        compared(
            write(
                tmp_path,
                "id,title,Price,product-type,CITY,tel,Manufacturer\n1,a,5,вело,Тула,123,BMX\n",
            )
        )
        == found
    )


def test_named_columns_are_compared_too_each_once(tmp_path):
    path = write(
        tmp_path, "id,title,price,item_id2,Цена,colour,empty\n1,a,5,x,5,red,\n2,b,6,y,6,blue,\n"
    )
    assert compared(path, "colour", "Цена", "empty", "id", "colour") == {
        "price": ["5", "6"],
        "colour": ["red", "blue"],
        "id": ["1", "2"],
    }
    with pytest.raises(NrlDedupError, match=r"no column 'size' \(--compare\)"):
        compared(path, "size")


def test_a_catalogue_need_have_nothing_to_compare(tmp_path):
    assert compared(write(tmp_path, "id,title\n1,a\n")) == {}


# --- cells that say nothing, and what the user is told ----------------------------------------------------------


def test_cells_that_say_nothing_are_empty_and_counted(tmp_path):
    cells = ["nan", "NULL", "None", "N/A", " - ", "#N/A", "<NA>", "NaT", "\\N", "—"]
    rows = "".join(f"{i},{cell},{cell},{cell},{cell}\n" for i, cell in enumerate(cells))
    path = write(
        tmp_path,
        f"id,title,description,photo,price\n{rows}nan,No nan,a - b,null.jpg,5\n-,x,x,x,6\n",
    )
    found = read_catalogue(path)
    said_nothing = found.frame.filter(pl.col("item_id").is_in(["nan", "-"]).not_())
    assert [row[1:] for row in said_nothing.rows()] == [("", "", [])] * len(cells)
    kept = found.frame.filter(pl.col("item_id") == "nan").rows()
    assert kept == [("nan", "No nan", "a - b", ["null.jpg"])]  # ids are never nothing
    assert found.further["price"].to_list().count("") == len(cells)
    assert found.nothing == 4 * len(cells)


def test_cells_of_lists_that_say_nothing(tmp_path):
    path = tmp_path / "ads.parquet"
    pl.DataFrame(
        {"id": [1], "images": [["a", "nan", None, "None"]], "price": [float("nan")]}
    ).write_parquet(path)
    found = read_catalogue(path)
    assert (
        found.frame["photos"].to_list() == [["a"]]
        and found.nothing == 2
        and found.further.is_empty()
    )


def test_a_line_says_which_columns_were_taken_for_what(tmp_path):
    path = write(tmp_path, "id,name,Цена,colour,amount,size\n1,a,5,red,,L\n")
    found = read_catalogue(path, compare=["size"])
    assert found.columns_taken() == (
        f'{path}: item_id <- "id", title <- "name", price <- "Цена", size <- "size"; not used: colour, amount'
    )
    wide = write(tmp_path, "id,name," + ",".join(f"c{i}" for i in range(33)) + "\n")
    assert read_catalogue(wide).columns_taken().endswith("c28, c29 and 3 more")


def test_a_price_that_is_no_number_is_told_of(tmp_path):
    path = write(tmp_path, "id,title,Цена,lat,lon\n1,a,5 kg,1,2\n2,b,XL,3,4\n3,c,договорная,5,6\n")
    found = read_catalogue(path)
    assert found.notes == (
        "\"Цена\" is not compared as numbers: 2 of its 2 values are none, the first '5 kg'.",
    )
    good = write(tmp_path, "id,title,price\n1,a,от 5 000 руб.\n2,b,договорная\n")
    assert read_catalogue(good).notes == ()
