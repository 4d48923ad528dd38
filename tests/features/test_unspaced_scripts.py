"""Scripts without spaces are written as runs of two and three signs, before any words are cut."""

import unicodedata
from itertools import groupby
from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.blocking.text_source import read_texts
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.bundle.saved_statistics import load_statistics, save_statistics
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.comparison.tokens import codes_of, normalised, quantities_of, tokens_of
from nrl_dedup.features.text import unspaced_scripts
from nrl_dedup.features.text.unspaced_scripts import UnspacedRuns
from nrl_dedup.runtime.run import Run
from tests.conftest import write

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR")


def is_unspaced(sign: str) -> bool:
    return sign[0].isalpha() and unicodedata.name(sign[0]).split()[0] in UNSPACED


def signs_of(text: str) -> list[str]:
    """Letters, each with the marks on it."""
    signs: list[str] = []
    for letter in text:
        if unicodedata.category(letter).startswith("M") and signs and is_unspaced(signs[-1]):
            signs[-1] += letter
        else:
            signs.append(letter)
    return signs


def runs_of(signs: list[str]) -> list[str]:
    runs = []
    for size in (2, 3):
        runs += ["".join(signs[at : at + size]) for at in range(len(signs) - size + 1)]
    return runs


def slow_runs(texts: list[str]) -> list[list[str]]:
    """What `UnspacedRuns` does, sign by sign: the words of each text, others between spaces or not."""
    stretches = [
        [(key, list(group)) for key, group in groupby(signs_of(text), is_unspaced)]
        for text in texts
    ]
    own = [
        {run for is_stretch, signs in text if is_stretch for run in runs_of(signs)}
        for text in stretches
    ]
    known = {run for runs in own for run in runs if sum(run in other for other in own) >= 2}
    found = []
    for text in stretches:
        words = []
        for is_stretch, signs in text:
            if not is_stretch:
                words += "".join(signs).split()
                continue
            if len(signs) == 1:
                words += signs
            covered = set()
            for size in (2, 3):
                for at in range(len(signs) - size + 1):
                    if "".join(signs[at : at + size]) in known:
                        covered |= set(range(at, at + size))
            for at in range(len(signs) - 1):
                two, three = "".join(signs[at : at + 2]), "".join(signs[at : at + 3])
                if two in known or not {at, at + 1} <= covered:
                    words.append(two)
                if three != two and three in known:
                    words.append(three)
        found.append(words)
    return found


def written(*texts: str) -> list[list[str]]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return [text.split() for text in UnspacedRuns.fit(frame).apply(frame)["text"]]


def test_words_that_several_ads_have_are_known_in_any_order() -> None:
    assert written("红色手机", "手机红色", "蓝手机壳") == [
        ["红色", "手机"],
        ["手机", "红色"],
        ["蓝手", "手机", "机壳"],
    ]


def test_runs_of_three_and_single_signs() -> None:
    assert written("手机壳", "手机壳", "手", "plain ёлка") == [
        ["手机", "手机壳", "机壳"],
        ["手机", "手机壳", "机壳"],
        ["手"],
        ["plain", "ёлка"],
    ]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("สวัสดีค", ["สวั", "วัส", "สดี", "ดีค"]),
        ("ລາວ", ["ລາ", "າວ"]),
        ("កម្ពុជា", ["កម្", "ម្ពុ", "ពុជា"]),
        ("မြန်မာ", ["မြန်", "န်မာ"]),
        ("ラーメン", ["ラー", "ーメ", "メン"]),
        ("がんば", ["がん", "んば"]),
        ("か\u3099んば", ["がん", "んば"]),
        ("한국어", ["한국어"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
    ],
)
def test_every_script(text: str, runs: list[str]) -> None:
    assert written(text) == [runs]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("手机壳红のターกีั b5,。한й", max_size=12), max_size=8))
def test_writing_agrees_with_sign_by_sign(texts: list[str]) -> None:
    texts = [text.lstrip("ีั") for text in texts]
    assert written(*texts) == slow_runs(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unspaced_scripts, "CHUNK_ADS", 3)
        assert written(*texts) == slow_runs(texts)


def test_an_ad_that_says_it_twice_is_one_ad() -> None:
    frame = pl.DataFrame({"title": ["红色手机", "x"], "description": ["手机红色手机", ""]})
    assert UnspacedRuns.fit(frame).known.to_list() == []


def test_texts_of_other_scripts_are_not_changed() -> None:
    texts = ["Продам  диван ", "한국어 광고", "हिन्दी", "e\u0301 Ελληνικά 42mm", "µ", ""]
    frame = pl.DataFrame({"text": texts})
    assert UnspacedRuns(pl.Series(["手机"])).apply(frame).equals(frame)


def test_known_runs_can_be_saved_and_used_for_other_ads(tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["红色手机", "手机红色"]})
    save_statistics(UnspacedRuns.fit(frame), tmp_path / "runs")
    again = load_statistics(UnspacedRuns, tmp_path / "runs")
    new = pl.DataFrame({"text": ["新红色手机"]})
    assert again.apply(new)["text"][0].split() == ["新红", "红色", "手机"]


def test_blocking_and_comparison_read_the_same_words(tmp_path: Path) -> None:
    rows = [["1", "全新手机iPhone6s壳,5斤", ""], ["2", "手机", "全新"]]
    catalogue = read_catalogue(write(tmp_path / "i.csv", ["id", "title", "description"], rows))
    cpu = torch.device("cpu")
    features = load_bundle(None, cpu).extract(catalogue, None, Run(tmp_path, cpu))
    runs = ["全新", "手机"]
    words = features.words
    first = words.distinct.gather(words.ids[: words.offsets[1]]).to_list()
    assert first[2:] == [*runs, "壳", "斤"]  # after those that Russian reads
    plain = normalised(features.texts["title"])
    assert tokens_of(plain)[0].to_list() == [*runs, "iphone6s", "壳", "5", "斤"]
    assert codes_of(plain)[0].to_list() == ["iphone6s"]
    assert sorted(quantities_of(plain)[0].to_list())[:2] == ["5", "5斤"]
    assert read_texts(features.texts).words.to_list() == [*runs, "iphone6s", "壳", "5", "斤"]
