"""One pass over the photos: each is opened once, and stores filled together are as if filled alone."""

import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nrl_dedup.features.photos import decoding, photo_folder, photo_pass
from nrl_dedup.features.photos.descriptor_store import DescriptorProduct, compute_descriptors
from nrl_dedup.features.photos.feature_store import network_product, stored_features
from nrl_dedup.features.photos.folder_source import DiskTree
from nrl_dedup.features.photos.kept_photos import stamped
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.photo_pass import Request, fill_stores
from nrl_dedup.features.photos.shards import ShardWriter
from nrl_dedup.features.photos.zip_source import PhotoZip
from nrl_dedup.runtime.progress import SILENT
from tests.conftest import RunCommand, Shop, train_arguments
from tests.features.test_feature_store import (
    CPU,
    compute,
    photo,
    photos_in,
    stored_files,
    tiny_backbone,
)


class Counts:
    """How often each photo was read, how many were decoded, and how often each zip directory was read."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.decoded = 0
        self.zips: Counter[str] = Counter()


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    counts = Counts()
    read_file, read_in_zip = DiskTree.read, PhotoZip.read
    decode, open_zip = decoding.decode, PhotoZip.__init__

    def reads_file(tree: DiskTree, place: object) -> bytes:
        counts.read[str(place)] += 1
        return read_file(tree, place)

    def reads_in_zip(archive: PhotoZip, place: object) -> bytes:
        counts.read[f"{id(archive)} {place}"] += 1
        return read_in_zip(archive, place)

    def decodes(data: bytes) -> object:
        counts.decoded += 1
        return decode(data)

    def opens_zip(archive: PhotoZip, path: Path, *rest: object) -> None:
        counts.zips[path.name] += 1
        open_zip(archive, path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(DiskTree, "read", reads_file)
        patch.setattr(PhotoZip, "read", reads_in_zip)
        patch.setattr(photo_pass, "decode", decodes)
        patch.setattr(PhotoZip, "__init__", opens_zip)
        yield counts


def avito_zips(shop: Shop, folder: Path) -> int:
    """The shop's photos in Avito's zips; how many zips."""
    folder.mkdir()
    for path in shop.images.iterdir():
        number = int(path.stem) % 100
        with zipfile.ZipFile(folder / f"Images_{number // 10}.zip", "a") as archive:
            archive.write(path, f"Images_{number // 10}/{number}/{path.name}")
    return len(list(folder.iterdir()))


@pytest.mark.parametrize("place", ["folder", "zips"])
def test_a_link_and_a_training_open_each_photo_once(
    run: RunCommand,
    shop: Shop,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """The training has augmented views (`--views 1`) and fits a pair model, so it needs the photos twice over."""
    images, zips = shop.images, 0
    if place == "zips":
        images = tmp_path / "zips"
        zips = avito_zips(shop, images)
    where = ["--images", images, "--device", "cpu"]
    link = ["link", shop.items, "--model", trained, "-o", tmp_path / "dupes.csv"]
    train = train_arguments(shop, tmp_path / "model")
    for number, arguments in enumerate((link, train)):
        with counted(monkeypatch) as counts:
            work = tmp_path / f"work{number}"
            status, _, err = run(*arguments, *where, "--work-dir", work)
        assert status == 0, err
        assert len(counts.read) == counts.decoded == 120
        assert set(counts.read.values()) == {1}
        assert len(counts.zips) == zips
        assert set(counts.zips.values()) <= {1}


def fill_together(refs: list[str], photos: Path, work: Path) -> pl.DataFrame:
    """Centre views, image descriptors and two augmented views in one pass; the photos that could not be read."""
    folder = PhotoFolder(photos)
    options = {"backbone": tiny_backbone(), "work_dir": work, "kind": "pooled", "device": CPU}
    centre = network_product(folder, **options)
    views = network_product(folder, views=2, seed=7, **options)
    asked = stamped(refs, folder)
    products = (centre, DescriptorProduct(folder, work), views)
    unread = fill_stores([Request(product, asked) for product in products], folder, SILENT)
    return stored_features(centre, asked, unread).unreadable


def fill_apart(refs: list[str], photos: Path, work: Path) -> None:
    """The same in three passes; photos that have no centre view are not asked for again."""
    found = compute(refs, photos, work)
    readable = [ref for ref in refs if found.rows_of([ref])[0] >= 0]
    compute_descriptors(readable, PhotoFolder(photos), work)
    compute(readable, photos, work, views=2, seed=7)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_pass, "SHARD", 8)


def test_stores_filled_together_are_as_if_filled_alone(tmp_path: Path, small_shards: None) -> None:
    """Byte for byte: also when some stores had some of the photos before, and when photos are unreadable."""
    photos = tmp_path / "photos"
    refs = photos_in(photos, 45)
    (photos / "p12.png").write_bytes(b"no photo")
    (photos / "p30.png").write_bytes(photo(30)[:100])
    for work in (tmp_path / "together", tmp_path / "apart"):
        compute(refs[3:11], photos, work)
        compute_descriptors(refs[20:29], PhotoFolder(photos), work)
    unreadable = fill_together([*refs, "gone"], photos, tmp_path / "together")
    fill_apart(refs, photos, tmp_path / "apart")
    assert unreadable["photo"].to_list() == ["gone", "p12", "p30"]
    together = stored_files(tmp_path / "together")
    assert len(together) > 9 + 6 and together == stored_files(tmp_path / "apart")


def test_a_pass_that_was_stopped_goes_on(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    refs = photos_in(photos, 45)
    append = ShardWriter.append
    written = []

    def stops(writer: ShardWriter, features: np.ndarray, shard: pl.DataFrame) -> None:
        written.append(len(shard))
        if len(written) == 8:
            raise KeyboardInterrupt
        append(writer, features, shard)

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "append", stops)
        with pytest.raises(KeyboardInterrupt):
            fill_together(refs, photos, tmp_path / "stopped")
    with counted(monkeypatch) as counts:
        fill_together(refs, photos, tmp_path / "stopped")
    assert set(counts.read.values()) == {1} and len(counts.read) < 45
    fill_together(refs, photos, tmp_path / "whole")
    assert stored_files(tmp_path / "stopped") == stored_files(tmp_path / "whole")


def test_few_decoded_views_wait_for_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With four views of each photo in two stores, no more than `IMAGES_AHEAD` of them wait for the network."""
    photos = tmp_path / "photos"
    refs = photos_in(photos, 60)
    monkeypatch.setattr(photo_pass, "IMAGES_AHEAD", 24)
    monkeypatch.setattr(photo_pass, "READERS", 2)
    with counted(monkeypatch) as counts:
        ahead = []

        class Watching(type(SILENT)):  # type: ignore[misc]
            @contextmanager
            def task(self, what: str, total: int) -> Iterator["Watching"]:
                self.done = 0
                yield self

            def advance(self, steps: int = 1) -> None:
                self.done += steps
                ahead.append(len(counts.read) - self.done)

        folder = PhotoFolder(photos)
        work = {"work_dir": tmp_path, "kind": "pooled", "device": CPU}
        centre = network_product(folder, tiny_backbone(), **work)
        views = network_product(folder, tiny_backbone(), views=3, **work)
        asked = stamped(refs, folder)
        fill_stores([Request(centre, asked), Request(views, asked)], folder, Watching())
    assert len(ahead) == 60 and max(ahead) <= 24 // 4 + 2


def test_a_run_opens_a_photo_folder_once(tmp_path: Path) -> None:
    run = photo_folder.Run(tmp_path, CPU)
    (tmp_path / "other").mkdir()
    first = photo_folder.open_photo_folder(tmp_path, tmp_path, run)
    assert photo_folder.open_photo_folder(tmp_path, tmp_path, run) is first
    assert photo_folder.open_photo_folder(tmp_path / "other", tmp_path, run) is not first
    assert (
        photo_folder.open_photo_folder(tmp_path, tmp_path, photo_folder.Run(tmp_path, CPU))
        is not first
    )
