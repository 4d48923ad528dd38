"""Ads -> candidate pairs: identical ads are collapsed, the nearest of the rest found in several spaces, and united.

The joint space is the model's own. With every w_i <= 0, the logit b + sum_i w_i |h_l - h_r|_i falls with the L1
distance of z = |w| * h, so the nearest neighbours of z in L1 are the head's own best-scored pairs. The spaces of text,
of photos and of both (with the photos' scenes) know nothing of the model, and find pairs that it would lose.
"""

from nrl_dedup.blocking.both import both_space
from nrl_dedup.blocking.candidates import Candidates, find_candidates, joint_space, unite
from nrl_dedup.blocking.collapse import Groups, collapse
from nrl_dedup.blocking.members import Members
from nrl_dedup.blocking.neighbours import NONE, Neighbours, Space
from nrl_dedup.blocking.photos import photo_space
from nrl_dedup.blocking.spaces import SearchResult, search_spaces
from nrl_dedup.blocking.text import Texts, read_texts, text_space

__all__ = [
    "NONE",
    "Candidates",
    "Groups",
    "Members",
    "Neighbours",
    "SearchResult",
    "Space",
    "Texts",
    "both_space",
    "collapse",
    "find_candidates",
    "joint_space",
    "photo_space",
    "read_texts",
    "search_spaces",
    "text_space",
    "unite",
]
