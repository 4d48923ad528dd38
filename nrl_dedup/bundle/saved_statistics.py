"""Statistics of a catalogue on disk: what was fitted to some ads, to be applied to others in another run.

A statistic is a frozen dataclass whose fields are arrays, texts or numbers in a `polars.Series` (each once), text,
numbers, None, tuples of these, and further statistics. Its folder holds

    statistics.json          its class, and the fields that are no arrays, by their names
    statistics.safetensors   the arrays, by the names of the fields that lead to them, as `text/words/idf`; texts as
                             their bytes, one behind the other (`.../bytes`), and where each ends (`.../ends`)
"""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import polars as pl
from jaxtyping import AbstractArray, jaxtyped
from safetensors.numpy import save_file

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.atomic_files import folder_written_beside
from nrl_dedup.untrusted.safetensors_file import read_tensors
from nrl_dedup.untrusted.strict_json import read_json

VERSION = 1
ABOUT = "statistics.json"
ARRAYS = "statistics.safetensors"
_MAX_ABOUT = 4 << 20  # bytes: some 10,000 columns of a catalogue
_MAX_ARRAYS = 8 << 30  # bytes: ten times the topics of a million words and the words themselves

Arrays = dict[str, np.ndarray]
Statistic = TypeVar("Statistic")


def save_statistics(statistics: Any, folder: Path) -> None:
    """Write a statistic whole or not at all.

    :raises NrlDedupError: the folder cannot be written.
    """
    arrays: Arrays = {}
    about = {
        "version": VERSION,
        "class": type(statistics).__name__,
        "fields": _take_apart(statistics, "", arrays),
    }
    text = json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False)
    with folder_written_beside(folder) as part:
        (part / ABOUT).write_text(text, "utf-8")
        save_file(arrays, part / ARRAYS)


def load_statistics(kind: type[Statistic], folder: Path) -> Statistic:
    """The statistic in a folder that `save_statistics` wrote. It may come from a stranger.

    :param kind: its class.
    :raises NrlDedupError: the folder holds another class, or fields or arrays that no such statistic has.
    """
    about = read_json(folder / ABOUT, _MAX_ABOUT)
    if not isinstance(about, dict) or about.keys() != {"version", "class", "fields"}:
        raise NrlDedupError(f"{ABOUT}: wanted version, class and fields.")
    if about["version"] != VERSION or about["class"] != kind.__name__:
        raise NrlDedupError(
            f"{ABOUT}: wanted {kind.__name__} of version {VERSION}, found "
            f"{about['class']!r:.60} of version {about['version']!r:.20}."
        )
    tensors = read_tensors(folder / ARRAYS, _MAX_ARRAYS)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    try:
        found: Statistic = _put_together(kind, "", about["fields"], arrays)
    except ValueError as error:
        raise NrlDedupError(f"{folder.name}: {error}.") from error
    if arrays:
        raise NrlDedupError(f"{ARRAYS}: {min(arrays)!r:.60} is not wanted.")
    return found


def _take_apart(value: Any, path: str, arrays: Arrays) -> Any:
    """What the JSON says of a value; its arrays are added to `arrays`."""
    if is_dataclass(value):
        about: dict[str, Any] = {}
        for field in fields(value):
            part = getattr(value, field.name)
            if isinstance(part, np.ndarray):
                arrays[_inside(path, field.name)] = np.ascontiguousarray(part)
            elif isinstance(part, pl.Series):
                _add_series(part, _inside(path, field.name), arrays)
            else:
                about[field.name] = _take_apart(part, _inside(path, field.name), arrays)
        return about
    if isinstance(value, tuple):
        return [_take_apart(part, _inside(path, place), arrays) for place, part in enumerate(value)]
    return value


def _inside(path: str, name: str | int) -> str:
    return f"{path}/{name}" if path else str(name)


def _add_series(values: pl.Series, path: str, arrays: Arrays) -> None:
    if values.dtype != pl.String:
        arrays[path] = values.to_numpy()
        return
    joined = "".join(values).encode("utf-8")
    lengths = values.str.len_bytes().to_numpy().astype(np.int64)
    arrays[_inside(path, "bytes")] = np.frombuffer(joined, np.uint8)
    arrays[_inside(path, "ends")] = np.cumsum(lengths)


def _put_together(kind: Any, path: str, about: Any, arrays: Arrays) -> Any:
    """The value of a field of this type. What is used of `arrays` is taken out.

    :raises ValueError: it is no such value.
    """
    if is_dataclass(kind):
        return _read_dataclass(kind, path, about, arrays)
    if get_origin(kind) is types.UnionType:
        if about is None:
            return None
        (inner,) = (part for part in get_args(kind) if part is not types.NoneType)
        return _put_together(inner, path, about, arrays)
    if get_origin(kind) is tuple:
        if not isinstance(about, list):
            raise ValueError(f"wanted a list at {path}")
        inner = get_args(kind)[0]
        parts: list[Any] = []
        for place, part in enumerate(about):
            parts.append(_put_together(inner, _inside(path, place), part, arrays))
        return tuple(parts)
    if type(about) is not kind:
        raise ValueError(f"wanted {kind.__name__} at {path}, found {about!r:.60}")
    return about


def _read_dataclass(kind: Any, path: str, about: Any, arrays: Arrays) -> Any:
    if not isinstance(about, Mapping):
        raise ValueError(f"wanted the fields of {kind.__name__} at {path}")
    values: dict[str, Any] = {}
    wanted: set[str] = set()
    with jaxtyped("context"):  # sizes of one name are equal in all arrays of one statistic
        for name, annotation in get_type_hints(kind).items():
            place = _inside(path, name)
            if annotation is pl.Series:
                values[name] = _read_series(place, arrays)
            elif isinstance(annotation, type) and issubclass(annotation, AbstractArray):
                array = _taken(place, arrays)
                if not isinstance(array, annotation):
                    found = f"{array.dtype} and shape {array.shape}"
                    raise ValueError(f"{place} is of {found}, which do not fit")
                values[name] = _finite(array, place)
            else:
                wanted.add(name)
                values[name] = _put_together(annotation, place, about.get(name), arrays)
    if about.keys() != wanted:
        raise ValueError(f"wanted {sorted(wanted)} at {path}, found {sorted(about)!r:.120}")
    return kind(**values)


def _finite(array: np.ndarray, path: str) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"wanted finite numbers in {path}")
    return array


def _read_series(path: str, arrays: Arrays) -> pl.Series:
    """Text or numbers of 64 bits, each once."""
    if path in arrays:
        numbers = _taken(path, arrays)
        if numbers.dtype != np.int64 or numbers.ndim != 1:
            raise ValueError(f"wanted one row of whole numbers in {path}")
        values = pl.Series(numbers)
    else:
        values = pl.Series(_read_texts(path, arrays), dtype=pl.String)
    if values.n_unique() != len(values):
        raise ValueError(f"a value is twice in {path}")
    return values


def _read_texts(path: str, arrays: Arrays) -> list[str]:
    joined = _taken(_inside(path, "bytes"), arrays)
    ends = _taken(_inside(path, "ends"), arrays)
    if joined.dtype != np.uint8 or ends.dtype != np.int64 or ends.ndim != 1:
        raise ValueError(f"wanted bytes of text, and where each ends, in {path}")
    starts = np.append(0, ends[:-1])[: len(ends)]
    last = ends[-1] if len(ends) else 0
    if (starts > ends).any() or last != len(joined):
        raise ValueError(f"the texts in {path} do not end one behind the other")
    text = joined.tobytes()
    bounds = zip(starts.tolist(), ends.tolist(), strict=True)
    return [text[start:end].decode("utf-8") for start, end in bounds]


def _taken(path: str, arrays: Arrays) -> np.ndarray:
    if path not in arrays:
        raise ValueError(f"the array {path} is missing")
    return arrays.pop(path)
