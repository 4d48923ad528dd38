"""The network against closed forms; one test runs the fusion contract over every module."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nrl_dedup.config import ModelSettings
from nrl_dedup.embedding.fusion import FUSIONS
from nrl_dedup.embedding.fusion.san import StackedAttention
from nrl_dedup.embedding.fusion.towers import SLOW
from nrl_dedup.embedding.fusion.word_encoder import WordEncoder
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.network_inputs import Batch

WORDS, WORD_SIZE, IMAGE = 30, 8, 12
REGIONS = 6
SMALL = {
    "word_size": WORD_SIZE,
    "hidden_size": 10,
    "fused_size": 9,
    "branch_sizes": (7, 5),
    "attention_size": 7,
}


def vectors() -> torch.Tensor:
    return torch.randn(WORDS, WORD_SIZE, generator=torch.Generator().manual_seed(1))


def model(fusion: str = "rnn-cnn", head: str = "nonpositive") -> SiameseModel:
    torch.manual_seed(2)
    return SiameseModel(ModelSettings(fusion=fusion, head=head, **SMALL), vectors(), IMAGE).eval()


def ads(lengths: list[int], seed: int = 3, fusion: str = "rnn-cnn") -> Batch:
    """Ads of these lengths; every third lacks its photo."""
    shape = (REGIONS, IMAGE) if FUSIONS[fusion].photo_features == "regions" else (IMAGE,)
    draw = np.random.default_rng(seed)
    tokens = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = draw.integers(1, WORDS + 4, size=length)
    has_image = np.arange(len(lengths)) % 3 != 2
    image = draw.random((len(lengths), *shape)).astype(np.float32)
    image[~has_image] = 0
    return Batch(*map(torch.from_numpy, (tokens, np.array(lengths), image, has_image)))


def one(batch: Batch, row: int, padding: int = 0) -> Batch:
    length = max(1, int(batch.lengths[row]))
    tokens = nn.functional.pad(batch.tokens[row : row + 1, :length], (0, padding))
    at = slice(row, row + 1)
    return Batch(tokens, batch.lengths[at], batch.image[at], batch.has_image[at])


def test_word_encoder_is_the_gru_over_each_ads_own_tokens() -> None:
    torch.manual_seed(0)
    encoder = WordEncoder(vectors(), hidden_size=10, layers=2)
    batch = ads([5, 1, 9, 3, *range(1, 90)])  # more than are read together
    states = encoder(batch.tokens, batch.lengths)
    torch.testing.assert_close(encoder.vectors.square().mean().sqrt(), torch.tensor(1.0))
    table = torch.cat([encoder.special.weight, encoder.vectors])
    for row, length in enumerate(batch.lengths):
        _, last = encoder.gru(table[batch.tokens[row, :length]])  # this ad alone, nothing padded
        torch.testing.assert_close(states[row], last[-1], atol=1e-6, rtol=0)


def test_without_a_vocabulary_the_gru_reads_the_special_tokens() -> None:
    torch.manual_seed(0)
    encoder = WordEncoder(torch.zeros(0, WORD_SIZE), hidden_size=10, layers=1)
    tokens = torch.tensor([[2, 1, 1, 3], [0, 0, 0, 0]])  # two unknown words; an ad without words
    _, last = encoder.gru(encoder.special.weight[tokens[0]])
    torch.testing.assert_close(encoder(tokens, torch.tensor([4, 0]))[0], last[-1])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_an_ads_vector_depends_on_that_ad_alone(fusion: str) -> None:
    network, batch = model(fusion), ads([5, 1, 0, 9, 3, 0, 2], fusion=fusion)
    together = network.embed(batch)
    for row in range(len(batch.lengths)):
        for padding in (0, 4):
            torch.testing.assert_close(
                network.embed(one(batch, row, padding))[0], together[row], atol=1e-5, rtol=0
            )


@pytest.mark.parametrize("fusion", FUSIONS)
def test_absent_sides_are_learned_and_differ_from_present_ones(fusion: str) -> None:
    network, batch = model(fusion), ads([4, 4, 0], fusion=fusion)
    blank = Batch(batch.tokens * 0, batch.lengths * 0, batch.image * 0, batch.has_image & False)
    h = network.embed(blank)
    torch.testing.assert_close(h[0], h[1])
    network.train()
    network.embed(blank).sum().backward()
    absent = [p.grad for name, p in network.named_parameters() if "absent" in name]
    assert absent and all(grad is not None for grad in absent)
    assert not torch.allclose(network.embed(batch)[0], h[0])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_module_reads_the_sides_that_it_says(fusion: str) -> None:
    network, batch = model(fusion), ads([4, 4], fusion=fusion)
    h = network.embed(batch)
    other_words = replace(batch, tokens=batch.tokens % (WORDS + 3) + 1)
    other_photos = replace(batch, image=batch.image + 1)
    assert (not torch.equal(network.embed(other_words), h)) == FUSIONS[fusion].reads_words
    assert (not torch.equal(network.embed(other_photos), h)) == FUSIONS[fusion].reads_photos


def test_rnn_cnn_is_the_product_of_the_two_sides() -> None:
    fusion = model().fusion
    batch = ads([4, 2, 3])
    text = fusion.encoder(batch.tokens, batch.lengths) @ fusion.text.weight.T + fusion.text.bias
    photo = batch.image @ fusion.image.weight.T + fusion.image.bias
    expected = text * photo
    expected[2] = text[2] * fusion.absent_image  # the third ad has no photo
    fused = fusion(batch.tokens, batch.lengths, batch.image, batch.has_image)
    torch.testing.assert_close(fused, expected, atol=1e-6, rtol=1e-5)


def test_bilinear_is_its_formula() -> None:
    fusion, batch = model("bilinear").fusion, ads([4, 2, 3])
    with torch.no_grad():
        v_d = fusion.encoder(batch.tokens, batch.lengths).numpy()
        weights = {name: x.numpy() for name, x in fusion.named_parameters()}
    text = np.tanh(v_d @ weights["text.weight"].T + weights["text.bias"])
    photo = np.tanh(batch.image.numpy() @ weights["image.weight"].T + weights["image.bias"])
    photo[2] = weights["absent_image"]  # the third ad has no photo
    expected = (text * photo) @ weights["pool.weight"].T + weights["pool.bias"]
    fused = fusion(batch.tokens, batch.lengths, batch.image, batch.has_image)
    np.testing.assert_allclose(fused.detach().numpy(), expected, atol=1e-6)


def test_towers_are_their_formula() -> None:
    network, batch = model("towers"), ads([4, 2, 5])
    fusion = network.fusion
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_()
        u = fusion(batch.tokens, batch.lengths, batch.image, batch.has_image).numpy()
        torch.testing.assert_close(network.embed(batch), torch.from_numpy(u))  # no branch
    w = {name: x.detach().numpy() for name, x in fusion.named_parameters()}

    def unit(x: np.ndarray) -> np.ndarray:
        return x / np.linalg.norm(x)

    for ad in range(3):
        words = [token - 4 for token in batch.tokens[ad].tolist() if token >= 4]
        t = unit(sum(np.exp(w["log_weights"][word]) * w["words"][word] for word in words))
        photo = SLOW * np.sqrt(batch.image[ad].numpy())
        i, m = w["absent_image"], unit(w["shared_text.weight"] @ t)
        if ad != 2:  # the third ad has no photo
            i = unit(w["image.weight"] @ photo + w["image.bias"])
            m = unit(m + unit(w["shared_image.weight"] @ photo + w["shared_image.bias"]))
        np.testing.assert_allclose(u[ad], np.concatenate([t, i, unit(m)]), atol=1e-5)


def test_towers_start_with_document_frequencies_and_white_photos() -> None:
    """Two views of a photo differ along three directions only; along these it is what tells least."""
    fusion, batch = model("towers").fusion, ads([4, 0, 7] * 100)
    draw = np.random.default_rng(0)
    thing = draw.normal(size=(300, IMAGE))
    noise = [np.pad(draw.normal(size=(300, 3)), ((0, 0), (0, IMAGE - 3))) for _ in range(2)]
    one, other = (torch.from_numpy((thing + each).astype(np.float32)) for each in noise)
    has_image = torch.arange(300) < 200
    fusion.start(batch.tokens, one.sign() * one**2, other.sign() * other**2, has_image)
    found = [sum(word + 4 in row for row in batch.tokens.tolist()) for word in range(WORDS)]
    expected = [max(0.1, np.log(301 / (count + 1))) for count in found]
    np.testing.assert_allclose(fusion.log_weights.detach().exp(), expected, rtol=1e-5)
    weight = fusion.image.weight.detach().numpy() * SLOW
    along, across = (
        np.linalg.norm(weight, axis=0)[:3].mean(),
        np.linalg.norm(weight, axis=0)[3:].mean(),
    )
    assert along < across / 2
    mapped = (one[has_image] @ fusion.image.weight.T * SLOW + fusion.image.bias).detach().numpy()
    np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-4)
    assert np.linalg.norm(mapped, axis=1).mean() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_stacked_attention_is_equations_3_3_to_3_6(layers: int) -> None:
    torch.manual_seed(4)
    settings = ModelSettings(fusion="san", attention_layers=layers, **SMALL)
    fusion, batch = StackedAttention(settings, vectors(), IMAGE), ads([4, 2, 0], fusion="san")
    with torch.no_grad():
        fusion.absent_text.normal_()
        u_k, maps = (
            x.numpy()
            for x in fusion.attend(batch.tokens, batch.lengths, batch.image, batch.has_image)
        )
        v_d = fusion.encoder(batch.tokens, batch.lengths).numpy()
    w = {name: x.detach().numpy() for name, x in fusion.named_parameters()}
    for ad in range(3):
        u = v_d[ad] if ad != 2 else w["absent_text"]  # the third ad has neither words nor photo
        v = batch.image[ad].numpy() @ w["region.weight"].T + w["region.bias"]
        if ad == 2:
            v = np.tile(w["absent_image"], (REGIONS, 1))
        for k in range(layers):
            w_i, w_q, b_a = (
                w[f"layers.{k}.{name}"] for name in ("regions.weight", "query.weight", "query.bias")
            )
            h = np.tanh(v @ w_i.T + (w_q @ u + b_a))  # (3.3)
            energy = h @ w[f"layers.{k}.score.weight"][0] + w[f"layers.{k}.score.bias"][0]
            p = np.exp(energy) / np.exp(energy).sum()  # (3.4)
            np.testing.assert_allclose(maps[k, ad], p, atol=1e-6)
            u = p @ v + u  # (3.5), (3.6)
        np.testing.assert_allclose(u_k[ad], u, atol=1e-5)
    np.testing.assert_allclose(maps.sum(axis=2), 1, atol=1e-6)


def test_attention_finds_the_region_that_the_words_ask_for() -> None:
    """By hand: the query's first component asks for the regions' first component."""
    torch.manual_seed(0)
    fusion = StackedAttention(
        ModelSettings(fusion="san", attention_layers=1, **SMALL), vectors(), IMAGE
    )
    layer = fusion.layers[0]
    v, u = torch.zeros(1, REGIONS, 10), torch.zeros(1, 10)
    v[0, 4, 0] = 1.0
    with torch.no_grad():
        for x in layer.parameters():
            x.zero_()
        layer.regions.weight[0, 0] = 1.0
        layer.score.weight[0, 0] = 20.0
        found, p = layer(v, u)
    assert p.argmax().item() == 4 and p[0, 4] > 0.99
    torch.testing.assert_close(found[0], v[0, 4] * p[0, 4])


@pytest.mark.parametrize("head", ["nonpositive", "free"])
def test_score_is_the_formula_and_symmetric(head: str) -> None:
    network = model(head=head)
    h_l, h_r = torch.rand(2, 6, 5)
    with torch.no_grad():
        network.raw_weight.copy_(torch.randn(5))
        expected = [
            float(network.weight @ (a - b).abs() + network.bias)
            for a, b in zip(h_l, h_r, strict=True)
        ]
        np.testing.assert_allclose(network.score(h_l, h_r), expected, atol=1e-6)
        assert torch.equal(network.score(h_l, h_r), network.score(h_r, h_l))


def test_blocking_follows_the_score() -> None:
    network = model()
    with torch.no_grad():
        network.raw_weight.copy_(torch.randn(5))
        assert (network.weight <= 0).all()
        h_l, h_r = torch.rand(2, 6, 5)
        distance = (network.scaled(h_l) - network.scaled(h_r)).abs().sum(1)
        torch.testing.assert_close(network.score(h_l, h_r), network.bias - distance)
        assert network.identical_score() == pytest.approx(
            torch.sigmoid(network.score(h_l, h_l))[0].item()
        )


@pytest.mark.parametrize("head", ["nonpositive", "free"])
def test_the_head_starts_at_the_log_odds_of_the_labels(head: str) -> None:
    network = model(head=head)
    h_l, h_r = torch.rand(2, 400, 5)
    network.start_head(h_l, h_r, -1.5)
    assert network.score(h_l, h_r).mean().item() == pytest.approx(-1.5, abs=1e-4)


@pytest.mark.parametrize("head", ["nonpositive", "free"])
def test_scores_are_the_score_of_every_two_ads(head: str) -> None:
    network = model(head=head)
    h_l, h_r = torch.rand(4, 5), torch.rand(3, 5)
    with torch.no_grad():
        network.raw_weight.copy_(torch.randn(5))
        expected = [
            [network.score(h_l[a : a + 1], h_r[b : b + 1]).item() for b in range(3)]
            for a in range(4)
        ]
        np.testing.assert_allclose(network.scores(h_l, h_r), expected, atol=1e-5)


@pytest.mark.parametrize("head", ["nonpositive", "free"])
def test_rescaling_the_head_is_a_line_through_its_logits(head: str) -> None:
    network = model(head=head)
    h_l, h_r = torch.rand(2, 6, 5)
    with torch.no_grad():
        network.raw_weight.copy_(torch.randn(5))
        before = network.score(h_l, h_r)
        network.rescale(0.4, -3.0)
        torch.testing.assert_close(
            network.score(h_l, h_r), 0.4 * before - 3.0, atol=1e-5, rtol=1e-5
        )


def test_unknown_fusion_is_named() -> None:
    with pytest.raises(NrlDedupError, match="--fusion sum: wanted one of rnn-cnn"):
        model("sum")
