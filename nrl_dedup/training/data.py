"""A catalogue, and labelled pairs of it if there are any -> what every training over them shares: features, split, word
vectors, baseline."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from nrl_dedup.bundle.load import DataSource
from nrl_dedup.catalogue.fingerprint import fingerprint
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.catalogue.splits import SPLIT, Split, published_split, split_pairs
from nrl_dedup.config import Settings
from nrl_dedup.embedding.fusion import fusion_module
from nrl_dedup.embedding.network import photo_kind
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.extract import network_inputs
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.text.vocabulary import Vocabulary
from nrl_dedup.features.text.word_vectors import learn_vectors, read_fasttext
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.baseline import Baseline, baseline_features, fit_baseline, unfitted_baseline
from nrl_dedup.tables import catalogue_ends
from nrl_dedup.training.ad_selection import ads_of_pairs, complete_pairs, some_ads
from nrl_dedup.training.seen_ads import (
    TrainingAds,
    TrainingFiles,
    check_before_the_work,
    read_training_ads,
)

MIN_ADS = 20  # of fewer, a tenth to choose the epoch is one ad or none. Not tuned.
BASELINE_PAIRS = (
    10_000  # drawn at random, to scale the baseline where there are no labels. Not tuned.
)


@dataclass(frozen=True)
class TrainingData:
    """Computed once; any number of networks are trained on it.

    `settings`: those that it was computed with. `features`: by row of the catalogue, without the photos of ads that
    are in no pair, unless the network learns from these too. `split`: without pairs where there are no labels.
    `unlabelled`, `held_out`: the ads that training without labels learns from, and those that choose its epoch; none
    of the first is in a labelled pair for validation or test. `vectors`: of `vocabulary`, in its order. `ids`: item
    ids by row; `sources`: of ads that have them. `unreadable`: photo, reason.
    """

    settings: Settings
    features: NetworkInputs
    split: Split
    unlabelled: Int64[np.ndarray, "ads"]
    held_out: Int64[np.ndarray, "others"]
    vocabulary: Vocabulary
    vectors: Float32[np.ndarray, "words size"]
    vectors_file: Path | None
    baseline: Baseline
    backbone: Backbone | None
    ids: pl.Series
    sources: pl.Series | None
    source: DataSource
    unreadable: pl.DataFrame

    @staticmethod
    def fixed(settings: Settings) -> tuple[object, ...]:
        """The settings that decide features and split: all networks trained on one `TrainingData` share them."""
        train, unlabelled = settings.train, settings.pretrain.epochs > 0
        return (
            settings.text,
            settings.photos,
            photo_kind(settings),
            train.split,
            train.complete_only,
            unlabelled,
        )

    def identity(self) -> dict[str, str | None]:
        """What was computed, by name: a digest (SHA-256, hex) that is the same in the next run over the same data.

        Learnt word vectors have none: they follow from the rest, and their last bits from the number of threads.
        """
        pairs = [
            self.split.frame[name].to_numpy()
            for name in ("row_l", "row_r", "is_duplicate", "weight")
        ]
        photos = self.features.photos
        return {
            "catalogue": self.source.fingerprint,
            "labelled pairs, or split of them": _digest(
                json.dumps(self.split.audit).encode(), *pairs
            ),
            "photos": None
            if photos is None
            else _digest(photos.centre.digests[photos.rows], photos.offsets),
            "photo network": None if self.backbone is None else self.backbone.fingerprint,
            "word vectors": None if self.vectors_file is None else _digest(self.vectors),
        }


def prepare_training(
    catalogue: Catalogue,
    pairs: pl.DataFrame,
    published: tuple[pl.DataFrame | None, pl.DataFrame | None] | None,
    settings: Settings,
    resources: TrainingFiles,
    run: Run,
    columns: dict[str, str],
    *,
    on_split: Callable[[Split], None] | None = None,
) -> TrainingData:
    """Words, photos and split of the labelled pairs; vocabulary, word vectors and baseline of the training side.

    Where the network learns without labels first, the photos of all ads, and vocabulary and vectors of all that are
    in no pair for validation or test.

    :param pairs: tables.LABELLED_PAIRS over `catalogue`; all of them, or the training ones if `published` is given.
    :param published: the validation and test pairs of a published split.
    :param columns: the names of the catalogue's columns, where the user gave them.
    :raises NrlDedupError: a setting names nothing that there is, a side of the split lacks a class, the training ads
        have nothing that the model reads, or weights cannot be had.
    """
    check_before_the_work(settings, resources)
    of_pairs = ads_of_pairs([pairs, *(side for side in published or () if side is not None)])
    pretrained = settings.pretrain.epochs > 0
    seen = read_training_ads(catalogue, None if pretrained else of_pairs, settings, resources, run)
    words, photos = seen.words, seen.photos
    if settings.train.complete_only:
        assert photos is not None
        keep = (np.diff(words.offsets) > 0) & (np.diff(photos.offsets) > 0)
        pairs = complete_pairs(pairs, keep)
        if published is not None:
            valid, test = published
            published = (
                None if valid is None else complete_pairs(valid, keep),
                None if test is None else complete_pairs(test, keep),
            )
    if published is None:
        split = split_pairs(pairs, settings.train.split, settings.train.seed)
    else:
        split = published_split(pairs, *published, settings.train.seed)
    if on_split is not None:
        on_split(split)

    train = split.side("train")
    row_l, row_r = catalogue_ends(train)
    own, unlabelled, held_out = (
        np.unique(np.concatenate([row_l, row_r])),
        of_pairs[:0],
        of_pairs[:0],
    )
    if pretrained:
        held_out = some_ads(ads_of_pairs([split.side("valid")]), settings.train.seed)
        unseen = ads_of_pairs([split.side("valid"), split.side("test")])
        own = unlabelled = np.setdiff1d(np.flatnonzero(seen.something), unseen)
    baseline = fit_baseline(
        baseline_features(words, photos, row_l, row_r), train["is_duplicate"].to_numpy()
    )
    return _prepared(
        catalogue, seen, own, split, unlabelled, held_out, baseline, settings, resources, columns
    )


def prepare_unlabelled(
    catalogue: Catalogue,
    settings: Settings,
    resources: TrainingFiles,
    run: Run,
    columns: dict[str, str],
) -> TrainingData:
    """Words, photos, vocabulary and word vectors of all ads, for training without labels.

    A tenth of the ads that have words or a photo, `MAX_HELD_OUT` at most, are held out, at random. There is no split,
    and the baseline is `baseline.unfitted_baseline`.

    :raises NrlDedupError: a setting names nothing that there is, fewer than `MIN_ADS` ads have words or a readable
        photo, the ads have nothing that the model reads, or weights cannot be had.
    """
    check_before_the_work(settings, resources)
    seen = read_training_ads(catalogue, None, settings, resources, run)
    ads = np.flatnonzero(seen.something)
    if len(ads) < MIN_ADS:
        raise NrlDedupError(
            f"{catalogue.path}: {len(ads)} of {len(catalogue)} ads have words in the letters of --language "
            f"{settings.text.language} or a readable photo, and training without labels wants {MIN_ADS} or more. "
            "Name more ads, thousands are worth the while; or, if their texts have other letters, --language none."
        )
    different = seen.different(ads)
    if different < MIN_ADS:
        raise NrlDedupError(
            f"{catalogue.path}: to the network, which reads every number as 0, {len(ads)} ads have only {different} "
            f"different texts and photos, and training without labels wants {MIN_ADS} or more: nothing can be "
            "learned from these. Name ads that differ in their words or photos."
        )
    draw = np.random.default_rng(settings.train.seed)
    held_out = some_ads(np.sort(draw.permutation(ads)[: len(ads) // 10]), settings.train.seed)
    unlabelled = np.setdiff1d(ads, held_out)
    split = Split(
        pl.DataFrame(schema=SPLIT), {"ads_train": len(unlabelled), "ads_valid": len(held_out)}
    )
    two = draw.choice(unlabelled, (2, BASELINE_PAIRS))
    baseline = unfitted_baseline(
        baseline_features(seen.words, seen.photos, *two[:, two[0] != two[1]])
    )
    return _prepared(
        catalogue,
        seen,
        unlabelled,
        split,
        unlabelled,
        held_out,
        baseline,
        settings,
        resources,
        columns,
    )


def _prepared(
    catalogue: Catalogue,
    seen: TrainingAds,
    own: Int64[np.ndarray, "own"],
    split: Split,
    unlabelled: Int64[np.ndarray, "ads"],
    held_out: Int64[np.ndarray, "others"],
    baseline: Baseline,
    settings: Settings,
    resources: TrainingFiles,
    columns: dict[str, str],
) -> TrainingData:
    """
    :param own: the ads whose words the vocabulary and the word vectors come from.
    """
    words = seen.words.take(own)
    vocabulary = Vocabulary.most_frequent(words, settings.text.vocabulary_size)
    if not vocabulary.words and (
        seen.photos is None or not fusion_module(settings.model.fusion).reads_photos
    ):
        raise NrlDedupError(
            f"The ads to train on have no words, so there is nothing for --fusion {settings.model.fusion} to learn "
            "from. If they have photos, train on those: --fusion image --images DIR."
        )
    if resources.word_vectors is not None:
        vectors = read_fasttext(resources.word_vectors, vocabulary.words)
    else:
        vectors = learn_vectors(
            words, vocabulary, settings.model.word_size, seed=settings.train.seed
        )
    kind = photo_kind(settings)
    return TrainingData(
        settings=settings,
        features=network_inputs(seen.contents, seen.photos, settings, vocabulary, kind),
        split=split,
        unlabelled=unlabelled,
        held_out=held_out,
        vocabulary=vocabulary,
        vectors=vectors,
        vectors_file=resources.word_vectors,
        baseline=baseline,
        backbone=seen.backbone,
        ids=catalogue.ids,
        sources=catalogue.source,
        unreadable=seen.contents.photos.unreadable,
        source=DataSource(
            items=str(catalogue.path.resolve()),
            images=None
            if resources.photo_folder is None
            else str(resources.photo_folder.resolve()),
            columns=columns,
            fingerprint=fingerprint(catalogue),
            compared=catalogue.compared,
            other=None if catalogue.other is None else str(catalogue.other.resolve()),
            source=catalogue.taken.get("source"),
        ),
    )


def _digest(*parts: np.ndarray | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()
