"""What training and embedding see of an ad's photos: counted over many draws."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.features.photos.ad_photos import AdPhotos, readable_photos
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.vocabulary import TokenIds

UNREADABLE = "6"
PHOTOS = [["0"], [], ["1", "2", "3"], ["4", "5", UNREADABLE, "7", "8"], [UNREADABLE]]
DRAWS = 3000


def stored(photos: pl.Series, views: int) -> PhotoFeatures:
    """The one feature of view v of photo n is 10 n + v, and 0.5 more where training views are kept."""
    names = sorted(set(photos) - {UNREADABLE}, reverse=True)
    values = np.array(
        [
            [[10 * int(name) + view + (views > 0) / 2] for view in range(max(1, views))]
            for name in names
        ]
    )
    return PhotoFeatures(
        photos=pl.DataFrame({"photo": names, "row": range(len(names))}).sort("photo"),
        unreadable=pl.DataFrame({"photo": [UNREADABLE], "reason": ["broken"]}),
        digests=np.arange(1, len(names) + 1, dtype=np.uint64),
        stored=values.astype(np.float32),
        kind=KINDS["pooled"],
        shape=(1,),
    )


def network_photos(photos: list[list[str]], settings: PhotoSettings) -> AdPhotos:
    found = readable_photos(
        pl.Series(photos, dtype=pl.List(pl.String)), settings, lambda names: stored(names, 0)
    )
    return found.first(settings.per_ad)


def features_of(photos: AdPhotos) -> NetworkInputs:
    """Ads without words."""
    ads = len(photos.offsets) - 1
    return NetworkInputs(TokenIds(np.zeros(0, np.int32), np.zeros(ads + 1, np.int64)), photos, (1,))


@pytest.mark.parametrize("views", [0, 1, 2])
def test_training_draws_among_the_views_of_an_ads_first_readable_photos(views: int) -> None:
    settings = PhotoSettings(views=views, per_ad=4)
    photos = network_photos(PHOTOS, settings).with_views(
        (lambda names: stored(names, views)) if views else None
    )
    features = features_of(photos)
    rows, draw = np.arange(len(PHOTOS)), np.random.default_rng(0)
    batches = [features.training_batch(rows, draw) for _ in range(DRAWS)]
    centre = features.batch(rows)
    for ad, names in enumerate(PHOTOS):
        readable = [int(name) for name in names if name != UNREADABLE][:4]
        assert centre.has_image[ad].item() == bool(readable)
        assert centre.image[ad].item() == (10 * readable[0] if readable else 0)
        if not readable:
            assert not any(batch.has_image[ad] or batch.image[ad].any() for batch in batches)
            continue
        seen = Counter(batch.image[ad].item() for batch in batches)
        of_training = [view + 0.5 for view in range(views)] or [0]
        expected = [10 * photo + view for photo in readable for view in of_training]
        assert set(seen) == set(expected)
        for count in seen.values():  # within 4 standard deviations
            share = 1 / len(expected)
            assert count / DRAWS == pytest.approx(
                share, abs=4 * np.sqrt(share * (1 - share) / DRAWS)
            )


def test_a_batch_holds_each_ads_own_tokens() -> None:
    ads = [[2, 9, 4, 3], [], [2, 7, 3], [2, 5, 6, 8, 3]]
    offsets = np.concatenate([[0], np.cumsum([len(ad) for ad in ads])]).astype(np.int64)
    features = NetworkInputs(
        TokenIds(np.array([token for ad in ads for token in ad], np.int32), offsets), None, (3,)
    )
    for rows in ([3, 1, 0], [1], [2, 2]):
        batch = features.batch(np.array(rows))
        longest = max(1, *(len(ads[row]) for row in rows))
        assert batch.tokens.tolist() == [ads[row] + [0] * (longest - len(ads[row])) for row in rows]
        assert batch.lengths.tolist() == [len(ads[row]) for row in rows]
        assert (
            batch.image.shape == (len(rows), 3)
            and not batch.image.any()
            and not batch.has_image.any()
        )


def test_the_mean_of_an_ads_photos_whatever_their_order() -> None:
    settings = PhotoSettings(views=0, per_ad=4, pool="mean")
    turned = [["0"], [], ["3", "1", "2"], ["7", "5", UNREADABLE, "4", "8"], [UNREADABLE]]
    rows = np.arange(len(PHOTOS))
    seen, digests = [], []
    for order in (PHOTOS, turned):
        photos = network_photos(order, settings)
        seen.append(features_of(photos).batch(rows))
        digests.append(photos.digests())
    for batch in seen:
        assert batch.has_image.tolist() == [True, False, True, True, False]
        assert batch.image[:, 0].tolist() == pytest.approx([0, 0, 20, np.mean([40, 50, 70, 80]), 0])
    assert digests[0][[0, 1, 4]].tolist() == digests[1][[0, 1, 4]].tolist()
    assert digests[0][1] == 0 and digests[0][0] > 0 and len(set(digests[0])) == 4


def test_the_digest_of_photos_does_not_depend_on_their_order() -> None:
    settings = PhotoSettings(views=0, pool="mean")
    centre = stored(pl.Series(["1", "2", "3"]), 0)
    one, other, less = (
        readable_photos(pl.Series([photos]), settings, lambda names: centre).digests()
        for photos in (["1", "2", "3"], ["3", "1", "2"], ["1", "2"])
    )
    assert one == other and one != less


def test_ads_of_one_photo_are_seen_the_same_with_either_pool() -> None:
    photos = [["3"], [], ["1"], ["2"]]
    batches = []
    for pool in ("one", "mean"):
        settings = PhotoSettings(views=0, pool=pool)
        found = network_photos(photos, settings)
        batches.append((features_of(found).batch(np.array([2, 1, 0, 3])), found.digests()))
    (one, digest_one), (mean, digest_mean) = batches
    assert np.array_equal(one.image, mean.image) and np.array_equal(one.has_image, mean.has_image)
    assert np.array_equal(digest_one, digest_mean)


def test_training_with_the_mean_sees_every_photo_in_a_drawn_view() -> None:
    settings = PhotoSettings(views=2, per_ad=4, pool="mean")
    photos = network_photos(PHOTOS, settings).with_views(lambda names: stored(names, 2))
    features, draw = features_of(photos), np.random.default_rng(0)
    batches = [features.training_batch(np.array([3, 1, 0]), draw) for _ in range(200)]
    assert {batch.image[1].item() for batch in batches} == {0}
    assert {batch.image[2].item() for batch in batches} == {0.5, 1.5}
    # four photos, each in view 0 or 1: the sum of their features is 240 + 4 * 0.5 and 0 to 4 more
    assert {round(4 * batch.image[0].item(), 3) for batch in batches} == {242, 243, 244, 245, 246}
    assert np.isclose(features.batch(np.array([3])).image.item(), 60)
