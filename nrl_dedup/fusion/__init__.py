"""Fusion modules: each turns one ad, its words and its photo, into one vector. `module.py` has the contract."""

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.fusion.bilinear import Bilinear
from nrl_dedup.fusion.image import Image
from nrl_dedup.fusion.module import FusionModule
from nrl_dedup.fusion.rnn_cnn import RnnCnn
from nrl_dedup.fusion.san import StackedAttention
from nrl_dedup.fusion.text import Text
from nrl_dedup.fusion.towers import Towers

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
