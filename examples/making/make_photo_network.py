"""Trains the photo network of `weights/default`: MobileNetV3-small, distilled from an ImageNet MobileNetV2.

    python examples/making/make_examples.py --ads 1500 --seed 11 --out rendered
    python examples/making/make_photo_network.py --teacher mobilenet_v2_imagenet.pth --photos grocery/photos \
        --ads rendered --out mobilenet_v3_small.safetensors

400 of the `--photos` are lent to `check_photo_network.py`: they are drawn by a fixed seed and never read here. The
training uses no labels, but it knows which photos are of one ad. The network starts from random weights and learns
from views of the photos (random crops, lit, shrunk and compressed anew) to

- give a view the teacher's features and the colour histogram of the same crop before it was degraded,
- find the same other views near it that those targets find near it,
- know two views of one ad, of two of its photos where it has several, among the views of other ads. A photo that
  comes without an ad counts as an ad of its own.

It takes about half an hour on two free cores. The views are kept in a temporary folder (4.3 GB).
"""

import argparse
import csv
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from make_examples import photo_path
from PIL import Image, ImageEnhance, ImageOps
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, mobilenet_v3_small

from nrl_dedup.features.photos.crops import centre_view
from nrl_dedup.features.photos.decoding import decode

HELD_OUT, HELD_OUT_SEED = 400, 0
VIEWS = 10
VIEW_SIZE = 192
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
HISTOGRAM_BINS = (16, 4, 4)
# Chosen on training photos: nearest neighbours by [teacher, 0.7 x histogram] are of the same class more often
# (0.80) than by the teacher (0.71) or the histogram (0.70) alone.
HISTOGRAM_WEIGHT = 0.7
# Share of the steps at each size in pixels: small first, because it is cheap.
SIZES = {96: 0.45, 128: 0.40, 160: 0.15}
BATCH_ADS = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
TEMPERATURE = 0.1


def photo_paths(folder: Path) -> list[Path]:
    """All JPEG files below `folder`, in the order of their relative paths."""
    return sorted(folder.rglob("*.jpg"), key=lambda path: path.relative_to(folder).as_posix())


def split_held_out(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """(training photos, the 400 held-out photos), each in the order of `paths`."""
    held_out = set(np.random.default_rng(HELD_OUT_SEED).permutation(len(paths))[:HELD_OUT].tolist())
    training = [path for row, path in enumerate(paths) if row not in held_out]
    return training, [paths[row] for row in sorted(held_out)]


def photos_of_ads(folder: Path) -> list[list[Path]]:
    """The photos of each ad of `folder`/catalogue.csv that has any, in `folder`/images (`make_examples.py`)."""
    with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        named = [row["images_array"] for row in csv.DictReader(file)]
    return [
        [folder / "images" / photo_path(int(photo)) for photo in cell.split(", ")]
        for cell in named
        if cell
    ]


def read_photo(path: Path) -> Image.Image:
    return decode(path.read_bytes())


def random_crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A crop of 25 to 100 % of the area, its sides' ratio within 4:5 of square, mirrored half the time."""
    area = rng.uniform(0.25, 1.0) * image.width * image.height
    ratio = sqrt(rng.uniform(0.8, 1.25))
    width = min(image.width, round(sqrt(area) * ratio))
    height = min(image.height, round(sqrt(area) / ratio))
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    crop = image.resize(
        (VIEW_SIZE, VIEW_SIZE),
        Image.Resampling.BILINEAR,
        box=(left, top, left + width, top + height),
    )
    return ImageOps.mirror(crop) if rng.random() < 0.5 else crop


def degrade(view: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The view in other light and, half the time each, shrunk and compressed. Hues stay: colour is evidence."""
    view = ImageEnhance.Brightness(view).enhance(rng.uniform(0.7, 1.35))
    view = ImageEnhance.Contrast(view).enhance(rng.uniform(0.85, 1.15))
    view = ImageEnhance.Color(view).enhance(rng.uniform(0.85, 1.15))
    if rng.random() < 0.5:
        side = round(VIEW_SIZE * rng.uniform(0.35, 0.9))
        view = view.resize((side, side), Image.Resampling.BILINEAR)
        view = view.resize((VIEW_SIZE, VIEW_SIZE), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        view.save(buffer, "JPEG", quality=int(rng.integers(25, 90)))
        view = Image.open(buffer).convert("RGB")
    return view


def colour_histogram(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """Square roots of the shares of `shape` bins in hue, saturation and value (float64, flat, length 1)."""
    bins = np.array(shape)
    pixels = np.asarray(image.convert("HSV")).reshape(-1, 3).astype(np.int64) * bins // 256
    counts = np.bincount(np.ravel_multi_index(pixels.T, shape), minlength=bins.prod())
    return np.sqrt(counts / len(pixels))


def normalised(pixels: Tensor) -> Tensor:
    """uint8 (n, height, width, 3) as the networks take it: float32 (n, 3, height, width)."""
    scaled = pixels.permute(0, 3, 1, 2).float() / 255
    return ((scaled - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def shrunk(pixels: Tensor, size: int) -> Tensor:
    """uint8 (n, VIEW_SIZE, VIEW_SIZE, 3) -> uint8 (n, size, size, 3), antialiased."""
    channels_first = pixels.permute(0, 3, 1, 2)
    return F.interpolate(channels_first, (size, size), mode="bilinear", antialias=True).permute(
        0, 2, 3, 1
    )


def pool(maps: Tensor) -> Tensor:
    return maps.mean((2, 3))


def load_teacher(path: Path) -> nn.Module:
    model = mobilenet_v2()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.features.eval().to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Views:
    """Degraded views of each photo, and what is to be seen in the crops before they were degraded.

    `pixels` uint8 (photos, VIEWS, VIEW_SIZE, VIEW_SIZE, 3); `features` float32 (photos, VIEWS, 1280), the
    teacher's; `histograms` float32 (photos, VIEWS, 256).
    """

    pixels: np.ndarray
    features: Tensor
    histograms: Tensor

    def targets(self) -> Tensor:
        """Unit vectors (photos, VIEWS, 1280 + 256): features and histograms, each from its mean."""
        parts = [centred(self.features), HISTOGRAM_WEIGHT * centred(self.histograms)]
        return F.normalize(torch.cat(parts, dim=-1), dim=-1)


def centred(vectors: Tensor) -> Tensor:
    """Unit vectors (photos, views, size) from the mean of all."""
    return F.normalize(vectors - vectors.mean((0, 1)), dim=-1)


def make_views(paths: Sequence[Path], teacher: nn.Module, seed: int, folder: Path) -> Views:
    """VIEWS seeded views of each photo."""
    shape = (len(paths), VIEWS, VIEW_SIZE, VIEW_SIZE, 3)
    pixels = np.lib.format.open_memmap(folder / "views.npy", "w+", np.uint8, shape)
    features = torch.empty(len(paths), VIEWS, 1280)
    histograms = torch.empty(len(paths), VIEWS, int(np.prod(HISTOGRAM_BINS)))
    started = time.monotonic()
    for row, path in enumerate(paths):
        photo = read_photo(path)
        rng = np.random.default_rng((seed, row))
        crops = [random_crop(photo, rng) for _ in range(VIEWS)]
        pixels[row] = [np.asarray(degrade(crop, rng)) for crop in crops]
        with torch.inference_mode():
            images = normalised(torch.from_numpy(np.stack([np.asarray(crop) for crop in crops])))
            features[row] = pool(teacher(images))
        histograms[row] = torch.from_numpy(
            np.stack([colour_histogram(crop, HISTOGRAM_BINS) for crop in crops])
        )
        if row % 100 == 99:
            report("views of photos", row + 1, len(paths), started)
    return Views(pixels, features, histograms)


def report(what: str, done: int, total: int, started: float, note: str = "") -> None:
    spent = time.monotonic() - started
    left = spent / done * (total - done)
    print(f"{what}: {done} of {total}, {spent:.0f} s, {left:.0f} s left {note}", flush=True)


def batches(
    ads: Sequence[np.ndarray], steps: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`steps` batches of views, BATCH_ADS distinct ads twice: (rows of photos, numbers of views), (2 n,) each.

    Rows i and i + n are of one ad: two of its photos (drawn), or two views of its one. Every ad comes once before any
    comes again.
    """
    left = np.empty(0, np.int64)
    for _ in range(steps):
        if len(left) < BATCH_ADS:
            left = rng.permutation(len(ads))
        drawn, left = left[:BATCH_ADS], left[BATCH_ADS:]
        photos = [rng.permutation(ads[ad])[[0, -1]] for ad in drawn]
        views = [rng.permutation(VIEWS)[:2] for _ in drawn]
        yield np.stack(photos).T.ravel(), np.stack(views).T.ravel()


def loss_of(pooled: Tensor, predicted: Tensor, targets: Tensor) -> Tensor:
    """The three losses, in the order of the module's docstring.

    `pooled` (2 n, 576), `predicted` and `targets` (2 n, 1536): rows i and i + n are two views of one ad.
    """
    regression = 1 - F.cosine_similarity(predicted, targets).mean()
    n = len(pooled) // 2
    unit = F.normalize(pooled)
    itself = torch.eye(2 * n, dtype=torch.bool)
    # Finite, because 0 x -inf would be NaN in the cross-entropy.
    similarity = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -1e4)
    wanted = (targets @ targets.T / TEMPERATURE).masked_fill(itself, -1e4).softmax(1)
    relations = F.cross_entropy(similarity, wanted)
    twins = F.cross_entropy(similarity, torch.arange(2 * n).roll(n))
    return 4 * regression + relations + twins


def train(views: Views, ads: Sequence[np.ndarray], steps: int, seed: int) -> nn.Module:
    """The student's convolutional part after `steps` batches. `ads`: the rows of each ad's photos."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    student = mobilenet_v3_small().features.to(memory_format=torch.channels_last)
    targets = views.targets()
    head = nn.Linear(576, targets.shape[-1])
    weights = [*student.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15
    )
    ends = np.cumsum(list(SIZES.values())) * steps
    started = time.monotonic()
    running = 0.0
    for step, (rows, which) in enumerate(batches(ads, steps, rng)):
        size = list(SIZES)[int(np.searchsorted(ends[:-1], step, side="right"))]
        images = shrunk(torch.from_numpy(views.pixels[rows, which]), size)
        if rng.random() < 0.5:
            images = images.flip(2)
        pooled = pool(student(normalised(images)))
        loss = loss_of(pooled, head(pooled), targets[rows, which])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running += loss.item()
        if step % 50 == 49:
            report(
                f"training at {size} pixels", step + 1, steps, started, f"loss {running / 50:.3f}"
            )
            running = 0.0
    return student


def measure_normalisation(student: nn.Module, paths: Sequence[Path]) -> None:
    """Sets batch normalisation's statistics to those of the photos as the network will be given them."""
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    student.train()
    shuffled = np.random.default_rng(0).permutation(len(paths))
    with torch.no_grad():
        for rows in np.array_split(shuffled, len(paths) // 64):
            student(torch.stack([centre_view(read_photo(paths[row])) for row in rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--teacher", type=Path, required=True, help="state of torchvision's mobilenet_v2"
    )
    parser.add_argument(
        "--photos", type=Path, required=True, help="folder of JPEG files; 400 of them are held out"
    )
    parser.add_argument("--ads", type=Path, required=True, help="folder made by make_examples.py")
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.set_num_threads(2)
    alone, _ = split_held_out(photo_paths(arguments.photos))
    grouped = [[path] for path in alone] + photos_of_ads(arguments.ads)
    ends = np.cumsum([len(group) for group in grouped])
    ads = np.split(np.arange(ends[-1]), ends[:-1])
    paths = [path for group in grouped for path in group]
    with tempfile.TemporaryDirectory() as folder:
        views = make_views(paths, load_teacher(arguments.teacher), arguments.seed, Path(folder))
        student = train(views, ads, arguments.steps, arguments.seed)
    measure_normalisation(student, paths)
    state = {
        f"features.{name}": tensor.contiguous() for name, tensor in student.state_dict().items()
    }
    save_file(state, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
