"""Kinds of pairs, each pair's told by hand."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nrl_dedup.evaluation import slices
from nrl_dedup.evaluation.slices import Slicing

counts = st.lists(st.tuples(st.integers(0, 130), st.integers(0, 130)), min_size=1, max_size=30)
cells = st.sampled_from(["", " ", "red", " red", "blue", "(other)", *"abcdefghijklm"])


def keys_of(slicing: Slicing) -> list[dict]:
    """The key of each pair; the members of the slices must say the same."""
    for number, members in enumerate(slicing.members()):
        assert (slicing.of_pair[members] == number).all()
    assert sorted(np.concatenate(slicing.members())) == list(range(len(slicing.of_pair)))
    return [slicing.keys[number] for number in slicing.of_pair]


@given(counts)
def test_mean_words(rows: list[tuple[int, int]]) -> None:
    slicing = slices.by_length(*np.array(rows).T)
    assert [key["mean_words"] for key in slicing.keys] == [
        *(f"{n}-{n + 9}" for n in range(0, 100, 10)),
        "100",
    ]
    for (left, right), key in zip(rows, keys_of(slicing), strict=True):
        mean = (min(left, 100) + min(right, 100)) / 2
        start, *_ = key["mean_words"].split("-")
        assert key["bucket"] == int(start) // 10 and int(start) <= mean < int(start) + 10


@given(counts)
def test_shorter_and_longer(rows: list[tuple[int, int]]) -> None:
    slicing = slices.by_unlike_length(*np.array(rows).T)
    assert len(slicing.keys) == 21
    for pair, key in zip(rows, keys_of(slicing), strict=True):
        for words, span in zip(
            sorted(min(n, 100) for n in pair), (key["shorter"], key["longer"]), strict=True
        ):
            first, last = (span.split("-") * 2)[:2]
            assert int(first) <= words <= int(last)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_photos(rows: list[tuple[int, int]]) -> None:
    slicing = slices.by_photos(*np.array(rows).T)
    assert len(slicing.keys) == 10
    for pair, key in zip(rows, keys_of(slicing), strict=True):
        assert key == {"value": " and ".join("3+" if n >= 3 else str(n) for n in sorted(pair))}


def test_missing_sides() -> None:
    has = np.array([[bool(n >> bit & 1) for bit in range(4)] for n in range(16)])
    words_l, words_r, photo_l, photo_r = has.T
    for row, key in zip(
        has, keys_of(slices.by_missing(words_l, words_r, photo_l, photo_r)), strict=True
    ):
        lacks = {word for word, ends in (("words", row[:2]), ("photo", row[2:])) if not ends.all()}
        assert (key["value"] == "both complete") == (not lacks)
        assert {word for word in ("words", "photo") if word in key["value"]} == lacks


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=60))
def test_values(rows: list[tuple[str, str]]) -> None:
    left, right = (pl.Series(side, dtype=pl.String) for side in zip(*rows, strict=True))
    slicing = slices.by_values(left, right)
    equal = Counter(a.strip() for a, b in rows if a.strip() == b.strip() != "")
    top = sorted(equal, key=lambda value: (-equal[value], value))[:10]
    expected = []
    for a, b in rows:
        a, b = a.strip(), b.strip()
        expected.append(
            "(different)" if a != b else "(empty)" if not a else a if a in top else "(other)"
        )
    assert [key["value"] for key in keys_of(slicing)] == expected
    order = [key["value"] for key in slicing.keys]
    assert order[: len(top)] == top and all(len(members) for members in slicing.members())
