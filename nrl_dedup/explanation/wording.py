"""The columns of comparison vectors and their values, in plain words."""

from math import expm1

from nrl_dedup.comparison.ad_profiles import column_named
from nrl_dedup.comparison.columns import Column, Unit
from nrl_dedup.scoring.competitors import COLUMNS as COMPETITOR_COLUMNS
from nrl_dedup.scoring.siamese import SIAMESE

# What a score beside the comparisons of a pair is made of.
_OF_SCORES = {**COMPETITOR_COLUMNS, SIAMESE: Column("the network's view alike")}


def name_in_words(name: str) -> str:
    """What a column compares; an unknown column keeps its name."""
    return _column(name).words


def value_in_words(name: str, value: float | None) -> str:
    """A value of such a column: a share in per cent, a count as one, yes or no; `-` where a side is missing."""
    if value is None:
        return "-"
    unit = _column(name).unit
    if unit is Unit.SHARE_OF_BITS:
        return f"{value:.0%} of the bits"
    if unit is Unit.YES_OR_NO:
        return "yes" if value > 0 else "no"
    if unit is Unit.LOG_KILOMETRES:
        return f"{expm1(value):.1f} km"
    if unit is Unit.SHARE:
        return f"{value:.0%}"
    if unit is Unit.COUNT:
        return f"{value:.0f}"
    return f"{value:.2f}"


def _column(name: str) -> Column:
    if name in _OF_SCORES:
        return _OF_SCORES[name]
    return column_named(name)
