"""Finding photos below a folder: Avito's layout, zips, plain names, and nothing outside."""

import os
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.photo_folder import PhotoFolder, find_photo_folder
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

NOT_FOUND, OUTSIDE, LINKED_OUTSIDE, AT_A_URL = -1, -2, -3, -4


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def avito_zip(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("ref", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("a", "a.JPEG"),
        ("a", "a.tiff"),
        ("a.jpg", "a.JPG"),
        ("a.b", "a.b.png"),
        ("a.jpg", "a.jpg.png"),
        ("a", "a"),
        ("a.heic", "a.heic"),
        ("sub/deep/a", "sub/deep/a.webp"),
        ("./sub/../a.gif", "a.gif"),
        ("007", "007.jpg"),
        ("007.jpg", "007.jpg"),
        ("5", "5.jpg"),
        ("фото 1", "фото 1.bmp"),
        ("-1", "-1.tif"),
    ],
)
def test_plain_names_with_and_without_endings(tmp_path: Path, ref: str, file: str) -> None:
    write(tmp_path / file, b"the photo")
    folder = PhotoFolder(tmp_path)
    assert folder.sizes([ref]).tolist() == [9]
    assert folder.read(ref) == b"the photo"


@pytest.mark.parametrize(
    "ref", ["", ".", "b", "a.png", "sub", "a.jpg/x", "a\0b", "\0/a", "x" * 400, "5", "Images_0/5/5"]
)
def test_what_is_not_there_is_not_found(tmp_path: Path, ref: str) -> None:
    write(tmp_path / "a.jpg", b"1")
    write(tmp_path / "sub" / "c.jpg", b"1")
    folder = PhotoFolder(tmp_path)
    assert folder.sizes([ref]).tolist() == [NOT_FOUND]
    with pytest.raises(UnreadablePhoto, match="not found"):
        folder.read(ref)


def test_the_exact_name_wins_then_the_order_of_the_endings(tmp_path: Path) -> None:
    for name in ("a.png", "a.JPG", "b.gif", "b.jpeg", "c", "c.jpg"):
        write(tmp_path / name, name.encode())
    folder = PhotoFolder(tmp_path)
    found = [folder.read(ref) for ref in ("a", "a.jpg", "a.png", "b", "c")]
    assert found == [b"a.JPG", b"a.JPG", b"a.png", b"b.jpeg", b"c"]


def test_avitos_layout(tmp_path: Path) -> None:
    """n = i mod 100, d = n div 10: written out by hand."""
    places = {
        "5": "Images_0/5/5.jpg",
        "105": "Images_0/5/105.jpg",
        "11380670": "Images_7/70/11380670.jpg",
        "99": "Images_9/99/99.jpg",
    }
    for ref, place in places.items():
        write(tmp_path / place, ref.encode())
    folder = PhotoFolder(tmp_path)
    assert [folder.read(ref) for ref in places] == [ref.encode() for ref in places]
    assert [folder.read(place) for place in places.values()] == [ref.encode() for ref in places]
    assert folder.sizes(["205", "Images_1/5/5.jpg", "5.png"]).tolist() == [NOT_FOUND] * 3


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", ["Images_4/", ""])
def test_avitos_layout_inside_its_zips(tmp_path: Path, method: int, prefix: str) -> None:
    photos = {str(image): os.urandom(image % 301) * 3 for image in range(40, 4000, 100)}
    avito_zip(
        tmp_path / "Images_4.zip",
        {f"{prefix}40/{i}.jpg": data for i, data in photos.items()},
        method,
    )
    folder = PhotoFolder(tmp_path)
    assert folder.sizes(list(photos)).tolist() == [len(data) for data in photos.values()]
    assert [folder.read(ref) for ref in photos] == list(photos.values())
    assert folder.read("Images_4/40/140.jpg") == folder.read("140.jpg") == photos["140"]
    assert (
        folder.sizes(["41", "4040", "50", "0140", "Images_4/41/140.jpg"]).tolist()
        == [NOT_FOUND] * 5
    )


def test_a_zip_and_its_unpacked_folder_stand_side_by_side(tmp_path: Path) -> None:
    avito_zip(
        tmp_path / "Images_0.zip", {"Images_0/1/1.jpg": b"zipped", "Images_0/2/2.jpg": b"zipped"}
    )
    write(tmp_path / "Images_0/1/1.jpg", b"unpacked")
    write(tmp_path / "3.jpg", b"plain")
    folder = PhotoFolder(tmp_path)
    assert [folder.read(ref) for ref in "123"] == [b"unpacked", b"zipped", b"plain"]


def test_entries_at_places_that_are_not_avitos_are_passed_over(tmp_path: Path) -> None:
    entries = [
        "Images_1/5/5.jpg",
        "Images_0/6/5.jpg",
        "Images_0/05/5.jpg",
        "Images_0/5/05.jpg",
        "../5/5.jpg",
    ]
    avito_zip(tmp_path / "Images_0.zip", dict.fromkeys(entries, b"x"))
    assert PhotoFolder(tmp_path).sizes(["5", *entries]).max() < 0


def test_threads_share_a_zip(tmp_path: Path) -> None:
    photos = {str(image): os.urandom(5000) for image in range(7, 20007, 100)}
    avito_zip(
        tmp_path / "Images_0.zip", {f"Images_0/7/{ref}.jpg": data for ref, data in photos.items()}
    )
    folder = PhotoFolder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(folder.read, list(photos) * 3)) == list(photos.values()) * 3


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_zip_is_named(tmp_path: Path, damage: str) -> None:
    path = avito_zip(tmp_path / "Images_3.zip", {"30/30.jpg": b"x" * 1000})
    path.write_bytes({"cut": path.read_bytes()[:-40], "text": b"not a zip", "empty": b""}[damage])
    with pytest.raises(NrlDedupError, match=r"Images_3\.zip"):
        PhotoFolder(tmp_path)


def test_a_damaged_entry_spoils_itself_alone(tmp_path: Path) -> None:
    body = os.urandom(1000)
    path = avito_zip(tmp_path / "Images_0.zip", {f"Images_0/{i}/{i}.jpg": body for i in range(5)})
    data = bytearray(path.read_bytes())
    data[data.index(b"0/1/1.jpg") + 50] ^= 0xFF  # inside the packed bytes of 1
    data[data.index(b"Images_0/2/2.jpg") - 30] ^= 0xFF  # the signature of 2's local header
    directory = data.rindex(b"Images_0/3/3.jpg") - 46
    struct.pack_into("<L", data, directory + 24, 10)  # 3 promises ten bytes
    directory = data.rindex(b"Images_0/4/4.jpg") - 46
    struct.pack_into("<H", data, directory + 8, 1)  # 4 says that it is encrypted
    path.write_bytes(data)
    folder = PhotoFolder(tmp_path)
    assert folder.read("0") == body
    for ref, reason in {"1": "damaged", "2": "damaged", "3": "damaged", "4": "encrypted"}.items():
        with pytest.raises(UnreadablePhoto, match=reason):
            folder.read(ref)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NrlDedupError, match=r"--images .*nowhere: no such folder"):
        PhotoFolder(tmp_path / "nowhere")
    with pytest.raises(NrlDedupError, match="no such folder"):
        PhotoFolder(write(tmp_path / "file", b""))


def test_paths_that_leave_the_folder_are_never_opened(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.jpg", b"secret")
    inside = tmp_path / "photos"
    write(inside / "a.jpg", b"inside")
    (inside / "link.jpg").symlink_to(secret)
    (inside / "dangling.jpg").symlink_to(tmp_path / "nothing.jpg")
    (inside / "out").symlink_to(tmp_path)
    (inside / "Images_0").mkdir()
    (inside / "Images_0" / "7").symlink_to(tmp_path)
    write(tmp_path / "7.jpg", b"secret")
    (tmp_path / "photos_too").mkdir()
    write(tmp_path / "photos_too" / "x.jpg", b"secret")
    refs = [
        "../secret.jpg", "../secret", "sub/../../secret.jpg", "..", str(secret), "/etc/passwd", "//etc/passwd",
        "../photos_too/x.jpg",
    ]  # fmt: skip
    linked = ["link.jpg", "link", "dangling.jpg", "out/secret.jpg", "7", "Images_0/7/7.jpg"]
    folder = PhotoFolder(inside)
    assert folder.sizes(refs).tolist() == [OUTSIDE] * len(refs)
    assert folder.sizes(linked).tolist() == [LINKED_OUTSIDE] * len(linked)
    for ref in [*refs, *linked]:
        with pytest.raises(UnreadablePhoto, match="leaves the photo folder"):
            folder.read(ref)


def test_links_that_stay_inside_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "sub" / "a.jpg", b"inside")
    (tmp_path / "real" / "b.jpg").symlink_to("sub/a.jpg")
    (tmp_path / "real" / "same").symlink_to("sub")
    (tmp_path / "alias").symlink_to("real")
    (tmp_path / "real" / "loop.jpg").symlink_to("loop.jpg")
    folder = PhotoFolder(tmp_path / "alias")
    assert [folder.read(ref) for ref in ("b", "same/a")] == [b"inside", b"inside"]
    assert folder.sizes(["loop.jpg"]).tolist() == [NOT_FOUND]


@given(
    st.lists(st.sampled_from(["..", ".", "", "in", "out", "a", "a.jpg", "up", "5"]), max_size=6),
    st.booleans(),
)
def test_whatever_the_reference_only_photos_inside_are_read(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool
) -> None:
    base = tmp_path_factory.getbasetemp() / "tree"
    if not base.exists():
        for name in ("a.jpg", "in/a.jpg", "in/5.jpg", "in/in/a.jpg"):
            write(base / "in" / name, b"inside")
        for name in ("a.jpg", "out/a.jpg", "5.jpg"):
            write(base / name, b"outside")
        (base / "in" / "up").symlink_to(base)
        (base / "in" / "out").symlink_to(base / "out")
    folder = PhotoFolder(base / "in")
    ref = ("/" if absolute else "") + "/".join(parts)
    if folder.sizes([ref])[0] >= 0:
        assert folder.read(ref) == b"inside"
    else:
        with pytest.raises(UnreadablePhoto):
            folder.read(ref)


def test_a_pipe_is_no_photo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert PhotoFolder(tmp_path).sizes(["a"]).tolist() == [NOT_FOUND]


def test_a_file_too_large_for_a_photo_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UnreadablePhoto, match="more than 268,435,456 bytes"):
        PhotoFolder(tmp_path).read("a")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["images/", "imgs/", "photos/"], "images"),
        (["imgs/", "photos/"], "imgs"),
        (["photos/"], "photos"),
        (["Images_3/", "images/"], "."),
        (["Images_9.zip", "images/"], "."),
        (["images", "Images_10/"], None),
        ([], None),
    ],
)
def test_the_folder_beside_a_catalogue(
    tmp_path: Path, made: list[str], expected: str | None
) -> None:
    for name in made:
        (tmp_path / name).mkdir() if name.endswith("/") else write(tmp_path / name, b"")
    found = find_photo_folder(tmp_path / "ItemInfo.csv")
    assert found == (None if expected is None else tmp_path.resolve() / expected)
