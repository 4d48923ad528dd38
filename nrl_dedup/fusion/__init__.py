"""Fusion modules: each turns one ad, its words and its photo, into one vector.

The contract: `Module(settings, vectors, image_size)` with an `output_size`, and
`forward(tokens, lengths, image, has_image)` of shape [ads, output_size]. An ad's vector depends on that ad alone.
"""

from torch import nn

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.fusion.image import Image
from nrl_dedup.fusion.rnn_cnn import RnnCnn
from nrl_dedup.fusion.text import Text

FUSIONS: dict[str, type[nn.Module]] = {"rnn-cnn": RnnCnn, "text": Text, "image": Image}


def fusion_module(name: str) -> type[nn.Module]:
    """The module of that name.

    :raises NrlDedupError: there is none.
    """
    if name not in FUSIONS:
        raise NrlDedupError(f"--fusion {name}: wanted one of {', '.join(FUSIONS)}.")
    return FUSIONS[name]
