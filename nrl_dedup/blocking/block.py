"""block(): the distinct ads of a catalogue, their embeddings, and the pairs of them that are worth scoring."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.blocking.distinct_ads import DistinctAds
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
from nrl_dedup.tables import CatalogueRows, DistinctRows, catalogue_ends, distinct_ends

# Candidates of an ad, on average, unless the user asks for others: as many as `sources.REFERENCE_CANDIDATES`, so that
# one search serves for both.
CANDIDATES_PER_AD = 100

PairMask = Bool[np.ndarray, "pairs"]
AdMask = Bool[np.ndarray, "ads"]
Vectors = Float32[np.ndarray, "distinct size"]


@dataclass(frozen=True)
class PairIndex:
    """Finds pairs of distinct ads in a table of them. `frame`: `tables.CANDIDATE_PAIRS`, ordered."""

    frame: pl.DataFrame
    ads: int

    @cached_property
    def _keys(self) -> Int64[np.ndarray, "pairs_1"]:
        """A number for each pair, ascending, and a last one that no pair has."""
        left, right = distinct_ends(self.frame)
        keys = left * self.ads + right
        return np.append(keys, np.iinfo(np.int64).max)

    def places(self, left: DistinctRows, right: DistinctRows) -> Int64[np.ndarray, "pairs"]:
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

    `ads`: which ads these are, and their rows in the catalogue.
    `z`: their embeddings times |w|, whose L1 distances are the head's logits but for the bias; NaN of an ad that has
    nothing of what the model reads and knows, such as one of unknown words and no photo: it has the vector of every
    other such ad. `candidates`: pairs of distinct ads. `reference`: candidates by lists of fixed length, of which the
    neighbourhood and the competitors of each distinct ad are taken.
    `identical`: `tables.IDENTICAL_PAIRS`, each copy, with the ad that represents it. `source_of`: the number of the
    source of each distinct ad, where candidates are pairs of two sources: then there are no copies, and no ad of its
    own source is among an ad's neighbours; None: ads have no sources.
    """

    ads: DistinctAds
    embeddings: Vectors
    z: Vectors
    candidates: Candidates
    reference: Candidates
    identical: pl.DataFrame
    source_of: DistinctRows | None = None

    @cached_property
    def candidate_index(self) -> PairIndex:
        return PairIndex(self.candidates.frame, len(self.ads))

    @cached_property
    def reference_index(self) -> PairIndex:
        return PairIndex(self.reference.frame, len(self.ads))

    def finds(self, row_l: CatalogueRows, row_r: CatalogueRows) -> PairMask:
        """Whether blocking brings the two ads of each pair together: they are identical, or a candidate pair is made
        of the ads that represent them."""
        pairs = self.ads.pairs(row_l, row_r)
        is_candidate = self.candidate_index.places(pairs.distinct_l, pairs.distinct_r) >= 0
        is_identical = pairs.distinct_l == pairs.distinct_r
        return pairs.spread(is_candidate | is_identical)

    def identical_ends(self, row_l: CatalogueRows, row_r: CatalogueRows) -> PairMask:
        """Whether one ad represents both ads of each pair."""
        pairs = self.ads.pairs(row_l, row_r)
        return pairs.spread(pairs.distinct_l == pairs.distinct_r)

    def finds_in(self, place: int, row_l: CatalogueRows, row_r: CatalogueRows) -> PairMask:
        """As `finds`, if the space at `place` of `candidates.spaces` were the only one."""
        pairs = self.ads.pairs(row_l, row_r)
        is_candidate = self.candidates.from_space(place, pairs.distinct_l, pairs.distinct_r)
        is_identical = pairs.distinct_l == pairs.distinct_r
        return pairs.spread(is_candidate | is_identical)


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

    Of a catalogue with sources, candidates are pairs of two sources: nothing is left out as a copy, and only ads of one
    source are searched for as one.

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
        has_sources = catalogue.source is not None
        if has_sources:
            copies = Groups.of_one_each(len(catalogue))
        else:
            copies = collapse(catalogue.frame, digests, catalogue.further)
        ads = DistinctAds.of(copies, is_usable)
        distinct = catalogue.take(ads.rows)
        source = None if distinct.source is None else distinct.source.to_frame()
        alike = collapse(distinct.frame, digests[ads.rows], source)
        searched = ads.to_rows(alike.representatives)
        embeddings = embed_ads(network, inputs, searched, device=run.device, progress=run.progress)
        check_embeddings(embeddings, model_folder)

        z = np.full(embeddings.shape, np.nan, np.float32)
        has_known_input = _has_known_input(network, inputs)[searched]
        z[has_known_input] = _scaled(network, embeddings[has_known_input], run.device)
    source_of = distinct.source_numbers()
    found = search_sources(
        z,
        extracted.texts,
        photos,
        searched,
        candidates_per_ad,
        run,
        sketches=extracted.photos.sketches,
        source_of=None if source_of is None else source_of[alike.representatives],
    )
    columns = comparable_columns(distinct.further)
    members = Members.of(alike.representatives, alike.group_of, columns, across_sources=has_sources)
    candidates = found.candidates.of_members(members)
    reference = candidates
    if found.reference is not found.candidates:
        reference = found.reference.of_members(members)
    group = alike.group_of
    return BlockingResult(
        ads=ads,
        embeddings=embeddings[group],
        z=z[group],
        candidates=candidates,
        reference=reference,
        identical=_identical(copies, is_usable),
        source_of=source_of,
    )


def _identical(copies: Groups, is_usable: AdMask) -> pl.DataFrame:
    pairs = copies.copy_pairs()
    _, copy = catalogue_ends(pairs)
    usable = pl.Series(is_usable[copy], dtype=pl.Boolean)
    return pairs.filter(usable)


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
