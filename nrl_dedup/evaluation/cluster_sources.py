"""Clusters and their truth where both name the sources of ads: then an ad is called `source/id` in both."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.files.table_rows import Table
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.sides import SIDES


def sources_of_truth(
    wanted: Mapping[str, WantedColumn], columns: Mapping[str, str]
) -> dict[str, WantedColumn]:
    """What to look for in a truth: a column `source` beside entities, two beside labelled pairs.

    :param wanted: the other columns. :param columns: as in `measure_clusters`.
    """
    found = {**wanted, "source": WantedColumn("--truth", ("source",), None, required=False)}
    for side in SIDES:
        name = f"source_{side}"
        usual = (name, *([columns[name]] if name in columns else []))
        found[name] = WantedColumn("--truth", usual, None, required=False)
    return found


def with_source(ids: pl.Series, source: pl.Series) -> pl.Series:
    """`source/id` of each ad."""
    return source + "/" + ids


def names_sources(truth: Table, columns: Mapping[str, str]) -> bool:
    """Whether a truth says, or the user does, of which sources its ads are. `columns`: as in `measure_clusters`."""
    if "entity" in truth.taken:
        return "source" in truth.taken
    return all(f"source_{side}" in {**truth.taken, **columns} for side in SIDES)


def with_source_before_id(table: Table) -> Table:
    """The table with `source/id` as item_id."""
    ids = with_source(table.frame["item_id"], table.frame["source"]).alias("item_id")
    return replace(table, frame=table.frame.with_columns(ids))


def ads_with_sources(path: Path, pairs: pl.DataFrame, columns: Mapping[str, str]) -> Catalogue:
    """A catalogue of nothing but the ids in labelled pairs, with their sources.

    :param pairs: left, right, and source_l, source_r where the file has such columns.
    :param columns: as in `measure_clusters`.
    """
    parts = []
    for side, name in zip(SIDES, ("left", "right"), strict=True):
        source = f"source_{side}"
        if source in pairs.columns:
            of_side = pairs[source].rename("source")
        else:
            of_side = pl.repeat(columns[source], len(pairs), dtype=pl.String, eager=True)
        parts.append(pl.DataFrame({"item_id": pairs[name], "source": of_side}))
    ads = pl.concat(parts).filter(pl.col("item_id") != "").unique().sort("item_id", "source")
    source_of = ads["source"]
    names = source_of.unique().sort()
    return replace(catalogue_of_ids(path, ads), source=source_of, source_names=tuple(names))


def catalogue_of_ids(path: Path, ads: pl.DataFrame) -> Catalogue:
    """A catalogue of ads that have nothing but an id; those with an empty one are left out. `ads`: column item_id."""
    empty = [
        pl.lit("").alias("title"),
        pl.lit("").alias("description"),
        pl.lit([], pl.List(pl.String)).alias("photos"),
    ]
    named = ads.select("item_id").filter(pl.col("item_id") != "")
    return Catalogue(path, named.with_columns(empty))
