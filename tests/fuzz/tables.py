"""Mutated catalogues and pairs files against `read_catalogue` and `read_pairs`: `python -m tests.fuzz.tables`."""

import os
from functools import cache
from pathlib import Path

os.environ.setdefault(
    "POLARS_MAX_THREADS", "1"
)  # before polars is imported; its threads begin in each child

from nrl_dedup.catalogue.labelled_pairs import LabelledPairs, read_pairs
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.errors import NrlDedupError
from tests.fuzz.csv_oracle import compare_catalogue, compare_pairs, csv_rows
from tests.fuzz.judging import Fuzzer, command_line
from tests.fuzz.table_mutants import ADS, CATALOGUE, PAIRS, make_table

_PARQUET = b"PAR1"


def judge_table(folder: Path) -> str:
    """Read the table and compare it with what the csv module finds."""
    pairs = folder / PAIRS
    if pairs.exists():
        return _judge_pairs(pairs, read_pairs(pairs, _ads(folder)), folder)
    path = folder / CATALOGUE
    catalogue = read_catalogue(path)
    said = f"{len(catalogue)} ads, {catalogue.bad_count} bad"
    data = path.read_bytes()
    rows = None if data.startswith(_PARQUET) else csv_rows(data, ("id",))
    if rows is not None:
        titles, descriptions = catalogue.frame["title"], catalogue.frame["description"]
        texts = dict(zip(catalogue.ids, zip(titles, descriptions, strict=True), strict=True))
        said += "; csv: " + compare_catalogue(rows, texts, catalogue.bad_count)
    return said


def _judge_pairs(path: Path, pairs: LabelledPairs, folder: Path) -> str:
    said = f"{len(pairs)} pairs, {pairs.bad_count} bad"
    data = path.read_bytes()
    rows = None if data.startswith(_PARQUET) else csv_rows(data, ("left", "right", "label"))
    if rows is not None:
        ids = _ads(folder).ids
        frame = pairs.frame
        read = {
            (*sorted((ids[left], ids[right])), label)
            for left, right, label in frame.select("row_l", "row_r", "is_duplicate").iter_rows()
        }
        left_out = (
            pairs.dropped_unknown
            + pairs.dropped_self
            + pairs.dropped_repeated
            + pairs.dropped_contradicting
        )
        said += "; csv: " + compare_pairs(rows, read, left_out, pairs.bad_count, frozenset(ids))
    return said


@cache
def _ads_of_this_process(parent: Path) -> Catalogue:
    path = parent / "ads.csv"
    path.write_text(
        "id,title\n" + "".join(f"{number},ad {number}\n" for number in range(1, ADS + 1)), "utf-8"
    )
    return read_catalogue(path)


def _ads(folder: Path) -> Catalogue:
    """The catalogue that the pairs are of."""
    return _ads_of_this_process(folder.parent)


TABLES = Fuzzer("tables", make_table, judge_table, (NrlDedupError,))

if __name__ == "__main__":
    command_line(TABLES, 20_000)
