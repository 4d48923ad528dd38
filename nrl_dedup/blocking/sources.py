"""Which spaces are searched, and how much of the cap each may take."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.candidates import SURROUNDINGS, Candidates, joint_neighbours, unite
from nrl_dedup.blocking.cca_source import cca_neighbours
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.blocking.photo_source import photo_neighbours
from nrl_dedup.blocking.text_source import Texts, read_texts, text_neighbours
from nrl_dedup.features.network_inputs import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.runtime.progress import SILENT
from nrl_dedup.runtime.run import Run

MAIN, JOINT, SIDE = 1, 3, 6
# How many neighbours an ad has in the lists by which pairs are judged, whatever the number of candidates: those of 100
# candidates an ad, the default. With lists that follow it, the log-odds of a pair moved by 0.34 in the median between
# 10 candidates and 100.
LISTED = 100


@dataclass(frozen=True)
class SearchResult:
    """`candidates`: as many as were asked for. `reference`: those of `LISTED` an ad, of whose lists an ad's
    neighbourhood and competitors come; the same ones where so many were asked for."""

    candidates: Candidates
    reference: Candidates


def search_sources(
    z: Float32[np.ndarray, "ads size"],
    catalogue: pl.DataFrame,
    photos: AdPhotos | None,
    ads: Int64[np.ndarray, "ads"],
    candidates_per_ad: int,
    run: Run,
    *,
    sketches: PhotoDescriptors | None = None,
) -> SearchResult:
    """The candidate pairs of some ads, as places in `ads`: the joint space and those that need no model, united.

    Steps, as `unite` has them: text and photos together 1, the joint space 3, text alone and photos alone 6. On real
    ads these keep the most duplicates, with networks trained with labels and without. Where ads lack words or photos,
    or too few have both to learn from, the joint space and what there is of text or photos have step 1. A list has
    `LISTED` neighbours, of step 6 a sixth of that; where more candidates are asked for, it is searched for again, as
    long as they need.

    :param z: the embeddings of `ads`, scaled; NaN of those that the model cannot tell from others, which are in the
        other spaces alone. :param catalogue: title and description of all ads of the catalogue.
    :param photos: theirs; None where there are none. :param sketches: of these photos, if they were made.
    :raises NrlDedupError: what `joint_neighbours` raises.
    """
    with run.clock.stage("texts"):
        texts = read_texts(catalogue[ads], run.progress)
    spaces, steps = _search(z, texts, photos, ads, LISTED, sketches, run)
    with run.clock.stage("uniting"):
        reference = unite(
            spaces, steps, LISTED, run.progress if candidates_per_ad == LISTED else SILENT
        )
    if candidates_per_ad == LISTED:
        return SearchResult(reference, reference)
    if candidates_per_ad > LISTED:
        spaces, steps = _search(z, texts, photos, ads, candidates_per_ad, sketches, run)
    with run.clock.stage("uniting"):
        return SearchResult(unite(spaces, steps, candidates_per_ad, run.progress), reference)


def _search(
    z: Float32[np.ndarray, "ads size"],
    texts: Texts,
    photos: AdPhotos | None,
    ads: Int64[np.ndarray, "ads"],
    candidates_per_ad: int,
    sketches: PhotoDescriptors | None,
    run: Run,
) -> tuple[list[NeighbourLists], list[int]]:
    """The spaces, with lists for so many candidates an ad, and the step of each."""
    device, seed, progress = run.device, run.seed, run.progress
    long = candidates_per_ad
    short = max(-(-candidates_per_ad // SIDE), SURROUNDINGS)
    with run.clock.stage("joint space"):
        told = ~np.isnan(z).any(axis=1)
        joint = joint_neighbours(z[told], long, device=device, seed=seed, progress=progress)
        joint = joint.spread(np.flatnonzero(told), len(z))
    both = None
    if photos is not None:
        with run.clock.stage("text and photo space"):
            both = cca_neighbours(
                texts,
                photos,
                ads,
                long,
                sketches=sketches,
                device=device,
                seed=seed,
                progress=progress,
            )
    spaces, steps = ([joint], [MAIN]) if both is None else ([joint, both], [JOINT, MAIN])
    length, step = (long, MAIN) if both is None else (short, SIDE)
    if texts.counts.nnz:
        with run.clock.stage("text space"):
            spaces.append(
                text_neighbours(texts, length, device=device, seed=seed, progress=progress)
            )
            steps.append(step)
    if photos is not None and (np.diff(photos.offsets)[ads] > 0).any():
        with run.clock.stage("photo space"):
            spaces.append(
                photo_neighbours(photos, ads, length, device=device, seed=seed, progress=progress)
            )
            steps.append(step)
    return spaces, steps
