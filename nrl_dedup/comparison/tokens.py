"""The tokens of raw texts with their digits: products differ by numbers, which cleaning turns into 0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64, UInt32
from scipy import sparse

from nrl_dedup.features.text.cleaning import fold_twins

_CHUNK_ADS = 50_000  # whose tokens are held at once; bounds the memory
_DIGITS = r"\p{Nd}+(?:[.,]\p{Nd}+)*"
_TOKEN = rf"(?:[\p{{L}}\p{{M}}]+|{_DIGITS})+"
_CODE = r"[\p{L}\p{Nd}]+(?:[-/._]?[\p{L}\p{Nd}]+)*"
_CODE_LETTERS_AND_DIGITS = r"\p{L}.*\p{Nd}|\p{Nd}.*\p{L}"
_MIN_CODE_LENGTH = 4  # letters and digits. Not tuned.
_QUANTITY = rf"{_DIGITS}(?:[ -]?\p{{L}}{{1,4}}\b|[ ]?[%°\"'”″′]+)?"
BUCKETS = 1 << 20  # of hashed runs of letters: so many that few of them meet in one. Not tuned.
_FNV_OFFSET = 14695981039346656037  # of FNV-1a with 64 bits
_FNV_PRIME = 1099511628211


def normalised(texts: pl.Series) -> pl.Series:
    """NFC, look-alike letters folded as in cleaning, lower case; null counts as empty."""
    return fold_twins(texts.fill_null("").str.normalize("NFC")).str.to_lowercase()


def tokens_of(texts: pl.Series) -> pl.Series:
    """Letters and digits between anything else: `42mm`, `92.5cm`, `a4`. List(String), one list each text."""
    return texts.str.extract_all(_TOKEN)


def codes_of(texts: pl.Series) -> pl.Series:
    """Model codes: runs of letters and digits, both in it, of four signs or more, without the signs that join them.

    `LDF-6920/BB` (normalised) is `ldf6920bb`. Each once in a text.
    """
    part = pl.element()
    joined = part.filter(part.str.contains(_CODE_LETTERS_AND_DIGITS)).str.replace_all("[-/._]", "")
    return (
        texts.str.extract_all(_CODE)
        .list.eval(joined.filter(joined.str.len_chars() >= _MIN_CODE_LENGTH))
        .list.unique()
    )


def quantities_of(texts: pl.Series) -> pl.Series:
    """Numbers, each bare and, where a unit follows it, with that: `42 mm` is `42` and `42mm`. Each once in a text.

    A decimal comma is a point, and zeros at the end of a fraction are left out.
    """
    part = pl.element()
    found = texts.str.extract_all(_QUANTITY).list.eval(
        part.str.replace_all(r"[ -]", "")
        .str.replace_all(",", ".")
        .str.replace(r"^(\p{Nd}+)\.0+(\D|$)", "${1}${2}")
    )
    bare = found.list.eval(part.str.extract(r"^([\p{Nd}.]*\p{Nd})"))
    return found.list.concat(bare).list.unique()


@dataclass(frozen=True)
class Counts:
    """How often each of the `distinct` terms (in the order of their code points) occurs in each ad."""

    matrix: sparse.csr_array  # float32 [ads, terms]
    distinct: pl.Series


def count_terms(columns: Sequence[pl.Series]) -> Counts:
    """The terms of each ad, a list from each column, counted together."""
    distinct = pl.Series([], dtype=pl.String)
    keys = []
    rows = []
    ads = len(columns[0])
    for start in range(0, max(ads, 1), _CHUNK_ADS):
        for column in columns:
            part = column[start : start + _CHUNK_ADS]
            terms = part.explode(empty_as_null=False).drop_nulls()
            distinct = pl.concat([distinct, terms.unique()]).unique()
            keys.append(terms.hash(seed=0).to_numpy())
            ad = np.arange(start, start + len(part))
            rows.append(np.repeat(ad, part.list.len().to_numpy()))
    distinct = distinct.sort()
    # Terms are equal if 64 bits of a hash are: of ten million, two share them once in 400,000 catalogues.
    hashes = distinct.hash(seed=0).to_numpy()
    order = np.argsort(hashes)
    term = order[np.searchsorted(hashes[order], np.concatenate(keys))]
    ones = np.ones(len(term), np.float32)
    entries = (ones, (np.concatenate(rows), term))
    matrix = sparse.coo_array(entries, shape=(ads, len(distinct))).tocsr()
    matrix.sum_duplicates()
    return Counts(matrix, distinct)


def count_ngrams(terms: Counts, sizes: Sequence[int]) -> sparse.csr_array:
    """How often each run of n signs occurs in the terms of each ad, for each n of `sizes`; [ads, BUCKETS], float32.

    A term has a space at both ends, so a run shows where a term starts or ends; none spans two terms. Runs are hashed
    into `BUCKETS`; two that meet in one count as one.
    """
    counts = terms.matrix @ _ngrams_of(terms.distinct, sizes)
    counts.sort_indices()  # rows in one order are multiplied faster, and add up to the same last bit from either side
    return counts


def _ngrams_of(distinct: pl.Series, sizes: Sequence[int]) -> sparse.csr_array:
    padded = (" " + distinct + " ").to_list()
    signs = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32)
    term = np.repeat(np.arange(len(padded)), np.fromiter(map(len, padded), np.int64, len(padded)))
    rows = []
    columns = []
    for size in sizes:
        whole = np.flatnonzero(term[: len(term) - size + 1] == term[size - 1 :])
        rows.append(term[whole])
        columns.append(_hashes(signs, whole, size))
    row = np.concatenate(rows)
    column = np.concatenate(columns)
    ones = np.ones(len(row), np.float32)
    grams = sparse.coo_array((ones, (row, column)), shape=(len(padded), BUCKETS)).tocsr()
    grams.sum_duplicates()
    return grams


def _hashes(
    signs: UInt32[np.ndarray, "signs"], starts: Int64[np.ndarray, "runs"], size: int
) -> Int64[np.ndarray, "runs"]:
    """The bucket of each run: FNV-1a over its signs, the high bits folded in."""
    value = np.full(len(starts), _FNV_OFFSET, np.uint64)
    for place in range(size):
        value = (value ^ signs[starts + place]) * np.uint64(_FNV_PRIME)
    folded = value ^ (value >> np.uint64(32))
    return (folded % np.uint64(BUCKETS)).astype(np.int64)


def tf_idf(counts: sparse.csr_array, idf: Float64[np.ndarray, "terms"]) -> sparse.csr_array:
    """(1 + ln count) * idf, each row of length 1 (a row without terms stays empty); float32."""
    frequencies = 1 + np.log(counts.data)
    idf = idf.astype(np.float32)
    weights = frequencies * idf[counts.indices]
    vectors = sparse.csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)
    squares = vectors.multiply(vectors)
    lengths = np.sqrt(squares.sum(axis=1))
    terms_of_row = np.diff(vectors.indptr)
    vectors.data /= np.repeat(lengths, terms_of_row).astype(np.float32)
    return vectors
