"""extract(): the words and photos of a catalogue become what the models read.

Training and use go the same way. Only the vocabulary differs: `extract` is given one; training reads the ads first
(`read_ads`), makes a vocabulary of their words, and encodes them by it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Bool

from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import TEXT_COLUMNS, Settings
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.backbones import Backbone, backbone_row
from nrl_dedup.features.photos.catalogue_photos import AugmentedViews, CataloguePhotos, read_photos
from nrl_dedup.features.photos.feature_kinds import KINDS
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.features.text.foreign_words import with_foreign_words
from nrl_dedup.features.text.template_sentences import TemplateSentences
from nrl_dedup.features.text.unspaced_scripts import UnspacedRuns
from nrl_dedup.features.text.vocabulary import FIRST_WORD, UNKNOWN, Vocabulary, encode, has_text
from nrl_dedup.features.text.words import Words, count_words, read_words
from nrl_dedup.runtime.run import Run


@dataclass(frozen=True)
class PhotoInput:
    """Where the photos come from, the network that looks at them, and in which kind its features are kept.

    `kind`: a row of `feature_kinds.KINDS`.
    """

    source: PhotoSource
    backbone: Backbone
    kind: str


@dataclass(frozen=True)
class AdContents:
    """The words and photos of a catalogue's ads, before any vocabulary.

    `texts`: title and description of each ad, without template sentences, scripts without spaces as runs of signs with
    spaces between. `words`: theirs, in the letters of the model's language. `photos`: all photos of each ad.
    """

    texts: pl.DataFrame
    words: Words
    photos: CataloguePhotos

    @property
    def has_words(self) -> Bool[np.ndarray, "ads"]:
        """Whether an ad has words that the network can read."""
        return np.diff(self.words.offsets) > 0


@dataclass(frozen=True)
class CatalogueFeatures:
    """The features of a catalogue.

    `inputs`: what the network reads, of each ad its first photos or one. `photos`: all photos of each ad, which
    blocking and comparison use. `texts`: as in `AdContents`, which these use too. `words`: theirs, those in other
    letters among them.
    """

    texts: pl.DataFrame
    words: Words
    inputs: NetworkInputs
    photos: CataloguePhotos

    @property
    def unreadable(self) -> pl.DataFrame:
        """photo, reason."""
        return self.photos.unreadable

    @property
    def photos_read(self) -> int:
        """How many photos all ads show together."""
        return self.photos.read

    @cached_property
    def unknown_share(self) -> float:
        """Of the running words, the share that the model's vocabulary lacks."""
        ids = self.inputs.tokens.values
        unknown = int((ids == UNKNOWN).sum())
        known = int((ids >= FIRST_WORD).sum())
        return unknown / max(1, unknown + known)


def extract(
    catalogue: Catalogue,
    settings: Settings,
    vocabulary: Vocabulary,
    kind: str,
    photos: PhotoInput | None,
    run: Run,
) -> CatalogueFeatures:
    """Words -> token ids, photos -> feature vectors (kept in `run.work_dir`; what is there already is not computed).

    :param kind: of photo features that the network reads (`feature_kinds.KINDS`).
    :param photos: None: the catalogue is one of words.
    :raises NrlDedupError: what `read_photos` raises.
    """
    contents = read_ads(catalogue, settings, photos, run)
    foreign = int((has_text(contents.texts) & ~contents.has_words).sum())
    if foreign:
        run.progress.warn(
            f"{foreign:,} of {len(catalogue):,} ads have no word in the letters of --language "
            f"{settings.text.language}: the network reads nothing of their texts, which are compared all the same. "
            "A model that reads them: nrl-dedup train --language none."
        )
    columns = _columns_read(contents.texts, settings)
    return CatalogueFeatures(
        texts=contents.texts,
        words=with_foreign_words(contents.words, columns, settings.text.language),
        inputs=network_inputs(
            contents, contents.photos.of_network(settings.photos), settings, vocabulary, kind
        ),
        photos=contents.photos,
    )


def read_ads(
    catalogue: Catalogue,
    settings: Settings,
    photos: PhotoInput | None,
    run: Run,
    views: AugmentedViews | None = None,
) -> AdContents:
    """The words and photos of all ads.

    :param views: augmented views that are made of the photos in the same pass; they are found in the work directory.
    :raises NrlDedupError: what `read_photos` raises.
    """
    with run.clock.stage("words"):
        templates = TemplateSentences.fit(catalogue.frame)
        templates.say(run.progress)
        texts = templates.apply(catalogue.frame)
        runs = UnspacedRuns.fit(texts)
        texts = runs.apply(texts)
        language = settings.text.language
        words = read_words(_columns_read(texts, settings), language, progress=run.progress)
        if len(templates):
            # A text is as long as its ad has it.
            whole = runs.apply(catalogue.frame.select(texts.columns))
            lengths = count_words(_columns_read(whole, settings), language)
            words = replace(words, lengths=lengths)
    if photos is None:
        return AdContents(texts, words, CataloguePhotos())
    seen = read_photos(
        catalogue.frame,
        words,
        settings.photos,
        photos.backbone,
        photos.source,
        run,
        kind=photos.kind,
        views=views,
    )
    return AdContents(texts, words, seen)


def _columns_read(texts: pl.DataFrame, settings: Settings) -> list[pl.Series]:
    """Those whose words are read."""
    return [texts[name] for name in TEXT_COLUMNS[settings.text.text]]


def network_inputs(
    contents: AdContents,
    photos: AdPhotos | None,
    settings: Settings,
    vocabulary: Vocabulary,
    kind: str,
) -> NetworkInputs:
    """What the network reads of the ads.

    :param photos: of each ad, those that the network sees. :param kind: as in `extract`.
    """
    tokens = encode(contents.words, vocabulary, settings.text.max_words)
    image_shape = KINDS[kind].shape(backbone_row(settings.photos.backbone))
    return NetworkInputs(tokens, photos, image_shape)
