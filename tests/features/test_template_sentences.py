"""What many ads of unlike things say proves nothing; what one thing's copies say, or a few words, does."""

from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.bundle.saved_statistics import load_statistics, save_statistics
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.features.text.template_sentences import (
    MIN_ADS,
    MIN_SHARE,
    MIN_WORDS,
    NAMED,
    TemplateSentences,
    _pieces_of,
)
from nrl_dedup.pipeline import link
from nrl_dedup.runtime.run import Run
from tests.blocking.test_exact_duplicates import Heard
from tests.conftest import write

SHOP = "We deliver all over the country at no cost."
SHOP_KEY = "we deliver all over the country at no cost"


def letters(number: int) -> str:
    """A word for a number."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}")


def ads(count: int, *, sold_by_shop: int, sentence: str = SHOP) -> pl.DataFrame:
    """Unlike things, of which the first so many are sold by a shop."""
    titles = [f"{letters(row)} x{letters(7 * row)}" for row in range(count)]
    own = [f"Of y{letters(row)} and z{letters(row)}. Ask u{letters(row)}" for row in range(count)]
    texts = [f"{text}! {sentence}" if row < sold_by_shop else text for row, text in enumerate(own)]
    return pl.DataFrame({"title": titles, "description": texts})


@pytest.mark.parametrize(
    ("count", "sold_by_shop", "is_template"),
    [(100, MIN_ADS, True), (100, MIN_ADS - 1, False), (1000, 30, True), (1000, 29, False)],
)
def test_both_bounds(count: int, sold_by_shop: int, is_template: bool) -> None:
    assert MIN_SHARE * 1000 == 30
    found = TemplateSentences.fit(ads(count, sold_by_shop=sold_by_shop))
    assert found.sentences.to_list() == [SHOP_KEY] * is_template
    assert found.ads.tolist() == [sold_by_shop] * is_template


@pytest.mark.parametrize("words", [MIN_WORDS - 1, MIN_WORDS])
def test_a_few_words_are_a_fact(words: int) -> None:
    sentence = " ".join("abcdefgh"[:words])
    found = TemplateSentences.fit(ads(100, sold_by_shop=50, sentence=sentence))
    assert found.sentences.to_list() == [sentence] * (words == MIN_WORDS)


def test_what_one_thing_says_in_all_its_copies_is_no_template() -> None:
    other = ads(60, sold_by_shop=0)
    copies = pl.DataFrame(
        {
            "title": [f"red bicycle with three gears {row}" for row in range(20)],
            "description": ["Made for the roads of the mountains. It was ridden for a year."] * 20,
        }
    )
    assert not len(TemplateSentences.fit(pl.concat([other, copies])))
    one_text = copies.with_columns(title=pl.lit("red bicycle"))
    assert not len(TemplateSentences.fit(one_text))


def test_writing_does_not_matter_and_the_rest_stays_as_it_is() -> None:
    frame = ads(40, sold_by_shop=30)
    found = TemplateSentences.fit(frame)
    others = pl.DataFrame(
        {
            "title": ["Lamp", "WE deliver all  over the country at no cost", "Lamp. " + SHOP, ""],
            "description": [
                "Red.  Big!\nWe DELIVER all over\tthe country at no cost!! 4.5 kg",
                "",
                "We deliver all over the country",
                f"{SHOP} {SHOP}",
            ],
        }
    )
    assert found.apply(others).to_dict(as_series=False) == {
        "title": ["Lamp", "WE deliver all  over the country at no cost", "Lamp.", ""],
        "description": ["Red.  Big!\n4.5 kg", "", "We deliver all over the country", ""],
    }
    assert found.apply(frame)["title"].equals(frame["title"])
    without = ads(40, sold_by_shop=0)["description"]
    assert found.apply(frame)["description"].str.strip_chars("!").equals(without)


def test_sentences_in_scripts_without_spaces() -> None:
    found = TemplateSentences.fit(ads(40, sold_by_shop=30, sentence="本店所有商品全国包邮。"))
    assert found.sentences.to_list() == ["本店所有商品全国包邮"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("aб .!?…。\n\t5手", max_size=20), max_size=8))
def test_the_pieces_of_a_text_are_the_text(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    pieces = _pieces_of(column)
    whole = pieces.group_by("row", maintain_order=True).agg(pl.col("piece").str.join(""))
    assert whole["piece"].to_list() == texts


def test_they_are_named_in_one_line() -> None:
    heard = Heard()
    TemplateSentences.fit(ads(40, sold_by_shop=0)).say(heard)
    assert heard.lines == []
    many = " ".join(f"This is the sentence number {letter}." for letter in "abcdefg")
    TemplateSentences.fit(ads(40, sold_by_shop=30, sentence=many)).say(heard)
    (line,) = heard.lines
    assert line.count("(30 ads)") == NAMED == 5 and line.endswith("2 more.")
    assert '"this is the sentence number a"' in line


def test_they_can_be_saved(tmp_path: Path) -> None:
    frame = ads(40, sold_by_shop=30)
    found = TemplateSentences.fit(frame)
    save_statistics(found, tmp_path / "templates")
    again = load_statistics(TemplateSentences, tmp_path / "templates")
    assert again.apply(frame).equals(found.apply(frame)) and again.ads.tolist() == [30]


def test_no_ads_have_none() -> None:
    empty = ads(0, sold_by_shop=0)
    found = TemplateSentences.fit(empty.cast(pl.String))
    assert not len(found) and found.apply(empty.cast(pl.String)).is_empty()


def test_linking_takes_them_out_once_for_all(tmp_path: Path) -> None:
    """Words, searched texts and evidence lack them; copies are found by their raw texts."""
    frame = ads(60, sold_by_shop=40)
    rows: list[list] = [[row, *texts] for row, texts in enumerate(frame.iter_rows())]
    rows += [[100, *frame.row(3)], [101, frame["title"][4], f"Another kind. {SHOP}"]]
    path = write(tmp_path / "items.csv", ["id", "title", "description"], rows)
    catalogue = read_catalogue(path)
    heard = Heard()
    cpu = torch.device("cpu")
    found = link(catalogue, load_bundle(None, cpu), None, Run(tmp_path, cpu, progress=heard))
    assert sum("we deliver" in line for line in heard.lines) == 1
    assert not found.features.texts["description"].str.contains("deliver").any()
    assert catalogue.frame["description"].str.contains("deliver").any()
    assert not set(found.features.words.distinct) & {"country", "цоунтры", "деливер"}
    assert found.blocked.identical.rows() == [(3, 60)]
