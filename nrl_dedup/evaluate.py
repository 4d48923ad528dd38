"""Labelled pairs -> how good a model is, beside the baseline: overall and by description length."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from nrl_dedup.baseline import evidence
from nrl_dedup.bundle import Bundle
from nrl_dedup.catalogue import Catalogue, fingerprint
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import BUCKETS, Quality, length_bucket, quality, sigmoid
from nrl_dedup.pipeline import Prepared, prepare
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.scoring import pair_logits

BASELINE = "baseline"


@dataclass(frozen=True)
class Evaluation:
    """The scores of labelled pairs by each model, and what they are worth.

    `pairs`: row_l, row_r, is_duplicate, weight, bucket, and a column of logits for each of `models`.
    """

    catalogue: Catalogue
    pairs: pl.DataFrame
    models: tuple[str, ...]
    threshold: float
    prepared: Prepared

    def quality(self, model: str, bucket: int | None = None) -> Quality:
        """Of all pairs, or of one length bucket."""
        pairs = self.pairs if bucket is None else self.pairs.filter(pl.col("bucket") == bucket)
        labels, weights = pairs["is_duplicate"].to_numpy(), pairs["weight"].to_numpy()
        return quality(labels, pairs[model].to_numpy(), weights, self.threshold)

    def as_json(self) -> dict[str, Any]:
        """`{"models": {NAME: {pairs, positives, average_precision, ..., by_length}}}`; what is undefined is None."""
        models = {}
        for model in self.models:
            total = self.quality(model)
            by_length = []
            for bucket in range(BUCKETS):
                part = self.quality(model, bucket)
                by_length.append(
                    {
                        "bucket": bucket,
                        "pairs": part.pairs,
                        "positives": part.positives,
                        "average_precision": part.average_precision,
                    }
                )
            models[model] = {**vars(total), "threshold": self.threshold, "by_length": by_length}
        return {"models": models}

    def scores(self) -> pl.DataFrame:
        """item_id_l, item_id_r, is_duplicate (0 or 1), score: the first model's, in the order of the pairs."""
        ids = self.catalogue.ids
        return pl.DataFrame(
            {
                "item_id_l": ids.gather(self.pairs["row_l"]),
                "item_id_r": ids.gather(self.pairs["row_r"]),
                "is_duplicate": self.pairs["is_duplicate"].cast(pl.Int8),
                "score": pl.Series(sigmoid(self.pairs[self.models[0]].to_numpy()), dtype=pl.Float32),
            }
        )


def evaluate(
    catalogue: Catalogue,
    pairs: pl.DataFrame,
    bundle: Bundle,
    name: str,
    photo_folder: Path | None,
    work_dir: Path,
    *,
    threshold: float = 0.5,
    device: torch.device,
    backbone_weights: Path | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Score `pairs` with the model, through the code that `link` uses, and with the bundle's baseline.

    :param pairs: row_l, row_r, is_duplicate, weight; only their ads are read and embedded.
    """
    rows = np.unique(np.concatenate([pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy()]))
    part = catalogue.take(rows)
    rows_l, rows_r = (np.searchsorted(rows, pairs[side].to_numpy()) for side in ("row_l", "row_r"))
    prepared = prepare(
        part,
        bundle,
        photo_folder,
        work_dir,
        device=device,
        backbone_weights=backbone_weights,
        progress=progress,
    )
    words = prepared.words.lengths[:, -1].astype(np.int64)  # the description is the last column that is read
    local = pairs.with_columns(row_l=pl.Series(rows_l), row_r=pl.Series(rows_r))
    scored = local.with_columns(
        pl.Series(name, pair_logits(bundle.model, prepared.features, local, device, progress)),
        pl.Series(
            BASELINE,
            bundle.baseline.logits(evidence(prepared.words, prepared.features.photos, rows_l, rows_r)),
        ),
        bucket=pl.Series(length_bucket(words[rows_l], words[rows_r])),
    )
    return Evaluation(part, scored, (name, BASELINE), threshold, prepared)


def remembered_test(bundle: Bundle, catalogue: Catalogue) -> pl.DataFrame:
    """The test split that the bundle remembers, as rows of `catalogue`.

    :raises NrlDedupError: the catalogue is not the one that the model was trained on.
    """
    if fingerprint(catalogue) != bundle.data.fingerprint:
        raise NrlDedupError(
            f"{catalogue.path}: the file has changed since the model was trained, so its remembered test split "
            "means nothing. Name the data: --items CSV --pairs CSV."
        )
    test = bundle.split.filter(pl.col("side") == "test")
    return test.select(
        row_l=catalogue.rows_of(test["item_id_l"]),
        row_r=catalogue.rows_of(test["item_id_r"]),
        is_duplicate="is_duplicate",
        weight="weight",
    )
