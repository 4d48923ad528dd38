"""The 224 x 224 views of a photo that a backbone sees (thesis, section 3.1)."""

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

VIEW = 224  # pixels along a side: what the backbones were trained on
CENTRE_SHORTER_SIDE = 256  # of torchvision's transform for these weights
TRAINING_SHORTER_SIDES = (256, 480)  # least and greatest, as in the thesis

# Of the three channels over ImageNet, which the weights were trained with.
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)

# Principal components of ImageNet's pixels, RGB from 0 to 1 (Krizhevsky et al., 2012, section 4.1): the square
# roots of the eigenvalues, and one eigenvector a column.
LIGHTING_SCALES = np.array([0.2175, 0.0188, 0.0045])
LIGHTING_VECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
LIGHTING_DEVIATION = 0.1  # of the draws along the components, as published


def centre_view(image: Image.Image) -> Float32[Tensor, "3 224 224"]:
    """The view for embedding, the same every time: shorter side to 256, the central 224 x 224, normalised.

    The transform of torchvision's IMAGENET1K_V1 weights (bilinear, antialiased). Channels in RGB order.
    """
    width, height = _resized(image, CENTRE_SHORTER_SIDE)
    left, top = round((width - VIEW) / 2), round((height - VIEW) / 2)
    return _normalised(_pixels(image, (width, height), left, top))


def training_view(image: Image.Image, seed: int) -> Float32[Tensor, "3 224 224"]:
    """An augmented view for training (thesis, section 3.1); the same seed gives the same tensor.

    The shorter side is resized to one drawn from [256, 480]; a 224 x 224 crop is drawn from it, or from its mirror
    image; the colours are moved along ImageNet's principal components by normal draws of deviation 0.1 ("the
    standard colour augmentation"); then the view is normalised as the centre view is, by the mean of each channel
    where the thesis subtracted the mean of each pixel: that is how the weights were trained.

    :param seed: 0 or more.
    """
    draw = np.random.default_rng(seed)
    smallest, largest = TRAINING_SHORTER_SIDES
    width, height = _resized(image, int(draw.integers(smallest, largest + 1)))
    left = int(draw.integers(0, width - VIEW + 1))
    top = int(draw.integers(0, height - VIEW + 1))
    pixels = _pixels(image, (width, height), left, top)
    if draw.random() < 0.5:
        pixels = pixels[:, ::-1]
    strengths = draw.normal(0, LIGHTING_DEVIATION, size=3)
    shift = LIGHTING_VECTORS @ (LIGHTING_SCALES * strengths)
    return _normalised(pixels + shift.astype(np.float32))


def _resized(image: Image.Image, shorter: int) -> tuple[int, int]:
    """Width and height when the shorter side becomes `shorter`; the longer one is cut to a whole number, as in
    torchvision."""
    if image.width <= image.height:
        height = int(shorter * image.height / image.width)
        return shorter, height
    width = int(shorter * image.width / image.height)
    return width, shorter


def _pixels(
    image: Image.Image, resized: tuple[int, int], left: int, top: int
) -> Float32[np.ndarray, "224 224 3"]:
    """The crop at (left, top) of the resized photo, from 0 to 1.

    Only the crop is computed, from its own place in the photo: a photo of 1 x 4000 pixels, resized whole, would
    take 256 x 1,024,000.
    """
    width, height = resized
    box_left = image.width * (left / width)
    box_top = image.height * (top / height)
    box_right = image.width * ((left + VIEW) / width)
    box_bottom = image.height * ((top + VIEW) / height)
    box = (box_left, box_top, box_right, box_bottom)
    crop = image.resize((VIEW, VIEW), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(crop, dtype=np.float32)
    return pixels / np.float32(255)


def _normalised(pixels: Float32[np.ndarray, "224 224 3"]) -> Float32[Tensor, "3 224 224"]:
    scaled = (pixels - MEAN) / DEVIATION
    channels_first = scaled.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(channels_first))
