"""A stranger's bundle: each damage ends in one line that names the file, what was wanted and what was found."""

import hashlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from nrl_dedup.bundle.load import HELD_OUT, SPLIT, load_bundle
from nrl_dedup.errors import NrlDedupError
from tests.conftest import RunCommand, Shop

SHIPPED = Path(__file__).parents[2] / "weights" / "default"
CPU = torch.device("cpu")
Damage = Callable[[Path], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "bundle")


def refusal(bundle: Path) -> str:
    with pytest.raises(NrlDedupError) as caught:
        load_bundle(bundle, CPU)
    message = str(caught.value)
    assert message.startswith(f"--model {bundle}: ") and "\n" not in message and len(message) < 600
    return message


def in_json(name: str, where: str, value: Any) -> Damage:
    def damage(bundle: Path) -> None:
        document = json.loads((bundle / name).read_text("utf-8"))
        *parents, last = [int(key) if key.isdigit() else key for key in where.split()]
        part = document
        for key in parents:
            part = part[key]
        part[last] = value
        (bundle / name).write_text(json.dumps(document), "utf-8")

    return damage


def in_text(name: str, old: str, new: str) -> Damage:
    def damage(bundle: Path) -> None:
        text = (bundle / name).read_text("utf-8")
        assert old in text
        (bundle / name).write_text(text.replace(old, new, 1), "utf-8")

    return damage


def as_bytes(name: str, change: Callable[[bytes], bytes]) -> Damage:
    return lambda bundle: (bundle / name).write_bytes(change((bundle / name).read_bytes()))


def in_weights(name: str, key: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(bundle: Path) -> None:
        state = load_file(bundle / name)
        state[key] = change(state[key]).contiguous()
        save_file(state, bundle / name)

    return damage


def in_table(name: str, **columns: Any) -> Damage:
    return lambda bundle: (
        pl.read_parquet(bundle / name).with_columns(**columns).write_parquet(bundle / name)
    )


def in_header(name: str, old: bytes, new: bytes) -> Damage:
    """In the header of a .safetensors file, the length of which it keeps."""
    assert len(old) == len(new)
    return as_bytes(name, lambda data: data.replace(old, new, 1))


def spoiled(tensor: torch.Tensor, value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[0] = value
    return tensor


def sparse(name: str, size: int) -> Damage:
    return lambda bundle: os.truncate(bundle / name, size)


ABOUT, WEIGHTS, EVIDENCE = "bundle.json", "model.safetensors", "evidence/evidence.json"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "json cut": (as_bytes(ABOUT, lambda data: data[:100]), r"bundle\.json: wanted JSON"),
    "json deep": (as_bytes(ABOUT, lambda data: b"[" * 100_000), r"bundle\.json: wanted at most 16 levels"),
    "json rather deep": (in_json(ABOUT, "split", json.loads('{"a":' * 20 + "1" + "}" * 20)), "more than 16 levels"),
    "json not finite": (in_text(ABOUT, '"image_size": 576', '"image_size": NaN'), "NaN, which is not finite"),
    "json infinite": (in_text(ABOUT, '"image_size": 576', '"image_size": 1e999'), "1e999, which is not finite"),
    "json a long number": (in_text(ABOUT, '"image_size": 576', '"image_size": ' + "9" * 5000), "beyond 64 bits"),
    "json a name twice": (in_text(ABOUT, '"version": 3', '"version": 3, "version": 2'), "a name twice in one object"),
    "json half a letter": (in_text(ABOUT, '"items": "', r'"items": "\ud800'), r"bundle\.json: wanted JSON"),
    "json another encoding": (as_bytes(ABOUT, lambda data: data.decode().encode("utf-16")), "wanted UTF-8"),
    "json no object": (as_bytes(ABOUT, lambda data: b"[1]"), "wanted an object, found"),
    "large": (sparse(ABOUT, 1 << 33), r"bundle\.json: wanted at most 4,194,304 bytes, found 8,589,934,592"),
    "large weights": (sparse(WEIGHTS, 1 << 40), r"model\.safetensors: wanted at most"),
    "large words": (sparse("vocabulary.txt", 1 << 40), r"vocabulary\.txt: wanted at most"),
    "large trees": (sparse("evidence/view-text.txt", 1 << 40), r"view-text\.txt: wanted at most"),
    "hidden size": (in_json(ABOUT, "settings model fused_size", 10**12), "--fused-size 1000000000000: wanted at most"),
    "hidden size of a text": (in_json(ABOUT, "settings model fused_size", "x" * 10**6), "fused_size: wanted a whole"),
    "hidden size that others have": (
        in_json(ABOUT, "settings model fused_size", 60_000),
        r"model\.safetensors: wanted fusion.absent_image of shape \(30000,\) in 32 bits.*found \(128,\)",
    ),
    "layers": (in_json(ABOUT, "settings model gru_layers", True), "gru_layers: wanted a whole number, found True"),
    "image size": (in_json(ABOUT, "image_size", 10**9), "image_size: wanted the 576 of mobilenet_v3_small"),
    "language": (in_json(ABOUT, "settings text language", "xx"), "--language xx"),
    "language that is none": (in_json(ABOUT, "settings text language", "auto"), "--language auto: wanted one of ru"),
    "fewer words": (in_json(ABOUT, "settings text vocabulary_size", 10), "wanted at most the 10 words"),
    "fingerprint": (in_json(ABOUT, "backbone_fingerprint", "x"), "backbone_fingerprint: wanted a sha256"),
    "baseline": (in_json(ABOUT, "baseline mean", [1, None]), "baseline.mean: wanted two finite numbers"),
    "deviation of 0": (in_json(ABOUT, "baseline deviation", [1, 0]), "baseline.deviation"),
    "best epoch": (in_json(ABOUT, "best_epoch", 31), "best_epoch: wanted one of 30 epochs, found 31"),
    "an epoch's loss": (in_json(ABOUT, "epochs 0 valid_loss", None), "epochs.valid_loss: wanted a finite number"),
    "an epoch": (in_json(ABOUT, "epochs 0", {}), "epochs: wanted number, seconds, train_ap"),
    "audit": (in_json(ABOUT, "split ads_test", []), "split.ads_test: wanted a finite number"),
    "path": (in_json(ABOUT, "data items", "a\0b"), "data.items: wanted a text"),
    "columns": (in_json(ABOUT, "data columns", {"title": 3}), "data.columns: wanted an object of texts"),
    "words cut": (as_bytes("vocabulary.txt", lambda data: data[:-3]), r"vocabulary\.txt: wanted"),
    "a word twice": (as_bytes("vocabulary.txt", lambda data: data + data), "an empty line, or a word twice"),
    "another word": (
        as_bytes("vocabulary.txt", lambda data: data + b"x\n"),
        r"wanted fusion\.\S+ of shape \(1464,.*found \(1463,",
    ),
    "weights cut": (as_bytes(WEIGHTS, lambda data: data[:-9]), "by its header it has 1,414,752 bytes; found 1,414,743"),
    "weights longer": (as_bytes(WEIGHTS, lambda data: data + b"x"), "by its header it has 1,414,752 bytes"),
    "weights empty": (as_bytes(WEIGHTS, lambda data: b""), "wanted a safetensors file; 0 bytes"),
    "header of 2^63": (as_bytes(WEIGHTS, lambda data: b"\xff" * 8 + data[8:]), "cannot hold its header of"),
    "type": (in_header(WEIGHTS, b'"F32"', b'"F99"'), "found the type 'F99'"),
    "shape": (in_header(WEIGHTS, b'"shape":[1463', b'"shape":[9463'), "does not fill"),
    "negative shape": (in_header(WEIGHTS, b'"shape":[1463', b'"shape":[-463'), r"found the shape \[-463"),
    "NaN": (in_weights(WEIGHTS, "bias", lambda x: spoiled(x, np.nan)), "found a NaN, an infinity or .* in bias"),
    "infinity": (in_weights(WEIGHTS, "raw_weight", lambda x: spoiled(x, np.inf)), "an infinity or .* in raw_weight"),
    "huge": (in_weights(WEIGHTS, "bias", lambda x: spoiled(x, 1e30)), "one beyond .* in bias"),
    "half": (in_weights(WEIGHTS, "bias", torch.Tensor.half), "in 32 bits.*found .*float16"),
    "a tensor more": (
        lambda bundle: save_file({**load_file(bundle / WEIGHTS), "x": torch.ones(1)}, bundle / WEIGHTS),
        "'x' is not wanted",
    ),
    "split cut": (as_bytes("split.parquet", lambda data: data[:-9]), r"split\.parquet: wanted a whole Parquet file"),
    "split's side": (in_table("split.parquet", side=pl.lit("left")), "wanted the sides train, valid, test"),
    "split's weight": (in_table("split.parquet", weight=pl.lit(np.nan)), "wanted finite weights of 0 or more"),
    "split's gaps": (in_table("split.parquet", item_id_l=pl.lit(None, pl.String)), "rows without item_id_l"),
    "split's type": (in_table("split.parquet", weight=pl.lit("1")), "the column weight is of another type"),
    "split's lists": (in_table("split.parquet", side=pl.lit([["a"]])), "its columns are not flat"),
    "logits": (in_table("held_out.parquet", logit=pl.lit(np.nan)), r"held_out\.parquet: wanted log-odds, found a NaN"),
    "logits of infinity": (in_table("held_out.parquet", logit=pl.lit(np.inf)), "wanted log-odds, found a NaN or an"),
    "held out": (lambda bundle: shutil.copy(bundle / WEIGHTS, bundle / "held_out.parquet"), "held_out.parquet: wanted"),
    "evidence": (in_json(EVIDENCE, "start slope", "1"), "wanted the numbers of a calibration"),
    "falling": (in_json(EVIDENCE, "labelled knots", [[0.0, 0.0], [1.0, -1.0]]), "knots that fall"),
    "slope": (in_json(EVIDENCE, "calibration slope", -1), "a slope below 0"),
    "large slope": (in_json(EVIDENCE, "calibration slope", 1e300), "from -1,000,000 to 1,000,000"),
    "prior": (in_json(EVIDENCE, "prior", True), "wanted a prior"),
    "views": (in_json(EVIDENCE, "views", ["../../../etc/passwd"]), "wanted views of text, codes, photos"),
    "forests": (in_json(EVIDENCE, "forests ../bundle.json", {}), "wanted the forests of its views"),
    "no forest": (lambda bundle: (bundle / "evidence/view-text.txt").unlink(), r"view-text\.txt: wanted a plain file"),
    "columns of trees": (in_json(EVIDENCE, "forests view-text.txt groups", ["text"]), "each once and with its group"),
    "trees": (in_text("evidence/view-text.txt", "num_leaves=7", "num_leaves=9"), "is not the file that was written"),
    "evidence is a file": (
        lambda bundle: (shutil.rmtree(bundle / "evidence"), (bundle / "evidence").touch()),
        "evidence: wanted a folder of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_named(damage: str, bundle: Path) -> None:
    do, said = DAMAGES[damage]
    do(bundle)
    assert re.search(said, refusal(bundle))


ALL_FILES = [
    str(path.relative_to(SHIPPED)) for path in sorted(SHIPPED.rglob("*")) if path.is_file()
]


@pytest.mark.parametrize("name", ALL_FILES)
def test_only_plain_files_are_read(name: str, bundle: Path) -> None:
    path = bundle / name
    kept = path.rename(bundle / "kept")
    path.symlink_to(kept)
    assert re.search(rf"{path.name}: wanted a plain file, found a link", refusal(bundle))
    path.unlink()
    path.symlink_to("/dev/zero")
    assert re.search(rf"{path.name}: wanted a plain file, found a link", refusal(bundle))
    path.unlink()
    os.mkfifo(path)
    assert re.search(rf"{path.name}: wanted a plain file, found a named pipe", refusal(bundle))
    path.unlink()
    path.mkdir()
    assert re.search(rf"{path.name}: wanted a plain file, found a folder", refusal(bundle))


def test_a_socket_is_no_file(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)  # a socket's path must be short
    Path("vocabulary.txt").unlink()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("vocabulary.txt")
        assert "vocabulary.txt: wanted a plain file, found a socket" in refusal(bundle)


def test_the_folder_itself_may_be_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    assert load_bundle(tmp_path / "link", CPU).folder == bundle.resolve()


def test_a_whole_bundle_is_what_was_saved() -> None:
    found, state = load_bundle(SHIPPED, CPU), load_file(SHIPPED / WEIGHTS)
    assert {key: tensor.tolist() for key, tensor in found.model.state_dict().items()} == {
        key: tensor.tolist() for key, tensor in state.items()
    }
    assert not found.model.training and all(
        parameter.requires_grad for parameter in found.model.parameters()
    )
    assert found.split.equals(pl.read_parquet(SHIPPED / "split.parquet").select(list(SPLIT)))
    assert found.held_out.equals(
        pl.read_parquet(SHIPPED / "held_out.parquet").select(list(HELD_OUT))
    )
    assert (
        found.settings.model.branch_sizes == (128, 64)
        and found.settings.train.learning_rate == 1e-4
    )


def test_finite_weights_that_give_vectors_that_are_not(
    bundle: Path, run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    in_weights(WEIGHTS, "fusion.log_weights", lambda x: x + 1e4)(bundle)  # of which exp is taken
    command = ("link", shop.items, "--model", bundle, "-o", tmp_path / "d.csv", "--device", "cpu")
    status, _, err = run(*command, "--images", shop.images)
    assert (
        status == 1
        and f"--model {bundle}: the bundle is damaged (wanted finite vectors of the ads" in err
    )


MUTANTS = 60
LOADER = """
import sys
import torch
from pathlib import Path
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.errors import NrlDedupError
for folder in sorted(Path(sys.argv[1]).iterdir()):
    try:
        load_bundle(folder, torch.device("cpu"))
        print("loaded")
    except NrlDedupError as error:
        print("refused", str(error))
"""


def test_mutants_load_or_are_refused_in_one_line(tmp_path: Path) -> None:
    draw = random.Random(7)
    for number in range(MUTANTS):
        mutate(shutil.copytree(SHIPPED, tmp_path / "mutants" / f"{number:03}"), draw)
    done = subprocess.run(
        [sys.executable, "-c", LOADER, tmp_path / "mutants"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and done.stderr == "" and len(lines) == MUTANTS
    assert sum(line.startswith("refused --model ") for line in lines) > MUTANTS / 2


def mutate(bundle: Path, draw: random.Random) -> None:
    """Some bytes of one file changed, taken away or doubled; trees keep a digest that fits, or LightGBM's own reader
    would never be reached."""
    path = bundle / draw.choice(ALL_FILES)
    data = bytearray(path.read_bytes())
    place, length = draw.randrange(len(data)), draw.choice([1, 8, 1000])
    kind = draw.choice(["flip", "digit", "cut", "away", "double"])
    if kind == "flip":
        data[place] ^= 1 << draw.randrange(8)
    elif kind == "digit":
        digits = [at for at in range(len(data)) if chr(data[at]).isdigit()][:20_000]
        for at in draw.sample(digits, 3):
            data[at] = ord(draw.choice("0123456789-e"))
    elif kind == "cut":
        del data[place:]
    elif kind == "away":
        del data[place : place + length]
    else:
        data[place:place] = data[place : place + length]
    path.write_bytes(data)
    if path.suffix == ".txt" and path.parent.name == "evidence":
        in_json(EVIDENCE, f"forests {path.name} sha256", hashlib.sha256(data).hexdigest())(bundle)
