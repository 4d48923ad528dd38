"""The views of a photo, against torchvision's transforms and closed forms."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from nrl_dedup.features.photos.crops import centre_view, training_view

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
REFERENCE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, DEVIATION),
    ]
)


def colours(view: torch.Tensor) -> np.ndarray:
    """A view as [row, column, channel], from 0 to 255."""
    return (view.numpy().transpose(1, 2, 0) * np.array(DEVIATION) + np.array(MEAN)) * 255


@pytest.mark.parametrize(
    "size", [(256, 256), (640, 480), (480, 641), (1000, 311), (97, 60), (224, 224), (5, 100)]
)
def test_the_centre_view_is_torchvisions(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    np.testing.assert_allclose(colours(centre_view(image)), colours(REFERENCE(image)), atol=1.01)


def test_channels_are_red_green_blue() -> None:
    found = colours(centre_view(Image.new("RGB", (300, 300), (255, 20, 10))))
    np.testing.assert_allclose(found, np.broadcast_to([255.0, 20.0, 10.0], found.shape), atol=1e-3)


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1), (20_000, 3)])
def test_extreme_shapes_give_their_centre(size: tuple[int, int]) -> None:
    """A ramp along the longer side: the view spans 224 / 256 of the shorter side, around the middle."""
    longer, shorter = max(size), min(size)
    ramp = np.linspace(0, 255, longer)
    values = (
        ramp[None].repeat(shorter, 0) if size[0] == longer else ramp[:, None].repeat(shorter, 1)
    )
    image = Image.fromarray(values.round().astype(np.uint8)).convert("RGB")
    middle = 255 * 0.5 if longer > 1 else 0.0
    slope = 255 / longer
    found = colours(centre_view(image))
    assert abs(found.mean() - middle) <= slope * (shorter + 1) + 1
    drawn = training_view(image, 3)
    assert drawn.shape == (3, 224, 224)
    assert torch.isfinite(drawn).all()


def test_a_training_view_is_its_seeds() -> None:
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    )
    again = [training_view(image, seed) for seed in (0, 1, 0)]
    assert torch.equal(again[0], again[2])
    assert not torch.allclose(again[0], again[1])


def test_training_crops_span_scale_place_and_mirror() -> None:
    """Red ramps across, green ramps down: their slopes in a view give back the drawn size, place and mirror."""
    side = 1000
    ramp = np.linspace(0, 250, side)
    pixels = np.stack(
        [ramp[None].repeat(side, 0), ramp[:, None].repeat(side, 1), np.zeros((side, side))], axis=2
    )
    image = Image.fromarray(pixels.round().astype(np.uint8))
    sizes, mirrored, lefts, tops = [], [], [], []
    for seed in range(120):
        view = colours(training_view(image, seed))
        across = (view[:, -1, 0] - view[:, 0, 0]).mean() / 223
        down = (view[-1, :, 1] - view[0, :, 1]).mean() / 223
        assert abs(across) == pytest.approx(down, rel=0.02)
        sizes.append(250 / down)
        mirrored.append(across < 0)
        # Colour augmentation shifts whole channels by a few levels, which is small beside the spread of the places.
        lefts.append(view[:, :, 0].mean() / 250 * sizes[-1] - 112)
        tops.append(view[:, :, 1].mean() / 250 * sizes[-1] - 112)
    assert 252 <= min(sizes) < 275
    assert 460 < max(sizes) <= 485
    assert 40 <= sum(mirrored) <= 80  # of 120: under 0.05 % outside by chance
    assert np.std(lefts) > 20
    assert np.std(tops) > 20
    assert abs(np.corrcoef(lefts, tops)[0, 1]) < 0.9


def test_colour_augmentation_moves_along_imagenets_principal_components() -> None:
    """On a photo of one colour nothing else shows. alpha = V^T shift / scale must be normal, deviation 0.1."""
    scales = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    image = Image.new("RGB", (300, 300), (100, 110, 120))
    shifts = []
    for seed in range(300):
        view = colours(training_view(image, seed))
        assert np.ptp(view, axis=(0, 1)).max() < 1e-3
        shifts.append((view[0, 0] - [100, 110, 120]) / 255)
    alphas = np.linalg.solve(vectors, np.array(shifts).T).T / scales
    np.testing.assert_allclose(alphas.std(axis=0), 0.1, atol=0.015)
    np.testing.assert_allclose(alphas.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(alphas.T), np.eye(3), atol=0.2)
