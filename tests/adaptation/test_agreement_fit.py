"""What agreeing identifiers are worth, learned without labels, against counts by hand."""

from math import log

import numpy as np
import pytest

from nrl_dedup.adaptation.agreement_fit import (
    PRIOR_PAIRS,
    VARIANT_WEIGHT,
    fit_agreement,
)
from nrl_dedup.comparison.compare import ComparisonVectors
from nrl_dedup.comparison.identifiers import Agreement

NAN = np.nan
Made = tuple[np.ndarray, ComparisonVectors, np.ndarray, np.ndarray]


def codes_only(agreement: list[float]) -> ComparisonVectors:
    values = np.array(agreement, np.float32)[:, None]
    return ComparisonVectors(values, ("title_codes",), ("codes",))


def smoothed_ratios(likely: list[int], others: list[int]) -> list[float]:
    """log(m / u) of each value, from counts; ten pairs of either kind agree as all pairs together do."""
    both = [one + other for one, other in zip(likely, others, strict=True)]
    found = []
    for place, count in enumerate(both):
        prior = PRIOR_PAIRS * count / sum(both)
        m = (likely[place] + prior) / (sum(likely) + PRIOR_PAIRS)
        u = (others[place] + prior) / (sum(others) + PRIOR_PAIRS)
        found.append(log((m + 1e-9) / (u + 1e-9)))
    return found


def test_the_weights_are_those_of_a_table_counted_by_hand() -> None:
    # Four pairs are each other's best. The better two, 0-1 and 2-3, stand for duplicates; the next three candidates of
    # each of their four ads for others: a pair of two of these ads counts for both.
    pairs = {
        (0, 1): (9.0, Agreement.SAME),
        (2, 3): (8.0, Agreement.SAME),
        (4, 5): (7.0, Agreement.DIFFERENT),  # of the worse half
        (6, 7): (6.0, Agreement.DIFFERENT),
        (0, 2): (5.0, Agreement.DIFFERENT),  # next best of 0, and of 2
        (1, 3): (4.0, Agreement.PARTLY),  # of 1, and of 3
        (0, 4): (3.0, Agreement.SAME),  # of 0
        (1, 4): (2.0, NAN),  # of 1; it has no value, so it does not count
        (0, 5): (1.0, Agreement.DIFFERENT),  # of 0: its third
        (0, 6): (0.0, Agreement.BEGINNING),  # its fourth
    }
    left, right = np.array(list(pairs)).T
    base, agreement = np.array(list(pairs.values())).T
    found = fit_agreement(base, codes_only(agreement.tolist()), left, right)
    # Likely: two the same. Others: one the same, 1-3 partly twice, 0-2 different twice, 0-5 once.
    assert found.of_column.keys() == {"title_codes"}
    assert found.of_column["title_codes"] == pytest.approx(
        smoothed_ratios([2, 0, 0, 0], [1, 2, 0, 3])
    )


def made_catalogue(own_codes: bool, seed: int = 0) -> Made:
    """300 things posted twice, each with a sibling: ads 4 i and 4 i + 1 are the one thing, 4 i + 2 and 4 i + 3 the
    other. Codes of two postings are the same, or are the shops' own."""
    draw = np.random.default_rng(seed)
    first = np.arange(0, 1200, 4)
    ends = [(0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)]
    left = np.concatenate([first + a for a, _ in ends])
    right = np.concatenate([first + b for _, b in ends])
    is_duplicate = np.arange(len(left)) < 600
    base = np.where(is_duplicate, 3.0, 0.0) + draw.normal(size=len(left))
    says_same = draw.random(len(left)) < np.where(is_duplicate, 0.9, 0.1)
    if own_codes:
        says_same = draw.random(len(left)) < 0.1
    codes = np.where(says_same, Agreement.SAME, Agreement.DIFFERENT).astype(np.float32)
    codes[draw.random(len(left)) < 0.2] = np.nan
    sizes = draw.integers(1, 5, size=len(left)).astype(np.float32)  # says nothing of duplicates
    variant = np.zeros(len(left), np.float32)
    values = np.stack([codes, sizes, variant], axis=1)
    names = ("title_codes", "title_sizes", "variant")
    return base, ComparisonVectors(values, names, ("codes",) * 3), left, right


def test_a_veto_is_learned_where_codes_tell_and_none_where_shops_have_their_own() -> None:
    same, _, _, different = fit_agreement(*made_catalogue(own_codes=False)).of_column["title_codes"]
    assert same == pytest.approx(log(0.9 / 0.1), abs=0.5) and different == pytest.approx(
        log(0.1 / 0.9), abs=0.5
    )
    own = fit_agreement(*made_catalogue(own_codes=True)).of_column["title_codes"]
    assert abs(own[Agreement.DIFFERENT - 1]) < 0.1


def test_what_says_nothing_weighs_nothing_and_variants_have_a_fixed_weight() -> None:
    found = fit_agreement(*made_catalogue(own_codes=False)).of_column
    assert np.abs(found["title_sizes"]).max() < 0.5
    assert found["variant"] == (VARIANT_WEIGHT,) == (-10.0,)
    assert found.keys() == {"title_codes", "title_sizes", "variant"}


def test_a_column_does_not_teach_itself() -> None:
    """Where the rest knows nothing, a column's own values do not come back as its weights."""
    base, evidence, left, right = made_catalogue(own_codes=False)
    noise = np.random.default_rng(1).normal(size=len(base))
    found = fit_agreement(noise, codes_only(evidence.values[:, 0].tolist()), left, right)
    assert np.abs(found.of_column["title_codes"]).max() < 0.5


def test_the_order_of_ads_and_pairs_does_not_matter() -> None:
    base, evidence, left, right = made_catalogue(own_codes=False)
    order = np.random.default_rng(2).permutation(len(base))
    plain = fit_agreement(base, evidence, left, right)
    mixed = fit_agreement(base[order], evidence.take(order), right[order], left[order])
    assert mixed == plain


def test_no_pairs_give_no_weights() -> None:
    none = np.zeros(0, np.int64)
    evidence = ComparisonVectors(np.zeros((0, 1), np.float32), ("title_codes",), ("codes",))
    assert fit_agreement(np.zeros(0), evidence, none, none).of_column == {}
