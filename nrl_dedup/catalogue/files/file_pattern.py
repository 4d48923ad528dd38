"""A pattern such as `parts/*.csv`, which the shell was kept from expanding: all files that fit it are one table."""

import glob
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.files.table_reader import read_table
from nrl_dedup.catalogue.files.table_rows import LISTED, BadRow, Table
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.errors import NrlDedupError


def files_of(path: Path) -> list[Path]:
    """The file of that very name; or else, where the name is a pattern, the files that fit it, by name; or the path."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    fitting = sorted(glob.glob(str(path)))  # noqa: PTH207 (a pattern may be an absolute path)
    return [Path(one) for one in fitting] or [path]


def read_tables(
    path: Path, *groups: Mapping[str, WantedColumn], encoding: str | None = None
) -> Table:
    """`read_table` of a file, or of all `files_of` a pattern, one after the other. A column that some of them lack is
    empty there.

    :raises NrlDedupError: what `read_table` raises; a column holds lists in some of the files, and text in others.
    """
    files = files_of(path)
    if files == [path]:
        return read_table(path, *groups, encoding=encoding)
    tables = [read_table(one, *groups, encoding=encoding) for one in files]
    bad_rows = []
    for file, table in zip(files, tables, strict=True):
        bad_rows += [BadRow(row.line, f"{row.reason} ({file.name})") for row in table.bad_rows]
    taken: dict[str, str] = {}
    header: dict[str, None] = {}
    notes = []
    for file, table in zip(files, tables, strict=True):
        taken = {**table.taken, **taken}
        header |= dict.fromkeys(table.header)
        notes += [f"{file.name}: {note}" for note in table.notes]
    try:
        together = pl.concat([table.frame for table in tables], how="diagonal")
    except pl.exceptions.PolarsError as error:
        raise NrlDedupError(
            f"{path}: a column holds lists in some of the {len(files)} files and text in others. Write all of them in "
            "the same way."
        ) from error
    texts = pl.selectors.string()
    return replace(
        tables[0],
        frame=together.with_columns(texts.fill_null("")),
        bad_rows=tuple(bad_rows[:LISTED]),
        bad_count=sum(table.bad_count for table in tables),
        taken=taken,
        header=tuple(header),
        notes=tuple(notes),
    )
