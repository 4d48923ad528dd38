"""The store of photo features: the right values, computed once, whatever happens to the run."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import nn

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos import compute as computing
from nrl_dedup.features.photos import photo_pass, shards
from nrl_dedup.features.photos.backbones import Backbone, BackboneRow, pooled, regions
from nrl_dedup.features.photos.crops import centre_view, training_view
from nrl_dedup.features.photos.decoding import decode
from nrl_dedup.features.photos.feature_store import VERSION, PhotoFeatures, compute_features
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.runtime.progress import Silent

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The network here is tiny: more threads only wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_backbone(seed: int = 0, scale: float = 1.0) -> Backbone:
    """One convolution over 32 x 32 patches: a map of 7 x 7 places of 8."""
    convolution = nn.Conv2d(3, 8, 32, stride=32)
    draw = torch.Generator().manual_seed(seed)
    convolution.weight.data = torch.randn(convolution.weight.shape, generator=draw) * 0.02 * scale
    convolution.bias.data = torch.randn(8, generator=draw)
    row = BackboneRow("tiny", nn.Identity, "", lambda model: nn.Sequential(model), 8, (49, 8))
    return Backbone(
        row,
        nn.Sequential(convolution).requires_grad_(False),
        f"{seed:012x}".ljust(64, "f"),
        {},
        True,
    )


def photo(seed: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def photos_in(folder: Path, count: int) -> list[str]:
    """Files 0.png ... in their own order; as text, 10 comes ahead of 2."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"p{number}.png").write_bytes(photo(number))
    return [f"p{number}" for number in range(count)]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_pass, "SHARD", 8)


@contextmanager
def decoded_photos(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts the photos that are decoded: a list with one number."""
    count = [0]

    def counted(data: bytes) -> Image.Image:
        count[0] += 1
        return decode(data)

    with monkeypatch.context() as patch:
        patch.setattr(photo_pass, "decode", counted)
        yield count


def compute(refs: list[str], folder: Path, work_dir: Path, **options: object) -> PhotoFeatures:
    backbone = options.pop("backbone", None) or tiny_backbone()
    return compute_features(refs, PhotoFolder(folder), backbone, work_dir, device=CPU, **options)


def stored_files(work_dir: Path) -> dict[str, bytes]:
    names = (path for path in work_dir.rglob("*") if path.suffix in (".bin", ".shard"))
    return {str(path.relative_to(work_dir)): path.read_bytes() for path in names}


def test_each_photo_gets_its_own_features(tmp_path: Path, small_shards: None) -> None:
    """40 photos over five shards and several batches, against each photo computed alone."""
    refs = photos_in(tmp_path / "photos", 40)
    features = compute([*reversed(refs), "p3", "p3"], tmp_path / "photos", tmp_path / "work")
    rows = features.rows_of(pl.Series(refs))
    assert sorted(rows) == list(range(40))
    expected = torch.cat(
        [pooled(tiny_backbone(), centre_view(decode(photo(i)))[None]) for i in range(40)]
    )
    np.testing.assert_allclose(features.gather(rows), expected, atol=1e-5)
    for number, row in enumerate(rows):
        wanted = hashlib.blake2b(photo(number), digest_size=8).digest()
        assert int(features.digests[row]) == int.from_bytes(wanted, "little")
    assert features.unreadable.is_empty()
    assert features.views == 1
    assert features.rows_of(["p3", "unknown", "p3"]).tolist() == [rows[3], -1, rows[3]]


def test_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    features = compute(photos_in(tmp_path / "photos", 2), tmp_path / "photos", tmp_path / "work")
    for rows, view in (([-1], 0), ([2], 0), ([0], 1), ([0], -1)):
        with pytest.raises(IndexError):
            features.gather(np.array(rows), view)
    assert features.gather(np.array([], dtype=np.int64)).shape == (0, 8)


def test_nothing_is_computed_twice(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = photos_in(tmp_path / "photos", 30)
    work_dir = tmp_path / "work"
    first = compute(refs[:20], tmp_path / "photos", work_dir)
    with decoded_photos(monkeypatch) as count:
        again = compute(refs[:20], tmp_path / "photos", work_dir)
        assert count == [0]
        more = compute(refs[5:], tmp_path / "photos", work_dir)
        assert count == [10]
    assert again.rows_of(refs[:20]).tolist() == first.rows_of(refs[:20]).tolist()
    assert more.rows_of(refs[5:20]).tolist() == first.rows_of(refs[5:20]).tolist()
    assert more.rows_of(refs[:5]).tolist() == [-1] * 5  # not asked for this time
    fresh = compute(refs, tmp_path / "photos", tmp_path / "other")
    np.testing.assert_allclose(
        more.gather(more.rows_of(refs[5:])), fresh.gather(fresh.rows_of(refs[5:])), atol=1e-6
    )


def test_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    features = compute([], tmp_path / "photos", tmp_path / "work")
    assert features.rows_of(["a"]).tolist() == [-1]
    assert features.unreadable.columns == ["photo", "reason"]
    assert features.digests.tolist() == []
    missing = compute(["a"], tmp_path / "photos", tmp_path / "work")
    assert missing.unreadable.rows() == [("a", "not found")]


def test_stores_do_not_mix(tmp_path: Path) -> None:
    """Another folder, backbone, kind or plan of views: another store, so the same names keep their own features."""
    for name, offset in (("one", 0), ("two", 100)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(photo(offset))
    cases: list[tuple[str, dict[str, object]]] = [
        ("one", {}),
        ("two", {}),
        ("one", {"backbone": tiny_backbone(seed=1)}),
        ("one", {"kind": "half"}),
        ("one", {"views": 1}),
        ("one", {"views": 2}),
        ("one", {"views": 2, "seed": 1}),
    ]
    found = []
    for _ in range(2):
        for folder, options in cases:
            features = compute(["a"], tmp_path / folder, tmp_path / "work", **options)
            found.append(features.gather(features.rows_of(["a"])).tobytes())
    # The first of two views and the only one of one view are the same draw.
    assert len(set(found)) == len(cases) - 1
    assert found[: len(cases)] == found[len(cases) :]
    names = sorted(path.name for path in (tmp_path / "work" / "photos").iterdir())
    assert len(names) == len(cases)
    assert [name.split("-")[4:] for name in names if "views2" in name] == [
        ["views2", "seed0", "v2"],
        ["views2", "seed1", "v2"],
    ]
    assert {tuple(name.split("-")[:3]) for name in names} == {
        ("tiny", "000000000000", "pooled"),
        ("tiny", "000000000001", "pooled"),
        ("tiny", "000000000000", "half"),
    }


def test_training_views(tmp_path: Path, small_shards: None) -> None:
    refs = photos_in(tmp_path / "photos", 20)
    features = compute(refs, tmp_path / "photos", tmp_path / "work", views=3, seed=7)
    assert features.views == 3
    rows = features.rows_of(refs)
    view = np.arange(20) % 3
    drawn = features.gather(rows, view)
    for number in range(20):
        seed_bytes = hashlib.blake2b(f"7 {view[number]} p{number}".encode(), digest_size=8).digest()
        image = training_view(decode(photo(number)), int.from_bytes(seed_bytes, "little"))
        np.testing.assert_allclose(
            drawn[number], pooled(tiny_backbone(), image[None])[0], atol=1e-5
        )
    assert not np.allclose(features.gather(rows, 0), features.gather(rows, 1), atol=1e-3)


def test_regions_are_kept_in_half_precision(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 3)
    features = compute(refs, tmp_path / "photos", tmp_path / "work", kind="half")
    found = features.gather(features.rows_of(refs))
    assert found.shape == (3, 49, 8)
    images = torch.stack([centre_view(decode(photo(number))) for number in range(3)])
    np.testing.assert_allclose(found, regions(tiny_backbone(), images), rtol=2**-11, atol=1e-5)
    huge = compute(
        refs, tmp_path / "photos", tmp_path / "work", kind="half", backbone=tiny_backbone(2, 1e7)
    )
    assert np.abs(huge.gather(huge.rows_of(refs))).max() == 65504


def test_weights_that_give_no_numbers(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 3)
    with pytest.raises(NrlDedupError, match=r"tiny.*not finite.*--backbone-weights"):
        compute(
            refs, tmp_path / "photos", tmp_path / "work", backbone=tiny_backbone(0, float("inf"))
        )


def test_undecodable_photos_are_remembered_and_absent_ones_looked_for_again(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    refs = photos_in(folder, 12)
    (folder / "p1.png").write_bytes(b"")
    (folder / "p4.png").write_bytes(b"no photo at all")
    (folder / "p5.png").write_bytes(photo(5)[:100])
    gone, outside = "p99", "../p1"
    features = compute([*refs, gone, outside], folder, tmp_path / "work")
    assert dict(features.unreadable.rows()) == {
        "p1": "zero bytes",
        "p4": "not a photo in a format that can be read",
        "p5": "truncated",
        gone: "not found",
        outside: "leaves the photo folder",
    }
    assert (features.rows_of([*refs, gone, outside]) < 0).nonzero()[0].tolist() == [1, 4, 5, 12, 13]
    with decoded_photos(monkeypatch) as count:
        again = compute([*refs, gone, outside], folder, tmp_path / "work")
        assert count == [0]
        assert again.unreadable.equals(features.unreadable)
        (folder / f"{gone}.png").write_bytes(photo(99))
        (folder / "p5.png").write_bytes(photo(5))
        (folder / "p2.png").write_bytes(photo(2) + b"another size")
        healed = compute([*refs, gone, outside], folder, tmp_path / "work")
        assert count == [3]
    assert sorted(healed.unreadable["photo"]) == [outside, "p1", "p4"]
    for number in (2, 5, 99):
        expected = pooled(tiny_backbone(), centre_view(decode(photo(number)))[None])
        np.testing.assert_allclose(
            healed.gather(healed.rows_of([f"p{number}"])), expected, atol=1e-5
        )


def test_a_photo_that_could_not_be_read_is_tried_again(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = photos_in(tmp_path / "photos", 10)
    read = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == "p3.png":
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        features = compute(refs, tmp_path / "photos", tmp_path / "work")
    assert features.unreadable.rows() == [("p3", "cannot be read (Input/output error)")]
    assert (features.rows_of(refs) < 0).nonzero()[0].tolist() == [3]
    again = compute(refs, tmp_path / "photos", tmp_path / "work")
    expected = torch.cat(
        [pooled(tiny_backbone(), centre_view(decode(photo(i)))[None]) for i in range(10)]
    )
    np.testing.assert_allclose(again.gather(again.rows_of(refs)), expected, atol=1e-5)


KILLED_RUN = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from tests.features import test_feature_store
    from contextlib import contextmanager
    from nrl_dedup.features.photos import photo_pass
    from nrl_dedup.runtime.progress import Silent

    class Killer(Silent):
        @contextmanager
        def task(self, what, total):
            yield self
        done = 0
        def advance(self, steps=1):
            self.done += steps
            if self.done == 21:
                os.kill(os.getpid(), signal.SIGKILL)

    photo_pass.SHARD = 8
    refs = [f"p{{number}}" for number in range(30)]
    test_feature_store.compute(refs, Path({photos!r}), Path({work!r}), progress=Killer())
"""


def test_a_killed_run_goes_on_where_it_stopped(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the 21st photo, so in the third shard: two shards of eight are kept, 14 photos are left; and the
    files come out byte by byte as those of a run that nobody killed."""
    refs = photos_in(tmp_path / "photos", 30)
    script = textwrap.dedent(KILLED_RUN).format(
        tests=str(Path(__file__).parents[2]),
        photos=str(tmp_path / "photos"),
        work=str(tmp_path / "killed"),
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sum(name.endswith(".shard") for name in stored_files(tmp_path / "killed")) == 2
    with decoded_photos(monkeypatch) as count:
        features = compute(refs, tmp_path / "photos", tmp_path / "killed")
        assert count == [14]
    whole = compute(refs, tmp_path / "photos", tmp_path / "whole")
    assert stored_files(tmp_path / "killed") == stored_files(tmp_path / "whole")
    assert features.rows_of(refs).tolist() == whole.rows_of(refs).tolist()


def test_rows_of_an_unfinished_shard_are_dropped(tmp_path: Path, small_shards: None) -> None:
    refs = photos_in(tmp_path / "photos", 16)
    compute(refs, tmp_path / "photos", tmp_path / "whole")
    for name, data in stored_files(tmp_path / "whole").items():
        if not name.endswith("00000001.shard"):
            target = tmp_path / "torn" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data[:-5] + b"x" * 77 if name.endswith(".bin") else data)
    compute(refs, tmp_path / "photos", tmp_path / "torn")
    assert stored_files(tmp_path / "torn") == stored_files(tmp_path / "whole")


def test_a_full_disk_keeps_the_finished_shards(
    tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = photos_in(tmp_path / "photos", 30)
    written = []

    def fills_up(file: object, data: bytes) -> None:
        written.append(data)
        if len(written) == 6:  # the index of the third shard
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(file, data)

    write_all = shards._write_all
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_write_all", fills_up)
        with pytest.raises(NrlDedupError, match=r"work.*tiny.*No space left on device.*--work-dir"):
            compute(refs, tmp_path / "photos", tmp_path / "work")
    with decoded_photos(monkeypatch) as count:
        compute(refs, tmp_path / "photos", tmp_path / "work")
        assert count == [14]
    compute(refs, tmp_path / "photos", tmp_path / "whole")
    assert stored_files(tmp_path / "work") == stored_files(tmp_path / "whole")


def test_too_little_room_is_found_out_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = photos_in(tmp_path / "photos", 2)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: usage(100, 37, 63)
    )  # two rows of 8 floats are 64 bytes
    with decoded_photos(monkeypatch) as count, pytest.raises(NrlDedupError, match=r"2 photos need"):
        compute(refs, tmp_path / "photos", tmp_path / "work")
    assert count == [0]
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 36, 64))
    assert compute(refs, tmp_path / "photos", tmp_path / "work").rows_of(refs).tolist() == [0, 1]


def test_a_work_directory_that_cannot_be_made(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 1)
    (tmp_path / "work").write_text("a file")
    with pytest.raises(NrlDedupError, match=r"work.*cannot be written.*--work-dir"):
        compute(refs, tmp_path / "photos", tmp_path / "work")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 3)
    first = compute(refs[:2], tmp_path / "photos", tmp_path / "work")
    folder = next((tmp_path / "work" / "photos").iterdir())
    with shards.ShardStore(folder, (1, 8), np.dtype(np.float32)).writing():
        with pytest.raises(NrlDedupError, match=r"another run.*--work-dir"):
            compute(refs, tmp_path / "photos", tmp_path / "work")
        reading = compute(refs[:2], tmp_path / "photos", tmp_path / "work")
        assert reading.rows_of(refs[:2]).tolist() == first.rows_of(refs[:2]).tolist()
    assert compute(refs, tmp_path / "photos", tmp_path / "work").rows_of(refs).tolist() == [0, 1, 2]


def shard_path(store: Path, number: int) -> Path:
    return store / "shards" / f"{number:08d}.shard"


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def half_zeroed(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = (zeroed, half_zeroed, flipped, cut, emptied, lengthened, Path.unlink)
PLACES = ["features.bin", *(f"shards/{number:08d}.shard" for number in range(3))]


def swapped(store: Path) -> None:
    one, other = shard_path(store, 0), shard_path(store, 2)
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def there_twice(store: Path) -> None:
    shard_path(store, 7).write_bytes(shard_path(store, 1).read_bytes())


def in_the_place_of_another(store: Path) -> None:
    shard_path(store, 2).write_bytes(shard_path(store, 0).read_bytes())


def no_shards(store: Path) -> None:
    shutil.rmtree(store / "shards")


def rows_swapped(store: Path) -> None:
    data = (store / "features.bin").read_bytes()
    (store / "features.bin").write_bytes(data[256:512] + data[:256] + data[512:])


def leftovers(store: Path) -> None:
    shard_path(store, 3).with_suffix(".part").write_bytes(b"half of an index")


TO_ONE_FILE = [
    pytest.param(
        partial(lambda damage, place, store: damage(store / place), damage, place),
        id=f"{place} {name}",
    )
    for place in PLACES
    for damage, name in [(damage, damage.__name__) for damage in DAMAGES]
]
TO_INDEXES = [
    pytest.param(
        lambda store, damage=damage: damage(shard_path(store, 1)), id=f"an index {damage.__name__}"
    )
    for damage in (replaced_by_a_folder, replaced_by_a_pipe)
]
TO_THE_STORE = [swapped, there_twice, in_the_place_of_another, no_shards, rows_swapped, leftovers]


@pytest.mark.parametrize("damage", [*TO_ONE_FILE, *TO_INDEXES, *TO_THE_STORE])
def test_what_is_damaged_is_computed_anew(
    tmp_path: Path,
    small_shards: None,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
) -> None:
    """24 photos in three shards of eight, of 256 bytes each: whatever happens to the files, the right features."""
    refs = photos_in(tmp_path / "photos", 24)
    (tmp_path / "photos" / "p3.png").write_bytes(b"no photo")
    whole = compute(refs, tmp_path / "photos", tmp_path / "whole")
    compute(refs, tmp_path / "photos", tmp_path / "work")
    damage(next((tmp_path / "work" / "photos").iterdir()))
    for asked in (refs[:9], refs, refs):
        told = Listening()
        healed = compute(asked, tmp_path / "photos", tmp_path / "work", progress=told)
        assert len(told.warnings) <= 1 and all("damaged" in line for line in told.warnings)
        rows, expected = healed.rows_of(asked), whole.rows_of(asked)
        readable = expected >= 0
        assert ((rows >= 0) == readable).all()
        np.testing.assert_allclose(
            healed.gather(rows[readable]), whole.gather(expected[readable]), rtol=0, atol=1e-6
        )
        assert healed.digests[rows[readable]].tolist() == whole.digests[expected[readable]].tolist()
        assert healed.unreadable.rows() == [("p3", "not a photo in a format that can be read")]
    with decoded_photos(monkeypatch) as count:
        compute(refs, tmp_path / "photos", tmp_path / "work")
        assert count == [0]
    assert not list((tmp_path / "work").rglob("*.part")) or damage is leftovers


def test_zeros_in_the_place_of_features_are_told_of(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 3)
    compute(refs, tmp_path / "photos", tmp_path / "work")
    zeroed(next((tmp_path / "work" / "photos").iterdir()) / "features.bin")
    told = Listening()
    compute(refs, tmp_path / "photos", tmp_path / "work", progress=told)
    assert (
        len(told.warnings) == 1
        and "1 parts of the features kept there are damaged" in told.warnings[0]
    )


def test_temporary_files_of_dead_runs_go_with_the_next_shard(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 3)
    compute(refs[:2], tmp_path / "photos", tmp_path / "work")
    leftovers(next((tmp_path / "work" / "photos").iterdir()))
    compute(refs, tmp_path / "photos", tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*.part"))


def test_another_photo_under_the_same_name_is_another_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced by one of as many bytes, at another time; unreadable ones too, and in zips by their checksum."""
    refs = photos_in(tmp_path / "photos", 3)
    first, other = (BytesIO(), BytesIO())
    for buffer, colour in ((first, "red"), (other, "blue")):
        Image.new("RGB", (8, 8), colour).save(buffer, "BMP")
    good, changed = first.getvalue(), other.getvalue()
    path = tmp_path / "photos" / "p1.png"
    expected = pooled(tiny_backbone(), centre_view(decode(changed))[None])

    def put(data: bytes, time: int) -> None:
        path.write_bytes(data)
        os.utime(path, ns=(time, time))

    for number, before in enumerate((good, b"x" * len(good))):
        put(before, 10**18)
        compute(refs, tmp_path / "photos", tmp_path / f"work{number}")
        put(changed, 10**18 + 1)
        with decoded_photos(monkeypatch) as count:
            found = compute(refs, tmp_path / "photos", tmp_path / f"work{number}")
            assert count == [1] and found.unreadable.is_empty()
        np.testing.assert_allclose(found.gather(found.rows_of(["p1"])), expected, atol=1e-5)
    for data in (good, changed):
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            archive.writestr("p1.bmp", data)
        found = compute(["p1"], tmp_path / "photos.zip", tmp_path / "zipped")
    np.testing.assert_allclose(found.gather(found.rows_of(["p1"])), expected, atol=1e-5)


def test_features_of_an_earlier_version_are_named(tmp_path: Path) -> None:
    refs = photos_in(tmp_path / "photos", 1)
    compute(refs, tmp_path / "photos", tmp_path / "work")
    store = next((tmp_path / "work" / "photos").iterdir())
    older = store.with_name(store.name.replace(f"-v{VERSION}", "-v1"))
    store.rename(older)
    told = Listening()
    compute(refs, tmp_path / "photos", tmp_path / "work", progress=told)
    assert len(told.said) == 1 and f"{older.name} can be deleted" in told.said[0]
    compute(refs, tmp_path / "photos", tmp_path / "work", progress=told)
    assert len(told.said) == 1


def test_zipped_photos_give_the_same_bytes(tmp_path: Path) -> None:
    """Avito's photos unpacked and in their zips: the same rows, features and digests."""
    refs = [str(image) for image in range(100, 900, 23)]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as everything:
        for ref in refs:
            n = int(ref) % 100
            everything.writestr(f"Images_{n // 10}/{n}/{ref}.jpg", photo(int(ref)))
        everything.extractall(tmp_path / "unpacked")
        (tmp_path / "zipped").mkdir()
        for d in range(10):
            with zipfile.ZipFile(
                tmp_path / "zipped" / f"Images_{d}.zip", "w", zipfile.ZIP_DEFLATED
            ) as part:
                for name in everything.namelist():
                    if name.startswith(f"Images_{d}/"):
                        part.writestr(name, everything.read(name))
    unpacked, zipped = (
        compute(refs, tmp_path / kind, tmp_path / "work") for kind in ("unpacked", "zipped")
    )
    assert zipped.unreadable.is_empty()
    assert np.array_equal(unpacked.stored, zipped.stored)
    assert np.array_equal(unpacked.digests, zipped.digests)
    assert unpacked.rows_of(refs).tolist() == zipped.rows_of(refs).tolist()


class Listening(Silent):
    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.done = 0
        self.warnings: list[str] = []
        self.said: list[str] = []

    @contextmanager
    def task(self, what: str, total: int) -> Iterator["Listening"]:
        self.steps.append((what, total))
        yield self

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def say(self, message: str) -> None:
        self.said.append(message)


def test_progress_and_the_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = photos_in(tmp_path / "photos", 5)
    quiet = Listening()
    compute([*refs, "gone"], tmp_path / "photos", tmp_path / "work", progress=quiet)
    assert (quiet.steps, quiet.done, quiet.warnings) == ([("photos", 5)], 5, [])
    monkeypatch.setattr(computing, "MIN_MEASURED_IMAGES", 10)
    clock = iter([100.0, 100.0 + 8 * 720.0])  # 720 seconds an image: ten images take two hours
    monkeypatch.setattr(computing.time, "perf_counter", lambda: next(clock))
    told = Listening()
    compute(refs, tmp_path / "photos", tmp_path / "work", views=2, progress=told)
    assert len(told.warnings) == 1
    assert "10 views of 5 photos through tiny on cpu: about 2.0 hours" in told.warnings[0]
