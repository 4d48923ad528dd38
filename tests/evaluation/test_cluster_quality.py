"""How good clusters are: against pairs counted one by one, by hand, and from files."""

import json
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.cluster_files import MeasuredClusters, measure_clusters
from nrl_dedup.evaluation.cluster_quality import ClusterQuality, bcubed_quality, pairwise_quality
from tests.conftest import RunCommand, Shop


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=25))
def test_pairwise_quality_counts_pairs(rows: list[tuple[int, int]]) -> None:
    clusters, entities = np.array(rows).T
    pairs = list(combinations(range(len(rows)), 2))
    claimed = {p for p in pairs if clusters[p[0]] == clusters[p[1]]}
    true = {p for p in pairs if entities[p[0]] == entities[p[1]]}
    found = pairwise_quality(clusters, entities)
    assert found.precision == pytest.approx(len(claimed & true) / len(claimed) if claimed else 1.0)
    assert found.recall == pytest.approx(len(claimed & true) / len(true) if true else 1.0)
    if claimed or true:
        assert found.f1 == pytest.approx(2 * len(claimed & true) / (len(claimed) + len(true)))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25))
def test_bcubed_quality_is_the_mean_over_ads(rows: list[tuple[int, int]]) -> None:
    sets = [
        (
            {b for b, row in enumerate(rows) if row[0] == cluster},
            {b for b, row in enumerate(rows) if row[1] == entity},
        )
        for cluster, entity in rows
    ]
    precision = sum(Fraction(len(c & e), len(c)) for c, e in sets) / len(rows)
    recall = sum(Fraction(len(c & e), len(e)) for c, e in sets) / len(rows)
    found = bcubed_quality(*np.array(rows).T)
    assert found.precision == pytest.approx(float(precision), abs=1e-12)
    assert found.recall == pytest.approx(float(recall), abs=1e-12)
    assert found.f1 == pytest.approx(
        float(2 * precision * recall / (precision + recall)), abs=1e-12
    )


def test_bcubed_quality_by_hand() -> None:
    # clusters {0 1 2} {3}, truth {0 1} {2 3}: precision (2/3 + 2/3 + 1/3 + 1) / 4, recall (1 + 1 + 1/2 + 1/2) / 4
    found = bcubed_quality(np.array([7, 7, 7, 5]), np.array([1, 1, 0, 0]))
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), pytest.approx(3 / 4))
    nobody = np.array([], dtype=np.int64)
    assert bcubed_quality(nobody, nobody) == pairwise_quality(nobody, nobody)


# The things are {a b c}, {d e} and {f}. Of the clusters, x and y are not in the truth.
CLUSTERS = "cluster_id,item_id,score\na,a,0.9\na,b,0.9\na,d,0.8\na,x,0.7\ny,y,0.6\n"
TRUTH = "itemID,entity\na,1\nb,1\nc,1\nd,2\ne,2\nf,3\n"
PAIRS = "itemID_1,itemID_2,isDuplicate\na,b,1\na,c,1\nd,e,1\na,d,0\nb,f,0\ne,f,0\n"


def approximately(found: ClusterQuality | Mapping[str, float], *expected: float) -> bool:
    values = found if isinstance(found, Mapping) else vars(found)
    return list(values.values()) == pytest.approx(expected, abs=1e-12)


def measure(
    folder: Path, clusters: str | bytes, truth: str | bytes, **columns: str
) -> MeasuredClusters:
    for name, content in (("dupes.csv", clusters), ("truth.csv", truth)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return measure_clusters(folder / "dupes.csv", folder / "truth.csv", columns)


def test_clusters_against_entities_by_hand(tmp_path: Path) -> None:
    measured = measure(tmp_path, CLUSTERS, TRUTH)
    report = measured.report
    # The clusters claim ab, ad, bd; true are ab, ac, bc, de.
    assert approximately(report.pairwise, 1 / 3, 1 / 4, 2 / 7)
    # Precision of a to f: 2/3 2/3 1 1/3 1 1; recall: 2/3 2/3 1/3 1/2 1/2 1.
    assert approximately(report.bcubed, 7 / 9, 11 / 18, 154 / 225)
    assert (report.truth, report.ads, report.pairs) == ("entities", 6, None)
    assert report.cluster_sizes == {4: 1} and report.entity_sizes == {2: 1, 3: 1}
    assert (report.clustered, report.unknown, report.unknown_ids) == (5, 2, ("x", "y"))


def test_clusters_against_labelled_pairs_by_hand(tmp_path: Path) -> None:
    report = measure(tmp_path, CLUSTERS, PAIRS).report
    # Of the labelled pairs, ab (a duplicate) and ad (none) are in one cluster; the duplicates are ab, ac, de.
    assert approximately(report.pairwise, 1 / 2, 1 / 3, 2 / 5)
    assert report.bcubed is None and report.entity_sizes is None
    assert (report.truth, report.ads, report.pairs, report.unknown) == ("labelled pairs", 6, 6, 2)


def test_ads_in_no_cluster_are_alone_even_where_a_cluster_has_their_id(tmp_path: Path) -> None:
    clusters = "cluster_id,item_id\nc,a\nc,b\n"
    report = measure(tmp_path, clusters, TRUTH).report
    assert approximately(report.pairwise, 1, 1 / 4, 2 / 5)


def test_no_clusters_claim_nothing(tmp_path: Path) -> None:
    report = measure(tmp_path, "cluster_id,item_id,score\n", TRUTH).report
    assert approximately(report.pairwise, 1, 0, 0)
    # Each ad alone: recall 1/3 1/3 1/3 1/2 1/2 1.
    assert approximately(report.bcubed, 1, 1 / 2, 2 / 3)
    assert report.cluster_sizes == {}


def test_a_truth_of_unusual_columns(tmp_path: Path) -> None:
    truth = TRUTH.replace("itemID,entity", "number,thing")
    named = measure(tmp_path, CLUSTERS, truth, id_column="number", entity_column="thing")
    assert approximately(named.report.pairwise, 1 / 3, 1 / 4, 2 / 7)
    pairs = PAIRS.replace("itemID_1,itemID_2,isDuplicate", "p,q,r")
    columns = {"left_column": "p", "right_column": "q", "label_column": "r"}
    assert approximately(
        measure(tmp_path, CLUSTERS, pairs, **columns).report.pairwise, 1 / 2, 1 / 3, 2 / 5
    )


def test_rows_without_an_id_or_an_entity_are_counted(tmp_path: Path) -> None:
    measured = measure(tmp_path, CLUSTERS + ",g,0.5\n", TRUTH + "g,\n,4\n")
    assert [file.bad_count for file in measured.files] == [1, 2]
    assert [row.line for row in measured.files[1].bad_rows] == [8, 9]
    assert measured.report.ads == 6 and measured.report.clustered == 5


BAD = {
    "no column of clusters": (CLUSTERS.replace("cluster_id", "group"), TRUTH, ["dupes.csv", "cluster_id", "group"]),
    "an ad in two clusters": (CLUSTERS + "y,a,0.5\n", TRUTH, ["dupes.csv", "'a'", "lines 2 and 7"]),
    "clusters of no bytes": ("", TRUTH, ["dupes.csv", "empty"]),
    "clusters in another encoding": (b"cluster_id,item_id\n\xe9,a\n", TRUTH, ["dupes.csv", "UTF-8"]),
    "no entities": (CLUSTERS, "itemID,colour\na,1\n", ["truth.csv", "itemID, colour", "--entity-column"]),
    "no labels": (CLUSTERS, "itemID_1,itemID_2\na,b\n", ["truth.csv", "itemID_1, itemID_2", "--label-column"]),
    "an ad of two entities": (CLUSTERS, TRUTH + "b,3\n", ["truth.csv", "'b'", "lines 3 and 8"]),
    "a truth of no rows": (CLUSTERS, "itemID,entity\n", ["truth.csv", "no ads"]),
    "a truth of no bytes": (CLUSTERS, "", ["truth.csv", "empty"]),
    "no labelled pairs": (CLUSTERS, "itemID_1,itemID_2,isDuplicate\n", ["truth.csv", "no pairs"]),
    "a strange label": (CLUSTERS, PAIRS + "a,e,maybe\n", ["truth.csv", "line 8", "maybe"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_files_that_cannot_be_measured(tmp_path: Path, case: str) -> None:
    clusters, truth, said = BAD[case]
    with pytest.raises(NrlDedupError) as error:
        measure(tmp_path, clusters, truth)
    for part in said:
        assert part in str(error.value)


def test_the_command_needs_no_model(
    run: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nrl_dedup.bundle.load.load_bundle", None)
    (tmp_path / "dupes.csv").write_text(CLUSTERS)
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "pairs.csv").write_text(PAIRS)
    command = ("evaluate", "--clusters", tmp_path / "dupes.csv", "--json", tmp_path / "m.json")
    status, out, err = run(*command, "--truth", tmp_path / "truth.csv")
    assert status == 0 and "B-cubed" in out, err
    assert "2 of its 5 ads are not in" in err and "(x, y)" in err
    found = json.loads((tmp_path / "m.json").read_text())["clusters"]
    assert approximately(found["pairwise"], 1 / 3, 1 / 4, 2 / 7)
    assert approximately(found["bcubed"], 7 / 9, 11 / 18, 154 / 225)
    assert found["cluster_sizes"] == {"4": 1} and found["entity_sizes"] == {"2": 1, "3": 1}
    status, out, err = run(*command, "--truth", tmp_path / "pairs.csv")
    assert status == 0 and "6 labelled pairs" in out and "B-cubed is not given" in out, err
    assert json.loads((tmp_path / "m.json").read_text())["clusters"]["bcubed"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--clusters", "dupes.csv"], "--clusters and --truth go together"),
        (["--truth", "truth.csv"], "--clusters and --truth go together"),
        (["--clusters", "dupes.csv", "--truth", "t.csv", "--blocking"], "--blocking: "),
    ],
)
def test_options_that_do_not_fit(run: RunCommand, options: list[str], said: str) -> None:
    status, _, err = run("evaluate", *options)
    assert status == 2 and said in err


def test_an_output_never_replaces_the_clusters(run: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "dupes.csv").write_text(CLUSTERS)
    (tmp_path / "truth.csv").write_text(TRUTH)
    files = ("--clusters", tmp_path / "dupes.csv", "--truth", tmp_path / "truth.csv")
    status, _, err = run("evaluate", *files, "--json", tmp_path / "dupes.csv")
    assert status == 1 and "--json" in err and (tmp_path / "dupes.csv").read_text() == CLUSTERS


def test_models_and_clusters_together(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "dupes.csv").write_text("cluster_id,item_id\n0100,0100\n0100,0101\n")
    data = ("--items", shop.items, "--pairs", shop.pairs, "--images", shop.images)
    clusters = ("--clusters", tmp_path / "dupes.csv", "--truth", shop.pairs)
    more = ("--json", tmp_path / "m.json", "--device", "cpu")
    status, out, err = run("evaluate", "--model", trained, *data, *clusters, *more)
    assert status == 0 and "baseline" in out and "180 labelled pairs" in out, err
    found = json.loads((tmp_path / "m.json").read_text())
    assert set(found["models"]) == {"shop", "baseline"}
    # One of the shop's 60 duplicates is in the cluster.
    assert approximately(found["clusters"]["pairwise"], 1, 1 / 60, 2 / 61)
