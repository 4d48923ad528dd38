"""A picture that many ads of unlike texts show is no photo of theirs; and what photos the pair model sees."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.bit_counts import count_bits
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.features.photos.descriptors import DESCRIPTOR
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.photos.placeholders import find_placeholders
from nrl_dedup.features.text.text_digests import text_digests
from nrl_dedup.features.text.words import Words, read_words
from tests.features.test_network_inputs import PHOTOS, network_photos

WORDS = [
    f"{first}{second}"
    for first in ("лам", "сто", "ков", "вел", "шка")
    for second in ("па", "л", "ёр", "осипед")
]


def ads_with(
    shown: dict[int, list[int]], ads: int, hashes: dict[int, int]
) -> tuple[AdPhotos, PhotoDescriptors]:
    """Ads that show photos, by number; photos without a hash of their own have one that is far from all others."""
    count = 1 + max(max(photos) for photos in shown.values())
    draw = np.random.default_rng(0)
    stored = np.zeros(count, DESCRIPTOR)
    stored["hashes"][:, 0] = draw.integers(0, 2**63, size=count, dtype=np.uint64)
    for photo, value in hashes.items():
        stored["hashes"][photo, 0] = value
    names = [f"{photo:03d}.jpg" for photo in range(count)]
    known = pl.DataFrame({"photo": names, "row": range(count)})
    rows = [photo for ad in range(ads) for photo in shown.get(ad, [])]
    counts = [len(shown.get(ad, [])) for ad in range(ads)]
    features = PhotoFeatures(
        photos=known,
        unreadable=pl.DataFrame(schema={"photo": pl.String, "reason": pl.String}),
        digests=np.arange(1, count + 1, dtype=np.uint64),
        stored=np.zeros((count, 1, 1), np.float32),
        kind=KINDS["pooled"],
        shape=(1,),
    )
    photos = AdPhotos(
        np.array(rows), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), features
    )
    return photos, PhotoDescriptors(known, stored)


def texts_of(ads: int, same: int = 0) -> tuple[pl.DataFrame, Words]:
    """Ads of words drawn at random; the first `same` of them one text, each with a word of its own."""
    draw = np.random.default_rng(1)
    titles = [" ".join(draw.choice(WORDS, 4)) for _ in range(ads)]
    for ad in range(same):
        titles[ad] = "диван угловой серый новый большой мягкий " + WORDS[ad % len(WORDS)]
    frame = pl.DataFrame({"title": titles, "description": [str(ad) for ad in range(ads)]})
    return frame, read_words([frame["title"], frame["description"]], "none")


@pytest.mark.parametrize(
    ("showing", "ads", "found"), [(12, 300, True), (9, 100, False), (12, 500, False)]
)
def test_both_bounds_must_be_reached(showing: int, ads: int, found: bool) -> None:
    photos, sketches = ads_with(
        {ad: [0 if ad < showing else ad + 1, ads + 1] for ad in range(showing + 5)}, ads, {}
    )
    photos = photos.only(photos.rows != ads + 1)
    frame, words = texts_of(ads)
    placeholders = find_placeholders(photos, sketches, words, frame)
    assert [(one.photo, one.ads, one.rows.tolist()) for one in placeholders] == [
        ("000.jpg", showing, [0])
    ] * found


def test_one_picture_in_several_files_is_known_by_its_hash() -> None:
    # Three of four as it is, the fourth two bits off; and one of the ads' own photos eight bits off.
    hashes = {0: 0xF0F0_F0F0, 1: 0xF0F0_F0F0, 2: 0xF0F0_F0F0, 3: 0xF0F0_F0F3, 10: 0xF0F0_F00F}
    photos, sketches = ads_with({ad: [ad % 4, 10 + ad] for ad in range(36)}, 100, hashes)
    frame, words = texts_of(100)
    (found,) = find_placeholders(photos, sketches, words, frame)
    assert found.rows.tolist() == [0, 1, 2, 3] and found.ads == 36


def test_one_thing_posted_often_with_its_photo_is_no_placeholder() -> None:
    photos, sketches = ads_with({ad: [0] for ad in range(20)}, 100, {})
    frame, words = texts_of(100, same=20)
    assert find_placeholders(photos, sketches, words, frame) == ()
    again = frame.with_columns(description=pl.lit(""), title=pl.lit("диван"))
    assert (
        find_placeholders(photos, sketches, texts_of(100)[1], again) == ()
    )  # one text, though its words were unlike


def test_the_network_sees_the_first_photos_and_the_pair_model_all() -> None:
    settings = PhotoSettings(views=0, per_ad=2)
    first = network_photos(PHOTOS, settings)
    every = network_photos(PHOTOS, PhotoSettings(views=0, per_ad=99))
    assert np.diff(first.offsets).tolist() == [1, 0, 2, 2, 0] and np.diff(
        every.offsets
    ).tolist() == [1, 0, 3, 4, 0]
    hidden = every.only(
        every.rows != every.rows[every.offsets[3]]
    )  # the first photo of ad 3 is a placeholder
    assert hidden.first(2).references(hidden.first(2).rows).to_list() == ["0", "1", "2", "5", "7"]


def test_digests_are_those_of_their_definition() -> None:
    texts = ["", "a", "foobar", "фото/1.jpg", "a" * 300]

    def fnv1a(data: bytes) -> int:
        value = 0xCBF29CE484222325
        for byte in data:
            value = (value ^ byte) * 0x100000001B3 % 2**64
        return value

    assert fnv1a(b"foobar") == 0x85944171F73967E8  # of the authors' own table
    mixed = []
    for text in texts:
        value = fnv1a(text.encode())
        value = (value ^ (value >> 33)) * 0xFF51AFD7ED558CCD % 2**64
        mixed.append(value ^ (value >> 33))
    assert text_digests(pl.Series(texts)).tolist() == mixed
    assert text_digests(pl.Series(texts * 2)[::-1]).tolist() == (mixed * 2)[::-1]
    assert text_digests(pl.Series([], dtype=pl.String)).tolist() == []


def test_bits_are_counted() -> None:
    numbers = np.frombuffer(hashlib.sha256(b"bits").digest(), np.uint64).reshape(2, 2)
    assert count_bits(numbers).tolist() == [
        [int(number).bit_count() for number in row] for row in numbers
    ]


def test_photos_are_drawn_the_same_by_any_library(tmp_path: Path) -> None:
    names = [f"photo {number}.jpg" for number in range(6)]
    order = np.argsort(text_digests(pl.Series(names)))
    settings = PhotoSettings(views=0, per_ad=1, choice="random")
    assert network_photos([[str(number) for number in range(5)]], settings).rows.shape == (1,)
    from nrl_dedup.features.photos.ad_photos import photos_in_order

    frame = photos_in_order(pl.Series([names]), "random").sort("place")
    assert frame["photo"].to_list() == [names[number] for number in order]
