"""The files that the commands of the five folds read: all under OUT/data."""

from pathlib import Path

import numpy as np
import polars as pl

from measuring.study import SETTINGS, WHOLE, Study, folds
from nrl_dedup.catalogue.splits import split_pairs
from nrl_dedup.errors import NrlDedupError

HIDDEN = ("price", "categoryID")
SEED = 0


def write_files(study: Study) -> None:
    """From the tables of REAL; a file of another run is not replaced.

    :raises SystemExit: there is one.
    """
    items, pairs, truth = (
        pl.read_csv(study.real / name, infer_schema=False)
        for name in ("ItemInfo.csv", "ItemPairs.csv", "truth.csv")
    )
    truth = sample_things(truth, pairs, study.share)
    ids = truth["itemID"].implode()
    items = items.filter(pl.col("itemID").is_in(ids))
    pairs = pairs.filter(pl.col("itemID_1").is_in(ids) & pl.col("itemID_2").is_in(ids))
    _write(study.truth, truth)
    for setting in SETTINGS:
        seen = items.drop(HIDDEN, strict=False) if setting == "hidden" else items
        _write(study.items(setting), seen)
    for fold in folds(study):
        _write(study.test_pairs(fold), pairs.filter(pl.col("fold") == fold))
        for labels in (*study.few, WHOLE):
            train, valid = apart(sample_pairs(pairs.filter(pl.col("fold") != fold), labels))
            _write(study.train_pairs(fold, labels), train)
            _write(study.valid_pairs(fold, labels), valid)


def sample_things(truth: pl.DataFrame, pairs: pl.DataFrame, share: float) -> pl.DataFrame:
    """The ads of about that share of the things: of some at random, and of those that share a labelled pair with them,
    so that there are pairs of different things too; each thing stands in pairs with about four others."""
    entity = dict(truth.select("itemID", "entity").iter_rows())
    things = truth["entity"].unique(maintain_order=True)
    drawn = set(
        things.filter(
            np.random.default_rng(SEED).random(len(things)) < (share if share == 1 else share / 5)
        )
    )
    of_pairs = (
        {entity[left], entity[right]}
        for left, right in pairs.select("itemID_1", "itemID_2").iter_rows()
    )
    kept = set().union(drawn, *(both for both in of_pairs if both & drawn))
    return truth.filter(pl.col("entity").is_in(list(kept)))


def sample_pairs(pairs: pl.DataFrame, share: float) -> pl.DataFrame:
    """A random share of the duplicates and of the others, in the file's order; a smaller share is part of a larger."""
    place = pl.Series(np.random.default_rng(SEED).permutation(len(pairs)))
    rank = (
        pairs.select("isDuplicate", place=place)
        .select(pl.col("place").rank("ordinal").over("isDuplicate"))
        .to_series()
    )
    size = pairs.select(pl.len().over("isDuplicate")).to_series()
    return pairs.filter(rank <= (share * size).round())


def apart(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs to train on, and those to validate with: about a tenth, that `splits.split_pairs` keeps apart with few
    losses. Pairs that join an ad of the one side with one of the other are left out.

    :raises SystemExit: there are too few pairs for that.
    """
    ids = pl.concat([pairs["itemID_1"], pairs["itemID_2"]]).unique().sort()
    ends = (
        pl.col(name).replace_strict(ids, range(len(ids)), return_dtype=pl.Int64)
        for name in ("itemID_1", "itemID_2")
    )
    left, right = pairs.select(ends)
    labelled = pl.DataFrame(
        {"row_l": left, "row_r": right, "is_duplicate": pairs["isDuplicate"] == "1"}
    )
    try:
        side = split_pairs(labelled, "ads", SEED).side("valid")
    except NrlDedupError as error:
        raise SystemExit(
            f"{len(pairs)} labelled pairs: {error} Name a larger --share, or larger shares with --few."
        ) from None
    held_out = pl.concat([side["row_l"], side["row_r"]]).unique().implode()
    inside = left.is_in(held_out).cast(pl.Int8) + right.is_in(held_out).cast(pl.Int8)
    return pairs.filter(inside == 0), pairs.filter(inside == 2)


def _write(path: Path, frame: pl.DataFrame) -> None:
    content = frame.write_csv()
    if path.exists() and path.read_text("utf-8") != content:
        raise SystemExit(
            f"{path} is of another run, with other options or other ads. Name another OUT."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
