"""The files and the commands of the five folds.

A fold is a test for models that have not seen it: they are trained on the ads and the pairs of the other folds, of
which `train` itself keeps tenths apart, by groups of duplicates, to choose the epoch and, for `link --precision`, the
threshold. Named as --test-pairs, the fold would be one of those tenths, and its labels would choose the threshold that
they then judge.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from measuring.steps import Step, step

FOLDS = 5
SETTINGS = {"hidden": "without price and category", "all": "all columns"}
HIDDEN = ("price", "categoryID")
WHOLE = 1.0
LOW = 0.02  # the threshold of the links among which the best one is looked for
PRECISION = 0.95
SEED = 0


@dataclass(frozen=True)
class Study:
    """What is trained, on what, and where it is kept. `share`: of the things, for a trial; `few`: shares of labels."""

    real: Path
    out: Path
    weights: Path | None
    backbone: str
    folds: int
    share: float
    few: tuple[float, ...]
    train_options: tuple[str, ...]

    @property
    def shown(self) -> "Study":
        """The same with names for paths."""
        return replace(self, real=Path("REAL"), out=Path("OUT"), weights=self.weights and Path("FILE"))

    @property
    def images(self) -> Path:
        return self.real / "images"

    @property
    def truth(self) -> Path:
        return self.out / "data" / "truth.csv"

    def items(self, setting: str, fold: str | None = None) -> Path:
        """The catalogue; without the ads of a fold, if one is named."""
        return self.out / "data" / f"{setting}{'' if fold is None else f'-without-fold-{fold}'}.csv"

    def test_pairs(self, fold: str) -> Path:
        return self.out / "data" / f"pairs-fold-{fold}.csv"

    def train_pairs(self, fold: str, labels: float) -> Path:
        return self.out / "data" / f"pairs-without-fold-{fold}-{percent(labels)}.csv"


def percent(share: float) -> str:
    return f"{100 * share:g}"


# ---- files


def write_files(study: Study) -> None:
    """Everything under OUT/data."""
    items, pairs, truth = (
        pl.read_csv(study.real / name, infer_schema=False) for name in ("ItemInfo.csv", "ItemPairs.csv", "truth.csv")
    )
    truth = sample_things(truth, pairs, study.share)
    ids = truth["itemID"].implode()
    items = items.filter(pl.col("itemID").is_in(ids))
    pairs = pairs.filter(pl.col("itemID_1").is_in(ids) & pl.col("itemID_2").is_in(ids))
    study.truth.parent.mkdir(parents=True, exist_ok=True)
    _write(study.truth, truth)
    for setting in SETTINGS:
        seen = items.drop(HIDDEN, strict=False) if setting == "hidden" else items
        _write(study.items(setting), seen)
        for fold in folds(study):
            others = truth.filter(pl.col("fold") != fold)["itemID"].implode()
            _write(study.items(setting, fold), seen.filter(pl.col("itemID").is_in(others)))
    for fold in folds(study):
        _write(study.test_pairs(fold), pairs.filter(pl.col("fold") == fold))
        for labels in (*study.few, WHOLE):
            _write(study.train_pairs(fold, labels), sample_pairs(pairs.filter(pl.col("fold") != fold), labels))


def folds(study: Study) -> list[str]:
    return [str(fold) for fold in range(study.folds)]


def sample_things(truth: pl.DataFrame, pairs: pl.DataFrame, share: float) -> pl.DataFrame:
    """The ads of about that share of the things: of some at random, and of those that share a labelled pair with them,
    so that there are pairs of different things too; each thing stands in pairs with about four others."""
    entity = dict(truth.select("itemID", "entity").iter_rows())
    things = truth["entity"].unique(maintain_order=True)
    drawn = set(things.filter(np.random.default_rng(SEED).random(len(things)) < (share if share == 1 else share / 5)))
    of_pairs = ({entity[left], entity[right]} for left, right in pairs.select("itemID_1", "itemID_2").iter_rows())
    kept = set().union(drawn, *(both for both in of_pairs if both & drawn))
    return truth.filter(pl.col("entity").is_in(list(kept)))


def sample_pairs(pairs: pl.DataFrame, share: float) -> pl.DataFrame:
    """A random share of the duplicates and of the others, in the file's order; a smaller share is part of a larger."""
    place = pl.Series(np.random.default_rng(SEED).permutation(len(pairs)))
    rank = (
        pairs.select("isDuplicate", place=place).select(pl.col("place").rank("ordinal").over("isDuplicate")).to_series()
    )
    size = pairs.select(pl.len().over("isDuplicate")).to_series()
    return pairs.filter(rank <= (share * size).round())


def _write(path: Path, frame: pl.DataFrame) -> None:
    content = frame.write_csv()
    if path.exists() and path.read_text("utf-8") != content:
        raise SystemExit(f"{path} is of another run, with other options or other ads. Name another OUT.")
    path.write_text(content, "utf-8")


# ---- commands


@dataclass(frozen=True)
class OfModel:
    """The steps of one training: `evaluated` on a fold each."""

    train: Step
    evaluated: tuple[Step, ...]

    @property
    def steps(self) -> list[Step]:
        return [self.train, *self.evaluated]


@dataclass(frozen=True)
class OfFold:
    """The steps of one setting and fold: trained on all labels of the other folds, and on few of them."""

    model: OfModel
    siamese: Step
    link: Step
    precise: Step
    low: Step
    few: tuple[OfModel, ...]

    @property
    def steps(self) -> list[Step]:
        few = [step for model in self.few for step in model.steps]
        return [*self.model.steps, self.siamese, self.link, self.precise, self.low, *few]


@dataclass(frozen=True)
class OfSetting:
    """The steps of one setting. `cold`: the first fold's model links where no photo has been looked at before."""

    unlabelled: OfModel
    folds: tuple[OfFold, ...]
    cold: Step

    @property
    def steps(self) -> list[Step]:
        return [*self.unlabelled.steps, *(step for fold in self.folds for step in fold.steps), self.cold]


def of_setting(study: Study, setting: str) -> OfSetting:
    of_folds = tuple(of_fold(study, setting, fold) for fold in folds(study))
    cold = _link(study, setting, of_folds[0].model.train, "link-cold", "--work-dir", "{}/features")
    return OfSetting(unlabelled(study, setting, folds(study)), of_folds, cold)


def unlabelled(study: Study, setting: str, on: list[str]) -> OfModel:
    """Trained on the whole catalogue without labels."""
    folder = study.out / setting / "no-labels"
    train = _train(study, folder / "train", study.items(setting))
    return OfModel(train, tuple(_evaluate(study, setting, train, fold, f"evaluate-fold-{fold}") for fold in on))


def of_fold(study: Study, setting: str, fold: str) -> OfFold:
    model = _labelled(study, setting, fold, WHOLE)
    return OfFold(
        model=model,
        siamese=_evaluate(study, setting, model.train, fold, "evaluate-siamese", "--scorer", "siamese"),
        link=_link(study, setting, model.train, "link"),
        precise=_link(study, setting, model.train, "link-precision", "--precision", PRECISION),
        low=_link(study, setting, model.train, "link-low", "--threshold", LOW),
        few=tuple(_labelled(study, setting, fold, share) for share in study.few),
    )


def _labelled(study: Study, setting: str, fold: str, labels: float) -> OfModel:
    folder = study.out / setting / f"fold-{fold}" / f"labels-{percent(labels)}"
    train = _train(study, folder / "train", study.items(setting, fold), study.train_pairs(fold, labels))
    return OfModel(train, (_evaluate(study, setting, train, fold, "evaluate"),))


def _train(study: Study, folder: Path, *files: Path) -> Step:
    network = ["--backbone", study.backbone, *(["--backbone-weights", study.weights] if study.weights else [])]
    how = ["--images", study.images, "--language", "en", *network, *study.train_options]
    return step(folder, "train", *files, *how, "-o", "{}/bundle")


def _evaluate(study: Study, setting: str, train: Step, fold: str, name: str, *how: object) -> Step:
    on = ["--items", study.items(setting), "--pairs", study.test_pairs(fold), "--images", study.images]
    written = ["--blocking", "--json", "{}/figures.json", "--scores", "{}/scores.csv"]
    words = ["evaluate", "--model", train.folder / "bundle", *on, *how, *written]
    return step(train.folder.with_name(name), *words, needs=[train])


def _link(study: Study, setting: str, train: Step, name: str, *how: object) -> Step:
    words = ["link", study.items(setting), "--images", study.images, "--model", train.folder / "bundle", *how]
    written = ["-o", "{}/dupes.csv", "--links", "{}/links.csv"]
    return step(train.folder.with_name(name), *words, *written, needs=[train])
