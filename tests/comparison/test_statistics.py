"""Statistics that are fitted to one half of the examples' ads and applied to the other half, against scikit-learn's,
SciPy's and plain Python's, which are fitted and applied likewise."""

import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.stats import percentileofscore
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import cosine_similarity

from nrl_dedup.blocking.text_source import fit_frequencies, grams, piece_weights, read_texts, stems
from nrl_dedup.comparison.ad_profiles import build_profiles, fit_statistics
from nrl_dedup.comparison.column_comparisons import (
    NumberColumn,
    TableStatistics,
    ValueColumn,
    column_comparisons,
)
from nrl_dedup.comparison.compare import compare_pairs
from nrl_dedup.comparison.compared_ads import AdTerms
from nrl_dedup.comparison.photo_statistics import PhotoStatistics, ShownPhotos
from nrl_dedup.comparison.quantiles import Quantiles
from nrl_dedup.comparison.rarities import Rarities
from nrl_dedup.comparison.text_comparisons import TOPICS, TextStatistics, weighted, word_similarity
from nrl_dedup.comparison.tokens import Counts, tf_idf
from nrl_dedup.comparison.topics import TopicProjection
from tests.comparison.example_ads import (
    example_ads,
    example_catalogue,
    example_photos,
    halves,
    random_neighbours,
)

SAMPLE, OTHERS = halves()
KINDS = ("words", "titles", "tokens", "quantities")


@pytest.fixture(scope="module")
def sample() -> AdTerms:
    return example_ads(SAMPLE).terms


@pytest.fixture(scope="module")
def others() -> AdTerms:
    return example_ads(OTHERS).terms


def in_vocabulary(counts: Counts, vocabulary: list[str]) -> sparse.csr_array:
    """The same counts with a column for each term of a vocabulary that holds them all."""
    place = {term: at for at, term in enumerate(vocabulary)}
    entries = counts.matrix.tocoo()
    columns = np.array([place[term] for term in counts.distinct], np.int64)[entries.col]
    shape = (counts.matrix.shape[0], len(vocabulary))
    return sparse.coo_array((entries.data, (entries.row, columns)), shape=shape).tocsr()


def products(rows: sparse.csr_array) -> np.ndarray:
    return (rows @ rows.T).toarray()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to_themselves", [True, False])
def test_tf_idf_of_other_ads_is_scikit_learns(
    sample: AdTerms, others: AdTerms, kind: str, to_themselves: bool
) -> None:
    """scikit-learn gets the vocabulary of both halves: a term of the others alone is one of no ad of the sample."""
    fitted, applied = getattr(sample, kind), getattr(sample if to_themselves else others, kind)
    found = weighted(applied, getattr(TextStatistics.fit(sample, 0), kind))
    vocabulary = sorted({*fitted.distinct, *applied.distinct})
    unseen = set(applied.distinct) - set(fitted.distinct)
    assert bool(unseen) != to_themselves
    learned = TfidfTransformer(sublinear_tf=True).fit(in_vocabulary(fitted, vocabulary))
    wanted = learned.transform(in_vocabulary(applied, vocabulary))
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-5)


def test_tf_idf_of_runs_of_letters_is_scikit_learns(sample: AdTerms, others: AdTerms) -> None:
    found = tf_idf(others.letters, TextStatistics.fit(sample, 0).letters.idf)
    wanted = TfidfTransformer(sublinear_tf=True).fit(sample.letters).transform(others.letters)
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-5)


@pytest.mark.parametrize("take_apart", [stems, grams])
def test_weights_of_pieces_of_other_ads_are_scikit_learns(take_apart) -> None:
    frame = example_catalogue().frame
    sample, others, both = (
        read_texts(frame[rows]) for rows in (SAMPLE, OTHERS, np.arange(len(frame)))
    )
    frequencies = fit_frequencies(sample, take_apart(sample.words))
    found = piece_weights(others, take_apart(others.words), frequencies)
    counts = take_apart(both.words).count(both)
    wanted = TfidfTransformer(sublinear_tf=True).fit(counts[SAMPLE]).transform(counts[OTHERS])
    np.testing.assert_allclose(products(found), products(wanted), atol=1e-5)


def test_only_known_pieces_have_their_columns() -> None:
    """Whatever the ads are, a piece has one column, and one that was not learned from has none."""
    frame = pl.DataFrame({"title": ["oak table", "steel oak"], "description": ["", "oak"]})
    pieces = stems(read_texts(frame).words)
    texts = read_texts(frame[::-1])
    known = stems(texts.words).only(pl.Series(["table", "glass", "oak"]))
    assert known.count(texts).toarray().tolist() == [[0, 0, 2], [1, 0, 1]]
    assert (
        pieces.only(pieces.names).of_words.toarray().tolist() == pieces.of_words.toarray().tolist()
    )


@pytest.mark.parametrize("to_themselves", [True, False])
def test_topics_of_other_ads_are_scikit_learns(
    sample: AdTerms, others: AdTerms, to_themselves: bool
) -> None:
    applied = sample if to_themselves else others
    statistics = TextStatistics.fit(sample, 0)
    vectors = word_similarity(applied, statistics.words).vectors
    size = 5
    projection = TopicProjection.fit(
        weighted(sample.words, statistics.words), sample.words.distinct, size, 0
    )
    found = projection.of(vectors, applied.words.distinct)
    vocabulary = sorted({*sample.words.distinct, *applied.words.distinct})
    learned = TfidfTransformer(sublinear_tf=True)
    fitted = learned.fit_transform(in_vocabulary(sample.words, vocabulary))
    frequent = np.flatnonzero((fitted > 0).sum(axis=0) > 1)
    svd = TruncatedSVD(size, n_iter=4, random_state=0).fit(fitted[:, frequent])
    wanted = svd.transform(learned.transform(in_vocabulary(applied.words, vocabulary))[:, frequent])
    there = np.linalg.norm(wanted, axis=1) > 1e-3
    assert there.mean() > 0.9 and found.there[there].all()
    near = found.vectors[there] @ found.vectors[there].T
    np.testing.assert_allclose(near, cosine_similarity(wanted[there]), atol=1e-3)


def test_a_sample_without_a_common_word_has_no_topics() -> None:
    vectors = sparse.csr_array(np.eye(3, dtype=np.float32))
    terms = pl.Series(["a", "b", "c"])
    found = TopicProjection.fit(vectors, terms, TOPICS, 0).of(vectors, terms)
    assert not found.there.any() and not found.vectors.any()


def test_photos_of_other_ads_are_projected_by_the_components_of_the_sample() -> None:
    photos, sketches = example_photos()
    statistics = PhotoStatistics.fit(photos.take(SAMPLE), sketches, 0)
    shown = ShownPhotos.of(photos.take(OTHERS), statistics.components)
    roots = np.sqrt(photos.centre.stored[:, 0].astype(np.float64))
    roots /= np.linalg.norm(roots, axis=1, keepdims=True)
    size = statistics.components.directions.shape[1]
    learned = PCA(size).fit(roots[np.unique(photos.take(SAMPLE).rows)])
    variances = learned.explained_variance_
    wanted = learned.transform(roots[shown.rows]) * variances ** (-0.75 / 2)
    np.testing.assert_allclose(
        shown.features @ shown.features.T, cosine_similarity(wanted), atol=1e-3
    )


def test_photo_files_are_as_rare_as_in_the_sample() -> None:
    photos, sketches = example_photos()
    part = photos.take(SAMPLE)
    statistics = PhotoStatistics.fit(part, sketches, 0)
    digests = part.centre.digests.view(np.int64)
    ends = zip(part.offsets, part.offsets[1:], strict=False)
    ads_with = Counter(file for a, b in ends for file in set(digests[part.rows[a:b]].tolist()))
    every = np.unique(digests)
    wanted = [math.log(len(SAMPLE) / ads_with.get(file, 1)) for file in every.tolist()]
    assert len(ads_with) < len(every)
    np.testing.assert_allclose(statistics.files.of(pl.Series(every)), wanted, rtol=1e-6)


def test_quantiles_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    sample = np.append(draw.integers(0, 20, 90).astype(float), np.nan)
    others = np.array([-1.0, 0, 3, 3.5, 19, 25, np.nan])
    for numbers in (sample, others):
        found = Quantiles.fit(sample).of(numbers)
        wanted = percentileofscore(sample[:-1], numbers, kind="mean") / 100
        np.testing.assert_allclose(found, wanted)
    assert np.isnan(Quantiles.fit(np.array([np.nan])).of(others)).all()


def test_a_value_that_the_sample_lacks_is_as_rare_as_one_of_a_single_ad() -> None:
    rarities = Rarities.fit(pl.Series(["a", "b", "a", "a"]), 4)
    found = rarities.of(pl.Series(["c", "a", "b"]))
    np.testing.assert_allclose(found, [math.log(4), math.log(4 / 3), math.log(4)], rtol=1e-6)


def test_columns_of_other_ads_are_read_as_the_sample_spells_them() -> None:
    """Alone, `1.500` would be one and a half; in the sample the point separates thousands."""
    statistics = TableStatistics.fit(
        {"price": pl.Series(["1.000.000", "1.500", "200"]), "colour": pl.Series(["red", "red", ""])}
    )
    columns = {"price": pl.Series(["1.500", "2000"]), "new": pl.Series(["a", "a"])}
    values, numbers = column_comparisons(statistics, columns)
    assert isinstance(values, ValueColumn) and isinstance(numbers, NumberColumn)
    assert numbers.numbers.tolist() == [1500, 2000]
    np.testing.assert_allclose(numbers.quantiles, [1.5 / 3, 2 / 3])


def test_new_ads_share_a_term_that_the_sample_lacks() -> None:
    rows = np.array([0, 1])
    ads = example_ads(rows)
    alike = pl.Series(["qwz7781 x", "qwz7781 y"])
    ads = type(ads)(alike, ads.descriptions, ads.words, None, None, {})
    statistics = fit_statistics(example_ads(SAMPLE))
    profiles = build_profiles(statistics, ads, random_neighbours(2))
    found = compare_pairs(profiles, np.array([0]), np.array([1]))
    rarest = found.columns(["codes_shared", "codes_rarest"])[0]
    np.testing.assert_allclose(rarest[0], 1)
    np.testing.assert_allclose(rarest[1], math.log(1 + len(SAMPLE)) + 1, rtol=1e-6)


def test_ads_with_photos_can_be_compared_by_a_sample_without() -> None:
    ads = example_ads(OTHERS)
    bare = example_ads(SAMPLE)
    bare = type(bare)(bare.titles, bare.descriptions, bare.words, None, None, bare.columns)
    statistics = fit_statistics(bare)
    profiles = build_profiles(statistics, ads, random_neighbours(len(OTHERS)))
    found = compare_pairs(profiles, np.arange(20), np.arange(20, 40))
    assert statistics.photos is None and "photos" not in found.names
    assert np.isnan(found.columns(["expected_shown"])).all()
