"""Files of weights, word vectors, tables and grids that somebody damaged: each ends in one line that says why."""

import io
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from nrl_dedup.bundle.load import SPLIT
from nrl_dedup.config import Settings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone, load_backbone
from nrl_dedup.features.text.fasttext_file import check_fasttext
from nrl_dedup.features.text.word_vectors import read_fasttext
from nrl_dedup.scoring.calibration import Calibration
from nrl_dedup.training.pair_model.fit_calibration import isotonic
from nrl_dedup.training.search.grid import MAX_SETTINGS, read_grid
from nrl_dedup.untrusted.saved_table import read_table
from nrl_dedup.untrusted.thrift_compact import Reader

CPU = torch.device("cpu")
Change = Callable[[bytes], bytes]


def refusal(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(NrlDedupError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700
    return message


def at(place: int, form: str, *values: int | float) -> Change:
    """Other numbers at a place."""
    made = struct.pack(form, *values)
    return lambda data: data[:place] + made + data[place + len(made) :]


@pytest.fixture(scope="module")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw, path = np.random.default_rng(0), tmp_path_factory.mktemp("text") / "text.txt"
    lines = (
        f"__label__{number % 2} " + " ".join(draw.choice(["кот", "дом", "лес"], 8))
        for number in range(60)
    )
    path.write_text("\n".join(lines), "utf-8")
    return path


LEARNT = {  # each kind of model that fastText writes
    "skipgram": {"model": "skipgram", "bucket": 200},
    "words alone": {"model": "skipgram", "bucket": 0, "maxn": 0},
    "huffman": {"model": "cbow", "bucket": 200, "loss": "hs"},
    "softmax": {"model": "cbow", "bucket": 200, "loss": "softmax"},
    "classifier": {},
    "huffman classifier": {"loss": "hs"},
}


@pytest.mark.parametrize("kind", LEARNT)
def test_every_kind_of_fasttext_model_is_whole(kind: str, text_file: Path, tmp_path: Path) -> None:
    train = fasttext.train_unsupervised if "model" in LEARNT[kind] else fasttext.train_supervised
    # Not trained on: in a matrix of few rows fastText starts from what memory held, and may meet a NaN.
    model = train(str(text_file), dim=8, minCount=1, epoch=0, thread=10, verbose=0, **LEARNT[kind])
    model.save_model(str(tmp_path / "m.bin"))
    assert check_fasttext(tmp_path / "m.bin") == 8


def after_first_word(form: str, *values: int) -> Change:
    return lambda data: at(data.index(b"\0", 92) + 1, form, *values)(data)


# Places in the file, of whole numbers of 4 bytes: 2 size, 6 negatives, 8 loss, 9 kind, 10 buckets, 11 and 12 subwords;
# then the 8 bytes of a threshold; 16 entries, 17 words, 18 labels; from byte 76 on 8 each: tokens, pruned; the entries.
FASTTEXT: dict[str, tuple[Change, str]] = {
    "magic": (at(0, "<i", 1), "this file is not one"),
    "version": (at(4, "<i", 99), "this file is not one"),
    "size": (at(8, "<i", 2**31 - 1), "vectors of 2,147,483,647"),
    "negative size": (at(8, "<i", -8), "vectors of -8"),
    "another size": (at(8, "<i", 9), "a matrix of 204 by 8; 204 by 9 were wanted"),
    "loss": (at(32, "<i", 7), "options cannot be so"),
    "kind": (at(36, "<i", 0), "options cannot be so"),
    "no buckets, but subwords": (at(40, "<i", 0), "options cannot be so"),
    "more buckets": (at(40, "<i", 201), "a matrix of 204 by 8; 205 by 8 were wanted"),
    "subwords": (at(48, "<i", 2**30), "options cannot be so"),
    "entries": (at(64, "<3i", 2**31 - 1, 2**31 - 1, 0), "this one"),
    "words and labels": (at(64, "<i", 7), "4 words and 0 labels are 7 entries"),
    "pruned": (at(84, "<q", 5), "quantised"),
    "a count": (after_first_word("<q", -1), "entry 1 has the count -1"),
    "a count of 2^62": (after_first_word("<q", 2**62), "entry 1 has the count 4,611"),
    "a label among words": (after_first_word("<qb", 5, 1), "entry 1 has the count 5, or is of another kind"),
    "no end of a word": (lambda data: data[:92] + b"x" * (len(data) - 92), "cut short in the dictionary, at entry 1"),
    "no matrix": (lambda data: data[:140], "cut short"),
    "a row less": (lambda data: data[:-32], "cut short at"),
    "bytes more": (lambda data: data + b"more", "4 bytes too many"),
    "NaN": (lambda data: data[:-6673] + b"\xff" * 600 + data[-6073:], "found others for 1 of 1 words, such as 'кот'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def model_bytes(text_file: Path) -> bytes:
    text = text_file.with_name("words.txt")
    text.write_text(re.sub(r"__label__\d ", "", text_file.read_text("utf-8")), "utf-8")
    model = fasttext.train_unsupervised(
        str(text), dim=8, minCount=1, bucket=200, epoch=1, thread=10, verbose=0
    )
    model.save_model(str(text.with_suffix(".bin")))
    return text.with_suffix(".bin").read_bytes()


@pytest.mark.parametrize("damage", FASTTEXT)
def test_a_damaged_fasttext_model_is_refused(
    damage: str, model_bytes: bytes, tmp_path: Path
) -> None:
    change, said = FASTTEXT[damage]
    (tmp_path / "m.bin").write_bytes(change(model_bytes))
    message = refusal(read_fasttext, tmp_path / "m.bin", ["кот"])
    assert message.startswith(f"--word-vectors {tmp_path / 'm.bin'}: wanted ") and said in message


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(torchvision.models.mobilenet_v3_small().state_dict())


FIRST = "features.0.0.weight"


def load(path: Path) -> Backbone:
    return load_backbone("mobilenet_v3_small", path, CPU)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_that_are_not_finite(
    state: dict, value: float, ending: str, tmp_path: Path
) -> None:
    spoiled = state | {FIRST: state[FIRST].clone()}
    spoiled[FIRST][0, 0, 0, 0] = value
    path = tmp_path / f"w{ending}"
    (save_file if ending == ".safetensors" else torch.save)(spoiled, path)
    assert f"{path}: wanted finite numbers, found a NaN or an infinity in {FIRST}." == refusal(
        load, path
    )


def test_both_forms_of_torch_save_are_read(state: dict, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "new.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new.pth", "old.pth"):
        assert torch.equal(
            load_backbone("mobilenet_v3_small", tmp_path / name, CPU).state[FIRST], state[FIRST]
        )


def test_a_zip_that_unpacks_to_more_is_refused(state: dict, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr("w/data/999", b"\0" * (100 << 20))
    assert "its entries are packed, and torch.save packs none" in refusal(
        load, tmp_path / "bomb.pth"
    )


def test_a_zip_that_says_it_has_more_is_refused(state: dict, tmp_path: Path) -> None:
    torch.save({FIRST: state[FIRST]}, tmp_path / "w.pth")
    data = (tmp_path / "w.pth").read_bytes()
    entry = data.rindex(
        b"PK\x01\x02"
    )  # the last one in the directory: its sizes stand 20 and 24 bytes behind
    (tmp_path / "w.pth").write_bytes(at(entry + 20, "<2I", 2**31, 2**31)(data))
    assert "not a file of weights" in refusal(load, tmp_path / "w.pth")


def test_weights_of_other_kinds(state: dict, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    found = {
        "a list": ([1, 2], "found a list"),
        "numbers": ({"a": 1}, "found a dict with the keys a"),
        "names that are none": ({1: torch.ones(1)}, "found a dict)"),
        "a sparse tensor": (state | {FIRST: torch.eye(3).to_sparse()}, "not a file of weights"),
        "a complex tensor": (
            state | {FIRST: state[FIRST].to(torch.complex64)},
            "found a dict with the keys",
        ),
        "a shape": (
            state | {FIRST: torch.ones(1).expand(10**6, 10**6)},
            f"{FIRST} (1000000, 1000000) in place of",
        ),
    }
    for saved, said in found.values():
        torch.save(saved, path)
        assert said in refusal(load, path)


def test_weights_that_are_far_too_large(tmp_path: Path) -> None:
    for ending in (".pth", ".safetensors"):
        with (tmp_path / f"w{ending}").open("wb") as file:
            file.truncate(1 << 40)
        assert "wanted at most 2,147,483,648 bytes, found 1,099,511,627,776" in refusal(
            load, tmp_path / f"w{ending}"
        )


def test_a_link_to_weights_is_followed(state: dict, tmp_path: Path) -> None:
    save_file(state, tmp_path / "there.safetensors")
    (tmp_path / "here.safetensors").symlink_to(tmp_path / "there.safetensors")
    assert torch.equal(load(tmp_path / "here.safetensors").state[FIRST], state[FIRST])


DEEP, LONG = "[" * 5_000 + "]" * 5_000, "0x" + "f" * 10_000
GRIDS = {
    "deep": (f"[grid]\nhidden_size = {DEEP}", "lists and tables in each other"),
    "a long number": (f"[grid]\nhidden_size = {LONG}", "hidden_size = a whole number beyond 64 bits"),
    "a long number for another": (f"[grid]\nlr = {LONG}", "lr = a whole number beyond 64 bits: wanted a number"),
    "thousands of digits": ("[grid]\nseed = " + "9" * 5_000, "this is no TOML"),
    "two long numbers": (f"[grid]\nbranch_sizes = [{LONG}, 1]", "wanted two whole numbers"),
    "no number": ("[grid]\nlr = nan", "lr = nan: wanted a number"),
    "a large layer": ("[grid]\nhidden_size = 1000000000", "--hidden-size 1000000000: wanted at most 65,536"),
    "a long key": ("[grid]\n" + "x" * 10**5 + " = 1", "x: unknown key"),
    "a long text": ("[grid]\nhead = '" + "x" * 10**5 + "'", "head = 'xxx"),
    "a date": ("[grid]\nhidden_size = 1979-05-27", "wanted a whole number"),
    "a table": ("[grid]\nhidden_size = [{a = 1}]", "hidden_size = {'a': 1}: wanted a whole number"),
    "a large file": ("#" * (1 << 20) + "\n", "wanted at most 1,048,576 bytes"),
    "many settings": (
        "[grid]\nhidden_size = {0}\nfused_size = {0}".format(list(range(1, 200))),
        f"wanted at most {MAX_SETTINGS:,} settings in all, found 39,601",
    ),
    "many grids": ("\n".join(f"[[grid]]\nseed = {list(range(6_000))}" for _ in range(2)), "found 12,000 up to here"),
}  # fmt: skip


@pytest.mark.parametrize("damage", GRIDS)
def test_a_grid_that_asks_for_too_much(damage: str, tmp_path: Path) -> None:
    text, said = GRIDS[damage]
    (tmp_path / "g.toml").write_text(text, "utf-8")
    message = refusal(read_grid, tmp_path / "g.toml", Settings())
    assert str(tmp_path / "g.toml") in message and said in message


def test_a_grid_is_no_device() -> None:
    assert "a directory, a pipe or a device" in refusal(read_grid, Path("/dev/zero"), Settings())


def split_table(rows: int = 5, item: str = "a") -> bytes:
    columns = {"item_id_l": [item] * rows, "item_id_r": ["b"] * rows, "is_duplicate": [True] * rows}
    table, file = (
        pl.DataFrame(columns | {"side": ["test"] * rows, "weight": [1.0] * rows}, schema=SPLIT),
        io.BytesIO(),
    )
    table.write_parquet(file)
    return file.getvalue()


def test_a_table_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.parquet"
    path.write_bytes(split_table())
    assert read_table(path, SPLIT, 10**6).height == 5
    path.write_bytes(split_table(200_000))  # no training repeats one pair so often
    assert f"{path.stat().st_size:,} bytes cannot hold 200,000 rows" in refusal(
        read_table, path, SPLIT, 10**6
    )
    path.write_bytes(split_table(item="a" * 20_000_000))
    assert re.search(
        r"bytes cannot hold \d+,\d+,\d+ unpacked", refusal(read_table, path, SPLIT, 10**6)
    )


THRIFT = {
    "a list of 2^63": (b"\x19\xf5" + b"\xff" * 8 + b"\x7f\x00", "does not fit"),
    "a long text": (b"\x18\xff\xff\xff\x7fabc\x00", "ends too early"),
    "no end": (b"\x15\x02", "ends too early"),
    "an endless number": (b"\x15" + b"\x80" * 20, "a number is too long"),
    "a field twice": (b"\x15\x02\x05\x02\x02\x00", "a field stands twice"),
    "a map": (b"\x1b\x00\x00", "the type 11 is unknown"),
    "deep": (b"\x1c" * 50, "too deeply"),
    "deep lists": (b"\x19" * 50, "too deeply"),
}


@pytest.mark.parametrize("damage", THRIFT)
def test_a_header_is_read_within_its_bounds(damage: str) -> None:
    data, said = THRIFT[damage]
    with pytest.raises(ValueError, match=said):
        Reader(data, 0, len(data)).struct()


def test_a_header_is_read_by_its_numbers() -> None:
    # 1: 3 of 32 bits, 2: "ab", 4: [1, -1] of 64 bits, 5: yes, 6: {1: -300}
    data = b"\x15\x06\x18\x02ab\x29\x26\x02\x01\x11\x1c\x15\xd7\x04\x00\x00"
    reader = Reader(data, 0, len(data))
    assert reader.struct() == {
        1: 3,
        2: b"ab",
        4: [1, -1],
        5: True,
        6: {1: -300},
    } and reader.at == len(data)


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_changed_byte_of_a_table_is_refused_or_read(place: int, tmp_path: Path) -> None:
    path, data = tmp_path / "split.parquet", bytearray(split_table())
    data[place] ^= 0x55
    path.write_bytes(data)
    try:
        assert read_table(path, SPLIT, 10**6).height == 5
    except NrlDedupError as error:
        assert str(error).startswith("split.parquet: wanted ")


def test_a_calibration_that_is_very_sure_stays_finite() -> None:
    scores = np.array([-900.0, -800.0, -3.0, -1.0, 1.0, 3.0, 800.0, 900.0])
    labels = np.array([False, False, False, True, False, True, True, True])
    found = isotonic(scores, labels, np.ones(8))
    assert Calibration.loaded(found.saved()) == found
    log_odds = found(scores)
    assert np.isfinite(log_odds).all() and (np.diff(log_odds) >= 0).all()
