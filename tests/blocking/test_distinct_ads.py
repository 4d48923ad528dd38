"""An ad by its row in the catalogue and by its number among the distinct ads, against plain dictionaries."""

from itertools import product

import numpy as np
import polars as pl
import pytest

from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.blocking.exact_duplicates import Groups
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.tables import CANDIDATE_PAIRS, SCORED_PAIRS, catalogue_ends, distinct_ends

# Of seven rows: 3 and 6 are copies of 1, 4 is one of 0; 2 and 5 have neither a text nor a photo.
NUMBER_OF = {0: 0, 1: 1, 3: 1, 4: 0, 6: 1}
LEFT_OUT = (2, 5)


def made_ads() -> DistinctAds:
    copies = Groups(np.array([0, 1, 2, 5]), np.array([0, 1, 2, 1, 0, 3, 1]))
    is_usable = np.array([True, True, False, True, True, False, True])
    return DistinctAds.of(copies, is_usable)


def test_copies_have_the_number_of_the_ad_that_represents_them() -> None:
    ads = made_ads()
    assert len(ads) == 2
    assert ads.catalogue_size == 7
    assert ads.rows.tolist() == [0, 1]
    assert ads.has(np.arange(7)).tolist() == [row in NUMBER_OF for row in range(7)]
    rows = np.array(list(NUMBER_OF))
    assert ads.of_rows(rows).tolist() == list(NUMBER_OF.values())
    assert ads.to_rows(np.array([1, 0, 1])).tolist() == [1, 0, 1]
    values = np.array([2.5, 3.5])
    spread = ads.spread(values, -30.0)
    assert spread.tolist() == [
        values[NUMBER_OF[row]] if row in NUMBER_OF else -30.0 for row in range(7)
    ]


@pytest.mark.parametrize("row", [*LEFT_OUT, -1, -7, 7])
def test_rows_without_a_distinct_ad_are_refused(row: int) -> None:
    with pytest.raises(IndexError):
        made_ads().of_rows(np.array([0, row, 1]))


@pytest.mark.parametrize("row", [-1, -7, 7])
def test_rows_that_the_catalogue_lacks_are_refused(row: int) -> None:
    ads = made_ads()
    with pytest.raises(IndexError):
        ads.has(np.array([row]))
    with pytest.raises(IndexError):
        ads.pairs(np.array([0]), np.array([row]))


@pytest.mark.parametrize("number", [-1, 2])
def test_numbers_that_no_ad_has_are_refused(number: int) -> None:
    with pytest.raises(IndexError):
        made_ads().to_rows(np.array([0, number]))


def test_of_pairs_of_rows_those_are_taken_whose_two_ads_are_there() -> None:
    every = list(product(range(7), repeat=2))
    row_l, row_r = np.array(every).T
    pairs = made_ads().pairs(row_l, row_r)
    is_there = [left in NUMBER_OF and right in NUMBER_OF for left, right in every]
    assert pairs.is_there.tolist() == is_there
    wanted = [
        (NUMBER_OF[left], NUMBER_OF[right])
        for (left, right), there in zip(every, is_there, strict=True)
        if there
    ]
    assert list(zip(pairs.distinct_l.tolist(), pairs.distinct_r.tolist(), strict=True)) == wanted
    same = pairs.spread(pairs.distinct_l == pairs.distinct_r)
    assert same.tolist() == [
        there and NUMBER_OF[left] == NUMBER_OF[right]
        for (left, right), there in zip(every, is_there, strict=True)
    ]


def test_a_table_of_distinct_ads_becomes_one_of_rows() -> None:
    ads = DistinctAds(np.array([2, 5, 6]), np.array([0, 0, 0, 0, 0, 1, 2]))
    schema = {**CANDIDATE_PAIRS, "score": pl.Float32}
    scored = pl.DataFrame([(0, 2, 0.5), (1, 2, 0.25)], schema=schema, orient="row")
    found = ads.table_of_rows(scored)
    assert found.schema == pl.Schema(SCORED_PAIRS)
    assert found.rows() == [(2, 6, 0.5), (5, 6, 0.25)]


def test_a_table_of_the_other_numbering_is_refused() -> None:
    of_rows = pl.DataFrame([(0, 1, 0.5)], schema=SCORED_PAIRS, orient="row")
    of_distinct = pl.DataFrame([(0, 1)], schema=CANDIDATE_PAIRS, orient="row")
    with pytest.raises(NrlDedupError, match="distinct_l and distinct_r; found row_l, row_r, score"):
        distinct_ends(of_rows)
    with pytest.raises(NrlDedupError, match="row_l and row_r; found distinct_l, distinct_r"):
        catalogue_ends(of_distinct)
    with pytest.raises(NrlDedupError, match="distinct_l and distinct_r"):
        made_ads().table_of_rows(of_rows)
