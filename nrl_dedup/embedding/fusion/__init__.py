"""Fusion modules: each turns one ad, its words and its photo, into one vector. `base.py` has the contract."""

from nrl_dedup.embedding.fusion.base import FusionModule
from nrl_dedup.embedding.fusion.bilinear import Bilinear
from nrl_dedup.embedding.fusion.image_only import Image
from nrl_dedup.embedding.fusion.rnn_cnn import RnnCnn
from nrl_dedup.embedding.fusion.san import StackedAttention
from nrl_dedup.embedding.fusion.text_only import Text
from nrl_dedup.embedding.fusion.towers import Towers
from nrl_dedup.errors import NrlDedupError

FUSIONS: dict[str, type[FusionModule]] = {
    "rnn-cnn": RnnCnn,
    "san": StackedAttention,
    "text": Text,
    "image": Image,
    "bilinear": Bilinear,
    "towers": Towers,
}


def fusion_module(name: str) -> type[FusionModule]:
    """The module of that name.

    :raises NrlDedupError: there is none.
    """
    if name not in FUSIONS:
        raise NrlDedupError(f"--fusion {name}: wanted one of {', '.join(FUSIONS)}.")
    return FUSIONS[name]
