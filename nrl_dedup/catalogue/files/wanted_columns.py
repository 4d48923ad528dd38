"""The columns of a file that a stage wants, found by their usual names or by the name that the user gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nrl_dedup.errors import NrlDedupError


@dataclass(frozen=True)
class WantedColumn:
    """A column to look for.

    `names` are its usual names, the likeliest first, compared without case, `_`, `-` and spaces; `given` is the
    user's own name for it, compared exactly, and `flag` the option that takes it. A column without usual names may be
    one that is something else as well. `identifier` columns hold text or whole numbers: a Parquet column of floats,
    where 7 has become 7.0, is refused. `joint` is what separates the values of a Parquet cell that is a list;
    None where a list stays one. `may_lack`: a file without the column that the user named is read by the usual names.
    """

    flag: str
    names: tuple[str, ...]
    given: str | None = None
    required: bool = True
    identifier: bool = False
    joint: str | None = ", "
    may_lack: bool = False

    def is_named_in(self, header: Sequence[str]) -> bool:
        """Whether the user named it, and that is what to look for."""
        if self.given is None:
            return False
        return self.given in header or not self.may_lack


def find_columns(
    path: Path,
    header: Sequence[str],
    groups: Sequence[Mapping[str, WantedColumn]],
    separator: str | None = None,
) -> dict[str, tuple[int, ...]]:
    """The positions in `header` of the columns that fit each wanted one, the likeliest first.

    Those are the earlier of `WantedColumn.names`, then the earlier in the file. Each group is looked for by itself, as
    a column may be of several; a key of two groups is that of the first. In a group, a column that the user gave for
    one thing is not taken for another, and of those not required, one must be there.

    :param separator: what the header was cut by, in words, for messages.
    :raises NrlDedupError: a required or named column that is not there.
    """
    shown = f"Found the columns: {', '.join(header)}."
    if separator:
        shown += f" They are separated by {separator}; a first line sep=; in the file would name semicolons."
    found: dict[str, tuple[int, ...]] = {}
    for group in groups:
        for key, positions in _find_group(path, header, group, shown).items():
            found.setdefault(key, positions)
    return found


def _find_group(
    path: Path, header: Sequence[str], wanted: Mapping[str, WantedColumn], shown: str
) -> dict[str, tuple[int, ...]]:
    found = {}
    taken: set[int] = set()
    for key, column in wanted.items():
        if not column.is_named_in(header):
            continue
        if column.given not in header:
            raise NrlDedupError(f"{path}: no column {column.given!r} ({column.flag}). {shown}")
        found[key] = tuple(place for place, name in enumerate(header) if name == column.given)
        if column.names:
            taken.update(found[key])
    plain_names = ["" if place in taken else plain_name(name) for place, name in enumerate(header)]
    for key, column in wanted.items():
        if column.is_named_in(header):
            continue
        fitting = []
        for usual_name in column.names:
            plain = plain_name(usual_name)
            fitting += [place for place, name in enumerate(plain_names) if name == plain]
        if fitting:
            found[key] = tuple(dict.fromkeys(fitting))
        elif column.required:
            raise NrlDedupError(
                f"{path}: wanted a column named one of {', '.join(column.names)}. {shown} "
                f"Name the right one with {column.flag}."
            )
    optional = {key: column for key, column in wanted.items() if not column.required}
    if optional and not optional.keys() & found.keys():
        names = ", ".join(name for column in optional.values() for name in column.names)
        flags = ", ".join(column.flag for column in optional.values())
        raise NrlDedupError(
            f"{path}: wanted at least one of {names}. {shown} Name one with {flags}."
        )
    return found


def plain_name(name: str) -> str:
    """What names of columns are compared by."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").removeprefix("\ufeff")
