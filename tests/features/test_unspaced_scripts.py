"""Scripts without spaces are cut in runs of two and three signs, wherever words are cut."""

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.blocking.text_source import read_texts
from nrl_dedup.comparison.tokens import codes_of, normalised, quantities_of, tokens_of
from nrl_dedup.features.text.foreign_words import with_foreign_words
from nrl_dedup.features.text.unspaced_scripts import cut_unspaced
from nrl_dedup.features.text.words import read_words

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR")


def is_unspaced(sign: str) -> bool:
    return sign[0].isalpha() and unicodedata.name(sign[0]).split()[0] in UNSPACED


def slow_cut(text: str) -> list[str]:
    """Letter by letter: the words of a text without marks at its start."""
    signs: list[str] = []
    for letter in text:
        if unicodedata.category(letter).startswith("M") and signs:
            signs[-1] += letter
        else:
            signs.append(letter)
    words: list[str] = []
    run: list[str] = []
    for sign in [*signs, " "]:
        if is_unspaced(sign):
            run.append(sign)
            continue
        if len(run) == 1:
            words += run
        for start in range(len(run) - 1):
            words.append("".join(run[start : start + 2]))
            words.append("".join(run[start : start + 3]))
        if len(run) > 1:
            del words[-1]  # two signs are left of the last three
        words.append(sign if run else "")
        run = []
    return words


def test_runs_of_two_and_three_signs() -> None:
    texts = pl.Series("t", ["手机壳", "手", "红手机", "สวัสดี", "ラーメン", "こん", "plain ёлка", ""])
    assert [text.split() for text in cut_unspaced(texts).to_list()] == [
        ["手机", "手机壳", "机壳"],
        ["手"],
        ["红手", "红手机", "手机"],
        ["สวั", "สวัส", "วัส", "วัสดี", "สดี"],
        ["ラー", "ラーメ", "ーメ", "ーメン", "メン"],
        ["こん"],
        ["plain", "ёлка"],
        [],
    ]
    assert cut_unspaced(texts).name == "t"


@pytest.mark.parametrize("text", ["ลาวລາວ", "កម្ពុជា", "မြန်မာ", "東京タワー", "手机机壳红"])
def test_every_script_shares_runs_with_its_beginning(text: str) -> None:
    whole, part = cut_unspaced(pl.Series([text, text[: len(text) // 2 + 1]])).to_list()
    assert set(whole.split()) & set(part.split())


ALPHABET = "手机壳红のターกีั ab5,。한й"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=15), max_size=12))
def test_cutting_agrees_with_letter_by_letter(texts: list[str]) -> None:
    begin_with_letters = [re.sub(r"^[ัี]+", "", text) for text in texts]
    cut = cut_unspaced(pl.Series(begin_with_letters, dtype=pl.String))
    runs = r"[手机壳红のターก][手机壳红のターกีั]*"
    for text, found in zip(begin_with_letters, cut.to_list(), strict=True):
        wanted: list[str] = []
        for piece in re.findall(runs, text):
            wanted += [word for word in slow_cut(piece) if word.strip()]
        assert re.findall(runs, found) == wanted
        assert re.sub(f"{runs}| ", "", found) == re.sub(f"{runs}| ", "", text)


def test_texts_of_other_scripts_are_the_same_object() -> None:
    texts = pl.Series(["Продам диван", "한국어 광고", "हिन्दी", "Ελληνικά 42mm", "µ"])
    assert cut_unspaced(texts) is texts


def test_words_tokens_and_searched_words_are_cut_alike() -> None:
    text = "全新手机iPhone6s壳,5斤"
    runs = ["全新", "全新手", "新手", "新手机", "手机"]
    texts = pl.Series([text])
    words = read_words([texts], "none")
    assert words.distinct[words.ids].to_list() == [*runs, "iphone0s", "壳", "0", "斤"]
    assert words.lengths.tolist() == [[len(words.ids)]]
    plain = normalised(texts)
    assert tokens_of(plain).to_list() == [[*runs, "iphone6s", "壳", "5", "斤"]]
    assert codes_of(plain).to_list() == [["iphone6s"]]
    assert sorted(quantities_of(plain)[0].to_list())[:2] == ["5", "5斤"]
    searched = read_texts(pl.DataFrame({"title": texts, "description": [""]}))
    assert searched.words.to_list() == [*runs, "iphone6s", "壳", "5", "斤"]
    foreign = with_foreign_words(read_words([texts], "ru"), [texts], "ru")
    assert foreign.distinct[foreign.ids].to_list()[2:] == [*runs, "壳", "斤"]
