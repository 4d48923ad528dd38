"""The settings of a model: frozen, checked when they are made, saved beside its weights.

Each field says what it may be, and how people see it (`Setting`): `nrl-dedup train` makes its options of that, and
messages name the option, or the field as it is called in `bundle.json` where there is no option.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from nrl_dedup.errors import NrlDedupError

TEXT_COLUMNS = {"title+description": ("title", "description"), "description": ("description",)}
PHOTO_CHOICES = ("first", "random")
SPLITS = ("ads", "pairs")
HEAD_SIGNS = ("nonpositive", "free")
PHOTO_POOLS = ("one", "mean")
REGION_KINDS = ("half", "int8", "int8-2x2", "int8-2x2-128")

# The score from which two ads are linked where nobody names another: the probability of a duplicate is one half.
DEFAULT_THRESHOLD = 0.5

SETTING = "setting"  # the key of a field's metadata that holds its `Setting`


@dataclass(frozen=True)
class Number:
    """The numbers that a setting may be: from `low` on, below `high` where there is one, and at most `most`.

    `wanted`: the same in words, without `most`. `low_is_excluded`: `low` itself is too low. `most`: a hundred times
    what anybody has use for. A slip of the finger, or a stranger's bundle or grid, must not ask for more memory than
    there is.
    """

    wanted: str
    low: int | float
    most: int | float
    low_is_excluded: bool = False
    high: int | float | None = None

    def check(self, name: str, value: int | float) -> None:
        """:raises NrlDedupError: `value` is none of them (NaN neither); the message calls it `name`."""
        high_enough = value > self.low if self.low_is_excluded else value >= self.low
        low_enough = self.high is None or value < self.high
        if not (high_enough and low_enough):
            raise NrlDedupError(f"{name} {value}: wanted {self.wanted}.")
        if not value <= self.most:
            raise NrlDedupError(f"{name} {value}: wanted at most {self.most:,}.")


@dataclass(frozen=True)
class OneOf:
    """The names that a setting may be."""

    names: tuple[str, ...]

    def check(self, name: str, value: str) -> None:
        """:raises NrlDedupError: `value` is none of them; the message calls it `name`."""
        if value not in self.names:
            raise NrlDedupError(f"{name} {value}: wanted one of {', '.join(self.names)}.")


@dataclass(frozen=True)
class Setting:
    """How people see a field of the settings, and what it may be.

    `name`: its option, or what messages call a field that has none. `allowed`: None where a table of the stage that
    reads it says so (languages, photo networks, fusion modules), and for a field that is true or false. `help`: what
    `--help` says of the option. `default`: the default in words, where it depends on other options.
    """

    name: str
    allowed: Number | OneOf | None
    help: str = ""
    default: str | None = None

    @property
    def is_option(self) -> bool:
        return self.name.startswith("--")

    def check(self, value: Any) -> None:
        """:raises NrlDedupError: `value`, or a number of several in it, is not allowed."""
        if self.allowed is None:
            return
        for one in value if isinstance(value, tuple) else (value,):
            self.allowed.check(self.name, one)


def _setting(
    value: Any,
    name: str,
    allowed: Number | OneOf | None = None,
    help: str = "",
    default: str | None = None,
) -> Any:
    """A field of settings whose default is `value`."""
    return field(default=value, metadata={SETTING: Setting(name, allowed, help, default)})


@dataclass(frozen=True)
class _Checked:
    """Settings that are checked when they are made, be it from options, from a grid or from a bundle."""

    def __post_init__(self) -> None:
        for one in fields(self):
            one.metadata[SETTING].check(getattr(self, one.name))


_ABOVE_0 = "a number above 0"
_VOCABULARY_SIZE = Number(_ABOVE_0, low=1, most=10_000_000)
_WORDS_OF_AN_AD = Number(_ABOVE_0, low=1, most=100_000)
_PHOTOS_OF_AN_AD = Number(_ABOVE_0, low=1, most=100_000)
_VIEWS = Number("0 or more", low=0, most=1_000)
_LAYERS = Number(_ABOVE_0, low=1, most=64)
_LAYER_SIZE = Number(_ABOVE_0, low=1, most=65_536)
_SHARE_BELOW_1 = Number("a share from 0 up to, but not, 1", low=0, high=1, most=1)
_MAX_STEPS = 2**31 - 1  # epochs, or ads in a batch
_STEPS = Number(_ABOVE_0, low=1, most=_MAX_STEPS)
_STEPS_OR_NONE = Number("0 or more", low=0, most=_MAX_STEPS)
_MAX_RATE = 1e38  # what 32 bits hold; that a rate is too high, the loss tells
_RATE = Number(_ABOVE_0, low=0, low_is_excluded=True, most=_MAX_RATE)
_WEIGHT = Number("0 or more", low=0, most=_MAX_RATE)
# One of the libraries that draw numbers takes no others.
_SEED = Number("a whole number from 0 to 2^63 - 1", low=0, high=2**63, most=2**63)


@dataclass(frozen=True)
class TextSettings(_Checked):
    """How an ad's words become token ids (`features/text/`)."""

    language: str = _setting(
        "auto",
        "--language",
        help="Language of the ads: how their words are read; auto: told by their text.",
    )
    text: str = _setting(
        "title+description", "--text", OneOf(tuple(TEXT_COLUMNS)), "Columns whose words are read."
    )
    vocabulary_size: int = _setting(30_000, "text.vocabulary_size", _VOCABULARY_SIZE)
    max_words: int = _setting(100, "text.max_words", _WORDS_OF_AN_AD)


@dataclass(frozen=True)
class PhotoSettings(_Checked):
    """How an ad's photos become feature vectors (`features/photos/`).

    `views`: seeded augmented views of each photo kept for training; 0 trains on the centre view alone.
    `per_ad`: of an ad's photos, only the first so many are looked at.
    `choice`: the order of an ad's photos: its own, or one drawn by their names.
    `regions`: how `san` keeps a photo's regions on disk (`features/photos/feature_kinds.py`).
    `pool`: "mean": the network sees the mean of the features of an ad's photos; "one": embedding takes the first
    readable one and each epoch of training draws one, as the thesis does.
    """

    backbone: str = _setting(
        "resnet152", "--backbone", None, "Photo network.", "vgg19 for san, else resnet152"
    )
    views: int = _setting(2, "--views", _VIEWS, "Augmented views kept of each photo for training.")
    per_ad: int = _setting(
        4, "--photos-per-ad", _PHOTOS_OF_AN_AD, "Photos of an ad that are looked at."
    )
    choice: str = _setting(
        "first", "--photo-choice", OneOf(PHOTO_CHOICES), "Which of an ad's photos these are."
    )
    regions: str = _setting(
        "int8-2x2", "--regions", OneOf(REGION_KINDS), "How san keeps the regions of a photo."
    )
    pool: str = _setting(  # bundles of version 1 do not say it
        "one",
        "--photo-pool",
        OneOf(PHOTO_POOLS),
        "Whether the network sees the mean of an ad's photos, or one of them.",
        "one for san, else mean",
    )


@dataclass(frozen=True)
class ModelSettings(_Checked):
    """The sizes of the network; the defaults are the best of Tables 4.1 and 4.2."""

    fusion: str = _setting(
        "rnn-cnn",
        "--fusion",
        None,
        "Network that makes one vector of an ad's words and photo.",
        "towers; with --grid the thesis's rnn-cnn",
    )
    word_size: int = _setting(300, "The size of the word vectors,", _LAYER_SIZE)
    gru_layers: int = _setting(
        1, "--gru-layers", _LAYERS, "Layers of the GRU that reads the words."
    )
    hidden_size: int = _setting(256, "--hidden-size", _LAYER_SIZE, "Size of the GRU's state.")
    fused_size: int = _setting(256, "--fused-size", _LAYER_SIZE, "Size of an ad's fused vector.")
    attention_layers: int = _setting(2, "--attention-layers", _LAYERS, "Attention layers of san.")
    attention_size: int = _setting(
        256, "--attention-size", _LAYER_SIZE, "Size of san's attention layers."
    )
    branch_sizes: tuple[int, int] = _setting(
        (128, 64), "--branch-sizes", _LAYER_SIZE, "Sizes of the two layers after the fusion."
    )
    dropout: float = _setting(
        0.0, "--dropout", _SHARE_BELOW_1, "Share of units left out in each step."
    )
    head: str = _setting(
        "nonpositive", "--head", OneOf(HEAD_SIGNS), "Sign of the weights of the last layer."
    )


@dataclass(frozen=True)
class TrainSettings(_Checked):
    """The training loop (thesis, section 4.4).

    `contrast`: the weight of `losses.in_batch_contrast` beside the binary cross-entropy; 0 is the thesis's training.
    """

    epochs: int = _setting(
        30, "--epochs", _STEPS, "Epochs of learning from labelled pairs, at most."
    )
    patience: int = _setting(
        5, "--patience", _STEPS, "Epochs without a better validation loss before training stops."
    )
    batch_size: int = _setting(64, "--batch-size", _STEPS, "Labelled pairs in each step.")
    learning_rate: float = _setting(1e-4, "--lr", _RATE, "Adam's learning rate.")
    contrast: float = _setting(
        0.0,
        "--contrast",
        _WEIGHT,
        "Weight of telling an ad's duplicates from its batch's other ads.",
    )
    split: str = _setting(
        "ads",
        "--split",
        OneOf(SPLITS),
        "ads: no ad on two sides; pairs: the thesis's random split.",
    )
    complete_only: bool = _setting(
        False,
        "--complete-only",
        help="Leave out ads without words or without a readable photo, as the thesis did.",
    )
    seed: int = _setting(0, "--seed", _SEED, "Seed of the split, the photo views and the training.")


@dataclass(frozen=True)
class PretrainSettings(_Checked):
    """Training without labels (`training/pretrain.py`), before that on labelled pairs or in its place.

    `epochs`: at most; 0 for none, as in bundles of version 1, which do not say it. `patience`: that of `TrainSettings`.
    `batch_size`: ads, each of which is contrasted with all others of its batch.
    """

    epochs: int = _setting(
        0,
        "--pretrain-epochs",
        _STEPS_OR_NONE,
        "Epochs of learning without labels, at most, before the others.",
        "40 for towers and without PAIRS, else 0",
    )
    patience: int = _setting(5, "--patience", _STEPS)
    batch_size: int = _setting(256, "pretrain.batch_size", _STEPS)
    learning_rate: float = _setting(
        1e-3, "--pretrain-lr", _RATE, "Adam's learning rate of learning without labels."
    )


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a trained model is, given its data."""

    text: TextSettings = field(default_factory=TextSettings)
    photos: PhotoSettings = field(default_factory=PhotoSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    pretrain: PretrainSettings = field(default_factory=PretrainSettings)
