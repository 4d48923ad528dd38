"""Make `weights/default` again: the bundle that `link` and `evaluate` use when none is named.

    python examples/make_photo_network.py ...                    # the photo network, see weights/README.md
    python examples/make_default.py --photo-network FILE.safetensors                 # about half an hour on two cores

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
import torch

from nrl_dedup.bundle import SPLIT, add_held_out, load_bundle
from nrl_dedup.catalogue import fingerprint, read_catalogue
from nrl_dedup.held_out import held_out_candidates
from nrl_dedup.pairs import read_pairs

EXAMPLES = Path(__file__).parent
TRAINING_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo-network", type=Path, required=True, help="mobilenet_v3_small weights")
    parser.add_argument("--output", type=Path, default=EXAMPLES.parent / "weights" / "default")
    parser.add_argument("--ads", type=int, default=6000, help="made-up ads to train on")
    parser.add_argument("--folder", type=Path, help="where the training ads are made [default: a temporary folder]")
    parser.add_argument("train_options", nargs="*", help="further options of nrl-dedup train")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "catalogue.csv").exists():
            make = [EXAMPLES / "make_examples.py", "--seed", TRAINING_SEED, "--ads", arguments.ads, "--apart"]
            make += ["--negatives-per-ad", 8, "--out", folder]
            subprocess.run([sys.executable, *map(str, make)], check=True)
        # The plain photos: a random crop of a rendered photo often misses the thing in it.
        options = ["--fusion", "rnn-cnn", "--images", folder / "images", "--backbone", "mobilenet_v3_small"]
        options += ["--views", 0, "--photo-pool", "one"]
        options += ["--backbone-weights", arguments.photo_network, "--contrast", 1, "--epochs", 8, "--patience", 4]
        options += ["--lr", 0.001, *arguments.train_options, "-o", arguments.output, "--force"]
        train = ["nrl-dedup", "train", folder / "catalogue.csv", folder / "pairs.csv", *options]
        subprocess.run([*map(str, train)], check=True)
    remember_examples(arguments.output)


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
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as work:
        loaded = load_bundle(bundle, device)
        kept = held_out_candidates(catalogue, loaded, EXAMPLES / "images", Path(work), device=device)
    add_held_out(bundle, kept)


if __name__ == "__main__":
    main()
