"""What people write for a photo, and the file that they mean: on the disk and in a zip."""

import struct
import unicodedata
import zipfile
from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.cli.console import show_unreadable
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.link_following import LINKS_FOLLOWED
from nrl_dedup.features.photos.names_in_cells import whole_names
from nrl_dedup.features.photos.photo_folder import PhotoFolder
from nrl_dedup.features.photos.unreadable import UnreadablePhoto

NOT_FOUND, OUTSIDE, LINKED_OUTSIDE, AT_A_URL = -1, -2, -3, -4
NFC, NFD = (unicodedata.normalize(form, "чайник й é") for form in ("NFC", "NFD"))


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zipped(path: Path, folder: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, top + str(file.relative_to(folder)))
    return path


MEANT = [  # reference ({} is the absolute folder), file
    ("images/a.jpg", "a.jpg"),
    ("images/a", "a.jpg"),
    ("shop/images/sub/b.png", "sub/b.png"),
    ("../images/a.jpg", "a.jpg"),
    ("./images/a.jpg", "a.jpg"),
    ("images\\sub\\b.png", "sub/b.png"),
    ("sub\\b.png", "sub/b.png"),
    (".\\sub\\b", "sub/b.png"),
    ("{}/a.jpg", "a.jpg"),
    ("{}/sub/../a.jpg", "a.jpg"),
    ('"{}/sub/b.png"', "sub/b.png"),
    ("'a.jpg'", "a.jpg"),
    (" sub/b.png ", "sub/b.png"),
    ("17.0", "17.jpg"),
    ("17.00", "17.jpg"),
    ("17.0.jpg", "17.jpg"),
    ("images/17.0", "17.jpg"),
    ("105.0", "Images_0/5/105.jpg"),
    ("A.JPG", "a.jpg"),
    ("SUB/B", "sub/b.png"),
    ("Sub/b.PNG", "sub/b.png"),
    (f"{NFC}.jpg", f"{NFD}.jpg"),
    (f"images/{NFC}", f"{NFD}.jpg"),
    (f"{NFC.upper()}.jpg", f"{NFD}.jpg"),
    ("my%20photo.jpg", "my%20photo.jpg"),
    ("https://example.org/kept.jpg", "https:/example.org/kept.jpg"),
]
FILES = sorted({file for _, file in MEANT})


@pytest.mark.parametrize("where", ["folder", "zip", "zip with a top folder"])
@pytest.mark.parametrize(("ref", "file"), MEANT)
def test_a_reference_means_the_file(tmp_path: Path, where: str, ref: str, file: str) -> None:
    folder = tmp_path / "shop" / "images"
    for name in FILES:
        write(folder / name, name.encode())
    if where == "folder":
        photos = PhotoFolder(folder)
    elif where == "zip":
        photos = PhotoFolder(zipped(tmp_path / "shop" / "images.zip", folder))
    else:
        photos = PhotoFolder(zipped(tmp_path / "shop" / "images.zip", folder, "whatever/"))
    assert photos.read(ref.format(folder)) == file.encode()


def test_what_is_written_comes_before_what_may_be_meant(tmp_path: Path) -> None:
    for name in (
        "images/a.jpg",
        "a.jpg",
        "17.0",
        "17.jpg",
        "sub\\b.png",
        "sub/b.png",
        "C.jpg",
        "c.jpg",
    ):
        write(tmp_path / "images" / name, name.encode())
    photos = PhotoFolder(tmp_path / "images")
    for ref in ("images/a.jpg", "a.jpg", "17.0", "sub\\b.png", "sub/b.png", "C.jpg", "c.jpg"):
        assert photos.read(ref) == ref.encode()


def test_paths_from_where_the_catalogue_lies(tmp_path: Path) -> None:
    write(tmp_path / "2024" / "march" / "a.jpg", b"of march")
    write(tmp_path / "elsewhere.jpg", b"not in the folder")
    beside = PhotoFolder(tmp_path / "2024", beside=tmp_path / "2024" / "march")
    assert beside.read("a.jpg") == beside.read("../march/a") == b"of march"
    assert beside.sizes(["../../elsewhere.jpg"]).tolist() == [OUTSIDE]
    assert PhotoFolder(tmp_path / "2024").sizes(["a.jpg"]).tolist() == [NOT_FOUND]


def test_the_folder_by_either_of_its_names(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.jpg", b"a")
    (tmp_path / "alias").symlink_to("real")
    photos = PhotoFolder(tmp_path / "alias")
    assert {
        photos.read(ref) for ref in ("alias/a.jpg", "real/a.jpg", f"{tmp_path}/alias/a.jpg")
    } == {b"a"}


@pytest.mark.parametrize(
    ("ref", "size", "reason"),
    [
        ("https://cdn.example.org/i/1.jpg", AT_A_URL, "URL"),
        ("HTTP://x.org/a", AT_A_URL, "URL"),
        ("//cdn.example.org/i/1.jpg", OUTSIDE, "leaves the photo folder"),
        ("my%20photo.jpg", AT_A_URL, "URL"),
        ("a.jpg?size=big", AT_A_URL, "URL"),
        ("b.jpg", NOT_FOUND, "^not found$"),
        ("100% wool.jpg", NOT_FOUND, "^not found$"),
        ("/other/a.jpg", OUTSIDE, "leaves the photo folder"),
        ("../photos_too/a.jpg", OUTSIDE, "leaves the photo folder"),
        ("out.jpg", LINKED_OUTSIDE, "--follow-links"),
    ],
)
def test_why_it_is_not_there(tmp_path: Path, ref: str, size: int, reason: str) -> None:
    write(tmp_path / "photos" / "a.jpg", b"a")
    (tmp_path / "photos" / "out.jpg").symlink_to(write(tmp_path / "photos_too" / "a.jpg", b"a"))
    photos = PhotoFolder(tmp_path / "photos")
    assert photos.sizes([ref]).tolist() == [size]
    with pytest.raises(UnreadablePhoto, match=reason):
        photos.read(ref)


def linked_folder(base: Path) -> Path:
    """A folder of links to a store beside it, as git-annex and model hubs keep files."""
    write(base / "store" / "9f86d081", b"stored")
    write(base / "store" / "more" / "c.jpg", b"more")
    folder = base / "photos"
    folder.mkdir()
    (folder / "a.jpg").symlink_to("../store/9f86d081")
    (folder / "more").symlink_to("../store/more")
    (folder / "gone.jpg").symlink_to("../store/gone")
    with zipfile.ZipFile(base / "store" / "Images_0.zip", "w") as archive:
        archive.writestr("Images_0/7/7.jpg", b"seven")
    (folder / "Images_0.zip").symlink_to("../store/Images_0.zip")
    return folder


def test_links_out_of_the_folder_are_followed_where_it_is_allowed(tmp_path: Path) -> None:
    folder = linked_folder(tmp_path)
    refs = ["a.jpg", "a", "more/c.jpg", "MORE/c", "7", "Images_0/7/7.jpg", "gone.jpg"]
    assert PhotoFolder(folder).sizes(refs).tolist() == [LINKED_OUTSIDE] * len(refs)
    allowed = PhotoFolder(folder, follow_links=True)
    assert [allowed.read(ref) for ref in refs[:-1]] == [b"stored"] * 2 + [b"more"] * 2 + [
        b"seven"
    ] * 2
    assert allowed.sizes(["gone.jpg", "../store/9f86d081"]).tolist() == [NOT_FOUND, OUTSIDE]


def test_the_whole_run_allows_links(tmp_path: Path) -> None:
    folder = linked_folder(tmp_path)
    before = LINKS_FOLLOWED.set(True)
    try:
        assert PhotoFolder(folder).read("a") == b"stored"
        assert PhotoFolder(folder, follow_links=False).sizes(["a"]).tolist() == [LINKED_OUTSIDE]
    finally:
        LINKS_FOLLOWED.reset(before)


CELLS = [  # what a catalogue makes of a cell, what it means
    (["0a84_1720_0", "0.jpg"], ["0a84_1720_0,0.jpg"]),
    (["0a84_1720_0", "0"], ["0a84_1720_0,0.jpg"]),
    (["Диван", "серый", "2", "5 м.jpg"], ["Диван,  серый; 2,5 м.jpg"]),
    (
        ["plain.jpg", "0a84_1720_0", "0.jpg", "plain.png"],
        ["plain.jpg", "0a84_1720_0,0.jpg", "plain.png"],
    ),
    (["sub/x", "1.jpg", "sub/x", "2.jpg"], ["sub/x,1.jpg", "sub/x,2.jpg"]),
    (["images/sub/x", "1.jpg"], ["images/sub/x,1.jpg"]),
    (["grey", "big/y.jpg"], ["grey, big/y.jpg"]),
    (["1", "2"], ["1,2.jpg"]),
    (["plain.jpg", "plain.png"], ["plain.jpg", "plain.png"]),
    (["0a84_1720_0", "1.jpg"], ["0a84_1720_0", "1.jpg"]),
    (["0a84_1720_0"], ["0a84_1720_0"]),
    ([], []),
]


@pytest.mark.parametrize("where", ["folder", "zip"])
def test_the_whole_cell_before_its_parts(tmp_path: Path, where: str) -> None:
    images = tmp_path / "images"
    for name in (
        "0a84_1720_0,0.jpg",
        "Диван,  серый; 2,5 м.jpg",
        "sub/x,1.jpg",
        "sub/x,2.jpg",
        "grey, big/y.jpg",
    ):
        write(images / name, b"whole")
    for name in ("1.jpg", "2.jpg", "1,2.jpg", "plain.jpg", "plain.png"):
        write(images / name, b"x")
    photos = PhotoFolder(images if where == "folder" else zipped(tmp_path / "images.zip", images))
    cells = pl.Series("photos", [parts for parts, _ in CELLS], dtype=pl.List(pl.String))
    whole = whole_names(cells, photos)
    assert whole.to_list() == [meant for _, meant in CELLS]
    assert whole.name == "photos"
    assert photos.sizes(whole[2].to_list()).tolist() == [5]


def test_a_folder_without_such_names_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "1.jpg", b"x")
    cells = pl.Series("photos", [["1", "2"], None, ["1"]], dtype=pl.List(pl.String))
    assert whole_names(cells, PhotoFolder(tmp_path)).equals(cells)


def test_a_zip_keeps_what_it_states_in_bounds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a.jpg", "../b.jpg", "/c.jpg", "d/../e.jpg", "folder/"):
            archive.writestr(name, name)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"the last of two")
    photos = PhotoFolder(tmp_path / "photos.zip")
    assert photos.read("a.jpg") == b"the last of two"
    assert photos.sizes(["b.jpg", "c.jpg", "e.jpg", "folder"]).tolist() == [NOT_FOUND] * 4
    assert photos.sizes(["../b.jpg", "/c.jpg"]).tolist() == [OUTSIDE] * 2


@pytest.mark.parametrize(
    ("data", "said"), [(b"hello", "no zip either"), (b"PK\x03\x04 cut", "cannot be opened")]
)
def test_a_file_that_is_no_zip(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(NrlDedupError, match=rf"photos\.zip.*{said}"):
        PhotoFolder(write(tmp_path / "photos.zip", data))


def test_what_was_not_found_is_counted_with_an_example_of_each_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    url, lost, broken = (
        "not found; it looks like a URL: fetch the photos, and name their files",
        "not found",
        "truncated",
    )
    reasons = {
        "https://x.org/1.jpg": url,
        "https://x.org/2.jpg": url,
        "a.jpg": lost,
        "b.jpg": broken,
        "c.jpg": broken,
    }
    unreadable = pl.DataFrame({"photo": list(reasons), "reason": list(reasons.values())})
    show_unreadable(unreadable, tmp_path / "images", 5)
    assert capsys.readouterr().err.splitlines() == [
        "Warning: none of 5 photos could be read:",
        f"  https://x.org/1.jpg: {url} (looked for as {tmp_path}/images/https:/x.org/1.jpg); 1 more like it",
        f"  a.jpg: not found (looked for as {tmp_path}/images/a.jpg)",
        "  b.jpg: truncated",
        "  c.jpg: truncated",
    ]
    show_unreadable(unreadable[3:], tmp_path / "images", 5)
    assert capsys.readouterr().err.splitlines()[0] == "Warning: 2 photos could not be read:"
    show_unreadable(unreadable.clear(), tmp_path / "images", 0)
    assert capsys.readouterr().err == ""


def stated_zip(path: Path, sizes: dict[str, int], *, method: int = 0, flags: int = 0) -> Path:
    """A zip of entries of one byte, each said to have such a size by a zip64 field of its own."""
    local, directory = b"", b""
    for name, size in sizes.items():
        extra = struct.pack("<HHQQ", 1, 16, size, size)
        lengths = (0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra))
        directory += struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            45,
            45,
            flags,
            method,
            0,
            0,
            0,
            *lengths,
            0,
            0,
            0,
            0,
            len(local),
        )
        directory += name.encode() + extra
        local += (
            struct.pack("<4s5H3L2H", b"PK\3\4", 45, flags, method, 0, 0, 0, 1, 1, len(name), 0)
            + name.encode()
            + b"x"
        )
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, len(sizes), len(sizes), len(directory), len(local), 0
    )
    path.write_bytes(local + directory + end)
    return path


@pytest.mark.parametrize("avito", [False, True])
@pytest.mark.parametrize("size", [2**28 + 1, 2**40, 2**63, 2**64 - 1, 2**27])
def test_sizes_that_a_zip_states_are_not_believed(tmp_path: Path, size: int, avito: bool) -> None:
    name = "Images_0/5/5.jpg" if avito else "5.jpg"
    stated_zip(tmp_path / "Images_0.zip", {name: size})
    photos = PhotoFolder(tmp_path if avito else tmp_path / "Images_0.zip")
    reason = (
        "a file of more than 268,435,456 bytes"
        if size > 2**28
        else "ends beyond the end of the zip"
    )
    with pytest.raises(UnreadablePhoto, match=reason):
        photos.read("5")


@pytest.mark.parametrize(
    ("method", "flags", "reason"), [(8, 0, "damaged"), (0, 1, "encrypted"), (14, 0, "method 14")]
)
def test_entries_that_cannot_be_unpacked(
    tmp_path: Path, method: int, flags: int, reason: str
) -> None:
    stated_zip(tmp_path / "photos.zip", {"5.jpg": 1}, method=method, flags=flags)
    with pytest.raises(UnreadablePhoto, match=reason):
        PhotoFolder(tmp_path / "photos.zip").read("5.jpg")


def test_an_entry_without_a_name_is_passed_over(tmp_path: Path) -> None:
    stated_zip(tmp_path / "photos.zip", {"": 1, "5.jpg": 2**40})
    photos = PhotoFolder(tmp_path / "photos.zip")
    assert photos.sizes(["", "5.jpg"]).tolist() == [NOT_FOUND, 2**40]
