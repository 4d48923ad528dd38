"""Scripts that are written without spaces: runs of two and of three signs stand for words that no space shows.

Two texts that share a word share its runs, in any language and without a dictionary. Where two words meet there are
runs, too, which are no words; nearly all of them are of one ad alone. They are left out, or ads with the same words in
another order would have little in common.
"""

from dataclasses import dataclass

import polars as pl

# Letters of Han, Hiragana, Katakana (with the mark of a long vowel), Thai, Lao, Khmer and Myanmar.
LETTER = (
    r"[[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]"
)
MIN_ADS = 2  # that have a run, so that it is known; what one ad alone has, it shares with none
CHUNK_ADS = 10_000  # whose signs are held at once: some 100 MB. Not tuned.

_SIGN = rf"{LETTER}\p{{M}}*"  # a letter with the vowels and tones above, below and behind it
_STRETCH_OR_REST = rf"(?:{_SIGN})+|[^{LETTER}]+"
_PLACE = pl.col("place")


@dataclass(frozen=True)
class UnspacedRuns:
    """`known`: the runs of two and of three signs that several ads have. It is a statistic of a catalogue
    (`bundle.saved_statistics`)."""

    known: pl.Series

    @classmethod
    def fit(cls, texts: pl.DataFrame) -> "UnspacedRuns":
        """The runs of at least `MIN_ADS` ads, in the order of their code points.

        :param texts: String columns without nulls, such as title and description; a row for each ad.
        """
        counted = [_ads_of_runs(texts[:0])]
        for start in range(0, len(texts), CHUNK_ADS):
            part = texts[start : start + CHUNK_ADS]
            counted.append(_ads_of_runs(part))
        by_run = pl.concat(counted).group_by("run")
        ads = by_run.agg(pl.col("ads").sum())
        several = ads.filter(pl.col("ads") >= MIN_ADS)
        return cls(several["run"].sort())

    def apply(self, texts: pl.DataFrame) -> pl.DataFrame:
        """The same texts, each stretch of such letters written as its runs, between spaces.

        These are its known ones, and those of two signs of which one is in no known run. A single sign stays, and so
        does a text without such letters. `红色手机` becomes ` 红色 手机 ` where both words are in several ads.
        """
        columns = []
        for name in texts.columns:
            column = texts[name]
            parts = [column[:0]]
            for start in range(0, len(column), CHUNK_ADS):
                part = column[start : start + CHUNK_ADS]
                parts.append(self._cut(part))
            columns.append(pl.concat(parts))
        return pl.DataFrame(columns)

    def _cut(self, texts: pl.Series) -> pl.Series:
        pieces = _pieces_of(texts)
        if pieces.is_empty():
            return texts
        runs = self._written(_signs_of(pieces))
        cut = pieces.join(runs, on="place", how="left", maintain_order="left")
        written = pl.coalesce("runs", "piece")
        by_text = cut.group_by("row", maintain_order=True)
        whole = by_text.agg(text=written.str.join(""))
        changed = texts.clone()
        return changed.scatter(whole["row"], whole["text"])

    def _written(self, signs: pl.DataFrame) -> pl.DataFrame:
        """Columns place and runs: what is written in place of each stretch.

        :param signs: `_signs_of`.
        """
        known = self.known.implode()
        two = signs["two"].is_in(known).fill_null(False)
        three = signs["three"].is_in(known).fill_null(False)
        signs = signs.with_columns(two_known=two, three_known=three)
        two_known = pl.col("two_known")
        three_known = pl.col("three_known")
        begins = two_known | three_known
        begins_before = _shifted(begins, 1)
        begins_two_before = _shifted(three_known, 2)
        signs = signs.with_columns(covered=begins | begins_before | begins_two_before)
        covered = pl.col("covered")
        both_covered = covered & _shifted(covered, -1)
        is_alone = pl.col("two").is_null() & _PLACE.is_first_distinct()
        one_written = pl.when(is_alone).then("sign")
        two_written = pl.when(two_known | ~both_covered).then("two")
        three_written = pl.when(three_known).then("three")
        joined = pl.concat_str(
            one_written,
            two_written,
            three_written,
            separator=" ",
            ignore_nulls=True,
        )
        words = signs.select("place", word=joined)
        word = pl.col("word")
        words = words.filter(word != "")
        by_stretch = words.group_by("place", maintain_order=True)
        return by_stretch.agg(runs=" " + word.str.join(" ") + " ")


def _pieces_of(texts: pl.Series) -> pl.DataFrame:
    """Columns place, row and piece: texts that have such letters, in NFC, as stretches of them and what is between."""
    is_unspaced = texts.str.contains(LETTER)
    rows = is_unspaced.arg_true()
    composed = texts.gather(rows).str.normalize("NFC")
    lists = composed.str.extract_all(_STRETCH_OR_REST)
    frame = pl.DataFrame({"row": rows, "piece": lists})
    pieces = frame.explode("piece")
    return pieces.with_row_index("place")


def _signs_of(pieces: pl.DataFrame) -> pl.DataFrame:
    """Columns place, row and sign: each sign of the stretches; and two and three: the run that it begins, or null."""
    piece = pl.col("piece")
    stretches = pieces.filter(piece.str.contains(LETTER))
    lists = stretches.select("place", "row", sign=piece.str.extract_all(_SIGN))
    signs = lists.explode("sign")
    sign = pl.col("sign")
    second = sign.shift(-1).over(_PLACE)
    third = sign.shift(-2).over(_PLACE)
    two = sign + second
    return signs.with_columns(two=two, three=two + third)


def _ads_of_runs(texts: pl.DataFrame) -> pl.DataFrame:
    """Columns run and ads: how many of some ads have each run."""
    found = []
    for name in texts.columns:
        signs = _signs_of(_pieces_of(texts[name]))
        found.append(signs.select("row", run="two"))
        found.append(signs.select("row", run="three"))
    runs = pl.concat(found).drop_nulls("run")
    once = runs.unique()
    return once.group_by("run").agg(ads=pl.len())


def _shifted(flag: pl.Expr, by: int) -> pl.Expr:
    """A flag of the sign so many signs before, inside a stretch; False where there is none."""
    return flag.shift(by, fill_value=False).over(_PLACE)
