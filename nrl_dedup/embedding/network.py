"""The Siamese network: `embed` and `score` are the only two ways into it (thesis, section 3.3 and Figure 3.1)."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.functional import softplus

from nrl_dedup.config import ModelSettings, Settings
from nrl_dedup.embedding.fusion import fusion_module
from nrl_dedup.features.network_inputs import Batch
from nrl_dedup.features.photos.backbones import backbone_row
from nrl_dedup.features.photos.feature_kinds import KINDS

START_BIAS = 2.0  # the logit of two identical ads before training


class SiameseModel(nn.Module):
    """Both ads of a pair go through the same fusion module and the same branch; the head compares the results.

    :param vectors: the word vectors of the vocabulary, in its order.
    :param image_size: the size of a photo's pooled features, or of each of its regions.
    :raises NrlDedupError: there is no such fusion module.
    """

    def __init__(
        self, settings: ModelSettings, vectors: Float32[Tensor, "words size"], image_size: int
    ) -> None:
        super().__init__()
        self.fusion = fusion_module(settings.fusion)(settings, vectors, image_size)
        size = self.fusion.output_size
        self.branch = nn.Sequential()
        if self.fusion.branched:
            first, second = settings.branch_sizes
            self.branch = nn.Sequential(
                nn.Linear(size, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
            )
            size = second
        self.nonpositive = settings.head == "nonpositive"
        self.raw_weight = nn.Parameter(torch.zeros(size))
        self.bias = nn.Parameter(torch.tensor(START_BIAS))

    @property
    def weight(self) -> Float32[Tensor, "size"]:
        """w of the head: -softplus(u), so never positive, or u itself with `--head free`."""
        if self.nonpositive:
            return -softplus(self.raw_weight)
        return self.raw_weight

    def embed(self, batch: Batch) -> Float[Tensor, "ads size"]:
        """h: the branch's output for each ad, or the fusion module's where it has no branch."""
        return self.branch(self.fusion(batch.tokens, batch.lengths, batch.image, batch.has_image))

    def score(self, h_l: Float[Tensor, "pairs size"], h_r: Float[Tensor, "pairs size"]) -> Tensor:
        """The logit w . |h_l - h_r| + b of each pair; symmetric in its two sides, bit for bit."""
        difference = h_l.float() - h_r.float()
        return difference.abs() @ self.weight + self.bias

    def scores(
        self, h_l: Float[Tensor, "left size"], h_r: Float[Tensor, "right size"]
    ) -> Float[Tensor, "left right"]:
        """`score` of every left ad with every right one, by the sum of the positive weights and that of the others."""
        left = h_l.float()
        right = h_r.float()
        against = (-self.weight).relu()
        logits = self.bias - torch.cdist(left * against, right * against, p=1)
        if not self.nonpositive:
            in_favour = self.weight.relu()
            logits = logits + torch.cdist(left * in_favour, right * in_favour, p=1)
        return logits

    def scaled(self, h: Float32[Tensor, "ads size"]) -> Float32[Tensor, "ads size"]:
        """h times |w|: with w <= 0 the L1 distance of two rows is b minus their logit, so the nearest in L1 are the
        best scored. With a free-signed w it is only a guide."""
        return h * self.weight.abs()

    @torch.no_grad()
    def start_head(self, h_l: Tensor, h_r: Tensor, logit: float) -> None:
        """Set w before training, all of one size, so that the mean logit of these pairs is `logit`.

        Adam moves a parameter by about the learning rate a step, too little to bring the head of a random start
        to the data's own scale within an epoch.

        :param logit: below `START_BIAS`.
        """
        distances = (h_l.float() - h_r.float()).abs().sum(1)
        distance = distances.mean().clamp(min=1e-6)
        size = ((START_BIAS - logit) / distance).clamp(1e-4, 100.0)
        self._set_weight(size.expand_as(self.weight))

    @torch.no_grad()
    def rescale(self, slope: float, intercept: float) -> None:
        """Every logit s becomes slope s + intercept; the order of the pairs stays.

        :param slope: above 0.
        """
        self._set_weight(-slope * self.weight)
        self.bias.copy_(slope * self.bias + intercept)

    @torch.no_grad()
    def _set_weight(self, size: Tensor) -> None:
        """w = -size; where w cannot be positive, by the inverse of its softplus."""
        if self.nonpositive:
            size = size.clamp(min=1e-6)
            self.raw_weight.copy_(size + torch.log(-torch.expm1(-size)))
        else:
            self.raw_weight.copy_(-size)

    @torch.no_grad()
    def identical_score(self) -> float:
        """sigmoid(b), the score of two identical ads; with w <= 0 the highest that any pair can have."""
        return torch.sigmoid(self.bias).item()


def photo_kind(settings: Settings) -> str:
    """The row of `feature_kinds.KINDS` that the model of these settings reads."""
    regions = fusion_module(settings.model.fusion).photo_features == "regions"
    return settings.photos.regions if regions else "pooled"


def image_shape(settings: Settings) -> tuple[int, ...]:
    """The shape of a photo's features as that model reads them: (size,), or (regions, size)."""
    return KINDS[photo_kind(settings)].shape(backbone_row(settings.photos.backbone))
