"""What the commands of the five folds left on disk, read back; None of a step that is not finished."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from results.on_disk import BASELINE

from measuring.clusters import (
    bcubed,
    best_linked,
    linked,
    pairwise,
    read_clusters,
    read_links,
    read_truth,
)
from measuring.steps import Step
from nrl_dedup.metrics import calibration_bins, expected_calibration_error

STAGE = re.compile(r"^│\s*(\S.*?)\s*│\s*([\d.]+)\s*│\s*[\d.]+ [GM]iB\s*│$", re.MULTILINE)
THRESHOLD = re.compile(r"Expected of links from ([\d.]+) on")
HIGHEST = 1 - 2.0**-24  # the scores have 32 bits: the largest below 1

Figures = dict[str, float]


def read_evaluation(step: Step) -> Figures | None:
    """ap, ece, baseline, chance; completeness, candidates (of an ad, on average) and ratio of blocking."""
    if not step.finished:
        return None
    models = json.loads((step.folder / "figures.json").read_text("utf-8"))["models"]
    baseline = models.pop(BASELINE)
    (model,) = models.values()
    blocking = model["blocking"]
    return {
        "ap": model["average_precision"],
        "ece": calibration_error(step.folder / "scores.csv"),
        "baseline": baseline["average_precision"],
        "chance": model["positives"] / model["pairs"],
        "completeness": blocking["pairs_completeness"],
        "candidates": blocking["candidates_per_ad"]["mean"],
        "ratio": blocking["reduction_ratio"],
    }


def calibration_error(path: Path) -> float | None:
    """The expected calibration error of the scores that `evaluate --scores` wrote."""
    scores = pl.read_csv(path, schema_overrides={"score": pl.Float64})
    score = np.clip(scores["score"].to_numpy(), 1 - HIGHEST, HIGHEST)
    labels = (scores["is_duplicate"] == 1).to_numpy()
    bins = calibration_bins(labels, np.log(score) - np.log1p(-score), np.ones(len(labels)))
    return expected_calibration_error(bins)


@dataclass(frozen=True)
class Fold:
    """What the clusters and the links of whole catalogues are measured against."""

    truth: Path
    name: str

    @property
    def ads(self) -> pl.DataFrame:
        return _truth(self.truth, self.name)


@cache
def _truth(path: Path, fold: str) -> pl.DataFrame:
    return read_truth(path, fold)


def read_linked(step: Step, fold: Fold) -> Figures | None:
    """Of the clusters precision, recall, f1; half_..., with pairs across folds at a half; b_..., B-cubed."""
    if not step.finished:
        return None
    ads = read_clusters(step.folder / "dupes.csv", fold.ads)
    found = {"": pairwise(ads, across=1), "half_": pairwise(ads, across=0.5), "b_": bcubed(ads)}
    return {
        prefix + name: value
        for prefix, quality in found.items()
        for name, value in vars(quality).items()
    }


def read_links_alone(step: Step, fold: Fold) -> Figures | None:
    """precision, recall and f1 of the links, whatever clusters they make, and half_..., as in `read_linked`."""
    if not step.finished:
        return None
    links = read_links(step.folder / "links.csv", fold.ads)
    found = {"": linked(links, fold.ads, across=1), "half_": linked(links, fold.ads, across=0.5)}
    return {
        prefix + name: value
        for prefix, quality in found.items()
        for name, value in vars(quality).items()
    }


def read_best(step: Step, fold: Fold) -> Figures | None:
    """The same of the links from the best threshold on, and that threshold."""
    if not step.finished:
        return None
    links = read_links(step.folder / "links.csv", fold.ads)
    found = {
        prefix: best_linked(links, fold.ads, across) for prefix, across in (("", 1), ("half_", 0.5))
    }
    return {
        prefix + name: value
        for prefix, quality in found.items()
        if quality
        for name, value in vars(quality).items()
    }


def read_threshold(step: Step) -> Figures | None:
    """The threshold that `link --precision` chose."""
    return {"threshold": float(THRESHOLD.search(step.output)[1])} if step.finished else None


def read_stages(step: Step) -> Figures | None:
    """The seconds of each stage, as `link` printed them."""
    return (
        {name: float(seconds) for name, seconds in STAGE.findall(step.output)}
        if step.finished
        else None
    )


def read_seconds(step: Step) -> Figures | None:
    """The wall clock of the whole command."""
    return {"seconds": step.seconds} if step.finished else None
