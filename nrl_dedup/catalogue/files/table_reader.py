"""CSV and Parquet files as text columns, each found by its usual names or by the name that the user gave."""

from collections.abc import Mapping
from pathlib import Path

from nrl_dedup.catalogue.files.csv_file import read_csv
from nrl_dedup.catalogue.files.file_kinds import PARQUET
from nrl_dedup.catalogue.files.parquet_file import read_parquet
from nrl_dedup.catalogue.files.table_rows import Table
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.plain_file import check_regular_file

_WANTED = "a CSV or Parquet file"


def read_table(
    path: Path, *groups: Mapping[str, WantedColumn], encoding: str | None = None
) -> Table:
    """The columns of `path` that `groups` describe, under their keys, read once for all groups.

    Each group is looked for by itself, so that a column may be of several; of those of a group that are not required,
    one must be there.

    Everything is read as text and empty cells are ""; a Parquet column of lists stays one, of text, where
    `WantedColumn.joint` is None. Rows come in the file's order. Of the columns that fit, the first by
    `WantedColumn.names` that has a value is taken, of several of that name the one with the most; in a group, a column
    that the user gave for one thing is not taken for another.

    :param encoding: of a CSV file; None for UTF-8.
    :raises NrlDedupError: no such file, or no file at all (a pipe, a device); an empty file; a file of another kind or
        in another encoding; a required or named column that is not there; not one readable row where there are rows.
    """
    check_regular_file(path, _WANTED)
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            raise NrlDedupError(f"{path}: the file is empty (0 bytes); {_WANTED} was wanted.")
        table = read_parquet(path, groups) if start == PARQUET else read_csv(path, groups, encoding)
    except OSError as error:
        raise NrlDedupError(
            f"{path}: cannot be read ({error.strerror or error}); wanted {_WANTED}."
        ) from error
    if table.bad_count and table.frame.is_empty():
        first = table.bad_rows[0]
        raise NrlDedupError(
            f"{path}: none of its {table.bad_count} rows can be read; line {first.line}: {first.reason}."
        )
    return table
