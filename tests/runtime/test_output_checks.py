"""An output never takes the place of what is read."""

import os
import shutil
from pathlib import Path

import pytest

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.output_checks import check_outputs, check_photos_stay
from tests.conftest import RunCommand, Shop


@pytest.fixture
def place(shop: Shop, trained: Path, tmp_path: Path) -> Path:
    """A catalogue, its photos and a model, with other names for some of their files."""
    shutil.copy(shop.items, tmp_path / "items.csv")
    shutil.copytree(shop.images, tmp_path / "images")
    shutil.copytree(trained, tmp_path / "model")
    (tmp_path / "soft-photo").symlink_to(tmp_path / "images" / "100.jpg")
    (tmp_path / "soft-model").symlink_to(tmp_path / "model" / "vocabulary.txt")
    os.link(tmp_path / "images" / "100.jpg", tmp_path / "hard-photo")
    os.link(tmp_path / "model" / "evidence" / "evidence.json", tmp_path / "hard-model")
    os.link(tmp_path / "items.csv", tmp_path / "hard-items")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def files(place: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and not path.is_fifo()
    }


REFUSED = {
    "items.csv": "is read",
    "hard-items": "is read",
    "images/100.jpg": "among the photos",
    "images/new.csv": "among the photos",
    "soft-photo": "among the photos",
    "hard-photo": "among the photos",
    "model/bundle.json": "belongs to the model",
    "model/backbone.safetensors": "belongs to the model",
    "model/evidence/new.csv": "belongs to the model",
    "soft-model": "belongs to the model",
    "hard-model": "belongs to the model",
    "pipe": "a pipe",
    "images": "is a folder",
}


@pytest.mark.parametrize("output", REFUSED)
@pytest.mark.parametrize("flag", ["-o", "--links"])
def test_link(run: RunCommand, place: Path, output: str, flag: str) -> None:
    before = files(place)
    other = () if flag == "-o" else ("-o", place / "dupes.csv")
    where = ("--images", place / "images", "--model", place / "model", "--device", "cpu")
    status, _, err = run("link", place / "items.csv", *where, *other, flag, place / output)
    assert (
        status == 1
        and err.startswith(f"Error: {flag} {place / output}: ")
        and REFUSED[output] in err
    )
    assert len(err.splitlines()) == 1 and files(place) == before


@pytest.mark.parametrize("output", REFUSED)
@pytest.mark.parametrize("flag", ["--json", "--scores"])
def test_evaluate_and_explain(
    run: RunCommand, shop: Shop, place: Path, output: str, flag: str
) -> None:
    before = files(place)
    where = (
        "--items",
        place / "items.csv",
        "--images",
        place / "images",
        "--device",
        "cpu",
        flag,
        place / output,
    )
    runs = [("evaluate", "--model", place / "model", "--pairs", shop.pairs, *where)]
    if flag == "--json":
        runs.append(("explain", place / "model", "0100", "0101", *where))
    for arguments in runs:
        status, _, err = run(*arguments)
        assert status == 1 and REFUSED[output] in err and len(err.splitlines()) == 1, err
    assert files(place) == before


@pytest.mark.parametrize("folder", ["images", "images/plots", "model", "items.csv"])
def test_pictures(run: RunCommand, shop: Shop, place: Path, folder: str) -> None:
    before = files(place)
    where = (
        "--items",
        place / "items.csv",
        "--pairs",
        shop.pairs,
        "--images",
        place / "images",
        "--device",
        "cpu",
    )
    status, _, err = run("evaluate", "--model", place / "model", *where, "--plots", place / folder)
    assert status == 1 and err.startswith("Error: --plots ") and files(place) == before


def test_a_bundle_among_photos(run: RunCommand, shop: Shop, place: Path) -> None:
    arguments = [
        "train",
        place / "items.csv",
        shop.pairs,
        "--images",
        place / "images",
        "-o",
        place / "images" / "m",
    ]
    status, _, err = run(*arguments)
    assert status == 1 and "among the photos" in err and not (place / "images" / "m").exists()


@pytest.mark.parametrize("command", ["link", "train"])
def test_standard_output_is_no_file(
    run: RunCommand, place: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(place)
    status, _, err = run(command, "items.csv", "-o", "-")
    assert status == 1 and "Name a file" in err and not (place / "-").exists()


def test_a_catalogue_among_its_photos_lets_outputs_lie_there(place: Path) -> None:
    """As Avito's do: the photo folder is the catalogue's own."""
    read = [place / "items.csv"]
    check_photos_stay({"-o": place / "dupes.csv", "--links": None}, [place], read)
    check_outputs({"-o": place / "dupes.csv"}, read, photos=[place])
    for name in ("Images_0.zip", "images/100.JPG"):
        with pytest.raises(NrlDedupError, match="among the photos"):
            check_photos_stay({"-o": place / name}, [place], read)


def test_a_name_that_is_not_utf_8(run: RunCommand, place: Path) -> None:
    output = place / os.fsdecode(b"dupes-\xff.csv")
    where = ("--images", place / "images", "--model", place / "model", "--device", "cpu")
    status, _, err = run("link", place / "items.csv", *where, "-o", output)
    assert status == 0 and output.read_text("utf-8").startswith("cluster_id,item_id,score\n"), err
