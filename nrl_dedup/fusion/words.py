"""The description encoder that every fusion module shares: word vectors and a GRU (thesis, section 3.4)."""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

LONGEST_MEMORY = 100.0  # tokens
SPECIAL_TOKENS = 4  # padding, unknown word, start, end: the ids below the vocabulary's own
# Ads of like length that a processor reads together. At once, 128 real ads of 30 words on average and 102 at most take
# the GRU 2.7 times as long, because it reads the padding of the short ones too. A GPU reads them at once.
READ_TOGETHER = {"cpu": 32}


class WordEncoder(nn.Module):
    """v_d: the GRU's state at the last real token of each ad.

    Word vectors are given, brought to components of size 1 on the whole, and stay so; those of the special tokens
    are learned. A GRU reads from left to right, so the padding behind an ad's last token cannot reach the state that
    is taken; on a processor, ads of like length are read together, so that there is little padding to read.

    The update gates start with biases log U(1, `LONGEST_MEMORY`), so that the units remember over as many tokens
    (Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018). At PyTorch's own start a GRU forgets in a
    few words what was said, and takes most of the training to learn to remember a brand in the first line.
    """

    vectors: Tensor

    def __init__(self, vectors: Float32[Tensor, "words size"], hidden_size: int, layers: int) -> None:
        super().__init__()
        size = vectors.shape[1]
        # To the size of the special tokens' vectors: at a norm of 1, as they come, the GRU would hardly see the words.
        self.register_buffer("vectors", vectors / vectors.square().mean().sqrt().clamp(min=1e-12))
        self.special = nn.Embedding(SPECIAL_TOKENS, size, padding_idx=0)
        self.gru = nn.GRU(size, hidden_size, num_layers=layers, batch_first=True)
        update = slice(hidden_size, 2 * hidden_size)  # PyTorch's order: reset, update, new
        with torch.no_grad():
            for layer in range(layers):
                self.gru.get_parameter(f"bias_hh_l{layer}")[update] = 0
                self.gru.get_parameter(f"bias_ih_l{layer}")[update].uniform_(1, LONGEST_MEMORY).log_()

    def forward(self, tokens: Int64[Tensor, "ads words"], lengths: Int64[Tensor, "ads"]) -> Float[Tensor, "ads hidden"]:
        """
        :param tokens: token ids, padded with 0 behind each ad's last token.
        :param lengths: tokens of each ad; the state of an ad of length 0 means nothing and must not be used.
        """
        together = READ_TOGETHER.get(tokens.device.type, len(tokens))
        if len(tokens) <= together:
            return self._read(tokens, lengths)
        order = lengths.argsort(stable=True)
        parts = [(tokens[some, : max(1, int(lengths[some[-1]]))], lengths[some]) for some in order.split(together)]
        return torch.cat([self._read(*part) for part in parts])[order.argsort()]

    def _read(self, tokens: Int64[Tensor, "ads words"], lengths: Int64[Tensor, "ads"]) -> Float[Tensor, "ads hidden"]:
        special = self.special(tokens.clamp(max=SPECIAL_TOKENS - 1))  # ads, words, size
        known = self.vectors[(tokens - SPECIAL_TOKENS).clamp(min=0)] if len(self.vectors) else special
        states, _ = self.gru(torch.where((tokens < SPECIAL_TOKENS)[..., None], special, known))
        last = (lengths - 1).clamp(min=0)
        return states[torch.arange(len(tokens), device=tokens.device), last]
