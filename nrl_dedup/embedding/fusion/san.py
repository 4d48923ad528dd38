"""`san`: stacked attention over the regions of the photo (thesis, section 3.5, Figure 3.3; Yang et al. 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nrl_dedup.config import ModelSettings
from nrl_dedup.embedding.fusion.base import (
    FusionModule,
    HasImage,
    Hidden,
    Lengths,
    Regions,
    Tokens,
    Vectors,
)
from nrl_dedup.embedding.fusion.word_encoder import WordEncoder


class AttentionLayer(nn.Module):
    """One attention layer: which regions does the query u ask for, and what is there?

    h_A = tanh(W_I v_I (+) (W_Q u + b_A))   (3.3), (+) adds the vector to the row of every region
    p_I = softmax(W_P h_A + b_P)            (3.4)
    v~_I = sum_i p_i v_i                    (3.5)
    """

    def __init__(self, size: int, attention_size: int) -> None:
        super().__init__()
        self.regions = nn.Linear(size, attention_size, bias=False)
        self.query = nn.Linear(size, attention_size)
        self.score = nn.Linear(attention_size, 1)

    def forward(
        self, v: Float[Tensor, "ads regions hidden"], u: Hidden
    ) -> tuple[Hidden, Float[Tensor, "ads regions"]]:
        h = torch.tanh(self.regions(v) + self.query(u)[:, None])  # ads, regions, attention size
        p = self.score(h).squeeze(2).softmax(dim=1)
        return torch.einsum("ar,arh->ah", p, v), p


class StackedAttention(FusionModule):
    """u_K, where u_0 = v_d and u_k = v~_I + u_(k-1) (3.6), K = `attention_layers`, each with weights of its own.

    v_d is the GRU's state at the ad's last token; one layer brings every region of the photo to its size (v_I). An ad
    without words has a learned v_d; one without a readable photo a learned region, wherever it looks.
    """

    backbone = "vgg19"
    photo_features = "regions"
    needs_photos = True

    def __init__(self, settings: ModelSettings, vectors: Vectors, image_size: int) -> None:
        super().__init__()
        self.output_size = settings.hidden_size
        self.encoder = WordEncoder(vectors, settings.hidden_size, settings.gru_layers)
        self.region = nn.Linear(image_size, settings.hidden_size)
        self.layers = nn.ModuleList(
            AttentionLayer(settings.hidden_size, settings.attention_size)
            for _ in range(settings.attention_layers)
        )
        self.absent_text = nn.Parameter(torch.zeros(settings.hidden_size))
        self.absent_image = nn.Parameter(torch.zeros(settings.hidden_size))
        self.dropout = nn.Dropout(settings.dropout)

    def attend(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Regions,
        has_image: HasImage,
    ) -> tuple[Hidden, Float[Tensor, "layers ads regions"]]:
        """u_K, and the attention p of every layer (each row sums to 1)."""
        u = self.encoder(tokens, lengths)
        u = torch.where((lengths > 0)[:, None], u, self.absent_text.to(u.dtype))
        v = self.region(image)  # ads, regions, hidden
        # Else, as in most batches, three passes over the largest tensor are saved.
        if not has_image.all():
            v = torch.where(has_image[:, None, None], v, self.absent_image.to(v.dtype))
        maps = []
        for layer in self.layers:
            found, p = layer(v, u)
            u = found + u
            maps.append(p)
        return u, torch.stack(maps)

    def forward(
        self,
        tokens: Tokens,
        lengths: Lengths,
        image: Regions,
        has_image: HasImage,
    ) -> Hidden:
        return self.dropout(self.attend(tokens, lengths, image, has_image)[0])
