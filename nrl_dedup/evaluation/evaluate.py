"""Labelled pairs -> the scores of one or several models, beside the baseline, and what blocking keeps of the pairs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64
from scipy.special import expit

from nrl_dedup.adaptation.adapted_scorer import make_adapting_scorer
from nrl_dedup.blocking.block import CANDIDATES_PER_AD, block
from nrl_dedup.bundle.load import Bundle
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import DEFAULT_THRESHOLD
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.blocking_quality import BlockingQuality, blocking_quality
from nrl_dedup.features.extract import CatalogueFeatures
from nrl_dedup.features.photos.backbones import weights_fingerprint
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.baseline import baseline_features
from nrl_dedup.scoring.score import (
    EVIDENCE,
    EvidenceScorer,
    logits_of_rows,
    scorer_name,
)
from nrl_dedup.scoring.siamese import pair_logits
from nrl_dedup.tables import catalogue_ends

BASELINE = "baseline"


@dataclass(frozen=True)
class Contender:
    """A bundle that is evaluated, its name in all tables (`names_of`), the folder of the photos that it sees, and the
    file of its photo network, if one was named (`weights_of`)."""

    name: str
    bundle: Bundle
    photo_folder: Path | None
    backbone_weights: Path | None = None


@dataclass(frozen=True)
class Evaluation:
    """Labelled pairs, and what each model makes of them.

    `pairs`: row_l, row_r (rows of `catalogue`, which holds the ads that were needed), is_duplicate, weight, in the
    order in which they were given. `logits`: by name, the models in their order, then the baseline. `features`, and
    `blocking` where that was asked for: by name, the models only.
    """

    catalogue: Catalogue
    pairs: pl.DataFrame
    logits: dict[str, Float64[np.ndarray, "pairs"]]
    features: dict[str, CatalogueFeatures]
    blocking: dict[str, BlockingQuality]
    threshold: float

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, without the baseline."""
        return tuple(self.features)

    def ends(self, of_ad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What `of_ad` has for the left and the right ad of each pair."""
        row_l, row_r = catalogue_ends(self.pairs)
        return of_ad[row_l], of_ad[row_r]

    def description_words(self) -> Int64[np.ndarray, "ads"]:
        """The words of each ad's description, cleaned as the first model wants them."""
        words = next(iter(self.features.values())).words
        # The description is the last column that is read.
        return words.lengths[:, -1].astype(np.int64)

    def has_words(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has words in a column that the first model reads."""
        return np.diff(next(iter(self.features.values())).words.offsets) > 0

    def has_photo(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has a photo that one of the models could read."""
        return np.any([features.inputs.has_image() for features in self.features.values()], axis=0)

    def scores(self) -> pl.DataFrame:
        """item_id_l, item_id_r, is_duplicate (0 or 1), score, in the order of the pairs; with several models one
        after the other, and a column `model`; of ads with sources, source_l and source_r in the end. The baseline is
        left out."""
        ids = self.catalogue.ids
        pairs = self.pairs.select(
            item_id_l=ids.gather(self.pairs["row_l"]),
            item_id_r=ids.gather(self.pairs["row_r"]),
            is_duplicate=pl.col("is_duplicate").cast(pl.Int8),
        )
        scored = [
            pairs.with_columns(
                score=pl.Series(expit(self.logits[name]), dtype=pl.Float32),
                model=pl.lit(name, pl.String),
            )
            for name in self.models
        ]
        table = pl.concat(scored) if len(scored) > 1 else scored[0].drop("model")
        source = self.catalogue.source
        if source is None:
            return table
        rows = pl.concat([self.pairs.select("row_l", "row_r")] * len(scored))
        return table.with_columns(
            source_l=source.gather(rows["row_l"]), source_r=source.gather(rows["row_r"])
        )


def evaluate(
    catalogue: Catalogue,
    pairs: pl.DataFrame,
    contenders: Sequence[Contender],
    run: Run,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    scorer: str | None = None,
    adapt: bool | None = None,
    candidates_per_ad: int = CANDIDATES_PER_AD,
    blocking: bool = False,
) -> Evaluation:
    """Score `pairs` with each model, through the code that `link` uses, and with the first bundle's baseline.

    Pair evidence is calibrated to labelled pairs here, to candidates in `link`: the order is the same.

    :param pairs: row_l, row_r (rows of `catalogue`), is_duplicate, weight. Pair evidence looks at all ads of the
        catalogue, among which it judges a pair; the Siamese score alone at those of the pairs, unless `blocking` is
        asked for.
    :param scorer, adapt: as in `pipeline.link`.
    :param candidates_per_ad: on average. :param blocking: whether to judge blocking over the whole catalogue.
    :raises NrlDedupError: a photo network or a photo folder cannot be had; what `block` and `scorer_name` raise.
    """
    scorers = [scorer_name(scorer, one.bundle.pair_model, one.bundle.folder) for one in contenders]
    rows = np.arange(len(catalogue))
    whole_l, whole_r = catalogue_ends(pairs)
    if not blocking and EVIDENCE not in scorers:
        rows = np.unique(np.concatenate([whole_l, whole_r]))
    part = catalogue.take(rows)
    # From here on rows are those of the part.
    row_l = np.searchsorted(rows, whole_l)
    row_r = np.searchsorted(rows, whole_r)
    local = pairs.with_columns(row_l=pl.Series(row_l), row_r=pl.Series(row_r))
    logits, features, kept = {}, {}, {}
    for contender, by in zip(contenders, scorers, strict=True):
        name, bundle = contender.name, contender.bundle
        features[name] = bundle.extract(
            part, contender.photo_folder, run, contender.backbone_weights
        )
        if blocking or by == EVIDENCE:
            blocked = block(
                part,
                features[name],
                bundle.model,
                run,
                candidates_per_ad,
                model_folder=bundle.folder,
            )
        if by == EVIDENCE:
            scores = make_adapting_scorer(
                by,
                part,
                features[name],
                blocked,
                bundle.model,
                bundle.pair_model,
                run,
                adapts=bundle.adapts if adapt is None else adapt,
                trained_columns=bundle.data.compared,
                labelled=True,
            )
            assert isinstance(scores, EvidenceScorer)
            logits[name] = logits_of_rows(scores, blocked.ads, row_l, row_r, run.progress)
        else:
            logits[name] = pair_logits(
                bundle.model, features[name].inputs, local, run.device, run.progress
            )
            if not np.isfinite(logits[name]).all():
                raise NrlDedupError(
                    f"{name}: its network gives scores that are no numbers. Train it anew."
                )
        if blocking:
            labels = pairs["is_duplicate"].to_numpy()
            kept[name] = blocking_quality(
                blocked, candidates_per_ad, row_l, row_r, labels, logits[name]
            )
    first = contenders[0]
    seen = features[first.name]
    logits[BASELINE] = first.bundle.baseline.logits(
        baseline_features(seen.words, seen.inputs.photos, row_l, row_r)
    )
    return Evaluation(part, local, logits, features, kept, threshold)


def names_of(folders: Sequence[Path]) -> list[str]:
    """What each bundle is called in tables: its folder's name, or `parent/name` and so on where that is not enough to
    distinguish it from another one or from the baseline.

    :raises NrlDedupError: a folder is named twice.
    """
    whole = [folder.resolve() for folder in folders]
    for folder, times in Counter(whole).items():
        if times > 1:
            raise NrlDedupError(
                f"--model {folder}: this bundle is named {times} times. Name each one once."
            )
    depth = [1] * len(whole)
    while True:
        names = [
            str(Path(*folder.parts[-parts:])) for folder, parts in zip(whole, depth, strict=True)
        ]
        count = Counter([*names, BASELINE])
        if max(count.values()) == 1:
            return names
        depth = [parts + (count[name] > 1) for parts, name in zip(depth, names, strict=True)]


def weights_of(bundles: Mapping[str, Bundle], weights: Path) -> list[Path | None]:
    """The file for each bundle that was trained on the photo network in it; None for the others.

    :param bundles: by name.
    :raises NrlDedupError: it is the photo network of none of them, or cannot be read.
    """
    network = {name: bundle.settings.photos.backbone for name, bundle in bundles.items()}
    in_file = {one: weights_fingerprint(one, weights) for one in set(network.values())}
    wanted = {name: bundle.backbone_fingerprint for name, bundle in bundles.items()}
    fits = [wanted[name] is not None and wanted[name] == in_file[network[name]] for name in bundles]
    if not any(fits):
        trained_on = ", ".join(
            f"{name} on {network[name]} weights {of[:12]}" if of else f"{name} without photos"
            for name, of in wanted.items()
        )
        raise NrlDedupError(
            f"--backbone-weights {weights}: none of the models was trained on these weights ({trained_on}). Name those "
            "of one of them, or leave the option out."
        )
    return [weights if fitting else None for fitting in fits]
