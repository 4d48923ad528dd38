"""Photos from elsewhere: a source that has no folder gives the same features as the folder of the same photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.config import PhotoSettings, Settings, TextSettings
from nrl_dedup.features.extract import PhotoInput, read_ads
from nrl_dedup.features.photos.folder_source import NOT_FOUND, Names
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.source import PhotoSource
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from nrl_dedup.runtime.run import Run
from tests.features.test_feature_store import photo, tiny_backbone

CPU = torch.device("cpu")


class Shelf:
    """Photos in memory, by name."""

    def __init__(self, photos: dict[str, bytes]) -> None:
        self.photos = photos

    def describe(self) -> str:
        return "a shelf"

    def stamps(self, refs: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        sizes = [len(self.photos[ref]) if ref in self.photos else NOT_FOUND for ref in refs]
        return np.array(sizes, np.int64), np.zeros(len(refs), np.int64)

    def read(self, ref: str) -> bytes:
        if ref not in self.photos:
            raise UnreadablePhoto("not found")
        return self.photos[ref]

    def paths_of(self, ref: str) -> Sequence[str]:
        return ()

    def names(self, folder: str) -> Names:
        return Names((), ())


def test_photos_come_from_anything_that_gives_bytes(tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("id,title,image\n1,стол,a\n2,стул,b\n3,шкаф,gone\n", "utf-8")
    images = tmp_path / "photos"
    images.mkdir()
    photos = {"a": photo(1), "b": photo(2)}
    for name, data in photos.items():
        (images / name).write_bytes(data)
    catalogue = read_catalogue(items)
    settings = Settings(TextSettings("ru"), photos=PhotoSettings(backbone="mobilenet_v3_small"))
    found = []
    shelf = Shelf(photos)
    assert isinstance(shelf, PhotoSource)
    for source in (shelf, PhotoFolder(images)):
        run = Run(tmp_path / "work", CPU)
        contents = read_ads(catalogue, settings, PhotoInput(source, tiny_backbone(), "pooled"), run)
        assert contents.photos.photos is not None
        assert contents.photos.unreadable.rows() == [("gone", "not found")]
        found.append(contents.photos.photos.centre.gather(contents.photos.photos.rows))
    assert found[0].shape[0] == 2
    np.testing.assert_array_equal(found[0], found[1])
    assert (
        len(list((tmp_path / "work" / "photos").glob("sketch-*"))) == 2
    )  # a store for each source
