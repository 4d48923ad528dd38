"""The text space: the words of title and description, weighted by how rare they are, compared by cosine.

It needs no model and no language. A word of letters counts by its first five (so most endings do not matter), one
with a digit in it as a whole (so sizes and model codes do).
"""

import numpy as np
import polars as pl
from scipy import sparse

from nrl_dedup.blocking.collapse import first_of_equal_rows
from nrl_dedup.blocking.nearest import Held, nearest_ads
from nrl_dedup.blocking.neighbours import NONE, Space
from nrl_dedup.blocking.sparse_search import SparseSearch
from nrl_dedup.features.cleaning import fold_twins
from nrl_dedup.progress import SILENT, Progress

STEM = 5  # letters
ADS_AT_ONCE = 50_000
_WORD = r"[\p{L}\p{M}\p{N}]+"


def text_weights(catalogue: pl.DataFrame, progress: Progress = SILENT) -> sparse.csr_array:
    """tf-idf of the stems of each ad's title and description: a row for each ad, of length 1 or empty, f32.

    The weight of a stem that stands n times in an ad and in `d` of all N ads is

        (1 + log n) (1 + log((1 + N) / (1 + d))),

    and each row is divided by its length (Salton and Buckley 1988; smoothed as in scikit-learn). Texts are in NFC and
    lower case, their look-alike letters put right. Stems are numbered in the order of their first sight.
    """
    counts = _stem_counts(catalogue, progress)
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = 1 + np.log((1 + len(catalogue)) / (1 + frequency))
    weights = (1 + np.log(counts.data)) * rarity[counts.indices]
    of_ad = np.repeat(np.arange(len(catalogue)), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(of_ad, weights**2, minlength=len(catalogue)))
    data = (weights / length[of_ad]).astype(np.float32)
    return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def _stem_counts(catalogue: pl.DataFrame, progress: Progress) -> sparse.csr_array:
    """How often each stem stands in each ad."""
    known = pl.DataFrame(schema={"stem": pl.String, "id": pl.UInt32})
    rows, ids, counts = [], [], []
    with progress.task("stems", len(catalogue)) as task:
        for start in range(0, len(catalogue), ADS_AT_ONCE):
            part = catalogue[start : start + ADS_AT_ONCE]
            found = _stems(part["title"] + " " + part["description"])
            new = found.select(pl.col("stem").unique(maintain_order=True)).join(
                known, on="stem", how="anti", maintain_order="left"
            )
            known = pl.concat([known, new.with_row_index("id", offset=len(known)).select("stem", "id")])
            found = found.join(known, on="stem", how="left", maintain_order="left").sort("row", "id")
            rows.append(start + found["row"].to_numpy().astype(np.int64))
            ids.append(found["id"].to_numpy())
            counts.append(found["count"].to_numpy())
            task.advance(len(part))
    shape = (len(catalogue), max(1, len(known)))
    if not rows:
        return sparse.csr_array(shape, dtype=np.int32)
    ends = np.concatenate([[0], np.cumsum(np.bincount(np.concatenate(rows), minlength=len(catalogue)))])
    return sparse.csr_array(
        (np.concatenate(counts).astype(np.int32), np.concatenate(ids).astype(np.int32), ends), shape=shape
    )


def _stems(texts: pl.Series) -> pl.DataFrame:
    """row, stem, count: each stem of each text once."""
    texts = fold_twins(texts.str.normalize("NFC")).str.to_lowercase()
    words = pl.DataFrame({"stem": texts.str.extract_all(_WORD)}).with_row_index("row").explode("stem").drop_nulls()
    whole = pl.col("stem").str.contains(r"\p{N}")
    words = words.with_columns(pl.when(whole).then("stem").otherwise(pl.col("stem").str.slice(0, STEM)))
    return words.group_by("row", "stem", maintain_order=True).agg(count=pl.len())


def text_space(weights: sparse.csr_array, neighbours: int, *, seed: int = 0, progress: Progress = SILENT) -> Space:
    """The nearest ads by the cosine of their `text_weights`, as `SparseSearch` finds them. Ads without a common stem
    are no neighbours."""
    first = first_of_equal_rows(weights)
    empty = np.diff(weights.indptr) == 0
    distinct, number = np.unique(first[~empty], return_inverse=True)
    text_of = np.full(len(first), NONE)
    text_of[~empty] = number
    search = SparseSearch(weights[distinct], neighbours, seed)
    progress.say(f"Nearest by text: {search.name}; recall {search.recall:.3f} of exact search.")
    held = Held.one_each(text_of)
    found, crowded = nearest_ads(held, search.nearest, neighbours, 1.0, "text", progress)
    if crowded.any():
        progress.say(f"text: {crowded.sum():,} ads are crowded: more than {neighbours:,} are equal to each.")
    return Space("text", found, crowded, search.name, search.recall)
