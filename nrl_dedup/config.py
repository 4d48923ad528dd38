"""The settings of a model: frozen, checked once, saved beside its weights.

Their messages name the flag, or the field as it stands in `bundle.json` where there is no flag.
"""

from dataclasses import dataclass, field

from nrl_dedup.errors import NrlDedupError

TEXT_COLUMNS = {"title+description": ("title", "description"), "description": ("description",)}
PHOTO_CHOICES = ("first", "random")
SPLITS = ("ads", "pairs")
HEAD_SIGNS = ("nonpositive", "free")
PHOTO_POOLS = ("one", "mean")
REGION_KINDS = ("half", "int8", "int8-2x2", "int8-2x2-128")

# The most that a setting may be, a hundred times what anybody has use for: a slip of the finger, or a stranger's bundle
# or grid, must not ask for more memory than there is.
MOST_WORDS = 10_000_000
MOST_TOKENS = 100_000  # of an ad
MOST_PHOTOS = 100_000  # of an ad
MOST_VIEWS = 1_000
MOST_LAYERS = 64
LARGEST_LAYER = 65_536
MOST_STEPS = 2**31 - 1  # epochs, or ads in a batch
_MOST_RATE = 1e38  # what 32 bits hold; that a rate is too high, the loss tells


def _positive(value: int | float, flag: str, most: int | float) -> None:
    if not value > 0:
        raise NrlDedupError(f"{flag} {value}: wanted a number above 0.")
    _at_most(value, flag, most)


def _not_negative(value: int | float, flag: str, most: int | float) -> None:
    if not value >= 0:
        raise NrlDedupError(f"{flag} {value}: wanted 0 or more.")
    _at_most(value, flag, most)


def _at_most(value: int | float, flag: str, most: int | float) -> None:
    if not value <= most:
        raise NrlDedupError(f"{flag} {value}: wanted at most {most:,}.")


def _one_of(value: str, choices: tuple[str, ...], flag: str) -> None:
    if value not in choices:
        raise NrlDedupError(f"{flag} {value}: wanted one of {', '.join(choices)}.")


def check_seed(seed: int) -> None:
    """:raises NrlDedupError: one of the libraries that draw numbers does not take it."""
    if not 0 <= seed < 2**63:
        raise NrlDedupError(f"--seed {seed}: wanted a whole number from 0 to 2^63 - 1.")


@dataclass(frozen=True)
class TextSettings:
    """How an ad's words become token ids (`features/text/vocabulary.py`)."""

    language: str = "ru"
    text: str = "title+description"
    vocabulary_size: int = 30_000
    max_words: int = 100

    def __post_init__(self) -> None:
        _one_of(self.text, tuple(TEXT_COLUMNS), "--text")
        _positive(self.vocabulary_size, "text.vocabulary_size", MOST_WORDS)
        _positive(self.max_words, "text.max_words", MOST_TOKENS)


@dataclass(frozen=True)
class PhotoSettings:
    """How an ad's photos become feature vectors (`features/photos/`).

    `views`: seeded augmented views of each photo kept for training; 0 trains on the centre view alone.
    `per_ad`: of an ad's photos, only the first so many are looked at.
    `choice`: the order of an ad's photos: its own, or one drawn by their names.
    `regions`: how `san` keeps a photo's regions on disk (`features/photos/feature_kinds.py`).
    `pool`: "mean": the network sees the mean of the features of an ad's photos; "one": embedding takes the first
    readable one and each epoch of training draws one, as the thesis does.
    """

    backbone: str = "resnet152"
    views: int = 2
    per_ad: int = 4
    choice: str = "first"
    regions: str = "int8-2x2"
    pool: str = "one"  # bundles of version 1 do not say it

    def __post_init__(self) -> None:
        _not_negative(self.views, "--views", MOST_VIEWS)
        _positive(self.per_ad, "--photos-per-ad", MOST_PHOTOS)
        _one_of(self.choice, PHOTO_CHOICES, "--photo-choice")
        _one_of(self.regions, REGION_KINDS, "--regions")
        _one_of(self.pool, PHOTO_POOLS, "--photo-pool")


@dataclass(frozen=True)
class ModelSettings:
    """The sizes of the network; the defaults are the best of Tables 4.1 and 4.2."""

    fusion: str = "rnn-cnn"
    word_size: int = 300
    gru_layers: int = 1
    hidden_size: int = 256
    fused_size: int = 256
    attention_layers: int = 2
    attention_size: int = 256
    branch_sizes: tuple[int, int] = (128, 64)
    dropout: float = 0.0
    head: str = "nonpositive"

    def __post_init__(self) -> None:
        _positive(self.word_size, "The size of the word vectors,", LARGEST_LAYER)
        _positive(self.gru_layers, "--gru-layers", MOST_LAYERS)
        _positive(self.hidden_size, "--hidden-size", LARGEST_LAYER)
        _positive(self.fused_size, "--fused-size", LARGEST_LAYER)
        _positive(self.attention_layers, "--attention-layers", MOST_LAYERS)
        _positive(self.attention_size, "--attention-size", LARGEST_LAYER)
        for size in self.branch_sizes:
            _positive(size, "--branch-sizes", LARGEST_LAYER)
        if not 0 <= self.dropout < 1:
            raise NrlDedupError(
                f"--dropout {self.dropout}: wanted a share from 0 up to, but not, 1."
            )
        _one_of(self.head, HEAD_SIGNS, "--head")


@dataclass(frozen=True)
class TrainSettings:
    """The training loop (thesis, section 4.4).

    `contrast`: the weight of `losses.in_batch_contrast` beside the binary cross-entropy; 0 is the thesis's training.
    """

    epochs: int = 30
    patience: int = 5
    batch_size: int = 64
    learning_rate: float = 1e-4
    contrast: float = 0.0
    split: str = "ads"
    complete_only: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(self.epochs, "--epochs", MOST_STEPS)
        _positive(self.patience, "--patience", MOST_STEPS)
        _positive(self.batch_size, "--batch-size", MOST_STEPS)
        _positive(self.learning_rate, "--lr", _MOST_RATE)
        _not_negative(self.contrast, "--contrast", _MOST_RATE)
        _one_of(self.split, SPLITS, "--split")
        check_seed(self.seed)


@dataclass(frozen=True)
class PretrainSettings:
    """Training without labels (`pretrain.py`), before that on labelled pairs or in its place.

    `epochs`: at most; 0 is none, as in bundles of version 1, which do not say it. `batch_size`: ads, each of which is
    told from all others of its batch.
    """

    epochs: int = 0
    patience: int = 5
    batch_size: int = 256
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        _not_negative(self.epochs, "--pretrain-epochs", MOST_STEPS)
        _positive(self.learning_rate, "--pretrain-lr", _MOST_RATE)


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a trained model is, given its data."""

    text: TextSettings = field(default_factory=TextSettings)
    photos: PhotoSettings = field(default_factory=PhotoSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    pretrain: PretrainSettings = field(default_factory=PretrainSettings)
