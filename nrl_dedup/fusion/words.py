"""The description encoder that every fusion module shares: word vectors and a GRU (thesis, section 3.4)."""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

SPECIAL_TOKENS = 4  # padding, unknown word, start, end: the ids below the vocabulary's own


class WordEncoder(nn.Module):
    """v_d: the GRU's state at the last real token of each ad.

    Word vectors are given and stay as they are; those of the special tokens are learned. A GRU reads from left to
    right, so the padding behind an ad's last token cannot reach the state that is taken.
    """

    vectors: Tensor

    def __init__(self, vectors: Float32[Tensor, "words size"], hidden_size: int, layers: int) -> None:
        super().__init__()
        size = vectors.shape[1]
        self.register_buffer("vectors", vectors)
        self.special = nn.Embedding(SPECIAL_TOKENS, size, padding_idx=0)
        self.gru = nn.GRU(size, hidden_size, num_layers=layers, batch_first=True)

    def forward(self, tokens: Int64[Tensor, "ads words"], lengths: Int64[Tensor, "ads"]) -> Float[Tensor, "ads hidden"]:
        """
        :param tokens: token ids, padded with 0 behind each ad's last token.
        :param lengths: tokens of each ad; the state of an ad of length 0 means nothing and must not be used.
        """
        known = self.vectors[(tokens - SPECIAL_TOKENS).clamp(min=0)]  # ads, words, size
        special = self.special(tokens.clamp(max=SPECIAL_TOKENS - 1))
        states, _ = self.gru(torch.where((tokens < SPECIAL_TOKENS)[..., None], special, known))
        last = (lengths - 1).clamp(min=0)
        return states[torch.arange(len(tokens), device=tokens.device), last]
