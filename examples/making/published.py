"""F1 on the test pairs of published splits of product pairs, of words alone.

    python examples/making/published.py FOLDER [FOLDER ...]

Each FOLDER holds items.csv (item_id, title, description, price), pairs_train.csv, pairs_valid.csv and pairs_test.csv
(item_id_l, item_id_r, is_duplicate), such as Abt-Buy and Amazon-Google as DeepMatcher split them. Trains with the
commands, with the price and without it, a few minutes each. A pair is called a duplicate from a probability of 0.5 on;
what is a probability is learned from the training and validation pairs.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("| split | F1 | precision | recall | average precision |\n|---|---:|---:|---:|---:|")
    for folder in map(Path, sys.argv[1:]):
        for columns in ("title and description", "and the price"):
            found = measure(folder, keep_price=columns == "and the price")
            precision, recall = found["precision"] or 0.0, found["recall"] or 0.0
            shown = (f1(precision, recall), precision, recall, found["average_precision"])
            print(
                f"| {folder.name}, {columns} | {' | '.join(f'{100 * figure:.1f}' for figure in shown)} |",
                flush=True,
            )


def measure(folder: Path, *, keep_price: bool) -> dict:
    """What `evaluate --json` says of the model on the test pairs."""
    train, valid, test = (folder / f"pairs_{side}.csv" for side in ("train", "valid", "test"))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        items = pl.read_csv(folder / "items.csv", infer_schema=False)
        items.drop([] if keep_price else ["price"], strict=False).write_csv(work / "items.csv")
        published = ("--valid-pairs", valid, "--test-pairs", test, "--language", "en")
        run("train", work / "items.csv", train, *published, "-o", work / "bundle")
        run("evaluate", "--model", work / "bundle", "--json", work / "figures.json")
        return json.loads((work / "figures.json").read_text("utf-8"))["models"]["bundle"]


def run(*words: object) -> None:
    """A command of nrl-dedup; what it says is shown only if it fails."""
    ended = subprocess.run(["nrl-dedup", *map(str, words)], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"nrl-dedup {' '.join(map(str, words))}\n{ended.stdout}{ended.stderr}")


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


if __name__ == "__main__":
    main()
