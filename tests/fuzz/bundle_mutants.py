"""Damaged bundles: any bytes of any file, and what JSON, safetensors, Parquet and the trees' text rest on."""

import hashlib
import json
import os
import shutil
import struct
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.byte_mutations import mutate

BUNDLE = "bundle"
_LONGEST_READ = 2**27  # bytes; the longest file of a bundle has some 2**24
_VALUES: tuple[Any, ...] = (
    *(
        0,
        1,
        -1,
        3,
        2**31,
        2**63,
        10**12,
        10**300,
        0.5,
        -0.0,
        1e308,
        1e-300,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        "x" * 1000,
        "../../etc/passwd",
        "/dev/zero",
        "\ud800",
        "\x1b[31m",
        None,
        True,
        False,
        [],
        {},
        [[]] * 5,
    ),
)
_TOKENS = (
    *(
        "-1",
        "0",
        "1",
        "2",
        "5",
        "-2",
        "-7",
        "99",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "-1e308",
        "1e-320",
        "1e999",
    ),
    *("2147483648", "-99999999999", "9" * 400, "", "x", "0x10", "1 1", "-0"),
)


def make_bundle(random: Random, folder: Path, bases: tuple[Path, ...]) -> str:
    """Write `bundle` into the folder, a damaged copy of one of `bases`."""
    base = random.choice(bases)
    place = folder / BUNDLE
    shutil.copytree(base, place)
    done = [_damage(random, place, base) for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2, 3)))]
    if random.random() < 0.9:
        _tell_digests(place)
    return f"{base.name}: {'; '.join(done)}"


def _damage(random: Random, place: Path, base: Path) -> str:
    path = place / random.choice(_files(base))
    if path.is_symlink() or not _is_readable(path) or path.stat().st_size == 0:
        return "nothing"
    name = str(path.relative_to(place))
    if random.random() < 0.1:
        return f"{name} {random.choice(_AS_FILES)(random, path, place, base)}"
    kind = _KINDS.get(path.suffix, _bytes)
    if path.suffix == ".txt" and path.parent != place:
        kind = _trees
    return f"{name} {kind(random, path) if random.random() < 0.75 else _bytes(random, path)}"


def _is_readable(path: Path) -> bool:
    """Whether the whole of it can be read: a damage before may have made it a pipe, endless or as long as a disk."""
    return path.is_file() and path.stat().st_size < _LONGEST_READ


@cache
def _files(base: Path) -> list[str]:
    """What is there, the files of the pair model more often: there are more of them to be wrong."""
    names = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    return names + ["bundle.json"] * 4 + ["model.safetensors"] * 2


def _delete(random: Random, path: Path, place: Path, base: Path) -> str:
    path.unlink()
    return "deleted"


def _empty(random: Random, path: Path, place: Path, base: Path) -> str:
    path.write_bytes(b"")
    return "emptied"


def _swap(random: Random, path: Path, place: Path, base: Path) -> str:
    other = place / random.choice(_files(base))
    if not other.is_file() or other == path:
        return "stays"
    between = path.with_name("between")
    path.rename(between)
    other.rename(path)
    between.rename(other)
    return f"swapped with {other.name}"


def _replace(random: Random, path: Path, place: Path, base: Path) -> str:
    path.unlink()
    way = random.choice(("pipe", "device", "endless", "itself", "nowhere", "outside", "folder"))
    if way == "pipe":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    else:
        outside = base / path.relative_to(place)
        targets = {
            "device": "/dev/null",
            "endless": "/dev/zero",
            "itself": path.name,
            "nowhere": "no-such",
        }
        path.symlink_to(targets.get(way, outside))
    return f"is a {way}"


def _sparse(random: Random, path: Path, place: Path, base: Path) -> str:
    size = random.choice((2**32, 2**36))
    os.truncate(path, size)
    return f"as long as {size}"


_AS_FILES = (_delete, _empty, _swap, _replace, _replace, _sparse)


def _bytes(random: Random, path: Path) -> str:
    data, names = mutate(random, path.read_bytes(), random.choice((1, 1, 2)))
    path.write_bytes(data)
    return names


def _json(random: Random, path: Path) -> str:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return _bytes(random, path)
    done = []
    for _ in range(random.choice((1, 1, 1, 3))):
        places = list(_places(value))
        if not places:
            break
        holder, key, name = random.choice(places)
        way = random.choice(("value", "value", "value", "removed", "new", "nested", "repeated"))
        if way == "removed":
            del holder[key]
        elif way == "repeated" and isinstance(holder, list):
            holder[key:key] = [holder[key]] * random.choice((1, 3, 10_000))
        elif way == "nested":
            holder[key] = [[holder[key]]] if random.random() < 0.5 else {"a": {"b": holder[key]}}
        elif way == "new" and isinstance(holder, dict):
            holder[random.choice(("new", "", "__class__"))] = random.choice(_VALUES)
        else:
            holder[key] = random.choice(_VALUES)
        done.append(f"{name} {way} {str(holder[key])[:20] if way == 'value' else ''}")
    text = json.dumps(value)
    if random.random() < 0.04:
        depth = random.choice((20, 900, 5000, 200_000))
        text = f'{{"deep": {"[" * depth}{"]" * depth}, ' + text[1:]
        done.append(f"{depth} deep")
    if random.random() < 0.04:
        text = text.replace("{", '{"version": 99, "settings": 1, ', 1)
        done.append("keys twice")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return ", ".join(done)


def _places(value: Any, name: str = "") -> Any:
    """Each (holder, key, path) of a JSON value."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield value, key, f"{name}.{key}"
            yield from _places(part, f"{name}.{key}")
    elif isinstance(value, list):
        for key, part in list(enumerate(value))[:30]:
            yield value, key, f"{name}[{key}]"
            yield from _places(part, f"{name}[{key}]")


def _trees(random: Random, path: Path) -> str:
    lines = path.read_text("utf-8", "replace").split("\n")
    done = []
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(min(len(lines), random.choice((40, len(lines)))))
        key, sign, values = lines[at].partition("=")
        way = random.choice(
            ("token", "token", "token", "removed", "more", "repeated", "gone", "moved")
        )
        parts = values.split(" ")
        place = random.randrange(len(parts))
        if way == "token" and sign:
            parts[place] = random.choice(_TOKENS)
        elif way == "removed" and sign:
            del parts[place]
        elif way == "more" and sign:
            parts[place:place] = [parts[place]] * random.choice((1, 1000))
        elif way == "repeated":
            lines[at:at] = lines[at : at + random.choice((1, 5, 30))]
        elif way == "gone":
            del lines[at : at + random.choice((1, 1, 15))]
        else:
            other = random.randrange(len(lines))
            lines[at : at + 1], lines[other : other + 1] = (
                lines[other : other + 1],
                lines[at : at + 1],
            )
        if sign and way in ("token", "removed", "more"):
            lines[at] = f"{key}={' '.join(parts)}"
        done.append(f"line {at} {key[:20]} {way} {parts[place][:12] if way == 'token' else ''}")
        if not lines:
            break
    path.write_text("\n".join(lines), "utf-8")
    return ", ".join(done)


def _safetensors(random: Random, path: Path) -> str:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8]) if len(data) > 8 else (0,)
    way = random.choice(
        ("length", "header", "header", "header", "not finite", "not finite", "huge")
    )
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError):
        return _bytes(random, path)
    names = [name for name in header if name != "__metadata__"]
    if way == "length" or not names:
        size = random.choice((0, 1, size - 1, size + 1, 2**31, 2**40, 2**63, 2**64 - 1))
        path.write_bytes(struct.pack("<Q", size) + data[8:])
        return f"header of {size} bytes"
    name = random.choice(names)
    about = header[name]
    if way in ("not finite", "huge"):
        start, end = about["data_offsets"]
        if about["dtype"] != "F32" or end - start < 4:
            return _bytes(random, path)
        at = 8 + size + start + 4 * random.randrange((end - start) // 4)
        value = (
            3e38 if way == "huge" else random.choice((float("nan"), float("inf"), float("-inf")))
        )
        path.write_bytes(data[:at] + struct.pack("<f", value) + data[at + 4 :])
        return f"{name} holds {value}"
    key = random.choice(("dtype", "shape", "shape", "data_offsets", "name", "gone"))
    if key == "gone":
        del header[name]
    elif key == "name":
        header[random.choice(("", "x", names[0]))] = header.pop(name)
    elif key == "dtype":
        about[key] = random.choice(("F64", "I8", "BF16", "X", 3, "F16", "I64"))
    else:
        numbers = [
            random.choice((0, 1, -1, 2**31, 2**40, 2**63, 1.5, *about[key], "1")) for _ in range(3)
        ]
        about[key] = random.choice((numbers, numbers[:2], list(reversed(about[key])), [], None))
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return f"{name} {key} {about.get(key, '')}"


def _parquet(random: Random, path: Path) -> str:
    data = path.read_bytes()
    if random.random() < 0.5 or len(data) < 700:
        return _bytes(random, path)
    end, names = mutate(random, data[-600:], random.choice((1, 1, 3)))
    path.write_bytes(data[:-600] + end)
    return f"footer {names}"


def _words(random: Random, path: Path) -> str:
    lines = path.read_text("utf-8", "replace").split("\n")
    way = random.choice(("gone", "repeated", "more", "empty"))
    at = random.randrange(len(lines))
    if way == "gone":
        del lines[at]
    elif way == "repeated":
        lines[at] = random.choice(lines)
    elif way == "more":
        lines[at:at] = ["new"] * random.choice((1, 100_000))
    else:
        lines[at] = random.choice(("", " ", "\x1b[2J", "a b", "\0"))
    path.write_text("\n".join(lines), "utf-8")
    return f"line {at} {way}"


_KINDS = {".json": _json, ".safetensors": _safetensors, ".parquet": _parquet, ".txt": _words}


def _tell_digests(place: Path) -> None:
    """What a stranger who edits a forest would do: put its digest in place."""
    about = place / "evidence" / "evidence.json"
    if not _is_readable(about):
        return
    try:
        said = json.loads(about.read_text("utf-8"))
        for name, forest in said["forests"].items():
            path = about.parent / name
            if _is_readable(path):
                forest["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        about.write_text(json.dumps(said), "utf-8")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return
