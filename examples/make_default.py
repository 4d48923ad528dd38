"""Make `weights/default` again: the bundle that `link` and `evaluate` use when none is named.

    python examples/make_photo_network.py ...                    # the photo network, see weights/README.md
    python examples/make_default.py --photo-network FILE.safetensors

It is trained on made-up ads of another seed than the shipped ones, so `examples/catalogue.csv` and its labelled
pairs, which become the bundle's remembered test split, are new to it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from nrl_dedup.bundle import SPLIT
from nrl_dedup.catalogue import fingerprint, read_catalogue
from nrl_dedup.pairs import read_pairs

EXAMPLES = Path(__file__).parent
TRAINING_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo-network", type=Path, required=True, help="mobilenet_v3_small weights")
    parser.add_argument("--output", type=Path, default=EXAMPLES.parent / "weights" / "default")
    parser.add_argument("--ads", type=int, default=3000, help="made-up ads to train on")
    parser.add_argument("--folder", type=Path, help="where the training ads are made [default: a temporary folder]")
    parser.add_argument("train_options", nargs="*", help="further options of nrl-dedup train")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "catalogue.csv").exists():
            make = [EXAMPLES / "make_examples.py", "--seed", TRAINING_SEED, "--ads", arguments.ads, "--apart"]
            make += ["--negatives-per-ad", 4, "--out", folder]
            subprocess.run([sys.executable, *map(str, make)], check=True)
        options = ["--images", folder / "images", "--backbone", "mobilenet_v3_small", "--lr", 0.001, "--patience", 3]
        options += ["--backbone-weights", arguments.photo_network, *arguments.train_options]
        first = Path(temporary) / "first"
        run("train", folder / "catalogue.csv", folder / "pairs.csv", *options, "--epochs", 2, "-o", first)
        harder = add_hard_negatives(folder, first, Path(temporary))
        run("train", folder / "catalogue.csv", harder, *options, "--epochs", 4, "-o", arguments.output, "--force")
    remember_examples(arguments.output)


def run(*arguments: object) -> None:
    """`nrl-dedup ARGUMENTS`."""
    subprocess.run(["nrl-dedup", *map(str, arguments)], check=True)


def add_hard_negatives(folder: Path, model: Path, work: Path) -> Path:
    """The labelled pairs, and as many again of the pairs that `model` takes for duplicates and that are none.

    A labelled set is thin where a catalogue is not: among all pairs of ads, those that look like duplicates to a model
    that has seen random negatives outnumber the duplicates.
    """
    links = work / "links.csv"
    where = ("--images", folder / "images", "--model", model, "--threshold", 0.1, "--neighbours", 30)
    run("link", folder / "catalogue.csv", *where, "-o", work / "dupes.csv", "--links", links)
    pairs = pl.read_csv(folder / "pairs.csv", infer_schema=False)
    entity = pl.read_csv(folder / "truth.csv", infer_schema=False)
    found = pl.read_csv(links, infer_schema=False).sort(pl.col("score").cast(pl.Float64), descending=True)
    for side in ("l", "r"):
        found = found.join(entity.rename({"itemID": f"item_id_{side}", "entity": side}), on=f"item_id_{side}")
    wrong = found.filter(pl.col("l") != pl.col("r")).head(len(pairs))
    mined = wrong.select(
        itemID_1="item_id_l", itemID_2="item_id_r", isDuplicate=pl.lit("0"), generationMethod=pl.lit("3")
    )
    harder = work / "pairs.csv"
    pl.concat([pairs, mined]).unique(["itemID_1", "itemID_2"], keep="first", maintain_order=True).write_csv(harder)
    return harder


def remember_examples(bundle: Path) -> None:
    """Put the shipped catalogue and its labelled pairs in the place of the training data and its split."""
    catalogue = read_catalogue(EXAMPLES / "catalogue.csv")
    pairs = read_pairs(EXAMPLES / "pairs.csv", catalogue).frame
    pairs.select(
        item_id_l=catalogue.ids.gather(pairs["row_l"]),
        item_id_r=catalogue.ids.gather(pairs["row_r"]),
        is_duplicate="is_duplicate",
        side=pl.lit("test"),
        weight=pl.lit(1.0),
    ).cast(SPLIT).write_parquet(bundle / "split.parquet")
    about = json.loads((bundle / "bundle.json").read_text("utf-8"))
    about["data"] = {
        "items": "../../examples/catalogue.csv",
        "images": "../../examples/images",
        "columns": {},
        "fingerprint": fingerprint(catalogue),
    }
    (bundle / "bundle.json").write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
