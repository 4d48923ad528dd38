"""Backbones: features against torchvision's own networks, and where weights come from."""

import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Identity, functional
from torchvision import models

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos import backbone_weights, backbones
from nrl_dedup.features.photos.backbones import BACKBONES, Backbone, load_backbone, pooled, regions
from nrl_dedup.features.photos.crops import centre_view

CPU = torch.device("cpu")
SMALL = "mobilenet_v3_small"


def random_state(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Weights of the trunk that keep activations near 1, without building the classifier."""
    draw = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        wanted = BACKBONES[name].trunk(BACKBONES[name].builder(weights=None)).state_dict()
    state = {}
    for key, tensor in wanted.items():
        if key.endswith("running_var") or (key.endswith("weight") and tensor.ndim == 1):
            state[key] = torch.rand(tensor.shape, generator=draw) + 0.5
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        else:
            fan_in = max(1, tensor[0].numel()) if tensor.ndim > 1 else 100
            state[key] = torch.randn(tensor.shape, generator=draw) * (2 / fan_in) ** 0.5
    return state


def random_images(count: int) -> Tensor:
    return torch.randn(count, 3, 224, 224, generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The networks here are run on one or two photos: more threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty weights folder, an empty cache, and no internet; returns the weights folder."""

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no internet in this test")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(backbone_weights, "weights_folder", lambda: folder)
    return folder


def loaded(name: str, monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]) -> Backbone:
    monkeypatch.setattr(backbones, "read", lambda path: state)
    return load_backbone(name, Path("unused"), CPU)


@pytest.mark.parametrize("name", BACKBONES)
def test_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every row: sizes as declared, pooled is the mean of the regions, no photo depends on its batch."""
    backbone, images = loaded(name, monkeypatch, random_state(name)), random_images(2)
    row = BACKBONES[name]
    places, second = regions(backbone, images), pooled(backbone, images[1:])
    assert places.shape == (2, *row.regions)
    assert second.shape == (1, row.pooled_size)
    assert not second.requires_grad
    scale = float(second.abs().mean())
    assert scale > 1e-6
    means = places.mean(dim=1)
    torch.testing.assert_close(means[1] / scale, second[0] / scale, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(means[0], means[1], rtol=1e-3, atol=1e-3 * scale)
    assert backbone.fingerprint == backbone_weights.fingerprint(backbone.state)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", SMALL])
def test_pooled_is_what_torchvisions_classifier_reads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, images = random_state(name), random_images(2)
    reference = BACKBONES[name].builder(weights=None)
    setattr(reference, "fc" if name.startswith("resnet") else "classifier", Identity())
    reference.load_state_dict(state, strict=True)
    with torch.no_grad():
        expected = reference.eval()(images)
    found = pooled(loaded(name, monkeypatch, state), images)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_vgg19s_regions_are_the_map_ahead_of_the_last_pooling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Configuration E of Simonyan and Zisserman by hand: 16 convolutions, pooled after the 2nd, 4th, 8th, 12th."""
    state, images = random_state("vgg19"), random_images(1)
    layers = sorted({int(key.split(".")[1]) for key in state})
    assert len(layers) == 16
    x = images
    for number, layer in enumerate(layers, start=1):
        weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        if number in (2, 4, 8, 12):
            x = functional.max_pool2d(x, 2)
    found = regions(loaded("vgg19", monkeypatch, state), images)
    for region in (0, 1, 13, 14, 100, 195):
        place = x[0, :, region // 14, region % 14]
        torch.testing.assert_close(found[0, region], place, rtol=1e-3, atol=1e-4 * float(x.max()))


@pytest.mark.parametrize(("name", "side"), [("vgg19", 14), ("resnet18", 7)])
def test_a_lit_corner_lights_the_region_there(
    name: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The corners top right and bottom left, which a swap of rows and columns would exchange."""
    backbone = loaded(name, monkeypatch, random_state(name))
    images = torch.zeros(3, 3, 224, 224)
    images[1, :, :32, -32:] = 5.0
    images[2, :, -32:, :32] = 5.0
    dark, *lit = regions(backbone, images)
    for found, (row, column) in zip(lit, [(0, side - 1), (side - 1, 0)], strict=True):
        brightest = int((found - dark).abs().sum(dim=1).argmax())
        assert abs(brightest // side - row) <= 2
        assert abs(brightest % side - column) <= 2


def test_red_light_reaches_the_red_weights() -> None:
    """A network that averages channel 0 alone tells a red photo from a blue one."""
    red, blue = (Image.new("RGB", (300, 260), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    trunk = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 32, stride=32, bias=False))
    trunk[0].weight.data = (
        torch.tensor([1.0, 0, 0])[None, :, None, None].expand(1, 3, 32, 32) / 1024
    )
    backbone = Backbone(BACKBONES[SMALL], trunk, "", {}, True)
    found = pooled(backbone, torch.stack([centre_view(red), centre_view(blue)]))
    np.testing.assert_allclose(found[:, 0], [(1 - 0.485) / 0.229, (0 - 0.485) / 0.229], rtol=1e-5)


def test_files_of_every_kind_give_the_same_backbone(tmp_path: Path) -> None:
    state = random_state(SMALL)
    classifier = {
        "classifier.0.weight": torch.ones(1024, 576),
        "classifier.3.bias": torch.ones(1000),
    }
    torch.save(state | classifier, tmp_path / "whole.pth")
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "bare.pt")
    save_file(state, tmp_path / "safe.safetensors")
    images, found = random_images(1), []
    for name in ("whole.pth", "bare.pt", "safe.safetensors"):
        backbone = load_backbone(SMALL, tmp_path / name, CPU)
        assert backbone.from_file
        assert not any("classifier" in key or "num_batches" in key for key in backbone.state)
        found.append((backbone.fingerprint, pooled(backbone, images)))
    assert len({fingerprint for fingerprint, _ in found}) == 1
    assert torch.equal(found[0][1], found[1][1])
    assert torch.equal(found[0][1], found[2][1])
    state["features.0.0.weight"][0, 0, 0, 0] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    assert load_backbone(SMALL, tmp_path / "other.pth", CPU).fingerprint != found[0][0]


def test_halved_weights_are_computed_with_in_full(tmp_path: Path) -> None:
    state = {
        key: value.half() if value.is_floating_point() else value
        for key, value in random_state(SMALL).items()
    }
    save_file(state, tmp_path / "half.safetensors")
    backbone = load_backbone(SMALL, tmp_path / "half.safetensors", CPU)
    assert {tensor.dtype for tensor in backbone.state.values()} == {torch.float32}
    assert torch.equal(backbone.state["features.0.0.weight"], state["features.0.0.weight"].float())


def test_the_order_in_which_weights_are_looked_for(no_network: Path, tmp_path: Path) -> None:
    published = "mobilenet_v3_small-047dcff4.pth"
    places = [
        tmp_path / "mine.pth",
        no_network / published,
        no_network / f"{SMALL}.pth",
        no_network / f"{SMALL}.pt",
        no_network / f"{SMALL}.safetensors",
        tmp_path / "cache" / "hub" / "checkpoints" / published,
    ]
    for seed, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        state = random_state(SMALL, seed)
        save_file(state, place) if place.suffix == ".safetensors" else torch.save(state, place)
    for seed, place in enumerate(places):
        backbone = load_backbone(SMALL, place if seed == 0 else None, CPU)
        assert torch.equal(
            backbone.state["features.0.0.weight"], random_state(SMALL, seed)["features.0.0.weight"]
        )
        assert backbone.from_file == (seed == 0)
        place.unlink()


@pytest.mark.parametrize(
    ("name", "file", "enum"),
    [
        ("resnet152", "resnet152-394f9c45.pth", "ResNet152_Weights.IMAGENET1K_V1"),
        ("vgg19", "vgg19-dcbb9e9d.pth", "VGG19_Weights.IMAGENET1K_V1"),
    ],
)
def test_without_weights_the_error_names_the_file_and_its_place(
    no_network: Path, name: str, file: str, enum: str
) -> None:
    with pytest.raises(NrlDedupError) as error:
        load_backbone(name, None, CPU)
    for part in (
        file,
        enum,
        "--backbone-weights FILE",
        str(no_network),
        "no internet in this test",
    ):
        assert part in str(error.value)


def test_a_download_with_another_hash_is_refused(
    no_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Response(io.BytesIO):
        def info(self) -> "Response":
            return self

        def get_all(self, _: str) -> None:
            return None

    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: Response(b"something else"))
    with pytest.raises(NrlDedupError, match="invalid hash"):
        load_backbone(SMALL, None, CPU)
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    assert list(checkpoints.iterdir()) == []


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    for name, save in (
        ("new.pth", torch.save),
        ("plain.pth", lambda x, path: path.write_bytes(pickle.dumps(x))),
    ):
        save({"features.0.0.weight": Evil(str(tmp_path / "ran"))}, tmp_path / name)
        with pytest.raises(NrlDedupError, match=rf"{name}.*without running code"):
            load_backbone(SMALL, tmp_path / name, CPU)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"this is text", bytes(range(256)) * 10])
def test_files_that_are_something_else(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(content)
    with pytest.raises(NrlDedupError, match=rf"wrong{suffix}.*not a file of weights"):
        load_backbone(SMALL, path, CPU)


def test_states_of_something_else_are_named_with_their_keys(tmp_path: Path) -> None:
    state = random_state(SMALL)
    first = next(iter(state))
    cases = {
        "nested": (
            {"state_dict": state, "epoch": 3},
            "found a dict with the keys state_dict, epoch",
        ),
        "list": ([1, 2], "found a list"),
        "other": (
            models.resnet18().state_dict(),
            r"missing: features\.0\.0\.weight, .*not part of it: conv1\.weight",
        ),
        "short": ({k: v for k, v in state.items() if k != first}, rf"1 missing: {first}"),
        "extra": (state | {"head.weight": torch.ones(1)}, r"1 not part of it: head\.weight"),
        "shape": (
            state | {first: torch.ones(2, 3)},
            rf"of another shape: {first} \(2, 3\) in place of \(16, 3, 3, 3\)",
        ),
    }
    for name, (content, message) in cases.items():
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(NrlDedupError, match=rf"{name}\.pth.*{message}"):
            load_backbone(SMALL, tmp_path / f"{name}.pth", CPU)


def test_whose_weights_a_file_holds(tmp_path: Path) -> None:
    torch.save(random_state(SMALL), tmp_path / "small.pth")
    small = load_backbone(SMALL, tmp_path / "small.pth", CPU)
    assert backbones.weights_fingerprint(SMALL, tmp_path / "small.pth") == small.fingerprint
    assert backbones.weights_fingerprint("resnet18", tmp_path / "small.pth") is None
    with pytest.raises(NrlDedupError, match=r"none\.pth: no such file"):
        backbones.weights_fingerprint(SMALL, tmp_path / "none.pth")


def test_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NrlDedupError, match=r"--backbone alexnet: .*resnet152, vgg19"):
        load_backbone("alexnet", None, CPU)
    with pytest.raises(NrlDedupError, match=r"--backbone-weights .*none\.pth: no such file"):
        load_backbone(SMALL, tmp_path / "none.pth", CPU)
