"""The spaces of text, photos and both against brute force and closed forms; and how they are united."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import eigh
from sklearn.feature_extraction.text import TfidfVectorizer

from nrl_dedup.blocking import candidates as candidates_module
from nrl_dedup.blocking import cca_source as both_module
from nrl_dedup.blocking import photo_source as photos_module
from nrl_dedup.blocking import sparse_search as sparse_module
from nrl_dedup.blocking.backgrounds import BackgroundComponents
from nrl_dedup.blocking.candidates import neighbourhood_levels, proposed, unite
from nrl_dedup.blocking.cca_source import cca_neighbours, correlated, fit_cca
from nrl_dedup.blocking.exact_duplicates import first_of_equal_rows
from nrl_dedup.blocking.item_search import Held, nearest_ads
from nrl_dedup.blocking.joint_source import joint_neighbours
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists, Neighbours
from nrl_dedup.blocking.photo_source import fit_photo_components, photo_neighbours
from nrl_dedup.blocking.sources import search_sources
from nrl_dedup.blocking.sparse_search import SparseSearch
from nrl_dedup.blocking.text_source import (
    fit_frequencies,
    grams,
    piece_weights,
    read_texts,
    stems,
    text_neighbours,
)
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.photos.descriptors import DESCRIPTOR
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.runtime.progress import Silent
from nrl_dedup.runtime.run import Run

CPU = torch.device("cpu")


def stored(features):
    """A feature store of these photos: [rows, size], or [rows, regions, size]."""
    count = len(features)
    return PhotoFeatures(
        photos=pl.DataFrame({"photo": [str(row) for row in range(count)], "row": range(count)}),
        unreadable=pl.DataFrame(schema={"photo": pl.String, "reason": pl.String}),
        digests=np.arange(1, count + 1, dtype=np.uint64),
        stored=np.asarray(features, np.float32)[:, None],
        kind=KINDS["pooled"],
        shape=features.shape[1:],
    )


def photos_of(features, rows_of_ads):
    """Ads with these rows of a store."""
    counts = [len(rows) for rows in rows_of_ads]
    rows = np.array([row for rows in rows_of_ads for row in rows], dtype=np.int64)
    return AdPhotos(
        rows, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), stored(features)
    )


def by_row(neighbours, row):
    """What one ad lists, as {other: similarity}."""
    kept = neighbours.rows[row] != NONE
    assert np.isnan(neighbours.similarities[row][~kept]).all()
    assert (np.diff(neighbours.similarities[row][kept]) <= 0).all()
    return dict(
        zip(
            neighbours.rows[row][kept].tolist(),
            neighbours.similarities[row][kept].tolist(),
            strict=True,
        )
    )


# ---- nearest ads by what they hold


@given(st.integers(2, 12), st.integers(1, 14), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_ads_are_as_near_as_the_nearest_two_of_their_items(ads, count, neighbours, seed):
    draw = np.random.default_rng(seed)
    like = draw.random((count, count), dtype=np.float32)
    like = np.minimum(like, like.T)
    np.fill_diagonal(like, 1)
    held = [
        sorted(draw.choice(count, draw.integers(0, min(3, count) + 1), replace=False))
        for _ in range(ads)
    ]
    items = Held(
        np.array([item for mine in held for item in mine], dtype=np.int64),
        np.concatenate([[0], np.cumsum([len(mine) for mine in held])]).astype(np.int64),
        count,
    )

    def find(queries):
        order = np.argsort(-like[queries], axis=1, kind="stable")
        return np.take_along_axis(like[queries], order, axis=1), order

    found, is_hub = nearest_ads(items, find, neighbours, 1.0, "items")
    owners = [[ad for ad in range(ads) if item in held[ad]] for item in range(count)]
    hub = [len(mine) > neighbours for mine in owners]
    for ad in range(ads):
        searched = [item for item in held[ad] if not hub[item]]
        assert is_hub[ad] == (bool(held[ad]) and not searched)
        listed = by_row(found, ad)
        if is_hub[ad]:
            mates = [other for other in owners[held[ad][0]] if other != ad]
            assert next(iter(listed)) == mates[0] and set(listed) <= set(mates)
            assert len(listed) == min(neighbours, ads - 1) and set(listed.values()) == {1.0}
            continue
        similar = {}
        for mine in searched:
            for item in range(count):
                for other in owners[item][:1] if hub[item] else owners[item]:
                    if other != ad:
                        similar[other] = max(similar.get(other, -1), float(like[mine, item]))
        best = sorted(similar.items(), key=lambda pair: (-pair[1], pair[0]))[:neighbours]
        assert list(listed.items()) == best


# ---- text


WORDS = [
    "диван",
    "дивана",
    "iphone",
    "iphone6s",
    "64gb",
    "красный",
    "красная",
    "стол",
    "ёж",
    "a",
    "Кровать",
    "кроватка",
]


def catalogue(texts):
    return pl.DataFrame(
        {"title": [title for title, _ in texts], "description": [text for _, text in texts]},
        schema={"title": pl.String, "description": pl.String},
    )


def random_texts(count, seed, words=WORDS):
    draw = np.random.default_rng(seed)
    return [
        (
            " ".join(draw.choice(words, draw.integers(0, 3))),
            ", ".join(draw.choice(words, draw.integers(0, 9))),
        )
        for _ in range(count)
    ]


def only_words(text):
    return " ".join(re.findall(r"\w+", text))


def stems_in_python(text):
    words = only_words(text.lower()).split()
    return [word if any(letter.isdigit() for letter in word) else word[:5] for word in words]


def weights_of(texts, take_apart=stems):
    pieces = take_apart(texts.words)
    return piece_weights(texts, pieces, fit_frequencies(texts, pieces))


def text_space(texts, neighbours):
    frequencies = fit_frequencies(texts, stems(texts.words))
    return text_neighbours(frequencies, texts, neighbours, device=CPU)


def photo_space(photos, ads, neighbours):
    components = fit_photo_components(photos, ads)
    return photo_neighbours(components, photos, ads, neighbours, device=CPU)


def text_and_photo_space(texts, photos, ads, neighbours, sketches=None, seed=0):
    projection = fit_cca(texts, photos, ads, seed)
    if projection is None:
        return None
    backgrounds = None
    if sketches is not None:
        backgrounds = background_vectors(photos, sketches, ads)
    return cca_neighbours(
        projection, texts, photos, ads, neighbours, backgrounds=backgrounds, device=CPU, seed=seed
    )


def background_vectors(photos, sketches, ads):
    return BackgroundComponents.fit(photos, sketches, ads).vectors(photos, sketches, ads)


def test_weights_are_scikit_learns(monkeypatch):
    pairs = [*random_texts(60, 0), ("", ""), ("", " !? "), ("диван", "")]
    monkeypatch.setattr("nrl_dedup.blocking.text_source.CHUNK_ADS", 17)  # several chunks
    texts = read_texts(catalogue(pairs))
    whole = [" ".join(pair) for pair in pairs]
    by_stems = TfidfVectorizer(analyzer=stems_in_python, sublinear_tf=True)
    by_grams = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(4, 4),
        sublinear_tf=True,
        preprocessor=lambda text: only_words(text.lower()),
    )
    for take_apart, vectorizer in ((stems, by_stems), (grams, by_grams)):
        weights, wanted = weights_of(texts, take_apart), vectorizer.fit_transform(whole)
        assert weights.shape == wanted.shape
        np.testing.assert_allclose(
            (weights @ weights.T).toarray(), (wanted @ wanted.T).toarray(), atol=1e-6
        )


def test_pieces_that_stand_in_too_few_ads_are_left_out():
    texts = read_texts(catalogue([("стол", "дуб"), ("стол", "стол дуб"), ("", "дуб орех орех")]))
    pieces = stems(texts.words)
    frequencies = fit_frequencies(texts, pieces, min_ads=3)
    known = pieces.only(frequencies.terms)
    weights = piece_weights(texts, known, frequencies)
    assert weights.toarray().tolist() == [[1.0], [1.0], [1.0]]  # дуб
    assert frequencies.terms.to_list() == ["дуб"] and frequencies.idf.tolist() == [1.0]


def test_look_alike_letters_and_accents_make_no_other_word():
    texts = read_texts(
        catalogue([("iphone кафе\u0301", ""), ("iph\u043ene", "КАФЕ\u0301"), ("ИЖ", "")])
    )
    like = weights_of(texts) @ weights_of(texts).T
    assert like.toarray()[0, 1] == pytest.approx(1.0)
    assert like.toarray()[0, 2] == 0


@pytest.mark.parametrize("neighbours", [1, 4, 100])
def test_the_text_space_is_brute_force_over_all_pairs(neighbours):
    words = [f"{word}{number}" for word in WORDS for number in range(6)]
    texts = [*random_texts(150, 1, words), ("", "")]
    read = read_texts(catalogue(texts))
    weights, space = weights_of(read), text_space(read, neighbours)
    like = (weights @ weights.T).toarray()
    np.fill_diagonal(like, 0)
    assert space.recall == 1.0
    for row in range(len(texts)):
        listed = by_row(space.neighbours, row)
        kept = np.sort(like[row][like[row] > 0])[::-1][:neighbours]
        np.testing.assert_allclose(list(listed.values()), kept, atol=1e-6)
        np.testing.assert_allclose(like[row][list(listed)], kept, atol=1e-6)
    assert by_row(space.neighbours, len(texts) - 1) == {}


def test_ads_of_a_template_text_are_hubs_and_fill_no_other_list():
    texts = [(f"стол {number}", "белый дубовый") for number in range(40)]
    for number in range(0, 40, 4):
        texts[number] = ("Звоните", "отвечу на все вопросы")
    texts[1] = ("Звоните", "отвечу про стол 5 белый")
    space = text_space(read_texts(catalogue(texts)), 6)
    hubs = list(range(0, 40, 4))
    assert np.flatnonzero(space.is_hub).tolist() == hubs
    assert set(by_row(space.neighbours, 8)) <= set(hubs) and by_row(space.neighbours, 8)[0] == 1.0
    others = [row for row in range(40) if row not in hubs]
    assert all(len(set(by_row(space.neighbours, row)) & set(hubs)) <= 1 for row in others)
    assert {*by_row(space.neighbours, 1)} & {0, 5}


def test_equal_rows_of_a_sparse_matrix():
    rows = sparse.csr_array(
        np.array([[1, 0, 2], [1, 0, 2], [0, 0, 0], [1, 2, 0], [0, 0, 0]], np.float32)
    )
    assert first_of_equal_rows(rows).tolist() == [0, 0, 2, 3, 2]


def zipf_weights(rows_count, columns_count, seed):
    """Sparse rows of length 1, a dozen entries each, the columns as frequent as words are."""
    draw = np.random.default_rng(seed)
    chance = 1 / np.arange(1, columns_count + 1)
    rows = np.repeat(np.arange(rows_count), 12)
    columns = draw.choice(columns_count, len(rows), p=chance / chance.sum())
    counts = sparse.coo_array(
        (np.ones(len(rows)), (rows, columns)), shape=(rows_count, columns_count)
    ).tocsr()
    counts.data *= np.log(rows_count / (1 + np.bincount(counts.indices, minlength=columns_count)))[
        counts.indices
    ]
    lengths = np.sqrt(counts.multiply(counts).sum(axis=1))
    return sparse.csr_array(counts / lengths[:, None], dtype=np.float32)


def test_a_search_by_the_rarest_stems_finds_what_it_claims(monkeypatch):
    weights = zipf_weights(2_000, 3_000, 3)
    exact = SparseSearch(weights, 10, seed=0, device=CPU)
    assert exact.recall == 1.0 and "exact" in exact.name
    monkeypatch.setattr(sparse_module, "MAX_EXACT_WORK", 0)
    monkeypatch.setattr(sparse_module, "POSTINGS", 300)
    monkeypatch.setattr(sparse_module, "CHUNK_PRODUCTS", 1_000)
    monkeypatch.setattr(sparse_module, "CHUNK_ENTRIES", 5_000)
    search = SparseSearch(weights, 10, seed=0, device=CPU)
    near, found = search.nearest(np.arange(2_000))
    like = (weights @ weights.T).toarray()
    last = np.sort(like, axis=1)[:, -11:-10]
    recall = (near >= last * (1 - 1e-5)).mean()
    assert 0.3 < recall < 0.999 and search.recall == pytest.approx(recall, abs=0.03)
    there = (found != NONE) & (found != np.arange(2_000)[:, None])
    np.testing.assert_allclose(
        near[there], np.take_along_axis(like, np.maximum(found, 0), axis=1)[there], atol=1e-5
    )
    assert np.isneginf(near[found == NONE]).all()


def test_all_products_on_a_device_give_what_the_lists_give(monkeypatch):
    """What a GPU does, done on the CPU."""
    weights = zipf_weights(300, 2_000, 20)
    monkeypatch.setattr(sparse_module, "CHUNK_NUMBERS", 20_000)
    near, found = sparse_module.best_products(weights, weights[40:90], 250, CPU)
    like = (weights @ weights[40:90].T).toarray().T
    wanted = -np.sort(-like, axis=1)[:, :250]
    assert (wanted == 0).any() and ((found == NONE) == (wanted <= 0)).all()
    np.testing.assert_allclose(near[found != NONE], wanted[wanted > 0], atol=1e-6)
    rows, columns = np.nonzero(found != NONE)
    np.testing.assert_allclose(like[rows, found[rows, columns]], near[rows, columns], atol=1e-6)
    assert np.isneginf(near[found == NONE]).all()


# ---- photos


def cosines(features):
    """Of signed roots, less their mean; the closed form of the photo space where no component is left out."""
    roots = np.sign(features) * np.sqrt(np.abs(features.astype(np.float64)))
    roots /= np.linalg.norm(roots, axis=1, keepdims=True)
    roots -= roots.mean(axis=0)
    roots /= np.linalg.norm(roots, axis=1, keepdims=True)
    return roots @ roots.T


@pytest.mark.parametrize("neighbours", [3, 40])
def test_the_photo_space_is_brute_force_over_one_photo_each(neighbours):
    draw = np.random.default_rng(4)
    features = np.maximum(draw.standard_normal((60, 24)), 0).astype(np.float32)
    order = draw.permutation(60)
    photos = photos_of(features, [[row] for row in order])
    ads = np.array([*range(50), 55])
    space = photo_space(photos, ads, neighbours)
    like = cosines(features[order[ads]])
    np.fill_diagonal(like, -np.inf)
    width = min(neighbours, 50)
    np.testing.assert_allclose(
        space.neighbours.similarities, -np.sort(-like, axis=1)[:, :width], atol=1e-5
    )
    np.testing.assert_allclose(
        np.take_along_axis(like, space.neighbours.rows, axis=1),
        space.neighbours.similarities,
        atol=1e-5,
    )


def test_an_ad_is_found_by_any_of_its_photos_and_one_without_is_not():
    draw = np.random.default_rng(5)
    features = np.abs(draw.standard_normal((80, 16))).astype(np.float32)
    features[70] = features[3] * 1.001  # almost the third photo of ad 1
    held = [[0, 1], [2, 4, 3], [], *[[row] for row in range(5, 80)]]
    space = photo_space(photos_of(features, held), np.arange(len(held)), 5)
    other = held.index([70])
    assert (space.neighbours.rows[1, 0], space.neighbours.rows[other, 0]) == (other, 1)
    assert by_row(space.neighbours, 2) == {}
    assert not (space.neighbours.rows == 2).any()


def test_a_placeholder_photo_hides_no_other_photo_of_an_ad():
    draw = np.random.default_rng(6)
    features = np.abs(draw.standard_normal((60, 16))).astype(np.float32)
    features[51] = features[50] * 1.001
    held = [[0]] * 20 + [[0, 50], [0, 51]] + [[row] for row in range(1, 40)]
    space = photo_space(photos_of(features, held), np.arange(len(held)), 5)
    assert np.flatnonzero(space.is_hub).tolist() == list(range(20))
    assert (space.neighbours.rows[20, 0], space.neighbours.rows[21, 0]) == (21, 20)
    for row in range(20, len(held)):  # the hubs take one place of a list at most
        assert len([other for other in by_row(space.neighbours, row) if other < 20]) <= 1


def test_regions_count_by_their_mean():
    draw = np.random.default_rng(7)
    regions = np.abs(draw.standard_normal((30, 9, 12))).astype(np.float32)
    held = [[row] for row in range(30)]
    spaces = [
        photo_space(photos_of(features, held), np.arange(30), 4)
        for features in (regions, regions.mean(axis=1))
    ]
    assert (spaces[0].neighbours.rows == spaces[1].neighbours.rows).all()


def test_principal_components_of_a_sample_are_those_of_the_covariance(monkeypatch):
    draw = np.random.default_rng(8)
    features = np.abs(draw.standard_normal((300, 10)) @ draw.standard_normal((10, 10))).astype(
        np.float32
    )
    photos = photos_of(features, [[row] for row in range(300)])
    monkeypatch.setattr(photos_module, "SIZE", 3)
    monkeypatch.setattr(photos_module, "CHUNK_PHOTOS", 64)
    components = fit_photo_components(photos, np.arange(300))
    roots = np.sqrt(features) / np.linalg.norm(np.sqrt(features), axis=1, keepdims=True)
    np.testing.assert_allclose(components.mean, roots.mean(axis=0), atol=1e-5)
    right = np.linalg.svd(roots - roots.mean(axis=0), full_matrices=False)[2]
    np.testing.assert_allclose(np.abs(right[:3] @ components.directions), np.eye(3), atol=1e-3)


# ---- text and photos


def test_canonical_correlations_are_the_eigenvalues_of_the_closed_form():
    draw = np.random.default_rng(9)
    shared = draw.standard_normal((500, 3))
    a = shared @ draw.standard_normal((3, 7)) + draw.standard_normal((500, 7))
    b = shared @ draw.standard_normal((3, 5)) + draw.standard_normal((500, 5))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    for ridges in ((0.0, 0.0), (2.0, 0.5)):
        map_a, map_b, strengths = correlated(a, b, ridges, 4)
        aa, bb, ab = a.T @ a / 500, b.T @ b / 500, a.T @ b / 500
        aa += ridges[0] * np.trace(aa) / 7 * np.eye(7)
        bb += ridges[1] * np.trace(bb) / 5 * np.eye(5)
        squares = eigh(ab @ np.linalg.solve(bb, ab.T), aa, eigvals_only=True)[::-1]
        np.testing.assert_allclose(strengths**2, squares[:4], rtol=1e-6)
        np.testing.assert_allclose(map_a.T @ aa @ map_a, np.eye(4), atol=1e-8)
        np.testing.assert_allclose(map_b.T @ bb @ map_b, np.eye(4), atol=1e-8)
        np.testing.assert_allclose(map_a.T @ ab @ map_b, np.diag(strengths), atol=1e-8)


def things(count, seed, words=12, looks=20):
    """Two postings of each of `count` things, with neither a word nor a photo in common: a thing is of a kind, and the
    kind shows in the words of both and in the photos of both."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, 15, count)
    prototypes = np.abs(draw.standard_normal((15, looks)))
    texts, features = [], []
    for half in (0, 1):
        for kind in kinds:
            own = draw.choice(words // 2, 3, replace=False) * 2 + half
            texts.append(("", " ".join(f"{chr(97 + kind)}{word:04d}" for word in own)))
            features.append(prototypes[kind] + 0.3 * np.abs(draw.standard_normal(looks)))
    return catalogue(texts), np.array(features, np.float32), np.tile(kinds, 2)


def test_words_are_near_to_the_photos_of_their_kind():
    """100 ads lose their photos and 100 their words: only what the others teach can bring them together."""
    frame, features, kinds = things(300, 10)
    held = [[row] for row in range(600)]
    for row in range(400, 500):
        held[row] = []
    bare = pl.int_range(pl.len()) >= 500
    frame = frame.with_columns(
        pl.when(bare).then(pl.lit("")).otherwise("description").alias("description")
    )
    texts, photos = read_texts(frame), photos_of(features, held)
    space = text_and_photo_space(texts, photos, np.arange(600), 10)
    found = space.neighbours.rows[400:500]
    right = kinds[np.maximum(found, 0)] == kinds[400:500, None]
    assert right[found != NONE].mean() > 0.9
    views = fit_cca(texts, photos, np.arange(600))
    vectors = views.embed(texts, photos, np.arange(600))
    there = vectors.any(axis=1)
    assert there.mean() > 0.99
    np.testing.assert_allclose(np.linalg.norm(vectors[there], axis=1), 1, atol=1e-5)
    like = vectors[400:500] @ vectors[500:].T  # words against photos
    assert (kinds[500:][like.argmax(axis=1)] == kinds[400:500]).mean() > 0.9
    near = vectors[there] @ vectors[there].T
    np.fill_diagonal(near, -2)
    np.testing.assert_allclose(
        space.neighbours.similarities[there], -np.sort(-near, axis=1)[:, :10], atol=1e-5
    )
    assert np.isnan(space.neighbours.similarities[~there]).all()


def test_both_views_of_the_ads_learned_from_are_of_one_mean_length():
    frame, features, _ = things(100, 11)
    texts, photos = read_texts(frame), photos_of(features, [[row] for row in range(200)])
    views = fit_cca(texts, photos, np.arange(200))
    looks = both_module.mean_photos(photos, np.arange(200))[1] - views.photo_mean
    of_stems, of_grams = views.stem_frequencies, views.gram_frequencies
    pieces = [
        piece_weights(texts, stems(texts.words).only(of_stems.terms), of_stems),
        piece_weights(texts, grams(texts.words).only(of_grams.terms), of_grams),
    ]
    topics = (sparse.hstack(pieces) @ views.topics).astype(np.float64)
    topics = topics / np.linalg.norm(topics, axis=1, keepdims=True) - views.topic_mean
    for seen, mapped in ((looks, views.photo_map), (topics, views.topic_map)):
        assert np.linalg.norm(seen @ mapped, axis=1).mean() == pytest.approx(1, abs=1e-4)


def test_an_ad_counts_by_the_mean_of_its_photos():
    draw = np.random.default_rng(12)
    features = np.abs(draw.standard_normal((6, 8))).astype(np.float32)
    photos = photos_of(features, [[0, 1, 2], [], [3], [4, 5], []])
    seen, looks = both_module.mean_photos(photos, np.array([0, 1, 2, 3, 4]))
    roots = np.sqrt(features) / np.linalg.norm(np.sqrt(features), axis=1, keepdims=True)
    assert seen.tolist() == [True, False, True, True, False]
    np.testing.assert_allclose(
        looks, [roots[:3].mean(axis=0), roots[3], roots[4:].mean(axis=0)], atol=1e-6
    )


def sketched(count, without=()):
    """Random sketches of the photos of `stored`, but for some."""
    draw = np.random.default_rng(15)
    made = np.zeros(count, DESCRIPTOR)
    for name in ("layout", "colours"):
        made[name] = draw.integers(0, 256, size=made[name].shape)
    photos = pl.DataFrame({"photo": [str(row) for row in range(count)], "row": range(count)})
    return PhotoDescriptors(photos.filter(~pl.col("row").is_in(list(without))), made)


def test_scenes_are_whitened_layouts_and_colours_each_with_its_weight():
    photos = photos_of(np.ones((300, 4)), [[row] for row in range(300)])
    sketches = sketched(300)
    found = background_vectors(photos, sketches, np.arange(300))
    wanted = np.zeros((300, 300))
    roots = (
        sketches.stored["colours"]
        / np.linalg.norm(sketches.stored["colours"].astype(np.float64), axis=1)[:, None]
    )
    for x, size, weight in (
        (sketches.stored["layout"].reshape(300, -1) / 255, 48, 0.2),
        (roots, 32, 0.1),
    ):
        left, scales, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        damped = left[:, :size] * np.sqrt(scales[:size])
        damped /= np.linalg.norm(damped, axis=1, keepdims=True)
        wanted += weight * damped @ damped.T
    np.testing.assert_allclose(found @ found.T, wanted, atol=1e-4)


def test_an_ads_scene_is_the_mean_of_its_photos():
    held = [[0, 1, 2], [], [3], [4, 200], []]
    photos = photos_of(np.ones((300, 4)), held + [[row] for row in range(5, 300)])
    found = background_vectors(photos, sketched(300, without=[200]), np.arange(300))
    alone = background_vectors(
        photos_of(np.ones((300, 4)), [[row] for row in range(300)]),
        sketched(300, [200]),
        np.arange(300),
    )
    assert not alone[200].any()
    for ad, rows in enumerate(held):
        wanted = alone[rows].mean(axis=0) if rows else np.zeros(80)
        np.testing.assert_allclose(found[ad], wanted, atol=1e-6)
    none = sketched(300, without=range(300))
    assert BackgroundComponents.fit(photos, none, np.arange(300)) is None


def test_photos_of_one_scene_are_nearer_together():
    """The words and the network tell 15 kinds apart; the scene tells which two photos of a kind are of one seller."""
    frame, features, _ = things(150, 16)
    texts, photos = read_texts(frame), photos_of(features, [[row] for row in range(300)])
    sketches = sketched(300)
    sketches.stored[150:] = sketches.stored[:150]
    found = {
        name: text_and_photo_space(texts, photos, np.arange(300), 3, sketches=known)
        for name, known in (("with", sketches), ("without", None))
    }
    right = {
        key: (space.neighbours.rows == (np.arange(300)[:, None] + 150) % 300).any(axis=1).mean()
        for key, space in found.items()
    }
    assert right["with"] > 0.8 > 0.5 > right["without"]
    lengths = found["with"].neighbours.similarities
    assert (np.abs(lengths) <= 1 + 1e-5).all()


def test_too_few_ads_with_words_and_photos_teach_nothing():
    frame, features, _ = things(100, 13)
    held = [[row] if row < both_module.MIN_ADS - 1 else [] for row in range(200)]
    assert (
        text_and_photo_space(read_texts(frame), photos_of(features, held), np.arange(200), 5)
        is None
    )


def test_the_same_neighbours_each_time():
    frame, features, _ = things(150, 14)
    texts, photos = read_texts(frame), photos_of(features, [[row] for row in range(300)])
    one, other = (text_and_photo_space(texts, photos, np.arange(300), 8, seed=5) for _ in range(2))
    assert (one.neighbours.rows == other.neighbours.rows).all()
    assert (one.neighbours.similarities == other.neighbours.similarities).all()


# ---- the union


def random_space(draw, ads, width, name="space", hubs=()):
    rows = np.stack([draw.permutation(np.delete(np.arange(ads), ad))[:width] for ad in range(ads)])
    near = -np.sort(-draw.random(rows.shape), axis=1).astype(np.float32)
    gone = draw.integers(0, width + 1, ads)
    gone[draw.random(ads) < 0.7] = width
    rows[np.arange(width) >= gone[:, None]] = NONE
    near[rows == NONE] = np.nan
    is_hub = np.isin(np.arange(ads), list(hubs))
    return NeighbourLists(name, Neighbours(rows, near), is_hub, "", 1.0)


def csls(space):
    """What each ad proposes, in its order, in plain Python."""
    lists = [list(by_row(space.neighbours, ad).items()) for ad in range(len(space.is_hub))]
    means = [np.mean([near for _, near in listed[:10]]) if listed else 0.0 for listed in lists]
    return [
        [listed[0][0]]
        if space.is_hub[ad]
        else [
            other for other, near in sorted(listed, key=lambda pair: means[pair[0]] - 2 * pair[1])
        ]
        for ad, listed in enumerate(lists)
    ]


@pytest.mark.parametrize("at_once", [7, 2**20])
@given(st.integers(13, 30), st.integers(1, 12), st.integers(1, 25), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_union_takes_the_first_of_every_space_as_far_as_the_cap_goes(
    at_once, ads, width, candidates_per_ad, seed
):
    draw = np.random.default_rng(seed)
    spaces = [random_space(draw, ads, width), random_space(draw, ads, 3)]
    steps = (1, 4)
    lists = [csls(space) for space in spaces]

    def pairs(reach):
        return {
            (min(ad, other), max(ad, other))
            for step, listed in zip(steps, lists, strict=True)
            for ad, mine in enumerate(listed)
            for other in mine[: reach // step]
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates_module, "CHUNK_ADS", at_once)
        patch.setattr(candidates_module, "CHUNK_NUMBERS", at_once)
        found = unite(spaces, steps, candidates_per_ad)
    fitting = [reach for reach in range(2, 13) if 2 * len(pairs(reach)) <= candidates_per_ad * ads]
    reach = max(fitting, default=1)
    assert set(found.frame.iter_rows()) == pairs(reach)
    assert found.frame.rows() == sorted(found.frame.rows())
    left, right = np.array(list(combinations(range(ads), 2))).T
    for place, (step, listed) in enumerate(zip(steps, lists, strict=True)):
        wanted = [
            right_ in listed[left_][: reach // step] or left_ in listed[right_][: reach // step]
            for left_, right_ in zip(left, right, strict=True)
        ]
        assert found.from_space(place, left, right).tolist() == wanted
    degree = np.bincount(
        np.concatenate([found.frame["distinct_l"], found.frame["distinct_r"]]), minlength=ads
    )
    assert found.per_ad(ads).tolist() == degree.tolist()


def test_the_order_in_a_list_is_that_of_csls():
    """Ad 2 is near to everything, and so behind ad 3, which is farther from ad 0 but near to little else."""
    rows = np.array([[2, 3, 1], [2, 0, 3], [0, 1, 3], [0, 2, 1]])
    near = np.array(
        [[0.8, 0.7, 0.1], [0.9, 0.1, 0.0], [0.8, 0.9, 0.6], [0.7, 0.6, 0.0]], np.float32
    )
    near = -np.sort(-near, axis=1)
    space = NeighbourLists("space", Neighbours(rows, near), np.zeros(4, bool), "", 1.0)
    assert proposed(space, neighbourhood_levels(space), np.array([0])).tolist() == [[3, 2, 1]]
    space = NeighbourLists(
        "space", Neighbours(rows, near), np.array([True, False, False, False]), "", 1.0
    )
    assert proposed(space, neighbourhood_levels(space), np.array([3, 0]))[1].tolist() == [
        2,
        NONE,
        NONE,
    ]


def test_a_hub_takes_no_more_of_the_cap_than_its_own_list():
    """1,000 ads share a template text: each of them is one pair in the text space, whatever the cap."""
    draw = np.random.default_rng(15)
    words = [f"слово{number}" for number in range(400)]
    texts = random_texts(1_400, 16, words)
    hubs = draw.choice(1_400, 1_000, replace=False)
    for row in hubs:
        texts[row] = ("Магазин", "Все товары в наличии, доставка по городу")
    space = text_space(read_texts(catalogue(texts)), 20)
    other = joint_neighbours(draw.random((1_400, 6), dtype=np.float32), 20, device=CPU)
    found = unite([other, space], (1, 1), 20)
    text = found.from_space(
        1, found.frame["distinct_l"].to_numpy(), found.frame["distinct_r"].to_numpy()
    )
    inside = np.isin(found.frame["distinct_l"].to_numpy(), hubs) & np.isin(
        found.frame["distinct_r"].to_numpy(), hubs
    )
    assert (text & inside).sum() == 1_000 - 1
    assert found.per_ad(1_400).mean() <= 20


def test_what_was_taken_is_said():
    class Heard(Silent):
        def __init__(self):
            self.said = []

        def say(self, message):
            self.said.append(message)

    draw = np.random.default_rng(17)
    heard = Heard()
    found = unite(
        [random_space(draw, 20, 5, "one"), random_space(draw, 20, 5, "other")], (1, 2), 6, heard
    )
    per_ad = found.per_ad(20)
    (message,) = heard.said
    assert f"{found.depths[0]} by one, {found.depths[1]} by other" in message
    assert (
        f"{len(found.frame):,}" in message
        and f"{per_ad.mean():.1f}" in message
        and f"{per_ad.max()}" in message
    )


def test_a_space_among_more_ads_names_them_by_their_new_places():
    space = random_space(np.random.default_rng(18), 14, 4, hubs=(2,))
    places = np.sort(np.random.default_rng(19).choice(30, 14, replace=False))
    wider = space.spread(places, 30)
    for ad, place in enumerate(places):
        near = by_row(space.neighbours, ad)
        assert by_row(wider.neighbours, place) == {
            places[other]: similarity for other, similarity in near.items()
        }
    absent = np.setdiff1d(np.arange(30), places)
    assert (wider.neighbours.rows[absent] == NONE).all() and np.isnan(
        wider.neighbours.similarities[absent]
    ).all()
    assert np.flatnonzero(wider.is_hub).tolist() == [places[2]]


# ---- all spaces together


def test_which_spaces_are_searched_and_how_deep():
    frame, features, _ = things(300, 21)
    draw = np.random.default_rng(22)
    z = draw.random((600, 5), dtype=np.float32)
    each = photos_of(features, [[row] for row in range(600)])
    few = photos_of(features, [[row] if row < 20 else [] for row in range(600)])
    none = photos_of(features, [[] for _ in range(600)])
    wordless = frame.with_columns(title=pl.lit(""), description=pl.lit(""))
    cases = [
        (frame, each, {"text and photos": 1, "joint": 3, "text": 6, "photos": 6}),
        (frame, few, {"joint": 1, "text": 1, "photos": 1}),
        (frame, none, {"joint": 1, "text": 1}),
        (frame, None, {"joint": 1, "text": 1}),
        (wordless, each, {"joint": 1, "photos": 1}),
        (wordless, None, {"joint": 1}),
    ]
    for catalogue_, photos, steps in cases:
        result = search_sources(z, catalogue_, photos, np.arange(600), 30, Run(Path(), CPU))
        found = result.candidates
        depths = {
            space.name: depth for space, depth in zip(found.spaces, found.depths, strict=True)
        }
        reach = depths[min(steps, key=steps.get)]
        assert depths == {name: reach // step for name, step in steps.items()}
        widths = {space.name: space.neighbours.rows.shape[1] for space in found.spaces}
        assert widths == {name: 100 if step < 6 else 17 for name, step in steps.items()}
        assert [space.neighbours for space in result.reference.spaces] == [
            space.neighbours for space in found.spaces
        ]
        assert 20 < found.per_ad(600).mean() <= 30
        again = search_sources(
            z, catalogue_, photos, np.arange(600), 30, Run(Path(), CPU)
        ).candidates
        assert again.frame.equals(found.frame)


def test_only_the_ads_that_are_asked_for_are_searched():
    frame, features, _ = things(100, 23)
    photos = photos_of(features, [[row] for row in range(200)])
    ads = np.sort(np.random.default_rng(24).choice(200, 120, replace=False))
    z = np.random.default_rng(25).random((120, 5), dtype=np.float32)
    some = search_sources(z, frame, photos, ads, 12, Run(Path(), CPU)).candidates
    photos_alone = photos_of(features[ads], [[row] for row in range(120)])
    alone = search_sources(
        z, frame[ads], photos_alone, np.arange(120), 12, Run(Path(), CPU)
    ).candidates
    assert some.frame.equals(alone.frame)
    for one, other in zip(some.spaces, alone.spaces, strict=True):
        assert (one.neighbours.rows == other.neighbours.rows).all()


def test_a_catalogue_of_one_ad_or_none_has_no_candidates():
    for count in (0, 1):
        z = np.ones((count, 3), dtype=np.float32)
        photos = photos_of(np.ones((1, 4), np.float32), [[0]] * count)
        found = search_sources(
            z, catalogue([("стол", "дуб")] * count), photos, np.arange(count), 5, Run(Path(), CPU)
        )
        assert found.candidates.frame.rows() == []
