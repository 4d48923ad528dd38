"""Reads clusters, as `nrl-dedup link` writes them, and the truth about them; measures the one against the other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import LINE, BadRow, Table, columns_taken
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.labelled_pairs import LabelledPairs, pair_columns, read_pairs
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.cluster_quality import (
    ClusterReport,
    quality_against_entities,
    quality_against_pairs,
)
from nrl_dedup.evaluation.cluster_sources import (
    ads_with_sources,
    catalogue_of_ids,
    names_sources,
    sources_of_truth,
    with_source,
    with_source_before_id,
)

_ID_NAMES = ("item_id", "id", "sku", "ad_id", "listing_id", "product_id", "offer_id")
_ENTITY_NAMES = ("entity", "entity_id", "cluster_id", "cluster", "group_id", "group")


@dataclass(frozen=True)
class ReadFile:
    """What there is to say about a file that was read: which columns were taken for what, and the rows left out."""

    path: Path
    columns_taken: str
    notes: tuple[str, ...]
    bad_rows: tuple[BadRow, ...]
    bad_count: int


@dataclass(frozen=True)
class MeasuredClusters:
    """The figures, and what there is to say about the two files. `pairs`: None where the truth is entities."""

    report: ClusterReport
    files: tuple[ReadFile, ReadFile]
    pairs: LabelledPairs | None


def measure_clusters(
    clusters: Path, truth: Path, columns: Mapping[str, str], encoding: str | None = None
) -> MeasuredClusters:
    """How good the clusters of one file are against the truth in another one.

    The clusters have the columns cluster_id and item_id. The truth has an id and an entity for each ad; or two ids and
    a label for each of some pairs, as `read_pairs` takes them.

    Where the clusters have a column `source` and the truth names sources too, these tell ads of one id apart
    (`cluster_sources.py`).

    :param columns: what the truth's columns are called where their names are unusual: id_column, entity_column,
        left_column, right_column, label_column; and source_l, source_r, as in `sides.Sides`.
    :param encoding: of a truth that is CSV; None for UTF-8.
    :raises NrlDedupError: what `read_table` and `read_pairs` raise; the truth has the columns of neither kind, or no
        rows; an ad is in one of the files twice.
    """
    clustered = _read_clusters(clusters)
    wanted = _truth_columns(columns)
    groups = [wanted]
    if "source" in clustered.taken:
        groups.append(sources_of_truth(wanted, columns))
    table = read_table(truth, *groups, encoding=encoding)
    has_sources = "source" in clustered.taken and names_sources(table, columns)
    if has_sources:
        clustered = with_source_before_id(clustered)
    _refuse_repeated_ids(clusters, clustered)
    if {"item_id", "entity"} <= table.taken.keys():
        if has_sources:
            table = with_source_before_id(table)
        entities = _with_entities(truth, table)
        report = quality_against_entities(clustered.frame, entities.frame)
        files = _about(clusters, clustered), _about(truth, entities)
        return MeasuredClusters(report, files, None)
    if not {"left", "right", "label"} <= table.taken.keys():
        raise NrlDedupError(
            f"{truth}: wanted a column of item ids and one of entities, or two of item ids and one of labels. Found "
            f"the columns: {', '.join(table.header)}. Name them with --id-column and --entity-column, or with "
            "--left-column, --right-column and --label-column."
        )
    names = {name: columns.get(name) for name in ("left_column", "right_column", "label_column")}
    if has_sources:
        names |= {name: columns.get(name) for name in ("source_l", "source_r")}
        ads = ads_with_sources(truth, table.frame, columns)
    else:
        ads = _ads_of_pairs(truth, table.frame)
    pairs = read_pairs(truth, ads, **names, encoding=encoding)
    ids = with_source(ads.ids, ads.source) if ads.source is not None else ads.ids
    report = quality_against_pairs(clustered.frame, ids, pairs.frame)
    of_pairs = ReadFile(truth, pairs.columns_taken(), pairs.notes, pairs.bad_rows, pairs.bad_count)
    return MeasuredClusters(report, (_about(clusters, clustered), of_pairs), pairs)


def _read_clusters(path: Path) -> Table:
    """cluster_id and item_id of the file, and source if it has one; one without rows is that of a catalogue without
    duplicates."""
    wanted = {
        name: WantedColumn("--clusters", (name,), name, identifier=True)
        for name in ("cluster_id", "item_id")
    }
    with_id = {
        "item_id": replace(
            wanted["item_id"], required=False
        ),  # one of those not required must be there
        "source": WantedColumn("--clusters", ("source",), None, required=False),
    }
    table = read_table(path, wanted, with_id)
    is_empty = (pl.col("item_id") == "") | (pl.col("cluster_id") == "")
    return table.without(is_empty, "an id is empty")


def _truth_columns(columns: Mapping[str, str]) -> dict[str, WantedColumn]:
    """Those of both kinds of truth: which kind a file is, its columns tell."""
    id_column, entity_column = columns.get("id_column"), columns.get("entity_column")
    left, right = columns.get("left_column"), columns.get("right_column")
    return {
        "item_id": WantedColumn("--id-column", _ID_NAMES, id_column, False, identifier=True),
        "entity": WantedColumn("--entity-column", _ENTITY_NAMES, entity_column, required=False),
        **pair_columns(left, right, columns.get("label_column"), required=False),
    }


def _with_entities(path: Path, table: Table) -> Table:
    is_empty = (pl.col("item_id") == "") | (pl.col("entity") == "")
    table = table.without(is_empty, "its id or its entity is empty")
    _refuse_repeated_ids(path, table)
    if table.frame.is_empty():
        raise NrlDedupError(f"{path}: there are no ads in it; wanted rows of an id and an entity.")
    return table


def _ads_of_pairs(path: Path, pairs: pl.DataFrame) -> Catalogue:
    """A catalogue of nothing but the ids in labelled pairs, ordered as text."""
    ids = pl.concat([pairs["left"], pairs["right"]]).unique().sort().rename("item_id")
    return catalogue_of_ids(path, pl.DataFrame({"item_id": ids}))


def _refuse_repeated_ids(path: Path, table: Table) -> None:
    repeated = table.frame.filter(pl.col("item_id").is_duplicated())
    if repeated.is_empty():
        return
    first = repeated["item_id"][0]
    lines = repeated.filter(pl.col("item_id") == first)[LINE]
    raise NrlDedupError(
        f"{path}: each ad may stand in one row, but {first!r} stands on lines {lines[0]} and {lines[1]}. Remove all "
        f"but one of the rows of each of the {repeated['item_id'].n_unique()} repeated ids."
    )


def _about(path: Path, table: Table) -> ReadFile:
    taken = columns_taken(path, table.taken, table.header)
    return ReadFile(path, taken, table.notes, table.bad_rows, table.bad_count)
