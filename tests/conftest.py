"""Shapes and dtypes in the package's signatures are checked at every call while the tests run."""

import os

# The tests' arrays are small: threads over them cost more than they bring. Read by torch, FAISS and LightGBM on import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before the first import of the consoles, which read it then; each worker of the tests has another one.
os.environ["COLUMNS"] = "160"

from jaxtyping import install_import_hook

install_import_hook("nrl_dedup", "beartype.beartype")

import csv  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402

THINGS = [
    "велосипед",
    "диван",
    "шкаф",
    "гитара",
    "коляска",
    "телефон",
    "лампа",
    "стол",
    "кресло",
    "монитор",
]
MAKERS = ["стелс", "икеа", "ямаха", "сони", "форвард", "самсунг"]


@dataclass(frozen=True)
class Shop:
    """A small catalogue on disk: 120 ads, of which every two neighbours are the same thing."""

    folder: Path
    backbone: Path

    @property
    def items(self) -> Path:
        return self.folder / "items.csv"

    @property
    def pairs(self) -> Path:
        return self.folder / "pairs.csv"

    @property
    def images(self) -> Path:
        return self.folder / "images"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    draw = np.random.default_rng(0)
    (folder / "images").mkdir()
    items, pairs = [], []
    for entity in range(60):
        thing, maker = THINGS[entity % 10], MAKERS[entity // 10]
        colour = draw.integers(0, 256, size=3)
        for shot in (0, 1):
            item = 100 + 2 * entity + shot
            pixels = np.clip(colour + draw.normal(0, 12, size=(24, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).resize((64, 48)).save(folder / "images" / f"{item}.jpg")
            words = [thing, maker, "продам" if shot else "отличный", str(entity)]
            draw.shuffle(words)
            items.append([f"{item:04d}", f"{thing} {maker}", " ".join(words), str(item)])
        other = (entity + 7) % 60
        pairs += [[100 + 2 * entity, 101 + 2 * entity, 1]]
        pairs += [
            [100 + 2 * entity, 100 + 2 * other, 0],
            [101 + 2 * entity, 101 + 2 * ((entity + 23) % 60), 0],
        ]
    write(folder / "items.csv", ["item_id", "title", "description", "image"], items)
    write(
        folder / "pairs.csv",
        ["id1", "id2", "label"],
        [[f"{a:04d}", f"{b:04d}", c] for a, b, c in pairs],
    )
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_small()
    for layer in (
        network.modules()
    ):  # of random weights too, batch normalisation makes features of a usual size
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        network.features(torch.randn(16, 3, 96, 96))
    torch.save(network.state_dict(), folder / "network.pth")
    return Shop(folder, folder / "network.pth")


def write(path: Path, header: list[str], rows: list[list]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


RunCommand = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunCommand:
    """Runs `nrl-dedup ARGUMENTS` in this process: exit status, standard output, standard error."""
    from nrl_dedup.cli.main import main

    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def invoke(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nrl-dedup", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return invoke


@pytest.fixture(scope="session")
def trained(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on the shop, once for all tests that only read it."""
    return train_once(shop, tmp_path_factory, "shop")


def train_arguments(shop: Shop, folder: Path, *more: object) -> list[str]:
    arguments = [
        "train",
        shop.items,
        shop.pairs,
        "--backbone",
        "mobilenet_v3_small",
        "--backbone-weights",
    ]
    arguments += [
        shop.backbone,
        "--views",
        1,
        "--epochs",
        12,
        "--lr",
        0.003,
        "--device",
        "cpu",
        "-o",
        folder,
    ]
    arguments += ["--fusion", "rnn-cnn", *more]
    return [str(argument) for argument in arguments]


def train_once(shop: Shop, factory: pytest.TempPathFactory, name: str, *more: object) -> Path:
    """A bundle of that name trained on the shop, for the fixtures of a session."""
    from nrl_dedup.cli.main import cli

    folder = factory.mktemp("bundles") / name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(factory.getbasetemp() / "cache"))
        cli(train_arguments(shop, folder, *more), standalone_mode=False)
    return folder


@pytest.fixture(scope="session")
def attending(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the shop's data with stacked attention over 49 regions."""
    return train_once(
        shop, tmp_path_factory, "attending", "--fusion", "san", "--regions", "half", "--epochs", 3
    )
