"""Prepared data -> a trained model: one loop, top to bottom (thesis, section 4.3 and 4.4)."""

import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import binary_cross_entropy_with_logits

from nrl_dedup.bundle.load import Bundle, Epoch
from nrl_dedup.config import Settings, TrainSettings
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.embedding.embed import embed_ads
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.network_inputs import Batch, NetworkInputs
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.metrics import average_precision, log_loss
from nrl_dedup.runtime.device import multiplies_in_bfloat16
from nrl_dedup.runtime.prefetch import ahead
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.siamese import pair_logits
from nrl_dedup.tables import CatalogueRows, catalogue_ends
from nrl_dedup.training.data import TrainingData
from nrl_dedup.training.early_stopping import BestEpoch, OnEpoch, StoppedTraining
from nrl_dedup.training.losses import in_batch_contrast
from nrl_dedup.training.pretrain import pretrain, start_fusion

STARTED_FROM = 1024  # pairs


@dataclass(frozen=True)
class Trained:
    """A bundle that is not on disk yet, and the photo network to write beside it."""

    bundle: Bundle
    backbone: Backbone | None
    interrupted: bool
    unreadable: pl.DataFrame


def identity(data: TrainingData, settings: Settings) -> dict[str, Any]:
    """What a network of `train_one` follows from, and where the data lies, as JSON holds it.

    It is the same in the next run of the same command.
    """
    made_of = {
        **data.identity(),
        "paths or columns of the data": asdict(data.source),
        "settings": asdict(settings),
        "version of this program": version("nrl-dedup"),
    }
    # As it will be read back: tuples are lists.
    copy: dict[str, Any] = json.loads(json.dumps(made_of))
    return copy


def train_one(
    data: TrainingData,
    settings: Settings,
    run: Run,
    *,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """One network on prepared data: first without labels if the settings say so, then on labelled pairs if there are
    any. The result depends on `data` and `settings` alone, not on what was trained before.

    `settings` may differ from `data.settings` in everything that changes neither features nor split: all of its model,
    but the word size, which is that of `data.vectors`; all of its training, but `split`, `complete_only` and whether
    there is any without labels. Its seed
    gives the initial weights and the order of the batches; the split and the views of the photos stay those of the
    seed in `data.settings`.

    :raises NrlDedupError: `settings` want other data; or the loss diverged.
    """
    if data.fixed(settings) != data.fixed(data.settings):
        raise NrlDedupError(
            f"The data was prepared with {data.fixed(data.settings)}; the settings to train want "
            f"{data.fixed(settings)}. Prepare the data for them: prepare_training(...)."
        )
    settings = replace(settings, model=replace(settings.model, word_size=data.vectors.shape[1]))
    torch.manual_seed(settings.train.seed)
    model = SiameseModel(
        settings.model, torch.from_numpy(data.vectors), data.features.image_shape[-1]
    )
    train, valid = data.split.side("train"), data.split.side("valid")
    unlabelled = settings.pretrain.epochs > 0
    # The loops say it in words when the loss diverges.
    with np.errstate(invalid="ignore", over="ignore"):
        if unlabelled:
            fitted = pretrain(
                model,
                data.features,
                data.unlabelled,
                data.held_out,
                settings.pretrain,
                settings.train.seed,
                run,
                on_epoch=on_epoch,
            )
            if fitted.interrupted and len(train):
                raise NrlDedupError(
                    "Stopped before the first epoch on labelled pairs was done; nothing is kept."
                )
        if len(train):
            fitted = fit(
                model,
                data.features,
                train,
                valid,
                settings.train,
                run,
                pretrained=unlabelled,
                on_epoch=on_epoch,
            )
    bundle = Bundle(
        settings=settings,
        model=fitted.model,
        vocabulary=data.vocabulary,
        baseline=data.baseline,
        image_size=data.features.image_shape[-1],
        backbone_fingerprint=None if data.backbone is None else data.backbone.fingerprint,
        split=_split_by_ids(data),
        audit=data.split.audit,
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        data=data.source,
    )
    return Trained(bundle, data.backbone, fitted.interrupted, data.unreadable)


def _split_by_ids(data: TrainingData) -> pl.DataFrame:
    """`bundle.load.SPLIT`, of ads with sources `SPLIT_SOURCES` too."""
    row_l = data.split.frame["row_l"]
    row_r = data.split.frame["row_r"]
    split = data.split.frame.select(
        item_id_l=data.ids.gather(row_l),
        item_id_r=data.ids.gather(row_r),
        is_duplicate="is_duplicate",
        side="side",
        weight="weight",
    )
    if data.sources is None:
        return split
    return split.with_columns(
        source_l=data.sources.gather(row_l), source_r=data.sources.gather(row_r)
    )


def fit(
    model: SiameseModel,
    features: NetworkInputs,
    train: pl.DataFrame,
    valid: pl.DataFrame,
    settings: TrainSettings,
    run: Run,
    *,
    pretrained: bool = False,
    on_epoch: OnEpoch | None = None,
) -> StoppedTraining:
    """Minimise binary cross-entropy (4.4) plus `contrast` times `in_batch_contrast` with Adam; stop when the validation
    loss (of (4.4) alone) has not improved for `patience` epochs; keep the epoch of the lowest validation loss. Ctrl-C
    ends the loop and keeps the best so far.

    :param train: the training pairs (splits.SPLIT); `valid` those that choose the epoch.
    :param pretrained: the model's weights are of use already; else they are started here.
    """
    row_l, row_r = catalogue_ends(train)
    labels = train["is_duplicate"].to_numpy()
    groups = duplicate_groups(row_l[labels], row_r[labels], len(features))
    draw = np.random.default_rng(settings.seed)
    if not pretrained:
        start_fusion(model, features, np.unique(np.concatenate([row_l, row_r])), draw)
    model = model.to(run.device)
    _start_head(model, features, train[:STARTED_FROM], pretrained, run.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    bfloat16 = multiplies_in_bfloat16(run.device)
    best, interrupted = BestEpoch(model, settings.patience), False
    try:
        for number in range(1, settings.epochs + 1):
            start = time.perf_counter()
            model.train()
            order = draw.permutation(len(labels))
            logits, first = torch.empty(len(labels), device=run.device), 0
            batches = (
                _batch(features, row_l, row_r, order[start : start + settings.batch_size], draw)
                for start in range(0, len(order), settings.batch_size)
            )
            with (
                run.progress.task(f"epoch {number}", len(labels)) as task,
                closing(ahead(batches)) as made,
            ):
                for pairs, ads, place, batch in made:
                    left, right = torch.from_numpy(place).to(run.device)
                    target = torch.from_numpy(labels[pairs].astype(np.float32)).to(run.device)
                    with torch.autocast(run.device.type, torch.bfloat16, enabled=bfloat16):
                        h = model.embed(batch.to(run.device))
                    scores = model.score(h.index_select(0, left), h.index_select(0, right))
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
            valid_logits = pair_logits(model, features, valid, run.device)
            valid_labels, valid_weights = (
                valid["is_duplicate"].to_numpy(),
                valid["weight"].to_numpy(),
            )
            epoch = Epoch(
                number,
                train_loss=log_loss(labels[order], seen, ones),
                valid_loss=log_loss(valid_labels, valid_logits, valid_weights),
                train_ap=average_precision(labels[order], seen, ones),
                valid_ap=average_precision(valid_labels, valid_logits, valid_weights),
                seconds=time.perf_counter() - start,
            )
            best.add(epoch, f"Lower --lr ({settings.learning_rate}).")
            if on_epoch is not None:
                on_epoch(epoch)
            if best.exhausted:
                break
    except KeyboardInterrupt:
        interrupted = True
    return best.fitted(interrupted=interrupted)


def _batch(
    features: NetworkInputs,
    row_l: CatalogueRows,
    row_r: CatalogueRows,
    pairs: np.ndarray,
    draw: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Batch]:
    """`pairs`, their ads, each once, their places in the pairs [2, pairs], and the ads as training sees them."""
    ads, place = np.unique(np.concatenate([row_l[pairs], row_r[pairs]]), return_inverse=True)
    return pairs, ads, place.reshape(2, -1), features.training_batch(ads, draw)


@torch.no_grad()
def _start_head(
    model: SiameseModel,
    features: NetworkInputs,
    pairs: pl.DataFrame,
    pretrained: bool,
    device: torch.device,
) -> None:
    """Bring the scores of these training pairs to the size of their labels: by a logistic regression of those that a
    pretrained model gives, or at random, with their mean at the log-odds of a duplicate."""
    labels = pairs["is_duplicate"].to_numpy()
    if not pretrained:
        row_l, row_r = catalogue_ends(pairs)
        h_l = torch.from_numpy(embed_ads(model, features, row_l, device=device)).to(device)
        h_r = torch.from_numpy(embed_ads(model, features, row_r, device=device)).to(device)
        model.start_head(h_l, h_r, torch.logit(torch.tensor(labels.mean()), eps=1e-3).item())
    elif 0 < labels.sum() < len(labels):
        line = LogisticRegression(C=np.inf).fit(
            pair_logits(model, features, pairs, device)[:, None], labels
        )
        if line.coef_[0, 0] > 0:
            model.rescale(float(line.coef_[0, 0]), float(line.intercept_[0]))
