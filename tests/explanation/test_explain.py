"""`explain` against what `link` wrote, networkx and plain loops."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import expit

from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.explanation.contributions import find_reasons
from nrl_dedup.explanation.explain import explain, find_pair
from nrl_dedup.explanation.explained_pair import Explanation
from nrl_dedup.explanation.side_by_side import Shared, shared_numbers, shared_words
from nrl_dedup.features.text.words import read_words
from nrl_dedup.pipeline import LinkResult, link
from nrl_dedup.runtime.run import Run
from tests.conftest import RunCommand, Shop

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def more(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's ads, and beside them a twin of the first, two that say nothing, and one of two photos."""
    folder = tmp_path_factory.mktemp("more")
    ads = pl.read_csv(shop.items, infer_schema=False)
    first = ads.row(0)
    others = [
        ("0900", *first[1:]),
        ("0901", "", "", ""),
        ("0902", "жёсткость", "кальмар тетива", ""),
        ("0903", "диван", "диван икеа", "140, copy"),
    ]
    pl.concat([ads, pl.DataFrame(others, schema=ads.schema, orient="row")]).write_csv(
        folder / "items.csv"
    )
    shutil.copytree(shop.images, folder / "images")
    shutil.copy(shop.images / "100.jpg", folder / "images" / "copy.jpg")
    return folder


class Linker:
    """Links the same catalogue with one bundle again and again."""

    def __init__(self, folder: Path, bundle: Path, work_dir: Path) -> None:
        self.catalogue: Catalogue = read_catalogue(folder / "items.csv")
        self.bundle: Bundle = load_bundle(bundle, CPU)
        self._folder, self._work_dir = folder, work_dir

    def link(self, **options: object) -> LinkResult:
        images = self._folder / "images"
        return link(self.catalogue, self.bundle, images, Run(self._work_dir, device=CPU), **options)

    def explain(self, linked: LinkResult, left: int, right: int, threshold: float) -> Explanation:
        ids = self.catalogue.ids
        return explain(linked, self.catalogue, ids[left], ids[right], threshold)


@pytest.fixture(scope="module")
def linker(more: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Linker:
    return Linker(more, trained, tmp_path_factory.mktemp("work"))


SILENT_IDS, TWINS = {"0901", "0902"}, ("0100", "0900")


@pytest.mark.parametrize("scorer", ["evidence", "siamese"])
def test_the_stage_is_the_one_that_links_own_tables_show(linker: Linker, scorer: str) -> None:
    """Drawn pairs, and of each kind that the tables tell apart the first."""
    every_link = linker.link(
        candidates_per_ad=40, threshold=0.0, clustering="connected-components", scorer=scorer
    ).links
    loose = float(
        every_link["score"].sort(descending=True)[200]
    )  # far more links than there are duplicates
    settings = [(1, 0.5, "average-linkage"), (20, 0.999, "average-linkage")]
    settings += [(40, loose, "average-linkage"), (40, loose, "connected-components")]
    seen = set()
    for candidates, threshold, clustering in settings:
        linked = linker.link(
            candidates_per_ad=candidates, threshold=threshold, clustering=clustering, scorer=scorer
        )
        wanted = wanted_stages(linked, linker.catalogue)
        first = {stage: pair for pair, stage in reversed(wanted.items())}
        drawn = np.random.default_rng(0).permutation(np.array(list(wanted)))[:15]
        links = {(left, right): score for left, right, score in linked.links.iter_rows()}
        for left, right in [*first.values(), *map(tuple, drawn.tolist())]:
            found = linker.explain(linked, left, right, threshold)
            assert found.stage == wanted[left, right]
            if found.stage != "identical" and (left, right) in links:
                assert found.score == pytest.approx(links[left, right], abs=1e-6)
            if found.log_odds is not None:
                assert sum(reason.added for reason in found.reasons) == pytest.approx(
                    found.log_odds, abs=1e-6
                )
            if found.stage == "through others":
                check_path(linked, found, left, right)
            if found.stage == "clustering":
                check_between(linked, found, left, right, threshold)
            seen.add(found.stage)
    stages = {
        "identical",
        "linked",
        "through others",
        "says nothing",
        "blocking",
        "score",
        "clustering",
    }
    assert seen == stages


def wanted_stages(linked: LinkResult, catalogue: Catalogue) -> dict[tuple[int, int], str]:
    """Of every pair of rows, by the tables of links, clusters and candidate pairs alone."""
    ids, rows = catalogue.ids.to_list(), linked.blocked.ads.rows
    links = set(linked.links.select("row_l", "row_r").iter_rows())
    candidates = {
        (int(rows[left]), int(rows[right])) for left, right in linked.candidates.frame.iter_rows()
    }
    cluster = dict(linked.clusters.select("row", "cluster_row").iter_rows())
    stands = {ids.index(TWINS[1]): ids.index(TWINS[0])}
    one_ad = linked.links.filter(
        row_l=ids.index(TWINS[0]), row_r=ids.index(TWINS[1])
    )  # where their own score links
    found = {}
    for left, right in combinations(range(len(ids)), 2):
        low, high = sorted((stands.get(left, left), stands.get(right, right)))
        if low == high:
            linked_by_others = left in cluster and cluster[left] == cluster.get(right)
            found[left, right] = (
                "identical" if len(one_ad) else "through others" if linked_by_others else "score"
            )
        elif left in cluster and cluster[left] == cluster.get(right):
            found[left, right] = "linked" if (low, high) in links else "through others"
        elif SILENT_IDS & {ids[left], ids[right]}:
            found[left, right] = "says nothing"
        elif (low, high) not in candidates:
            found[left, right] = "blocking"
        else:
            found[left, right] = "clustering" if (low, high) in links else "score"
    return found


def check_path(linked: LinkResult, found: Explanation, left: int, right: int) -> None:
    cluster = linked.clusters.filter(row=left)["cluster_row"][0]
    members = linked.clusters.filter(cluster_row=cluster)["row"].to_list()
    graph = nx.Graph(list(linked.links.select("row_l", "row_r").iter_rows())).subgraph(members)
    if not nx.has_path(graph, left, right):
        assert found.path == ()
    else:
        assert len(found.path) == nx.shortest_path_length(graph, left, right)
        assert found.path[-1].item_id == found.right.item_id


def check_between(
    linked: LinkResult, found: Explanation, left: int, right: int, threshold: float
) -> None:
    ads = linked.blocked.ads
    sides = []
    for row in (left, right):
        of_row = linked.clusters.filter(row=row)["cluster_row"].to_list()
        members = (
            linked.clusters.filter(pl.col("cluster_row").is_in(of_row))["row"].to_list()
            if of_row
            else [row]
        )
        representatives = ads.to_rows(ads.of_rows(np.array(members)))
        sides.append(set(representatives.tolist()))
    links = sum({a, b} <= sides[0] | sides[1] and (a in sides[0]) != (b in sides[0])
                for a, b in linked.links.select("row_l", "row_r").iter_rows())  # fmt: skip
    assert found.between is not None
    if sides[0] & sides[1]:
        return  # an ad and its copy, which do not link each other, are in both
    assert found.between.pairs == len(sides[0]) * len(sides[1]) and found.between.links == links
    assert found.between.mean_score >= links * threshold / found.between.pairs - 1e-6


def test_reasons_are_those_that_link_writes_and_their_columns_leave_a_constant_over(
    linker: Linker,
) -> None:
    linked = linker.link(threshold=0.3)
    different = linked.reasons["base"].is_not_null()
    links, written = linked.links.filter(different), linked.reasons.filter(different)
    left_over: dict[str, list[float]] = {}
    for place in range(0, len(links), max(1, len(links) // 8)):
        rows = [int(links[end][place]) for end in ("row_l", "row_r")]
        reasons = linker.explain(linked, *rows, threshold=0.3).reasons
        assert {reason.group: reason.added for reason in reasons} == pytest.approx(
            written.row(place, named=True), abs=1e-4
        )
        assert expit(np.array([sum(reason.added for reason in reasons)]))[0] == pytest.approx(
            links["score"][place], abs=1e-5
        )
        for reason in reasons[1:]:
            over = reason.added - sum(column.added for column in reason.columns)
            left_over.setdefault(reason.group, []).append(over)
    assert left_over
    for values in left_over.values():
        assert values == pytest.approx([values[0]] * len(values), abs=1e-6)


@pytest.mark.parametrize("scorer", ["evidence", "siamese"])
def test_rivals_are_the_best_candidates_of_either_ad_beside_the_other(
    linker: Linker, scorer: str
) -> None:
    every = linker.link(threshold=0.0, candidates_per_ad=10, scorer=scorer)
    scores = {pair[:2]: pair[2] for pair in every.links.iter_rows()}
    ids = linker.catalogue.ids
    asked = [
        (left, right)
        for left, right in scores
        if not {ids[left], ids[right]} & {*SILENT_IDS, *TWINS}
    ][::25]
    assert len(asked) > 5
    for left, right in asked:
        best = {}
        for ad, other in ((left, right), (right, left)):
            others = {
                sum(pair) - ad: score
                for pair, score in scores.items()
                if ad in pair and other not in pair
            }
            others = {one: score for one, score in others.items() if ids[one] != TWINS[1]}
            if others:
                best[ids[ad]] = max(others.values())
        found = linker.explain(every, left, right, threshold=0.0).rivals
        assert {rival.of: rival.score for rival in found} == pytest.approx(best, abs=1e-6)
        rows = {(rival.of, rival.item_id): rival.score for rival in found}
        for (of, one), score in rows.items():
            pair = sorted((ids.to_list().index(of), ids.to_list().index(one)))
            assert scores[pair[0], pair[1]] == pytest.approx(score, abs=1e-6)


def test_the_head_gives_its_bias_and_the_distance(linker: Linker) -> None:
    linked = linker.link(scorer="siamese")
    base, siamese = find_reasons(linked.scorer, np.array([3]), np.array([8]))
    bias = float(
        np.log(linker.bundle.model.identical_score() / (1 - linker.bundle.model.identical_score()))
    )
    assert base.added == pytest.approx(bias, abs=1e-4) and siamese.added < 0
    assert base.added + siamese.added == pytest.approx(
        linked.scorer.logits(np.array([3]), np.array([8]))[0], abs=1e-6
    )


def test_the_photos_that_are_the_most_alike_are_named(linker: Linker) -> None:
    linked = linker.link()
    found = linker.explain(linked, 0, linker.catalogue.ids.to_list().index("0903"), 0.5)
    assert found.right.readable == ("140", "copy")
    measures = {pair.measure: pair for pair in found.side_by_side.photos}
    assert set(measures) == {"photos", "same_picture"}
    for pair in measures.values():
        assert (pair.left, pair.right) == ("100", "copy") and pair.similarity == pytest.approx(
            1, abs=1e-5
        )


def test_shared_words_and_numbers_are_the_rarest_first(tmp_path: Path) -> None:
    rows = [
        "1,red bike LX-200,size 42 mm red",
        "2,bike red lx200,frame 42mm",
        "3,bike,42 cm",
        "4,bike,none",
    ]
    (tmp_path / "items.csv").write_text("\n".join(["id,title,description", *rows]) + "\n")
    ads = read_catalogue(tmp_path / "items.csv")
    words = read_words([ads.frame["title"]], "none")
    assert shared_words(words, 0, 1) == (Shared("red", 2), Shared("bike", 4))
    assert shared_words(words, 2, 3) == (Shared("bike", 4),)
    numbers = shared_numbers(ads.frame, 0, 1)
    assert {term.text: term.ads for term in numbers}.items() >= {
        "42mm": 2,
        "42": 3,
        "lx200": 2,
    }.items()
    assert [term.ads for term in numbers] == sorted(term.ads for term in numbers)


def test_the_command_says_what_link_does(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    outputs = ("-o", tmp_path / "dupes.csv", "--links", tmp_path / "links.csv")
    status, _, err = run("link", shop.items, "--model", trained, "--device", "cpu", *outputs)
    assert status == 0, err
    left, right, score = pl.read_csv(tmp_path / "links.csv", infer_schema=False).row(0)[:3]
    status, out, err = run(
        "explain", trained, left, right, "--device", "cpu", "--json", tmp_path / "why.json"
    )
    assert status == 0 and f"{left} and {right}: " in out and "Blocking" in out, err
    found = json.loads((tmp_path / "why.json").read_text("utf-8"))
    assert found["stage"] == "linked" and found["together"]
    assert found["score"] == pytest.approx(float(score), abs=1e-6)
    assert 1 / (1 + np.exp(-sum(reason["added"] for reason in found["reasons"]))) == pytest.approx(
        float(score), abs=1e-5
    )
    spaces = {listing["space"] for listing in found["listings"]}
    assert len(found["listings"]) == 2 * len(spaces) and any(
        listing["rank"] == 1 for listing in found["listings"]
    )


def test_the_shipped_model_explains_the_shipped_ads(run: RunCommand, tmp_path: Path) -> None:
    where = (
        "--items",
        ROOT / "examples" / "catalogue.csv",
        "--images",
        ROOT / "examples" / "images",
    )
    json_file = ("--json", tmp_path / "why.json", "--device", "cpu")
    status, out, err = run("explain", ROOT / "weights" / "default", 1002, 3781, *where, *json_file)
    assert status == 0 and "1002 and 3781: linked" in out, err
    assert json.loads((tmp_path / "why.json").read_text("utf-8"))["score"] >= 0.5


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        (("0100", "0100"), (), "named twice"),
        (("0100", "100"), (), "no ad with the id 100."),
        (("x", "y"), (), "no ad with the id x and none with y."),
        (("0100", "0101"), ("--threshold", 2), "a score from 0 to 1"),
        (("0100", "0101"), ("--candidates", 0), "0 is not in the range x>=1"),
        (("0100", "0101"), ("--clustering", "none"), "none"),
    ],
)
def test_mistakes_are_one_line(
    run: RunCommand, trained: Path, ids: tuple, options: tuple, message: str
) -> None:
    status, out, err = run("explain", trained, *ids, *options)
    assert status != 0 and message in err and "Traceback" not in err and out == ""


def test_a_bundle_whose_ads_are_gone_asks_for_items(
    run: RunCommand, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "bundle")
    about = json.loads((tmp_path / "bundle" / "bundle.json").read_text("utf-8"))
    about["data"]["items"] = "gone.csv"
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(about), "utf-8")
    status, _, err = run("explain", tmp_path / "bundle", "0100", "0101")
    assert (
        status == 1
        and "gone.csv, seen from where the bundle is now, and are not there" in err
        and "--items" in err
    )


def test_an_id_twice_is_refused_by_the_library(linker: Linker) -> None:
    with pytest.raises(NrlDedupError, match="named twice"):
        find_pair(linker.catalogue, "0100", "0100")
