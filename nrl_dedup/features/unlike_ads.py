"""Whether what some ads have in common is more than one thing's: then it proves nothing about any two of them."""

import numpy as np
from jaxtyping import Int64

from nrl_dedup.features.text.words import Words, jaccard

# The mean Jaccard similarity of the texts, from which on the ads are of one thing: copies of an ad in other words.
MAX_SIMILARITY = 0.5
MEASURED_PAIRS = 500  # of ads, that the mean is taken of. Not tuned.


def are_unlike(
    ads: Int64[np.ndarray, "some"], text: Int64[np.ndarray, "ads"], words: Words, min_texts: int
) -> bool:
    """Whether some ads have at least `min_texts` different texts, whose words are unlike on the whole.

    :param text: a number for each text, by ad of the catalogue. :param words: of these ads.
    """
    texts = np.unique(text[ads])
    if len(texts) < min_texts:
        return False
    draw = np.random.default_rng(0)
    left, right = draw.choice(ads, (2, MEASURED_PAIRS))
    different = left != right
    similarities = jaccard(words, left[different], right[different])
    return float(similarities.mean()) <= MAX_SIMILARITY
