"""What a table's file is: packed, in another encoding, separated by other signs, or no table at all."""

import bz2
import csv
import gzip
import io
import os
import random
import shutil
import socket
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from nrl_dedup.catalogue.files import csv_records as records_module
from nrl_dedup.catalogue.files import plain_text
from nrl_dedup.catalogue.files.table_rows import BadRow
from nrl_dedup.catalogue.files.text_encodings import likely_encoding
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.errors import NrlDedupError

TEXT = "id,title\n1,Диван серый\n2,Стол\n"
ROWS = {"1": "Диван серый", "2": "Стол"}


def write(folder: Path, content: str | bytes, name: str = "ads.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def titles(catalogue: Catalogue) -> dict[str, str]:
    return dict(zip(catalogue.ids, catalogue.frame["title"], strict=True))


# --- separators -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('id;title;"Цена, руб."\n1;Диван;5\n2;Стол, дуб;6\n', {"1": "Диван", "2": "Стол, дуб"}),
        ("id;title (до 50 знаков, без цены);name\n1;a;Диван\n", {"1": "Диван"}),
        ("id\ttitle\tname, first\n1\tДиван\tx\n", {"1": "Диван"}),
        ("id|title\n1|a,b;c\n", {"1": "a,b;c"}),
        ("id,title,a;b\n7,x;y,\n", {"7": "x;y"}),
        ("sep=;\r\nid;title\r\n1;x,y,z\r\n", {"1": "x,y,z"}),
        ('\ufeff"sep=\t"\nid\ttitle\n1\t"x\ny"\n2\tz\n', {"1": "x\ny", "2": "z"}),
        ("sep=^\nid^title\n1^x\n2\n", {"1": "x"}),
    ],
)
def test_the_separator_cuts_header_and_rows_alike(tmp_path, text, found):
    assert titles(read_catalogue(write(tmp_path, text))) == found


def test_a_missing_column_names_the_separator(tmp_path):
    with pytest.raises(
        NrlDedupError,
        match=r"Found the columns: nr, title\. They are separated by semicolons; .*sep=",
    ):
        read_catalogue(write(tmp_path, "nr;title\n1;x\n"))


def test_lines_are_counted_from_the_files_first(tmp_path):
    found = read_catalogue(write(tmp_path, "sep=;\nid;title\n1;a\n2\n"))
    assert found.bad_rows == (BadRow(4, "1 fields where the header has 2"),)


# --- the header -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "4,d,x,y\n"])
def test_a_header_in_the_middle_is_left_out(tmp_path, more):
    text = f"id,title,price\n2,a,1\nid,title,price\n10,b,2\n\ufeffid,title,price\n{more}"
    found = read_catalogue(write(tmp_path, text))
    assert found.ids.to_list() == ["2", "10"]  # ordered as numbers, for "id" is none of them
    assert found.bad_rows[:2] == (
        BadRow(3, "it repeats the header"),
        BadRow(5, "it repeats the header"),
    )


def test_an_ad_that_says_title_is_no_header(tmp_path):
    assert read_catalogue(write(tmp_path, "id,title,price\nid,title,5\n1,a,6\n")).ids.to_list() == [
        "1",
        "id",
    ]


@pytest.mark.parametrize(
    "text", ["id,title,Title\n1,,Диван\n2,,Стол\n3,x,\n", "id,title,title\n1,,Диван\n2,x\n"]
)
def test_of_two_columns_of_one_name_the_one_with_more_values_is_taken(tmp_path, text):
    found = read_catalogue(write(tmp_path, text))
    assert titles(found)["1"] == "Диван"
    (note,) = found.notes
    assert note.startswith('"title" stands 2 times: column 2 (') and note.endswith("; 3 is taken.")


# --- encodings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["cp1251", "koi8-r", "cp866", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_encodings_are_named_when_seen_and_read_when_named(tmp_path, encoding):
    path = write(tmp_path, TEXT.encode(encoding))
    with pytest.raises(NrlDedupError) as error:
        read_catalogue(path)
    assert f"--encoding {encoding}" in str(error.value)
    found = read_catalogue(path, encoding=encoding)
    assert titles(found) == ROWS


def test_the_guess_at_an_encoding():
    assert likely_encoding("Küche, schöne Stühle, für Gäste".encode("cp1252")) == "cp1252"
    assert likely_encoding("ソファとテーブル、新品".encode("shift_jis")) == "shift_jis"


def test_further_columns_are_read_in_the_same_encoding(tmp_path):
    path = write(tmp_path, "id,title,цена\n1,Диван,5\n".encode("cp1251"))
    found = read_catalogue(path, encoding="cp1251")
    assert found.further["price"].to_list() == ["5"] and found.taken["price"] == "цена"


def test_a_file_without_zero_bytes_is_not_in_utf_16(tmp_path):
    assert titles(read_catalogue(write(tmp_path, TEXT), encoding="utf-16")) == ROWS


@pytest.mark.parametrize("name", ["cp9999", "rot13", "hex", "a\0b", ""])
def test_encodings_that_are_none(tmp_path, name):
    with pytest.raises(NrlDedupError, match=r"--encoding .*no text encoding of this name"):
        read_catalogue(write(tmp_path, TEXT), encoding=name)


def test_encodings_that_cannot_decode(tmp_path):
    for name in ("idna", "undefined"):
        with pytest.raises(NrlDedupError, match="cannot be decoded"):
            read_catalogue(write(tmp_path, TEXT), encoding=name)


def test_rows_that_are_no_text_are_left_out(tmp_path):
    good = "".join(f"{i},стол\n" for i in range(10, 20)).encode()
    found = read_catalogue(write(tmp_path, b"id,title\n" + good + b"3,\x93x\x94\n4,a\0b\n5,ok\n"))
    assert found.bad_rows == (
        BadRow(12, f"the byte at offset {9 + len(good) + 2} (0x93) is not UTF-8"),
        BadRow(13, f"the byte at offset {9 + len(good) + 9} is zero"),
    )
    assert len(found) == 11 and "cp1252" in found.notes[0] and "--encoding" in found.notes[0]


def test_what_an_encoding_does_not_have_is_left_out_too(tmp_path):
    found = read_catalogue(write(tmp_path, b"id,title\n1,a\x98\xc4\n2,\xc4\n"), encoding="cp1251")
    assert titles(found) == {"2": "Д"}
    assert found.bad_rows == (BadRow(2, "it holds bytes that are no text in cp1251"),)


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_many_rows_that_are_not_utf_8_are_another_encoding(tmp_path, share):
    rows = [b"%d,caf\xe9" % i if i < share * 1000 else b"%d,cup" % i for i in range(1000)]
    with pytest.raises(NrlDedupError, match=r"of its 1,000 rows: .*line 2.*--encoding cp1252"):
        read_catalogue(write(tmp_path, b"id,title\n" + b"\n".join(rows)))
    if share < 0.5:  # one row shows that the file is UTF-8 otherwise
        found = read_catalogue(
            write(tmp_path, b"id,title\n" + b"\n".join(rows) + "\nx,café\n".encode())
        )
        assert found.bad_count == share * 1000


def test_old_mac_line_ends(tmp_path):
    assert titles(read_catalogue(write(tmp_path, TEXT.replace("\n", "\r")))) == ROWS
    assert (
        titles(
            read_catalogue(
                write(tmp_path, TEXT.replace("\n", "\r").encode("cp1251")), encoding="cp1251"
            )
        )
        == ROWS
    )


# --- packed -----------------------------------------------------------------------------------------------------


def test_gzip_and_bzip2_are_read(tmp_path):
    for name, pack in (("gz", gzip.compress), ("bz2", bz2.compress)):
        path = write(tmp_path, pack(TEXT.encode()), f"ads.csv.{name}")
        assert titles(read_catalogue(path)) == ROWS
        with pytest.raises(NrlDedupError, match="is damaged"):
            read_catalogue(write(tmp_path, path.read_bytes()[:-6]))
    assert (
        titles(
            read_catalogue(write(tmp_path, gzip.compress(TEXT.encode("cp1251"))), encoding="cp1251")
        )
        == ROWS
    )


@pytest.mark.skipif(not shutil.which("zstd"), reason="the program is not installed")
def test_zstd_is_read(tmp_path):
    packed = subprocess.run(
        ["zstd", "-c"], input=TEXT.encode(), capture_output=True, check=True
    ).stdout
    assert titles(read_catalogue(write(tmp_path, packed))) == ROWS
    with pytest.raises(NrlDedupError, match="this zstd file is damaged"):
        read_catalogue(write(tmp_path, packed[:-3]))


def test_what_cannot_be_unpacked_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(NrlDedupError, match=r"packed with zstd.*Unpack it first"):
        read_catalogue(write(tmp_path, b"\x28\xb5\x2f\xfd..."))
    with pytest.raises(NrlDedupError, match=r"packed with xz.*Unpack it first"):
        read_catalogue(write(tmp_path, b"\xfd7zXZ\x00..."))


def test_bombs_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "_MAX_UNPACKED", 1 << 20)
    with pytest.raises(NrlDedupError, match="unpacks to more than 1,048,576 bytes"):
        read_catalogue(write(tmp_path, gzip.compress(b"id,title\n" + bytes(4 << 20))))


# --- no tables --------------------------------------------------------------------------------------------------


def zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zip_of("xl/workbook.xml"), "an Excel file (.xlsx)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file (.xls)"),
        (zip_of("items.csv"), "a zip archive"),
        (b'{"id": 1, "title": "a"}\n{"id": 2}\n', "JSON lines"),
        (b'\xef\xbb\xbf[\n {"id": 1}]', "JSON"),
        (b'{\n "ads": []}', "JSON"),
        (b"%PDF-1.7", "a PDF"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture (PNG)"),
        (b"<!DOCTYPE html>", "HTML or XML"),
        (bytes(1000), "no text (100% of its first bytes are zero)"),
        (gzip.compress(b"PAR1...."), "a Parquet file packed with gzip"),
    ],
)
def test_other_files_are_called_by_their_names(tmp_path, content, said):
    with pytest.raises(NrlDedupError) as error:
        read_catalogue(write(tmp_path, content))
    assert f"this is {said}" in str(error.value) and "ads.csv" in str(error.value)


def test_pipes_sockets_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path, said in (
            (
                tmp_path / "pipe",
                "this is a named pipe.*save its content",
            ),
            (tmp_path / "socket", "this is a socket"),
            (Path("/dev/zero"), "this is a device"),
            (tmp_path, "this is a folder"),
        ):
            with pytest.raises(NrlDedupError, match=said):
                read_catalogue(path)


# --- sizes ------------------------------------------------------------------------------------------------------


def test_the_same_rows_come_out_of_a_file_in_good_order_and_of_another(tmp_path):
    text = "id,title\n1," + "x" * 280_000 + "\n2,b\n"
    for more in ("", "9\n"):
        found = read_catalogue(write(tmp_path, text + more))
        assert [len(title) for title in found.frame["title"]] == [280_000, 1]


@pytest.mark.parametrize("row", ["1,{}", '1,"{}"', '1,"{}', '1,"\n{}"'])
@pytest.mark.parametrize("more", ["", "9\n"])
def test_a_record_has_a_longest_length(tmp_path, monkeypatch, row, more):
    monkeypatch.setattr(records_module, "LONGEST", 1 << 20)
    path = write(tmp_path, f"id,title\n0,a\n{row.format('x' * (3 << 20))}\n2,b\n{more}")
    found = read_catalogue(path)
    assert found.ids.to_list() == ["0", "2"]
    assert found.bad_rows[0].line == 3 and "longer than 1 MiB" in found.bad_rows[0].reason


def test_a_file_without_a_line_feed_costs_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module, "LONGEST", 1 << 20)
    path = write(tmp_path, b"id,title," + b"x" * (40 << 20))
    tracemalloc.start()
    with pytest.raises(NrlDedupError, match=r"names of the columns.*longer than 1 MiB"):
        read_catalogue(path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def mutated(draw: random.Random) -> bytes:
    """A small table with a few bytes changed, taken out or put in."""
    file = io.StringIO()
    rows = [
        [str(i), draw.choice(["Диван", 'sofa "x"', "a,b;c"]), draw.choice(["5", "строка\nдва", ""])]
        for i in range(20)
    ]
    csv.writer(file, delimiter=draw.choice(",;\t|")).writerows([["id", "title", "text"], *rows])
    data = bytearray(file.getvalue().encode())
    for _ in range(draw.choice([1, 2, 8])):
        place = draw.randrange(30, len(data))
        change = draw.randrange(3)
        data[place : place + (change != 2)] = [
            b"",
            bytes([draw.randrange(256)]),
            draw.choice([b'"', b"\n", b"\0"]),
        ][change]
    return bytes(data)


def test_mutated_tables_are_read_or_refused_and_every_line_is_accounted_for(tmp_path):
    read = 0
    for seed in range(300):
        data = mutated(random.Random(seed))
        try:
            found = read_catalogue(write(tmp_path, data))
        except NrlDedupError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        assert 1 + len(found) + found.bad_count <= data.count(b"\n") + data.count(b"\r") + 1
        text = data.decode(errors="replace").replace("\r\n", "\n")
        if {"\0", "\r", "\ufffd"} & set(text):
            continue
        rows = [fields for fields in csv.reader(io.StringIO(text, newline="\n")) if fields]
        if rows[0] == ["id", "title", "text"]:
            lost = {row[0] for row in rows[1:] if len(row) == 3 and row[0]} - set(found.ids)
            assert len(lost) <= found.bad_count, seed
    assert read > 200
