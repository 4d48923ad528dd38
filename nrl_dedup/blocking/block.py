"""block(): the distinct ads of a catalogue, their embeddings, and the pairs of them that are worth scoring."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.exact_duplicates import Groups, collapse
from nrl_dedup.blocking.group_members import Members
from nrl_dedup.blocking.sources import search_sources
from nrl_dedup.catalogue.cells.comparable_columns import comparable_columns
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.embedding.embed import check_embeddings, embed_ads
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.features.text.vocabulary import has_text
from nrl_dedup.runtime.run import Run

# Candidates of an ad, on average, unless the user asks for others: as many as `sources.REFERENCE_CANDIDATES`, so that
# one search serves for both.
CANDIDATES_PER_AD = 100

Positions = Int64[np.ndarray, "pairs"]
PairMask = Bool[np.ndarray, "pairs"]
AdMask = Bool[np.ndarray, "ads"]
Vectors = Float32[np.ndarray, "distinct size"]


@dataclass(frozen=True)
class PairIndex:
    """Finds pairs of positions in a table of pairs. `frame`: `tables.CANDIDATE_PAIRS`, ordered by row_l, row_r."""

    frame: pl.DataFrame
    ads: int

    @cached_property
    def _keys(self) -> Int64[np.ndarray, "pairs_1"]:
        """A number for each pair, ascending, and a last one that no pair has."""
        left = self.frame["row_l"].to_numpy()
        right = self.frame["row_r"].to_numpy()
        keys = left * self.ads + right
        return np.append(keys, np.iinfo(np.int64).max)

    def places(self, left: Positions, right: Positions) -> Positions:
        """Where in `frame` each pair is, in either order; -1 for one that is not there."""
        smaller = np.minimum(left, right)
        larger = np.maximum(left, right)
        key = smaller * self.ads + larger
        at = np.searchsorted(self._keys, key)
        is_there = self._keys[at] == key
        return np.where(is_there, at, -1)


@dataclass(frozen=True)
class BlockingResult:
    """The embeddings of a catalogue's distinct ads, and the pairs of them that are worth scoring.

    `rows`: the distinct ads, as rows of the catalogue. Copies are equal in their texts, all their photos and all
    columns that are compared; the one of the smallest row represents them. Ads with neither a text nor a readable photo
    are left out.
    `z`: their embeddings times |w|, whose L1 distances are the head's logits but for the bias; NaN of an ad that has
    nothing of what the model reads and knows, such as one of unknown words and no photo: it has the vector of every
    other such ad. `candidates`: pairs of positions in `rows`. `reference`: candidates by lists of fixed length, of
    which the neighbourhood and the competitors of each of `rows` are taken.
    `identical`: `tables.CANDIDATE_PAIRS`, each copy, with the ad that represents it.
    `position`: where in `rows` each ad is, or the one that represents it; -1 for ads with neither text nor photo.
    """

    rows: Int64[np.ndarray, "distinct"]
    embeddings: Vectors
    z: Vectors
    candidates: Candidates
    reference: Candidates
    identical: pl.DataFrame
    position: Int64[np.ndarray, "ads"]

    @cached_property
    def candidate_index(self) -> PairIndex:
        return PairIndex(self.candidates.frame, len(self.rows))

    @cached_property
    def reference_index(self) -> PairIndex:
        return PairIndex(self.reference.frame, len(self.rows))

    def finds(self, rows_l: Positions, rows_r: Positions) -> PairMask:
        """Whether blocking brings the two ads of each pair together: they are identical, or a candidate pair is made
        of the ads that represent them."""
        smaller, larger = self._ends(rows_l, rows_r)
        is_candidate = self.candidate_index.places(smaller, larger) >= 0
        is_identical = smaller == larger
        return (smaller >= 0) & (is_candidate | is_identical)

    def identical_ends(self, rows_l: Positions, rows_r: Positions) -> PairMask:
        """Whether one ad represents both ads of each pair."""
        smaller, larger = self._ends(rows_l, rows_r)
        return (smaller >= 0) & (smaller == larger)

    def finds_in(self, place: int, rows_l: Positions, rows_r: Positions) -> PairMask:
        """As `finds`, if the space at `place` of `candidates.spaces` were the only one."""
        smaller, larger = self._ends(rows_l, rows_r)
        there = smaller >= 0
        found = self.identical_ends(rows_l, rows_r)
        found[there] |= self.candidates.from_space(place, smaller[there], larger[there])
        return found

    def _ends(self, rows_l: Positions, rows_r: Positions) -> Int64[np.ndarray, "2 pairs"]:
        """The positions of the two ads of each pair, the smaller first."""
        left = self.position[rows_l]
        right = self.position[rows_r]
        return np.sort([left, right], axis=0)


def block(
    catalogue: Catalogue,
    extracted: CatalogueFeatures,
    network: SiameseModel,
    run: Run,
    candidates_per_ad: int = CANDIDATES_PER_AD,
    *,
    model_folder: Path | None = None,
) -> BlockingResult:
    """Leave out copies, search for ads of the same texts and photos as one, and find the candidate pairs of them all.

    :param candidates_per_ad: on average (`search_sources`); members of a group of equal texts and photos have
        their pairs with one another beside these (`Members`).
    :param model_folder: the folder of the network, for messages.
    :raises NrlDedupError: what `search_sources` and `check_embeddings` raise.
    """
    inputs = extracted.inputs
    photos = extracted.photos.photos
    with run.clock.stage("embedding"):
        digests = np.zeros(len(catalogue), np.uint64)  # without photos
        if photos is not None:
            digests = photos.digests()
        is_usable = has_text(catalogue.frame) | inputs.has_image()
        copies = collapse(catalogue.frame, digests, catalogue.further)
        usable = is_usable[copies.representatives]
        rows = copies.representatives[usable]
        distinct = catalogue.take(rows)
        alike = collapse(distinct.frame, digests[rows])
        searched = rows[alike.representatives]
        embeddings = embed_ads(network, inputs, searched, device=run.device, progress=run.progress)
        check_embeddings(embeddings, model_folder)

        z = np.full(embeddings.shape, np.nan, np.float32)
        has_known_input = _has_known_input(network, inputs)[searched]
        z[has_known_input] = _scaled(network, embeddings[has_known_input], run.device)
    found = search_sources(
        z,
        catalogue.frame,
        photos,
        searched,
        candidates_per_ad,
        run,
        sketches=extracted.photos.sketches,
    )
    columns = comparable_columns(distinct.further)
    members = Members.of(alike.representatives, alike.group_of, columns)
    candidates = found.candidates.of_members(members)
    reference = candidates
    if found.reference is not found.candidates:
        reference = found.reference.of_members(members)
    group = alike.group_of
    return BlockingResult(
        rows=rows,
        embeddings=embeddings[group],
        z=z[group],
        candidates=candidates,
        reference=reference,
        identical=_identical(copies, is_usable),
        position=_positions(copies, rows),
    )


def _identical(copies: Groups, is_usable: AdMask) -> pl.DataFrame:
    pairs = copies.copy_pairs()
    copy = pairs["row_r"].to_numpy()
    usable = pl.Series(is_usable[copy], dtype=pl.Boolean)
    return pairs.filter(usable)


def _positions(copies: Groups, rows: Int64[np.ndarray, "distinct"]) -> Int64[np.ndarray, "ads"]:
    """Where in `rows` the representative of each ad is; -1 where it is not there."""
    position = np.full(len(copies.group_of), -1)
    position[rows] = np.arange(len(rows))
    representative = copies.representatives[copies.group_of]
    return position[representative]


def _has_known_input(network: SiameseModel, inputs: NetworkInputs) -> AdMask:
    """Whether an ad has something of what the model reads: a word that it knows, or a readable photo."""
    has_word = inputs.tokens.has_known_word() & network.fusion.reads_words
    has_photo = inputs.has_image() & network.fusion.reads_photos
    return has_word | has_photo


@torch.no_grad()
def _scaled(
    model: SiameseModel, embeddings: Float32[np.ndarray, "some size"], device: torch.device
) -> Float32[np.ndarray, "some size"]:
    on_device = torch.from_numpy(embeddings).to(device)
    return model.scaled(on_device).cpu().numpy()
