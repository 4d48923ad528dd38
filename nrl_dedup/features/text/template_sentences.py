"""Template sentences: what a shop or a site writes under ads of unlike things ("We deliver all over the country").

What a large part of the ads say, whatever they offer, proves nothing about any two of them.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64

from nrl_dedup.features.text.unspaced_scripts import LETTER
from nrl_dedup.features.text.words import read_words
from nrl_dedup.features.unlike_ads import are_unlike
from nrl_dedup.runtime.progress import Progress

MIN_ADS = 10  # with fewer, each other's best still tells two ads of one thing from ads of one shop
MIN_SHARE = 0.03
# Shorter ones are as often facts (a beer's style, a thing's condition), and weigh little by the rarity of their words.
MIN_WORDS = 5
MAX_ADS = (
    100_000  # that are read to fit, evenly spaced: the share of a sentence is known to 0.1 % then
)
NAMED = 5  # of them, in the line that names them
NAMED_LETTERS = 80  # of each

_COLUMNS = ("title", "description")
_END = r"(?:[.!?…]+\s+|[。！？]+|\s*\n\s*)"
_CUT = "\x1e"  # the record separator, which texts do not have
_WORD = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*"
_SIGNS_OF_A_WORD = 2  # on average, in scripts without spaces


@dataclass(frozen=True)
class TemplateSentences:
    """`sentences`: in lower case, without outer signs, the most frequent first; `ads`: how many of the ads that they
    were fitted to have each. It is a statistic of a catalogue (`bundle.saved_statistics`)."""

    sentences: pl.Series
    ads: Int64[np.ndarray, "sentences"]

    @classmethod
    def fit(cls, catalogue: pl.DataFrame) -> "TemplateSentences":
        """The sentences of at least `MIN_WORDS` words that at least `MIN_ADS` ads and `MIN_SHARE` of all have, and that
        are no more than that in common: without them, these ads are unlike.

        :param catalogue: columns title and description, a row for each ad.
        """
        step = max(1, -(-len(catalogue) // MAX_ADS))
        frame = catalogue.select(_COLUMNS).gather_every(step)
        sentences = _sentences_of(frame)
        least = max(MIN_ADS, MIN_SHARE * len(frame))
        frequent = _frequent(sentences, least)
        if frequent.is_empty():
            return cls(frequent["sentence"], frequent["ads"].to_numpy())
        every = cls(frequent["sentence"], frequent["ads"].to_numpy())
        proves_nothing = _among_unlike(every, sentences, frame)
        kept = frequent.filter(proves_nothing)
        return cls(kept["sentence"], kept["ads"].to_numpy())

    def __len__(self) -> int:
        return len(self.sentences)

    def say(self, progress: Progress) -> None:
        """One line that names the most frequent of them, if there are any."""
        if not len(self):
            return
        named = []
        for sentence, ads in zip(self.sentences[:NAMED], self.ads[:NAMED], strict=True):
            named.append(f'"{sentence:.{NAMED_LETTERS}}" ({ads:,} ads)')
        further = len(self) - len(named)
        if further:
            named.append(f"{further:,} more")
        progress.say(
            f"Sentences under many ads of unlike things, which count as none: {', '.join(named)}."
        )

    def apply(self, catalogue: pl.DataFrame) -> pl.DataFrame:
        """Columns title and description without these sentences; a title that would become empty stays."""
        texts = catalogue.select(_COLUMNS)
        if not len(self):
            return texts
        title = self._without(texts["title"])
        is_left = title.str.contains(r"[\p{L}\p{N}]")
        title = title.zip_with(is_left, texts["title"])
        return pl.DataFrame([title, self._without(texts["description"])])

    def _without(self, texts: pl.Series) -> pl.Series:
        pieces = _pieces_of(texts)
        is_template = pieces["sentence"].is_in(self.sentences.implode())
        if not is_template.any():
            return texts
        rows = pieces["row"].filter(is_template).unique()
        left = pieces.filter(~is_template)
        piece = pl.col("piece")
        whole = left.group_by("row", maintain_order=True).agg(piece.str.join(""))
        changed = pl.DataFrame({"row": rows}).join(whole, on="row", how="left")
        text = changed["piece"].fill_null("").str.strip_chars()
        return texts.clone().scatter(changed["row"], text)


def _pieces_of(texts: pl.Series) -> pl.DataFrame:
    """Columns row, piece and sentence: the sentences of each text, as they stand and as they are compared. The pieces
    of a text are the text."""
    marked = texts.str.replace_all(_END, "${0}" + _CUT)
    lists = pl.DataFrame({"piece": marked.str.split(_CUT)}).with_row_index("row")
    pieces = lists.explode("piece")
    lowered = pl.col("piece").str.to_lowercase()
    spaced = lowered.str.replace_all(r"\s+", " ")
    sentence = spaced.str.strip_chars(" .!?…。！？")
    return pieces.with_columns(sentence=sentence)


def _sentences_of(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns row and sentence: those of title and description together, each once in an ad."""
    parts = [_pieces_of(frame[name]) for name in _COLUMNS]
    both = pl.concat(parts).select("row", "sentence")
    return both.filter(pl.col("sentence") != "").unique()


def _frequent(sentences: pl.DataFrame, least: int | float) -> pl.DataFrame:
    """Columns sentence and ads: those of enough ads and words, the most frequent first."""
    counted = sentences.group_by("sentence").agg(ads=pl.len().cast(pl.Int64))
    sentence = pl.col("sentence")
    words = (
        sentence.str.count_matches(_WORD) + sentence.str.count_matches(LETTER) // _SIGNS_OF_A_WORD
    )
    many = counted.filter(pl.col("ads") >= least)
    long = many.filter(words >= MIN_WORDS)
    return long.sort("ads", "sentence", descending=[True, False])


def _among_unlike(
    every: TemplateSentences, sentences: pl.DataFrame, frame: pl.DataFrame
) -> pl.Series:
    """Whether the ads of each of `every` are unlike in what else they say."""
    rest = every.apply(frame)
    words = read_words([rest["title"], rest["description"]], "none")
    text = rest.select(pl.struct(_COLUMNS).rank("dense")).to_series()
    numbers = text.to_numpy().astype(np.int64)
    found = []
    for sentence in every.sentences:
        rows = sentences.filter(pl.col("sentence") == sentence)["row"]
        ads = np.sort(rows.to_numpy().astype(np.int64))
        found.append(are_unlike(ads, numbers, words, MIN_ADS))
    return pl.Series(found, dtype=pl.Boolean)
