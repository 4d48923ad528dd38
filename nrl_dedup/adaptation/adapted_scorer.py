"""The scorer of a catalogue: the model as it is, or adapted to the catalogue."""

from collections.abc import Sequence

from nrl_dedup.adaptation.adapt import adapt, provisional_clusters
from nrl_dedup.blocking.block import BlockingResult
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.comparison.ad_profiles import AdProfiles, with_exchanged_words
from nrl_dedup.comparison.identifiers import IDENTIFIER_COLUMNS
from nrl_dedup.comparison.variants import VARIANT_COLUMNS
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.adapted_model import AdaptedModel
from nrl_dedup.scoring.match_curve import MatchShares
from nrl_dedup.scoring.pair_model import PairModel
from nrl_dedup.scoring.score import (
    SIAMESE,
    EvidenceScorer,
    PairwiseScores,
    Scorer,
    make_scorer,
    profiles_of,
    say_what_is_not_compared,
)
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks
from nrl_dedup.tables import distinct_ends


def make_adapting_scorer(
    name: str,
    catalogue: Catalogue,
    features: CatalogueFeatures,
    blocked: BlockingResult,
    network: SiameseModel,
    pair_model: PairModel | None,
    run: Run,
    *,
    adapts: bool,
    trained_columns: Sequence[str] = (),
    labelled: bool = False,
) -> Scorer:
    """As `make_scorer`; with `adapts`, its pair model is adapted to the catalogue where that promises to be better."""
    profiles = None
    if adapts and name != SIAMESE and pair_model is not None:
        with run.clock.stage("pair evidence"):
            profiles = profiles_of(catalogue, features, blocked)
        known, unknown = profiles.known_to(_known_columns(pair_model))
        with run.clock.stage("adapting"):
            known = with_exchanged_words(known, *distinct_ends(blocked.reference.frame))
            adapted = adapt(pair_model, known, blocked, run)
        if adapted is not None:
            say_what_is_not_compared(trained_columns, catalogue, unknown, run.progress)
            with run.clock.stage("first look"):
                return adapted_scorer(adapted, known, blocked, run)
    return make_scorer(
        name,
        catalogue,
        features,
        blocked,
        network,
        pair_model,
        run,
        trained_columns=trained_columns,
        labelled=labelled,
        profiles=profiles,
    )


def adapted_scorer(
    model: AdaptedModel, profiles: AdProfiles, blocked: BlockingResult, run: Run
) -> EvidenceScorer:
    """Scores with the adapted model, among all reference candidates of the catalogue."""
    compared, _ = profiles.known_to(model.columns)
    index = blocked.reference_index
    left, right = distinct_ends(index.frame)
    scores = score_pairs_in_chunks(model, compared, left, right, run.progress)
    cluster = provisional_clusters(left, right, scores, len(blocked.ads))
    shares = MatchShares.of(left, right, scores, cluster)
    return EvidenceScorer(model, compared, PairwiseScores(index, scores, shares))


def _known_columns(pair_model: PairModel) -> frozenset[str]:
    """The columns that the model reads, and those that are read in adapting it."""
    columns = pair_model.columns.union(IDENTIFIER_COLUMNS, VARIANT_COLUMNS)
    if pair_model.words is not None:
        columns = columns.union(pair_model.words.names)
    return columns
