"""How the identifiers of two titles agree, against sets of them in plain Python."""

import pickle

import numpy as np
import polars as pl
import pytest

from nrl_dedup.comparison.base import Comparison
from nrl_dedup.comparison.identifiers import IDENTIFIER_COLUMNS, Agreement, identifier_comparisons

SAME, PARTLY, BEGINNING, DIFFERENT = map(int, Agreement)
NONE = None  # of one title at least


def compared(titles: list[str | None]) -> dict[str, dict[tuple[int, int], int | None]]:
    """The agreement of every two titles, in either order, by column."""
    count = len(titles)
    rows_l = np.repeat(np.arange(count), count)
    rows_r = np.tile(np.arange(count), count)
    found = {}
    for comparison in identifier_comparisons(pl.Series(titles, dtype=pl.String)):
        assert isinstance(comparison, Comparison)
        ((name, values),) = comparison.compare(rows_l, rows_r).items()
        assert values.dtype == np.float32
        agreements = [None if np.isnan(value) else int(value) for value in values]
        pairs = zip(rows_l.tolist(), rows_r.tolist(), strict=True)
        found[name] = dict(zip(pairs, agreements, strict=True))
    return found


def agreement(left: set[str], right: set[str], beginnings: bool = False) -> int | None:
    if not left or not right:
        return None
    if left & right:
        return SAME if left <= right or right <= left else PARTLY
    for one in left:
        for other in right:
            if beginnings and (one.startswith(other) or other.startswith(one)):
                return BEGINNING
    return DIFFERENT


# The codes, the numbers and the sizes that a person reads in each title.
TITLES: list[tuple[str | None, set[str], set[str], set[str]]] = [
    ("Denon AVR-1709 receiver", {"avr1709"}, {"1709"}, set()),
    ("Denon AVR1709, AVR1609", {"avr1709", "avr1609"}, set(), set()),
    ("denon avr/1609", {"avr1609"}, {"1609"}, set()),
    ("fridge LDF6920, 24 inch", {"ldf6920"}, {"24"}, {"24inch"}),
    ("fridge LDF6920/ST 24-inch", {"ldf6920st", "24inch"}, {"24"}, {"24inch"}),
    ("rope 4 4 inch", set(), {"4"}, {"4inch"}),
    ("rope 4 inch, 3 kg", set(), {"4", "3"}, {"4inch", "3kg"}),
    ("rope 4 inch, 10 l", set(), {"4", "10"}, {"4inch", "10l"}),
    ("flour 2,5 kg 10 l", set(), {"2,5", "10"}, {"2.5kg", "10l"}),
    ("flour 2.5kg", {"2.5kg"}, set(), {"2.5kg"}),
    ("дрель 18 В", set(), {"18"}, {"18в"}),
    ("nothing of the kind", set(), set(), set()),
    ("", set(), set(), set()),
    (None, set(), set(), set()),
]


@pytest.mark.parametrize(("name", "place"), [("title_numbers", 2), ("title_sizes", 3)])
def test_terms_agree_as_their_sets_do(name: str, place: int) -> None:
    found = compared([row[0] for row in TITLES])[name]
    expected = {}
    for at, left in enumerate(TITLES):
        for other, right in enumerate(TITLES):
            expected[at, other] = agreement(left[place], right[place])
    assert found == expected
    assert set(expected.values()) == {SAME, PARTLY, DIFFERENT, NONE}


def test_codes_agree_as_their_sets_do_or_begin_one_another() -> None:
    draw = np.random.default_rng(0)
    pool = ["ab12", "ab123", "ab1234", "zab12", "x9y9", "12ab", "12abc", "q7q7q7", "q7q7"]
    sets = [set(draw.choice(pool, size=draw.integers(0, 4)).tolist()) for _ in range(40)]
    found = compared([" and ".join(["lamp", *sorted(codes)]) for codes in sets])["title_codes"]
    expected = {}
    for at, left in enumerate(sets):
        for other, right in enumerate(sets):
            expected[at, other] = agreement(left, right, beginnings=True)
    assert found == expected
    assert set(expected.values()) == {SAME, PARTLY, BEGINNING, DIFFERENT, NONE}


def test_the_signs_that_join_a_code_do_not_count() -> None:
    found = compared(["tv LDF-6920/BB", "LDF6920BB", "LDF.6920", "LDF 6921"])["title_codes"]
    assert found[0, 1] == SAME and found[0, 2] == BEGINNING and found[0, 3] is None


def test_only_sizes_of_the_same_unit_differ() -> None:
    titles = [
        "ram 4 gb",
        "ram 8gb",
        "flour 2 kg",
        "phone 4 GB 64 GB 5 inch",
        "phone 4 gb 64gb 6 inch",
    ]
    found = compared([*titles, "disk 64 gb, 2 kg"])["title_units"]
    assert found[0, 1] == DIFFERENT and found[0, 2] is None
    assert found[0, 3] == SAME  # 4 gb of 4 and 64; the inches are of one ad alone
    assert found[3, 4] == PARTLY  # two sizes in gb do not stand for the inches, which differ
    assert found[3, 5] == SAME and found[1, 3] == DIFFERENT
    assert found[2, 5] == SAME


def test_the_order_of_two_ads_does_not_matter() -> None:
    found = compared([row[0] for row in TITLES])
    assert found.keys() == IDENTIFIER_COLUMNS.keys()
    for of_pairs in found.values():
        assert all(value == of_pairs[pair[::-1]] for pair, value in of_pairs.items())


def test_titles_without_any_identifier_have_no_agreement() -> None:
    for titles in ([None, ""], ["lamp", "red lamp"], [None]):
        for of_pairs in compared(titles).values():
            assert set(of_pairs.values()) == {None}


def test_identifiers_can_be_sent_to_a_worker() -> None:
    titles = pl.Series([row[0] for row in TITLES], dtype=pl.String)
    rows = np.arange(len(titles) - 1)
    for comparison in identifier_comparisons(titles):
        again = pickle.loads(pickle.dumps(comparison))
        for name, values in comparison.compare(rows, rows + 1).items():
            np.testing.assert_array_equal(again.compare(rows, rows + 1)[name], values)
