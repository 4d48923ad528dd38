"""What the words of two ads have in common, by every reading of them that tells duplicates from the rest."""

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from nrl_dedup.comparison.base import TEXT, Comparison, Measure, RelativeSimilarity, SharedTerms
from nrl_dedup.comparison.neighbourhoods import neighbourhood_statistics
from nrl_dedup.comparison.similarities import DenseSimilarity, Similarity, SparseSimilarity
from nrl_dedup.comparison.tokens import (
    codes_of,
    count_ngrams,
    count_terms,
    normalised,
    quantities_of,
    tf_idf,
    tokens_of,
)
from nrl_dedup.features.text.words import Words

NGRAMS = (2, 3, 4)
TOPICS = 100
_TOPICS_FITTED_ON = 100_000
# How a seller writes, as shares of the signs: it stays when the words change.
HABITS = {
    "capitals": r"\p{Lu}",
    "digits": r"\p{Nd}",
    "punctuation": r"[\p{P}\p{S}]",
    "exclamations": "!",
    "commas": ",",
    "currencies": r"\p{Sc}",
    "line_ends": r"\n",
    "tight_stops": r"[.,!?]\p{L}",
    "gaps": r"\s",
}


def text_comparisons(
    titles: pl.Series,
    descriptions: pl.Series,
    words: Words,
    of_words: SparseSimilarity,
    known: Int64[np.ndarray, "ads known"],
    seed: int = 0,
) -> list[Comparison]:
    """Cosines of words (lemmas), of runs of letters, of titles and of topics; shared tokens, model codes, quantities;
    lengths and habits of writing. Weights come from these ads.

    :param of_words: `word_space(words)`; `known`: `neighbourhoods.known_neighbours`.
    """
    plain = [normalised(titles), normalised(descriptions)]
    tokens = count_terms([tokens_of(texts) for texts in plain])
    spaces: dict[str, Similarity] = {
        "words": of_words,
        "letters": SparseSimilarity(tf_idf(count_ngrams(tokens, NGRAMS))),
        "titles": SparseSimilarity(tf_idf(count_terms([tokens_of(plain[0])]).matrix)),
        "topics": topics(of_words.vectors, TOPICS, seed),
    }
    terms = {
        "tokens": tokens.matrix,
        "codes": count_terms([codes_of(texts) for texts in plain]).matrix,
        "quantities": count_terms([quantities_of(texts) for texts in plain]).matrix,
    }
    return [
        *(
            RelativeSimilarity(name, TEXT, space, neighbourhood_statistics(space, known))
            for name, space in spaces.items()
        ),
        *(SharedTerms.of(name, TEXT, counts) for name, counts in terms.items()),
        *_measures(titles, descriptions, words),
    ]


def word_similarity(words: Words) -> SparseSimilarity:
    """The cosine of the words' tf-idf."""
    return SparseSimilarity(tf_idf(word_counts(words)))


def word_counts(words: Words) -> sparse.csr_array:
    """How often each of `words.distinct` occurs in each ad, float32."""
    ad = np.repeat(np.arange(len(words)), np.diff(words.offsets))
    ones = np.ones(len(words.ids), np.float32)
    counts = sparse.coo_array(
        (ones, (ad, words.ids)), shape=(len(words), len(words.distinct))
    ).tocsr()
    counts.sum_duplicates()
    return counts


def topics(vectors: sparse.csr_array, size: int, seed: int) -> DenseSimilarity:
    """Latent semantic analysis (Deerwester et al., 1990): the tf-idf vectors' coordinates along their `size` largest
    right singular vectors. Words of a single ad are left out. Fitted on at most 100,000 ads, drawn by `seed`."""
    frequent = np.flatnonzero(np.bincount(vectors.indices, minlength=vectors.shape[1]) > 1)
    vectors = vectors[:, frequent]
    size = min(size, *(side // 2 for side in vectors.shape))
    if size < 1:
        return DenseSimilarity(
            np.zeros((vectors.shape[0], 1), np.float32), np.zeros(vectors.shape[0], dtype=bool)
        )
    drawn = np.random.default_rng(seed).permutation(vectors.shape[0])[:_TOPICS_FITTED_ON]
    _, _, directions = randomized_svd(vectors[np.sort(drawn)], size, n_iter=4, random_state=seed)
    found = (vectors @ directions.T.astype(np.float32)).astype(np.float32)
    lengths = np.linalg.norm(found, axis=1)
    there = lengths > 1e-6
    return DenseSimilarity(found / np.where(there, lengths, 1)[:, None], there)


def _measures(titles: pl.Series, descriptions: pl.Series, words: Words) -> list[Comparison]:
    both = titles.fill_null("") + " " + descriptions.fill_null("")
    signs = np.maximum(both.str.len_chars().to_numpy(), 1)
    lengths = {
        f"{name}_length": np.log1p(words.lengths[:, at])
        for at, name in enumerate(("title", "description"))
    }
    habits = {
        name: both.str.count_matches(pattern).to_numpy() / signs for name, pattern in HABITS.items()
    }
    return [
        Measure(name, TEXT, values.astype(np.float32))
        for name, values in (lengths | habits).items()
    ]
