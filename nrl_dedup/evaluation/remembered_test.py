"""The test pairs that bundles remember: those of several must be the same, and the catalogue that of the training."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.bundle.parts import SPLIT_SOURCES
from nrl_dedup.catalogue.fingerprint import fingerprint
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.sides import rows_of_pairs
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.evaluate import Contender

_TEST = ["item_id_l", "item_id_r", "is_duplicate", "weight"]


def check_same_test(contenders: Sequence[Contender]) -> None:
    """Figures can be compared only if they are of the same pairs, and there must be some.

    :raises NrlDedupError: a bundle was trained without labels; or two bundles were trained on different ads, or
        remember other pairs, labels or weights for the test. It names the two and what differs.
    """
    for contender in contenders:
        if not contender.bundle.labelled:
            raise NrlDedupError(
                f"{contender.name} was trained without labels: it remembers no test pairs, and only labelled pairs can "
                "say how good it is. Name some: --items CSV --pairs CSV."
            )
    first = contenders[0]
    for other in contenders[1:]:
        difference = _difference(first.bundle, other.bundle)
        if difference:
            raise NrlDedupError(
                f"{first.name} and {other.name} cannot stand side by side on the test pairs that they remember: "
                f"{difference}. Train them on the same files with the same --split and --seed, or name the data: "
                "--items CSV --pairs CSV."
            )


def _difference(first: Bundle, other: Bundle) -> str:
    if first.data.fingerprint != other.data.fingerprint:
        items = " and ".join(str(bundle.data_path(bundle.data.items)) for bundle in (first, other))
        return f"they were trained on different ads ({items})"
    sources = [name for name in SPLIT_SOURCES if name in first.split.columns]
    tests = [
        bundle.split.filter(pl.col("side") == "test").select(_TEST + sources)
        for bundle in (first, other)
    ]
    both = tests[0].join(tests[1], on=_TEST[:2] + sources, how="full", coalesce=True)
    shared = both.drop_nulls().sort(_TEST[:2])
    if len(shared) < len(both):
        return f"their test pairs differ ({len(tests[0]):,} and {len(tests[1]):,} pairs, {len(shared):,} in both)"
    relabelled = shared.filter(pl.col("is_duplicate") != pl.col("is_duplicate_right"))
    if len(relabelled):
        pair = " and ".join(relabelled.row(0)[:2])
        return f"{len(relabelled):,} test pairs have other labels, the first of them {pair}"
    if not np.allclose(shared["weight"], shared["weight_right"]):
        return "their test pairs have other weights, so the whole sets have other class ratios"
    return ""


def remembered_test(bundle: Bundle, catalogue: Catalogue) -> pl.DataFrame:
    """The test split that the bundle remembers, as rows of `catalogue`.

    :raises NrlDedupError: the catalogue is not the one that the model was trained on.
    """
    if fingerprint(catalogue) != bundle.data.fingerprint:
        raise NrlDedupError(
            f"{catalogue.path}: the file has changed since the model was trained, so its remembered test split "
            "means nothing. Name the data: --items CSV --pairs CSV."
        )
    test = bundle.split.filter(pl.col("side") == "test")
    row_l, row_r = rows_of_pairs(catalogue, test)
    return test.select(
        row_l=row_l,
        row_r=row_r,
        is_duplicate="is_duplicate",
        weight="weight",
    )
