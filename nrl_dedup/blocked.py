"""block(): the distinct ads of a catalogue, their embeddings, and the pairs of them that are worth scoring."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking import Candidates, collapse, search_spaces
from nrl_dedup.bundle import Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.embed import check_embeddings, embed_ads
from nrl_dedup.features.ads import AdFeatures
from nrl_dedup.model import SiameseModel
from nrl_dedup.prepared import Prepared
from nrl_dedup.progress import SILENT, Progress, StageClock

CANDIDATES = 100


@dataclass(frozen=True)
class Blocked:
    """The embeddings of a catalogue's distinct ads, and the pairs of them that are worth scoring.

    `rows`: the rows that were embedded: of identical ads the smallest, and none of an ad that has neither words nor a
    readable photo. `z`: their embeddings times |w|, whose L1 distances are the head's logits but for the bias; NaN of
    an ad that has nothing of what the model reads and knows, such as one of unknown words and no photo: it has the
    vector of every other such ad. `candidates`: pairs of positions in `rows`, and the neighbours of each of `rows` in
    every space.
    `identical`: `tables.CANDIDATE_PAIRS`, each ad that another stands for, with that other.
    `position`: where in `rows` each ad is, or the one that stands for it; -1 for ads that say nothing.
    """

    rows: Int64[np.ndarray, "distinct"]
    embeddings: Float32[np.ndarray, "distinct size"]
    z: Float32[np.ndarray, "distinct size"]
    candidates: Candidates
    identical: pl.DataFrame
    position: Int64[np.ndarray, "ads"]

    def finds(
        self, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Bool[np.ndarray, "pairs"]:
        """Whether blocking brings the two ads of each pair together: they are identical, or a candidate pair is made
        of the ads that stand for them."""
        ends = self._ends(rows_l, rows_r)
        return (ends[0] >= 0) & ((self.places(*ends) >= 0) | (ends[0] == ends[1]))

    def places(self, left: Int64[np.ndarray, "pairs"], right: Int64[np.ndarray, "pairs"]) -> Int64[np.ndarray, "pairs"]:
        """Where in `candidates.frame` each pair of positions is, in either order; -1 for one that is no candidate."""
        count, frame = len(self.rows), self.candidates.frame
        keys = frame["row_l"].to_numpy() * count + frame["row_r"].to_numpy()  # ascending, as the frame is ordered
        wanted = np.minimum(left, right) * count + np.maximum(left, right)
        at = np.searchsorted(keys, wanted)
        return np.where(np.append(keys, -1)[at] == wanted, at, -1)

    def identical_ends(
        self, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Bool[np.ndarray, "pairs"]:
        """Whether one ad stands for both ads of each pair."""
        ends = self._ends(rows_l, rows_r)
        return (ends[0] >= 0) & (ends[0] == ends[1])

    def finds_in(
        self, place: int, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Bool[np.ndarray, "pairs"]:
        """As `finds`, where the space at `place` of `candidates.spaces` were the only one."""
        ends, found = self._ends(rows_l, rows_r), self.identical_ends(rows_l, rows_r)
        there = ends[0] >= 0
        found[there] |= self.candidates.from_space(place, *ends[:, there])
        return found

    def _ends(
        self, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Int64[np.ndarray, "2 pairs"]:
        """The positions of the two ads of each pair, the smaller first."""
        return np.sort([self.position[rows_l], self.position[rows_r]], axis=0)


def block(
    catalogue: Catalogue,
    bundle: Bundle,
    prepared: Prepared,
    most: int = CANDIDATES,
    *,
    seed: int = 0,
    device: torch.device,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Blocked:
    """Collapse identical ads (same words, same photos), embed the rest, and find the candidate pairs among them.

    :param most: candidates an ad, on average (`search_spaces`).
    :raises NrlDedupError: what `search_spaces` and `check_embeddings` raise.
    """
    clock, features = clock or StageClock(), prepared.features
    with clock.stage("embedding"):
        digests = np.zeros(len(catalogue), np.uint64) if features.photos is None else features.photos.digests()
        groups = collapse(catalogue.frame, digests)
        something = (features.lengths() > 0) | features.has_image()
        rows = groups.representatives[something[groups.representatives]]
        embeddings = embed_ads(bundle.model, features, rows, device=device, progress=progress)
        check_embeddings(embeddings, bundle.folder)

        z = np.full(embeddings.shape, np.nan, np.float32)
        told = _telling(bundle.model, features)[rows]
        z[told] = _scaled(bundle.model, embeddings[told], device)
    candidates = search_spaces(
        z,
        catalogue.frame,
        features.photos,
        rows,
        most,
        sketches=prepared.sketches,
        device=device,
        seed=seed,
        clock=clock,
        progress=progress,
    )
    stars = groups.stars()
    identical = stars.filter(pl.Series(something[stars["row_r"].to_numpy()], dtype=pl.Boolean))
    position = np.full(len(catalogue), -1)
    position[rows] = np.arange(len(rows))
    position = position[groups.representatives[groups.group_of]]
    return Blocked(rows, embeddings, z, candidates, identical, position)


def _telling(model: SiameseModel, features: AdFeatures) -> Bool[np.ndarray, "ads"]:
    """Whether an ad has something of what the model reads: a word that it knows, or a readable photo."""
    words = features.tokens.has_known_word() & model.fusion.reads_words
    return words | (features.has_image() & model.fusion.reads_photos)


@torch.no_grad()
def _scaled(
    model: SiameseModel, embeddings: Float32[np.ndarray, "some size"], device: torch.device
) -> Float32[np.ndarray, "some size"]:
    return model.scaled(torch.from_numpy(embeddings).to(device)).cpu().numpy()
