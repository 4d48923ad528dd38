"""Two files as one catalogue, in which only ads of different files can be linked."""

from dataclasses import replace

import polars as pl

from nrl_dedup.catalogue.read import Catalogue, by_id
from nrl_dedup.catalogue.source_names import names_of_files
from nrl_dedup.errors import NrlDedupError


def joined(left: Catalogue, right: Catalogue, named: dict[str, str] | None = None) -> Catalogue:
    """The ads of two files (`read_catalogue`, which `may_lack` columns), each file being a source.

    Ads are compared by the columns that both files have; `notes` say, in sentences, what only one has. The path is that
    of the left file.

    :param named: what the user calls columns, by the option: each must be in one of the files.
    :raises NrlDedupError: what `names_of_files` raises; neither file has a named column.
    """
    names = names_of_files(left.path, right.path)
    for option, column in (named or {}).items():
        if column not in left.header and column not in right.header:
            raise NrlDedupError(
                f"neither {left.path} nor {right.path} has a column {column!r} ({option})."
            )
    shared = [name for name in left.further.columns if name in right.further.columns]
    parts = []
    for catalogue, name in zip((left, right), names, strict=True):
        further = catalogue.further.select(pl.col(shared).name.prefix("further "))
        by = catalogue.by.select(pl.all().name.prefix("by "))
        source = pl.Series("source", [name], pl.String).new_from_index(0, len(catalogue))
        parts.append(pl.concat([catalogue.frame, further, by, source.to_frame()], how="horizontal"))
    together = pl.concat(parts, how="diagonal")
    sliced_by = [name for name in together.columns if name.startswith("by ")]
    rows = by_id(together.with_columns(pl.col(sliced_by).fill_null("")))
    return replace(
        left,
        frame=rows.select(left.frame.columns),
        bad_rows=(),
        bad_count=left.bad_count + right.bad_count,
        further=rows.select(pl.col(f"further {name}").alias(name) for name in shared),
        compared=tuple(name for name in left.compared if name in shared),
        by=rows.select(pl.col(name).alias(name.removeprefix("by ")) for name in sliced_by),
        nothing=left.nothing + right.nothing,
        notes=tuple(_only_in_one(left, right, shared)),
        source=rows["source"],
        source_names=names,
        other=right.path,
    )


def _only_in_one(left: Catalogue, right: Catalogue, shared: list[str]) -> list[str]:
    notes = []
    for one, other in ((left, right), (right, left)):
        only = [name for name in one.further.columns if name not in shared]
        if only:
            notes.append(
                f"Only {one.path} has the column {', '.join(only)}, so ads are not compared by it."
            )
        missing = [
            role
            for role in ("title", "description")
            if role in one.taken and role not in other.taken
        ]
        if missing:
            notes.append(f"Only {one.path} has a {' and a '.join(missing)}.")
    return notes
