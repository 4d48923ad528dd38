"""The photo networks: one row each, where their weights come from, and the features that they give."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torchvision import models

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbone_weights import (
    COUNTERS,
    download,
    find_weights,
    fingerprint,
    needed,
    published_name,
    read,
)


def _resnet_trunk(model: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            (name, child) for name, child in model.named_children() if name not in ("avgpool", "fc")
        )
    )


def _features_trunk(model: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(features=model.get_submodule("features")))


def _vgg_trunk(model: nn.Module) -> nn.Sequential:
    """Without the last pooling: the map is 14 x 14 there, and 7 x 7 after it."""
    features = cast(nn.Sequential, model.get_submodule("features"))
    return nn.Sequential(OrderedDict(features=features[:-1]))


@dataclass(frozen=True)
class BackboneRow:
    """A photo network.

    `builder`: torchvision's. `weights`: the torchvision enum member whose weights are meant; all of them come with
    the transform of `centre_view`. `trunk`: the part of the network that ends in the last feature map, with
    torchvision's own parameter names. `pooled_size`: size of a photo's pooled features, the mean of that map over
    its places. `regions`: (places of the map, size of each).
    """

    name: str
    builder: Callable[..., nn.Module]
    weights: str
    trunk: Callable[[nn.Module], nn.Sequential]
    pooled_size: int
    regions: tuple[int, int]


BACKBONES = {
    row.name: row
    for row in (
        BackboneRow(
            "resnet152", models.resnet152, "ResNet152_Weights.IMAGENET1K_V1", _resnet_trunk, 2048, (49, 2048)
        ),
        BackboneRow("vgg19", models.vgg19, "VGG19_Weights.IMAGENET1K_V1", _vgg_trunk, 512, (196, 512)),
        BackboneRow(
            "resnet50", models.resnet50, "ResNet50_Weights.IMAGENET1K_V1", _resnet_trunk, 2048, (49, 2048)
        ),
        BackboneRow("resnet18", models.resnet18, "ResNet18_Weights.IMAGENET1K_V1", _resnet_trunk, 512, (49, 512)),
        BackboneRow(
            "mobilenet_v2", models.mobilenet_v2, "MobileNet_V2_Weights.IMAGENET1K_V1", _features_trunk, 1280, (49, 1280)
        ),
        BackboneRow(
            "mobilenet_v3_small", models.mobilenet_v3_small, "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
            _features_trunk, 576, (49, 576),
        ),
    )
}  # fmt: skip


@dataclass
class Backbone:
    """A photo network with its weights, in evaluation mode on its device.

    `fingerprint`: sha256 of the weights that the features depend on, so the same with or without a classifier.
    `state`: those weights, float32 on the processor. `from_file`: they were read from a file that the caller named.
    """

    row: BackboneRow
    module: nn.Sequential
    fingerprint: str
    state: dict[str, Tensor]
    from_file: bool

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device


def backbone_row(name: str) -> BackboneRow:
    """The row of `BACKBONES`.

    :raises NrlDedupError: no such backbone.
    """
    if name not in BACKBONES:
        raise NrlDedupError(
            f"--backbone {name}: no such backbone. Use one of {', '.join(BACKBONES)}."
        )
    return BACKBONES[name]


def load_backbone(name: str, weights: Path | None, device: torch.device) -> Backbone:
    """The backbone `name` with its ImageNet weights.

    They are looked for in this order: the file `weights`; the project's weights folder, under torchvision's own
    file name (`resnet152-394f9c45.pth`) or as `<name>.pth`, `.pt` or `.safetensors`; torchvision's cache and
    download, its hash checked. A state without the classifier will do. No file can run code (`weights_only`).

    :raises NrlDedupError: no such backbone; the file is missing, is no state dict, or belongs to another network;
        or no weights can be had, and then the message says which file is wanted and where to put it.
    """
    row = backbone_row(name)
    file = weights if weights is not None else find_weights(name, row.weights)
    found, source = (
        (read(file), str(file)) if file is not None else (download(name, row.weights), row.weights)
    )
    module = _empty_trunk(row)
    meant = f"{name}, torchvision's {row.weights} ({published_name(row.weights)})"
    state = needed(found, module.state_dict(), source, meant)
    counters = {
        key: torch.zeros((), dtype=torch.int64)
        for key in module.state_dict()
        if key.endswith(COUNTERS)
    }
    module.load_state_dict({**state, **counters}, assign=True)
    module.requires_grad_(False).eval().to(device)
    return Backbone(
        row=row,
        module=module.to(memory_format=torch.channels_last),
        fingerprint=fingerprint(state),
        state=state,
        from_file=weights is not None,
    )


def weights_fingerprint(name: str, weights: Path) -> str | None:
    """The fingerprint of the backbone `name` with the weights of that file; None if they are another network's.

    :raises NrlDedupError: no such backbone; the file is missing or is no state dict.
    """
    wanted, found = _empty_trunk(backbone_row(name)).state_dict(), read(weights)
    try:
        return fingerprint(needed(found, wanted, str(weights), name))
    except NrlDedupError:
        return None


def _empty_trunk(row: BackboneRow) -> nn.Sequential:
    with torch.device("meta"):
        return row.trunk(row.builder(weights=None))


def pooled(backbone: Backbone, images: Float32[Tensor, "n 3 224 224"]) -> Float32[Tensor, "n size"]:
    """The mean of the last feature map over its places, one row a photo, on the backbone's device.

    For the residual and mobile networks this is what torchvision's classifier reads. For `vgg19`, whose
    classifier reads places one by one, it is the mean of its 196 regions.
    """
    return _feature_map(backbone, images).mean(dim=(2, 3))


def regions(
    backbone: Backbone, images: Float32[Tensor, "n 3 224 224"]
) -> Float32[Tensor, "n regions size"]:
    """The last feature map, place by place, on the backbone's device.

    Region r of a map that is `width` wide is its place (row r div width, column r mod width). `vgg19`: 196 regions
    of 512, the activations ahead of the last pooling (thesis, section 3.5).
    """
    feature_map = _feature_map(backbone, images)  # [n, size, height, width]
    return feature_map.flatten(2).transpose(1, 2).contiguous()  # [n, height * width, size]


@torch.no_grad()
def _feature_map(backbone: Backbone, images: Tensor) -> Tensor:
    with _full_precision(backbone.device):
        return backbone.module(images.to(backbone.device, memory_format=torch.channels_last))


def _full_precision(device: torch.device) -> AbstractContextManager[None]:
    """No TF32, which GPUs use for convolutions by default: 10 bits of mantissa in place of 23."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
