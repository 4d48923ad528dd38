"""Pair evidence on real ads, fold by fold, beside what a user could put together; and on published text-only splits.

    python examples/making/real_ads.py PHOTOS_REPOSITORY TEXT_REPOSITORY REAL
    python tests/benchmarks/pair_evidence.py REAL --backbone mobilenet_v2 --backbone-weights FILE \
        [--published abt-buy --published amazon-google]

Four folds are fitted, the fifth is measured: mean and deviation over the five. Neighbours are searched by brute force.
A published folder holds items.csv, pairs_train.csv, pairs_valid.csv and pairs_test.csv; the threshold of its F1 is the
best on the validation pairs. Ours is the first look at a pair. Takes minutes where photo features are there already.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from nrl_dedup.adaptation.co_training import co_train
from nrl_dedup.blocking.neighbours import NONE, Neighbours
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.comparison.ad_profiles import build_profiles, fit_statistics
from nrl_dedup.comparison.compare import ComparisonVectors, compare_pairs
from nrl_dedup.comparison.compared_ads import ComparedAds, word_counts
from nrl_dedup.comparison.neighbourhoods import known_neighbours
from nrl_dedup.comparison.tokens import tf_idf
from nrl_dedup.config import PhotoSettings
from nrl_dedup.features.photos.ad_photos import AdPhotos, readable_photos
from nrl_dedup.features.photos.backbones import load_backbone
from nrl_dedup.features.photos.descriptor_store import PhotoDescriptors, compute_descriptors
from nrl_dedup.features.photos.feature_store import compute_features
from nrl_dedup.features.photos.photo_folder import PhotoFolder, find_photo_folder
from nrl_dedup.features.text.inverse_frequencies import InverseFrequencies
from nrl_dedup.features.text.words import Words, read_words
from nrl_dedup.metrics import (
    average_precision,
    calibration_bins,
    expected_calibration_error,
    precision_recall_curve,
)
from nrl_dedup.scoring.baseline import baseline_features as baseline_evidence
from nrl_dedup.scoring.baseline import fit_baseline
from nrl_dedup.scoring.modality_models import ModalityModels
from nrl_dedup.scoring.pair_model import PairModel, unlabelled_model
from nrl_dedup.training.pair_model.boosting import fit_pair_model

NEIGHBOURS = 20
WORDS_AND_PHOTOS = ("text", "photos", "text and photos")
EVERYTHING = (*WORDS_AND_PHOTOS, "price", "other")
SHARES = (0.01, 0.1, 1.0)
REPEATS = {0.01: 5, 0.1: 2, 1.0: 1}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ads:
    """What is known of the ads of a catalogue."""

    catalogue: Catalogue
    words: Words
    photos: AdPhotos | None
    sketches: PhotoDescriptors | None
    columns: dict[str, pl.Series]

    def take(self, rows: np.ndarray) -> "Ads":
        """A catalogue of some of the ads."""
        photos = self.photos
        if photos is not None:
            counts = np.diff(photos.offsets)[rows]
            each = [photos.rows[photos.offsets[row] : photos.offsets[row + 1]] for row in rows]
            photos = AdPhotos(
                np.concatenate(each), np.concatenate([[0], np.cumsum(counts)]), photos.centre
            )
        columns = {name: texts[rows] for name, texts in self.columns.items()}
        return Ads(self.catalogue.take(rows), self.words.take(rows), photos, self.sketches, columns)


@dataclass(frozen=True)
class Pairs:
    rows_l: np.ndarray
    rows_r: np.ndarray
    labels: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(
        f"  {what}: {time.perf_counter() - wall:.1f} s, of one core {time.process_time() - cpu:.1f} s",
        flush=True,
    )


def brute_force(similarity: Callable[[slice], np.ndarray], ads: int) -> Neighbours:
    """The nearest ads by a function that gives the similarities of some ads to all; only those above 0."""
    rows, values = np.full((ads, NEIGHBOURS), NONE), np.full((ads, NEIGHBOURS), np.nan, np.float32)
    for start in range(0, ads, 500):
        part = slice(start, start + 500)
        found = similarity(part)
        found[np.arange(len(found)), np.arange(start, start + len(found))] = -1
        best = np.argsort(-found, axis=1, kind="stable")[:, :NEIGHBOURS]
        best_values = np.take_along_axis(found, best, axis=1)
        rows[part, : best.shape[1]] = np.where(best_values > 0, best, NONE)
        values[part, : best.shape[1]] = np.where(best_values > 0, best_values, np.nan)
    return Neighbours(rows, values)


def first_photos(ads: Ads) -> np.ndarray:
    """The network's features of each ad's first photo, of length 1; zeros without one."""
    assert ads.photos is not None
    chosen = ads.photos.chosen()
    features = np.zeros((len(chosen), *ads.photos.centre.shape), np.float32)
    features[chosen >= 0] = ads.photos.centre.gather(chosen[chosen >= 0])
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)


def neighbours_of(ads: Ads) -> list[Neighbours]:
    counts = word_counts(ads.words)
    frequencies = InverseFrequencies.fit(counts, ads.words.distinct)
    vectors = tf_idf(counts, frequencies.of(ads.words.distinct))
    transposed = vectors.T.tocsr()
    found = [brute_force(lambda part: (vectors[part] @ transposed).toarray(), len(ads.words))]
    if ads.photos is not None:
        features = first_photos(ads)
        found.append(brute_force(lambda part: features[part] @ features.T, len(features)))
    return found


def candidate_pairs(searched: Sequence[Neighbours]) -> tuple[np.ndarray, np.ndarray]:
    known = known_neighbours(searched)
    ad, place = np.nonzero(known != NONE)
    keys = np.unique(np.sort([ad, known[ad, place]], axis=0), axis=1)
    return keys[0], keys[1]


@dataclass(frozen=True)
class Compared:
    """The evidence of labelled pairs and of candidates, of one catalogue."""

    labelled: ComparisonVectors
    candidates: ComparisonVectors
    rows: tuple[np.ndarray, np.ndarray]

    def views(self, groups: Sequence[str]) -> ModalityModels:
        return co_train(self.candidates.only(groups), *self.rows)


def compare(ads: Ads, rows_l: np.ndarray, rows_r: np.ndarray, say: bool = True) -> Compared:
    stage = timed if say else lambda _: nullcontext()
    with stage("neighbours by brute force"):
        searched = neighbours_of(ads)
    with stage(f"preparing {len(ads.catalogue):,} ads"):
        frame = ads.catalogue.frame
        compared = ComparedAds(
            frame["title"], frame["description"], ads.words, ads.photos, ads.sketches, ads.columns
        )
        described = build_profiles(fit_statistics(compared), compared, searched)
    candidates = candidate_pairs(searched)
    with stage(f"evidence of {len(candidates[0]):,} candidate pairs"):
        evidence = compare_pairs(described, *candidates)
    return Compared(compare_pairs(described, rows_l, rows_r), evidence, candidates)


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure for each fold (and repeat)."""

    name: str
    precisions: list[float]
    errors: list[float]

    def __str__(self) -> str:
        errors = (
            "" if not self.errors else f"{np.mean(self.errors):.3f} +- {np.std(self.errors):.3f}"
        )
        return f"| {self.name} | {np.mean(self.precisions):.3f} +- {np.std(self.precisions):.3f} | {errors} |"


def figures(labels: np.ndarray, log_odds: np.ndarray) -> tuple[float, float]:
    ones = np.ones(len(labels))
    error = expected_calibration_error(calibration_bins(labels, log_odds, ones))
    return average_precision(labels, log_odds, ones) or 0.0, error or 0.0


def unlabelled_row(name: str, pairs: Pairs, score: np.ndarray) -> Row:
    score = np.nan_to_num(score.astype(np.float64), nan=-1e9)
    held = [pairs.fold == fold for fold in np.unique(pairs.fold)]
    return Row(name, [figures(pairs.labels[some], score[some])[0] for some in held], [])


def fitted_row(
    name: str,
    pairs: Pairs,
    fit_and_score: Callable[[np.ndarray, np.ndarray], np.ndarray],
    share: float = 1.0,
) -> Row:
    """:param fit_and_score: the numbers of training and test pairs -> the log-odds of the latter."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(REPEATS[share]):
        for fold in np.unique(pairs.fold):
            train, test = np.flatnonzero(pairs.fold != fold), np.flatnonzero(pairs.fold == fold)
            some = np.sort(draw.permutation(train)[: round(share * len(train))])
            found.append(figures(pairs.labels[test], fit_and_score(some, test)))
    precisions, errors = zip(*found, strict=True)
    return Row(name, list(precisions), list(errors))


def fit(
    evidence: ComparisonVectors,
    pairs: Pairs,
    some: np.ndarray,
    views: ModalityModels | None,
) -> PairModel:
    labels = pairs.labels[some]
    return fit_pair_model(
        evidence.take(some), labels, pairs.rows_l[some], pairs.rows_r[some], views=views
    ).model


def ours(
    evidence: ComparisonVectors,
    pairs: Pairs,
    views: ModalityModels | None,
    train: np.ndarray,
    test: np.ndarray,
) -> np.ndarray:
    return fit(evidence, pairs, train, views).log_odds(evidence.take(test))


def boosted(values: np.ndarray, pairs: Pairs, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """What a user would try first: scikit-learn's gradient boosting as it comes."""
    model = HistGradientBoostingClassifier(random_state=0).fit(values[train], pairs.labels[train])
    return model.decision_function(values[test])


def thesis(values: np.ndarray, pairs: Pairs, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    return fit_baseline(values[train], pairs.labels[train]).logits(values[test])


def raw_photos(ads: Ads, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """The cosine of the first photos' features, and the same less the mean of both ads' ten nearest."""
    features = first_photos(ads)
    level = np.sort(features @ features.T, axis=1)[:, -11:-1].mean(
        axis=1
    )  # the highest is that with itself
    cosine = np.einsum("ij,ij->i", features[pairs.rows_l], features[pairs.rows_r])
    return cosine, cosine - (level[pairs.rows_l] + level[pairs.rows_r]) / 2


def simple_rows(ads: Ads, pairs: Pairs, compared: Compared) -> Iterator[Row]:
    evidence = compared.labelled
    cosine, judged = raw_photos(ads, pairs)
    yield Row(
        "chance",
        [float(pairs.labels[pairs.fold == fold].mean()) for fold in np.unique(pairs.fold)],
        [],
    )
    baseline = baseline_evidence(ads.words, ads.photos, pairs.rows_l, pairs.rows_r)
    yield unlabelled_row("Jaccard similarity of the words", pairs, baseline[:, 0])
    yield unlabelled_row("HSV histogram", pairs, evidence.columns(["colours"])[:, 0])
    yield unlabelled_row("cosine of photo features", pairs, cosine)
    yield unlabelled_row("the same less each ad's ten nearest (no label)", pairs, judged)
    yield fitted_row("the thesis's baseline", pairs, partial(thesis, baseline, pairs))
    lengths = (
        "description_length_min",
        "description_length_max",
        "title_length_min",
        "title_length_max",
    )
    values = np.column_stack([evidence.columns(["words", "colours", *lengths]), cosine])
    yield fitted_row(
        "tf-idf + photo + histogram + lengths, boosted", pairs, partial(boosted, values, pairs)
    )
    relative = ("words_above_mean", "words_above_max", "colours_above_mean", "colours_above_max")
    values = np.column_stack([values, evidence.columns([*relative]), judged])
    yield fitted_row(
        "the same, each also less the neighbourhood's", pairs, partial(boosted, values, pairs)
    )
    values = np.column_stack([values, evidence.columns(["price_relative", "price_missing"])])
    yield fitted_row("the same and the price", pairs, partial(boosted, values, pairs))
    values = np.column_stack([values, evidence.columns(["category_same"])])
    yield fitted_row("the same and the category", pairs, partial(boosted, values, pairs))


def our_rows(pairs: Pairs, compared: Compared) -> Iterator[Row]:
    for what, groups in (("words and photos", WORDS_AND_PHOTOS), ("all columns", EVERYTHING)):
        evidence, views = compared.labelled.only(groups), compared.views(groups)
        yield unlabelled_row(
            f"ours, {what}, no label", pairs, unlabelled_model(views).log_odds(evidence)
        )
        for share in SHARES:
            fit_and_score = partial(ours, evidence, pairs, views)
            yield fitted_row(
                f"ours, {what}, {share:.0%} of the labels", pairs, fit_and_score, share
            )
        alone = partial(ours, evidence, pairs, None)
        yield fitted_row(f"ours, {what}, labels without co-training", pairs, alone)


def unseen_rows(ads: Ads, pairs: Pairs, fold_of_ad: np.ndarray) -> Iterator[Row]:
    """Fitted on a catalogue of four folds' ads; used on one of the fifth's alone."""
    found: dict[str, list[tuple[float, float]]] = {}
    for fold in np.unique(pairs.fold):
        sides = [np.flatnonzero(fold_of_ad != fold), np.flatnonzero(fold_of_ad == fold)]
        parts = []
        for side, kept in zip(sides, (pairs.fold != fold, pairs.fold == fold), strict=True):
            place = np.full(len(fold_of_ad), -1)
            place[side] = np.arange(len(side))
            own = Pairs(
                place[pairs.rows_l[kept]],
                place[pairs.rows_r[kept]],
                pairs.labels[kept],
                pairs.fold[kept],
            )
            parts.append((own, compare(ads.take(side), own.rows_l, own.rows_r, say=False)))
        (train, seen), (test, unseen) = parts
        for what, groups in (("words and photos", WORDS_AND_PHOTOS), ("all columns", EVERYTHING)):
            model = fit(
                seen.labelled.only(groups), train, np.arange(len(train)), seen.views(groups)
            )
            found.setdefault(what, []).append(
                figures(test.labels, model.log_odds(unseen.labelled.only(groups)))
            )
    for what, values in found.items():
        precisions, errors = zip(*values, strict=True)
        yield Row(f"ours, {what}, a catalogue never seen", list(precisions), list(errors))


def read_real(options: argparse.Namespace) -> tuple[Ads, Pairs, np.ndarray]:
    path = options.real / "ItemInfo.csv"
    catalogue = read_catalogue(path)
    folder = PhotoFolder(find_photo_folder(path) or options.real)
    backbone = load_backbone(options.backbone, options.backbone_weights, CPU)
    compute = partial(
        compute_features, source=folder, backbone=backbone, work_dir=options.work_dir, device=CPU
    )
    photos = readable_photos(catalogue.frame["photos"], PhotoSettings(views=0), compute)
    with timed("photo sketches"):
        sketches = compute_descriptors(
            catalogue.frame["photos"].explode(), folder, options.work_dir
        )
    words = read_words([catalogue.frame["title"], catalogue.frame["description"]], "en")
    columns = further_columns(catalogue)
    table = pl.read_csv(options.real / "ItemPairs.csv", infer_schema=False)
    pairs = Pairs(
        catalogue.rows_of(table["itemID_1"]).to_numpy(),
        catalogue.rows_of(table["itemID_2"]).to_numpy(),
        (table["isDuplicate"] == "1").to_numpy(),
        table["fold"].cast(pl.Int64).to_numpy(),
    )
    truth = pl.read_csv(options.real / "truth.csv", infer_schema=False)
    fold_of_ad = np.empty(len(catalogue), np.int64)
    fold_of_ad[catalogue.rows_of(truth["itemID"]).to_numpy()] = (
        truth["fold"].cast(pl.Int64).to_numpy()
    )
    return Ads(catalogue, words, photos, sketches, columns), pairs, fold_of_ad


def further_columns(catalogue: Catalogue) -> dict[str, pl.Series]:
    return {column.name: column for column in catalogue.further.iter_columns()}


def published(folder: Path) -> Iterator[str]:
    """F1 on the test pairs, text alone and with the price; fitted on the training pairs."""
    catalogue = read_catalogue(folder / "items.csv")
    words = read_words([catalogue.frame["title"], catalogue.frame["description"]], "en")
    ads = Ads(catalogue, words, None, None, further_columns(catalogue))
    tables = [
        pl.read_csv(folder / f"pairs_{side}.csv", infer_schema=False)
        for side in ("train", "valid", "test")
    ]
    table = pl.concat(tables)
    side = np.repeat(np.arange(3), [len(part) for part in tables])
    rows = [catalogue.rows_of(table[name]).to_numpy() for name in ("item_id_l", "item_id_r")]
    pairs = Pairs(*rows, (table["is_duplicate"] == "1").to_numpy(), side)
    compared = compare(ads, pairs.rows_l, pairs.rows_r, say=False)
    for what, groups in (
        ("title and description", ("text",)),
        ("and the price", ("text", "price")),
    ):
        evidence, views = compared.labelled.only(groups), compared.views(groups)
        log_odds = fit(evidence, pairs, np.flatnonzero(side == 0), views).log_odds(evidence)
        alone = unlabelled_model(views).log_odds(evidence)
        labels, valid, test = pairs.labels, side == 1, side == 2
        curve = precision_recall_curve(labels[valid], log_odds[valid], np.ones(valid.sum()))
        assert curve is not None
        f1 = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-9)
        linked = log_odds[test] >= curve.thresholds[np.argmax(f1)]
        test_f1 = 2 * np.sum(linked & labels[test]) / (linked.sum() + labels[test].sum())
        ap, error = figures(labels[test], log_odds[test])
        without = figures(labels[test], alone[test])[0]
        reached = (
            f"{100 * f1.max():.1f} | {100 * test_f1:.1f} | {ap:.3f} | {error:.3f} | {without:.3f}"
        )
        yield f"| {folder.name}, {what} | {reached} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path)
    parser.add_argument("--backbone", default="mobilenet_v2", help="default: %(default)s")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument(
        "--work-dir", type=Path, required=True, help="where photo features and sketches are kept"
    )
    parser.add_argument("--published", type=Path, action="append", default=[])
    options = parser.parse_args()
    ads, pairs, fold_of_ad = read_real(options)
    compared = compare(ads, pairs.rows_l, pairs.rows_r)
    print(f"\n{len(pairs):,} labelled pairs, {pairs.labels.sum():,} duplicates\n")
    print(
        "| on the fifth fold | average precision | calibration error |\n|---|---|---|", flush=True
    )
    for rows in (
        simple_rows(ads, pairs, compared),
        our_rows(pairs, compared),
        unseen_rows(ads, pairs, fold_of_ad),
    ):
        for row in rows:
            print(row, flush=True)
    if options.published:
        print("\n| published split | valid F1 | test F1 | test AP | test ECE | test AP, no label |")
        print("|---|---|---|---|---|---|")
    for folder in options.published:
        for line in published(folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
