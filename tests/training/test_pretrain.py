"""The parts of training without labels, on ads made up in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import expit

from nrl_dedup.catalogue.labelled_pairs import read_pairs
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.config import ModelSettings, PhotoSettings, PretrainSettings, Settings, TextSettings
from nrl_dedup.embedding.embed import embed_ads
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.data import (
    TrainingData,
    prepare_training,
    prepare_unlabelled,
)
from nrl_dedup.training.pretrain import (
    BOTH,
    PHOTOS,
    SHOWN,
    WORDS,
    Plan,
    calibrate,
    leaves,
    pretrain,
)
from nrl_dedup.training.seen_ads import TrainingFiles
from tests.conftest import Shop
from tests.features.test_two_views import tokens_of

CPU = torch.device("cpu")
RUN = Run(Path("unused"), CPU)
ADS, SIZE = 300, 8


def photos_of(values: np.ndarray) -> PhotoFeatures:
    """:param values: photos, views, size."""
    rows = pl.DataFrame(
        {"photo": [str(row) for row in range(len(values))], "row": range(len(values))}
    )
    digests = np.arange(1, len(values) + 1, dtype=np.uint64)
    return PhotoFeatures(
        rows, rows.clear(), digests, values.astype(np.float32), KINDS["pooled"], (SIZE,)
    )


def ads(words: int = 12, photos: bool = True) -> NetworkInputs:
    """Ads of the same thing, the even and the odd half of each two: words of one topic, photos that look alike."""
    draw = np.random.default_rng(0)
    tokens = tokens_of([words] * ADS)
    if words:
        topic = np.repeat(np.arange(ADS // 2), 2 * words)
        inside = np.tile(np.r_[False, np.ones(words, bool), False], ADS)
        tokens.values[inside] = 4 + 6 * topic + draw.integers(6, size=len(topic))
    if not photos:
        return NetworkInputs(tokens, None, (SIZE,))
    thing = np.repeat(draw.random((ADS // 2, 1, SIZE)), 2, axis=0)
    centre, views = (photos_of(thing + 0.2 * draw.random((ADS, count, SIZE))) for count in (1, 2))
    rows = np.arange(ADS)
    return NetworkInputs(tokens, AdPhotos(rows, np.arange(ADS + 1), centre, views, rows), (SIZE,))


def network(fusion: str = "towers") -> SiameseModel:
    torch.manual_seed(0)
    settings = ModelSettings(
        fusion=fusion, word_size=16, hidden_size=16, fused_size=16, branch_sizes=(16, 16)
    )
    return SiameseModel(settings, torch.randn(6 * ADS // 2, 16), SIZE)


def found_first(model: SiameseModel, features: NetworkInputs) -> float:
    """The share of ads whose nearest other ad is their double."""
    with torch.no_grad():
        z = model.scaled(torch.from_numpy(embed_ads(model, features, device=CPU))).numpy()
    distance = cdist(z, z, "cityblock")
    np.fill_diagonal(distance, np.inf)
    return float((distance.argmin(axis=1) == np.arange(ADS) + 1 - 2 * (np.arange(ADS) % 2)).mean())


@pytest.mark.parametrize("fusion", ["towers", "text", "image", "rnn-cnn"])
def test_without_labels_the_network_finds_doubles(fusion: str) -> None:
    model, features = network(fusion), ads()
    at_first = found_first(model, features)
    settings = PretrainSettings(epochs=10, batch_size=64, learning_rate=3e-3)
    fitted = pretrain(model, features, np.arange(30, ADS), np.arange(30), settings, 0, RUN)
    losses = [epoch.valid_loss for epoch in fitted.history]
    assert (
        fitted.best_epoch == 1 + int(np.argmin(losses))
        and losses[fitted.best_epoch - 1] < losses[0]
    )
    assert found_first(fitted.model, features) > max(0.2, at_first)  # by chance 1 / 299


def test_the_same_seed_trains_the_same_network() -> None:
    settings, features = PretrainSettings(epochs=3, batch_size=64), ads()
    once, again = (
        pretrain(network(), features, np.arange(30, ADS), np.arange(30), settings, 5, RUN)
        for _ in range(2)
    )
    assert [epoch.valid_loss for epoch in once.history] == [
        epoch.valid_loss for epoch in again.history
    ]
    for name, value in once.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])


def test_postings_show_what_the_network_reads_and_the_ads_have() -> None:
    assert sum(share for *_, share in SHOWN) == pytest.approx(1)
    assert Plan.of(network(), ads()).shown == tuple((one, other) for one, other, _ in SHOWN)
    assert Plan.of(network(), ads(photos=False)).shown == ((WORDS, WORDS),)
    assert Plan.of(network("text"), ads()).shown == ((WORDS, WORDS),)
    assert Plan.of(network("image"), ads()).shown == ((PHOTOS, PHOTOS),)
    assert (BOTH, BOTH) in Plan.of(network("rnn-cnn"), ads()).shown
    with pytest.raises(NrlDedupError, match="No ad has a readable photo"):
        Plan.of(network("image"), ads(photos=False))


def test_ads_that_show_nothing_are_passed_over() -> None:
    """Words that are all lost, photos that are not there: nothing to learn from, and nothing to stumble over."""
    settings = PretrainSettings(epochs=1, batch_size=64)
    fitted = pretrain(
        network(),
        ads(words=1, photos=False),
        np.arange(30, ADS),
        np.arange(30),
        settings,
        0,
        RUN,
    )
    assert all(np.isfinite(epoch.train_loss + epoch.valid_loss) for epoch in fitted.history)


@pytest.mark.parametrize("ads_in_all", [1, 64, 65, 1000])
def test_leaves_are_small_and_hold_neighbours(ads_in_all: int) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(ads_in_all, 5)).astype(np.float32)
    leaf = leaves(vectors, 64, draw)
    sizes = np.bincount(leaf)
    assert (
        sizes.sum() == ads_in_all
        and sizes.min() > 0
        and sizes.max() <= 64
        and sizes.max() - sizes.min() <= 5
    )
    if ads_in_all == 1000:
        distance = cdist(vectors, vectors)
        together = leaf[:, None] == leaf[None, :]
        assert distance[together].mean() < 0.8 * distance[~together].mean()


def test_settled_scores_are_probabilities_of_two_postings() -> None:
    """Where every other ad counts once, the scores' mean is the share of the postings: what logistic regression with
    an intercept gives on the very pairs that it is fitted on."""
    model, features = network().eval(), ads()
    rows, held_out = np.arange(30, ADS), np.arange(30)
    model.start_head(*torch.rand(2, 50, 24), -20.0)
    calibrate(model, features, rows, held_out, np.random.default_rng(3), device=CPU)
    draw = np.random.default_rng(3)
    one, other = features.two_views(held_out, (BOTH, BOTH), draw)
    with torch.no_grad():
        h_one, h_other, h_pool = (
            model.embed(batch) for batch in (one, other, features.batch(rows))
        )
        others = np.sort(model.scores(h_one, h_pool).double().numpy(), axis=1)[:, :-1].ravel()
        postings = model.score(h_one, h_other).double().numpy()
    weight = (len(rows) - 1) / len(rows)
    assert expit(postings).sum() + weight * expit(others).sum() == pytest.approx(
        len(held_out), rel=0.02
    )


def prepared(shop: Shop, work: Path, epochs: int, *, labelled: bool) -> TrainingData:
    settings = replace(
        Settings(TextSettings("ru"), PhotoSettings(backbone="mobilenet_v3_small", views=0)),
        pretrain=PretrainSettings(epochs=epochs),
    )
    resources = TrainingFiles(shop.images, shop.backbone)
    catalogue = read_catalogue(shop.items)
    if not labelled:
        return prepare_unlabelled(catalogue, settings, resources, Run(work, CPU), {})
    return prepare_training(
        catalogue,
        read_pairs(shop.pairs, catalogue).frame,
        None,
        settings,
        resources,
        Run(work, CPU),
        {},
    )


def test_what_chooses_or_judges_is_not_learned_from(shop: Shop, tmp_path: Path) -> None:
    alone = prepared(shop, tmp_path, 5, labelled=False)
    assert len(alone.unlabelled) == 108 and len(alone.held_out) == 12
    assert (
        sorted([*alone.unlabelled, *alone.held_out]) == list(range(120))
        and alone.split.frame.is_empty()
    )

    data = prepared(shop, tmp_path, 5, labelled=True)
    ads_on = {
        side: set(data.split.side(side)["row_l"]) | set(data.split.side(side)["row_r"])
        for side in ("train", "valid", "test")
    }
    assert set(data.held_out) == ads_on["valid"]
    assert (
        set(data.unlabelled) == set(range(120)) - ads_on["valid"] - ads_on["test"]
        and ads_on["test"]
    )

    without = prepared(shop, tmp_path, 0, labelled=True)
    assert not len(without.unlabelled) and without.fixed(without.settings) != data.fixed(
        data.settings
    )


def test_a_handful_of_ads_is_refused(shop: Shop, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("id,title\n" + "".join(f"{row},thing {row}\n" for row in range(19)))
    settings = replace(Settings(TextSettings("ru")), pretrain=PretrainSettings(epochs=1))
    with pytest.raises(NrlDedupError, match=r"19 ads have words.*wants 20"):
        prepare_unlabelled(read_catalogue(few), settings, TrainingFiles(), Run(tmp_path, CPU), {})
