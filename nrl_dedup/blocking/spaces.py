"""Which spaces are searched, and how much of the cap each may take."""

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.both import both_space
from nrl_dedup.blocking.candidates import SURROUNDINGS, Candidates, joint_space, unite
from nrl_dedup.blocking.photos import photo_space
from nrl_dedup.blocking.text import read_texts, text_space
from nrl_dedup.features.ads import AdPhotos
from nrl_dedup.features.sketch_store import PhotoSketches
from nrl_dedup.progress import SILENT, Progress, StageClock

MAIN, JOINT, SIDE = 1, 3, 6


def search_spaces(
    z: Float32[np.ndarray, "ads size"],
    catalogue: pl.DataFrame,
    photos: AdPhotos | None,
    ads: Int64[np.ndarray, "ads"],
    most: int,
    *,
    sketches: PhotoSketches | None = None,
    device: torch.device,
    seed: int = 0,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Candidates:
    """The candidate pairs of some ads, as places in `ads`: the joint space and those that need no model, united.

    Steps, as `unite` has them: text and photos together 1, the joint space 3, text alone and photos alone 6. On real
    ads these keep the most duplicates, with networks trained with labels and without. Where ads lack words or photos,
    or too few have both to learn from, the joint space and what there is of text or photos have step 1. A list has
    `most` neighbours, of step 6 a sixth of that, but never fewer than the 10 by which nearness is judged.

    :param z: the embeddings of `ads`, scaled; NaN of those that the model cannot tell from others, which are in the
        other spaces alone. :param catalogue: title and description of all ads of the catalogue.
    :param photos: theirs; None where there are none. :param sketches: of these photos, if they were made.
    :raises NrlDedupError: what `joint_space` raises.
    """
    clock = clock or StageClock()
    long, short = max(most, SURROUNDINGS), max(-(-most // SIDE), SURROUNDINGS)
    with clock.stage("joint space"):
        told = ~np.isnan(z).any(axis=1)
        joint = joint_space(z[told], long, device=device, seed=seed, progress=progress)
        joint = joint.spread(np.flatnonzero(told), len(z))
    with clock.stage("texts"):
        texts = read_texts(catalogue[ads], progress)
    both = None
    if photos is not None:
        with clock.stage("text and photo space"):
            both = both_space(texts, photos, ads, long, sketches=sketches, device=device, seed=seed, progress=progress)
    found = [(joint, MAIN)] if both is None else [(joint, JOINT), (both, MAIN)]
    length, step = (long, MAIN) if both is None else (short, SIDE)
    if texts.counts.nnz:
        with clock.stage("text space"):
            found.append((text_space(texts, length, device=device, seed=seed, progress=progress), step))
    if photos is not None and (np.diff(photos.offsets)[ads] > 0).any():
        with clock.stage("photo space"):
            found.append((photo_space(photos, ads, length, device=device, seed=seed, progress=progress), step))
    with clock.stage("uniting"):
        return unite([space for space, _ in found], [step for _, step in found], most, progress)
