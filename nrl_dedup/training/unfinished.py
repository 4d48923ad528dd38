"""A training's own folder, `.NAME.unfinished` beside the bundle NAME that it will become. It survives a kill:

network/        the network of a single training, once that is done; `network.json`: what it was trained on
bundle/         what will be renamed to NAME: a bundle in the making, or a search for settings (`trial_folder`)
whole.json      the digest of the bundle that is about to be renamed, so that one which was renamed is known
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrl_dedup.bundle.load import Bundle
from nrl_dedup.bundle.save import write_network
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.runtime.atomic_files import put_back, put_in_place, reason, to_disk, written_beside
from nrl_dedup.runtime.hidden_parts import (
    HeldElsewhere,
    hidden_beside,
    hold,
    remove,
    remove_dead_parts,
)

ENDING = ".unfinished"
SEARCH_PLAN = "trials.json"  # of `trial_folder`
_TRIES = 10  # another run may remove the folder between our making it and our holding it

Identity = Mapping[str, Any]  # what a network follows from, as JSON holds it


@dataclass(frozen=True)
class Unfinished:
    """The folder of a training whose bundle will be at `place`; `output` is how the user named that."""

    output: Path
    place: Path
    folder: Path

    @property
    def bundle(self) -> Path:
        """What will be renamed to `place`."""
        return self.folder / "bundle"

    @property
    def _network(self) -> Path:
        return self.folder / "network"

    @property
    def _made_of(self) -> Path:
        return self.folder / "network.json"

    @property
    def _whole(self) -> Path:
        return self.folder / "whole.json"

    def holds_search(self) -> bool:
        """Whether a search for settings was begun here, and has not become the bundle."""
        return (self.bundle / SEARCH_PLAN).exists() and not self._is_in_place()

    def holds_anything(self) -> bool:
        """Whether there is something to go on with."""
        return self.holds_search() or (self._made_of.exists() and not self._is_in_place())

    def differences(self, identity: Identity) -> list[str] | None:
        """What the network that is kept here was made of otherwise than `identity` says, in words.

        None: there is no network, or its files are not those that were written.
        """
        about = _read(self._made_of)
        if not isinstance(about, dict) or about.get("files") != _digests(self._network):
            return None
        then = about.get("identity", {})
        return [name for name, value in identity.items() if then.get(name) != value]

    def keep_network(
        self, bundle: Bundle, backbone: Backbone | None, identity: Identity | None
    ) -> None:
        """Write the network, and then what it is made of.

        :param identity: None: its training was stopped early, and no other run is to go on with it.
        :raises NrlDedupError: it cannot be written; then nothing is kept.
        """
        self._forget_network()
        try:
            self._network.mkdir()
            write_network(bundle, backbone, self._network, self.place)
            to_disk(self._network)
            if identity is not None:
                about = {"identity": identity, "files": _digests(self._network)}
                with written_beside(self._made_of) as part:
                    part.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
        except OSError as error:
            self._forget_network()
            raise NrlDedupError(
                f"-o {self.output}: could not be written ({reason(error)})."
            ) from error

    def begin_bundle(self) -> None:
        """Make the bundle anew, of the network alone.

        :raises NrlDedupError: it cannot be written.
        """
        remove(self.bundle)
        try:
            shutil.copytree(self._network, self.bundle)
        except OSError as error:
            remove(self.bundle)
            raise NrlDedupError(
                f"-o {self.output}: could not be written ({reason(error)})."
            ) from error

    def put_in_place(self) -> None:
        """Rename the bundle, which is whole, to its place; one that was there is thrown away.

        :raises NrlDedupError: it cannot be done; the bundle is kept beside, and the same command goes on with it.
        """
        try:
            with written_beside(self._whole) as part:
                part.write_text(json.dumps(_digest(self.bundle / "bundle.json")) + "\n", "utf-8")
            put_in_place(self.bundle, self.place)
        except OSError as error:
            raise NrlDedupError(
                f"-o {self.output}: could not be written ({reason(error)}). The bundle is kept in {self.bundle}; the "
                "same command goes on from there."
            ) from error

    def _is_in_place(self) -> bool:
        """Whether the bundle was renamed to its place; what is left here is rubbish then."""
        whole = _read(self._whole)
        return whole is not None and whole == _digest(self.place / "bundle.json")

    def _forget_network(self) -> None:
        remove(self._made_of)
        remove(self._network)


@contextmanager
def unfinished(output: Path) -> Iterator[Unfinished]:
    """The folder of the training whose bundle will be at `output`, for one run at a time.

    It goes when the block ends, unless there is something in it to go on with.

    :raises NrlDedupError: it cannot be made, or another run has it.
    """
    place = Path(os.path.realpath(output))
    parent_is_new = not place.parent.exists()
    folder = hidden_beside(place, ENDING)
    try:
        held = _make_and_hold(folder)
    except HeldElsewhere:
        raise NrlDedupError(
            f"-o {output}: another run is training that, in {folder}. Wait until it ends, or name another folder."
        ) from None
    except OSError as error:
        raise NrlDedupError(
            f"-o {output}: cannot write in {place.parent} ({reason(error)})."
        ) from error
    found = Unfinished(output, place, folder)
    try:
        put_back(place)
        remove_dead_parts(place)
        yield found
    finally:
        if not found.holds_anything():
            remove(folder)
            if parent_is_new:
                with suppress(OSError):  # the bundle is in it, or something else
                    place.parent.rmdir()
        os.close(held)


def remove_rubbish(output: Path) -> None:
    """Remove what a run that was killed has left of a training to `output`, if there is nothing in it to go on with."""
    if os.path.lexists(hidden_beside(Path(os.path.realpath(output)), ENDING)):
        # Another run may be at it, or the disk be full.
        with (
            suppress(NrlDedupError),
            unfinished(output),
        ):
            pass


def _make_and_hold(folder: Path) -> int:
    folder.parent.mkdir(exist_ok=True)
    for _ in range(_TRIES):
        folder.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            return hold(folder)
    return hold(folder)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _digests(folder: Path) -> dict[str, str | None]:
    return (
        {file.name: _digest(file) for file in sorted(folder.iterdir())} if folder.is_dir() else {}
    )


def _digest(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None
