"""The columns that ads are compared by beside their texts and photos: price, category, place, phone, brand and others.

The usual ones are found by their usual names and have one name whatever the file calls them, so that what is learned
on one catalogue can be used on another. The others are those that the user named, or that a bundle was trained with;
they keep their own names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from nrl_dedup.catalogue.cells.empty_cells import emptied
from nrl_dedup.catalogue.cells.written_numbers import NoNumbers, read_numbers
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.usual_names import COMPARED_NAMES

_FLAG = "--compare"
# The columns of numbers, and whether `1,500` in them may be a thousand and a half thousand: not in degrees.
_NUMERIC = {"price": True, "latitude": False, "longitude": False}


@dataclass(frozen=True)
class ComparedColumns:
    """The columns that were found and have a value.

    `frame`: text (String) by row, null or "" where a cell is empty, under the columns' own names. `named`: those that
    were asked for by name. `taken`: what the file calls each. `empty_words`: how many of their cells hold `nan`, `NULL`
    or the like. `notes`: a line for each column of numbers that holds other text.
    """

    frame: pl.DataFrame
    named: tuple[str, ...]
    taken: Mapping[str, str]
    empty_words: int
    notes: tuple[str, ...]


def wanted_to_compare(
    names: Sequence[str], remembered: Sequence[str], *, may_lack: bool = False
) -> tuple[dict[str, WantedColumn], dict[str, str]]:
    """What to look for in the file, by key; and the key of each column that is asked for by name.

    :param names: columns that the user named; they must be there.
    :param remembered: columns that a bundle was trained with; they may be missing.
    :param may_lack: whether those of `names` may be missing too.
    """
    wanted = {}
    for name, usual_names in COMPARED_NAMES.items():
        wanted[name] = WantedColumn("", usual_names, required=False)
    key_of = {}
    for place, name in enumerate(dict.fromkeys([*names, *remembered])):
        key = f"compared {place}"
        key_of[name] = key
        if name in names:
            wanted[key] = WantedColumn(_FLAG, (), name, required=not may_lack, may_lack=may_lack)
        else:
            wanted[key] = WantedColumn(_FLAG, (name,), required=False)
    return wanted, key_of


def choose_compared(
    rows: pl.DataFrame, taken: Mapping[str, str], key_of: Mapping[str, str]
) -> ComparedColumns:
    """The columns of `wanted_to_compare` that have a value. One asked for by name that is found already is left out.

    :param rows: text (String) by row of the catalogue, the columns under their keys.
    :param taken: what the file calls each key that it has.
    :param key_of: the key of each column that is asked for by name.
    """
    filled = {}
    empty_words = {}
    for key in (*COMPARED_NAMES, *key_of.values()):
        if key not in taken:
            continue
        texts, count = emptied(rows[key])
        if (texts != "").any():
            filled[key] = texts
            empty_words[key] = count
    key_chosen = {name: name for name in COMPARED_NAMES if name in filled}
    for name, key in key_of.items():
        if key not in filled:
            continue
        chosen_already = [filled[other] for other in key_chosen.values()]
        if not any(filled[key].equals(texts) for texts in chosen_already):
            key_chosen[name] = key
    columns = {name: filled[key] for name, key in key_chosen.items()}
    taken_by_name = {name: taken[key] for name, key in key_chosen.items()}
    return ComparedColumns(
        frame=pl.DataFrame(columns),
        named=tuple(name for name in key_of if name in columns),
        taken=taken_by_name,
        empty_words=sum(empty_words[key] for key in key_chosen.values()),
        notes=tuple(_notes_on_numbers(columns, taken_by_name)),
    )


def _notes_on_numbers(columns: Mapping[str, pl.Series], taken: Mapping[str, str]) -> list[str]:
    """A line for each column that its name says is one of numbers, and that is not."""
    notes = []
    for name, may_have_thousands in _NUMERIC.items():
        if name not in columns:
            continue
        found = read_numbers(columns[name], thousands=may_have_thousands)
        if isinstance(found, NoNumbers) and found.others:
            notes.append(
                f'"{taken[name]}" is not compared as numbers: {found.others:,} of its {found.there:,} values are none, '
                f"the first {found.first!r}."
            )
    return notes
