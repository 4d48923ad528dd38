"""What a column of comparison vectors is: which way a higher value can speak, and the words that `explain` has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum


class Direction(IntEnum):
    """What a higher value of a column may do to the log-odds of a duplicate.

    The numbers are those of LightGBM's monotone constraints.
    """

    NEVER_RAISES = -1
    EITHER = 0
    NEVER_LOWERS = 1


class Unit(Enum):
    """How `explain` writes a value."""

    NUMBER = "number"
    COUNT = "count"
    SHARE = "share"  # from 0 to 1
    SHARE_OF_BITS = "share of bits"  # from 0 to 1
    YES_OR_NO = "yes or no"  # yes: above 0
    LOG_KILOMETRES = "ln(1 + kilometres)"


@dataclass(frozen=True)
class Column:
    """`words`: what it compares, as `explain` shows it."""

    words: str
    unit: Unit = Unit.NUMBER
    direction: Direction = Direction.EITHER


def with_endings(name: str, words: str, endings: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of one comparison: its name with each ending, its words in place of `{}` in those of the ending."""
    columns = {}
    for ending, column in endings.items():
        columns[name + ending] = replace(column, words=column.words.format(words))
    return columns


def columns_of_each(
    words_of: Mapping[str, str], endings: Mapping[str, Column]
) -> dict[str, Column]:
    """`with_endings` of several comparisons: of each name, with its words."""
    columns: dict[str, Column] = {}
    for name, words in words_of.items():
        columns |= with_endings(name, words, endings)
    return columns
