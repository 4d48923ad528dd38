"""The data that a bundle was trained on, found again from where the bundle lies now."""

from pathlib import Path
from typing import TYPE_CHECKING

from nrl_dedup.errors import NrlDedupError

if TYPE_CHECKING:
    from nrl_dedup.bundle.load import Bundle


def remembered_items(bundle: "Bundle", instead: str) -> Path:
    """The file of the ads that a bundle was trained on.

    :param instead: what to do where it is gone.
    :raises NrlDedupError: it is not there.
    """
    return _there(bundle, bundle.data.items, instead)


def remembered_other(bundle: "Bundle", instead: str) -> Path | None:
    """The second file of these ads, if there were two. Arguments and errors: as of `remembered_items`."""
    other = bundle.data.other
    return None if other is None else _there(bundle, other, instead)


def _there(bundle: "Bundle", file: str, instead: str) -> Path:
    from nrl_dedup.catalogue.files.file_pattern import files_of

    path = bundle.data_path(file)
    if not all(one.is_file() for one in files_of(path)):
        raise NrlDedupError(
            f"{bundle.folder}: the ads that it was trained on were in {path}, seen from where the bundle is now, and "
            f"are not there. {instead}"
        )
    return path


def remembered_images(bundle: "Bundle") -> Path | None:
    """The folder of those ads' photos; None: it was trained without."""
    return None if bundle.data.images is None else bundle.data_path(bundle.data.images)
