"""What the words of two ads have in common, by every reading of them that separates duplicates from other pairs."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy import sparse

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
from nrl_dedup.comparison.compared_ads import AdTerms, ComparedAds
from nrl_dedup.comparison.neighbourhoods import NeighbourhoodStatistics
from nrl_dedup.comparison.similarities import Similarity, SparseSimilarity
from nrl_dedup.comparison.tokens import BUCKETS, Counts, tf_idf
from nrl_dedup.comparison.topics import TopicProjection
from nrl_dedup.features.text.inverse_frequencies import (
    HashedInverseFrequencies,
    InverseFrequencies,
)
from nrl_dedup.features.text.words import Words

TOPICS = 100  # dimensions of latent semantic analysis. Not tuned.
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


@dataclass(frozen=True)
class TextStatistics:
    """How rare each kind of term is (`AdTerms`), and the topics of words."""

    words: InverseFrequencies
    letters: HashedInverseFrequencies
    titles: InverseFrequencies
    topics: TopicProjection
    tokens: InverseFrequencies
    codes: InverseFrequencies
    quantities: InverseFrequencies

    def __post_init__(self) -> None:
        """:raises ValueError: the letters were hashed into another number of buckets."""
        if len(self.letters.idf) != BUCKETS:
            raise ValueError(
                f"wanted {BUCKETS:,} buckets of letters, found {len(self.letters.idf):,}"
            )

    @classmethod
    def fit(cls, terms: AdTerms, seed: int) -> "TextStatistics":
        words = _fit_frequencies(terms.words)
        word_vectors = weighted(terms.words, words)
        return cls(
            words=words,
            letters=HashedInverseFrequencies.fit(terms.letters),
            titles=_fit_frequencies(terms.titles),
            topics=TopicProjection.fit(word_vectors, terms.words.distinct, TOPICS, seed),
            tokens=_fit_frequencies(terms.tokens),
            codes=_fit_frequencies(terms.codes),
            quantities=_fit_frequencies(terms.quantities),
        )


def text_comparisons(
    statistics: TextStatistics,
    ads: ComparedAds,
    of_words: SparseSimilarity,
    known: Int64[np.ndarray, "ads known"],
) -> list[Comparison]:
    """Cosines of words (lemmas), of runs of letters, of titles and of topics; shared tokens, model codes, quantities;
    lengths and habits of writing.

    :param of_words: `word_similarity` of these ads.
    :param known: `neighbourhoods.known_neighbours`.
    """
    terms = ads.terms
    letter_vectors = tf_idf(terms.letters, statistics.letters.idf)
    spaces: dict[str, Similarity] = {
        "words": of_words,
        "letters": SparseSimilarity(letter_vectors),
        "titles": SparseSimilarity(weighted(terms.titles, statistics.titles)),
        "topics": statistics.topics.of(of_words.vectors, terms.words.distinct),
    }
    shared = {
        "tokens": (terms.tokens, statistics.tokens),
        "codes": (terms.codes, statistics.codes),
        "quantities": (terms.quantities, statistics.quantities),
    }
    comparisons: list[Comparison] = []
    for name, space in spaces.items():
        neighbourhoods = NeighbourhoodStatistics.fit(space, known)
        comparisons.append(
            RelativeSimilarity(name, TEXT, _SIMILARITIES[name], space, neighbourhoods)
        )
    for name, (counts, frequencies) in shared.items():
        comparisons.append(SharedTerms.of(name, TEXT, _TERMS[name], counts, frequencies))
    comparisons += _measures(ads.titles, ads.descriptions, ads.words)
    return comparisons


def word_similarity(terms: AdTerms, frequencies: InverseFrequencies) -> SparseSimilarity:
    """The cosine of the words' tf-idf."""
    return SparseSimilarity(weighted(terms.words, frequencies))


def weighted(counts: Counts, frequencies: InverseFrequencies) -> sparse.csr_array:
    """The tf-idf of the terms of any ads."""
    return tf_idf(counts.matrix, frequencies.of(counts.distinct))


def _fit_frequencies(counts: Counts) -> InverseFrequencies:
    return InverseFrequencies.fit(counts.matrix, counts.distinct)


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
