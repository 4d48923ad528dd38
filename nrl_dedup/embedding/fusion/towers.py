"""`towers`: words and photo side by side, each of length 1, and beside them a vector of both."""

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, normalize

from nrl_dedup.config import ModelSettings
from nrl_dedup.embedding.fusion.base import (
    Fused,
    FusionModule,
    HasImage,
    Lengths,
    Pooled,
    Tokens,
    Vectors,
)
from nrl_dedup.embedding.fusion.word_encoder import SPECIAL_TOKENS

SLOW = 0.1  # how fast the photo side learns: its features are good already, and photos for training are few
_MIN_WEIGHT = 0.1  # of a word that is in every ad, so that its logarithm is finite. Not tuned.
_RIDGE = 1.0  # of the mean within-photo variance, so that no direction is blown up. Not tuned.
_SPREAD = 0.5  # the power of each principal component's deviation that is kept. Not tuned.
_TINY = 1e-12  # in place of a variance of 0, by which nothing can be divided


class Towers(FusionModule):
    """u = [t ; i ; m] with

        t = the unit vector of sum_w exp(a_w) e_w   over the ad's words w, of weight a_w and vector e_w, both learned
        i = the unit vector of W_i r(v_i) + b_i,    r(x) = sign(x) sqrt|x|, v_i the photo's pooled features
        m = the unit vector of n(S_t t) + n(S_i r(v_i) + c_i),   n a unit vector again

    Two sides of one length each count as much as the other, whatever the sizes of their features; m alone can compare
    one ad's words with another's photo. t, i and m have `fused_size` / 2 numbers each. The head compares u itself:
    there is no branch, which would have to learn from few ads not to lose what the sides know (`branched`).
    An ad's side that is absent is a learned vector in t or i, and nothing in m.

    The start (`start`) is already a good comparison: e_w half the word's given vector and half a random one, so that a
    common word is judged by its meaning and a rare one by itself, a_w the logarithm of its inverse document frequency;
    W_i whitens what differs between two views of one photo (relevant component analysis, Shental et al. 2002), then
    takes the principal components.

    r is the power normalisation of Perronnin et al. 2010. The GRU's word order is left out: it learned nothing from
    the texts of some thousand ads that the words alone do not give.
    """

    branched = False
    initialised_from_data = True

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        part = max(1, settings.fused_size // 2)
        if not len(vectors):  # a table of no rows cannot be read
            vectors = vectors.new_zeros(1, vectors.shape[1])
        self.output_size = 3 * part
        self.words = nn.Parameter(_mixed(vectors, part))
        self.log_weights = nn.Parameter(torch.zeros(len(vectors)))
        self.image = nn.Linear(image_size, part)
        self.shared_text = nn.Linear(part, part, bias=False)
        self.shared_image = nn.Linear(image_size, part)
        self.absent_text = nn.Parameter(torch.zeros(part))
        self.absent_image = nn.Parameter(torch.zeros(part))
        self.dropout = nn.Dropout(settings.dropout)
        nn.init.orthogonal_(self.shared_text.weight)

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Pooled,
        has_image: HasImage,
    ) -> Fused:
        known = tokens >= SPECIAL_TOKENS
        has_text = known.any(dim=1)[:, None]
        has_photo = has_image[:, None]
        word = tokens[known] - SPECIAL_TOKENS
        counts = known.sum(dim=1)
        starts = counts.cumsum(dim=0) - counts
        weights = self.log_weights.index_select(0, word).exp()
        sums = embedding_bag(word, self.words, starts, mode="sum", per_sample_weights=weights)
        t = _unit(sums)  # ads, part
        photo = SLOW * _power_normalised(image)
        i = _unit(self.image(photo))
        text_in_shared = _unit(self.shared_text(t)) * has_text
        photo_in_shared = _unit(self.shared_image(photo)) * has_photo
        m = _unit(text_in_shared + photo_in_shared)
        t = torch.where(has_text, t, self.absent_text)
        i = torch.where(has_photo, i, self.absent_image)
        return self.dropout(torch.cat([t, i, m], dim=1))

    @torch.no_grad()
    def start(
        self,
        tokens: Tokens,
        image: Pooled,
        other: Pooled,
        has_image: HasImage,
    ) -> None:
        ads = torch.arange(len(tokens), device=tokens.device)[:, None].expand_as(tokens)
        known = tokens >= SPECIAL_TOKENS
        words_of_ads = torch.stack([ads[known], tokens[known] - SPECIAL_TOKENS])
        word = torch.unique(words_of_ads, dim=1)[1]  # of each ad, each of its words once
        ads_with_word = torch.bincount(word, minlength=len(self.words))
        rarity = torch.log((len(tokens) + 1) / (ads_with_word + 1))
        self.log_weights.copy_(rarity.clamp(min=_MIN_WEIGHT).log())
        one = _power_normalised(image[has_image].double())
        two = _power_normalised(other[has_image].double())
        part = self.image.out_features
        if len(one) > 2 * part:
            weight, bias = _whitening(one, two, part)
            for layer in (self.image, self.shared_image):
                layer.weight.copy_(weight / SLOW)
                layer.bias.copy_(bias)


def _power_normalised(x: Tensor) -> Tensor:
    """r of `Towers`."""
    return x.sign() * x.abs().sqrt()


def _unit(x: Tensor) -> Tensor:
    """In 32 bits, whatever the layer before computed in."""
    return normalize(x.float(), dim=1)


def _mixed(vectors: Vectors, size: int) -> Float32[Tensor, "words part"]:
    """The unit vectors of: a unit vector of the principal components of `vectors`, plus a random unit vector."""
    random = normalize(torch.randn(len(vectors), size), dim=1)
    _, directions = torch.linalg.eigh(vectors.T @ vectors)  # the largest come last
    given = torch.zeros_like(random)
    kept = min(size, vectors.shape[1])
    given[:, :kept] = vectors @ directions[:, -kept:]
    given = normalize(given, dim=1)
    return normalize(given + random, dim=1)


def _whitening(one: Tensor, other: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """W and b of the linear map to the `size` principal components, turned at random, of the photos after what differs
    between two views of one photo is white; vectors of a mean length of 1."""
    centre = one.mean(dim=0)
    centred = one - centre
    difference = one - other
    within = difference.T @ difference / (2 * len(one))
    values, axes = torch.linalg.eigh(within)
    ridge = _RIDGE * values.mean().clamp(min=_TINY)
    white = axes / (values.clamp(min=0) + ridge).sqrt()
    covariance = torch.cov((centred @ white).T)
    values, axes = torch.linalg.eigh(covariance)  # the largest come last
    largest_values = values[-size:].clamp(min=_TINY)
    scaled = axes[:, -size:] * largest_values ** ((_SPREAD - 1) / 2)
    random = torch.randn(size, size, dtype=one.dtype, device=one.device)
    turn, _ = torch.linalg.qr(random)
    weight = (white @ scaled @ turn).T
    mean_length = (centred @ weight.T).norm(dim=1).mean()
    weight = weight / mean_length
    return weight, -weight @ centre
