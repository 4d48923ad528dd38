"""Where a backbone's weights come from, and whether they are the right ones."""

import hashlib
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor
from torchvision import models

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.pth_file import read_state
from nrl_dedup.untrusted.safetensors_file import read_tensors

COUNTERS = "num_batches_tracked"  # of batch normalisation: no feature depends on them
HEADS = ("fc.", "classifier.")  # the parts of torchvision's networks after the features
MAX_FILE_BYTES = 2 << 30  # the largest of the networks here, vgg19, has 0.6
ENDINGS = (".pth", ".pt", ".safetensors")


def weights_folder() -> Path:
    """The project's `weights/`: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[2]  # nrl_dedup/
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def find_weights(backbone: str, weights: str) -> Path | None:
    """The backbone's file in the weights folder, under torchvision's name for `weights` or its own, if any."""
    names = [published_name(weights), *(backbone + ending for ending in ENDINGS)]
    return next((path for name in names if (path := weights_folder() / name).is_file()), None)


def published_name(weights: str) -> str:
    """torchvision's name for the file of an enum member: `resnet152-394f9c45.pth`."""
    return Path(models.get_weight(weights).url).name


def download(backbone: str, weights: str) -> Mapping[str, Tensor]:
    """The state dict from torchvision's cache, or its download with the hash checked.

    :raises NrlDedupError: there is no network, or the download was damaged.
    """
    published = models.get_weight(weights)
    try:
        return published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, HTTPException) as error:
        raise NrlDedupError(
            f"--backbone {backbone}: its weights are not on this machine and could not be downloaded ({error}). "
            f"Wanted: {published_name(weights)}, which is torchvision's {weights} ({published.url}). Fetch it on a "
            f"machine with internet, then name it with --backbone-weights FILE or put it into {weights_folder()}."
        ) from error


def read(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a file of torch.save or safetensors; nothing in it is run.

    :raises NrlDedupError: there is no such file, it is too large, or it is something else.
    """
    flag = f"--backbone-weights {path}"
    if not path.is_file():
        raise NrlDedupError(f"{flag}: no such file.")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise NrlDedupError(
            f"{flag}: wanted at most {MAX_FILE_BYTES:,} bytes, found {size:,}. No network here has so many."
        )
    try:
        # Where a link leads to: a user may name one.
        return (
            read_tensors(path.resolve(), MAX_FILE_BYTES)
            if path.suffix == ".safetensors"
            else read_state(path)
        )
    except NrlDedupError as error:
        raise NrlDedupError(
            f"{flag}: not a file of weights that can be read without running code ({str(error).rstrip('.')}). Wanted a "
            "state dict (names to tensors), saved by torch.save or as .safetensors."
        ) from error


def needed(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str, meant: str
) -> dict[str, Tensor]:
    """The tensors of `found` that the state dict `wanted` has too, as float32; a classifier's are left out.

    :raises NrlDedupError: one is missing, has another shape, is not finite, or belongs to neither; `source` and `meant`
        name what was read and what was wanted.
    """
    shapes = {key: tensor.shape for key, tensor in wanted.items() if not key.endswith(COUNTERS)}
    faults = {
        "missing": [key for key in shapes if key not in found],
        "not part of it": [key for key in found if key not in wanted and not key.startswith(HEADS)],
        "of another shape": [
            f"{key} {tuple(found[key].shape)} in place of {tuple(shape)}"
            for key, shape in shapes.items()
            if key in found and found[key].shape != shape
        ],
    }
    if any(faults.values()):
        listed = "; ".join(
            f"{len(keys)} {fault}: {_few(keys)}" for fault, keys in faults.items() if keys
        )
        raise NrlDedupError(f"{source}: these are not the weights of {meant}. {listed}.")
    state = {key: found[key].detach().float().contiguous() for key in shapes}
    spoiled = [key for key, tensor in state.items() if not torch.isfinite(tensor).all()]
    if spoiled:
        raise NrlDedupError(
            f"{source}: wanted finite numbers, found a NaN or an infinity in {_few(spoiled)}."
        )
    return state


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """sha256 of the tensors with their names and shapes, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(f"{name} {tuple(state[name].shape)}\n".encode())
        digest.update(state[name].numpy().tobytes())
    return digest.hexdigest()


def _few(keys: Iterable[object]) -> str:
    names = [str(key) for key in keys]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
