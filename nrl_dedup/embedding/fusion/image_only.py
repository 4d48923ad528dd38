"""`image`: the photo alone, to tell what the words add."""

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from nrl_dedup.config import ModelSettings
from nrl_dedup.embedding.fusion.base import FusionModule


class Image(FusionModule):
    """u = W_i v_i + b_i; an ad without a readable photo is a learned vector."""

    reads_words = False
    needs_photos = True

    def __init__(
        self, settings: ModelSettings, vectors: Float32[Tensor, "words size"], image_size: int
    ) -> None:
        super().__init__()
        self.output_size = settings.fused_size
        self.image = nn.Linear(image_size, settings.fused_size)
        self.absent_image = nn.Parameter(torch.zeros(settings.fused_size))
        self.dropout = nn.Dropout(settings.dropout)

    def forward(
        self,
        tokens: Int64[Tensor, "ads words"],
        lengths: Int64[Tensor, "ads"],
        image: Float32[Tensor, "ads features"],
        has_image: Bool[Tensor, "ads"],
    ) -> Float[Tensor, "ads fused"]:
        photo = self.image(image)
        return self.dropout(
            torch.where(has_image[:, None], photo, self.absent_image.to(photo.dtype))
        )
