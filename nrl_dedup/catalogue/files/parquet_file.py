"""A Parquet file's columns as text: the one place that says which of its types are read, and how.

| type | read as |
|---|---|
| text, categories, enumerations, bytes that are UTF-8 | that text; a row with other bytes is a bad row |
| whole numbers, decimals, floats, true and false | as polars writes them; a float that is no number is empty |
| dates, times | as ISO 8601 writes them |
| lists and arrays of these | joined by `WantedColumn.joint`; a list where that is None |
| all values null | empty |
| structs, lists of lists or structs, all else | refused, by the column's name and type |

Ids are text or whole numbers, decimals without fraction among them: of a float, 7 has become 7.0.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nrl_dedup.catalogue.files.parquet_footer import check_parquet
from nrl_dedup.catalogue.files.table_rows import LINE, Table
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn, find_columns
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.silent_stderr import silent_stderr


def read_parquet(path: Path, groups: Sequence[Mapping[str, WantedColumn]]) -> Table:
    """The columns of `path` that `groups` describe. A column without a flag, which nobody asked for, that is of a type
    that is not read is left aside, with a note. A cell that is no text in UTF-8 makes its row a bad row in a column of
    the first group, and is null in the others.

    :raises NrlDedupError: what `find_columns` raises; a file that is damaged, or declares sizes that it cannot have; a
        column of a type that is not read.
    """
    check_parquet(path, ())
    wanted = {key: column for group in reversed(groups) for key, column in group.items()}
    try:
        with silent_stderr():
            schema = pl.scan_parquet(path, glob=False).collect_schema()
            header = schema.names()
            fitting = {
                key: [header[place] for place in places]
                for key, places in find_columns(path, header, groups).items()
            }
            check_parquet(path, {name for names in fitting.values() for name in names})
            found = {key: _first_filled(path, names) for key, names in fitting.items()}
            found, notes = _readable(path, schema, found, wanted)
            frame = pl.scan_parquet(path, glob=False).select(
                pl.col(name).alias(key) for key, name in found.items()
            )
            read = frame.collect()
            columns = [
                _as_text(path, read[key], name, wanted[key].joint) for key, name in found.items()
            ]
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        ValueError,
        OverflowError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise NrlDedupError(
            f"{path}: this Parquet file cannot be read ({reason}). Write it anew."
        ) from error
    table = Table(
        pl.DataFrame([*columns, pl.Series(LINE, np.arange(1, read.height + 1), pl.Int64)]),
        taken=found,
        header=tuple(header),
        notes=tuple(notes),
    )
    for key, name in found.items():
        if key in groups[0]:
            table = table.without(pl.col(key).is_null(), f"its {name} is no text in UTF-8")
    return table


def _first_filled(path: Path, names: list[str]) -> str:
    """The first of these columns that has a value, or else the first."""
    if len(names) == 1:
        return names[0]
    filled = pl.scan_parquet(path, glob=False).select(pl.col(names).count()).collect().row(0)
    return next((name for name, count in zip(names, filled, strict=True) if count), names[0])


def _readable(
    path: Path, schema: Mapping[str, Any], found: dict[str, str], wanted: Mapping[str, WantedColumn]
) -> tuple[dict[str, str], list[str]]:
    """What of `found` is of a type that is read, and notes on what is not."""
    kept, notes = {}, []
    for key, name in found.items():
        kind, column = schema[name], wanted[key]
        if column.identifier:
            if not _is_identifier(kind):
                raise NrlDedupError(
                    f"{path}: the column {name} holds {kind}; ids must be text or whole numbers. Store them as such."
                )
        elif not _is_plain(getattr(kind, "inner", None) or kind):
            if column.flag:
                raise NrlDedupError(
                    f"{path}: the column {name} holds {kind}; text, numbers, dates or lists of them were wanted. Store "
                    f"it as such, leave it out, or name another with {column.flag}."
                )
            notes.append(f'"{name}" holds {kind}, which is not compared.')
            continue
        kept[key] = name
    return kept, notes


def _is_identifier(kind: Any) -> bool:
    whole = isinstance(kind, pl.Decimal) and kind.scale == 0
    return kind.is_integer() or whole or kind in (pl.String, pl.Categorical, pl.Enum, pl.Binary)


def _is_plain(kind: Any) -> bool:
    texts = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Boolean, pl.Null)
    return kind.is_numeric() or kind in texts or kind in (pl.Date, pl.Datetime, pl.Time)


def _as_text(path: Path, column: pl.Series, name: str, joint: str | None) -> pl.Series:
    """Text, or lists of text where `joint` is None; null where bytes are no UTF-8."""
    try:
        if isinstance(column.dtype, pl.Array):
            column = column.arr.to_list()
        if not isinstance(column.dtype, pl.List):
            return _plain_text(column)
        lists = _lists_of_text(column)
    except pl.exceptions.PolarsError as error:
        raise NrlDedupError(
            f"{path}: the column {name} holds {column.dtype}, and cannot be read as text ({error})."
        ) from error
    return lists if joint is None else lists.list.join(joint)


def _plain_text(values: pl.Series) -> pl.Series:
    if values.dtype.is_float():
        values = values.fill_nan(None)
    missing = values.is_null()
    texts = _decoded(values) if isinstance(values.dtype, pl.Binary) else values.cast(pl.String)
    return (
        texts.to_frame().select(pl.when(~missing).then(pl.all()).otherwise(pl.lit(""))).to_series()
    )


def _lists_of_text(lists: pl.Series) -> pl.Series:
    value = pl.element().fill_nan(None) if lists.dtype.inner.is_float() else pl.element()  # type: ignore[attr-defined]
    lists = (
        lists.list.eval(value.drop_nulls())
        .to_frame()
        .select(pl.all().fill_null(pl.lit([])))
        .to_series()
    )
    if lists.dtype == pl.List(pl.Binary):
        return _decoded(lists)
    return lists.cast(pl.List(pl.String))


def _decoded(values: pl.Series) -> pl.Series:
    kind = pl.List(pl.String) if isinstance(values.dtype, pl.List) else pl.String()
    try:
        return values.cast(kind)
    except pl.exceptions.ComputeError:  # one value is no UTF-8
        return pl.Series(
            values.name, [_text_or_none(value) for value in values.to_list()], dtype=kind
        )


def _text_or_none(value: bytes | list[bytes] | None) -> str | list[str] | None:
    try:
        if isinstance(value, list):
            return [one.decode() for one in value]
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
