"""Pair evidence, against scikit-learn, SciPy and plain Python that goes pair by pair."""

import math
import pickle
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from nrl_dedup.blocking.neighbours import Neighbours
from nrl_dedup.catalogue.cells.written_numbers import numbers_of
from nrl_dedup.comparison import compare as pairs_module
from nrl_dedup.comparison.ad_profiles import build_profiles, column_named, fit_statistics
from nrl_dedup.comparison.base import GROUPS, Comparison, Measure, RelativeSimilarity, SharedTerms
from nrl_dedup.comparison.column_comparisons import (
    NumberColumn,
    Place,
    TableStatistics,
    ValueColumn,
    column_comparisons,
)
from nrl_dedup.comparison.columns import Direction
from nrl_dedup.comparison.compare import ComparisonVectors, compare_pairs
from nrl_dedup.comparison.compared_ads import ComparedAds, word_counts
from nrl_dedup.comparison.cross_modal import CrossModalSimilarity, expected_photos
from nrl_dedup.comparison.neighbourhoods import (
    NeighbourhoodStatistics,
    known_neighbours,
)
from nrl_dedup.comparison.photo_comparisons import Cosine, SharedValue
from nrl_dedup.comparison.photo_statistics import PhotoLists
from nrl_dedup.comparison.quantiles import Quantiles
from nrl_dedup.comparison.similarities import DenseSimilarity, PhotoSimilarity, SparseSimilarity
from nrl_dedup.comparison.tokens import (
    Counts,
    codes_of,
    count_ngrams,
    count_terms,
    normalised,
    quantities_of,
    tf_idf,
    tokens_of,
)
from nrl_dedup.comparison.topics import TopicProjection
from nrl_dedup.features.pca import PrincipalComponents
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.photos.descriptors import DESCRIPTOR
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies
from nrl_dedup.features.text.words import read_words
from nrl_dedup.training.pair_model.group_dropout import with_group_dropout

TEXTS = pl.Series(
    [
        "iPhone 6s 64GB, £120",
        "Apple iphone 6s (64 gb) charger charger",
        "Old oak table 92.5cm x 40 cm",
        "oak table, 92,50 cm",
        "",
        'LG LDF-6920BB dishwasher 24"',
        "dishwasher ldf6920bb",
    ]
)
ADS = len(TEXTS)
LEFT, RIGHT = (np.array(side) for side in zip(*product(range(ADS), repeat=2), strict=True))


def lists(found: pl.Series) -> list[list[str]]:
    return [sorted(terms) for terms in found.to_list()]


def counts_of_tokens() -> Counts:
    return count_terms([tokens_of(normalised(TEXTS))])


def weights_of_tokens() -> sparse.csr_array:
    counts = counts_of_tokens()
    frequencies = InverseFrequencies.fit(counts.matrix, counts.distinct)
    return tf_idf(counts.matrix, frequencies.of(counts.distinct))


@pytest.mark.parametrize(
    ("raw", "tokens", "codes", "quantities"),
    [
        ("iPhone 6s, 64GB", ["iphone", "6s", "64gb"], ["64gb"], ["6", "6s", "64", "64gb"]),
        (
            "92,50 cm or 92.0 CM",
            ["92,50", "cm", "or", "92.0", "cm"],
            [],
            ["92.50", "92.50cm", "92", "92cm"],
        ),
        ("LDF-6920/BB", ["ldf", "6920", "bb"], ["ldf6920bb"], ["6920"]),
        (
            "телефон а5 за 100р.",
            ["телефон", "а5", "за", "100р"],
            ["100р"],
            ["5", "5за", "100", "100р"],
        ),
        ("nothing!", ["nothing"], [], []),
        (None, [], [], []),
    ],
)
def test_terms(raw: str | None, tokens: list[str], codes: list[str], quantities: list[str]) -> None:
    plain = normalised(pl.Series([raw], dtype=pl.String))
    assert tokens_of(plain).to_list() == [tokens]
    assert lists(codes_of(plain)) == [sorted(codes)]
    assert lists(quantities_of(plain)) == [sorted(quantities)]


def test_look_alike_letters_are_no_other_word() -> None:
    disguised = normalised(pl.Series(["Прoдам вeлocипeд"]))  # Latin o, e, c among the Cyrillic
    assert tokens_of(disguised).to_list() == [["продам", "велосипед"]]


def test_tf_idf_is_scikit_learns() -> None:
    learned = TfidfVectorizer(token_pattern=r"\S+", lowercase=False, sublinear_tf=True)
    wanted = learned.fit_transform(
        [" ".join(terms) for terms in tokens_of(normalised(TEXTS)).to_list()]
    )
    np.testing.assert_allclose(weights_of_tokens().toarray(), wanted.toarray(), atol=1e-6)


def test_terms_of_several_columns_and_chunks_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nrl_dedup.comparison.tokens._CHUNK_ADS", 2)
    columns = [pl.Series([["a", "b"], [], ["c"]]), pl.Series([["a"], ["b"], ["b", "b"]])]
    counts = count_terms(columns)
    assert counts.distinct.to_list() == ["a", "b", "c"]
    np.testing.assert_array_equal(counts.matrix.toarray(), [[2, 1, 0], [0, 1, 0], [0, 2, 1]])


def test_runs_of_signs_are_counted_inside_each_term() -> None:
    terms = count_terms([tokens_of(normalised(TEXTS))])
    found = count_ngrams(terms, (2, 3))

    def runs(words: list[str]) -> Counter:
        return Counter(
            f" {w} "[i : i + n] for w in words for n in (2, 3) for i in range(len(w) + 3 - n)
        )

    counts = [runs(words) for words in tokens_of(normalised(TEXTS)).to_list()]
    dots = [[sum(one[run] * other[run] for run in one) for other in counts] for one in counts]
    np.testing.assert_array_equal(
        (found @ found.T).toarray(), dots
    )  # so no two runs share a bucket here


def test_sparse_similarities_are_cosines() -> None:
    space = SparseSimilarity(weights_of_tokens())
    wanted = cosine_similarity(space.vectors.toarray())
    wanted[4], wanted[:, 4] = np.nan, np.nan  # the ad without words
    np.testing.assert_allclose(space.similarity(LEFT, RIGHT).reshape(ADS, ADS), wanted, atol=1e-6)


def test_photos_are_compared_all_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nrl_dedup.comparison.similarities._CHUNK_PHOTO_PAIRS", 3)
    counts = np.array([0, 3, 1, 2])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    photos = np.array([4, 1, 2, 0, 3, 1])
    likeness = np.random.default_rng(0).random((5, 5)).astype(np.float32)
    likeness += likeness.T
    space = PhotoSimilarity(photos, offsets, lambda one, other: likeness[one, other])
    left, right = (np.array(side) for side in zip(*product(range(4), repeat=2), strict=True))
    for one, other, found in zip(left, right, space.similarity(left, right), strict=True):
        mine, theirs = (
            photos[offsets[one] : offsets[one + 1]],
            photos[offsets[other] : offsets[other + 1]],
        )
        wanted = max((likeness[a, b] for a in mine for b in theirs), default=np.nan)
        np.testing.assert_equal(found, np.float32(wanted))


def test_surroundings_are_the_best_of_the_known_neighbours() -> None:
    draw = np.random.default_rng(0)
    ads = 60
    vectors = draw.normal(size=(ads, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    there = np.arange(ads) != 7
    searched = [draw.integers(-1, ads, size=(ads, 15)) for _ in range(2)]
    known = known_neighbours(
        [Neighbours(rows, np.zeros(rows.shape, np.float32)) for rows in searched]
    )
    known[3] = -1
    space = DenseSimilarity(vectors, there)
    found = NeighbourhoodStatistics.fit(space, known)
    value = np.float32(0.5)
    for ad in range(ads):
        neighbours = (
            set() if ad == 3 else {int(row) for rows in searched for row in rows[ad] if row >= 0}
        )
        likes = [
            float(vectors[ad] @ vectors[other])
            for other in neighbours
            if there[other] and there[ad]
        ]
        best = sorted(likes, reverse=True)[:20]
        np.testing.assert_allclose(found.nearest[ad], best + [np.nan] * (20 - len(best)), atol=1e-6)
        level = (
            np.mean(best[:10]) if best else 0 if ad == 3 else np.nan
        )  # nothing is near to ad 3 in any space
        np.testing.assert_allclose(found.levels[ad], level, atol=1e-6)
        assert found.ranks(np.array([ad]), np.array([value]))[0] == sum(
            like > value for like in best
        )
    assert np.isnan(found.ranks(np.array([0]), np.array([np.nan], np.float32))[0])


def of_length_1(draw: np.random.Generator, ads: int, size: int) -> np.ndarray:
    vectors = draw.normal(size=(ads, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_words_make_expect_what_ads_with_like_words_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nrl_dedup.comparison.cross_modal._CHUNK_PAIRS", 100)  # several steps
    draw = np.random.default_rng(0)
    ads = 50
    words = DenseSimilarity(of_length_1(draw, ads, 5), np.arange(ads) != 4)
    shown = DenseSimilarity(of_length_1(draw, ads, 3), draw.random(ads) < 0.8)
    shown.vectors[~shown.there] = 0
    searched = draw.integers(-1, ads, size=(ads, 25))
    searched[searched == np.arange(ads)[:, None]] = -1
    searched[7] = -1
    found = expected_photos(
        words, shown, known_neighbours([Neighbours(searched, np.zeros((ads, 25), np.float32))])
    )
    for ad in range(ads):
        others = {int(row) for row in searched[ad] if row >= 0 and shown.there[row]}
        likes = {
            row: float(words.vectors[ad] @ words.vectors[row])
            for row in others
            if 4 not in (ad, row)
        }
        best = [row for row in sorted(likes, key=lambda row: -likes[row])[:10] if likes[row] > 0]
        total = sum(
            (likes[row] ** 2 * shown.vectors[row].astype(np.float64) for row in best), np.zeros(3)
        )
        assert found.there[ad] == bool(best) and (ad not in (4, 7) or not best)
        wanted = total / np.linalg.norm(total) if best else total
        np.testing.assert_allclose(found.vectors[ad], wanted, atol=1e-5)


def test_expected_photos_are_compared_with_the_others_ads_photos() -> None:
    draw = np.random.default_rng(0)
    expected = DenseSimilarity(of_length_1(draw, ADS, 4), np.arange(ADS) != 1)
    shown = DenseSimilarity(of_length_1(draw, ADS, 4), np.arange(ADS) != 2)
    cosines = cosine_similarity(expected.vectors, shown.vectors)
    wanted = (cosines + cosines.T) / 2
    for lacking in (1, 2):
        wanted[lacking], wanted[:, lacking] = np.nan, np.nan
    found = CrossModalSimilarity(expected, shown).similarity(LEFT, RIGHT).reshape(ADS, ADS)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_similarity_is_judged_by_both_surroundings() -> None:
    nearest = np.array([[0.9, 0.5], [0.4, 0.2], [np.nan, np.nan]], np.float32)
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    part = RelativeSimilarity(
        "x",
        "text",
        "words",
        DenseSimilarity(vectors, np.ones(3, dtype=bool)),
        NeighbourhoodStatistics.of(nearest, np.zeros(3, dtype=bool)),
    )
    found = part.compare(np.array([0, 1]), np.array([1, 2]))
    wanted = {
        "x": 0.6,
        "x_above_mean": 0.1,
        "x_above_max": -0.1,
        "x_level_min": 0.3,
        "x_level_max": 0.7,
    }
    wanted |= {"x_rank_min": 0, "x_rank_max": 1}
    assert {name: pytest.approx(values[0], abs=1e-6) for name, values in found.items()} == wanted
    assert np.isnan(found["x_above_mean"][1]) and found["x"][1] == np.float32(0.8)


def test_shared_terms_are_those_of_the_sets() -> None:
    counts = counts_of_tokens()
    frequencies = InverseFrequencies.fit(counts.matrix, counts.distinct)
    idf = dict(zip(counts.distinct, frequencies.idf.tolist(), strict=True))
    sets = [set(terms) for terms in tokens_of(normalised(TEXTS)).to_list()]
    found = SharedTerms.of("t", "text", "words", counts, frequencies).compare(LEFT, RIGHT)

    def weight(terms: set[str]) -> float:
        return sum(idf[term] for term in terms)

    for at, (a, b) in enumerate(zip(LEFT, RIGHT, strict=True)):
        one, other = sets[a], sets[b]
        common = one & other
        sizes, weights = sorted([len(one), len(other)]), sorted([weight(one), weight(other)])
        wanted = {
            "t_shared": len(common),
            "t_weight": weight(common),
            "t_rarest": max((idf[term] for term in common), default=0),
            "t_jaccard": weight(common) / max(weight(one | other), 1e-9),
            "t_contained": weight(common) / max(weights[0], 1e-9),
            "t_left_min": weights[0] - weight(common),
            "t_left_max": weights[1] - weight(common),
        }
        if not sizes[0]:
            wanted = dict.fromkeys(wanted, np.nan)
        wanted |= {"t_count_min": sizes[0], "t_count_max": sizes[1]}
        for name, value in wanted.items():
            np.testing.assert_allclose(
                found[name][at], value, atol=1e-5, err_msg=f"{name} of {a}, {b}"
            )


def compared_columns(columns: dict[str, pl.Series]) -> list[Comparison]:
    return column_comparisons(TableStatistics.fit(columns), columns)


def test_numbers_are_found_in_columns_of_numbers_only() -> None:
    prices = pl.Series(["1,200.50", "£ 15", "7,5", "", None, "-3", "1000000"])
    np.testing.assert_array_equal(numbers_of(prices), [1200.5, 15, 7.5, np.nan, np.nan, -3, 1e6])
    assert numbers_of(pl.Series(["red", "12", "blue"])) is None
    assert numbers_of(pl.Series(["", None], dtype=pl.String)) is None
    assert numbers_of(pl.Series(["nan", "inf", "1"])) is None


def test_values_are_the_same_and_rare() -> None:
    colours = pl.Series(["Red", " red", "blue", "", None, "red"])
    (part,) = column_comparisons(TableStatistics.fit({"colour": colours}), {"colour": colours})
    found = part.compare(np.array([0, 0, 0, 3]), np.array([1, 2, 3, 4]))
    np.testing.assert_array_equal(found["colour_same"], [1, 0, np.nan, np.nan])
    np.testing.assert_allclose(
        found["colour_rarity"], [math.log(4 / 3), 0, np.nan, np.nan], rtol=1e-6
    )
    np.testing.assert_array_equal(found["colour_missing"], [0, 0, 1, 2])


def test_numbers_are_compared_by_size_and_by_what_lies_between() -> None:
    numbers = np.array([10.0, 20, 20, 40, np.nan, 0])
    part = NumberColumn("price", "price", numbers, Quantiles.fit(numbers).of(numbers))
    found = part.compare(np.array([0, 1, 0, 4, 5]), np.array([1, 2, 3, 0, 5]))
    np.testing.assert_allclose(found["price_relative"], [0.5, 0, 0.75, np.nan, 0])
    # Middle ranks of 0, 10, 20, 20, 40 are 0.5, 1.5, 3, 3, 4.5 of 5.
    np.testing.assert_allclose(found["price_between"], [0.3, 0, 0.6, np.nan, 0], rtol=1e-6)


def test_places_are_kilometres_apart() -> None:
    columns = {
        "LAT": pl.Series(["55.7558", "59.9343", ""]),
        "Lon": pl.Series(["37.6173", "30.3351", "1"]),
    }
    (part,) = compared_columns(columns)
    assert isinstance(part, Place)
    found = part.compare(np.array([0, 0, 0]), np.array([1, 0, 2]))["distance"]
    assert math.expm1(found[0]) == pytest.approx(634, abs=2)  # Moscow and Saint Petersburg
    assert found[1] == 0 and np.isnan(found[2])


def test_columns_have_their_groups() -> None:
    columns = {
        "Price": pl.Series(["1", "2"]),
        "colour": pl.Series(["red", "2"]),
        "lat": pl.Series(["", ""]),
    }
    kinds = [(type(part), part.group) for part in compared_columns(columns)]
    assert kinds == [
        (ValueColumn, "price"),
        (NumberColumn, "price"),
        (ValueColumn, "other"),
        (ValueColumn, "other"),
    ]


def test_codes_are_not_measured() -> None:
    columns = {"category": pl.Series(["282", "306"]), "price": pl.Series(["282", "306"])}
    assert [(type(part), part.name) for part in compared_columns(columns)] == [
        (ValueColumn, "category"),
        (ValueColumn, "price"),
        (NumberColumn, "price"),
    ]


def test_a_shared_value_counts_ads_not_photos() -> None:
    ads = PhotoLists(
        np.array([0, 1, 2, 0]), np.array([0, 2, 2, 3, 4])
    )  # photos 0 and 1; none; 2; 0
    values = np.array([5, 5, 9])
    shared = SharedValue.of(values, ads.rarities(values))
    found = ads.space(shared).similarity(np.array([0, 0, 0]), np.array([3, 2, 1]))
    np.testing.assert_allclose(found, [math.log(4 / 2), 0, np.nan], rtol=1e-6)
    rarities = [math.log(4 / 2), math.log(4 / 2), math.log(4)]
    np.testing.assert_allclose(shared.rarities(), rarities, rtol=1e-6)
    np.testing.assert_allclose(
        ads.least(shared.rarities()), [rarities[0], np.nan, rarities[2], rarities[0]], rtol=1e-6
    )


def test_full_whitening_is_that_of_principal_components() -> None:
    x = np.random.default_rng(0).normal(size=(200, 6)) @ np.random.default_rng(1).normal(
        size=(6, 6)
    )

    def read(rows: np.ndarray) -> np.ndarray:
        return x[rows].astype(np.float32)

    z = PrincipalComponents.fit(read, 200, 4, 1.0).unit_vectors(read, 200)
    wanted = PCA(4, whiten=True).fit_transform(x)
    np.testing.assert_allclose(z @ z.T, cosine_similarity(wanted), atol=1e-3)
    plain = PrincipalComponents.fit(read, 200, 6, 0.0).unit_vectors(read, 200)
    np.testing.assert_allclose(plain @ plain.T, cosine_similarity(x - x.mean(axis=0)), atol=1e-3)


def test_topics_are_the_largest_singular_directions() -> None:
    words = read_words([pl.Series(["a b", "a c d", "b c", "d a", "e", "b d c"] * 3)], "none")
    counts = word_counts(words)
    frequencies = InverseFrequencies.fit(counts, words.distinct)
    vectors = tf_idf(counts, frequencies.of(words.distinct))
    frequent = vectors.toarray()
    _, _, directions = np.linalg.svd(frequent)
    wanted = frequent @ directions[:2].T
    found = TopicProjection.fit(vectors, words.distinct, 2, seed=0).of(vectors, words.distinct)
    there = np.linalg.norm(wanted, axis=1) > 1e-6
    np.testing.assert_array_equal(found.there, there)
    similarity = found.vectors[there] @ found.vectors[there].T
    np.testing.assert_allclose(similarity, cosine_similarity(wanted[there]), atol=1e-4)


@pytest.fixture(scope="module")
def described() -> tuple:
    draw = np.random.default_rng(0)
    ads = 80
    words = [f"w{number}" for number in range(30)]
    titles = [" ".join(draw.choice(words, size=3)) for _ in range(ads)]
    texts = [
        "" if ad % 9 == 0 else " ".join(draw.choice(words, size=12)) + f" {ad} kg"
        for ad in range(ads)
    ]
    frame = pl.DataFrame(
        {"item_id": [str(ad) for ad in range(ads)], "title": titles, "description": texts}
    )
    frame = frame.with_columns(photos=pl.Series([[]] * ads, dtype=pl.List(pl.String)))
    photos = 60
    counts = draw.integers(0, 4, size=ads)
    features = PhotoFeatures(
        photos=pl.DataFrame(
            {"photo": [f"p{row:02d}" for row in range(photos)], "row": np.arange(photos)}
        ),
        unreadable=pl.DataFrame(
            {"photo": [], "reason": []}, schema={"photo": pl.String, "reason": pl.String}
        ),
        digests=draw.integers(1, 50, size=photos).astype(np.uint64),
        stored=draw.random((photos, 1, 16)).astype(np.float32),
        kind=KINDS["pooled"],
        shape=(16,),
    )
    shown = AdPhotos(
        draw.integers(0, photos, size=counts.sum()),
        np.concatenate([[0], np.cumsum(counts)]),
        features,
    )
    stored = np.zeros(photos - 5, DESCRIPTOR)  # five photos have no sketch
    for name in ("layout", "colours", "hashes"):
        stored[name] = draw.integers(0, 256, size=stored[name].shape)
    stored["width"], stored["height"] = draw.integers(1, 4, size=(2, photos - 5)) * 100
    sketches = PhotoDescriptors(features.photos.head(photos - 5), stored)
    searched = Neighbours(draw.integers(0, ads, size=(ads, 25)), np.zeros((ads, 25), np.float32))
    columns = {
        "price": pl.Series([str(ad % 7) for ad in range(ads)]),
        "colour": pl.Series(["red", ""] * (ads // 2)),
    }
    words = read_words([frame["title"], frame["description"]], "en")
    compared = ComparedAds(frame["title"], frame["description"], words, shown, sketches, columns)
    return compared, [searched], build_profiles(fit_statistics(compared), compared, [searched])


def test_evidence_is_symmetric_and_the_same_in_any_company(
    described: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, ads = described
    draw = np.random.default_rng(1)
    left, right = draw.integers(0, 80, size=(2, 500))
    whole = compare_pairs(ads, left, right)
    monkeypatch.setattr(pairs_module, "CHUNK_PAIRS", 7)
    np.testing.assert_array_equal(compare_pairs(ads, right, left).values, whole.values)
    np.testing.assert_array_equal(
        compare_pairs(ads, left[100:130], right[100:130]).values, whole.values[100:130]
    )
    assert len(set(whole.names)) == len(whole.names) and set(whole.groups) == set(GROUPS)
    assert not np.isinf(whole.values).any()


def test_profiles_can_be_sent_to_another_process(described: tuple) -> None:
    _, _, ads = described
    sent = pickle.loads(pickle.dumps(ads))
    rows = np.arange(80), np.arange(80)[::-1].copy()
    wanted = compare_pairs(ads, *rows)
    found = compare_pairs(sent, *rows)
    assert found.names == wanted.names and found.directions == wanted.directions
    np.testing.assert_array_equal(found.values, wanted.values)


def test_comparisons_give_the_columns_that_they_name(described: tuple) -> None:
    """In their order; and each is described alike where the catalogue is not at hand."""
    _, _, ads = described
    nothing = np.zeros(0, np.int64)
    for comparison in ads.comparisons:
        assert list(comparison.compare(nothing, nothing)) == list(comparison.columns)
        for name, column in comparison.columns.items():
            assert column_named(name) == column


def test_of_these_columns_a_higher_value_never_lowers_the_score(described: tuple) -> None:
    _, _, ads = described
    found = compare_pairs(ads, np.array([0]), np.array([1])).directions
    similarities = ["words", "letters", "titles", "topics", "photos", "layout", "colours"]
    similarities += ["expected_shown", "expected"]
    endings = ["", "_above_mean", "_above_max"]
    wanted = {name + ending for name in similarities for ending in endings}
    wanted |= {"same_picture", "same_file"}
    assert {name for name, way in found.items() if way is Direction.NEVER_LOWERS} == wanted
    assert {way for name, way in found.items() if name not in wanted} == {Direction.EITHER}


def test_columns_of_pairs_keep_their_directions() -> None:
    directions = {"a": Direction.NEVER_LOWERS, "b": Direction.NEVER_RAISES}
    values = np.zeros((2, 2), np.float32)
    one = ComparisonVectors(values, ("a", "b"), ("text", "price"), directions)
    other = ComparisonVectors(values[:, :1], ("c",), ("other",))
    assert ComparisonVectors.joined([one, other]).directions == directions
    assert one.take(np.array([1])).directions == one.only(["text"]).directions == directions
    assert with_group_dropout(one)[0].directions == directions


def test_missing_sides_are_nan(described: tuple) -> None:
    compared, _, ads = described
    shown = compared.photos
    bare = int(np.flatnonzero(np.diff(shown.offsets) == 0)[0])
    found = compare_pairs(ads, np.array([bare, 4, 1]), np.array([5, 5, 2]))
    assert np.isnan(
        found.columns(["photos", "layout_above_mean", "same_file", "proportion_min"])[0]
    ).all()
    assert found.columns(["photo_count_min"])[0, 0] == 0
    assert (
        np.isnan(found.columns(["colour_same"])[2, 0])
        and found.columns(["colour_missing"])[2, 0] == 1
    )
    assert np.isnan(found.columns(["no such column"])).all()


def test_photo_similarity_is_the_best_cosine_of_whitened_features(described: tuple) -> None:
    compared, _, ads = described
    shown = compared.photos
    features = np.sqrt(shown.centre.stored[:, 0])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distinct = np.unique(shown.rows)
    x = features[distinct]
    z = PCA(16).fit_transform(x.astype(np.float64))
    z *= (z.std(axis=0) ** 2) ** (-0.75 / 2)
    likeness = cosine_similarity(z)
    left, right = np.random.default_rng(2).integers(0, 80, size=(2, 200))
    found = compare_pairs(ads, left, right).columns(["photos"])[:, 0]
    for a, b, value in zip(left, right, found, strict=True):
        mine, theirs = (
            np.searchsorted(distinct, shown.rows[shown.offsets[x] : shown.offsets[x + 1]])
            for x in (a, b)
        )
        wanted = max((likeness[p, q] for p in mine for q in theirs), default=np.nan)
        np.testing.assert_allclose(value, wanted, atol=1e-3)


def test_a_catalogue_of_words_needs_no_photos(described: tuple) -> None:
    compared, searched, _ = described
    compared = replace(compared, photos=None, sketches=None, columns={})
    ads = build_profiles(fit_statistics(compared), compared, searched)
    groups = compare_pairs(ads, np.array([0]), np.array([1])).groups
    assert set(groups) == {"text", "codes"}


def test_measures_are_numbers_apart() -> None:
    found = Measure("m", "text", "a number", np.array([1, 4, np.nan], np.float32)).compare(
        np.array([1, 0]), np.array([0, 2])
    )
    assert [found[name][0] for name in ("m_min", "m_max", "m_apart")] == [1, 4, 3]
    assert all(np.isnan(values[1]) for values in found.values())


def test_cosines_of_photos() -> None:
    x = np.array([[1, 0], [0.6, 0.8]], np.float32)
    assert Cosine(x)(np.array([0]), np.array([1]))[0] == np.float32(0.6)
