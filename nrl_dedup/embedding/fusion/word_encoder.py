"""The description encoder that every fusion module shares: word vectors and a GRU (thesis, section 3.4)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nrl_dedup.embedding.fusion.base import Hidden, Lengths, Tokens, Vectors
from nrl_dedup.embedding.fusion.packed_gru import Packing, read

MAX_MEMORY = 100.0  # tokens. Not tuned.
SPECIAL_TOKENS = 4  # padding, unknown word, start, end: the ids below the vocabulary's own
# Kinds of devices where `packed_gru.read` is faster than nn.GRU over padded ads.
PACKED_ON = ("cpu",)


class WordEncoder(nn.Module):
    """v_d: the GRU's state at the last real token of each ad.

    Word vectors are given, brought to components of size 1 on the whole, and stay so; those of the special tokens
    are learned. A GRU reads from left to right, so the padding after an ad's last token cannot reach the state that
    is taken; on a processor, where time goes by the token, it is not read at all.

    The update gates start with biases log U(1, `MAX_MEMORY`), so that the units remember over as many tokens
    (Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018). At PyTorch's own start a GRU forgets in a
    few words what was said, and takes most of the training to learn to remember a brand in the first line.
    """

    vectors: Tensor

    def __init__(self, vectors: Vectors, hidden_size: int, layers: int) -> None:
        super().__init__()
        size = vectors.shape[1]
        # To the size of the special tokens' vectors: at a norm of 1, as they come, the GRU would hardly see the words.
        root_mean_square = vectors.square().mean().sqrt().clamp(min=1e-12)
        self.register_buffer("vectors", vectors / root_mean_square)
        self.special = nn.Embedding(SPECIAL_TOKENS, size, padding_idx=0)
        self.gru = nn.GRU(size, hidden_size, num_layers=layers, batch_first=True)
        update = slice(hidden_size, 2 * hidden_size)  # PyTorch's order: reset, update, new
        with torch.no_grad():
            for layer in range(layers):
                state_bias = self.gru.get_parameter(f"bias_hh_l{layer}")
                state_bias[update] = 0
                input_bias = self.gru.get_parameter(f"bias_ih_l{layer}")
                input_bias[update].uniform_(1, MAX_MEMORY).log_()

    def forward(self, tokens: Tokens, lengths: Lengths) -> Hidden:
        """
        :param tokens: token ids, padded with 0 after each ad's last token.
        :param lengths: tokens of each ad; the state of an ad of length 0 means nothing and must not be used.
        """
        if tokens.device.type in PACKED_ON:
            return self._read_packed(tokens, lengths)
        states, _ = self.gru(self._vectors_of(tokens))
        ads = torch.arange(len(tokens), device=tokens.device)
        last = (lengths - 1).clamp(min=0)
        return states[ads, last]

    def _read_packed(self, tokens: Tokens, lengths: Lengths) -> Hidden:
        packing = Packing.of(lengths)
        packed = tokens[packing.rows, packing.columns]
        distinct, which = packed.unique(return_inverse=True)
        states = read(self.gru, self._vectors_of(distinct), which, packing)
        of_ads = states.new_zeros(len(tokens), states.shape[1])
        return of_ads.index_copy(0, packing.order, states[packing.last])

    def _vectors_of(self, tokens: Int64[Tensor, "*tokens"]) -> Float[Tensor, "*tokens size"]:
        special = self.special(tokens.clamp(max=SPECIAL_TOKENS - 1))
        if not len(self.vectors):
            return special
        words = self.vectors[(tokens - SPECIAL_TOKENS).clamp(min=0)]
        is_special = (tokens < SPECIAL_TOKENS)[..., None]
        return torch.where(is_special, special, words)
