"""`rnn-cnn`: the thesis's first fusion module (section 3.4, Figure 3.2)."""

import torch
from torch import nn

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
from nrl_dedup.embedding.fusion.word_encoder import WordEncoder


class RnnCnn(FusionModule):
    """u = (W_d v_d + b_d) * (W_i v_i + b_i), the point-wise product of the two sides brought to one size.

    v_d is the GRU's state at the ad's last token, v_i the photo's pooled features. The side that an ad lacks is a
    learned vector, at first all ones: the neutral element of the product.

    At the start, one half of the product's units is mostly the words and the other mostly the photo: there the other
    side is near 1. So the first vectors already tell ads apart by both sides, which a product of two random
    numbers does not, and what the sides say together is learned from there.
    """

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        self.output_size = settings.fused_size
        self.encoder = WordEncoder(vectors, settings.hidden_size, settings.gru_layers)
        self.text = nn.Linear(settings.hidden_size, settings.fused_size)
        self.image = nn.Linear(image_size, settings.fused_size)
        self.absent_text = nn.Parameter(torch.ones(settings.fused_size))
        self.absent_image = nn.Parameter(torch.ones(settings.fused_size))
        self.dropout = nn.Dropout(settings.dropout)
        half = settings.fused_size // 2
        _near_one(self.text, slice(0, half))
        _near_one(self.image, slice(half, None))

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Pooled,
        has_image: HasImage,
    ) -> Fused:
        text = self.text(self.encoder(tokens, lengths))
        text = torch.where((lengths > 0)[:, None], text, self.absent_text.to(text.dtype))
        photo = self.image(image)
        photo = torch.where(has_image[:, None], photo, self.absent_image.to(photo.dtype))
        return self.dropout(text * photo)


@torch.no_grad()
def _near_one(layer: nn.Linear, units: slice) -> None:
    layer.weight[units] *= 0.1
    layer.bias[units] = 1.0
