"""Word vectors, against counts and matrices written out in full, and against fastText itself."""

from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pytest

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.text import word_vectors as vectors
from nrl_dedup.features.text.vocabulary import Vocabulary
from nrl_dedup.features.text.word_vectors import (
    co_occurrences,
    learn_vectors,
    positive_mutual_information,
    read_fasttext,
)
from nrl_dedup.features.text.words import Words, read_words


def words_of(ads: list[str]) -> Words:
    return read_words([pl.Series(ads, dtype=pl.String)], "none")


def random_ads(seed: int, ads: int, letters: str = "abcdefghijkl") -> list[str]:
    draw = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(letters) + 1)
    return [
        " ".join(draw.choice(list(letters), draw.integers(0, 15), p=weights / weights.sum()))
        for _ in range(ads)
    ]


def counted(ads: list[str], known: tuple[str, ...], window: int) -> np.ndarray:
    """n(w, c), pair by pair."""
    counts = np.zeros((len(known), len(known)), int)
    for ad in ads:
        words = ad.split()
        for i, word in enumerate(words):
            for j, context in enumerate(words):
                if i != j and abs(i - j) <= window and word in known and context in known:
                    counts[known.index(word), known.index(context)] += window + 1 - abs(i - j)
    return counts


def information(counts: np.ndarray) -> np.ndarray:
    """max(0, log(n(w, c) / (n(w) P(c)))), entry by entry, with 0 where n(w, c) is 0."""
    totals = counts.sum(axis=1)
    shares = totals**0.75 / (totals**0.75).sum()
    found = np.zeros(counts.shape)
    for w, c in zip(*counts.nonzero(), strict=True):
        found[w, c] = max(0, np.log(counts[w, c] / (totals[w] * shares[c])))
    return found


@pytest.mark.parametrize(("window", "at_once"), [(5, 50_000), (2, 3), (1, 1)])
def test_counts_and_information_agree_with_their_formulas(
    window: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "CHUNK_ADS", at_once)
    ads = random_ads(1, 12)
    words = words_of(ads)
    vocabulary = Vocabulary.most_frequent(
        words, 7
    )  # the other letters are unknown, but keep their places
    counts = co_occurrences(words, vocabulary, window)
    wanted = counted(ads, vocabulary.words, window)
    assert counts.dtype == np.int32
    assert np.array_equal(counts.toarray(), wanted)
    np.testing.assert_allclose(
        positive_mutual_information(counts).toarray(), information(wanted), atol=1e-6
    )


def test_counts_of_an_ad_by_hand() -> None:
    words = words_of(["a b x a", "b"])
    counts = co_occurrences(words, Vocabulary(("a", "b")), 3)
    # a-b at distances 1 and 2 (3 + 2), a-a at distance 3 (1, seen from both ends); the second ad's b stands alone
    assert counts.toarray().tolist() == [[2, 5], [5, 0]]


@pytest.mark.parametrize("dense_up_to", [1_000, 0])
def test_vectors_are_the_square_root_of_the_information(
    dense_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V V' = U S U' = (M M')^(1/2), which does not know the signs of U; by both ways to decompose M."""
    monkeypatch.setattr(vectors, "_MAX_DENSE", dense_up_to)
    ads = random_ads(2, 60)
    words = words_of(ads)
    vocabulary = Vocabulary.most_frequent(words, 12)
    size = 11
    learned = learn_vectors(words, vocabulary, size=size).astype(float)

    wanted = information(counted(ads, vocabulary.words, 5))
    squares, basis = np.linalg.eigh(wanted @ wanted.T)
    basis, squares = basis[:, -size:], squares[-size:].clip(0)
    root = basis * np.sqrt(squares) @ basis.T
    scale = np.trace(root) / np.trace(learned @ learned.T)
    np.testing.assert_allclose(learned @ learned.T * scale, root, atol=1e-4 * np.abs(root).max())

    assert np.linalg.norm(learned, axis=1).mean() == pytest.approx(1, abs=1e-5)
    assert (learned[np.abs(learned).argmax(axis=0), np.arange(size)] > 0).all()


@pytest.mark.parametrize("dense_up_to", [1_000, 0])
def test_vectors_are_the_same_at_each_run(
    dense_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_MAX_DENSE", dense_up_to)
    words = words_of(random_ads(3, 80))
    vocabulary = Vocabulary.most_frequent(words, 12)
    first = learn_vectors(words, vocabulary, size=4)
    assert learn_vectors(words, vocabulary, size=4).tobytes() == first.tobytes()
    monkeypatch.setattr(vectors, "CHUNK_ADS", 7)
    assert learn_vectors(words, vocabulary, size=4).tobytes() == first.tobytes()


def test_words_of_the_same_contexts_are_neighbours() -> None:
    draw = np.random.default_rng(4)
    topics = [[f"{topic}{i}" for i in range(6)] for topic in ("kot", "dom", "les")]
    ads = [" ".join(draw.choice(topics[i % 3], 8)) for i in range(300)]
    words = words_of([ad.translate(str.maketrans("012345", "абвгде")) for ad in ads])
    vocabulary = Vocabulary.most_frequent(words, 18)
    learned = learn_vectors(words, vocabulary, size=5)
    unit = learned / np.linalg.norm(learned, axis=1, keepdims=True)
    cosine = unit @ unit.T
    topic = np.array([word[:3] for word in vocabulary.words])
    same = topic[:, None] == topic
    assert cosine[same].min() > cosine[~same].max()


def test_a_small_vocabulary_leaves_columns_of_zeros() -> None:
    words = words_of(random_ads(5, 40, "abc"))
    vocabulary = Vocabulary.most_frequent(words, 30)
    learned = learn_vectors(words, vocabulary, size=8)
    assert learned.shape == (3, 8)
    assert learned.dtype == np.float32
    assert not learned[:, 3:].any()
    np.testing.assert_array_equal(learned[:, :3], learn_vectors(words, vocabulary, size=3))


@pytest.mark.parametrize("ads", [[], ["", ""], ["a", "b", "a"]])
def test_words_without_neighbours_have_vectors_of_zeros(ads: list[str]) -> None:
    words = words_of(ads)
    vocabulary = Vocabulary.most_frequent(words, 30)
    assert np.array_equal(
        learn_vectors(words, vocabulary, size=4), np.zeros((len(set(ads) - {""}), 4))
    )


def test_of_much_text_whole_ads_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MAX_WORDS", 20)
    said: list[str] = []

    class Listener(type(vectors.SILENT)):
        def say(self, message: str) -> None:
            said.append(message)

    # each letter is an ad of its own, three times over: 2 * (5 + 5 + 4) whenever its ad is read
    words = words_of([" ".join(letter * 3) for letter in "abcdefghij"])
    vocabulary = Vocabulary(tuple("abcdefghij"))
    read = [
        tuple(co_occurrences(words, vocabulary, 5, seed, Listener()).diagonal())
        for seed in (0, 0, 1)
    ]
    assert [sorted(row) for row in read] == [[0] * 4 + [28] * 6] * 3
    assert read[0] == read[1] != read[2]
    assert said == ["Word vectors: learned from 6 ads drawn from the 10."] * 3


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fasttext")
    draw = np.random.default_rng(0)
    text = "\n".join(" ".join(draw.choice(["кот", "дом", "лес", "сад"], 8)) for _ in range(60))
    (folder / "text.txt").write_text(text, encoding="utf-8")
    # fastText gives each of ten parts of its matrix to a thread: with fewer, the rest is whatever memory held.
    model = fasttext.train_unsupervised(
        str(folder / "text.txt"), dim=8, minCount=1, bucket=200, epoch=1, thread=10, verbose=0
    )
    model.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def test_fasttext_vectors_are_its_own(model_file: Path) -> None:
    model = fasttext.load_model(str(model_file))
    words = ["сад", "котик", "кот", "щ"]  # known, unknown with known subwords, known, unknown
    found = read_fasttext(model_file, words)
    assert np.array_equal(found, np.stack([model.get_word_vector(word) for word in words]))
    assert found[1].any()
    assert read_fasttext(model_file, []).shape == (0, 8)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda data: b"", "this file is not one"),
        (lambda data: data[:40], "cut short"),
        (lambda data: b"2000000 300\n\xd0\xba 0.1 0.2\n" * 20, "this file is not one"),
        (lambda data: data[: len(data) // 2], "cut short"),
        (lambda data: data[:-1], "cut short"),
    ],
)
def test_what_is_no_whole_model_is_refused(
    broken, why: str, model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cc.bin"
    path.write_bytes(broken(model_file.read_bytes()))
    with pytest.raises(
        NrlDedupError, match=rf"--word-vectors .*cc\.bin: wanted a fastText model .*{why}"
    ):
        read_fasttext(path, ["кот"])


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NrlDedupError, match=r"none\.bin: wanted a fastText model .*No such file"):
        read_fasttext(tmp_path / "none.bin", ["кот"])
    with pytest.raises(NrlDedupError, match=r"cannot be read"):
        read_fasttext(tmp_path, ["кот"])
