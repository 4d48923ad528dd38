"""Ads -> candidate pairs: identical ads are collapsed, and FAISS finds the nearest neighbours of the rest.

Blocking follows the score. With every w_i <= 0, the logit b + sum_i w_i |h_l - h_r|_i falls with the L1 distance
of z = |w| * h, so the nearest neighbours of z in L1 are the head's own best-scored pairs.
"""

from nrl_dedup.blocking.candidates import Candidates, find_candidates
from nrl_dedup.blocking.collapse import Groups, collapse

__all__ = ["Candidates", "Groups", "collapse", "find_candidates"]
