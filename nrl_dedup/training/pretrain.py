"""Training without labels: the network learns to know an ad again by another posting of it."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from sklearn.linear_model import LogisticRegression

from nrl_dedup.bundle.load import Epoch
from nrl_dedup.config import PretrainSettings
from nrl_dedup.embedding.embed import embed_ads
from nrl_dedup.embedding.network import START_BIAS, SiameseModel
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.network_inputs import Batch, NetworkInputs, Shown
from nrl_dedup.runtime.device import multiplies_in_bfloat16
from nrl_dedup.runtime.prefetch import ahead
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.early_stopping import BestEpoch, OnEpoch, StoppedTraining
from nrl_dedup.training.losses import contrast_of_views

WORDS, PHOTOS, BOTH = (
    Shown(words=True, photos=False),
    Shown(words=False, photos=True),
    Shown(words=True, photos=True),
)

# What the two postings of all ads of a batch show, and the share of the batches. Words against other words of the ad,
# and words against its photo, are what a duplicate with another photo looks like. Two looks at one photo are not: they
# are too easy, so they are never alone where there are words. Within a batch all ads show the same sides: else the
# network learns which sides are there.
SHOWN = (
    (WORDS, WORDS, 0.3),
    (WORDS, PHOTOS, 0.1),
    (PHOTOS, WORDS, 0.1),
    (BOTH, WORDS, 0.05),
    (BOTH, PHOTOS, 0.05),
    (BOTH, BOTH, 0.4),
)
STARTED_FROM = 4096  # ads
START_DISTANCE = 10.0  # of two ads before training, in logits
START_DISTANCE_INITIALISED = (
    40.0  # where it means something already, only the nearest of a batch are to count
)
HEAD_PACE = 5.0  # how much faster the head's weights learn: they are larger than the others
MAX_EPOCH_ADS = (
    500_000  # of more ads, each epoch draws others: an epoch stays below an hour. Not tuned.
)
GROUP_SIZE = 64  # near ads that come into a batch together: a quarter of it. Not tuned.
JUDGED_ON = 512  # held-out ads at a time
JUDGED_AGAINST = 2048  # ads, to calibrate the score of a link


@dataclass(frozen=True)
class Plan:
    """What the postings of a batch can show, with the share of each, given what the network reads and the ads have."""

    shown: tuple[tuple[Shown, Shown], ...]
    shares: Float64[np.ndarray, "kinds"]

    @classmethod
    def of(cls, model: SiameseModel, features: NetworkInputs) -> "Plan":
        """:raises NrlDedupError: the network reads photos only, and there are none."""
        words, photos = (
            model.fusion.reads_words,
            model.fusion.reads_photos and features.has_image().any(),
        )
        if not words and not photos:
            raise NrlDedupError(
                "No ad has a readable photo, and the network reads nothing else. Name --images DIR."
            )
        if not (words and photos):
            only = WORDS if words else PHOTOS
            return cls(((only, only),), np.ones(1))
        return cls(
            tuple((one, other) for one, other, _ in SHOWN),
            np.array([share for _, _, share in SHOWN]),
        )


def pretrain(
    model: SiameseModel,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "ads"],
    held_out: Int64[np.ndarray, "others"],
    settings: PretrainSettings,
    seed: int,
    run: Run,
    *,
    on_epoch: OnEpoch | None = None,
) -> StoppedTraining:
    """Minimise `contrast_of_views` of two postings of each ad (`NetworkInputs.two_views`) with Adam.

    Stop when that of the held-out ads has not improved for `patience` epochs; keep the epoch of its lowest value;
    `calibrate` the scores. From the second epoch on the batches are made of neighbours. Ctrl-C ends the loop and keeps
    the best so far.

    :param rows: the ads to learn from; `held_out` those that choose the epoch, two or more. No labels are looked at.
    :raises NrlDedupError: the loss diverged; or no ad has what the network reads.
    """
    plan, draw = Plan.of(model, features), np.random.default_rng(seed)
    start_fusion(model, features, rows, draw)
    model = model.to(run.device)
    few = torch.from_numpy(
        embed_ads(model, features, draw.permutation(rows)[:1024], device=run.device)
    ).to(run.device)
    distance = START_DISTANCE_INITIALISED if model.fusion.initialised_from_data else START_DISTANCE
    model.start_head(few[::2][: len(few) // 2], few[1::2], START_BIAS - distance)
    body = [parameter for name, parameter in model.named_parameters() if name != "raw_weight"]
    optimiser = torch.optim.Adam(body, lr=settings.learning_rate)
    optimiser.add_param_group(
        {"params": [model.raw_weight], "lr": HEAD_PACE * settings.learning_rate}
    )
    best, interrupted = BestEpoch(model, settings.patience), False
    try:
        for number in range(1, settings.epochs + 1):
            start = time.perf_counter()
            model.train()
            order = draw.permutation(rows)[:MAX_EPOCH_ADS]
            if number > 1:
                order = _neighbours_together(model, features, order, draw, run.device)
            losses: list[torch.Tensor] = []
            batches = _batches(features, order, settings.batch_size, plan, draw)
            with (
                run.progress.task(f"epoch {number} without labels", len(order)) as task,
                closing(ahead(batches)) as made,
            ):
                for one, other in made:
                    loss = _loss(model, one, other, run.device)
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()
                    losses.append(loss.detach())
                    task.advance(len(one.lengths))
            train_loss = torch.stack(losses).double().mean().item() if losses else 0.0
            valid_loss = _held_out_loss(model, features, held_out, plan, seed, run.device)
            epoch = Epoch(number, train_loss, valid_loss, None, None, time.perf_counter() - start)
            best.add(epoch, f"Lower --pretrain-lr ({settings.learning_rate}).")
            if on_epoch is not None:
                on_epoch(epoch)
            if best.exhausted:
                break
    except KeyboardInterrupt:
        interrupted = True
    fitted = best.fitted(interrupted=interrupted)
    calibrate(fitted.model, features, rows, held_out, draw, device=run.device)
    return fitted


def _batches(
    features: NetworkInputs,
    order: Int64[np.ndarray, "ads"],
    size: int,
    plan: Plan,
    draw: np.random.Generator,
) -> Iterator[tuple[Batch, Batch]]:
    """The ads in this order as two postings each; those that have nothing to show on a side are left out."""
    for start in range(0, len(order), size):
        shown = plan.shown[draw.choice(len(plan.shown), p=plan.shares)]
        one, other = features.two_views(order[start : start + size], shown, draw)
        known = _has_known_input(one) & _has_known_input(other)
        if known.sum() > 1:
            yield one.take(known), other.take(known)


def _neighbours_together(
    model: SiameseModel,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "ads"],
    draw: np.random.Generator,
    device: torch.device,
) -> Int64[np.ndarray, "ads"]:
    """The ads in groups of at most `GROUP_SIZE` that are near to each other as the network sees them now, the groups in
    any order. So a batch holds, for each ad, some others that are near to it, and many that are not."""
    h = torch.from_numpy(embed_ads(model, features, rows, device=device)).to(device)
    groups = leaves(model.scaled(h).detach().cpu().numpy(), GROUP_SIZE, draw)
    return rows[
        np.lexsort((draw.random(len(rows)), draw.permutation(int(groups.max()) + 1)[groups]))
    ]


def leaves(
    vectors: Float32[np.ndarray, "ads size"], most: int, draw: np.random.Generator
) -> Int64[np.ndarray, "ads"]:
    """The leaf of each vector in a tree that halves all nodes at the median of their projections on the difference of
    two vectors drawn at random, until none holds more than `most` (the random projection trees of Dasgupta and Freund,
    2008, with one direction for each level).

    :return: numbers from 0 on, without gaps.
    """
    leaf = np.zeros(len(vectors), np.int64)
    nodes, largest = 1, len(vectors)
    while largest > most:
        one, other = vectors[draw.integers(len(vectors), size=2)]
        order = np.lexsort((vectors @ (one - other), leaf))
        sizes = np.bincount(leaf, minlength=nodes)
        place = np.arange(len(vectors)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        leaf[order] = 2 * leaf[order] + (place >= np.repeat((sizes + 1) // 2, sizes))
        nodes, largest = 2 * nodes, (largest + 1) // 2
    return np.unique(leaf, return_inverse=True)[1]


def _has_known_input(batch: Batch) -> torch.Tensor:
    return (batch.lengths > 0) | batch.has_image


def _loss(model: SiameseModel, one: Batch, other: Batch, device: torch.device) -> torch.Tensor:
    with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_in_bfloat16(device)):
        h_one = model.embed(one.to(device))
        h_other = model.embed(other.to(device))
    return contrast_of_views(model, h_one, h_other)


@torch.no_grad()
def _held_out_loss(
    model: SiameseModel,
    features: NetworkInputs,
    held_out: Int64[np.ndarray, "others"],
    plan: Plan,
    seed: int,
    device: torch.device,
) -> float:
    """The loss of each kind of postings in its share; the same postings whenever it is asked for."""
    model.eval()
    draw, total = np.random.default_rng([seed, 1]), 0.0
    for shown, share in zip(plan.shown, plan.shares, strict=True):
        alone = replace(plan, shown=(shown,), shares=np.ones(1))
        losses = [
            _loss(model, *both, device)
            for both in _batches(features, held_out, JUDGED_ON, alone, draw)
        ]
        total += share * float(torch.stack(losses).double().mean()) if losses else 0.0
    return total


@torch.no_grad()
def start_fusion(
    model: SiameseModel,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "ads"],
    draw: np.random.Generator,
) -> None:
    """Let the fusion module look at some of the ads before it learns, on the processor."""
    if not model.fusion.initialised_from_data:
        return
    some = np.sort(draw.permutation(rows)[:STARTED_FROM])
    whole = features.batch(some)
    one, other = features.two_views(some, (PHOTOS, PHOTOS), draw)
    model.fusion.start(whole.tokens, one.image, other.image, one.has_image & other.has_image)


@torch.no_grad()
def calibrate(
    model: SiameseModel,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "ads"],
    held_out: Int64[np.ndarray, "others"],
    draw: np.random.Generator,
    *,
    device: torch.device,
) -> None:
    """Make probabilities of the scores, as far as that goes without labels: `model.rescale` by a logistic regression.

    Its duplicates are two postings of each of some held-out ads; its other pairs are one of these postings and other
    ads, which count as often as there are other ads in all (the nearest not at all, as it may be the ad's double). So
    a score of 0.5, the threshold unless another is asked for, is where a pair is as likely two postings of one ad as
    two of the other ads, if every ad had one double. Two postings of an ad with one photo show the same photo, so true
    duplicates with other photos score lower.
    """
    model.eval()
    some = held_out[:JUDGED_ON]
    sides = Shown(words=model.fusion.reads_words, photos=model.fusion.reads_photos)
    one, other = features.two_views(some, (sides, sides), draw)
    known = _has_known_input(one) & _has_known_input(other)
    some = some[known.numpy()]
    pool = draw.permutation(np.setdiff1d(rows, some))[:JUDGED_AGAINST]
    if not len(some) or len(pool) < 2:
        return
    h_one = model.embed(one.take(known).to(device))
    h_other = model.embed(other.take(known).to(device))
    h_pool = torch.from_numpy(embed_ads(model, features, pool, device=device)).to(device)
    found = model.score(h_one, h_other).double().cpu().numpy()
    others = np.sort(model.scores(h_one, h_pool).double().cpu().numpy(), axis=1)[:, :-1].ravel()
    logits, labels = np.concatenate([found, others]), np.repeat([1, 0], [len(found), len(others)])
    weights = np.where(labels == 1, 1.0, (len(rows) - 1) / len(pool))
    line = LogisticRegression(C=np.inf).fit(logits[:, None], labels, weights)
    if line.coef_[0, 0] > 0:
        model.rescale(float(line.coef_[0, 0]), float(line.intercept_[0]))
