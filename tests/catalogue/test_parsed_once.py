"""A command opens, unpacks and parses each table once, whatever it needs of it."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nrl_dedup.catalogue.files import csv_file, table_reader
from tests.conftest import RunCommand, Shop


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each table was opened to be parsed, by the name of its file."""
    counts: Counter[str] = Counter()
    for module, name in ((csv_file, "open_text"), (table_reader, "read_parquet")):
        real = getattr(module, name)

        def counted(path: Path, *more: Any, real: Any = real) -> Any:
            counts[path.name] += 1
            return real(path, *more)

        monkeypatch.setattr(module, name, counted)
    return counts


@pytest.fixture
def ads(shop: Shop, tmp_path: Path) -> pl.DataFrame:
    """The shop's ads with a price, which is compared by itself, and a colour, which a command names."""
    frame = pl.read_csv(shop.items, infer_schema=False)
    colours = ["red", "blue"] * (frame.height // 2)
    return frame.with_columns(price=pl.lit("5"), colour=pl.Series(colours))


def packed(frame: pl.DataFrame, path: Path) -> Path:
    path.write_bytes(gzip.compress(frame.write_csv().encode()))
    return path


def test_a_link(
    run: RunCommand, trained: Path, ads: pl.DataFrame, tmp_path: Path, parsed: Counter[str]
) -> None:
    items = packed(ads, tmp_path / "items.csv.gz")
    output = ("-o", tmp_path / "dupes.csv", "--model", trained, "--device", "cpu")
    status, _, err = run("link", items, "--compare", "colour", *output)
    assert status == 0, err
    assert parsed == {"items.csv.gz": 1}


def test_a_training(
    run: RunCommand, shop: Shop, ads: pl.DataFrame, tmp_path: Path, parsed: Counter[str]
) -> None:
    items = packed(ads, tmp_path / "items.csv.gz")
    settings = ("--fusion", "text", "--epochs", 1, "--pretrain-epochs", 0, "--device", "cpu")
    bundle = tmp_path / "bundle"
    status, _, err = run("train", items, shop.pairs, "--compare", "colour", *settings, "-o", bundle)
    assert status == 0, err
    assert parsed == {"items.csv.gz": 1, "pairs.csv": 1}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_evaluation_by_columns(
    run: RunCommand,
    trained: Path,
    shop: Shop,
    ads: pl.DataFrame,
    tmp_path: Path,
    parsed: Counter[str],
    kind: str,
) -> None:
    if kind == "csv":
        items = packed(ads, tmp_path / "items.csv.gz")
    else:
        items = tmp_path / "items.parquet"
        ads.write_parquet(items)
    tables = ("--items", items, "--pairs", shop.pairs, "--model", trained, "--device", "cpu")
    status, _, err = run("evaluate", *tables, "--by", "colour", "--by", "price")
    assert status == 0, err
    assert parsed == {items.name: 1, "pairs.csv": 1}
