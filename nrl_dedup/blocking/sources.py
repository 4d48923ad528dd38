"""The candidate sources: which there are, when each applies, and how much of the cap it takes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.blocking.candidates import MAX_NEIGHBOURHOOD, Candidates, unite
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.blocking.search_inputs import SearchInputs
from nrl_dedup.blocking.search_spaces import (
    JointSpace,
    PhotoSpace,
    SearchSpace,
    TextAndPhotoSpace,
    TextSpace,
)
from nrl_dedup.blocking.text_source import read_texts
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors
from nrl_dedup.runtime.progress import SILENT
from nrl_dedup.runtime.run import Run

# Neighbours in the lists from which an ad's neighbourhood and competitors are taken, whatever `candidates_per_ad` is:
# those of the default of 100. With lists that follow it, the log-odds of a pair moved by 0.34 in the median between 10
# candidates and 100.
REFERENCE_CANDIDATES = 100

# A source of step s gives one candidate where one of step 1 gives s (`unite`). On real ads these steps keep the most
# duplicates, with networks trained with labels and without.
MAIN_STEP = 1
JOINT_STEP = 3
SIDE_STEP = 6

Fit = Callable[[SearchInputs, int], SearchSpace | None]


@dataclass(frozen=True)
class CandidateSource:
    """One sense of nearness in which candidates are searched for.

    `name`: of its stage in the timings. `fit`: of the inputs and the seed, the space to search in; None if there is too
    little to learn from. `applies`: whether there is anything to search by.
    `step`: it gives one candidate where a source of step 1 gives `step`. `list_step`: its lists have
    1 / `list_step` of the neighbours that a full list has.
    """

    name: str
    fit: Fit
    applies: Callable[[SearchInputs], bool]
    step: int
    list_step: int


def _always(inputs: SearchInputs) -> bool:
    return True


def _catalogue_has_photos(inputs: SearchInputs) -> bool:
    return inputs.photos is not None


# In the order in which they are searched. The source of `MAIN_STEP` precedes those with short lists: without it, theirs
# are full too. The joint space always has full lists: when it is searched, it is not known yet whether it is a main
# source.
SOURCES = (
    CandidateSource(
        name="joint space",
        fit=JointSpace.fit,
        applies=_always,
        step=JOINT_STEP,
        list_step=MAIN_STEP,
    ),
    CandidateSource(
        name="text and photo space",
        fit=TextAndPhotoSpace.fit,
        applies=_catalogue_has_photos,
        step=MAIN_STEP,
        list_step=MAIN_STEP,
    ),
    CandidateSource(
        name="text space",
        fit=TextSpace.fit,
        applies=SearchInputs.has_words,
        step=SIDE_STEP,
        list_step=SIDE_STEP,
    ),
    CandidateSource(
        name="photo space",
        fit=PhotoSpace.fit,
        applies=SearchInputs.has_photos,
        step=SIDE_STEP,
        list_step=SIDE_STEP,
    ),
)


FittedSpaces = dict[str, SearchSpace | None]
"""By the name of the source."""


@dataclass(frozen=True)
class SearchResult:
    """`candidates`: as many as were asked for. `reference`: those of `REFERENCE_CANDIDATES` per ad, whose lists give an
    ad's neighbourhood and competitors; the same object if so many were asked for."""

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
    source_of: Int64[np.ndarray, "ads"] | None = None,
) -> SearchResult:
    """The candidate pairs of some ads, as places in `ads`: those of all `SOURCES` that apply, united.

    Where ads lack words or photos, or too few have both to learn from, all sources have step 1. A full list has
    `REFERENCE_CANDIDATES` neighbours; if more candidates are asked for, a second search gives longer lists.

    :param z: the embeddings of `ads`, scaled; NaN of those that the model cannot tell from others, which are in the
        other spaces alone. :param catalogue: title and description of all ads of the catalogue.
    :param photos: theirs; None where there are none. :param sketches: of these photos, if they were made.
    :param source_of: the number of the source of each of `ads`: candidates are of two sources. None: of any ads.
    :raises NrlDedupError: what `joint_neighbours` raises.
    """
    with run.clock.stage("texts"):
        texts = read_texts(catalogue[ads], run.progress)
    inputs = SearchInputs(ads, z, texts, photos, sketches, source_of)
    is_reference = candidates_per_ad == REFERENCE_CANDIDATES
    fitted: FittedSpaces = {}
    spaces, steps = _search(fitted, inputs, REFERENCE_CANDIDATES, run)
    with run.clock.stage("uniting"):
        progress = run.progress if is_reference else SILENT
        reference = unite(spaces, steps, REFERENCE_CANDIDATES, progress)
    if is_reference:
        return SearchResult(reference, reference)
    if candidates_per_ad > REFERENCE_CANDIDATES:
        spaces, steps = _search(fitted, inputs, candidates_per_ad, run)
    with run.clock.stage("uniting"):
        candidates = unite(spaces, steps, candidates_per_ad, run.progress)
    return SearchResult(candidates, reference)


def _search(
    fitted: FittedSpaces, inputs: SearchInputs, full_length: int, run: Run
) -> tuple[list[NeighbourLists], list[int]]:
    """The lists of the sources that apply, full ones with `full_length` neighbours, and the step of each source.

    :param fitted: what is missing is fitted and added, so that a second search finds it.
    """
    spaces: list[NeighbourLists] = []
    steps: list[int] = []
    for source in SOURCES:
        if not source.applies(inputs):
            continue
        list_length = full_length
        if source.list_step > 1 and MAIN_STEP in steps:
            shortened = -(-full_length // source.list_step)  # rounded up
            list_length = max(shortened, MAX_NEIGHBOURHOOD)
        with run.clock.stage(source.name):
            if source.name not in fitted:
                fitted[source.name] = source.fit(inputs, run.seed)
            space = fitted[source.name]
            if space is None:
                continue
            found = space.search(inputs, list_length, run)
        spaces.append(found)
        steps.append(source.step)
    if MAIN_STEP not in steps:
        steps = [MAIN_STEP] * len(spaces)
    return spaces, steps
