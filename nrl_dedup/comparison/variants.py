"""Two variants of one thing: their ads differ in nothing but codes, numbers, and words that take each other's place.

`4 GB, black` and `8 GB, white` in otherwise equal texts are two things, however alike the texts are. Which words take
each other's place (colours, sizes in words, editions) is found from the catalogue itself, in any language.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64
from scipy import sparse

from nrl_dedup.comparison.base import CODES, Columns
from nrl_dedup.comparison.columns import Column, Unit
from nrl_dedup.comparison.identifiers import Agreement, agreement_column
from nrl_dedup.comparison.similarities import NAN, Rows, Values
from nrl_dedup.comparison.tokens import Counts

VARIANT = "variant"
EXCHANGED_WORDS = "exchanged_words"
VARIANT_COLUMNS = {
    EXCHANGED_WORDS: agreement_column("words that take each other's place"),
    VARIANT: Column(
        "the texts differ in codes, numbers or exchangeable words alone", Unit.YES_OR_NO
    ),
}
MIN_SHARED = (
    3  # words in common, so that there is something that stays when others change. Not tuned.
)
# A word takes others' place if so many pairs of ads differ in it alone, and it in as many others' place. Not tuned.
MIN_EXCHANGES = 3
MIN_PARTNERS = 2
_CHUNK_PAIRS = 1 << 15  # compared at once; bounds the memory

Sums = Float64[np.ndarray, "pairs"]


@dataclass(frozen=True)
class ExchangedTerms:
    """Whether what only one of two ads says, and what only the other says, are exchangeable terms alone; and how their
    exchangeable words agree.

    `terms`: which ad has which token, ones, and beside that which ad has it twice or more: `4 4 inch` and `9 4 inch`
    differ in a number of each; [ads, terms]. `has_digit`, `is_exchangeable`: of each term; those with a
    digit are exchangeable, and the words that take each other's place.
    """

    terms: sparse.csr_array
    has_digit: Bool[np.ndarray, "terms"]
    is_exchangeable: Bool[np.ndarray, "terms"]
    group: str = CODES

    @classmethod
    def of(cls, tokens: Counts) -> "ExchangedTerms":
        """With digits alone; `with_words` adds words."""
        once = tokens.matrix.astype(np.float64)
        once.data[:] = 1
        twice = sparse.csr_array((tokens.matrix > 1).astype(np.float64))
        terms = sparse.hstack([once, twice], format="csr")
        has_digit = tokens.distinct.str.contains(r"\p{Nd}").to_numpy()
        of_both = np.concatenate([has_digit, has_digit])
        return cls(terms, of_both, of_both)

    @property
    def columns(self) -> dict[str, Column]:
        return VARIANT_COLUMNS

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        shared, only_l, only_r = self._sums(np.ones(len(self.has_digit)), rows_l, rows_r)
        numbers = self._sums(self.has_digit.astype(np.float64), rows_l, rows_r)
        is_word = self.is_exchangeable & ~self.has_digit
        words = self._sums(is_word.astype(np.float64), rows_l, rows_r)
        are_exchanged = (numbers[1] + words[1] == only_l) & (numbers[2] + words[2] == only_r)
        both_differ = (only_l > 0) & (only_r > 0)
        is_variant = are_exchanged & both_differ & (shared >= MIN_SHARED)
        return {
            EXCHANGED_WORDS: _agreement(*words),
            VARIANT: is_variant.astype(np.float32),
        }

    def with_words(self, rows_l: Rows, rows_r: Rows) -> "ExchangedTerms":
        """The same with the words that take each other's place in some pairs: there each ad has one word alone."""
        count = self.terms.shape[1]
        every = np.ones(count)
        number = np.arange(count, dtype=np.float64)
        frames = []
        for start in range(0, len(rows_l), _CHUNK_PAIRS):
            left = rows_l[start : start + _CHUNK_PAIRS]
            right = rows_r[start : start + _CHUNK_PAIRS]
            shared, only_l, only_r = self._sums(every, left, right)
            one_each = (only_l == 1) & (only_r == 1) & (shared >= MIN_SHARED)
            # The sum of the numbers of one term is its number.
            _, word_l, word_r = self._sums(number, left[one_each], right[one_each])
            frames.append(pl.DataFrame({"word": word_l, "other": word_r}))
            frames.append(pl.DataFrame({"word": word_r, "other": word_l}))
        if not frames:
            return self
        exchanges = pl.concat(frames).cast(pl.Int64).group_by("word")
        counted = exchanges.agg(pairs=pl.len(), partners=pl.col("other").n_unique())
        often = (pl.col("pairs") >= MIN_EXCHANGES) & (pl.col("partners") >= MIN_PARTNERS)
        words = counted.filter(often)["word"].to_numpy()
        half = count // 2  # of terms that an ad has once, and of those that it has twice
        is_exchangeable = self.is_exchangeable.copy()
        is_exchangeable[words % half] = True
        is_exchangeable[half + words % half] = True
        return replace(self, is_exchangeable=is_exchangeable)

    def _sums(
        self, weights: Float64[np.ndarray, "terms"], rows_l: Rows, rows_r: Rows
    ) -> tuple[Sums, Sums, Sums]:
        """The weights of the terms that both ads have, that only the left one has, and that only the right one has."""
        weighted = sparse.csr_array(
            (weights[self.terms.indices], self.terms.indices, self.terms.indptr),
            shape=self.terms.shape,
        )
        of_ad = self.terms @ weights
        in_common = weighted[rows_l].multiply(self.terms[rows_r])
        shared = np.asarray(in_common.sum(axis=1), dtype=np.float64)
        return shared, of_ad[rows_l] - shared, of_ad[rows_r] - shared


def _agreement(shared: Sums, only_l: Sums, only_r: Sums) -> Values:
    """`Agreement` of how many terms both ads have, and each of them alone; NaN where one has none."""
    agreement = np.full(len(shared), np.float32(Agreement.DIFFERENT))
    agreement[shared > 0] = Agreement.PARTLY
    agreement[(shared > 0) & (np.minimum(only_l, only_r) == 0)] = Agreement.SAME
    agreement[np.minimum(shared + only_l, shared + only_r) == 0] = NAN
    return agreement
