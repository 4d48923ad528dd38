"""block(): the distinct ads of a catalogue, their embeddings, and the pairs of them that are worth scoring."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.exact_duplicates import collapse
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


@dataclass(frozen=True)
class PairIndex:
    """Finds pairs of positions in a table of pairs. `frame`: `tables.CANDIDATE_PAIRS`, ordered by row_l, row_r."""

    frame: pl.DataFrame
    ads: int

    @cached_property
    def _keys(self) -> Int64[np.ndarray, "pairs_1"]:
        keys = self.frame["row_l"].to_numpy() * self.ads + self.frame["row_r"].to_numpy()
        return np.append(keys, np.iinfo(np.int64).max)

    def places(self, left: Positions, right: Positions) -> Positions:
        """Where in `frame` each pair is, in either order; -1 for one that is not there."""
        wanted = np.minimum(left, right) * self.ads + np.maximum(left, right)
        at = np.searchsorted(self._keys, wanted)
        return np.where(self._keys[at] == wanted, at, -1)


@dataclass(frozen=True)
class BlockingResult:
    """The embeddings of a catalogue's distinct ads, and the pairs of them that are worth scoring.

    `rows`: the distinct ads, as rows of the catalogue: of copies, which are the same in their texts, all their photos
    and all columns that are compared, the smallest; and none of an ad that has neither a text nor a readable photo.
    `z`: their embeddings times |w|, whose L1 distances are the head's logits but for the bias; NaN of an ad that has
    nothing of what the model reads and knows, such as one of unknown words and no photo: it has the vector of every
    other such ad. `candidates`: pairs of positions in `rows`. `reference`: candidates by lists of fixed length, of
    which the neighbourhood and the competitors of each of `rows` are taken.
    `identical`: `tables.CANDIDATE_PAIRS`, each copy, with the ad that stands for it.
    `position`: where in `rows` each ad is, or the one that stands for it; -1 for ads that say nothing.
    """

    rows: Int64[np.ndarray, "distinct"]
    embeddings: Float32[np.ndarray, "distinct size"]
    z: Float32[np.ndarray, "distinct size"]
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

    def finds(self, rows_l: Positions, rows_r: Positions) -> Bool[np.ndarray, "pairs"]:
        """Whether blocking brings the two ads of each pair together: they are identical, or a candidate pair is made
        of the ads that stand for them."""
        ends = self._ends(rows_l, rows_r)
        return (ends[0] >= 0) & ((self.candidate_index.places(*ends) >= 0) | (ends[0] == ends[1]))

    def identical_ends(self, rows_l: Positions, rows_r: Positions) -> Bool[np.ndarray, "pairs"]:
        """Whether one ad stands for both ads of each pair."""
        ends = self._ends(rows_l, rows_r)
        return (ends[0] >= 0) & (ends[0] == ends[1])

    def finds_in(
        self, place: int, rows_l: Positions, rows_r: Positions
    ) -> Bool[np.ndarray, "pairs"]:
        """As `finds`, where the space at `place` of `candidates.spaces` were the only one."""
        ends, found = self._ends(rows_l, rows_r), self.identical_ends(rows_l, rows_r)
        there = ends[0] >= 0
        found[there] |= self.candidates.from_space(place, *ends[:, there])
        return found

    def _ends(self, rows_l: Positions, rows_r: Positions) -> Int64[np.ndarray, "2 pairs"]:
        """The positions of the two ads of each pair, the smaller first."""
        return np.sort([self.position[rows_l], self.position[rows_r]], axis=0)


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
    inputs, photos = extracted.inputs, extracted.photos.photos
    with run.clock.stage("embedding"):
        digests = np.zeros(len(catalogue), np.uint64) if photos is None else photos.digests()
        something = has_text(catalogue.frame) | inputs.has_image()
        copies = collapse(catalogue.frame, digests, catalogue.further)
        rows = copies.representatives[something[copies.representatives]]
        distinct = catalogue.take(rows)
        alike = collapse(distinct.frame, digests[rows])
        searched = rows[alike.representatives]
        embeddings = embed_ads(network, inputs, searched, device=run.device, progress=run.progress)
        check_embeddings(embeddings, model_folder)

        z = np.full(embeddings.shape, np.nan, np.float32)
        told = _telling(network, inputs)[searched]
        z[told] = _scaled(network, embeddings[told], run.device)
    found = search_sources(
        z,
        catalogue.frame,
        photos,
        searched,
        candidates_per_ad,
        run,
        sketches=extracted.photos.sketches,
    )
    members = Members.of(
        alike.representatives, alike.group_of, comparable_columns(distinct.further)
    )
    candidates = found.candidates.of_members(members)
    reference = (
        candidates if found.reference is found.candidates else found.reference.of_members(members)
    )
    stars = copies.stars()
    identical = stars.filter(pl.Series(something[stars["row_r"].to_numpy()], dtype=pl.Boolean))
    position = np.full(len(catalogue), -1)
    position[rows] = np.arange(len(rows))
    position = position[copies.representatives[copies.group_of]]
    group = alike.group_of
    return BlockingResult(
        rows, embeddings[group], z[group], candidates, reference, identical, position
    )


def _telling(network: SiameseModel, inputs: NetworkInputs) -> Bool[np.ndarray, "ads"]:
    """Whether an ad has something of what the model reads: a word that it knows, or a readable photo."""
    words = inputs.tokens.has_known_word() & network.fusion.reads_words
    return words | (inputs.has_image() & network.fusion.reads_photos)


@torch.no_grad()
def _scaled(
    model: SiameseModel, embeddings: Float32[np.ndarray, "some size"], device: torch.device
) -> Float32[np.ndarray, "some size"]:
    return model.scaled(torch.from_numpy(embeddings).to(device)).cpu().numpy()
