"""Which spaces are searched, and how much of the cap each may take."""

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.both import both_space
from nrl_dedup.blocking.candidates import SURROUNDINGS, Candidates, joint_space, unite
from nrl_dedup.blocking.photos import photo_space
from nrl_dedup.blocking.text import text_space, text_weights
from nrl_dedup.features.ads import AdPhotos
from nrl_dedup.progress import SILENT, Progress, StageClock

MAIN, SIDE = 1, 6


def search_spaces(
    z: Float32[np.ndarray, "ads size"],
    catalogue: pl.DataFrame,
    photos: AdPhotos | None,
    ads: Int64[np.ndarray, "ads"],
    most: int,
    *,
    device: torch.device,
    seed: int = 0,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Candidates:
    """The candidate pairs of some ads, as places in `ads`: the joint space and those that need no model, united.

    The joint space (step 1) shares the cap with the space of text and photos (step 1); text alone and photos alone give
    one ad where these give six (step 6), since most of what they find stands in the other two. Where ads lack
    words or photos, or too few have both to learn from, what there is of text and photos has step 1. `unite` says
    what a step is. Each list has `most` neighbours, or a sixth of that for step 6, but never fewer than 10, by which
    nearness is judged.

    :param z: the embeddings of `ads`, scaled. :param catalogue: title and description of all ads of the catalogue.
    :param photos: theirs; None where there are none.
    :raises NrlDedupError: what `joint_space` raises.
    """
    clock = clock or StageClock()
    long, short = max(most, SURROUNDINGS), max(-(-most // SIDE), SURROUNDINGS)
    with clock.stage("joint space"):
        spaces, steps = [joint_space(z, long, device=device, seed=seed, progress=progress)], [MAIN]
    with clock.stage("text and photo space"):
        weights = text_weights(catalogue[ads], progress)
        both = None
        if photos is not None:
            both = both_space(weights, photos, ads, long, device=device, seed=seed, progress=progress)
        if both is not None:
            spaces.append(both)
            steps.append(MAIN)
    step, length = (MAIN, long) if both is None else (SIDE, short)
    with clock.stage("text space"):
        if weights.nnz:
            spaces.append(text_space(weights, length, seed=seed, progress=progress))
            steps.append(step)
    with clock.stage("photo space"):
        if photos is not None and (np.diff(photos.offsets)[ads] > 0).any():
            spaces.append(photo_space(photos, ads, length, device=device, seed=seed, progress=progress))
            steps.append(step)
    with clock.stage("uniting"):
        return unite(spaces, steps, most, progress)
