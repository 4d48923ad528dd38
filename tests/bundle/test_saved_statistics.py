"""Statistics that were saved and read give what the unsaved ones give; and what is no statistic is refused."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file, save_file

from nrl_dedup.blocking.search_inputs import SearchInputs
from nrl_dedup.blocking.search_spaces import PhotoSpace, TextAndPhotoSpace, TextSpace
from nrl_dedup.blocking.text_source import read_texts
from nrl_dedup.bundle.saved_statistics import ABOUT, ARRAYS, load_statistics, save_statistics
from nrl_dedup.comparison.ad_profiles import (
    CatalogueStatistics,
    build_profiles,
    fit_statistics,
)
from nrl_dedup.comparison.compare import compare_pairs
from nrl_dedup.comparison.compared_ads import ComparedAds
from nrl_dedup.comparison.rarities import Rarities
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.pca import PrincipalComponents
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies
from nrl_dedup.runtime.run import Run
from tests.comparison.example_ads import (
    example_ads,
    example_catalogue,
    example_photos,
    halves,
    random_neighbours,
)

SAMPLE, OTHERS = halves()


def saved_and_read(statistics: Any, folder: Path) -> Any:
    save_statistics(statistics, folder)
    return load_statistics(type(statistics), folder)


def of_words_alone(ads: ComparedAds) -> ComparedAds:
    return ComparedAds(ads.titles, ads.descriptions, ads.words, None, None, ads.columns)


@pytest.mark.parametrize("with_photos", [True, False])
def test_other_ads_are_compared_alike(tmp_path: Path, with_photos: bool) -> None:
    sample, others = example_ads(SAMPLE), example_ads(OTHERS)
    if not with_photos:
        sample, others = of_words_alone(sample), of_words_alone(others)
    statistics = fit_statistics(sample)
    read = saved_and_read(statistics, tmp_path / "statistics")
    neighbours = random_neighbours(len(OTHERS))
    left, right = np.random.default_rng(0).integers(0, len(OTHERS), size=(2, 2_000))
    unsaved = compare_pairs(build_profiles(statistics, others, neighbours), left, right)
    found = compare_pairs(build_profiles(read, others, neighbours), left, right)
    assert found.names == unsaved.names
    lacking = {"title_codes", "title_numbers", "title_sizes", "title_units", "exchanged_words"}
    for at, name in enumerate(found.names):
        np.testing.assert_array_equal(found.values[:, at], unsaved.values[:, at], err_msg=name)
        is_given = not np.isnan(unsaved.values[:, at]).all()
        is_lacking = name in lacking or (name.startswith("codes_") and "count" not in name)
        assert is_given != is_lacking


@pytest.mark.parametrize("space", [TextSpace, PhotoSpace, TextAndPhotoSpace])
def test_other_ads_are_searched_alike(tmp_path: Path, space: Any) -> None:
    fitted = space.fit(search_inputs(SAMPLE), 0)
    read = saved_and_read(fitted, tmp_path / "space")
    run = Run(tmp_path, torch.device("cpu"))
    unsaved = fitted.search(search_inputs(OTHERS), 7, run).neighbours
    found = read.search(search_inputs(OTHERS), 7, run).neighbours
    np.testing.assert_array_equal(found.rows, unsaved.rows)
    np.testing.assert_array_equal(found.similarities, unsaved.similarities)
    assert (found.rows[:, 0] >= 0).mean() > 0.9
    own = space.fit(search_inputs(OTHERS), 0).search(search_inputs(OTHERS), 7, run).neighbours
    assert not np.array_equal(own.similarities, unsaved.similarities)


def search_inputs(rows: np.ndarray) -> SearchInputs:
    photos, sketches = example_photos()
    texts = read_texts(example_catalogue().frame[rows])
    return SearchInputs(rows, np.zeros((len(rows), 1), np.float32), texts, photos, sketches)


def test_every_field_is_as_it_was(tmp_path: Path) -> None:
    """Also texts with line ends, signs of several bytes and none at all."""
    texts = pl.Series(["", "two\nlines", "диван", "🛋", "a/b"])
    frequencies = InverseFrequencies(texts, np.array([0.1, 1 / 3, 2, 1e-300, 5]), 1 / 7)
    rarities = Rarities(pl.Series([-(2**62), 0, 2**62]), np.array([1, 2, 3], np.float32), 0.5)
    for number, statistic in enumerate((frequencies, rarities)):
        read = saved_and_read(statistic, tmp_path / str(number))
        for field in fields(statistic):
            was, found = getattr(statistic, field.name), getattr(read, field.name)
            assert type(found) is type(was)
            assert list(found) == list(was) if isinstance(was, pl.Series) else np.all(found == was)


def in_json(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        change(about)
        (folder / ABOUT).write_text(json.dumps(about), "utf-8")

    return damage


def in_arrays(**changes: np.ndarray | None) -> Callable[[Path], None]:
    """Put these arrays in the place of others; None: without the array."""

    def damage(folder: Path) -> None:
        arrays = {**load_file(folder / ARRAYS), **changes}
        save_file({name: x for name, x in arrays.items() if x is not None}, folder / ARRAYS)

    return damage


def ends(*numbers: int) -> Callable[[Path], None]:
    return in_arrays(**{"terms/ends": np.array(numbers)})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (in_json(lambda about: about.update(version=2)), "of version 2"),
        (in_json(lambda about: about.update({"class": "Rarities"})), "found 'Rarities'"),
        (in_json(lambda about: about.pop("fields")), "wanted version, class and fields"),
        (in_json(lambda about: about.update(fields=[])), "wanted the fields"),
        (in_json(lambda about: about["fields"].update(more=1)), "more"),
        (in_json(lambda about: about["fields"].update(of_unseen="1")), "wanted float at of_unseen"),
        (in_arrays(idf=None), "idf is missing"),
        (in_arrays(more=np.zeros(2)), "'more' is not wanted"),
        (in_arrays(idf=np.zeros(3, np.float32)), "idf is of float32"),
        (in_arrays(idf=np.zeros((3, 1))), "idf is of float64 and shape (3, 1)"),
        (in_arrays(idf=np.zeros(2)), "3 terms have 2 values"),
        (in_arrays(idf=np.array([1, np.inf, 1])), "finite"),
        (ends(1, 2), "do not end"),
        (ends(2, 1, 4), "do not end"),
        (ends(-1, 2, 4), "do not end"),
        (ends(1, 3, 4), "utf-8"),
        (ends(0, 0, 4), "twice"),
    ],
)
def test_what_is_no_statistic_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    statistic = InverseFrequencies(pl.Series(["a", "b", "ж"]), np.array([1.0, 2, 3]), 4.0)
    assert saved_and_read(statistic, tmp_path / "s").terms.to_list() == ["a", "b", "ж"]
    damage(tmp_path / "s")
    with pytest.raises(NrlDedupError) as caught:
        load_statistics(InverseFrequencies, tmp_path / "s")
    assert message in str(caught.value)


def test_arrays_of_one_statistic_have_sizes_that_fit(tmp_path: Path) -> None:
    components = PrincipalComponents(np.zeros(3, np.float32), np.ones((3, 2), np.float32))
    save_statistics(components, tmp_path / "s")
    in_arrays(mean=np.zeros(4, np.float32))(tmp_path / "s")
    with pytest.raises(NrlDedupError, match="do not fit"):
        load_statistics(PrincipalComponents, tmp_path / "s")


def test_runs_of_letters_have_their_buckets(tmp_path: Path) -> None:
    save_statistics(fit_statistics(of_words_alone(example_ads(SAMPLE[:40]))), tmp_path / "s")
    in_arrays(**{"text/letters/idf": np.ones(1 << 19)})(tmp_path / "s")
    with pytest.raises(NrlDedupError, match="found 524,288"):
        load_statistics(CatalogueStatistics, tmp_path / "s")


def test_statistics_of_a_catalogue_are_no_projection(tmp_path: Path) -> None:
    save_statistics(fit_statistics(of_words_alone(example_ads(SAMPLE[:40]))), tmp_path / "s")
    with pytest.raises(NrlDedupError, match="wanted TextAndPhotoSpace"):
        load_statistics(TextAndPhotoSpace, tmp_path / "s")
    assert load_statistics(CatalogueStatistics, tmp_path / "s").photos is None
