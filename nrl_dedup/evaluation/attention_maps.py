"""Where stacked attention looks in each ad's photo, and whether it is the same place in both photos of a duplicate."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.embedding.embed import batches_by_length
from nrl_dedup.embedding.fusion.san import StackedAttention
from nrl_dedup.evaluation.bootstrap import LEVEL, REPLICATES, PairGroups, resampled_weights
from nrl_dedup.evaluation.evaluate import Contender, Evaluation
from nrl_dedup.features.network_inputs import NetworkInputs
from nrl_dedup.runtime.progress import SILENT, Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.tables import catalogue_ends

BATCH = 256
TOP_PART = 5  # the top regions are one in five
SEED = 0


@dataclass(frozen=True)
class Overlap:
    """How much two photos of the same thing share of the regions that attention looks at most.

    `overlap`: |top_l and top_r| / |top| of two photos and one attention layer, its mean over the layers and over
    duplicates. `chance`: the same for two photos of different things. Attention that likes the middle of any photo
    makes both large, so what counts is their difference; `interval` is its 95 % bootstrap interval. What is not
    defined is None.
    """

    overlap: float | None
    chance: float | None
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float | None:
        """overlap - chance."""
        return None if self.overlap is None or self.chance is None else self.overlap - self.chance

    def as_json(self) -> dict[str, Any]:
        """`interval` is [low, high] of `difference`, or None."""
        return {
            "overlap": self.overlap,
            "chance": self.chance,
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
        }


@dataclass(frozen=True)
class AttentionOverlap:
    """The overlap of a trained network over `pairs` duplicates, beside that of the same network before its training.

    Photos that look alike have like maps in any network: on the example ads the trained network's difference is 0.35,
    and that of random weights 0.37 to 0.40. What attention has *learnt* of finding the same place is `added`;
    `added_interval` is its 95 % bootstrap interval, or None.
    """

    pairs: int
    trained: Overlap
    untrained: Overlap
    added_interval: tuple[float, float] | None

    @property
    def added(self) -> float | None:
        """The trained network's difference - that of the untrained one."""
        trained, untrained = self.trained.difference, self.untrained.difference
        return None if trained is None or untrained is None else trained - untrained

    def as_json(self) -> dict[str, Any]:
        """The trained network's figures, and those of the untrained one below `untrained`."""
        return {
            **self.trained.as_json(),
            "pairs": self.pairs,
            "untrained": self.untrained.as_json(),
            "added": self.added,
            "added_interval": None if self.added_interval is None else list(self.added_interval),
        }


@torch.no_grad()
def attention_maps(
    fusion: StackedAttention,
    features: NetworkInputs,
    rows: Int64[np.ndarray, "wanted"],
    *,
    device: torch.device,
    progress: Progress = SILENT,
) -> Float32[np.ndarray, "wanted layers regions"]:
    """p_I (3.4) of each attention layer, in the centre view of the photo that embedding takes.

    The map of an ad without a readable photo has no meaning.

    :param fusion: in evaluation mode.
    :param rows: of `features`; the maps come in their order.
    """
    maps = np.empty((len(rows), len(fusion.layers), features.image_shape[0]), dtype=np.float32)
    with (
        progress.task("attention", len(rows)) as task,
        closing(batches_by_length(features, rows, BATCH)) as batches,
    ):
        for places, batch in batches:
            ads = batch.to(device)
            p = fusion.attend(ads.tokens, ads.lengths, ads.image, ads.has_image)[1]
            maps[places] = p.transpose(0, 1).float().cpu().numpy()
            task.advance(len(places))
    return maps


def top_regions(maps: Float32[np.ndarray, "*n regions"]) -> Bool[np.ndarray, "*n regions"]:
    """The regions of the largest shares: 20 % of them, rounded down, but at least one; of equal shares the first."""
    count = max(1, maps.shape[-1] // TOP_PART)
    top = np.zeros(maps.shape, dtype=bool)
    np.put_along_axis(top, np.argsort(-maps, axis=-1, kind="stable")[..., :count], True, axis=-1)
    return top


def attention_overlap(
    trained: Bool[np.ndarray, "2 pairs layers regions"],
    untrained: Bool[np.ndarray, "2 pairs layers regions"],
    groups: Int64[np.ndarray, "pairs"],
) -> AttentionOverlap:
    """`AttentionOverlap` of duplicate pairs, each of which counts once.

    The intervals are percentile intervals over 1000 draws of the groups (`bootstrap`), the same for both networks; two
    copies of one group are no different things. None where more than half of the draws hold less than two groups. In a
    simulation (40 groups, attention drawn to the middle, nothing shared beyond that) that of overlap - chance held 0 in
    95 % of 100 sets.

    :param trained: the top regions of the pairs' left photos, then of the right ones, equally many in each layer;
        `untrained` those of the untrained network.
    :param groups: the group of duplicates that each pair belongs to.
    """
    if not len(groups):
        return AttentionOverlap(0, Overlap(None, None, None), Overlap(None, None, None), None)
    names, group = np.unique(groups, return_inverse=True)
    count = len(names)
    networks = [_overlap_and_chance(top, group, count) for top in (trained, untrained)]
    alone = np.arange(count)
    draws = resampled_weights(PairGroups(alone, alone, count), np.ones(count), REPLICATES, SEED)
    # Shape: draws, networks.
    differences = np.array([[np.subtract(*of(times)) for of in networks] for times in draws])

    def found(number: int) -> Overlap:
        overlap, chance = networks[number](np.ones(count))
        return Overlap(
            overlap, None if np.isnan(chance) else chance, _interval(differences[:, number])
        )

    return AttentionOverlap(
        len(groups), found(0), found(1), _interval(differences[:, 0] - differences[:, 1])
    )


def _overlap_and_chance(
    top: Bool[np.ndarray, "2 pairs layers regions"], group: Int64[np.ndarray, "pairs"], count: int
) -> Callable[[Float64[np.ndarray, "groups"]], tuple[float, float]]:
    """What gives overlap and chance where each group is drawn so many times; NaN where chance is not defined.

    `chance` is the mean over *every* two of the pairs' photos that are of different groups: what re-pairing the photos
    at random comes to after infinitely many draws. With c_g(r) the photos of group g that have region r among their
    top k, and n_g its photos, c and n their sums over g,

    chance = (sum_r c(r)^2 - sum_g sum_r c_g(r)^2) / (k (n^2 - sum_g n_g^2)).
    """
    pairs = len(group)
    marked = int(top[0, 0].sum())  # k times the layers
    members = np.bincount(group).astype(np.float64)
    shared = np.bincount(group, (top[0] & top[1]).sum(axis=(1, 2)) / marked)
    regions = np.zeros((count, top[0, 0].size), dtype=np.float32)
    for side in top:
        np.add.at(regions, group, side.reshape(pairs, -1))
    within = (regions**2).sum(axis=1, dtype=np.float64)

    def figures(times: Float64[np.ndarray, "groups"]) -> tuple[float, float]:
        overlap = times @ shared / (times @ members)
        everywhere = (times.astype(np.float32) @ regions).astype(np.float64)
        photos = 2 * members * times
        others = photos.sum() ** 2 - photos @ photos
        alike = everywhere @ everywhere - times**2 @ within
        return float(overlap), float(alike / (marked * others)) if others else np.nan

    return figures


def _interval(differences: Float64[np.ndarray, "draws"]) -> tuple[float, float] | None:
    defined = differences[~np.isnan(differences)]
    if 2 * len(defined) < len(differences):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def attention_overlaps(
    evaluation: Evaluation,
    contenders: Sequence[Contender],
    run: Run,
) -> dict[str, AttentionOverlap]:
    """By name, for each of the models that has attention, over the duplicates among the evaluated pairs.

    Left out are duplicates without two photos: an ad has none that can be read, or both have the very same file, of
    which two maps differ by the words alone.
    """
    row_l, row_r = catalogue_ends(evaluation.pairs)
    labels = evaluation.pairs["is_duplicate"].to_numpy()
    groups = PairGroups.of(row_l, row_r, labels).left
    found = {}
    for contender in contenders:
        fusion, features = contender.bundle.model.fusion, evaluation.features[contender.name].inputs
        if not isinstance(fusion, StackedAttention):
            continue
        digests = (
            np.zeros(len(features), np.uint64)
            if features.photos is None
            else features.photos.digests()
        )
        digest_l, digest_r = evaluation.ends(digests)
        pairs = np.flatnonzero(labels & (digest_l > 0) & (digest_r > 0) & (digest_l != digest_r))
        ads, place = np.unique(np.concatenate([row_l[pairs], row_r[pairs]]), return_inverse=True)
        sides = place.reshape(2, -1)
        trained = top_regions(
            attention_maps(fusion, features, ads, device=run.device, progress=run.progress)
        )[sides]
        untrained = top_regions(
            attention_maps(
                untrained_network(contender.bundle, fusion).to(run.device),
                features,
                ads,
                device=run.device,
                progress=run.progress,
            )
        )[sides]
        found[contender.name] = attention_overlap(trained, untrained, groups[pairs])
    return found


def untrained_network(bundle: Bundle, fusion: StackedAttention) -> StackedAttention:
    """The bundle's `fusion` as its training began: with the random weights of its seed. On the processor, in
    evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(bundle.settings.train.seed)
        untrained = StackedAttention(
            bundle.settings.model, fusion.encoder.vectors.cpu(), bundle.image_size
        )
    return untrained.eval()
