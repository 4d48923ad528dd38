"""The held-out candidates of a bundle against the links that `link` writes, and thresholds chosen from them."""

import shutil
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest
import torch

from nrl_dedup.blocking.distinct_ads import DistinctAds
from nrl_dedup.bundle.load import HELD_OUT, load_bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.pair_model.labelled_ads import LabelledAds
from tests.conftest import RunCommand, Shop

CPU = torch.device("cpu")


def labelled_ads(pairs: list[tuple[str, str, bool, str]]) -> LabelledAds:
    """Of ads a to h, of which e is a copy of b, and g has nothing that can be compared."""
    columns = {"item_id_l": pl.String, "item_id_r": pl.String, "is_duplicate": pl.Boolean}
    split = pl.DataFrame(pairs, schema={**columns, "side": pl.String}, orient="row")
    frame = pl.DataFrame({"item_id": list("abcdefgh")}).with_columns(
        title=pl.lit(""), description=pl.lit(""), photos=pl.lit([], pl.List(pl.String))
    )
    ads = DistinctAds(np.array([0, 1, 2, 3, 5, 7]), np.array([0, 1, 2, 3, 1, 4, -1, 5]))
    return LabelledAds.of(split, Catalogue(Path("items.csv"), frame), ads)


def test_an_ad_of_a_training_pair_is_not_held_out() -> None:
    found = labelled_ads(
        [
            ("a", "b", True, "train"),
            ("b", "c", False, "valid"),
            ("c", "d", True, "test"),
            ("f", "g", False, "test"),
            ("e", "f", True, "test"),
            ("d", "e", False, "test"),
            ("f", "missing", True, "valid"),
        ]
    )
    names = "abcdfh"

    def chosen(mask: np.ndarray) -> str:
        return "".join(name for name, is_chosen in zip(names, mask, strict=True) if is_chosen)

    assert chosen(found.held_out) == "cdf"
    assert chosen(found.ads) == "abc"
    assert chosen(found.tested) == "df"
    assert chosen(found.every) == "abcdf"
    assert found.group[0] == found.group[1] == found.group[4] != found.group[2] == found.group[3]
    # The last two have the ad e, whose original b is in a training pair.
    assert found.is_of_new_ads.tolist() == [False, False, True, True, False, False]
    tested = found.distinct(found.side == "test")
    assert tested.is_there.tolist() == [False, False, True, False, True, True]
    assert (tested.distinct_l.tolist(), tested.distinct_r.tolist()) == ([2, 1, 3], [3, 4, 1])


def test_without_other_sides_no_ad_is_held_out() -> None:
    found = labelled_ads([("a", "b", True, "train"), ("g", "g", True, "train")])
    assert not found.held_out.any()
    assert not found.is_of_new_ads.any()


def every_candidate(run: RunCommand, shop: Shop, model: Path, folder: Path) -> pl.DataFrame:
    """The pairs that `link` scores, with their scores."""
    arguments = [
        "link",
        shop.items,
        "--images",
        shop.images,
        "--model",
        model,
        "--device",
        "cpu",
        "--threshold",
        0,
    ]
    status, _, err = run(
        *arguments,
        "--scorer",
        "siamese",
        "-o",
        folder / "dupes.csv",
        "--links",
        folder / "links.csv",
    )
    assert status == 0, err
    return pl.read_csv(
        folder / "links.csv", schema_overrides={"item_id_l": pl.String, "item_id_r": pl.String}
    )


def test_held_out_candidates_are_the_scored_pairs_of_held_out_ads(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(trained, CPU)
    of_training = bundle.split.filter(pl.col("side") == "train")
    every = {*bundle.split["item_id_l"], *bundle.split["item_id_r"]}
    held_out = every - {*of_training["item_id_l"], *of_training["item_id_r"]}
    assert every == set(
        pl.read_csv(shop.items, infer_schema=False)["item_id"]
    )  # so the candidates are the same
    graph = nx.Graph(
        list(bundle.split.filter("is_duplicate").select("item_id_l", "item_id_r").iter_rows())
    )
    graph.add_nodes_from(every)
    wanted = []
    for left, right, score in every_candidate(run, shop, trained, tmp_path).iter_rows():
        ends = (left in held_out) + (right in held_out)
        if ends:
            wanted.append((nx.has_path(graph, left, right), ends / 2, score))
    assert bundle.held_out is not None and bundle.held_out.schema == pl.Schema(HELD_OUT)
    kept = bundle.held_out.filter((pl.col("scorer") == "siamese") & pl.col("logit").is_finite())
    found = zip(
        kept["is_duplicate"],
        kept["weight"],
        1 / (1 + np.exp(-kept["logit"].to_numpy())),
        strict=True,
    )
    for ours, theirs in zip(sorted(found), sorted(wanted), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert kept["is_duplicate"].to_list() == (kept["group_l"] == kept["group_r"]).to_list()


@pytest.mark.parametrize("scorer", ["evidence", "siamese"])
def test_duplicates_that_blocking_loses_are_kept_with_the_lowest_logit(
    shop: Shop, trained: Path, tmp_path: Path, scorer: str
) -> None:
    from nrl_dedup.catalogue.read import read_catalogue
    from nrl_dedup.training.pair_model.fit import fit_pairs

    bundle, catalogue = load_bundle(trained, CPU), read_catalogue(shop.items)
    few, many = (
        fit_pairs(
            [catalogue], bundle, shop.images, Run(tmp_path, device=CPU), candidates_per_ad=count
        ).held_out.filter(scorer=scorer)
        for count in (1, 119)
    )
    assert many["logit"].is_finite().all()
    assert many["is_duplicate"].sum() == few["is_duplicate"].sum()  # none is forgotten
    lost = few.filter(pl.col("logit").is_infinite())
    assert (lost["logit"] < 0).all() and lost["is_duplicate"].all() and (lost["weight"] == 1).all()
    assert len(few) < len(many)


@pytest.mark.parametrize("wanted", ["--precision", "--recall"])
def test_link_takes_the_threshold_that_it_names(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, wanted: str
) -> None:
    arguments = ["link", shop.items, "--images", shop.images, "--model", trained, "--device", "cpu"]
    arguments += [
        "--scorer",
        "siamese",
    ]  # the shop is so easy that pair evidence leaves no pair near a threshold
    status, out, err = run(
        *arguments, wanted, 0.7, "-o", tmp_path / "dupes.csv", "--links", tmp_path / "links.csv"
    )
    assert status == 0, err
    threshold = float(out.split("Expected of links from ")[1].split(" on")[0])
    links = pl.read_csv(tmp_path / "links.csv")
    assert links["score"].min() == pytest.approx(threshold, abs=0.05)
    assert (links["score"] >= threshold - 1e-4).all()


def test_what_cannot_be_chosen_is_said(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    arguments = ["link", shop.items, "-o", tmp_path / "dupes.csv", "--device", "cpu"]
    status, _, err = run(*arguments, "--model", trained, "--precision", 0.9, "--threshold", 0.5)
    assert status == 2 and "--threshold and --precision: one of them" in err
    status, _, err = run(*arguments, "--model", trained, "--precision", 1.5)
    assert status == 1 and "--precision 1.5: wanted a share" in err
    shutil.copytree(trained, tmp_path / "bare")
    (tmp_path / "bare" / "held_out.parquet").unlink()
    status, _, err = run(*arguments, "--model", tmp_path / "bare", "--recall", 0.9)
    assert status == 1 and "held_out.parquet is missing" in err
    assert not (tmp_path / "dupes.csv").exists()
    (tmp_path / "bare" / "held_out.parquet").write_bytes(b"nothing")
    status, _, err = run(*arguments, "--model", tmp_path / "bare", "--recall", 0.9)
    assert status == 1 and "the bundle is damaged" in err
