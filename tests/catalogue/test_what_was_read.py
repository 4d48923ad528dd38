"""What the commands say about the files that they read."""

import json
import os
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.cells.photo_cells import photo_lists
from tests.conftest import RunCommand, Shop


def link(
    run: RunCommand, trained: Path, tmp_path: Path, catalogue: Path, *more: object
) -> tuple[int, str]:
    status, _, err = run(
        "link",
        catalogue,
        "-o",
        tmp_path / "dupes.csv",
        "--model",
        trained,
        "--device",
        "cpu",
        *more,
    )
    return status, err


def test_columns_cells_and_prices_are_told_of(
    run: RunCommand, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ads.csv"
    path.write_text("id,name,text,price,amount\n1,диван,nan,5 kg,\n2,стол,N/A,XL,\n", "utf-8")
    status, err = link(run, trained, tmp_path, path)
    assert status == 0
    lines = err.splitlines()
    assert (
        f'{path}: item_id <- "id", title <- "name", description <- "text", price <- "price"; not used: amount'
        in lines
    )
    assert (
        f"Warning: {path}: 2 cells say nan, NULL, None, N/A or -, or the like, and are taken for nothing."
        in lines
    )
    assert (
        f"Warning: {path}: \"price\" is not compared as numbers: 2 of its 2 values are none, the first '5 kg'."
        in lines
    )


def test_a_pipe_is_refused_at_once(run: RunCommand, trained: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    status, err = link(run, trained, tmp_path, tmp_path / "pipe")
    assert (
        status == 1
        and err.startswith(f"Error: {tmp_path / 'pipe'}: this is a named pipe")
        and err.count("\n") == 1
    )


def test_another_encoding_is_read_and_remembered(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    items, pairs = tmp_path / "items.csv", tmp_path / "pairs.csv"
    items.write_bytes(shop.items.read_text("utf-8").encode("cp1251"))
    pairs.write_bytes(shop.pairs.read_bytes())
    bundle = tmp_path / "bundle"
    words = (
        "--fusion",
        "text",
        "--epochs",
        1,
        "--pretrain-epochs",
        0,
        "--device",
        "cpu",
        "-o",
        bundle,
    )
    status, _, err = run("train", items, pairs, *words)
    assert status == 1 and "--encoding cp1251" in err and not bundle.exists()
    status, _, err = run("train", items, pairs, *words, "--encoding", "cp1251")
    assert status == 0, err
    assert (
        json.loads((bundle / "bundle.json").read_text("utf-8"))["data"]["columns"]["encoding"]
        == "cp1251"
    )
    status, _, err = run(
        "evaluate", "--model", bundle, "--device", "cpu"
    )  # its own test split, read as at training
    assert status == 0, err


def test_a_list_of_photos_that_is_almost_json_is_cut_at_its_commas() -> None:
    cells = pl.Series(['["a.jpg", "b.jpg"]', '[\u2028"a.jpg", "b.jpg"]', ' [ "c.jpg" ]\r\n'])
    assert photo_lists(cells).to_list() == [["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"], ["c.jpg"]]
