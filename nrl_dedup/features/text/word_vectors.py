"""Word vectors: read from a fastText model, or learned from the ads' own words in a way that repeats exactly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.text.fasttext_file import check_fasttext
from nrl_dedup.features.text.vocabulary import FIRST_WORD, Vocabulary
from nrl_dedup.features.text.words import CHUNK_ADS, SomeAds, Words, ragged
from nrl_dedup.runtime.progress import SILENT, Progress

MAX_WORDS = 10_000_000  # beyond this the wait grows; up to this all counts fit 32 bits
MAX_NUMBER = 1e6  # in a vector; squares of larger ones leave 32 bits, and fastText's are about 1
_SMOOTHING = 0.75  # of the context distribution, so that rare contexts do not rule
_MAX_DENSE = 1_000  # words, up to which the decomposition is exact. Not tuned.


def read_fasttext(path: Path, words: Sequence[str]) -> Float32[np.ndarray, "words size"]:
    """fastText's vector of each word, in their order; a word that the model lacks gets the mean of its subwords'.

    The words are looked up as they are, so with Russian lemmas a model of Russian is wanted, such as `cc.ru.300.bin`.

    :param path: a model as fastText saves it (`.bin`); neither the text format (`.vec`) nor a quantised model (`.ftz`).
    :raises NrlDedupError: there is no such file, it is no whole fastText model (`check_fasttext`), or a word's vector
        is not finite.
    """
    size = check_fasttext(path)
    import fasttext  # an extension module that only this function needs

    try:
        model = fasttext.load_model(str(path))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise NrlDedupError(
            f"--word-vectors {path}: fastText cannot load this model ({error})."
        ) from error
    found = [model.get_word_vector(word) for word in words]
    rows = np.array(found, np.float32)
    vectors = rows.reshape(len(words), size)
    sizes = np.abs(vectors)
    is_right = (sizes <= MAX_NUMBER).all(axis=1)
    spoiled = np.flatnonzero(~is_right)
    if len(spoiled):
        raise NrlDedupError(
            f"--word-vectors {path}: wanted finite numbers up to {MAX_NUMBER:,.0f}, found others for {len(spoiled):,} "
            f"of {len(words):,} words, such as {words[spoiled[0]]!r}. Get the model again, or train it again."
        )
    return vectors


def learn_vectors(
    words: Words,
    vocabulary: Vocabulary,
    size: int = 300,
    window: int = 5,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Float32[np.ndarray, "vocab size"]:
    """A vector for each of `vocabulary.words`, from the words around it; the same at each run.

    The positive pointwise mutual information of words w and contexts c (Levy, Goldberg and Dagan 2015),

        M[w, c] = max(0, log(n(w, c) / (n(w) P(c)))),   P(c) = n(c)^0.75 / sum of n(c')^0.75,

    where a pair at distance d in one ad adds window + 1 - d to n(w, c); then its truncated singular value decomposition
    M = U S V', vectors U sqrt(S), the sign of each column such that its largest entry is positive, all scaled together
    to a mean norm of 1. Words outside the vocabulary count for nothing but keep their places.

    Of more than `MAX_WORDS` words, ads drawn by `seed` are read. Columns beyond the size of the vocabulary are 0.
    """
    counts = co_occurrences(words, vocabulary, window, seed, progress)
    left, strengths = _truncated_svd(positive_mutual_information(counts), size, seed)
    shape = (len(vocabulary.words), size)
    vectors = np.zeros(shape, np.float32)
    if left.size:
        columns = np.arange(left.shape[1])
        sizes = np.abs(left)
        largest = sizes.argmax(axis=0)
        signs = np.sign(left[largest, columns])
        scales = np.sqrt(strengths)
        vectors[:, columns] = left * signs * scales
    norms = np.linalg.norm(vectors, axis=1)
    if not norms.any():
        return vectors
    mean_norm = norms[norms > 0].mean(dtype=np.float32)
    return vectors / mean_norm


def co_occurrences(
    words: Words, vocabulary: Vocabulary, window: int, seed: int = 0, progress: Progress = SILENT
) -> sparse.csr_array:
    """n(w, c) of `learn_vectors`: symmetric, int32, a row and a column for each of `vocabulary.words`."""
    known = vocabulary.tokens_of(words.distinct) - FIRST_WORD
    ads = _ads_to_read(words, seed)
    if len(ads) < len(words):
        progress.say(f"Word vectors: learned from {len(ads):,} ads drawn from the {len(words):,}.")
    size = len(vocabulary.words)
    counts = sparse.csr_array((size, size), dtype=np.int32)
    with progress.task("word vectors", len(ads)) as task:
        for start in range(0, len(ads), CHUNK_ADS):
            some = ads[start : start + CHUNK_ADS]
            counts = counts + _pairs_within(words, some, known, window, size)
            task.advance(len(some))
    return (counts + counts.T).tocsr()


def _ads_to_read(words: Words, seed: int) -> SomeAds:
    if len(words.ids) <= MAX_WORDS:
        return np.arange(len(words))
    drawn = np.random.default_rng(seed).permutation(len(words))
    lengths = np.diff(words.offsets)[drawn]
    read_so_far = np.cumsum(lengths)
    enough = np.searchsorted(read_so_far, MAX_WORDS, side="right")
    return np.sort(drawn[:enough])


def _pairs_within(
    words: Words,
    ads: SomeAds,
    known: Int32[np.ndarray, "distinct"],
    window: int,
    size: int,
) -> sparse.csr_array:
    """n(w, c) of some ads with w ahead of c."""
    lengths = np.diff(words.offsets)[ads]
    places = ragged(words.offsets[ads], lengths)
    index = known[words.ids[places]]
    ad = np.repeat(ads, lengths)
    counts = sparse.csr_array((size, size), dtype=np.int32)
    for distance in range(1, window + 1):
        first = index[:-distance]
        second = index[distance:]
        first_ad = ad[:-distance]
        second_ad = ad[distance:]
        in_one_ad = first_ad == second_ad
        are_known = (first >= 0) & (second >= 0)
        counted = in_one_ad & are_known
        weight = window + 1 - distance
        weights = np.full(counted.sum(), weight, np.int32)
        pairs = (first[counted], second[counted])
        found = sparse.coo_array((weights, pairs), shape=(size, size))
        counts = counts + found.tocsr()
    return counts


def positive_mutual_information(counts: sparse.csr_array) -> sparse.csr_array:
    """M of `learn_vectors`, float32."""
    totals = counts.sum(axis=1, dtype=np.float64)
    smoothed = totals**_SMOOTHING
    logs = np.log(np.maximum(totals, 1))
    total = max(smoothed.sum(), 1)
    context_shares = np.maximum(smoothed, 1) / total
    context_logs = np.log(context_shares)
    information = np.log(counts.data, dtype=np.float32)
    row_lengths = np.diff(counts.indptr)
    word_part = logs.astype(np.float32)
    information -= np.repeat(word_part, row_lengths)
    context_part = context_logs.astype(np.float32)
    information -= context_part[counts.indices]
    values = np.maximum(information, 0)
    parts = (values, counts.indices, counts.indptr)
    positive = sparse.csr_array(parts, shape=counts.shape)
    positive.eliminate_zeros()
    return positive


def _truncated_svd(
    matrix: sparse.csr_array, size: int, seed: int
) -> tuple[Float32[np.ndarray, "vocab kept"], Float32[np.ndarray, " kept"]]:
    """U and S of the `size` largest singular values, or of all of them where there are fewer."""
    if matrix.shape[0] <= max(_MAX_DENSE, size):
        left, strengths, _ = np.linalg.svd(matrix.toarray())
    else:
        left, strengths, _ = randomized_svd(matrix, size, n_iter=4, random_state=seed)
    return left[:, :size], strengths[:size]
