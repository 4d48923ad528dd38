"""Make `weights/default` again: the bundle that `link` and `evaluate` use when none is named.

    python examples/making/make_photo_network.py ...             # the photo network, see weights/README.md
    python examples/making/make_default.py --photo-network FILE.safetensors          # about half an hour on two cores

It is trained on made-up ads of another seed than the shipped ones, so `examples/catalogue.csv` and its labelled
pairs, which become the bundle's remembered test split, are new to it. These ads have one photo each. Its pair model is
fitted to `PARTS` catalogues of about 500 of them: fitted to all at once, it takes too much for a duplicate where ads
are few. For that, some of the ads get another price: made-up duplicates differ by a tenth at most, so that trees would
take a price that a seller has changed for proof of another thing. Then its calibration is fitted to ads of a third
seed, a few of which have several photos, in as many catalogues.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from nrl_dedup.bundle.load import SPLIT, Bundle, load_bundle
from nrl_dedup.bundle.save import add_pair_model
from nrl_dedup.catalogue.fingerprint import fingerprint
from nrl_dedup.catalogue.labelled_pairs import read_pairs
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.catalogue.splits import split_pairs
from nrl_dedup.duplicate_groups import duplicate_groups
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.pair_model.fit import fit_pairs
from nrl_dedup.training.pair_model.recalibrate import recalibrate

MAKING = Path(__file__).parent
EXAMPLES = MAKING.parent
CPU = torch.device("cpu")
TRAINING_SEED, PAIRS_SEED = 1, 2
PARTS = 20
REPRICED, MOST_CHANGE = (
    0.3,
    1.3,
)  # the share of the ads, and the most that a price is multiplied or divided by


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photo-network", type=Path, required=True, help="mobilenet_v3_small weights"
    )
    parser.add_argument("--output", type=Path, default=EXAMPLES.parent / "weights" / "default")
    parser.add_argument("--ads", type=int, default=6000, help="made-up ads to train on")
    parser.add_argument(
        "--folder", type=Path, help="where the training ads are made [default: a temporary folder]"
    )
    parser.add_argument("train_options", nargs="*", help="further options of nrl-dedup train")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        made_up(folder / "network", arguments.ads, TRAINING_SEED, apart=1.0)
        made_up(folder / "pairs", arguments.ads, PAIRS_SEED, apart=0.75)
        # The plain photos: a random crop of a rendered photo often misses the thing in it.
        options = [
            "--images",
            folder / "network" / "images",
            "--backbone",
            "mobilenet_v3_small",
            "--views",
            0,
        ]
        options += [
            "--backbone-weights",
            arguments.photo_network,
            "--photo-pool",
            "one",
            *arguments.train_options,
        ]
        files = [folder / "network" / "catalogue.csv", folder / "network" / "pairs.csv"]
        train = ["nrl-dedup", "train", *files, *options, "-o", arguments.output, "--force"]
        subprocess.run([*map(str, train)], check=True)
        fit_parts(arguments.output, folder / "network", Path(temporary))
        recalibrate_on(arguments.output, folder / "pairs", Path(temporary))
    remember_examples(arguments.output)


def made_up(folder: Path, ads: int, seed: int, apart: float) -> None:
    """Make ads in `folder`, if they are not there."""
    if not (folder / "catalogue.csv").exists():
        make = [MAKING / "make_examples.py", "--seed", seed, "--ads", ads, "--apart", apart]
        make += ["--negatives-per-ad", 8, "--out", folder]
        subprocess.run([sys.executable, *map(str, make)], check=True)


def fit_parts(folder: Path, ads: Path, work: Path) -> None:
    """Fit the bundle's pair model anew, to parts of the ads in a folder, which its network was trained on."""
    bundle = load_bundle(folder, CPU)
    catalogues, _ = parts_in(ads, bundle)
    fitted = fit_pairs(catalogues, bundle, ads / "images", Run(work, device=CPU))
    add_pair_model(folder, fitted.model, fitted.held_out)


def recalibrate_on(folder: Path, ads: Path, work: Path) -> None:
    """Fit the calibration of the bundle's pair model to parts of the ads in a folder, which are new to it."""
    bundle = load_bundle(folder, CPU)
    assert bundle.pair_model is not None
    catalogues, labelled = parts_in(ads, bundle)
    bundle = replace(bundle, split=labelled)
    fitted = recalibrate(
        bundle.pair_model, catalogues, bundle, ads / "images", Run(work, device=CPU)
    )
    add_pair_model(folder, fitted.model, fitted.held_out)


def parts_in(ads: Path, bundle: Bundle) -> tuple[list[Catalogue], pl.DataFrame]:
    """The ads of a folder in parts, and their labelled pairs, split as `train` splits them."""
    catalogue = repriced(read_catalogue(ads / "catalogue.csv"))
    pairs = read_pairs(ads / "pairs.csv", catalogue).frame
    split = split_pairs(pairs, bundle.settings.train.split, bundle.settings.train.seed).frame
    labelled = split.select(
        item_id_l=catalogue.ids.gather(split["row_l"]),
        item_id_r=catalogue.ids.gather(split["row_r"]),
        is_duplicate="is_duplicate",
        side="side",
        weight="weight",
    ).cast(SPLIT)
    return parts_of(catalogue, pairs, PARTS), labelled


def repriced(catalogue: Catalogue) -> Catalogue:
    """The same ads, of which some were given another price."""
    draw = np.random.default_rng(TRAINING_SEED)
    changed = draw.random(len(catalogue)) < REPRICED
    factor = np.where(changed, MOST_CHANGE ** draw.uniform(-1, 1, len(catalogue)), 1.0)
    prices = (
        (catalogue.further["price"].cast(pl.Float64, strict=False) * factor)
        .round(1)
        .cast(pl.String)
    )
    return replace(catalogue, further=catalogue.further.with_columns(price=prices))


def parts_of(catalogue: Catalogue, pairs: pl.DataFrame, count: int) -> list[Catalogue]:
    """Deal the ads out, those that duplicates join together, in an order that a seed draws."""
    same = pairs.filter("is_duplicate")
    group = duplicate_groups(same["row_l"].to_numpy(), same["row_r"].to_numpy(), len(catalogue))
    part = np.random.default_rng(TRAINING_SEED).permutation(int(group.max()) + 1)[group] % count
    return [catalogue.take(np.flatnonzero(part == number)) for number in range(count)]


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
    (bundle / "bundle.json").write_text(
        json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
