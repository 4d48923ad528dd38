"""Ads of several sources: two files, or a column; which ad an id means; and one catalogue in several files."""

from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.catalogue import source_names
from nrl_dedup.catalogue.fingerprint import fingerprint
from nrl_dedup.catalogue.labelled_pairs import LabelledPairs, read_pairs
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.catalogue.source_names import names_of_files, sources_in_words
from nrl_dedup.catalogue.two_catalogues import joined
from nrl_dedup.errors import NrlDedupError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, text: str, **options: object) -> Catalogue:
    return read_catalogue(write(path, text), **options)


LEFT = "id,title,description,price,colour\n2,стол,дубовый,100,red\n10,стул,,,\n"
RIGHT = "sku,name,price,brand\n10,Стул,90,ikea\n2,Стол,110,\n1,лампа,5,x\n"


@pytest.fixture
def two(tmp_path: Path) -> Catalogue:
    left = read(tmp_path / "left.csv", LEFT, may_lack=True)
    return joined(left, read(tmp_path / "right.csv", RIGHT, may_lack=True))


def test_two_files_are_one_catalogue_by_id_and_source(two: Catalogue, tmp_path: Path) -> None:
    assert two.source is not None and two.source_names == ("left", "right")
    ads = list(zip(two.ids, two.source, two.frame["title"], strict=True))
    assert ads == [
        ("1", "right", "лампа"),
        ("2", "left", "стол"),
        ("2", "right", "Стол"),
        ("10", "left", "стул"),
        ("10", "right", "Стул"),
    ]
    assert two.further.to_dict(as_series=False) == {"price": ["5", "100", "110", "", "90"]}
    assert two.frame["description"].to_list() == ["", "дубовый", "", "", ""]
    assert two.notes == (
        f"Only {tmp_path / 'left.csv'} has a description.",
        f"Only {tmp_path / 'right.csv'} has the column brand, so ads are not compared by it.",
    )
    assert sources_in_words(two.source, two.source_names) == (
        "2 sources: left (2 ads), right (3 ads). Only ads of different sources are linked."
    )
    assert two.source_numbers().tolist() == [1, 0, 1, 0, 1]
    assert two.names_of(pl.Series([0, 1, 2])).to_list() == ["1", "left/2", "right/2"]
    part = two.take(two.rows_of(pl.Series(["1"])).to_numpy())
    assert (part.source.to_list(), part.source_names) == (["right"], ("left", "right"))


def test_the_order_of_the_files_changes_no_row(two: Catalogue, tmp_path: Path) -> None:
    files = [read_catalogue(tmp_path / name, may_lack=True) for name in ("right.csv", "left.csv")]
    swapped = joined(*files)
    assert swapped.frame.equals(two.frame) and swapped.source.equals(two.source)
    assert fingerprint(swapped) == fingerprint(two)
    assert swapped.source_names == ("right", "left")


def test_a_column_that_the_user_named_may_be_in_one_of_two_files(tmp_path: Path) -> None:
    for name, text in (("left.csv", LEFT), ("right.csv", RIGHT)):
        write(tmp_path / name, text)
    files = [
        read_catalogue(
            tmp_path / name, title_column="colour", compare=["brand"], by=["brand"], may_lack=True
        )
        for name in ("left.csv", "right.csv")
    ]
    found = joined(*files, {"--title-column": "colour", "--compare": "brand"})
    assert found.frame["title"].to_list() == ["лампа", "red", "Стол", "", "Стул"]
    assert found.by["brand"].to_list() == ["x", "", "", "", "ikea"]
    assert found.compared == ()
    with pytest.raises(NrlDedupError, match=r"neither .* has a column 'size' \(--title-column\)"):
        joined(*files, {"--title-column": "size"})


def test_sources_are_called_by_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "ads.csv", tmp_path / "b" / "ads.csv", tmp_path / "a" / "ads.parquet"]
    for path in paths:
        write(path, LEFT)
    assert names_of_files(paths[0], tmp_path / "other.csv") == ("ads", "other")
    assert names_of_files(paths[0], paths[1]) == ("a/ads", "b/ads")
    assert names_of_files(paths[0], paths[2]) == ("ads 1", "ads 2")
    again = tmp_path / "link.csv"
    again.symlink_to(paths[0])
    for same in (paths[0], again):
        with pytest.raises(NrlDedupError, match="is named twice"):
            names_of_files(paths[0], same)


# ---- a column

SHOPS = "id,title,source,price\n1,a,x,5\n1,b,y,6\n2,c,x,\n3,d,,7\n4,e,z,8\n"


def test_a_column_names_the_sources(tmp_path: Path) -> None:
    found = read(tmp_path / "ads.csv", SHOPS, source="source")
    assert found.source.to_list() == ["x", "y", "x", "z"] and found.source_names == ("x", "y", "z")
    assert found.ids.to_list() == ["1", "1", "2", "4"]
    assert [(row.line, row.reason) for row in found.bad_rows] == [(5, "its source is empty")]
    assert found.taken["source"] == "source" and found.further.columns == ["price"]


def test_ads_are_not_compared_by_the_column_of_their_source(tmp_path: Path) -> None:
    path = write(tmp_path / "ads.csv", "id,title,brand,size\n1,a,x,1\n2,b,y,2\n")
    assert read_catalogue(path, compare=["size"]).further.columns == ["brand", "size"]
    assert read_catalogue(path, compare=["size"], source="brand").further.columns == ["size"]
    assert read_catalogue(path, compare=["size"], source="size").further.columns == ["brand"]


def test_a_column_called_source_is_nothing_without_the_option(tmp_path: Path) -> None:
    text = SHOPS.replace("1,b,y,6\n", "")
    found = read(tmp_path / "ads.csv", text)
    assert found.source is None and found.source_numbers() is None and len(found) == 4
    assert "source" not in found.taken and found.further.columns == ["price"]
    plain = read(tmp_path / "plain.csv", text.replace("source", "seen"))
    assert fingerprint(found) == fingerprint(plain)


def test_an_id_twice_in_one_source_is_refused(tmp_path: Path) -> None:
    text = "id,title,shop\n1,a,x\n2,b,y\n1,c,y\n1,d,x\n"
    with pytest.raises(NrlDedupError, match="'1' stands on lines 2 and 5; in all, 1 ids"):
        read(tmp_path / "ads.csv", text, source="shop")


def test_one_source_and_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{n},ad {n},shop {n},one\n" for n in range(100))
    path = write(tmp_path / "ads.csv", f"id,title,shop,kind\n{rows}")
    found = read_catalogue(path, source="shop")
    assert len(found.source_names) == 100
    assert "shop 0 (1 ads)" in sources_in_words(found.source, found.source_names)
    assert "and 90 more" in sources_in_words(found.source, found.source_names)
    with pytest.raises(NrlDedupError, match=r"all 100 ads have the source 'one' \(--source kind\)"):
        read_catalogue(path, source="kind")
    monkeypatch.setattr(source_names, "MAX_SOURCES", 99)
    with pytest.raises(NrlDedupError, match="names 100 sources for 100 ads; wanted at most 99"):
        read_catalogue(path, source="shop")
    with pytest.raises(NrlDedupError, match=r"no column 'market' \(--source\)"):
        read_catalogue(path, source="market")


# ---- labelled pairs


def pairs(folder: Path, catalogue: Catalogue, text: str, **options: str) -> LabelledPairs:
    return read_pairs(write(folder / "pairs.csv", text), catalogue, **options)


def test_the_first_id_of_a_pair_is_of_the_first_file(two: Catalogue, tmp_path: Path) -> None:
    """Rows: 1 right, 2 left, 2 right, 10 left, 10 right. An id that one source has is that ad on either side."""
    found = pairs(tmp_path, two, "l,r,label\n2,2,1\n10,2,0\n10,10,1\n1,2,0\n10,1,0\n")
    assert found.frame.rows() == [(0, 3, False), (1, 2, True), (2, 3, False), (3, 4, True)]
    assert found.dropped_one_source == 1  # 1 and 2 are both of the right file


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("l,r,label\n2,10,1\n", {"source_l": "right", "source_r": "left"}),
        ("l,r,label,source_l,source_r\n2,10,1,right,left\n", {}),
        ("l,r,label,of,source_r\n2,10,1,right,left\n", {"source_l": "of"}),
        ("l,r,label\n10,2,1\n", {}),
    ],
)
def test_the_sources_of_a_pair_can_be_said(
    two: Catalogue, tmp_path: Path, text: str, options: dict[str, str]
) -> None:
    assert pairs(tmp_path, two, text, **options).frame.rows() == [(2, 3, True)]


def test_pairs_of_unknown_or_equal_sources_are_left_out(two: Catalogue, tmp_path: Path) -> None:
    text = "l,r,label,source_l,source_r\n2,2,1,left,right\n2,10,1,left,left\n2,2,0,left,nowhere\n"
    found = pairs(tmp_path, two, text)
    assert (len(found), found.dropped_one_source, found.dropped_unknown) == (1, 1, 1)
    with pytest.raises(NrlDedupError, match="1 of 1 pairs are of two ads of one source"):
        pairs(tmp_path, two, "l,r,label,source_l,source_r\n2,10,1,left,left\n")
    with pytest.raises(NrlDedupError, match=r"no column 'shop' \(--source-l\)"):
        pairs(tmp_path, two, "l,r,label\n2,2,1\n", source_l="shop")


def test_an_id_in_several_of_three_sources_must_be_said(tmp_path: Path) -> None:
    catalogue = read(tmp_path / "ads.csv", SHOPS, source="source")  # 1 x, 1 y, 2 x, 4 z
    assert pairs(tmp_path, catalogue, "l,r,label\n4,2,1\n").frame.rows() == [(2, 3, True)]
    with pytest.raises(NrlDedupError, match="the id 1 is in several of the 3 sources"):
        pairs(tmp_path, catalogue, "l,r,label\n1,4,1\n")
    found = pairs(tmp_path, catalogue, "l,r,label\n1,4,1\n", source_l="y")
    assert found.frame.rows() == [(1, 3, True)]


def test_sources_of_pairs_want_sources_of_ads(tmp_path: Path) -> None:
    catalogue = read(tmp_path / "ads.csv", "id,title\n1,a\n2,b\n")
    with pytest.raises(NrlDedupError, match="--source-l and --source-r are about ads of different"):
        pairs(tmp_path, catalogue, "l,r,label\n1,2,1\n", source_r="x")


# ---- a catalogue in several files


def test_a_pattern_is_one_catalogue(tmp_path: Path) -> None:
    write(tmp_path / "parts" / "b.csv", "id,title,price\n3,c,5\n,x,1\n")
    write(tmp_path / "parts" / "a.csv", "id,title,images\n1,a,1.jpg\n2,b,\n")
    found = read_catalogue(tmp_path / "parts" / "*.csv")
    assert found.source is None
    assert found.frame.rows() == [("1", "a", "", ["1.jpg"]), ("2", "b", "", []), ("3", "c", "", [])]
    assert found.further["price"].to_list() == ["", "", "5"]
    assert (found.bad_count, found.bad_rows[0].line) == (1, 3)
    assert found.bad_rows[0].reason == "its id is empty"
    write(tmp_path / "parts" / "c.csv", "id,title\n3,d\n")
    with pytest.raises(NrlDedupError, match="item ids must be unique, but '3'"):
        read_catalogue(tmp_path / "parts" / "*.csv")
    with pytest.raises(NrlDedupError, match="No such file"):
        read_catalogue(tmp_path / "parts" / "*.parquet")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    write(tmp_path / "[1].csv", "id,title\n7,a\n")
    write(tmp_path / "1.csv", "id,title\n8,b\n")
    assert read_catalogue(tmp_path / "[1].csv").ids.to_list() == ["7"]
