"""What a .safetensors file holds, by its header, which is checked against the file's size.

The file: 8 bytes of the header's length, the header (JSON: for each tensor its type, its shape, and where it starts and
ends), then the tensors, one after the other without gaps.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.plain_file import read_plain
from nrl_dedup.untrusted.strict_json import parse_json

Shape = tuple[int, ...]

LARGEST = 1e9  # of a network's weights: a thousand times what training on photos that hardly differ can give
_LENGTH = 8  # bytes, of the header's length
# Bytes: room for 100,000 tensors, a hundred times those of the largest network.
_MAX_HEADER = 16 << 20
_MAX_DIMENSIONS = 8
_ITEM_SIZES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}


def read_tensors(path: Path, most: int) -> dict[str, Tensor]:
    """The tensors of a plain file of at most `most` bytes.

    :raises NrlDedupError: its header and its size do not agree, or it is no plain file.
    """
    data = read_plain(path, most)
    _check_layout(data, path.name)
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise NrlDedupError(f"{path.name}: cannot be read as safetensors ({error}).") from error


def check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], name: str) -> None:
    """Find out whether `found` are the tensors of `wanted`, in 32 bits, every number from -`LARGEST` to `LARGEST`.

    :param wanted: of these, the shapes are asked alone; they may be on torch's "meta" device.
    :raises NrlDedupError: one is missing, or there is one too many; or it has another type or shape, or such a number.
    """
    for key in sorted(found.keys() ^ wanted.keys()):
        raise NrlDedupError(
            f"{name}: {key!r:.60} is {'not wanted' if key in found else 'missing'}."
        )
    for key, tensor in sorted(found.items()):
        if tensor.shape != wanted[key].shape or tensor.dtype != torch.float32:
            raise NrlDedupError(
                f"{name}: wanted {key} of shape {tuple(wanted[key].shape)} in 32 bits, by the settings in bundle.json; "
                f"found {tuple(tensor.shape)} of {tensor.dtype}."
            )
        if not (tensor.abs() <= LARGEST).all():
            raise NrlDedupError(
                f"{name}: wanted finite numbers, found a NaN, an infinity or one beyond 10^9 in {key}."
            )


def _check_layout(data: bytes, name: str) -> None:
    length = int.from_bytes(data[:_LENGTH], "little")
    if len(data) < _LENGTH or length > min(_MAX_HEADER, len(data) - _LENGTH):
        raise NrlDedupError(
            f"{name}: wanted a safetensors file; {len(data):,} bytes cannot hold its header of {length:,}."
        )
    try:
        header = parse_json(data[_LENGTH : _LENGTH + length].decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise NrlDedupError(
            f"{name}: wanted a safetensors file; its header is no UTF-8."
        ) from error
    if not isinstance(header, dict):
        raise NrlDedupError(f"{name}: wanted a safetensors file; its header names no tensors.")
    places = [_place(key, about, name) for key, about in header.items() if key != "__metadata__"]
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise NrlDedupError(
                f"{name}: wanted tensors one behind the other; found one at {start:,}, not {end:,}."
            )
        end = stop
    if _LENGTH + length + end != len(data):
        raise NrlDedupError(
            f"{name}: by its header it has {_LENGTH + length + end:,} bytes; found {len(data):,}. It is cut short, or "
            "something was added."
        )


def _place(key: str, about: Any, name: str) -> tuple[int, int]:
    """Where a tensor starts and ends, after the header."""
    wrong = f"{name}: wanted type, shape and place of the tensor {key!r:.60}"
    if not isinstance(about, dict) or about.keys() != {"dtype", "shape", "data_offsets"}:
        raise NrlDedupError(f"{wrong}; found other entries.")
    kind, shape, place = about["dtype"], about["shape"], about["data_offsets"]
    if not isinstance(kind, str) or kind not in _ITEM_SIZES:
        raise NrlDedupError(
            f"{wrong}; found the type {kind!r:.60}. Known are {', '.join(_ITEM_SIZES)}."
        )
    if (
        not _are_sizes(shape)
        or len(shape) > _MAX_DIMENSIONS
        or not _are_sizes(place)
        or len(place) != 2
    ):
        raise NrlDedupError(f"{wrong}; found the shape {shape!r:.60} at {place!r:.60}.")
    if place[1] - place[0] != math.prod(shape) * _ITEM_SIZES[kind]:
        raise NrlDedupError(f"{wrong}; {kind} of shape {shape!r:.60} does not fill {place!r:.60}.")
    return place[0], place[1]


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
