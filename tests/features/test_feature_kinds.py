"""The forms in which a photo's features are kept, against their definitions."""

import numpy as np
import pytest
import torch
from torch import nn

from nrl_dedup.config import REGION_KINDS
from nrl_dedup.features.photos.backbones import BACKBONES, Backbone
from nrl_dedup.features.photos.feature_kinds import KINDS, PROJECTED_SIZE, dequantise, quantise


class Grid(nn.Module):
    """A stand-in for a network's trunk: a map of `side` x `side` places cut out of the image, `size` channels."""

    def __init__(self, side: int, size: int) -> None:
        super().__init__()
        self.side, self.size = side, size
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (
            images[:, :1, : self.side, : self.side].expand(-1, self.size, -1, -1)
            + torch.arange(self.size)[None, :, None, None]
        )


def grid(name: str) -> Backbone:
    row = BACKBONES[name]
    places, size = row.regions
    return Backbone(row, nn.Sequential(Grid(round(places**0.5), size)), "0", {}, from_file=False)


def test_the_names_that_settings_accept_are_the_kinds() -> None:
    assert set(KINDS) == {"pooled", *REGION_KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["vgg19", "mobilenet_v2"])
def test_shapes_and_bytes_are_those_that_the_row_says(kind: str, name: str) -> None:
    backbone, row = grid(name), KINDS[kind]
    features = row.features(backbone, torch.rand(2, 3, 224, 224)).numpy()
    assert features.shape == (2, *row.shape(backbone.row))
    stored = row.encode(features)
    assert stored.nbytes == 2 * row.bytes_per_photo(backbone.row)
    assert (stored.dtype, stored.shape[1:]) == row.stored(features.shape[1:])
    assert row.decode(stored).dtype == np.float32


def test_bytes_of_vgg19() -> None:
    sizes = {kind: KINDS[kind].bytes_per_photo(BACKBONES["vgg19"]) for kind in REGION_KINDS}
    assert sizes == {
        "half": 196 * 512 * 2,
        "int8": 196 * 516,
        "int8-2x2": 49 * 516,
        "int8-2x2-128": 49 * 132,
    }


@pytest.mark.parametrize(("name", "side"), [("vgg19", 14), ("mobilenet_v2", 7)])
def test_fewer_regions_are_means_of_two_by_two_places(name: str, side: int) -> None:
    images = torch.rand(2, 3, 224, 224)
    found = KINDS["int8-2x2"].features(grid(name), images).numpy()
    half = (side + 1) // 2
    for region in range(half * half):
        row, column = 2 * (region // half), 2 * (region % half)
        places = (
            images[:, 0, row : min(row + 2, side), column : min(column + 2, side)]
            .mean(dim=(1, 2))
            .numpy()
        )
        np.testing.assert_allclose(found[:, region, 0], places, atol=1e-6)


def test_quantised_values_are_off_by_half_a_step_at_most() -> None:
    values = (
        np.random.default_rng(0).normal(size=(5, 4, 30)).astype(np.float32)
        * np.logspace(-6, 6, 5)[:, None, None]
    )
    values = values.astype(np.float32)
    values[2, 1] = 0
    found = dequantise(quantise(values))
    step = np.abs(values).max(axis=2, keepdims=True) / 127
    assert (np.abs(found - values) <= step * 0.5001).all()
    assert np.abs(found).max(axis=2) == pytest.approx(np.abs(values).max(axis=2), rel=1e-6)


def test_projection_keeps_distances_on_the_average() -> None:
    backbone = grid("mobilenet_v2")
    backbone.module[0] = nn.Conv2d(3, 1280, 32, 32)  # random features of 49 places
    images = torch.randn(8, 3, 224, 224)
    with torch.no_grad():
        before = KINDS["int8-2x2"].features(backbone, images)
        after = KINDS["int8-2x2-128"].features(backbone, images)
    assert after.shape[2] == PROJECTED_SIZE
    pairs = [(a, b) for a in range(8) for b in range(a)]
    ratio = [
        ((after[a] - after[b]).square().sum() / (before[a] - before[b]).square().sum()).item()
        for a, b in pairs
    ]
    assert np.mean(ratio) == pytest.approx(1, abs=0.15)
