"""Labelled pairs as rows of a catalogue."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrl_dedup.catalogue.files.table_rows import BadRow
from nrl_dedup.catalogue.labelled_pairs import read_pairs, require_both_classes
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.errors import NrlDedupError


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    path = tmp_path_factory.mktemp("catalogue") / "ads.csv"
    path.write_text("item_id,title\n" + "".join(f"{i},ad\n" for i in (30, 4, 100, 5, 20)))
    return read_catalogue(path)  # rows: 4, 5, 20, 30, 100


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header",
    [
        "itemID_1,itemID_2,isDuplicate",
        "item_id_l,item_id_r,is_duplicate",
        "id1,id2,label",
        "ltable_id,rtable_id,label",
        "left,right,match",
        "id_left,id_right,same",
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path, catalogue, header):
    found = read_pairs(
        write(tmp_path, f"{header},generationMethod\n5,4,1,3\n4,100,0,1\n"), catalogue
    )
    assert found.frame.rows() == [(0, 1, True), (0, 4, False)]


def test_a_line_says_which_columns_were_taken(tmp_path, catalogue):
    path = write(tmp_path, "id1,id2,label,label,by\n5,4,,1,x\n4,20,,0,y\n")
    found = read_pairs(path, catalogue)
    assert (
        found.columns_taken()
        == f'{path}: left <- "id1", right <- "id2", label <- "label"; not used: by'
    )
    assert found.notes == (
        '"label" stands 2 times: column 3 (0 values) and column 4 (2 values); 4 is taken.',
    )
    path.write_bytes("id1,id2,label\n5,4,1\n".encode("utf-16"))
    assert read_pairs(path, catalogue, encoding="utf-16").frame.rows() == [(0, 1, True)]


def test_named_columns(tmp_path, catalogue):
    path = write(tmp_path, "A,id1,B,id2,label,verdict\n5,x,4,y,z,YES\n")
    names = {"left_column": "A", "right_column": "B", "label_column": "verdict"}
    assert read_pairs(path, catalogue, **names).frame.rows() == [(0, 1, True)]
    with pytest.raises(
        NrlDedupError, match=r"'C' \(--right-column\)\. Found the columns: A, id1, B"
    ):
        read_pairs(path, catalogue, **names | {"right_column": "C"})
    with pytest.raises(
        NrlDedupError, match=r"wanted a column named one of is_duplicate, .*--label-column"
    ):
        read_pairs(write(tmp_path, "id1,id2\n4,5\n"), catalogue)


def test_parquet_with_numbers_and_booleans(tmp_path, catalogue):
    path = tmp_path / "pairs.parquet"
    frame = pl.DataFrame({"id1": [4, 5], "id2": [20, 4], "label": [True, False]})
    frame.write_parquet(path)
    assert read_pairs(path, catalogue).frame.rows() == [(0, 1, False), (0, 2, True)]
    frame.with_columns(pl.col("label").cast(pl.Float32)).write_parquet(path)
    assert read_pairs(path, catalogue).frame.rows() == [(0, 1, False), (0, 2, True)]


ids = st.sampled_from(["4", "5", "20", "30", "100", "04", "x", ""])
labels = st.sampled_from(["0", "1", "true", "FALSE", "Yes", "no", "1.0", "0.0"])


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.tuples(ids, ids, labels), max_size=12))
def test_every_row_is_a_pair_or_counted(tmp_path, catalogue, rows):
    path = write(
        tmp_path, "id1,id2,label\n" + "".join(f"{a},{b},{label}\n" for a, b, label in rows)
    )
    row_of = {"4": 0, "5": 1, "20": 2, "30": 3, "100": 4}
    verdicts: dict[tuple[int, int], Counter] = {}
    expected = Counter()
    unknown: dict[str, None] = {}
    for a, b, label in rows:
        if "" in (a, b):
            expected["bad"] += 1
        elif a not in row_of or b not in row_of:
            expected["unknown"] += 1
            unknown |= {i: None for i in (a, b) if i not in row_of}
        elif a == b:
            expected["self"] += 1
        else:
            key = tuple(sorted((row_of[a], row_of[b])))
            verdicts.setdefault(key, Counter())[label.lower() in ("1", "true", "yes", "1.0")] += 1
    agreed = {key: verdict for key, verdict in verdicts.items() if len(verdict) == 1}
    if not agreed:
        with pytest.raises(NrlDedupError, match=r"no pairs in it|not one pair is left|none of its"):
            read_pairs(path, catalogue)
        return

    found = read_pairs(path, catalogue)

    assert found.frame.rows() == [(*key, *verdict) for key, verdict in sorted(agreed.items())]
    assert (found.bad_count, found.dropped_unknown) == (expected["bad"], expected["unknown"])
    assert found.dropped_self == expected["self"]
    assert found.dropped_repeated == sum(verdict.total() - 1 for verdict in agreed.values())
    assert found.dropped_contradicting == sum(
        verdicts[key].total() for key in verdicts.keys() - agreed.keys()
    )
    assert found.unknown_ids == tuple(unknown)
    names = {row: name for name, row in row_of.items()}
    assert found.contradicting == tuple(
        (names[a], names[b]) for a, b in sorted(verdicts.keys() - agreed.keys())
    )


def test_bad_rows_are_listed_by_line(tmp_path, catalogue):
    found = read_pairs(write(tmp_path, "id1,id2,label\n4,5,1\n4,,1\n4,5\n5,20,0\n"), catalogue)
    assert found.bad_rows == (
        BadRow(3, "an id is empty"),
        BadRow(4, "2 fields where the header has 3"),
    )
    assert len(found) == 2


def test_ten_unknown_ids_are_listed_and_the_pairs_are_counted(tmp_path, catalogue):
    strange = "".join(f"u{i},v{i},0\n" for i in range(8))
    found = read_pairs(write(tmp_path, f"id1,id2,label\n4,u0,1\n{strange}4,5,1\n"), catalogue)
    assert found.unknown_ids == ("u0", "v0", "u1", "v1", "u2", "v2", "u3", "v3", "u4", "v4")
    assert (found.dropped_unknown, len(found)) == (9, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id1,id2,label\n4,5,1\n4,20,maybe\n4,30,\n",
            r"line 3: the label is 'maybe'; wanted 1 or 0.* 2 rows",
        ),
        ("id1,id2,label\n4,5,\n", r"line 2: the label is ''"),
        ("id1,id2,label\n", "there are no pairs in it"),
        (
            "id1,id2,label\n7,8,1\n7,4,0\n",
            r"2 of 2 pairs have ids .* not in the catalogue: 7, 8\. ",
        ),
        ("id1,id2,label\n4,4,1\n4,5,1\n5,4,0\n", "with itself, or labelled both ways"),
    ],
)
def test_pairs_that_cannot_be_used(tmp_path, catalogue, text, message):
    with pytest.raises(NrlDedupError, match=message) as error:
        read_pairs(write(tmp_path, text), catalogue)
    assert "pairs.csv" in str(error.value)


def test_one_class_only_can_be_read_but_not_trained_on(tmp_path, catalogue):
    for label, counts in (
        ("0", "2 pairs 0 are duplicates and 2"),
        ("1", "2 pairs 2 are duplicates and 0"),
    ):
        found = read_pairs(
            write(tmp_path, f"id1,id2,label\n4,5,{label}\n4,20,{label}\n"), catalogue
        )
        with pytest.raises(NrlDedupError, match=counts):
            require_both_classes(found)
    require_both_classes(read_pairs(write(tmp_path, "id1,id2,label\n4,5,1\n4,20,0\n"), catalogue))
