"""Two variants of one thing: what alone differs, and which words take each other's place."""

import pickle

import numpy as np
import polars as pl
import pytest

from nrl_dedup.comparison.identifiers import Agreement
from nrl_dedup.comparison.tokens import count_terms, tokens_of
from nrl_dedup.comparison.variants import EXCHANGED_WORDS, VARIANT, ExchangedTerms

COLOURS = ["black", "white", "red"]
# Every thing in three colours: nine pairs differ in the colour alone, three times in each two of them.
COLOURED = [
    f"{colour} {thing} made of steel {number}"
    for thing, number in (("lamp", 11), ("kettle", 12), ("chair", 13))
    for colour in COLOURS
]


def terms_of(texts: list[str]) -> ExchangedTerms:
    return ExchangedTerms.of(count_terms([tokens_of(pl.Series(texts))]))


def every_pair(count: int) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.triu_indices(count, 1)
    return left, right


def is_variant(left: str, right: str, terms: ExchangedTerms | None = None) -> bool:
    compared = terms_of([left, right]).compare(np.array([0]), np.array([1]))
    return bool(compared[VARIANT][0])


def with_words(*texts: str) -> ExchangedTerms:
    """Of `texts` and, after them, the coloured things, whose pairs alone are looked at."""
    terms = terms_of([*texts, *COLOURED])
    left, right = every_pair(len(COLOURED))
    return terms.with_words(left + len(texts), right + len(texts))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("new fast phone 4gb", "new fast phone 8gb", True),
        ("new fast phone 4 gb", "new fast phone 8 gb", True),
        ("a rope of 4 4 inch", "a rope of 9 4 inch", True),
        ("sony camera with bag dsc10", "sony camera with bag dsc20", True),
        ("phone 4gb", "phone 8gb", False),  # too little in common
        ("new fast phone 4gb", "new fast phone 4gb", False),  # no difference
        ("new fast phone 4gb", "new fast phone", False),  # on one side alone
        ("new fast phone 4gb cheap", "new fast phone 8gb", False),  # a word beside the number
        ("new fast phone black", "new fast phone white", False),  # no word is known to be exchanged
    ],
)
def test_codes_and_numbers_alone_differ(left: str, right: str, expected: bool) -> None:
    assert is_variant(left, right) == is_variant(right, left) == expected


def test_words_that_take_each_others_place_make_variants() -> None:
    texts = ["good phone 4 gb for sale black", "good phone 8 gb for sale white"]
    rows = np.array([0]), np.array([1])
    before = terms_of(texts).compare(*rows)
    assert before[VARIANT].tolist() == [0] and np.isnan(before[EXCHANGED_WORDS]).all()
    after = with_words(*texts).compare(*rows)
    assert after[VARIANT].tolist() == [1]
    assert after[EXCHANGED_WORDS].tolist() == [Agreement.DIFFERENT]


def test_a_filler_word_on_one_side_is_no_variant() -> None:
    texts = ["good phone 4 gb for sale black", "good phone 8 gb for sale white hurry"]
    terms = with_words(*texts, "good phone 4 gb for sale black hurry")
    compared = terms.compare(np.array([0, 0]), np.array([1, 2]))
    assert compared[VARIANT].tolist() == [0, 0]
    assert compared[EXCHANGED_WORDS].tolist() == [Agreement.DIFFERENT, Agreement.SAME]


def test_exchanged_words_agree_as_their_sets_do() -> None:
    sets = [set(), {"black"}, {"white"}, {"black", "white"}, {"white", "red"}]
    terms = with_words(*(" ".join(["phone", *sorted(words)]) for words in sets))
    left, right = every_pair(len(sets))
    found = terms.compare(left, right)[EXCHANGED_WORDS]
    for one, other, value in zip(left, right, found, strict=True):
        a, b = sets[one], sets[other]
        if not a or not b:
            assert np.isnan(value)
        elif not a & b:
            assert value == Agreement.DIFFERENT
        else:
            assert value == (Agreement.SAME if a <= b or b <= a else Agreement.PARTLY)


def found_words(texts: list[str], left: np.ndarray, right: np.ndarray) -> set[str]:
    counts = count_terms([tokens_of(pl.Series(texts))])
    terms = ExchangedTerms.of(counts).with_words(left, right)
    is_word = terms.is_exchangeable & ~terms.has_digit
    half = len(counts.distinct)
    np.testing.assert_array_equal(is_word[:half], is_word[half:])
    return set(counts.distinct.filter(pl.Series(is_word[:half])))


Said = tuple[str, bool]  # a word, and whether it is the second time


def said(text: str) -> set[Said]:
    words = text.split()
    return {(word, word in words[:at]) for at, word in enumerate(words)}


def test_the_words_found_are_those_of_a_loop_over_the_pairs() -> None:
    draw = np.random.default_rng(0)
    words = ["red", "blue", "tall", "wide", "oak", "old", "7", "8"]
    texts = [" ".join(["a big table", *draw.choice(words, size=2)]) for _ in range(40)]
    left, right = every_pair(len(texts))
    others: dict[Said, list[Said]] = {}
    for one, other in zip(left, right, strict=True):
        a, b = said(texts[one]), said(texts[other])
        if len(a - b) == len(b - a) == 1 and len(a & b) >= 3:
            (of_a,), (of_b,) = a - b, b - a
            others.setdefault(of_a, []).append(of_b)
            others.setdefault(of_b, []).append(of_a)
    expected = set()
    for (word, _), found in others.items():
        if not word.isdigit() and len(found) >= 3 and len(set(found)) >= 2:
            expected.add(word)
    assert found_words(texts, left, right) == expected and len(expected) > 3
    assert found_words(texts, right, left) == found_words(texts, left, right)


def test_two_exchanges_or_one_partner_are_too_few() -> None:
    base = "{} table made of oak"
    texts = [base.format(word) for word in ("red", "blue", "tall")]
    left, right = every_pair(3)
    assert found_words(texts, left, right) == set()  # each in two pairs
    many = [f"{word} table made of oak {number}" for number in range(4) for word in ("red", "blue")]
    evens = np.arange(0, 8, 2)
    assert found_words(many, evens, evens + 1) == set()  # in four pairs, for one other word
    assert found_words(COLOURED, *every_pair(len(COLOURED))) >= set(COLOURS)


def test_no_pairs_find_no_words() -> None:
    none = np.zeros(0, np.int64)
    assert found_words(COLOURED, none, none) == set()


def test_the_order_of_ads_and_pairs_does_not_matter() -> None:
    terms = with_words()
    left, right = every_pair(len(COLOURED))
    order = np.random.default_rng(0).permutation(len(left))
    mixed = terms_of(COLOURED).with_words(right[order], left[order])
    np.testing.assert_array_equal(mixed.is_exchangeable, terms.is_exchangeable)
    for name, values in terms.compare(left, right).items():
        np.testing.assert_array_equal(terms.compare(right, left)[name], values)


def test_variants_can_be_sent_to_a_worker() -> None:
    terms = with_words()
    left, right = every_pair(len(COLOURED))
    again = pickle.loads(pickle.dumps(terms))
    for name, values in terms.compare(left, right).items():
        np.testing.assert_array_equal(again.compare(left, right)[name], values)
