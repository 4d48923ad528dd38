"""`image`: the photo alone, to tell what the words add."""

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


class Image(FusionModule):
    """u = W_i v_i + b_i; an ad without a readable photo is a learned vector."""

    reads_words = False
    needs_photos = True

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        self.output_size = settings.fused_size
        self.image = nn.Linear(image_size, settings.fused_size)
        self.absent_image = nn.Parameter(torch.zeros(settings.fused_size))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Pooled,
        has_image: HasImage,
    ) -> Fused:
        photo = self.image(image)
        return self.dropout(
            torch.where(has_image[:, None], photo, self.absent_image.to(photo.dtype))
        )
