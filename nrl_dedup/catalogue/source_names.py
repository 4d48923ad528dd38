"""What the sources of ads are called: by the values of a column, or by the names of two files."""

from pathlib import Path

import polars as pl

from nrl_dedup.errors import NrlDedupError

MAX_SOURCES = 1_000  # each has an index of its own, which all other ads ask

_SHOWN = 10  # sources that are named in a line


def names_in_column(path: Path, column: str, source: pl.Series) -> tuple[str, ...]:
    """The sources in the order of their names.

    :param column: what the file calls `source`, which has the source of each ad.
    :raises NrlDedupError: there is one only, or more than `MAX_SOURCES`.
    """
    names = source.unique().sort().to_list()
    if len(names) == 1:
        raise NrlDedupError(
            f"{path}: all {len(source):,} ads have the source {names[0]!r} (--source {column}), and only ads of "
            "different sources are linked. Name another column, or leave out --source."
        )
    if len(names) > MAX_SOURCES:
        raise NrlDedupError(
            f"{path}: --source {column} names {len(names):,} sources for {len(source):,} ads; wanted at most "
            f"{MAX_SOURCES:,}. Name a column that many ads share, such as the name of a shop."
        )
    return tuple(names)


def names_of_files(left: Path, right: Path) -> tuple[str, str]:
    """The stems of two files; where these are equal, with the names of their folders, or numbered.

    :raises NrlDedupError: both are one file.
    """
    if left.resolve() == right.resolve():
        raise NrlDedupError(
            f"{left} is named twice, and each of its ads would be linked with itself. Name two files; or name it "
            "once, to find the duplicates inside it."
        )
    if left.stem != right.stem:
        return left.stem, right.stem
    folders = [path.resolve().parent.name for path in (left, right)]
    if folders[0] != folders[1]:
        return f"{folders[0]}/{left.stem}", f"{folders[1]}/{right.stem}"
    return f"{left.stem} 1", f"{right.stem} 2"


def sources_in_words(source: pl.Series, names: tuple[str, ...]) -> str:
    """One line: the sources, and how many ads each has. `source`: of each ad, one of `names`."""
    count = dict(source.value_counts().iter_rows())
    shown = [f"{name} ({count.get(name, 0):,} ads)" for name in names[:_SHOWN]]
    others = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    listed = ", ".join(shown)
    return f"{len(names)} sources: {listed}{others}. Only ads of different sources are linked."
