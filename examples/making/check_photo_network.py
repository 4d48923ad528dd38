"""Measures the shipped photo network on the 400 grocery photos that its training never read.

    python examples/making/check_photo_network.py --network weights/default/backbone.safetensors \
        --teacher mobilenet_v2_imagenet.pth --photos grocery/photos

Prints one table and ends with status 1 if a criterion fails. Rows:

- a transform: the 400 photos and their 400 transformed copies are pooled, and each of the 800 asks for its
  nearest other. Share of the 800 whose nearest is their twin (recall at 1).
- same product: share of the 400 photos whose nearest other of the 400 shows the same class. A photo whose
  class no other of the 400 shows counts as wrong.

Nearest is by cosine of the pooled features (networks), by Euclidean distance (8 x 8 RGB thumbnail), by
Bhattacharyya coefficient (histogram of 32 x 8 x 4 bins in hue, saturation, value). Each is the Euclidean
distance of the vectors below: unit vectors, pixels, square roots of shares. A tie counts as wrong.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from make_photo_network import colour_histogram, photo_paths, read_photo, split_held_out
from PIL import Image, ImageEnhance, ImageOps
from scipy.spatial.distance import pdist, squareform
from torchvision.models import mobilenet_v3_small

from nrl_dedup.features.photos.backbones import load_backbone, pooled
from nrl_dedup.features.photos.crops import centre_view

HISTOGRAM_BINS = (32, 8, 4)
SHARE_OF_TEACHER = 0.9

Describe = Callable[[Sequence[Image.Image]], np.ndarray]
Transform = Callable[[Image.Image, np.random.Generator], Image.Image]


def crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """70 % of each side, anywhere."""
    width, height = round(0.7 * image.width), round(0.7 * image.height)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def compress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def brighten(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.2)


def halve(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR)


def mirror(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


TRANSFORMS: dict[str, Transform] = {
    "random crop, 70 % of each side": crop,
    "JPEG quality 40": compress,
    "brightness +20 %": brighten,
    "half size": halve,
    "mirror": mirror,
}
SAME_PRODUCT = "same product"


def network_vectors(pooled_features: Callable[[torch.Tensor], torch.Tensor]) -> Describe:
    """Unit vectors of the pooled features of the centre views."""

    def describe(photos: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                pooled_features(
                    torch.stack([centre_view(photo) for photo in photos[start : start + 50]])
                )
                for start in range(0, len(photos), 50)
            ]
        return F.normalize(torch.cat(parts).double()).numpy()

    return describe


def thumbnails(photos: Sequence[Image.Image]) -> np.ndarray:
    small = [photo.resize((8, 8), Image.Resampling.BOX) for photo in photos]
    return np.stack([np.asarray(photo, np.float64).ravel() for photo in small])


def histograms(photos: Sequence[Image.Image]) -> np.ndarray:
    return np.stack([colour_histogram(photo, HISTOGRAM_BINS) for photo in photos])


def share_right(vectors: np.ndarray, groups: np.ndarray) -> float:
    """Share of rows whose nearest other row, strictly, is of their own group."""
    distance = squareform(pdist(vectors))
    np.fill_diagonal(distance, np.inf)
    own = groups[:, None] == groups
    nearest_own = np.where(own, distance, np.inf).min(1)
    nearest_stranger = np.where(own, np.inf, distance).min(1)
    return float((nearest_own < nearest_stranger).mean())


def measure(
    describe: Describe, photos: Sequence[Image.Image], classes: np.ndarray
) -> dict[str, float]:
    """Row of the table -> the share that is right."""
    vectors = describe(photos)
    twins = np.tile(np.arange(len(photos)), 2)
    shares = {}
    for name, transform in TRANSFORMS.items():
        rng = np.random.default_rng(0)
        copies = describe([transform(photo, rng) for photo in photos])
        shares[name] = share_right(np.concatenate([vectors, copies]), twins)
    shares[SAME_PRODUCT] = share_right(vectors, classes)
    return shares


def failures(table: dict[str, dict[str, float]]) -> list[str]:
    """The criteria that the network fails, in words."""
    ours, teacher = table["ours"], table["teacher"]
    failed = [
        f"{name}: {ours[name]:.3f} is below {SHARE_OF_TEACHER} x the teacher's {teacher[name]:.3f}"
        for name in TRANSFORMS
        if ours[name] < SHARE_OF_TEACHER * teacher[name]
    ]
    return failed + [
        f"{SAME_PRODUCT}: {ours[SAME_PRODUCT]:.3f} does not beat {rival}, {table[rival][SAME_PRODUCT]:.3f}"
        for rival in ("random weights", "8x8 thumbnail")
        if ours[SAME_PRODUCT] <= table[rival][SAME_PRODUCT]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", type=Path, required=True, help="the safetensors file to measure"
    )
    parser.add_argument(
        "--teacher", type=Path, required=True, help="state of torchvision's mobilenet_v2"
    )
    parser.add_argument(
        "--photos", type=Path, required=True, help="the folder given to the training"
    )
    arguments = parser.parse_args()

    _, paths = split_held_out(photo_paths(arguments.photos))
    photos = [read_photo(path) for path in paths]
    classes = np.unique([path.parent.name for path in paths], return_inverse=True)[1]

    cpu = torch.device("cpu")
    ours = load_backbone("mobilenet_v3_small", arguments.network, cpu)
    teacher = load_backbone("mobilenet_v2", arguments.teacher, cpu)
    torch.manual_seed(0)
    untrained = mobilenet_v3_small().features.eval()
    rivals = {
        "ours": network_vectors(lambda images: pooled(ours, images)),
        "teacher": network_vectors(lambda images: pooled(teacher, images)),
        "random weights": network_vectors(lambda images: untrained(images).mean((2, 3))),
        "8x8 thumbnail": thumbnails,
        "HSV histogram": histograms,
    }
    table = {name: measure(describe, photos, classes) for name, describe in rivals.items()}

    print(f"{len(paths)} held-out photos of {classes.max() + 1} classes\n")
    print(" " * 31 + "".join(f"{name:>16}" for name in rivals))
    for row in [*TRANSFORMS, SAME_PRODUCT]:
        print(f"{row:31}" + "".join(f"{shares[row]:16.3f}" for shares in table.values()))
    failed = failures(table)
    print("\n" + "\n".join(failed or ["every criterion is met"]))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
