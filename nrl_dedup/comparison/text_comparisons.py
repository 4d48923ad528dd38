"""What the words of two ads have in common, by every reading of them that separates duplicates from other pairs."""

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from nrl_dedup.comparison.base import (
    TEXT,
    Comparison,
    Measure,
    RelativeSimilarity,
    SharedTerms,
    measure_columns,
    similarity_columns,
    term_columns,
)
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

NGRAMS = (2, 3, 4)  # letters of a run. Not tuned.
TOPICS = 100  # dimensions of latent semantic analysis. Not tuned.
_MAX_ADS_FOR_TOPICS = 100_000  # bounds the time of the decomposition
_POWER_ITERATIONS = 4  # of the randomised decomposition. Not tuned.
_SHORTEST_VECTOR = 1e-6  # a shorter one is rounding error, and the ad has no topic
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

# What `explain` calls them.
_SIMILARITIES = {"words": "words", "letters": "spelling", "titles": "titles", "topics": "topics"}
_TERMS = {"tokens": "words", "codes": "model codes", "quantities": "numbers"}
_LENGTHS = {
    "title_length": "length of the title",
    "description_length": "length of the description",
}
_HABITS = {name: name for name in HABITS} | {
    "tight_stops": "stops without a gap",
    "line_ends": "line ends",
}
TEXT_COLUMNS = {
    **similarity_columns(_SIMILARITIES),
    **term_columns(_TERMS),
    **measure_columns(_LENGTHS),
    **measure_columns(_HABITS),
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

    :param of_words: `word_similarity(words)`.
    :param known: `neighbourhoods.known_neighbours`.
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
    comparisons: list[Comparison] = []
    for name, space in spaces.items():
        neighbourhoods = neighbourhood_statistics(space, known)
        comparisons.append(
            RelativeSimilarity(name, TEXT, _SIMILARITIES[name], space, neighbourhoods)
        )
    for name, counts in terms.items():
        comparisons.append(SharedTerms.of(name, TEXT, _TERMS[name], counts))
    comparisons += _measures(titles, descriptions, words)
    return comparisons


def word_similarity(words: Words) -> SparseSimilarity:
    """The cosine of the words' tf-idf."""
    return SparseSimilarity(tf_idf(word_counts(words)))


def word_counts(words: Words) -> sparse.csr_array:
    """How often each of `words.distinct` occurs in each ad, float32."""
    ad = np.repeat(np.arange(len(words)), np.diff(words.offsets))
    ones = np.ones(len(words.ids), np.float32)
    shape = (len(words), len(words.distinct))
    counts = sparse.coo_array((ones, (ad, words.ids)), shape=shape).tocsr()
    counts.sum_duplicates()
    return counts


def topics(vectors: sparse.csr_array, size: int, seed: int) -> DenseSimilarity:
    """Latent semantic analysis (Deerwester et al., 1990): the tf-idf vectors' coordinates along their `size` largest
    right singular vectors. Words of a single ad are left out. Fitted on at most 100,000 ads, drawn by `seed`."""
    ads_with_word = np.bincount(vectors.indices, minlength=vectors.shape[1])
    frequent = np.flatnonzero(ads_with_word > 1)
    vectors = vectors[:, frequent]
    ads, terms = vectors.shape
    size = min(size, ads // 2, terms // 2)
    if size < 1:
        nothing = np.zeros((ads, 1), np.float32)
        return DenseSimilarity(nothing, np.zeros(ads, dtype=bool))
    shuffled = np.random.default_rng(seed).permutation(ads)
    sample = vectors[np.sort(shuffled[:_MAX_ADS_FOR_TOPICS])]
    _, _, directions = randomized_svd(
        sample,
        size,
        n_iter=_POWER_ITERATIONS,
        random_state=seed,
    )
    found = (vectors @ directions.T.astype(np.float32)).astype(np.float32)
    lengths = np.linalg.norm(found, axis=1)
    there = lengths > _SHORTEST_VECTOR
    return DenseSimilarity(found / np.where(there, lengths, 1)[:, None], there)


def _measures(titles: pl.Series, descriptions: pl.Series, words: Words) -> list[Comparison]:
    both = titles.fill_null("") + " " + descriptions.fill_null("")
    signs = np.maximum(both.str.len_chars().to_numpy(), 1)
    measures: list[Comparison] = []
    for at, (name, described) in enumerate(_LENGTHS.items()):
        length = np.log1p(words.lengths[:, at])
        measures.append(Measure(name, TEXT, described, length.astype(np.float32)))
    for name, pattern in HABITS.items():
        share = both.str.count_matches(pattern).to_numpy() / signs
        measures.append(Measure(name, TEXT, _HABITS[name], share.astype(np.float32)))
    return measures
