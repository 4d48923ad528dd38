"""The pictures of an evaluation, each drawn from the figures that the tables and the JSON have."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64
from matplotlib.figure import Figure
from scipy.special import expit

from nrl_dedup.embedding.fusion.san import StackedAttention
from nrl_dedup.evaluation.attention_maps import TOP_PART, attention_maps, top_regions
from nrl_dedup.evaluation.bootstrap import Interval
from nrl_dedup.evaluation.evaluate import Contender
from nrl_dedup.evaluation.plots.attention_plot import AttendedPhoto, attention
from nrl_dedup.evaluation.plots.calibration_plot import calibration
from nrl_dedup.evaluation.plots.feature_plane import feature_plane
from nrl_dedup.evaluation.plots.figure_files import save
from nrl_dedup.evaluation.plots.history import history
from nrl_dedup.evaluation.plots.lengths import ap_by_length, class_shares, unlike_lengths
from nrl_dedup.evaluation.plots.precision_recall import precision_recall
from nrl_dedup.evaluation.plots.style import Scores
from nrl_dedup.evaluation.report import Report
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.decoding import decode, quiet_pillow
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from nrl_dedup.metrics import are_links
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.baseline import baseline_features
from nrl_dedup.tables import catalogue_ends

MAX_DRAWN = 3  # pairs of each kind whose attention is drawn
NAME_LENGTH = 60  # characters of a model's name that come into the name of a file

Picture = Callable[[], Figure]


def draw_pictures(
    report: Report,
    contenders: Sequence[Contender],
    pairs: str,
    folder: Path,
    run: Run,
) -> int:
    """Draw `pictures` into `folder` and count them; files of the same names are replaced, others left alone.

    A pair whose photo can no longer be read has no picture, which is said.

    :raises NrlDedupError: the folder cannot be made or written.
    """
    found = pictures(report, contenders, pairs, run)
    drawn = 0
    with quiet_pillow(), run.progress.task("drawing pictures", len(found)) as task:
        for name, picture in found.items():
            try:
                save(picture(), folder, name)
                drawn += 1
            except UnreadablePhoto as error:
                run.progress.warn(f"{name} is not drawn: a photo can no longer be read ({error}).")
            task.advance()
    return drawn


def pictures(
    report: Report,
    contenders: Sequence[Contender],
    pairs: str,
    run: Run,
) -> dict[str, Picture]:
    """What draws each picture, by the name of its file without ending:

    precision_recall                of all models and the baseline (Figure 4.10)
    calibration                     of all
    feature_plane                   the first bundle's baseline (Figures 4.1 to 4.4)
    class_shares                    by length (Figure 4.11)
    ap_by_length                    of all (Figure 4.12)
    unlike_lengths-NAME             of each
    history-NAME                    of each bundle (Figures 4.8 and 4.9)
    attention-NAME-right-linked-1   three pairs of each kind of `most_certain`, of each bundle that has attention

    :param contenders: of the report's evaluation, in their order.
    :param pairs: which pairs these are, for the titles: "test pairs".
    """
    evaluation, first = report.evaluation, contenders[0]
    row_l, row_r = catalogue_ends(evaluation.pairs)
    labels = evaluation.pairs["is_duplicate"].to_numpy()
    weights = evaluation.pairs["weight"].to_numpy()
    file_name = file_names(report.models)
    scores = {name: Scores(labels, logits, weights) for name, logits in evaluation.logits.items()}
    seen = evaluation.features[first.name]
    found: dict[str, Picture] = {
        "precision_recall": partial(precision_recall, scores, pairs),
        "calibration": partial(calibration, scores, pairs),
        "feature_plane": lambda: feature_plane(
            baseline_features(seen.words, seen.inputs.photos, row_l, row_r),
            labels,
            first.bundle.baseline.logits,
            pairs,
            evaluation.threshold,
        ),
        "class_shares": partial(class_shares, labels, weights, report.by_length.of_pair),
        "ap_by_length": partial(_ap_by_length, report),
    }
    for name in report.models:
        found[f"unlike_lengths-{file_name[name]}"] = partial(_unlike_lengths, report, name)
    for contender in contenders:
        found[f"history-{file_name[contender.name]}"] = partial(_history, contender)
    for contender in contenders:
        attended = _attention(report, contender, run)
        found |= {
            f"attention-{file_name[contender.name]}-{kind}": picture
            for kind, picture in attended.items()
        }
    return found


def file_names(models: Iterable[str]) -> dict[str, str]:
    """The name of each model in the names of files: letters, digits, `_`, `.` and `-` only, at most 60 of them,
    and no two alike on a disk that does not know capitals; of like ones the later get a number."""
    found: dict[str, str] = {}
    taken = set()
    for name in models:
        plain = re.sub(r"[^\w.-]+", "-", name).strip("-")[:NAME_LENGTH]
        file_name, number = plain, 1
        while file_name.casefold() in taken:
            number += 1
            file_name = f"{plain}-{number}"
        taken.add(file_name.casefold())
        found[name] = file_name
    return found


def _ap_by_length(report: Report) -> Figure:
    parts = {name: model.by_length for name, model in report.models.items()}
    counts = np.array([part.pairs for part in next(iter(parts.values()))])
    ap = {name: [part.average_precision for part in of_model] for name, of_model in parts.items()}
    intervals = {
        name: [_ends(part.interval) for part in of_model] for name, of_model in parts.items()
    }
    return ap_by_length(ap, counts, intervals)


def _ends(interval: Interval) -> tuple[float, float] | None:
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def _unlike_lengths(report: Report, name: str) -> Figure:
    keys = report.by_unlike_length.keys
    spans = list(dict.fromkeys(str(key["longer"]) for key in keys))
    ap = np.full((len(spans), len(spans)), np.nan)
    counts = np.zeros(ap.shape, dtype=np.int64)
    for key, part in zip(keys, report.models[name].by_unlike_length, strict=True):
        cell = spans.index(key["shorter"]), spans.index(key["longer"])
        counts[cell] = part.pairs
        if part.average_precision is not None:
            ap[cell] = part.average_precision
    return unlike_lengths(ap, counts, spans, name)


def _history(contender: Contender) -> Figure:
    epochs = contender.bundle.history
    return history(
        [epoch.number for epoch in epochs],
        [epoch.train_loss for epoch in epochs],
        [epoch.valid_loss for epoch in epochs],
        [epoch.train_ap for epoch in epochs],
        [epoch.valid_ap for epoch in epochs],
        contender.bundle.best_epoch,
        contender.name,
    )


def _attention(report: Report, contender: Contender, run: Run) -> dict[str, Picture]:
    """Where the model looks in both photos of each of the `most_certain` pairs, by kind and number; nothing if it has
    no attention or saw no photos."""
    evaluation, name = report.evaluation, contender.name
    fusion, features = contender.bundle.model.fusion, evaluation.features[name].inputs
    photos, folder = features.photos, contender.photo_folder
    if not isinstance(fusion, StackedAttention) or photos is None or folder is None:
        return {}
    row_l, row_r = catalogue_ends(evaluation.pairs)
    labels = evaluation.pairs["is_duplicate"].to_numpy()
    logits = evaluation.logits[name]
    both = np.logical_and(*evaluation.ends(features.has_image()))
    chosen = most_certain(labels, logits, are_links(logits, evaluation.threshold), both)
    pairs = np.concatenate(list(chosen.values()))
    ads = np.unique(np.concatenate([row_l[pairs], row_r[pairs]]))
    shares = attention_maps(fusion, features, ads, device=run.device, progress=run.progress)
    side = isqrt(features.image_shape[0])
    maps = shares.reshape(*shares.shape[:2], side, side)
    top = top_regions(shares).reshape(*shares.shape[:2], side, side)
    refs = _chosen_refs(photos, ads)
    files = PhotoFolder(folder)

    def attended(row: int) -> AttendedPhoto:
        at = int(np.searchsorted(ads, row))
        return AttendedPhoto(
            evaluation.catalogue.ids[row], decode(files.read(refs[at])), maps[at], top[at]
        )

    def picture(pair: int) -> Figure:
        left, right = attended(int(row_l[pair])), attended(int(row_r[pair]))
        outlined = f"the {100 // TOP_PART} % of the regions that the layer looks at most"
        score = float(expit(logits[[pair]])[0])
        return attention(
            left, right, outlined=outlined, is_duplicate=bool(labels[pair]), score=score
        )

    return {
        f"{kind}-{number}": partial(picture, pair)
        for kind, of_kind in chosen.items()
        for number, pair in enumerate(of_kind.tolist(), start=1)
    }


def most_certain(
    labels: Bool[np.ndarray, "pairs"],
    logits: Float64[np.ndarray, "pairs"],
    linked: Bool[np.ndarray, "pairs"],
    candidates: Bool[np.ndarray, "pairs"],
) -> dict[str, Int64[np.ndarray, "chosen"]]:
    """Up to three pairs of each kind, the most certain first: right-linked (duplicates), right-apart (others),
    wrong-linked (false links), wrong-apart (missed duplicates). Of equally certain ones the first pairs.

    :param candidates: the pairs that may be chosen.
    """
    kinds = {
        "right-linked": (linked & labels, -logits),
        "right-apart": (~linked & ~labels, logits),
        "wrong-linked": (linked & ~labels, -logits),
        "wrong-apart": (~linked & labels, logits),
    }
    found = {}
    for kind, (of_kind, uncertainty) in kinds.items():
        at = np.flatnonzero(of_kind & candidates)
        found[kind] = at[np.argsort(uncertainty[at], kind="stable")][:MAX_DRAWN]
    return found


def _chosen_refs(photos: AdPhotos, ads: Int64[np.ndarray, "ads"]) -> list[str]:
    """The reference of the photo that embedding takes of each of these ads, which all have one."""
    rows = pl.DataFrame({"row": photos.chosen()[ads]})
    return rows.join(photos.centre.photos, on="row", how="left", maintain_order="left")[
        "photo"
    ].to_list()
