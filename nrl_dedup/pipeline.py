"""link(): a catalogue becomes clusters of ads that describe the same thing.

Reads as the method's sentence: words and photos become features, features embeddings, embeddings candidate pairs,
candidate pairs scored pairs, scored pairs links and clusters.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32
from scipy.special import expit

from nrl_dedup.adaptation.adapted_scorer import make_adapting_scorer
from nrl_dedup.blocking.block import CANDIDATES_PER_AD, BlockingResult, block
from nrl_dedup.blocking.candidates import Candidates
from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.clustering import DEFAULT, clustering_method, find_clusters, method_across
from nrl_dedup.clustering.cohesion import cohesion_of
from nrl_dedup.config import DEFAULT_THRESHOLD
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.runtime.progress import SILENT, Progress, StageCost
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.score import Scorer, scorer_name
from nrl_dedup.tables import CatalogueRows, catalogue_ends, distinct_ends


@dataclass(frozen=True)
class LinkResult:
    """What `link` found. Rows are rows of the catalogue.

    `links`: tables.SCORED_PAIRS, candidates and copies at or above the threshold. `reasons`: of each link, what each
    group of evidence adds to the log-odds. `clusters`: tables.CLUSTERS. `identical`: how many ads are the same, letter
    for letter and byte for byte, as another. `chained`: cluster_row, size, mean_score of the clusters whose ads mostly
    do not match, found among the `looked_at` largest. `costs`: what each stage took.
    """

    links: pl.DataFrame
    reasons: pl.DataFrame
    clusters: pl.DataFrame
    features: CatalogueFeatures
    blocked: BlockingResult
    scorer: Scorer
    identical: int
    chained: pl.DataFrame
    looked_at: int
    costs: list[StageCost]

    @property
    def candidates(self) -> Candidates:
        return self.blocked.candidates

    def with_ids(self, catalogue: Catalogue) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The two output files: cluster_id, item_id, score; and item_id_l, item_id_r, score, with the reasons.

        Of a catalogue with sources, the first ends with `source`, and the second with source_l and source_r.
        """
        ids = catalogue.ids
        clusters = self.clusters.select(
            cluster_id=catalogue.names_of(self.clusters["cluster_row"]),
            item_id=ids.gather(self.clusters["row"]),
            score="score",
        )
        links = self.links.select(
            item_id_l=ids.gather(self.links["row_l"]),
            item_id_r=ids.gather(self.links["row_r"]),
            score="score",
        )
        links = links.hstack(self.reasons)
        source = catalogue.source
        if source is None:
            return clusters, links
        return (
            clusters.with_columns(source=source.gather(self.clusters["row"])),
            links.with_columns(
                source_l=source.gather(self.links["row_l"]),
                source_r=source.gather(self.links["row_r"]),
            ),
        )


def link(
    catalogue: Catalogue,
    bundle: Bundle,
    photo_folder: Path | None,
    run: Run,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    candidates_per_ad: int = CANDIDATES_PER_AD,
    scorer: str | None = None,
    adapt: bool | None = None,
    clustering: str = DEFAULT,
    one_to_one: bool = False,
    one_to_many: str | None = None,
    backbone_weights: Path | None = None,
) -> LinkResult:
    """Link the ads of `catalogue` that describe the same thing.

    Copies, the same in their texts, all photos and all columns that are compared, are scored as any other pair, though
    only with the one that represents them; the others of them are as near to each other. Ads that have neither a text
    nor a readable photo are linked to none. By the Siamese score, those that have nothing that the
    model reads and knows are linked to copies only.

    :param candidates_per_ad: on average (`block`).
    :param scorer: "evidence" or "siamese"; None: what `scorer_name` makes of it.
    :param adapt: whether the pair model is adapted to the catalogue; None: what `Bundle.adapts` says.
    :param clustering: a row of `clustering.METHODS`.
    :param one_to_one: of a catalogue with sources, clusters hold at most one ad of each (`matching.one_to_one`).
    :param one_to_many: the name of a source whose ads may have several partners each; those of other sources have one.
    :raises NrlDedupError: the photo network or the photo folder cannot be had, or `clustering` is unknown; what
        `method_across`, `block` and `scorer_name` raise.
    """
    method = clustering_method(clustering)
    if one_to_one or one_to_many is not None:
        sources = catalogue.source_numbers()
        method = method_across(sources, catalogue.source_names, one_to_many)
    by = scorer_name(scorer, bundle.pair_model, bundle.folder)
    features = bundle.extract(catalogue, photo_folder, run, backbone_weights)
    blocked = block(
        catalogue, features, bundle.model, run, candidates_per_ad, model_folder=bundle.folder
    )
    scores = make_adapting_scorer(
        by,
        catalogue,
        features,
        blocked,
        bundle.model,
        bundle.pair_model,
        run,
        adapts=bundle.adapts if adapt is None else adapt,
        trained_columns=bundle.data.compared,
    )

    with run.clock.stage("scoring"):
        scored = score_pairs(scores, blocked.candidates.frame, run.progress)
        identical = score_copies(scores, blocked)

    with run.clock.stage("clustering"):
        scored = blocked.ads.table_of_rows(scored)
        identical, apart = (
            identical.filter(pl.col("score") >= threshold),
            identical.filter(pl.col("score") < threshold),
        )
        scored = pl.concat(
            [scored, apart, links_of_copies(scored.filter(pl.col("score") >= threshold), apart)]
        )
        links = pl.concat([scored.filter(pl.col("score") >= threshold), identical]).sort(
            "row_l", "row_r"
        )
        clusters = find_clusters(method, scored, identical, len(catalogue), threshold)

        def score(row_l: CatalogueRows, row_r: CatalogueRows) -> Float32[np.ndarray, "pairs"]:
            left = blocked.ads.of_rows(row_l)
            right = blocked.ads.of_rows(row_r)
            return expit(scores.logits(left, right)).astype(np.float32)

        cohesion = cohesion_of(clusters, score, run.seed)
        chained = cohesion.filter(pl.col("mean_score") < threshold)
    with run.clock.stage("reasons"):
        reasons = reasons_of(scores, blocked, links)
    return LinkResult(
        links,
        reasons,
        clusters,
        features,
        blocked,
        scores,
        len(identical),
        chained,
        len(cohesion),
        run.clock.costs,
    )


def score_copies(scorer: Scorer, blocked: BlockingResult) -> pl.DataFrame:
    """`blocked.identical` with the score of an ad and its copy (SCORED_PAIRS): that of the ad and itself, once for each
    ad that has copies."""
    representative, _ = catalogue_ends(blocked.identical)
    ads, place = np.unique(blocked.ads.of_rows(representative), return_inverse=True)
    score = expit(scorer.logits(ads, ads))[place]
    return blocked.identical.with_columns(score=pl.Series(score, dtype=pl.Float32))


def score_pairs(scorer: Scorer, pairs: pl.DataFrame, progress: Progress = SILENT) -> pl.DataFrame:
    """`pairs` (tables.CANDIDATE_PAIRS) with `score` = expit(logit), f32, without those of which the scorer cannot tell
    anything."""
    left, right = distinct_ends(pairs)
    logits = scorer.logits(left, right, progress)
    is_scored = np.isfinite(logits)
    return pairs.filter(is_scored).with_columns(
        score=pl.Series(expit(logits[is_scored]), dtype=pl.Float32)
    )


def links_of_copies(links: pl.DataFrame, apart: pl.DataFrame) -> pl.DataFrame:
    """What links an ad links its copy: the same links for copies that are not linked with the ad itself.

    :param links: SCORED_PAIRS of ads that represent copies. :param apart: SCORED_PAIRS of ads (row_l) and copies
        (row_r) whose own score makes no link.
    """
    copies = apart.select("row_l", copy="row_r")
    every = links
    for end in ("row_l", "row_r"):
        of_copies = every.join(copies, left_on=end, right_on="row_l").with_columns(
            pl.col("copy").alias(end)
        )
        every = pl.concat([every, of_copies.select(links.columns)])
    ordered = every[len(links) :].with_columns(
        row_l=pl.min_horizontal("row_l", "row_r"), row_r=pl.max_horizontal("row_l", "row_r")
    )
    return ordered.select(links.columns)


def reasons_of(scorer: Scorer, blocked: BlockingResult, links: pl.DataFrame) -> pl.DataFrame:
    """A column for each group of evidence; a row for each link (tables.SCORED_PAIRS)."""
    row_l, row_r = catalogue_ends(links)
    left = blocked.ads.of_rows(row_l)
    right = blocked.ads.of_rows(row_r)
    found = scorer.contributions(left, right)
    return pl.DataFrame([pl.Series(name, values, pl.Float32) for name, values in found.items()])
