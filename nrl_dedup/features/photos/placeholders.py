"""Placeholders: a picture in ads that have no photo of their own ("no photo", a shop's logo).

What a large part of the ads show, whatever they offer, proves nothing about any two of them.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64, Shaped

from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.background_descriptors import descriptor_rows
from nrl_dedup.features.photos.bit_counts import count_bits
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.text.words import Words
from nrl_dedup.features.unlike_ads import are_unlike

# A picture is a placeholder from so many different texts on, and from this share of all ads. By perceptual
# hashes, the picture that the most of the 6,668 real ads share is shown by 9 of them (0.1 %), of the 300 examples by 1:
# there, half and double of either bound find as little.
MIN_TEXTS = 10
MIN_SHARE = 0.03
# Of 64 bits of a perceptual hash: 240 copies of example photos, saved at qualities 25 to 90 and whole or half as large,
# differ in 0, 2 or 4.
MAX_BITS = 4


@dataclass(frozen=True)
class Placeholder:
    """`photo`: one reference of the picture; `ads`: how many show it; `rows`: its rows in the feature store."""

    photo: str
    ads: int
    rows: Int64[np.ndarray, "photos"]


def find_placeholders(
    photos: AdPhotos, descriptors: PhotoDescriptors, words: Words, catalogue: pl.DataFrame
) -> tuple[Placeholder, ...]:
    """The pictures, the same by their bytes or their perceptual hash, that ads of unlike texts show.

    :param photos: of all ads. :param descriptors: of these photos. :param words: of the same ads.
    :param catalogue: columns title and description, a row for each ad.
    """
    ad = np.repeat(np.arange(len(photos.offsets) - 1), np.diff(photos.offsets))
    texts = catalogue.select(pl.struct("title", "description").rank("dense")).to_series()
    text = texts.to_numpy().astype(np.int64)
    distinct, place = np.unique(photos.rows, return_inverse=True)
    digests = photos.centre.digests[distinct]
    found: list[Placeholder] = []
    hidden = np.zeros(len(distinct), dtype=bool)

    def add(same: Bool[np.ndarray, "distinct"]) -> None:
        new = same & ~hidden
        ads = np.unique(ad[new[place]])
        is_frequent = len(ads) >= MIN_SHARE * len(catalogue)
        if is_frequent and are_unlike(ads, text, words, MIN_TEXTS):
            rows = distinct[new]
            reference = photos.references(rows[:1])[0]
            found.append(Placeholder(reference, len(ads), rows))
            hidden[same] = True

    for digest in _frequent(digests[place], ad, len(catalogue)):
        add(digests == digest)
    described = descriptor_rows(photos, descriptors, distinct)
    known = described >= 0
    hashes = np.zeros(len(distinct), np.uint64)
    hashes[known] = descriptors.stored["hashes"][described[known], 0]
    is_known = known[place]
    hash_of_photo = hashes[place][is_known]
    for value in _frequent(hash_of_photo, ad[is_known], len(catalogue)):
        differing_bits = count_bits(hashes ^ value)
        add(known & (differing_bits <= MAX_BITS))
    return tuple(found)


def _frequent(
    keys: Shaped[np.ndarray, "photos"], ad: Int64[np.ndarray, "photos"], ads: int
) -> Shaped[np.ndarray, "some"]:
    """The keys of pictures that enough ads show, the most frequent first."""
    pairs = np.stack([keys.astype(np.uint64), ad.astype(np.uint64)])
    keys_of_ads = np.unique(pairs, axis=1)[0]
    values, counts = np.unique(keys_of_ads, return_counts=True)
    many = counts >= max(MIN_TEXTS, MIN_SHARE * ads)
    order = np.argsort(-counts[many], kind="stable")
    return values[many][order]
