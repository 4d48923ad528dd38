"""`text`: the description alone, to tell what the photos add."""

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


class Text(FusionModule):
    """u = W_d v_d + b_d; an ad without words is a learned vector."""

    reads_photos = False

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        self.output_size = settings.fused_size
        self.encoder = WordEncoder(vectors, settings.hidden_size, settings.gru_layers)
        self.text = nn.Linear(settings.hidden_size, settings.fused_size)
        self.absent_text = nn.Parameter(torch.zeros(settings.fused_size))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Pooled,
        has_image: HasImage,
    ) -> Fused:
        text = self.text(self.encoder(tokens, lengths))
        return self.dropout(
            torch.where((lengths > 0)[:, None], text, self.absent_text.to(text.dtype))
        )
