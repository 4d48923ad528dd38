"""`examples/making/evasions.py`: each changes what it says and nothing else, and what stays linked is counted."""

import io
from pathlib import Path

import evasions
import numpy as np
import polars as pl
import pytest
from measuring.sellers import EVASIONS, STAMP_HEIGHT
from PIL import Image

from tests.conftest import write
from tests.examples.test_five_folds import commands, made_up_program

CYRILLIC, LATIN = "АВСЕНКМОРТХасеорх", "ABCEHKMOPTXaceopx"
AD = {
    "itemID": "7",
    "title": "Продам телефон Xperia",
    "description": "Сост хор, asap",
    "price": "1000.0",
    "odd": "НЕ МОЙ",
}


def photo(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Smooth enough for JPEG to keep it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def as_file(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def changed_photo(name: str, picture: Image.Image) -> np.ndarray:
    with Image.open(io.BytesIO(EVASIONS[name].on(as_file(picture)))) as changed:
        assert changed.format == "JPEG"
        return np.asarray(changed).astype(int)


def test_letters_become_their_twins_and_nothing_else_changes() -> None:
    found = EVASIONS["letters"].change(AD, np.random.default_rng(0))
    to_latin = str.maketrans(CYRILLIC, LATIN)
    assert found != AD and {name for name in AD if found[name] != AD[name]} == {
        "title",
        "description",
    }
    for name in ("title", "description"):
        assert found[name].translate(to_latin) == AD[name].translate(to_latin)
    scripts = [
        [letter in CYRILLIC for letter in word if letter in CYRILLIC + LATIN]
        for word in found["title"].split()
    ]
    assert any(len(set(script)) == 2 for script in scripts)


def test_letters_of_an_ad_without_twins_stay() -> None:
    ad = {**AD, "title": "Дым", "description": None}
    assert EVASIONS["letters"].change(ad, np.random.default_rng(0)) == ad


def test_the_price_moves_by_a_tenth() -> None:
    draw = np.random.default_rng(0)
    found = [EVASIONS["price"].change(AD, draw) for _ in range(20)]
    assert {float(ad["price"]) for ad in found} == {900, 1100}
    assert all({**ad, "price": AD["price"]} == AD for ad in found)
    for price in ("", None, "free"):
        assert EVASIONS["price"].change({**AD, "price": price}, draw) == {**AD, "price": price}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crop", lambda pixels: pixels[9:-9, 12:-12]),
        ("mirror", lambda pixels: pixels[:, ::-1]),
        ("recompression", lambda pixels: pixels),
    ],
)
def test_photos_are_cropped_mirrored_and_recompressed(name: str, expected) -> None:
    picture = photo(1)
    wanted, found = expected(np.asarray(picture).astype(int)), changed_photo(name, picture)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).mean() < (8 if name == "recompression" else 4)


def test_recompression_loses_more_than_saving_again() -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    sizes = {name: len(EVASIONS[name].on(as_file(noisy))) for name in ("mirror", "recompression")}
    assert sizes["recompression"] < sizes["mirror"] / 2


def test_a_stamp_covers_the_middle_only() -> None:
    plain = Image.new("RGB", (320, 240), (120, 120, 120))
    away = np.abs(changed_photo("stamp", plain) - 120).max(axis=2) > 60
    rows, columns = np.flatnonzero(away.any(axis=1)), np.flatnonzero(away.any(axis=0))
    assert (
        len(rows)
        and rows[-1] - rows[0] <= 240 * STAMP_HEIGHT
        and abs((rows[0] + rows[-1]) / 2 - 120) < 12
    )
    assert columns[-1] - columns[0] > 320 / 2 and abs((columns[0] + columns[-1]) / 2 - 160) < 12


FAKE = """
import csv, json, os, sys
from pathlib import Path

words = sys.argv[1:]
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(json.dumps(words) + "\\n")
images = Path(words[words.index("--images") + 1])
rows = []
for ad in csv.DictReader(open(words[1], encoding="utf-8")):
    seen = [(images / ref).read_bytes() for ref in ad["images_array"].split(", ") if ref]  # all must be there
    rows.append((ad["title"].lower() + ad["price"][:1], ad["itemID"], 1))
with open(words[words.index("-o") + 1], "w", encoding="utf-8") as file:
    csv.writer(file).writerows([("cluster_id", "item_id", "score"), *rows])
"""
HEADER = ["itemID", "title", "description", "images_array", "price"]
SHARED = "shared.jpg"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five things of two ads, one more ad, and a made-up `nrl-dedup link` that joins ads of one title and first figure
    of the price. The ads of a thing share a photo; those of the last thing have none, and no price."""
    made_up_program(FAKE, tmp_path, monkeypatch)
    (tmp_path / "images").mkdir()
    ads, truth = [], []
    for thing in range(5):
        photo(thing).save(tmp_path / "images" / f"{thing}-{SHARED}")
        for shot in (0, 1):
            item = f"{2 * thing + shot}"
            photo(100 + int(item)).save(tmp_path / "images" / f"{item}.jpg")
            photos, price = (f"{thing}-{SHARED}, {item}.jpg", 150) if thing < 4 else ("", "")
            ads.append([item, f"Телефон {'абвгд'[thing]}", "в три\nстроки, да", photos, price])
            truth.append([item, thing])
    write(tmp_path / "catalogue.csv", HEADER, [*ads, ["99", "Телефон а", "чужой", "", 150]])
    write(tmp_path / "truth.csv", ["itemID", "entity"], [*truth, ["99", 99]])
    return tmp_path


def run_script(shop: Path, right: str = "truth.csv", *options: str) -> str:
    words = [
        "evasions.py",
        shop / "catalogue.csv",
        shop / right,
        shop / "out",
        "--images",
        shop / "images",
        *options,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [str(word) for word in words])
        evasions.main()
    return (shop / "out" / "evasions.md").read_text("utf-8")


def rows_of(report: str) -> dict[str, list[str]]:
    lines = [
        line.strip("| ").split(" | ") for line in report.splitlines() if line.startswith("| ")
    ][2:]
    names = {evasion.what: name for name, evasion in EVASIONS.items()}
    return {names[what]: cells for what, *cells in lines}


def test_what_stays_linked_is_counted(shop: Path) -> None:
    report = run_script(shop, "truth.csv", "--threshold", "0.4")
    found = rows_of(report)
    assert found["letters"] == ["5", "0", "0.000", "0.000-0.434", "no"]
    for name in ("crop", "mirror", "stamp", "recompression"):
        assert found[name] == ["4", "4", "1.000", "0.510-1.000", "yes"]  # 1 / (1 + 1.96^2 / 4)
    assert found["price"] == ["4", "4", "1.000", "0.510-1.000", "yes"]  # 135 and 165
    log = commands(shop / "log")
    assert len(log) == 1 + len(EVASIONS) and all(
        words[-4:-2] == ["--threshold", "0.4"] for words in log
    )
    assert run_script(shop, "truth.csv", "--threshold", "0.4") == report
    assert commands(shop / "log") == log


def test_one_ad_of_each_pair_is_changed_in_one_thing(shop: Path) -> None:
    run_script(shop)
    before = pl.read_csv(shop / "catalogue.csv", infer_schema=False).fill_null("")
    columns = {"letters": {"title", "description"}, "price": {"price"}}
    for name in EVASIONS:
        after = pl.read_csv(shop / "out" / f"{name}.csv", infer_schema=False).fill_null("")
        assert (
            after["itemID"].to_list() == before["itemID"].to_list()
            and after.columns == before.columns
        )
        differs = {
            column: set(after.filter(after[column] != before[column])["itemID"])
            for column in HEADER
        }
        assert {column for column, ids in differs.items() if ids} == columns.get(
            name, {"images_array"}
        )
        changed = set().union(*differs.values())
        assert sorted(int(item) // 2 for item in changed) == list(
            range(4 if name != "letters" else 5)
        )
    copy = shop / "out" / "images"
    for path in (shop / "images").iterdir():
        assert (copy / path.name).read_bytes() == path.read_bytes()
    mirrored = pl.read_csv(shop / "out" / "mirror.csv", infer_schema=False)
    for item, refs in mirrored.select("itemID", "images_array").drop_nulls().iter_rows():
        own = [shop / "images" / f"{int(item) // 2}-{SHARED}", shop / "images" / f"{item}.jpg"]
        for ref, path in zip(refs.split(", "), own, strict=True):
            with Image.open(copy / ref) as shown, Image.open(path) as original:
                wanted = np.asarray(original).astype(int)
                wanted = wanted[:, ::-1] if ref.startswith("changed") else wanted
                assert np.abs(np.asarray(shown).astype(int) - wanted).mean() < 4


def test_pairs_can_be_named_and_no_ad_is_in_two_of_them(shop: Path) -> None:
    pairs = [
        ["0", "1"],
        ["1", "99"],
        ["0", "99"],
        ["2", "3"],
        ["2", "4"],
    ]  # the last one is not linked
    write(shop / "links.csv", ["item_id_l", "item_id_r"], pairs)
    assert rows_of(run_script(shop, "links.csv"))["letters"][0] == "2"


def test_nothing_linked_is_said(shop: Path) -> None:
    write(shop / "links.csv", ["item_id_l", "item_id_r"], [["2", "4"]])
    with pytest.raises(SystemExit, match="not one right pair"):
        run_script(shop, "links.csv")
