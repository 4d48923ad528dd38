"""The commands of the five folds, and the names of their files.

A fold is a test for models that learn nothing from its pairs: they are trained on the pairs of the other folds, of
which a tenth, by groups of duplicates, chooses the epoch. `train` is told the pairs of the fold as --test-pairs, so
that it keeps their ads out of the vocabulary and of what it learns without labels. The pair model and the threshold of
`link --precision` follow from the other pairs alone. (With --scorer siamese that threshold would know the test pairs.)
"""

from dataclasses import dataclass, replace
from pathlib import Path

from measuring.steps import Step, step
from nrl_dedup.clustering import DEFAULT, METHODS

FOLDS = 5
SETTINGS = {"hidden": "without price and category", "all": "all columns"}
WHOLE = 1.0
LOW = 0.02  # the threshold of the links among which the best one is looked for
PRECISION = 0.95
OTHER_METHODS = tuple(name for name in METHODS if name != DEFAULT)  # of clustering


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
        return replace(
            self, real=Path("REAL"), out=Path("OUT"), weights=self.weights and Path("FILE")
        )

    @property
    def images(self) -> Path:
        return self.real / "images"

    @property
    def truth(self) -> Path:
        return self.out / "data" / "truth.csv"

    def items(self, setting: str) -> Path:
        return self.out / "data" / f"{setting}.csv"

    def test_pairs(self, fold: str) -> Path:
        return self.out / "data" / f"fold-{fold}" / "test.csv"

    def train_pairs(self, fold: str, labels: float) -> Path:
        return self.out / "data" / f"fold-{fold}" / f"train-{percent(labels)}.csv"

    def valid_pairs(self, fold: str, labels: float) -> Path:
        return self.out / "data" / f"fold-{fold}" / f"valid-{percent(labels)}.csv"


def percent(share: float) -> str:
    return f"{100 * share:g}"


def folds(study: Study) -> list[str]:
    return [str(fold) for fold in range(study.folds)]


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
    """The steps of one setting and fold: trained on all labels of the other folds, and on few of them. `clustered`:
    `link` by each of `OTHER_METHODS`."""

    model: OfModel
    siamese: Step
    link: Step
    precise: Step
    low: Step
    clustered: tuple[Step, ...]
    few: tuple[OfModel, ...]

    @property
    def steps(self) -> list[Step]:
        few = [step for model in self.few for step in model.steps]
        return [
            *self.model.steps,
            self.siamese,
            self.link,
            self.precise,
            self.low,
            *self.clustered,
            *few,
        ]


@dataclass(frozen=True)
class OfSetting:
    """The steps of one setting. `cold`: the first fold's model links where no photo has been looked at before."""

    unlabelled: OfModel
    folds: tuple[OfFold, ...]
    cold: Step

    @property
    def steps(self) -> list[Step]:
        return [
            *self.unlabelled.steps,
            *(step for fold in self.folds for step in fold.steps),
            self.cold,
        ]


def of_setting(study: Study, setting: str) -> OfSetting:
    of_folds = tuple(of_fold(study, setting, fold) for fold in folds(study))
    cold = _link(study, setting, of_folds[0].model.train, "link-cold", "--work-dir", "{}/features")
    return OfSetting(unlabelled(study, setting, folds(study)), of_folds, cold)


def unlabelled(study: Study, setting: str, on: list[str]) -> OfModel:
    """Trained on the whole catalogue without labels."""
    folder = study.out / setting / "no-labels"
    train = _train(study, folder / "train", study.items(setting))
    return OfModel(
        train, tuple(_evaluate(study, setting, train, fold, f"evaluate-fold-{fold}") for fold in on)
    )


def of_fold(study: Study, setting: str, fold: str) -> OfFold:
    model = _labelled(study, setting, fold, WHOLE)
    return OfFold(
        model=model,
        siamese=_evaluate(
            study, setting, model.train, fold, "evaluate-siamese", "--scorer", "siamese"
        ),
        link=_link(study, setting, model.train, "link"),
        precise=_link(study, setting, model.train, "link-precision", "--precision", PRECISION),
        low=_link(study, setting, model.train, "link-low", "--threshold", LOW),
        clustered=tuple(
            _link(study, setting, model.train, f"link-{name}", "--clustering", name)
            for name in OTHER_METHODS
        ),
        few=tuple(_labelled(study, setting, fold, share) for share in study.few),
    )


def _labelled(study: Study, setting: str, fold: str, labels: float) -> OfModel:
    folder = study.out / setting / f"fold-{fold}" / f"labels-{percent(labels)}"
    published = [
        "--valid-pairs",
        study.valid_pairs(fold, labels),
        "--test-pairs",
        study.test_pairs(fold),
    ]
    train = _train(
        study, folder / "train", study.items(setting), study.train_pairs(fold, labels), *published
    )
    return OfModel(train, (_evaluate(study, setting, train, fold, "evaluate"),))


def _train(study: Study, folder: Path, *files: object) -> Step:
    network = [
        "--backbone",
        study.backbone,
        *(["--backbone-weights", study.weights] if study.weights else []),
    ]
    how = ["--images", study.images, "--language", "en", *network, *study.train_options]
    return step(folder, "train", *files, *how, "-o", "{}/bundle")


def _evaluate(study: Study, setting: str, train: Step, fold: str, name: str, *how: object) -> Step:
    on = [
        "--items",
        study.items(setting),
        "--pairs",
        study.test_pairs(fold),
        "--images",
        study.images,
    ]
    written = ["--blocking", "--json", "{}/figures.json", "--scores", "{}/scores.csv"]
    words = ["evaluate", "--model", train.folder / "bundle", *on, *how, *written]
    return step(train.folder.with_name(name), *words, needs=[train])


def _link(study: Study, setting: str, train: Step, name: str, *how: object) -> Step:
    words = [
        "link",
        study.items(setting),
        "--images",
        study.images,
        "--model",
        train.folder / "bundle",
        *how,
    ]
    written = ["-o", "{}/dupes.csv", "--links", "{}/links.csv"]
    return step(train.folder.with_name(name), *words, *written, needs=[train])
