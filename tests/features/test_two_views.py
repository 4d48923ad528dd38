"""Two postings of one ad, as training without labels makes them: every word and photo followed to where it goes."""

from itertools import pairwise

import numpy as np
import pytest

from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.network_inputs import NetworkInputs, Shown
from nrl_dedup.features.text import vocabulary as text
from nrl_dedup.features.text.vocabulary import END, FIRST_WORD, START, UNKNOWN, TokenIds, two_texts
from tests.features.test_network_inputs import network_photos, stored

BOTH = Shown(words=True, photos=True)


def tokens_of(lengths: list[int]) -> TokenIds:
    """Ads of so many words, no word twice in the whole catalogue."""
    words = iter(range(FIRST_WORD, FIRST_WORD + sum(lengths)))
    ads = [
        [START, *(next(words) for _ in range(length)), END] if length else [] for length in lengths
    ]
    offsets = np.concatenate([[0], np.cumsum([len(ad) for ad in ads])]).astype(np.int64)
    return TokenIds(np.array([token for ad in ads for token in ad], np.int32), offsets)


def words_of(tokens: TokenIds, ad: int) -> list[int]:
    """The words of an ad; START and END must frame them, and an ad without words must be empty."""
    found = tokens.values[tokens.offsets[ad] : tokens.offsets[ad + 1]].tolist()
    assert not found or (found[0] == START and found[-1] == END and len(found) > 2)
    return found[1:-1]


@pytest.fixture
def nothing_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REORDERED", "LOST", "MISSPELT"):
        monkeypatch.setattr(text, name, 0.0)


def test_the_words_of_an_ad_are_dealt_out_whole_and_in_their_order(nothing_lost: None) -> None:
    tokens = tokens_of([1, 0, 2, 30, 0, 7, 0])
    rows, draw = np.array([3, 6, 0, 2, 1, 5]), np.random.default_rng(0)
    first_words = set()
    for _ in range(50):
        left, right = two_texts(tokens, rows, draw)
        for place, row in enumerate(rows):
            one, other = words_of(left, place), words_of(right, place)
            assert one == sorted(one) and other == sorted(other)
            assert sorted(one + other) == words_of(tokens, row)
            if len(one + other) > 1:
                assert one and other
            first_words.update(one[:1] if row == 3 else [])
    assert (
        words_of(tokens, 3)[0] in first_words and len(first_words) > 2
    )  # either text can begin the ad


def test_spans_have_their_mean_length(nothing_lost: None) -> None:
    lengths = [2000] * 20
    left, right = two_texts(tokens_of(lengths), np.arange(20), np.random.default_rng(0))
    breaks = sum(
        b - a > 1
        for ad in range(20)
        for side in (left, right)
        for a, b in pairwise(words_of(side, ad))
    )
    assert 2000 * 20 / breaks == pytest.approx(text.SPAN, rel=0.05)


def test_spans_stay_together_when_they_are_reordered(
    nothing_lost: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "REORDERED", 1.0)
    tokens = tokens_of([120, 120])
    both = two_texts(tokens, np.arange(2), np.random.default_rng(0))
    for ad in range(2):
        assert sorted(words_of(both[0], ad) + words_of(both[1], ad)) == words_of(tokens, ad)
        for side in both:
            words = words_of(side, ad)
            assert (
                words != sorted(words)
                and sum(b - a == 1 for a, b in pairwise(words)) > len(words) / 2
            )


def test_shares_of_what_is_lost_and_misspelt() -> None:
    ads, length = 4000, 50
    tokens = tokens_of([length] * ads)
    texts = two_texts(tokens, np.arange(ads), np.random.default_rng(0))
    kept = np.array([[len(words_of(side, ad)) for side in texts] for ad in range(ads)])
    assert kept.sum(axis=1).mean() / length == pytest.approx(1 - text.LOST, abs=0.01)
    for side in texts:
        words = side.values[(side.values != START) & (side.values != END)]
        assert (words == UNKNOWN).mean() == pytest.approx(text.MISSPELT, abs=0.003)


def test_the_same_draws_give_the_same_texts() -> None:
    tokens = tokens_of([5, 9, 0, 40])
    once, again = (
        two_texts(tokens, np.array([3, 0, 1]), np.random.default_rng(7)) for _ in range(2)
    )
    for one, other in zip(once, again, strict=True):
        assert np.array_equal(one.values, other.values) and np.array_equal(
            one.offsets, other.offsets
        )


PHOTOS = [["0"], [], ["1", "2", "3"], ["4", "5"]]


def features(views: int, pool: str) -> NetworkInputs:
    settings = PhotoSettings(views=views, pool=pool)
    photos = network_photos(PHOTOS, settings).with_views(
        (lambda names: stored(names, views)) if views else None
    )
    return NetworkInputs(tokens_of([4, 4, 4, 4]), photos, (1,))


def photo_and_look(image: float) -> tuple[int, float]:
    """The photo's number, and its look: 0 the centre, v + 0.5 view v (`tests.features.test_network_inputs.stored`)."""
    return int(image // 10), image % 10


@pytest.mark.parametrize("views", [0, 1, 2])
def test_several_photos_are_dealt_out_and_one_is_shown_in_two_looks(views: int) -> None:
    ads, draw, rows = features(views, "one"), np.random.default_rng(0), np.array([2, 1, 0, 3])
    pairs = set()
    for _ in range(300):
        one, other = ads.two_views(rows, (BOTH, BOTH), draw)
        assert not one.has_image[1] and not other.has_image[1]
        for place, names in ((0, {1, 2, 3}), (3, {4, 5})):
            (photo, look), (photo_2, look_2) = (
                photo_and_look(batch.image[place].item()) for batch in (one, other)
            )
            assert photo != photo_2 and {photo, photo_2} <= names
            pairs.add((photo, photo_2))
            assert {look, look_2} <= {0, *(view + 0.5 for view in range(views))}
        shown = [batch.image[2].item() for batch in (one, other) if batch.has_image[2]]
        assert len(shown) == (2 if views else 1) == len(set(shown))
        assert all(photo_and_look(image)[0] == 0 for image in shown)
    assert len(pairs) == 6 + 2


def test_with_the_mean_each_posting_has_half_of_the_photos() -> None:
    ads, draw = features(0, "mean"), np.random.default_rng(0)
    for _ in range(50):
        one, other = ads.two_views(np.array([2, 3]), (BOTH, BOTH), draw)
        assert {batch.image[0].item() for batch in (one, other)} in ({10, 25}, {20}, {30, 15})
        assert sorted(batch.image[1].item() for batch in (one, other)) == [40, 50]


def test_a_posting_shows_what_it_is_told_to() -> None:
    ads, draw = features(2, "mean"), np.random.default_rng(0)
    words, photos = Shown(words=True, photos=False), Shown(words=False, photos=True)
    one, other = ads.two_views(np.arange(4), (words, photos), draw)
    assert one.lengths.min() > 0 and not one.has_image.any() and not one.image.any()
    assert not other.lengths.any() and other.has_image.tolist() == [True, False, True, True]
