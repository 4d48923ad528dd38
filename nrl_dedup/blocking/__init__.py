"""Ads -> candidate pairs: identical ads are collapsed, the nearest of the rest found in several spaces, and united.

The joint space is the model's own. With every w_i <= 0, the logit b + sum_i w_i |h_l - h_r|_i falls with the L1
distance of z = |w| * h, so the nearest neighbours of z in L1 are the head's own best-scored pairs. The spaces of text,
of photos and of both (with the photos' backgrounds) do not depend on the model, and find pairs that it would lose.
"""
