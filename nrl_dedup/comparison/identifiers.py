"""What names a thing in its title: model codes, numbers, sizes. Two ads have the same one, or another in its place.

Nearly the same words speak for the same thing, but for one that comes in variants: there one code, number or size is
another. What such a conflict is worth differs from catalogue to catalogue (shops may have codes of their own), so it is
learned from the catalogue at hand (`adaptation.agreement_fit`).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import polars as pl
from scipy import sparse

from nrl_dedup.comparison.base import CODES, Columns, Comparison
from nrl_dedup.comparison.columns import Column
from nrl_dedup.comparison.similarities import NAN, Rows, Values
from nrl_dedup.comparison.tokens import codes_of, count_terms, normalised, tokens_of

# Signs of a beginning: `ldf6920` begins `ldf6920bb`; shorter ones begin too many. A code has four or more. Not tuned.
_MIN_BEGINNING = 4
_NUMBER = r"^[\p{Nd}.,]+$"
_SIZE = r"\p{Nd}+(?:[.,]\p{Nd}+)*[ -]?\p{L}{1,6}\b"  # a number with its unit, or the end of a model code
_NUMBER_OF_SIZE = r"^[\p{Nd}.]+"


class Agreement(IntEnum):
    """How the identifiers of one kind agree. A pair of which one ad has none is NaN."""

    SAME = 1  # one ad has no other than those that both have
    PARTLY = 2  # some in common, some of each ad alone
    BEGINNING = 3  # none in common, but one is the beginning of another
    DIFFERENT = 4


_WORDS = {
    "title_codes": "model codes of the titles",
    "title_numbers": "numbers of the titles",
    "title_sizes": "sizes of the titles",
    "title_units": "sizes of one unit",
}


def agreement_column(words: str) -> Column:
    """A column of values of `Agreement`. `words`: what agrees."""
    return Column(f"{words} (1 the same, 2 partly, 3 a beginning, 4 different)")


IDENTIFIER_COLUMNS = {name: agreement_column(words) for name, words in _WORDS.items()}


@dataclass(frozen=True)
class TermAgreement:
    """How the terms of one kind agree.

    `terms`: which ad has which, [ads, terms], ones. `beginnings`: the same with all terms that begin one of them.
    """

    name: str
    terms: sparse.csr_array
    beginnings: sparse.csr_array
    group: str = CODES

    @property
    def columns(self) -> dict[str, Column]:
        return {self.name: IDENTIFIER_COLUMNS[self.name]}

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        shared = _in_common(self.terms, rows_l, self.terms, rows_r)
        begins = _in_common(self.terms, rows_l, self.beginnings, rows_r)
        begins += _in_common(self.beginnings, rows_l, self.terms, rows_r)
        counts = np.diff(self.terms.indptr)
        fewer = np.minimum(counts[rows_l], counts[rows_r])
        agreement = np.full(len(rows_l), np.float32(Agreement.DIFFERENT))
        agreement[begins > 0] = Agreement.BEGINNING
        agreement[shared > 0] = Agreement.PARTLY
        agreement[(shared > 0) & (shared == fewer)] = Agreement.SAME
        agreement[fewer == 0] = NAN
        return {self.name: agreement}


@dataclass(frozen=True)
class UnitAgreement:
    """How the sizes of the units that both ads have agree: 4 GB and 8 GB differ, 4 GB and 2 kg cannot.

    The same: they have a size in common in each of these units. `sizes`, `units`: which ad has which, [ads, sizes] and
    [ads, units], ones. `unit_of_size`: which unit each size has, [sizes, units], ones.
    """

    name: str
    sizes: sparse.csr_array
    units: sparse.csr_array
    unit_of_size: sparse.csr_array
    group: str = CODES

    @property
    def columns(self) -> dict[str, Column]:
        return {self.name: IDENTIFIER_COLUMNS[self.name]}

    def compare(self, rows_l: Rows, rows_r: Rows) -> Columns:
        units = _in_common(self.units, rows_l, self.units, rows_r)
        shared_sizes = self.sizes[rows_l].multiply(self.sizes[rows_r])
        sizes_of_unit = sparse.csr_array(shared_sizes @ self.unit_of_size)
        agreed = np.diff(sizes_of_unit.indptr)
        agreement = np.full(len(rows_l), np.float32(Agreement.DIFFERENT))
        agreement[agreed > 0] = Agreement.PARTLY
        agreement[agreed == units] = Agreement.SAME
        agreement[units == 0] = NAN
        return {self.name: agreement}


def identifier_comparisons(titles: pl.Series) -> list[Comparison]:
    """Codes, numbers, sizes, and the sizes of each unit. `titles`: text, null counts as empty."""
    plain = normalised(titles)
    part = pl.element()
    numbers = tokens_of(plain).list.eval(part.filter(part.str.contains(_NUMBER)))
    written = plain.str.extract_all(_SIZE)
    sizes = written.list.eval(part.str.replace_all("[ -]", "").str.replace_all(",", "."))
    units = sizes.list.eval(part.str.replace(_NUMBER_OF_SIZE, ""))
    codes, distinct_codes = _terms(codes_of(plain))
    of_numbers, _ = _terms(numbers)
    of_sizes, distinct_sizes = _terms(sizes)
    of_units, distinct_units = _terms(units)
    unit_of_size = _units_of(distinct_sizes, distinct_units)
    return [
        TermAgreement("title_codes", codes, _with_beginnings(codes, distinct_codes)),
        TermAgreement("title_numbers", of_numbers, of_numbers),
        TermAgreement("title_sizes", of_sizes, of_sizes),
        UnitAgreement("title_units", of_sizes, of_units, unit_of_size),
    ]


def _terms(lists: pl.Series) -> tuple[sparse.csr_array, pl.Series]:
    """Which ad has which term, and the terms."""
    counted = count_terms([lists])
    terms = counted.matrix
    terms.data[:] = 1
    return terms, counted.distinct


def _units_of(sizes: pl.Series, units: pl.Series) -> sparse.csr_array:
    """Which unit each size has: [sizes, units], ones."""
    own = sizes.str.replace(_NUMBER_OF_SIZE, "")
    unit = units.search_sorted(own).to_numpy().astype(np.int64)
    entries = (np.ones(len(sizes), np.float32), (np.arange(len(sizes)), unit))
    return sparse.coo_array(entries, shape=(len(sizes), len(units))).tocsr()


def _with_beginnings(terms: sparse.csr_array, distinct: pl.Series) -> sparse.csr_array:
    """The same ads with the terms that they have, and all terms that begin one of these."""
    numbered = pl.DataFrame({"beginning": distinct}).with_row_index("at")
    lengths = distinct.str.len_chars()
    longest = int(lengths.max() or 0)  # type: ignore[arg-type]
    pairs = [pl.DataFrame({"term": numbered["at"], "at": numbered["at"]})]
    for length in range(_MIN_BEGINNING, longest):
        longer = numbered.filter(lengths > length)
        cut = longer.select(term="at", beginning=pl.col("beginning").str.slice(0, length))
        pairs.append(cut.join(numbered, on="beginning").select("term", "at"))
    joined = pl.concat(pairs)
    ones = np.ones(len(joined), np.float32)
    entries = (ones, (joined["term"].to_numpy(), joined["at"].to_numpy()))
    begins = sparse.coo_array(entries, shape=(len(distinct), len(distinct))).tocsr()
    found = sparse.csr_array(terms @ begins)
    found.data[:] = 1
    return found


def _in_common(
    left: sparse.csr_array, rows_l: Rows, right: sparse.csr_array, rows_r: Rows
) -> Values:
    """How many terms the one ad has in `left` that the other has in `right`."""
    products = left[rows_l].multiply(right[rows_r])
    return np.asarray(products.sum(axis=1), dtype=np.float32)
