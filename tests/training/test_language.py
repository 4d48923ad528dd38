"""A training that leaves the language to the ads takes one before it learns, and says which."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import Settings, TextSettings
from nrl_dedup.training.language import with_language
from nrl_dedup.training.search.grid import plan_trials, with_text_settings
from tests.blocking.test_exact_duplicates import Heard

FRAME = pl.DataFrame(
    {
        "title": ["Продам диван", "Стол"],
        "description": ["A sofa with two cushions and the table", "From the shop"],
    }
)


def test_the_language_is_that_of_the_columns_that_are_read() -> None:
    heard = Heard()
    catalogue = Catalogue(Path("items.csv"), FRAME)
    only_descriptions = Settings(TextSettings(text="description"))
    settings = with_language(only_descriptions, catalogue, heard)
    assert settings == Settings(TextSettings("en", text="description"))
    (line,) = heard.lines
    assert line.startswith("Language: en, by its letters") and "--language" in line


def test_a_language_that_is_named_stays_without_a_word() -> None:
    heard = Heard()
    settings = Settings(TextSettings("none"))
    assert with_language(settings, Catalogue(Path("items.csv"), FRAME), heard) is settings
    assert heard.lines == []


def test_all_trials_read_the_same_words() -> None:
    settings = Settings()
    other = replace(settings, model=replace(settings.model, hidden_size=7))
    plan = with_text_settings(plan_trials((settings, other), 2), TextSettings("en"))
    assert [trial.settings.text.language for trial in plan] == ["en"] * 4
    assert [trial.settings.model.hidden_size for trial in plan] == [256, 256, 7, 7]
    assert [trial.settings.train.seed for trial in plan] == [0, 1, 0, 1]
