"""`bilinear`: low-rank bilinear pooling (Kim et al., "Hadamard product for low-rank bilinear pooling", 2017).

The thesis's chapter 5 proposes compact bilinear pooling (Fukui et al. 2016) as future work; this relative of it needs
a fraction of its size and did better in its authors' comparison.
"""

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


class Bilinear(FusionModule):
    """u = P (tanh(U v_d) * tanh(V v_i)) + b, with * point by point: each unit is a bilinear form of rank `fused_size`.

    v_d is the GRU's state at the ad's last token, v_i the photo's pooled features; U and V have biases (their equation
    10). In place of its tanh, the side that an ad lacks has a learned vector, at first all ones.
    """

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        self.output_size = settings.fused_size
        self.encoder = WordEncoder(vectors, settings.hidden_size, settings.gru_layers)
        self.text = nn.Linear(settings.hidden_size, settings.fused_size)
        self.image = nn.Linear(image_size, settings.fused_size)
        self.pool = nn.Linear(settings.fused_size, settings.fused_size)
        self.absent_text = nn.Parameter(torch.ones(settings.fused_size))
        self.absent_image = nn.Parameter(torch.ones(settings.fused_size))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Pooled,
        has_image: HasImage,
    ) -> Fused:
        text = torch.tanh(self.text(self.encoder(tokens, lengths)))
        text = torch.where((lengths > 0)[:, None], text, self.absent_text.to(text.dtype))
        photo = torch.tanh(self.image(image))
        photo = torch.where(has_image[:, None], photo, self.absent_image.to(photo.dtype))
        return self.dropout(self.pool(text * photo))
