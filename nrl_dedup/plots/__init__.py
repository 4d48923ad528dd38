"""The thesis's pictures (chapter 4) and a few more: arrays in, a matplotlib `Figure` out, and `save`.

Nothing here goes through pyplot or leaves a trace in matplotlib's global settings. Every picture can be read in print
and without colour: models differ in line, marker and hatch too.
"""

from nrl_dedup.plots.attention import AttendedPhoto, attention
from nrl_dedup.plots.calibration import calibration
from nrl_dedup.plots.feature_plane import feature_plane
from nrl_dedup.plots.history import history
from nrl_dedup.plots.lengths import ap_by_length, class_shares, unlike_lengths
from nrl_dedup.plots.precision_recall import precision_recall
from nrl_dedup.plots.saving import make_folder, save
from nrl_dedup.plots.style import Scores

__all__ = [
    "AttendedPhoto",
    "Scores",
    "ap_by_length",
    "attention",
    "calibration",
    "class_shares",
    "feature_plane",
    "history",
    "make_folder",
    "precision_recall",
    "save",
    "unlike_lengths",
]
