"""A source of photos: what the stages ask of it, wherever the photos lie."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from nrl_dedup.features.photos.folder_source import Names


@runtime_checkable
class PhotoSource(Protocol):
    """Gives the bytes of a photo by its reference. `photo_folder.PhotoFolder` is one, of a folder or a zip.

    Threads share it. A further one, such as an object store, is a class with these methods, opened by whoever makes the
    `extract.PhotoInput`.
    """

    def describe(self) -> str:
        """Where the photos are, the same in every run: features of another source are not taken for theirs."""

    def stamps(
        self, refs: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "refs"], Int64[np.ndarray, "refs"]]:
        """The identity of each photo: its size in bytes, and a number that changes when the photo does.

        A size below 0 is a key of `photo_folder.ABSENCES`: the photo is not there.
        """

    def read(self, ref: str) -> bytes:
        """The photo's bytes.

        :raises UnreadablePhoto: it is not there, or cannot be read this time.
        """

    def paths_of(self, ref: str) -> Sequence[str]:
        """The paths that a reference may mean, the likeliest first; none where photos have no paths."""

    def names(self, folder: str) -> Names:
        """What lies in a folder of the source; nothing in one that is not there."""
