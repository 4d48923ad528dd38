"""Numbers as people write them: `1,000,000`, `50.000,00 €`, `12'345`, `от 50 000 руб.`, `500-700`, `2.5 млн`.

**Thousands** are groups of three digits between spaces of any kind, apostrophes, commas or points, all the way from
the first (of one to three digits) to the last; with commas also India's, of two but for the last. **Fractions** follow
a point or a comma. Where both signs are in a number, the last is that of the fraction. Where one is there once, it is
that of a fraction unless exactly three digits follow, and one to three, the first not 0, go before.

`1,500` and `1.500` alone may be either, so the column decides:

- the comma is that of a fraction where another value shows it so (`0,5`, `1200,50`) and none shows it between thousands
  (`1,000,000`, `1,200.50`); else it separates thousands;
- the point separates thousands where another value shows it so (`1.000.000`, `1.200,50`, `1.500 €`: no price has
  three decimals) and none shows it before a fraction (`0.5`, `12.75`); or where no value of four digits or more goes
  without it, smaller ones do, and most of those that have it end in 0 or 9, as prices do; else before a fraction.

Currency signs and words, percent signs, "from", "a month" and the like are left out (`price_words.py`); thousand,
million and k multiply; currencies are not converted. Of a range it is the lower number. Words for no price, *free* and
*by agreement* in several languages, are missing values, not 0: who gives a thing away says no more about its price than
who wants to be asked.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64

from nrl_dedup.catalogue.cells.price_words import (
    BESIDE_NUMBERS,
    BETWEEN_NUMBERS,
    CURRENCIES,
    NO_PRICE,
    SCALES,
)

_NUMERIC_SHARE = 0.9  # of the values with a digit in them, that are to be numbers
_MIN_NUMBERS = 0.7  # of all values but the words for no price: the rest may be other words
_MAX_CHARACTERS = 80  # characters; longer text is no number
_PRICE_ENDINGS = 0.5  # of the values with a point, from which on it is one of thousands. Not tuned.

_GROUPED = r"\d{1,3}(?:[ ']\d{3})+(?:[.,]\d+)?"
_NUMBER = rf"[+-]?(?:{_GROUPED}|\d[\d.,]*|[.,]\d+)(?:\^[+-]?\d{{1,3}})?"
_ONE_OR_TWO = rf"^({_NUMBER})(?: ?(?:-|\.\.+) ?({_NUMBER}))?$"
_CODE = (
    r"(?:^|[^\p{L}])(?:\p{L}|[\p{L}--[отдо]]\p{L})\d|\d[a-jl-zà](?:$|[^\p{L}])"  # A100, RS200, 12b
)
_WORD = "¤"  # replaces a word that does not change the number

# The kinds of spelling: a number's signs show themselves, or may be either.
_KINDS = {
    "plain": r"^\d+$",
    "comma thousands": r"^\d{1,3}(?:,\d{3})+\.\d*$|^\d{1,3}(?:,\d{3}){2,}$|^\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?$",
    "point thousands": r"^\d{1,3}(?:\.\d{3})+,\d*$|^\d{1,3}(?:\.\d{3}){2,}$",
    "comma either": r"^[1-9]\d{0,2},\d{3}$",
    "point either": r"^[1-9]\d{0,2}\.\d{3}$",
    "comma fraction": r"^\d*,\d*$",
    "point fraction": r"^\d*\.\d*$",
}


@dataclass(frozen=True)
class WrittenNumbers:
    """A column of numbers.

    `numbers`: NaN where there is none. `texts`: what is to be compared as a value: the number for every spelling of it,
    "" for a word for no price, other text (and ranges, and numbers with zeros in front, as codes have) in lower case.
    """

    numbers: Float64[np.ndarray, "ads"]
    texts: pl.Series


@dataclass(frozen=True)
class NoNumbers:
    """A column of text. `others`: how many of its values are no numbers, of `there`; `first`: the first such."""

    others: int
    there: int
    first: str


@dataclass(frozen=True)
class NumberSpelling:
    """Whether the comma, and the point, stand before a fraction where they may be either: the column decides."""

    comma_is_fraction: bool
    point_is_fraction: bool


NO_THOUSANDS = NumberSpelling(comma_is_fraction=True, point_is_fraction=True)  # as in degrees


def numbers_of(texts: pl.Series, *, thousands: bool = True) -> Float64[np.ndarray, "ads"] | None:
    """The numbers in a column, NaN where there is none; None where it is not one of numbers (`read_numbers`)."""
    found = read_numbers(texts, thousands=thousands)
    return found.numbers if isinstance(found, WrittenNumbers) else None


def read_numbers(texts: pl.Series, *, thousands: bool = True) -> WrittenNumbers | NoNumbers:
    """The numbers in a column of text (String), as it spells them (`fit_spelling`)."""
    spelling = fit_spelling(texts, thousands=thousands)
    if isinstance(spelling, NoNumbers):
        return spelling
    return read_spelled(texts, spelling)


def fit_spelling(texts: pl.Series, *, thousands: bool = True) -> NumberSpelling | NoNumbers:
    """How a column of text (String) spells its numbers; null and blank are missing.

    It is one of numbers where 90 % of its values that have a digit are, and 70 % of all its values, words for no price
    aside.

    :param thousands: False where `1,500` can only be a fraction, as in degrees.
    """
    written = _written(_distinct(texts))
    spelling = _fraction_signs(written) if thousands else NO_THOUSANDS
    read = _with_numbers(written, spelling)
    there = read.filter((pl.col("bare") != "") & ~pl.col("no price"))
    is_number = pl.col("number").is_not_null()
    count = pl.col("count")
    numbers, with_digit, all_values = there.select(
        count.filter(is_number).sum().alias("a"),
        count.filter("digit").sum().alias("b"),
        count.sum().alias("c"),
    ).row(0)
    if numbers == 0 or numbers < _NUMERIC_SHARE * with_digit or numbers < _MIN_NUMBERS * all_values:
        others = there.filter(~is_number)["text"]
        first = others[0] if len(others) else ""
        return NoNumbers(all_values - numbers, all_values, first)
    return spelling


def read_spelled(texts: pl.Series, spelling: NumberSpelling) -> WrittenNumbers:
    """The numbers in text (String) that is spelled as the column from which the spelling comes."""
    distinct = _with_numbers(_written(_distinct(texts)), spelling)
    frame = _as_frame(texts)
    rows = frame.join(distinct, on="text", how="left", maintain_order="left")
    values = rows["number"].fill_null(np.nan).to_numpy()
    return WrittenNumbers(values, rows["value"].alias(texts.name))


def _as_frame(texts: pl.Series) -> pl.DataFrame:
    return texts.fill_null("").alias("text").to_frame()


def _distinct(texts: pl.Series) -> pl.DataFrame:
    """`text`, each once in the order of its first sight, and its `count`."""
    return _as_frame(texts).group_by("text", maintain_order=True).len("count")


def _written(distinct: pl.DataFrame) -> pl.DataFrame:
    """`text` and `count`, and of each text: `bare`; whether it has a `digit`, and is a word for `no price`; the number,
    or both of a range, as they are written (`low`, `high`), and their kinds of spelling."""
    text = pl.col("text")
    frame = distinct.with_columns(bare=_bare(text))
    short = pl.col("bare").str.len_chars() <= _MAX_CHARACTERS
    frame = frame.with_columns(
        words=pl.when(short).then("bare").str.extract_all(r"\p{L}+"), digit=text.str.contains(r"\d")
    )
    known = short & _all(BESIDE_NUMBERS) & ~pl.col("bare").str.contains(_CODE)
    frame = frame.with_columns(
        _any(NO_PRICE).and_(known, ~pl.col("digit")).alias("no price"),
        priced=_any(CURRENCIES) | text.str.contains(r"\p{Sc}"),
        scale=_scale(),
        written=pl.when(known).then(_signs(pl.col("bare"))),
    )
    frame = frame.with_columns(
        low=pl.col("written").str.extract(_ONE_OR_TWO, 1),
        high=pl.col("written").str.extract(_ONE_OR_TWO, 2),
    )
    return frame.with_columns(low_kind=_kind("low"), high_kind=_kind("high"))


def _with_numbers(frame: pl.DataFrame, spelling: NumberSpelling) -> pl.DataFrame:
    """`_written`, and of each text its `number`, and the `value` that it is compared by."""
    low = _value("low", spelling)
    high = _value("high", spelling)
    number = pl.min_horizontal(low, high) * pl.col("scale")
    one = low.is_not_null() & (high.is_not_null() == pl.col("high").is_not_null())
    frame = frame.with_columns(number=pl.when(one & number.is_finite()).then(number))
    is_code = pl.col("low").str.contains(r"^0\d+$")
    spelled = pl.col("number").is_not_null() & pl.col("high").is_null() & ~is_code
    as_text = pl.col("text").str.strip_chars().str.to_lowercase()
    value = (
        pl.when("no price")
        .then(pl.lit(""))
        .when(spelled)
        .then(pl.col("number").cast(pl.String))
        .otherwise(as_text)
    )
    return frame.with_columns(value=value)


def _any(words: Collection[str]) -> pl.Expr:
    among = pl.col("words").list.eval(pl.element().is_in(list(words)))
    return among.list.any().fill_null(False)


def _all(words: Collection[str]) -> pl.Expr:
    among = pl.col("words").list.eval(pl.element().is_in(list(words)))
    return among.list.all().fill_null(False)


def _bare(text: pl.Expr) -> pl.Expr:
    """Lower case, one kind of space, apostrophe and dash; a sign for those of currency and percent."""
    bare = text.str.normalize("NFKC").str.to_lowercase().str.replace_all("[’‘`´ʼ_]", "'")
    bare = bare.str.replace_all("[‐‑‒–—−]", "-").str.replace_all(
        r"(?:\b[a-z]{1,2})?\p{Sc}|%|\b[мm]2\b", _WORD
    )
    bare = bare.str.replace_all(r"(\d)e([+-]?\d)", "${1}^${2}")  # the e of 1e5 is no word
    return bare.str.replace_all(r"\s+", " ").str.strip_chars()


def _scale() -> pl.Expr:
    """What the number is multiplied by; null where more than one word says so."""
    scale = pl.lit(1.0)
    found = pl.lit(0)
    for factor, names in SCALES.items():
        among = pl.col("words").list.eval(pl.element().is_in(names).cast(pl.Int32))
        count = among.list.sum()
        scale = pl.when(count > 0).then(factor).otherwise(scale)
        found = found + count
    return pl.when(found <= 1).then(scale)


def _signs(bare: pl.Expr) -> pl.Expr:
    """The number, or both of a range with a dash between, and nothing else where the text is of that kind."""
    text = bare.str.replace_all(rf"\b(?:{'|'.join(BETWEEN_NUMBERS)})\b", "→").str.replace_all(
        r"\p{L}+\.?", _WORD
    )
    text = text.str.replace(rf"(\d)[ {_WORD}]*(?:→|-|\.\.+)[ {_WORD}]*(\d)", "${1}-${2}")
    text = text.str.replace_all("→", _WORD).str.replace(r"^\((.*)\)$", "-${1}")
    text = text.str.replace(rf"^[{_WORD} ~≈<>≤≥=:/]+([+-]?[\d.,])", "${1}")
    # A price may end as in "500,-".
    return text.str.replace(rf"[{_WORD} :/()!?*]+$", "").str.replace(r"(?:[.,]?-+|[.,+]+)$", "")


def _body(end: str) -> pl.Expr:
    """The digits and signs of a number, without its minus, spaces, apostrophes and exponent."""
    return pl.col(end).str.replace_all("[ '+-]", "").str.replace(r"\^.*$", "")


def _kind(end: str) -> pl.Expr:
    kind = pl.lit(None, pl.String)
    for name, pattern in reversed(_KINDS.items()):
        kind = pl.when(_body(end).str.contains(pattern)).then(pl.lit(name)).otherwise(kind)
    return kind


def _fraction_signs(frame: pl.DataFrame) -> NumberSpelling:
    kinds = frame.select("count", "priced", kind="low_kind", body=_body("low"))
    shown = set(kinds["kind"].drop_nulls())
    either = pl.col("kind") == "point either"
    comma = bool(shown & {"comma fraction", "point thousands"}) and "comma thousands" not in shown
    if shown & {"point fraction", "comma thousands"}:
        return NumberSpelling(comma, True)
    if "point thousands" in shown or kinds.select((either & pl.col("priced")).any()).item():
        return NumberSpelling(comma, False)
    plain = pl.col("kind") == "plain"
    large = plain & (pl.col("body").str.len_chars() > 3)
    round_off = either & pl.col("body").str.contains("[09]$")
    count = pl.col("count")
    thousands = kinds.select(
        plain.any()
        & ~large.any()
        & (count.filter(round_off).sum() > _PRICE_ENDINGS * count.filter(either).sum())
    ).item()
    return NumberSpelling(comma, not thousands)


def _value(end: str, spelling: NumberSpelling) -> pl.Expr:
    written = pl.col(end).str.replace_all("[ ']", "")
    kind = pl.col(f"{end}_kind")
    comma_is_fraction = kind.is_in(["comma fraction", "point thousands"]) | (
        (kind == "comma either") & pl.lit(spelling.comma_is_fraction)
    )
    point_is_thousands = (kind == "point thousands") | (
        (kind == "point either") & pl.lit(not spelling.point_is_fraction)
    )
    plain = (
        pl.when(point_is_thousands)
        .then(written.str.replace_all(".", "", literal=True))
        .otherwise(written)
    )
    plain = (
        pl.when(comma_is_fraction)
        .then(plain.str.replace_all(",", ".", literal=True))
        .otherwise(plain.str.replace_all(",", "", literal=True))
    )
    number = (
        plain.str.replace("^", "e", literal=True)
        .str.strip_prefix("+")
        .cast(pl.Float64, strict=False)
    )
    return pl.when(kind.is_not_null()).then(number)
