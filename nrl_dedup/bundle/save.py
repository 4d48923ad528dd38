"""A bundle is put on disk: the network first, then what is fitted over it, and in the end a word about that."""

import json
import os
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from safetensors import SafetensorError
from safetensors.torch import save_file

from nrl_dedup.bundle.load import (
    EVIDENCE,
    HELD_OUT,
    PAIR_MODEL,
    SPLIT,
    VERSION,
    Bundle,
    DataSource,
)
from nrl_dedup.bundle.parts import SPLIT_SOURCES
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.runtime.atomic_files import folder_written_beside, give_usual_mode, written_beside
from nrl_dedup.runtime.output_checks import check_folder_writable
from nrl_dedup.scoring.pair_model import PairModel, save_pair_model
from nrl_dedup.tables import check

NOT_YET = "its training has not come to it"


def check_bundle_target(folder: Path, *, force: bool) -> None:
    """Find out before the hours of work that a bundle can be written to `folder`.

    :raises NrlDedupError: it exists and `force` is not given, is no bundle, or its parent cannot be written.
    """
    if folder.exists():
        if not force:
            raise NrlDedupError(
                f"-o {folder}: there is something already. Name another folder, or add --force."
            )
        if not (folder / "bundle.json").exists():
            raise NrlDedupError(
                f"-o {folder}: --force replaces a bundle, and this is none. Name another folder."
            )
    check_folder_writable(Path(os.path.realpath(folder)).parent, f"-o {folder}")


def save_bundle(
    bundle: Bundle,
    backbone: Backbone | None,
    folder: Path,
    *,
    place: Path | None = None,
    force: bool = False,
) -> None:
    """Write the network of a bundle whole or not at all: into a folder beside, renamed into place.

    :param place: where the bundle will stand in the end, if not at `folder`.
    :raises NrlDedupError: `folder` exists and `force` is not given, or it cannot be written.
    """
    check_bundle_target(folder, force=force)
    with folder_written_beside(folder) as part:
        write_network(bundle, backbone, part, place or Path(os.path.realpath(folder)))


def is_whole(folder: Path) -> bool:
    """Whether a bundle lies there that has come to its pair model, or says why it has none."""
    try:
        said = json.loads((folder / "bundle.json").read_text("utf-8"))[PAIR_MODEL]
        return bool(said["there"] or said["why_not"] != NOT_YET)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def write_network(bundle: Bundle, backbone: Backbone | None, folder: Path, place: Path) -> None:
    """Write all of a bundle but its pair model into a folder that is there.

    :param place: where the bundle will stand in the end; the paths of its data start there.
    :raises OSError: it cannot be written.
    """
    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in bundle.model.state_dict().items()
    }
    _save_tensors(state, folder / "model.safetensors")
    if backbone is not None and backbone.from_file:
        network = {name: x.detach().cpu().contiguous() for name, x in backbone.state.items()}
        _save_tensors(network, folder / "backbone.safetensors")
    (folder / "vocabulary.txt").write_text(
        "".join(f"{word}\n" for word in bundle.vocabulary.words), "utf-8"
    )
    of_split = [*SPLIT, *(name for name in SPLIT_SOURCES if name in bundle.split.columns)]
    _write_parquet(bundle.split.select(of_split), folder / "split.parquet")
    _write_about(
        folder / "bundle.json",
        {
            "version": VERSION,
            "settings": asdict(bundle.settings),
            "image_size": bundle.image_size,
            "backbone_fingerprint": bundle.backbone_fingerprint,
            "backbone_file": backbone is not None and backbone.from_file,
            "baseline": asdict(bundle.baseline),
            "best_epoch": bundle.best_epoch,
            "epochs": [asdict(epoch) for epoch in bundle.history],
            "split": bundle.audit,
            "data": _without_absent(located(bundle.data, place)),
            PAIR_MODEL: {"there": False, "why_not": NOT_YET},
        },
    )
    give_usual_mode(*(file for file in folder.iterdir() if file.is_file()))


def located(data: DataSource, folder: Path) -> DataSource:
    """The same with paths that start at `folder`, so that a bundle which is moved together with its data finds it, and
    says no more of the disk that it was made on than the way from the one to the other."""
    images = None if data.images is None else os.path.relpath(data.images, folder)
    other = None if data.other is None else os.path.relpath(data.other, folder)
    return replace(data, items=os.path.relpath(data.items, folder), images=images, other=other)


def _without_absent(data: DataSource) -> dict[str, Any]:
    """What is said of sources, only where there are any."""
    said = asdict(data)
    for name in ("other", "source"):
        if said[name] is None:
            del said[name]
    return said


def add_pair_model(
    folder: Path, model: PairModel | None, held_out: pl.DataFrame, why_not: str | None = None
) -> None:
    """Put a pair model and `HELD_OUT` beside the network of a saved bundle, and say so in its `bundle.json`.

    :param why_not: where `model` is None: why.
    :raises NrlDedupError: it cannot be written.
    """
    if model is not None:
        with folder_written_beside(folder / EVIDENCE) as part:
            save_pair_model(model, part)
            give_usual_mode(*part.iterdir())
    with written_beside(folder / "held_out.parquet") as path:
        _write_parquet(check(held_out, HELD_OUT, "held-out candidates"), path)
    about: dict[str, Any] = json.loads((folder / "bundle.json").read_text("utf-8"))
    about[PAIR_MODEL] = {
        "there": model is not None,
        "why_not": None if model is not None else why_not,
    }
    with written_beside(folder / "bundle.json") as path:
        _write_about(path, about)


def _write_about(path: Path, about: dict[str, Any]) -> None:
    # A path that is not UTF-8 has lone surrogates, which backslashreplace writes as JSON's own escapes.
    text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    """By Python's own file, which tells of every byte that could not be written."""
    written = BytesIO()
    table.write_parquet(written)
    path.write_bytes(written.getbuffer())


def _save_tensors(tensors: dict[str, Any], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
