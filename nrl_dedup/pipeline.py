"""link(): a catalogue becomes clusters of ads that describe the same thing.

Reads as the method's sentence: words and photos become features, features embeddings, embeddings candidate pairs,
candidate pairs scored pairs, scored pairs links and clusters.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking import Candidates, collapse, search_spaces
from nrl_dedup.bundle import Bundle
from nrl_dedup.catalogue import Catalogue
from nrl_dedup.clustering import DEFAULT, clustering_method, find_clusters
from nrl_dedup.clustering.chains import chaining
from nrl_dedup.config import TEXT_COLUMNS
from nrl_dedup.embed import embed_ads
from nrl_dedup.features.ads import AdFeatures, embedding_photos
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.store import compute_features
from nrl_dedup.features.text import FIRST_WORD, UNKNOWN, Words, encode, read_words
from nrl_dedup.metrics import sigmoid
from nrl_dedup.model import SiameseModel, image_shape, photo_kind
from nrl_dedup.progress import SILENT, Progress, StageClock, StageCost
from nrl_dedup.scoring import logits_of, score_pairs

CANDIDATES = 100


@dataclass(frozen=True)
class Prepared:
    """The features of a catalogue, as a bundle's model reads them."""

    words: Words
    features: AdFeatures
    unreadable: pl.DataFrame  # photo, reason
    photos_read: int
    unknown_share: float  # of the running words, those that the model's vocabulary lacks


def prepare(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    device: torch.device,
    backbone_weights: Path | None = None,
    clock: StageClock | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Words -> token ids, photos -> feature vectors (kept in `work_dir`; what is there already is not computed)."""
    clock = clock or StageClock()
    settings = bundle.settings
    with clock.stage("words"):
        columns = [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]]
        words = read_words(columns, settings.text.language, progress=progress)
        tokens = encode(words, bundle.vocabulary, settings.text.max_words)
    with clock.stage("photos"):
        photos = None
        unreadable = pl.DataFrame(schema={"photo": pl.String, "reason": pl.String})
        backbone = None if photo_folder is None else bundle.backbone(device, backbone_weights)
        if photo_folder is not None and backbone is not None:
            compute = partial(
                compute_features,
                folder=PhotoFolder(photo_folder),
                backbone=backbone,
                work_dir=work_dir,
                kind=photo_kind(settings),
                device=device,
                progress=progress,
            )
            photos = embedding_photos(catalogue.frame["photos"], settings.photos, compute)
            unreadable = photos.centre.unreadable
    known = tokens.values >= FIRST_WORD
    unknown = int((tokens.values == UNKNOWN).sum())
    return Prepared(
        words=words,
        features=AdFeatures(tokens, photos, image_shape(settings)),
        unreadable=unreadable,
        photos_read=0 if photos is None else len(photos.rows),
        unknown_share=unknown / max(1, unknown + int(known.sum())),
    )


@dataclass(frozen=True)
class Blocked:
    """The embeddings of a catalogue's distinct ads, and the pairs of them that are worth scoring.

    `rows`: the rows that were embedded: of identical ads the smallest, and none of an ad that has neither words nor a
    readable photo. `candidates`: pairs of positions in `rows`, none of an ad that the model cannot tell from others;
    and the neighbours of each of `rows` in every space.
    `identical`: `tables.CANDIDATE_PAIRS`, each ad that another stands for, with that other.
    `position`: where in `rows` each ad is, or the one that stands for it; -1 for ads that say nothing.
    """

    rows: Int64[np.ndarray, "distinct"]
    embeddings: Float32[np.ndarray, "distinct size"]
    candidates: Candidates
    identical: pl.DataFrame
    position: Int64[np.ndarray, "ads"]

    def finds(
        self, rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
    ) -> Bool[np.ndarray, "pairs"]:
        """Whether blocking brings the two ads of each pair together: they are identical, or a candidate pair is made
        of the ads that stand for them."""
        ends = self._ends(rows_l, rows_r)
        count, frame = len(self.rows), self.candidates.frame
        keys = frame["row_l"].to_numpy() * count + frame["row_r"].to_numpy()  # ascending, as the frame is ordered
        wanted = ends[0] * count + ends[1]
        at = np.searchsorted(keys, wanted)
        candidate = np.append(keys, -1)[at] == wanted
        return (ends[0] >= 0) & (candidate | (ends[0] == ends[1]))

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

    An ad that has nothing of what the model reads and knows, such as one of unknown words and no photo, has the vector
    of every other such ad. It is in no candidate pair: that they are the same is nothing that the model can tell.

    :raises NrlDedupError: what `search_spaces` raises.
    """
    clock, features = clock or StageClock(), prepared.features
    with clock.stage("embedding"):
        digests = np.zeros(len(catalogue), np.uint64) if features.photos is None else features.photos.digests()
        groups = collapse(catalogue.frame, digests)
        something = (features.lengths() > 0) | features.has_image()
        rows = groups.representatives[something[groups.representatives]]
        embeddings = embed_ads(bundle.model, features, rows, device=device, progress=progress)

    telling = np.flatnonzero(_telling(bundle.model, features)[rows])
    found = search_spaces(
        _scaled(bundle, embeddings[telling], device),
        catalogue.frame,
        features.photos,
        rows[telling],
        most,
        device=device,
        seed=seed,
        clock=clock,
        progress=progress,
    )
    candidates = found if len(telling) == len(rows) else found.spread(telling, len(rows))
    stars = groups.stars()
    identical = stars.filter(pl.Series(something[stars["row_r"].to_numpy()], dtype=pl.Boolean))
    position = np.full(len(catalogue), -1)
    position[rows] = np.arange(len(rows))
    position = position[groups.representatives[groups.group_of]]
    return Blocked(rows, embeddings, candidates, identical, position)


@dataclass(frozen=True)
class Linked:
    """What `link` found. Rows are rows of the catalogue."""

    links: pl.DataFrame  # tables.SCORED_PAIRS: candidates at or above the threshold, and identical ads
    clusters: pl.DataFrame  # tables.CLUSTERS
    prepared: Prepared
    candidates: Candidates
    identical: int  # ads that are the same, letter for letter and byte for byte, as another
    chained: pl.DataFrame  # cluster_row, size, mean_score of the clusters whose ads mostly do not match
    costs: list[StageCost]

    def with_ids(self, ids: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The two output files: cluster_id, item_id, score; and item_id_l, item_id_r, score."""
        clusters = self.clusters.select(
            cluster_id=ids.gather(self.clusters["cluster_row"]),
            item_id=ids.gather(self.clusters["row"]),
            score="score",
        )
        links = self.links.select(
            item_id_l=ids.gather(self.links["row_l"]),
            item_id_r=ids.gather(self.links["row_r"]),
            score="score",
        )
        return clusters, links


def link(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    threshold: float = 0.5,
    most: int = CANDIDATES,
    clustering: str = DEFAULT,
    seed: int = 0,
    device: torch.device,
    backbone_weights: Path | None = None,
    progress: Progress = SILENT,
) -> Linked:
    """Link the ads of `catalogue` that describe the same thing.

    Identical ads (same words, same photo) are linked without being searched for. Ads that have neither words nor a
    readable photo say nothing, and are linked to none; those that have nothing that the model reads and knows, to
    identical ones only.

    :param most: candidates an ad, on average (`block`).
    :param clustering: a row of `clustering.METHODS`.
    :raises NrlDedupError: the photo network or the photo folder cannot be had, or `clustering` is unknown; what
        `block` raises.
    """
    clock, model, method = StageClock(), bundle.model, clustering_method(clustering)
    prepared = prepare(
        catalogue,
        bundle,
        photo_folder,
        work_dir,
        device=device,
        backbone_weights=backbone_weights,
        clock=clock,
        progress=progress,
    )
    blocked = block(catalogue, bundle, prepared, most, seed=seed, device=device, clock=clock, progress=progress)

    with clock.stage("scoring"):
        scored = score_pairs(model, blocked.embeddings, blocked.candidates.frame, device=device, progress=progress)

    with clock.stage("clustering"):
        scored = _renumbered(scored, blocked.rows)
        position = blocked.position
        identical = blocked.identical.with_columns(score=pl.lit(model.identical_score(), pl.Float32))
        links = pl.concat([scored.filter(pl.col("score") >= threshold), identical]).sort("row_l", "row_r")
        clusters = find_clusters(method, scored, identical, len(catalogue), threshold)

        def score(
            rows_l: Int64[np.ndarray, "pairs"], rows_r: Int64[np.ndarray, "pairs"]
        ) -> Float32[np.ndarray, "pairs"]:
            logits = logits_of(model, blocked.embeddings, position[rows_l], position[rows_r], device=device)
            return sigmoid(logits).astype(np.float32)

        chained = chaining(clusters, score, seed).filter(pl.col("mean_score") < threshold)
    return Linked(links, clusters, prepared, blocked.candidates, len(identical), chained, clock.costs)


def _telling(model: SiameseModel, features: AdFeatures) -> Bool[np.ndarray, "ads"]:
    """Whether an ad has something of what the model reads: a word that it knows, or a readable photo."""
    words = features.tokens.has_known_word() & model.fusion.reads_words
    return words | (features.has_image() & model.fusion.reads_photos)


def _renumbered(pairs: pl.DataFrame, rows: Int64[np.ndarray, "some"]) -> pl.DataFrame:
    """Pairs of positions in `rows` as pairs of rows."""
    return pairs.with_columns(pl.Series(name, rows[pairs[name].to_numpy()]) for name in ("row_l", "row_r"))


@torch.no_grad()
def _scaled(bundle: Bundle, embeddings: Float32[np.ndarray, "ads size"], device: torch.device) -> np.ndarray:
    return bundle.model.scaled(torch.from_numpy(embeddings).to(device)).cpu().numpy()
