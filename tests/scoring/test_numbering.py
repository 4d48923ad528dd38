"""Whoever scores pairs refuses a table in the other numbering of ads."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from nrl_dedup.blocking.block import BlockingResult, PairIndex
from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.clustering import DEFAULT, clustering_method, find_clusters
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.explanation.contributions import find_competitor
from nrl_dedup.pipeline import reasons_of, score_copies, score_pairs
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.tables import CANDIDATE_PAIRS, IDENTICAL_PAIRS, SCORED_PAIRS
from nrl_dedup.training.ad_selection import ads_of_pairs

OF_ROWS = pl.DataFrame([(1, 3, 0.5)], schema=SCORED_PAIRS, orient="row")
OF_DISTINCT = pl.DataFrame([(0, 1)], schema=CANDIDATE_PAIRS, orient="row")
IDENTICAL = pl.DataFrame([(1, 2)], schema=IDENTICAL_PAIRS, orient="row")
# Rows 1 and 3 are distinct ads, row 2 is a copy of 1, and row 0 is left out.
ADS = DistinctAds(np.array([1, 3]), np.array([-1, 0, 0, 1]))


class SumScorer:
    """Of each pair, the sum of its numbers."""

    name: ClassVar[str] = "sum"

    def logits(
        self, left: np.ndarray, right: np.ndarray, progress: Progress = SILENT
    ) -> np.ndarray:
        return (left + right).astype(np.float64)

    def contributions(self, left: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
        return {"sum": self.logits(left, right)}


def blocked(identical: pl.DataFrame = IDENTICAL) -> BlockingResult:
    nothing = np.zeros((2, 4), np.float32)
    candidates = Candidates(OF_DISTINCT, (), ())
    return BlockingResult(ADS, nothing, nothing, candidates, candidates, identical)


def test_pairs_are_scored_by_the_numbers_of_their_distinct_ads() -> None:
    scorer = SumScorer()
    scored = ADS.table_of_rows(score_pairs(scorer, OF_DISTINCT))
    assert scored.select("row_l", "row_r").rows() == [(1, 3)]
    assert scored["score"].to_list() == pytest.approx([1 / (1 + np.exp(-1))])
    assert score_copies(scorer, blocked())["score"].to_list() == pytest.approx([0.5])
    assert reasons_of(scorer, blocked(), OF_ROWS)["sum"].to_list() == [1]


@pytest.mark.parametrize(
    "use",
    [
        lambda: score_pairs(SumScorer(), OF_ROWS),
        lambda: PairIndex(OF_ROWS, 4).places(np.array([0]), np.array([1])),
        lambda: Candidates(OF_ROWS, (), ()).per_ad(4),
        lambda: find_competitor(SumScorer(), OF_ROWS, 1, 2),
    ],
)
def test_a_table_of_catalogue_rows_is_no_table_of_distinct_ads(use: Callable[[], object]) -> None:
    with pytest.raises(
        NrlDedupError, match="columns distinct_l and distinct_r; found row_l, row_r"
    ):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: score_copies(SumScorer(), blocked(OF_DISTINCT)),
        lambda: reasons_of(SumScorer(), blocked(), OF_DISTINCT),
        lambda: ads_of_pairs([OF_DISTINCT]),
    ],
)
def test_a_table_of_distinct_ads_is_no_table_of_catalogue_rows(use: Callable[[], object]) -> None:
    with pytest.raises(
        NrlDedupError, match="columns row_l and row_r; found distinct_l, distinct_r"
    ):
        use()


def test_clusters_are_found_among_catalogue_rows_only() -> None:
    scored = OF_DISTINCT.with_columns(score=pl.lit(0.9, pl.Float32))
    identical = IDENTICAL.with_columns(score=pl.lit(0.9, pl.Float32))
    with pytest.raises(NrlDedupError, match="row_l"):
        find_clusters(clustering_method(DEFAULT), scored, identical, 4, 0.5)
