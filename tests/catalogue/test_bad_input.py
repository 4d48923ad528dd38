"""What a user's mistakes get: a line that names the file, the row and the value; and nothing half-written."""

import json
import os
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.output_checks import check_outputs
from tests.conftest import RunCommand, Shop, train_arguments


def failing_link(run: RunCommand, tmp_path: Path, catalogue: Path, *more: object) -> str:
    status, _, err = run("link", catalogue, "-o", tmp_path / "dupes.csv", "--device", "cpu", *more)
    assert status in (1, 2) and "Traceback" not in err
    assert not (tmp_path / "dupes.csv").exists()
    return err


CATALOGUES = {
    "no such file": (None, ["catalogue.csv", "no such file"]),
    "no id column": ("name,text\na,b\n", ["catalogue.csv", "name, text"]),
    "nothing to read": ("id,colour\n1,red\n", ["catalogue.csv", "colour"]),
    "duplicate ids": ("id,title\n1,a\n2,b\n1,c\n", ["catalogue.csv", "1", "2", "4"]),
    "zero bytes": ("", ["catalogue.csv", "empty"]),
    "not text": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ["catalogue.csv"]),
    "not UTF-8": (b"id,title\n1,caf\xe9\n", ["catalogue.csv", "UTF-8", "14"]),
}


@pytest.mark.parametrize("case", CATALOGUES)
def test_catalogue(run: RunCommand, trained: Path, tmp_path: Path, case: str) -> None:
    content, said = CATALOGUES[case]
    path = tmp_path / "catalogue.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    err = failing_link(run, tmp_path, path, "--model", trained)
    for part in said:
        assert part.lower() in err.lower()


def test_output_folder_is_checked_before_the_work(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    for output in (tmp_path / "missing" / "dupes.csv", Path("/proc/dupes.csv"), tmp_path):
        status, _, err = run("link", "no-such.csv", "-o", output, "--model", trained)
        assert status == 1 and str(output.parent) in err and "no-such.csv" not in err
    status, _, err = run(*train_arguments(shop, tmp_path / "missing" / "bundle"))
    assert status == 1 and "does not exist" in err


@pytest.fixture
def own(shop: Shop, tmp_path: Path) -> Path:
    """A folder with a user's files: the catalogue, the pairs, a hard and a symbolic link to each, and a pipe."""
    for name, file in (("items", shop.items), ("pairs", shop.pairs)):
        shutil.copy(file, tmp_path / f"{name}.csv")
        (tmp_path / f"{name}-hard.csv").hardlink_to(tmp_path / f"{name}.csv")
        (tmp_path / f"{name}-soft.csv").symlink_to(tmp_path / f"{name}.csv")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "new.csv")
    return tmp_path


DATA = "--items {items.csv} --pairs {pairs.csv}"
REPLACING = {  # the command, {name} being a file in the user's folder; what the error names
    "link, the catalogue": ("link {items.csv} -o {items.csv}", "-o", "read"),
    "link, its hard link": ("link {items.csv} -o {items-hard.csv}", "-o", "read"),
    "link, its symbolic link": (
        "link {items-soft.csv} -o {new.csv} --links {items.csv}",
        "--links",
        "read",
    ),
    "link, both outputs": ("link {items.csv} -o {new.csv} --links {new.csv}", "--links", "-o"),
    "link, both through a link": (
        "link {items.csv} -o {new.csv} --links {nowhere.csv}",
        "--links",
        "-o",
    ),
    "link, a pipe": ("link {items.csv} -o {pipe}", "-o", "pipe"),
    "evaluate, the items": (f"evaluate {DATA} --json {{items-soft.csv}}", "--json", "read"),
    "evaluate, the pairs": (f"evaluate {DATA} --scores {{pairs.csv}}", "--scores", "read"),
    "evaluate, both outputs": (
        "evaluate --json {new.csv} --scores {new.csv}",
        "--scores",
        "--json",
    ),
    "evaluate, a pipe": ("evaluate --json {pipe}", "--json", "pipe"),
}


@pytest.mark.parametrize("case", REPLACING)
def test_no_file_of_the_users_is_replaced(
    run: RunCommand, trained: Path, own: Path, case: str
) -> None:
    command, flag, said = REPLACING[case]
    before = {path.name: (path.lstat().st_mode, path.lstat().st_ino) for path in own.iterdir()}
    content = [(own / name).read_bytes() for name in ("items.csv", "pairs.csv")]
    status, out, err = run(
        *re.sub(r"{(.*?)}", rf"{own}/\1", command).split(), "--model", trained, "--device", "cpu"
    )
    assert status == 1 and not out and err.startswith(f"Error: {flag} ") and said in err, err
    assert {
        path.name: (path.lstat().st_mode, path.lstat().st_ino) for path in own.iterdir()
    } == before
    assert [(own / name).read_bytes() for name in ("items.csv", "pairs.csv")] == content


def test_a_device_is_no_output() -> None:
    with pytest.raises(NrlDedupError, match="-o /dev/null"):
        check_outputs({"-o": Path("/dev/null")}, [])


def test_the_items_that_a_bundle_remembers_are_not_replaced(
    run: RunCommand, shop: Shop, trained: Path
) -> None:
    before = shop.items.read_bytes()
    for flag in ("--json", "--scores"):
        status, _, err = run("evaluate", "--model", trained, flag, shop.items, "--device", "cpu")
        assert status == 1 and flag in err and "read" in err
    assert shop.items.read_bytes() == before


def test_device_that_is_not_there(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    for device in ("cuda:97", "gpu", "meta"):
        err = failing_link(run, tmp_path, shop.items, "--model", trained, "--device", device)
        assert f"--device {device}" in err


def test_photo_folder_that_is_not_there(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    err = failing_link(run, tmp_path, shop.items, "--model", trained, "--images", tmp_path / "imgs")
    assert str(tmp_path / "imgs") in err


@pytest.mark.parametrize(
    "options",
    [
        ("--threshold", "1.5"),
        ("--candidates", "0"),
        ("--threshold", "half"),
        ("--seed", "-1"),
        ("--seed", str(2**63)),
    ],
)
def test_options(run: RunCommand, trained: Path, tmp_path: Path, options: tuple) -> None:
    err = failing_link(run, tmp_path, tmp_path / "no-such.csv", "--model", trained, *options)
    assert options[0] in err and "no-such.csv" not in err


@pytest.mark.parametrize(
    "missing", ["bundle.json", "model.safetensors", "vocabulary.txt", "split.parquet"]
)
def test_bundle_with_a_missing_file(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, missing: str
) -> None:
    shutil.copytree(trained, tmp_path / "bundle")
    (tmp_path / "bundle" / missing).unlink()
    assert missing in failing_link(run, tmp_path, shop.items, "--model", tmp_path / "bundle")


def test_damaged_bundle_and_bundle_of_another_version(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    (bundle / "model.safetensors").write_bytes(b"not weights")
    assert "damaged" in failing_link(run, tmp_path, shop.items, "--model", bundle)
    about = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**about, "version": 99}))
    assert "version 99" in failing_link(run, tmp_path, shop.items, "--model", bundle)
    assert "no such folder" in failing_link(run, tmp_path, shop.items, "--model", tmp_path / "none")


NO_VALUE = object()
MALFORMED = {  # where in bundle.json, and what stands there instead
    "backbone_file": ("backbone_file", NO_VALUE),
    "image_size": ("image_size", "576"),
    "settings": ("settings", [1, 2]),
    "one branch size": ("settings model branch_sizes", [128]),
    "three branch sizes": ("settings model branch_sizes", [3, 2, 1]),
    "no branch sizes": ("settings model branch_sizes", NO_VALUE),
    "another fusion": ("settings model fusion", "sum"),
    "another size": ("settings model hidden_size", 7),
    "dropout": ("settings model dropout", 7),
    "words": ("settings text max_words", "100"),
    "a part": ("settings photos", 5),
    "a setting of tomorrow": ("settings train warmup", 3),
    "epochs": ("epochs", 3),
    "an epoch": ("epochs", [3]),
    "baseline": ("baseline mean", [0.1, 0.2, 0.3]),
    "a figure of the baseline": ("baseline intercept", NO_VALUE),
    "data": ("data items", NO_VALUE),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_bundle(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, case: str
) -> None:
    keys, value = MALFORMED[case]
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    about = json.loads((bundle / "bundle.json").read_text())
    *parents, last = keys.split()
    part = about
    for key in parents:
        part = part[key]
    if value is NO_VALUE:
        del part[last]
    else:
        part[last] = value
    (bundle / "bundle.json").write_text(json.dumps(about))
    err = failing_link(run, tmp_path, shop.items, "--model", bundle)
    assert (
        err.startswith("Error: ")
        and str(bundle) in err
        and "the bundle is damaged" in err
        and len(err) < 400
    )


def test_other_photo_network_than_the_bundles(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    import torch

    state = torch.load(shop.backbone, weights_only=True)
    state["features.0.0.weight"] += 1
    torch.save(state, tmp_path / "other.pth")
    err = failing_link(run, tmp_path, shop.items, "--model", trained, "--images", shop.images,
                       "--backbone-weights", tmp_path / "other.pth")  # fmt: skip
    assert "mobilenet_v3_small" in err and "--backbone-weights" in err


def apart(shop: Shop, folder: Path) -> Path:
    """The shop's items in a folder of their own, where no photos are."""
    folder.mkdir()
    return shutil.copy(shop.items, folder / "items.csv")


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("Warning") and "photos" in line]


def test_photos_that_no_folder_is_found_for(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    items = apart(shop, tmp_path / "apart")
    outputs = ("-o", tmp_path / "dupes.csv", "--device", "cpu")
    data = ("--items", items, "--pairs", shop.pairs, "--device", "cpu")
    training = ("train", items, shop.pairs, "--epochs", 1, "--device", "cpu")
    own_words = ("-o", tmp_path / "words", "--fusion", "text")
    commands = {
        "link": ("link", items, *outputs, "--model", trained),
        "evaluate": ("evaluate", *data, "--model", trained),
        "train": (*training, "-o", tmp_path / "both"),
    }
    for name, command in commands.items():
        status, _, err = run(*command)
        (said,) = warnings(err)
        assert status == 0 and "120 ads" in said and str(items) in said and "--images" in said, name
    status, _, err = run(*training, *own_words)
    assert status == 0 and not warnings(err)  # this one would not look at them
    for model in ("words", "both"):
        status, _, err = run("link", items, *outputs, "--model", tmp_path / model)
        assert status == 0 and not warnings(err)
        for command in (("link", items, *outputs), ("evaluate", *data)):
            status, _, err = run(*command, "--model", tmp_path / model, "--images", shop.images)
            (said,) = warnings(err)
            assert (
                status == 0
                and f"--images {shop.images}" in said
                and "trained without photos" in said
            )


def test_regions_of_several_photos_have_no_mean(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    san = ("--fusion", "san", "--photo-pool", "mean", "-o", tmp_path / "san")
    status, _, err = run("train", shop.items, shop.pairs, *san)
    assert (
        status == 1
        and "--photo-pool mean" in err
        and "--photo-pool one" in err
        and not (tmp_path / "san").exists()
    )


@pytest.mark.parametrize("fusion", ["image", "san"])
def test_a_model_that_needs_photos_is_not_trained_without(
    run: RunCommand, shop: Shop, tmp_path: Path, fusion: str
) -> None:
    items = apart(shop, tmp_path / "apart")
    (tmp_path / "grid.toml").write_text(f'[grid]\nfusion = ["{fusion}"]\n')
    same_features = "san" if fusion == "san" else "text"
    for options in (
        ("--fusion", fusion),
        ("--fusion", same_features, "--grid", tmp_path / "grid.toml"),
    ):
        status, _, err = run(
            "train", items, "no-such-pairs.csv", *options, "-o", tmp_path / "bundle"
        )
        assert status == 1 and f"--fusion {fusion}" in err and "--images" in err


def test_complete_only_needs_photos(run: RunCommand, shop: Shop, tmp_path: Path) -> None:
    items = apart(shop, tmp_path / "apart")
    options = ("--complete-only", "-o", tmp_path / "bundle")
    status, _, err = run("train", items, shop.pairs, *options)
    assert status == 1 and "--complete-only" in err and "photo folder" in err and "--images" in err
    ads = pl.read_csv(shop.items, infer_schema=False)
    ads.with_columns(image=pl.when(pl.col("item_id") < "0200").then("image")).write_csv(items)
    (tmp_path / "valid.csv").write_text("id1,id2,label\n0202,0203,1\n0204,0209,0\n")
    arguments = train_arguments(
        shop, tmp_path / "bundle", "--valid-pairs", tmp_path / "valid.csv", "--complete-only"
    )
    status, _, err = run("train", items, *arguments[2:], "--images", shop.images)
    assert status == 1 and "--valid-pairs" in err and "--complete-only" in err
    assert not (tmp_path / "bundle").exists()


def test_header_only_catalogue_gives_an_empty_file(
    run: RunCommand, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "catalogue.csv").write_text("id,title,description\n")
    status, _out, err = run(
        "link", tmp_path / "catalogue.csv", "-o", tmp_path / "dupes.csv", "--model", trained
    )
    assert status == 0, err
    assert (tmp_path / "dupes.csv").read_text() == "cluster_id,item_id,score\n"
    assert "no ads" in err


def test_bad_photos_and_rows_are_listed_and_do_not_end_the_run(
    run: RunCommand, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "secret.jpg").write_bytes(b"never opened")
    (tmp_path / "catalogue.csv").write_text(
        "id,title,image\n1,диван,broken.jpg\n2,диван\n3,стол,../secret.jpg\n"
    )
    status, _out, err = run(
        "link", tmp_path / "catalogue.csv", "-o", tmp_path / "dupes.csv", "--model", trained
    )
    assert status == 0, err
    assert "line 3" in err and "broken.jpg" in err and "../secret.jpg" in err and "leaves" in err


PAIRS = {
    "no such ads": ("id1,id2,label\n7,8,1\n", ["7", "pairs.csv"]),
    "one class": ("id1,id2,label\n0100,0101,1\n0102,0103,1\n", ["pairs.csv", "class"]),
    "unknown label": ("id1,id2,label\n0100,0101,maybe\n", ["pairs.csv", "maybe", "2"]),
    "no label column": ("id1,id2\n0100,0101\n", ["pairs.csv", "id1, id2"]),
    "header only": ("id1,id2,label\n", ["pairs.csv"]),
}


@pytest.mark.parametrize("case", PAIRS)
def test_pairs(run: RunCommand, shop: Shop, tmp_path: Path, case: str) -> None:
    content, said = PAIRS[case]
    (tmp_path / "pairs.csv").write_text(content, "utf-8")
    arguments = train_arguments(shop, tmp_path / "bundle")
    arguments[2] = str(tmp_path / "pairs.csv")
    status, _, err = run(*arguments)
    assert status == 1 and "Traceback" not in err and not (tmp_path / "bundle").exists()
    for part in said:
        assert part in err


def test_pairs_that_are_left_out_are_told_of(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    rows = [
        "0100,0101,1",
        "0101,0100,1",
        "0100,0101,1",
        "0100,0110,0",
        "0104,0103,1",
        "0103,0104,0",
        "0103,0103,1",
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(["id1,id2,label", *rows]) + "\n")
    data = ("--items", shop.items, "--pairs", tmp_path / "pairs.csv", "--images", shop.images)
    status, out, err = run("evaluate", "--model", trained, *data, "--device", "cpu")
    assert status == 0 and "On 2 pairs" in out, err
    assert "2 rows repeat" in err and "1 pairs of an ad with itself" in err
    assert "2 rows are of pairs that are labelled both ways" in err and "  0103 and 0104\n" in err


@pytest.mark.parametrize(
    "options",
    [("--fusion", "sum"), ("--backbone", "alexnet"), ("--language", "xx"), ("--epochs", "0"), ("--lr", "-1"),
     ("--dropout", "1"), ("--seed", "-1"), ("--split", "days"), ("--word-vectors", "none.bin")],
)  # fmt: skip
def test_train_options(
    run: RunCommand, shop: Shop, tmp_path: Path, options: tuple[str, str]
) -> None:
    status, _, err = run(*train_arguments(shop, tmp_path / "bundle", *options))
    assert status in (1, 2) and "Traceback" not in err and options[1] in err
    assert not (tmp_path / "bundle").exists()


def test_an_existing_bundle_is_not_overwritten_without_force(
    run: RunCommand, shop: Shop, trained: Path
) -> None:
    before = (trained / "bundle.json").read_bytes()
    status, _, err = run(*train_arguments(shop, trained))
    assert status == 1 and "--force" in err
    assert (trained / "bundle.json").read_bytes() == before


@pytest.mark.parametrize(
    "what",
    [
        "items",
        "pairs",
        "--images",
        "--backbone-weights",
        "--word-vectors",
        "--valid-pairs",
        "--test-pairs",
        "--grid",
    ],
)
@pytest.mark.parametrize("more", [(), ("--seeds", 2)])
def test_force_never_throws_away_what_training_reads(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path, what: str, more: tuple
) -> None:
    bundle = shutil.copytree(trained, tmp_path / "bundle")
    (tmp_path / "link").symlink_to(bundle)
    (bundle / "mine").write_text("[grid]\nlr = 0.001\n")
    command = train_arguments(shop, bundle, "--force", *more)
    if what.startswith("--"):
        command += [what, str(tmp_path / "link" / "mine")]
    else:
        command[1 + ("items", "pairs").index(what)] = str(tmp_path / "link" / "mine")
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    status, _, err = run(*command)
    assert (
        status == 1
        and err.startswith(f"Error: -o {bundle}: ")
        and str(tmp_path / "link" / "mine") in err
    )
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before


def test_a_work_folder_inside_the_output_is_refused_before_the_work(
    run: RunCommand, shop: Shop, tmp_path: Path
) -> None:
    """Making it would make the output's folder, in which no bundle can be written any more."""
    status, _, err = run(
        *train_arguments(shop, tmp_path / "new", "--work-dir", tmp_path / "new" / "photos")
    )
    assert status == 1 and str(tmp_path / "new" / "photos") in err
    assert list(tmp_path.iterdir()) == []


def test_evaluating_with_half_the_data_named(run: RunCommand, shop: Shop, trained: Path) -> None:
    status, _, err = run("evaluate", "--model", trained, "--items", shop.items)
    assert status == 2 and "--pairs" in err


def test_one_class_has_no_average_precision(
    run: RunCommand, shop: Shop, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "pairs.csv").write_text("id1,id2,label\n0100,0101,1\n0102,0103,1\n")
    where = ("--items", shop.items, "--pairs", tmp_path / "pairs.csv", "--images", shop.images)
    status, _out, err = run("evaluate", "--model", trained, *where, "--json", tmp_path / "m.json")
    assert status == 0 and "not defined" in err
    models = json.loads((tmp_path / "m.json").read_text())["models"]
    assert [model["average_precision"] for model in models.values()] == [None, None]


def test_help_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys; from nrl_dedup.cli.main import cli; sys.exit('torch' in sys.modules or 'faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
