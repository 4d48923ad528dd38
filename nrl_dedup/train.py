"""Labelled pairs -> a trained model: one loop, top to bottom (thesis, section 4.3 and 4.4)."""

import copy
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from nrl_dedup.ahead import ahead
from nrl_dedup.baseline import evidence, fit_baseline
from nrl_dedup.bundle import Bundle, DataSource, Epoch
from nrl_dedup.catalogue import Catalogue, fingerprint
from nrl_dedup.config import TEXT_COLUMNS, Settings, TrainSettings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.ads import AdFeatures, AdPhotos, Batch, training_photos
from nrl_dedup.features.backbones import Backbone, backbone_row, load_backbone
from nrl_dedup.features.languages import language_row
from nrl_dedup.features.photos import PhotoFolder
from nrl_dedup.features.store import compute_features
from nrl_dedup.features.text import Vocabulary, encode, read_words
from nrl_dedup.features.vectors import check_fasttext, learn_vectors, read_fasttext
from nrl_dedup.fusion import fusion_module
from nrl_dedup.losses import in_batch_contrast
from nrl_dedup.metrics import average_precision, log_loss
from nrl_dedup.model import SiameseModel, image_shape, photo_kind
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.scoring import pair_logits
from nrl_dedup.splits import Split, duplicate_groups, published_split, split_pairs

OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True)
class Resources:
    """What training uses beside the data and the settings."""

    work_dir: Path
    device: torch.device
    photo_folder: Path | None = None
    backbone_weights: Path | None = None
    word_vectors: Path | None = None


@dataclass(frozen=True)
class Trained:
    """A bundle that is not on disk yet, and the photo network to write beside it."""

    bundle: Bundle
    backbone: Backbone | None
    interrupted: bool
    unreadable: pl.DataFrame


def train(
    catalogue: Catalogue,
    pairs: pl.DataFrame,
    published: tuple[pl.DataFrame | None, pl.DataFrame | None] | None,
    settings: Settings,
    resources: Resources,
    columns: dict[str, str],
    *,
    on_split: Callable[[Split], None] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: Progress = SILENT,
) -> Trained:
    """Labelled pairs -> features -> split -> baseline and network, fitted on the same training pairs.

    :param pairs: tables.LABELLED_PAIRS over `catalogue`; all of them, or the training ones if `published` is given.
    :param published: the validation and test pairs of a published split.
    :param columns: the names of the catalogue's columns, where the user gave them.
    :raises NrlDedupError: a side of the split lacks a class, or weights cannot be had, or the loss diverged.
    """
    device = resources.device
    _check_before_the_work(settings, resources)
    words = read_words(
        [catalogue.frame[name] for name in TEXT_COLUMNS[settings.text.text]], settings.text.language, progress
    )
    backbone = _backbone(settings, resources)
    photos = None if backbone is None else _photos(catalogue, settings, resources, backbone, progress)
    if settings.train.complete_only:
        keep = np.diff(words.offsets) > 0
        keep &= False if photos is None else np.diff(photos.offsets) > 0
        pairs = _complete(pairs, keep)
        if published is not None:
            valid, test = (side if side is None else _complete(side, keep) for side in published)
            published = (valid, test)
    if published is None:
        split = split_pairs(pairs, settings.train.split, settings.train.seed)
    else:
        split = published_split(pairs, *published, settings.train.seed)
    if on_split is not None:
        on_split(split)

    sides = {name: split.side(name) for name in ("train", "valid", "test")}
    learnt_from = np.unique(np.concatenate([sides["train"][name].to_numpy() for name in ("row_l", "row_r")]))
    own_words = words.take(learnt_from)
    vocabulary = Vocabulary.most_frequent(own_words, settings.text.vocabulary_size)
    if resources.word_vectors is not None:
        vectors = read_fasttext(resources.word_vectors, vocabulary.words)
        settings = replace(settings, model=replace(settings.model, word_size=vectors.shape[1]))
    else:
        vectors = learn_vectors(own_words, vocabulary, settings.model.word_size, seed=settings.train.seed)
    shape = image_shape(settings)
    features = AdFeatures(encode(words, vocabulary, settings.text.max_words), photos, shape)

    rows_l, rows_r = (sides["train"][name].to_numpy() for name in ("row_l", "row_r"))
    baseline = fit_baseline(evidence(words, photos, rows_l, rows_r), sides["train"]["is_duplicate"].to_numpy())
    torch.manual_seed(settings.train.seed)
    model = SiameseModel(settings.model, torch.from_numpy(vectors), shape[-1])
    fitted = fit(
        model, features, sides["train"], sides["valid"], settings.train,
        device=device, on_epoch=on_epoch, progress=progress,
    )  # fmt: skip
    if not fitted.history:
        raise NrlDedupError("Stopped before the first epoch was done; there is nothing to keep.")
    ids = catalogue.ids
    bundle = Bundle(
        settings=settings,
        model=fitted.model,
        vocabulary=vocabulary,
        baseline=baseline,
        image_size=shape[-1],
        backbone_fingerprint=None if backbone is None else backbone.fingerprint,
        split=split.frame.select(
            item_id_l=ids.gather(split.frame["row_l"]),
            item_id_r=ids.gather(split.frame["row_r"]),
            is_duplicate="is_duplicate",
            side="side",
            weight="weight",
        ),
        audit=split.audit,
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        data=DataSource(
            items=str(catalogue.path.resolve()),
            images=None if resources.photo_folder is None else str(resources.photo_folder.resolve()),
            columns=columns,
            fingerprint=fingerprint(catalogue),
        ),
    )
    unreadable = pl.DataFrame() if photos is None else photos.centre.unreadable
    return Trained(bundle, backbone, fitted.interrupted, unreadable)


def _check_before_the_work(settings: Settings, resources: Resources) -> None:
    fusion_module(settings.model.fusion)
    language_row(settings.text.language)
    backbone_row(settings.photos.backbone)
    if resources.word_vectors is not None:
        check_fasttext(resources.word_vectors)


def _backbone(settings: Settings, resources: Resources) -> Backbone | None:
    if resources.photo_folder is None:
        return None
    return load_backbone(settings.photos.backbone, resources.backbone_weights, resources.device)


def _photos(
    catalogue: Catalogue, settings: Settings, resources: Resources, backbone: Backbone, progress: Progress
) -> AdPhotos:
    assert resources.photo_folder is not None
    compute = partial(
        compute_features,
        folder=PhotoFolder(resources.photo_folder),
        backbone=backbone,
        work_dir=resources.work_dir,
        kind=photo_kind(settings),
        device=resources.device,
        progress=progress,
    )
    views = partial(compute, views=settings.photos.views, seed=settings.train.seed)
    return training_photos(catalogue.frame["photos"], settings.photos, compute, views)


def _complete(pairs: pl.DataFrame, keep: np.ndarray) -> pl.DataFrame:
    """The pairs of which both ads have words and a readable photo (`--complete-only`)."""
    return pairs.filter(pl.Series(keep[pairs["row_l"].to_numpy()] & keep[pairs["row_r"].to_numpy()]))


@dataclass(frozen=True)
class Fitted:
    """The network of the best epoch, and how every epoch did."""

    model: SiameseModel
    history: tuple[Epoch, ...]
    best_epoch: int
    interrupted: bool


def fit(
    model: SiameseModel,
    features: AdFeatures,
    train: pl.DataFrame,
    valid: pl.DataFrame,
    settings: TrainSettings,
    *,
    device: torch.device,
    on_epoch: OnEpoch | None = None,
    progress: Progress = SILENT,
) -> Fitted:
    """Minimise binary cross-entropy (4.4) plus `contrast` times `in_batch_contrast` with Adam; stop when the validation
    loss (of (4.4) alone) has not improved for `patience` epochs; keep the epoch of the lowest validation loss. Ctrl-C
    ends the loop and keeps the best so far.

    :param train: the training pairs (splits.SPLIT); `valid` those that choose the epoch.
    """
    model = model.to(device)
    rows_l, rows_r = train["row_l"].to_numpy(), train["row_r"].to_numpy()
    labels = train["is_duplicate"].to_numpy()
    groups = duplicate_groups(rows_l[labels], rows_r[labels], len(features))
    draw = np.random.default_rng(settings.seed)
    _start_head(model, features, rows_l[:1024], rows_r[:1024], float(labels.mean()), device)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    history: list[Epoch] = []
    best, best_state, interrupted = None, copy.deepcopy(model.state_dict()), False
    try:
        for number in range(1, settings.epochs + 1):
            start = time.perf_counter()
            model.train()
            order = draw.permutation(len(labels))
            logits, first = torch.empty(len(labels), device=device), 0
            batches = (
                _batch(features, rows_l, rows_r, order[start : start + settings.batch_size], draw)
                for start in range(0, len(order), settings.batch_size)
            )
            with progress.task(f"epoch {number}", len(labels)) as task, closing(ahead(batches)) as made:
                for pairs, ads, place, batch in made:
                    left, right = torch.from_numpy(place).to(device)
                    target = torch.from_numpy(labels[pairs].astype(np.float32)).to(device)
                    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                        h = model.embed(batch.to(device))
                    scores = model.score(h[left], h[right])
                    loss = binary_cross_entropy_with_logits(scores, target)
                    if settings.contrast:
                        loss = loss + settings.contrast * in_batch_contrast(model, h, groups[ads])
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                    logits[first : first + len(pairs)] = scores.detach()
                    first += len(pairs)
                    task.advance(len(pairs))
            seen = logits.double().cpu().numpy()
            ones = np.ones(len(labels))
            valid_logits = pair_logits(model, features, valid, device)
            valid_labels, valid_weights = valid["is_duplicate"].to_numpy(), valid["weight"].to_numpy()
            epoch = Epoch(
                number,
                train_loss=log_loss(labels[order], seen, ones) or 0.0,
                valid_loss=log_loss(valid_labels, valid_logits, valid_weights) or 0.0,
                train_ap=average_precision(labels[order], seen, ones),
                valid_ap=average_precision(valid_labels, valid_logits, valid_weights),
                seconds=time.perf_counter() - start,
            )
            if not math.isfinite(epoch.train_loss + epoch.valid_loss):
                raise NrlDedupError(
                    f"epoch {number}: the loss is not a number any more. Lower --lr ({settings.learning_rate})."
                )
            history.append(epoch)
            if best is None or epoch.valid_loss < best.valid_loss:
                best, best_state = epoch, copy.deepcopy(model.state_dict())
            if on_epoch is not None:
                on_epoch(epoch)
            if epoch.number - best.number >= settings.patience:
                break
    except KeyboardInterrupt:
        interrupted = True
    model.load_state_dict(best_state)
    return Fitted(model.eval(), tuple(history), best.number if best else 0, interrupted)


def _batch(
    features: AdFeatures, rows_l: np.ndarray, rows_r: np.ndarray, pairs: np.ndarray, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Batch]:
    """`pairs`, their distinct ads, where those stand in the pairs [2, pairs], and the ads as training sees them."""
    ads, place = np.unique(np.concatenate([rows_l[pairs], rows_r[pairs]]), return_inverse=True)
    return pairs, ads, place.reshape(2, -1), features.training_batch(ads, draw)


@torch.no_grad()
def _start_head(
    model: SiameseModel,
    features: AdFeatures,
    rows_l: np.ndarray,
    rows_r: np.ndarray,
    share_of_duplicates: float,
    device: torch.device,
) -> None:
    model.eval()
    h_l, h_r = (model.embed(features.batch(rows).to(device)) for rows in (rows_l, rows_r))
    model.start_head(h_l, h_r, share_of_duplicates)
