"""A state dict in a file of torch.save: nothing in it is run, and no more memory is taken than the file has.

The newer form is a zip of a pickle and of each tensor's numbers, all of them stored and none packed; the older one is
a row of pickles, then the numbers.
"""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nrl_dedup.errors import NrlDedupError

_ZIP = b"PK\x03\x04"
_MAX_ENTRIES = 100_000  # a hundred times those of the largest network
_MAX_PICKLE = 64 << 20  # bytes, of names and shapes


def read_state(path: Path) -> Mapping[str, Tensor]:
    """:raises NrlDedupError: it is no state dict of plain tensors, or it would unpack to more than it has."""
    try:
        _check_zip(path)
        # Of a file that is something else, which is said below.
        with warnings.catch_warnings(action="ignore"):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A file that is something else makes the unpickler fail with nearly any exception.
        reason = str(error).strip().partition("\n")[0][:200]
        raise NrlDedupError(f"{type(error).__name__}: {reason}") from error
    if not isinstance(found, Mapping) or not all(
        _is_plain(key, value) for key, value in found.items()
    ):
        keys = [key for key in found if isinstance(key, str)] if isinstance(found, Mapping) else []
        named = (
            f" with the keys {', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''}"
            if keys
            else ""
        )
        raise NrlDedupError(f"found a {type(found).__name__}{named}")
    return found


def _is_plain(key: object, value: object) -> bool:
    if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
        return False
    return not (value.is_meta or value.is_quantized or value.is_complex())


def _check_zip(path: Path) -> None:
    """:raises ValueError, OSError, zipfile.BadZipFile: it is a zip, and one that torch.save would not write."""
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            return
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise ValueError(f"{len(entries):,} entries")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its entries are packed, and torch.save packs none")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError(f"its entries are said to have more than its {size:,} bytes")
    if any(entry.filename.endswith(".pkl") and entry.file_size > _MAX_PICKLE for entry in entries):
        raise ValueError(f"a pickle of more than {_MAX_PICKLE:,} bytes")
