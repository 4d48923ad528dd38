"""F1 on a published split of product pairs, of words alone: the threshold is the best one of the validation pairs.

    python examples/published.py FOLDER [FOLDER ...]

Each FOLDER holds items.csv (item_id, title, description, price), pairs_train.csv, pairs_valid.csv and pairs_test.csv
(item_id_l, item_id_r, is_duplicate), such as Abt-Buy and Amazon-Google as DeepMatcher split them. Trains with the
commands, with the price and without it, a few minutes each.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from nrl_dedup.metrics import precision_recall_curve

SIDES = ("train", "valid", "test")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("| split | validation F1 | test F1 |\n|---|---:|---:|")
    for folder in map(Path, sys.argv[1:]):
        for columns in ("title and description", "and the price"):
            valid, test = measure(folder, keep_price=columns == "and the price")
            print(f"| {folder.name}, {columns} | {100 * valid:.1f} | {100 * test:.1f} |", flush=True)


def measure(folder: Path, *, keep_price: bool) -> tuple[float, float]:
    """F1 on the validation pairs and on the test pairs, at the threshold that is the best for the former."""
    train, valid, test = (folder / f"pairs_{side}.csv" for side in SIDES)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        items = pl.read_csv(folder / "items.csv", infer_schema=False)
        items.drop([] if keep_price else ["price"], strict=False).write_csv(work / "items.csv")
        published = ("--valid-pairs", valid, "--test-pairs", test, "--language", "en")
        run("train", work / "items.csv", train, *published, "-o", work / "bundle")
        scores = {}
        for pairs in (valid, test):
            given = ("--model", work / "bundle", "--items", work / "items.csv", "--pairs", pairs)
            run("evaluate", *given, "--scores", work / "scores.csv")
            found = pl.read_csv(work / "scores.csv")
            scores[pairs] = found["is_duplicate"].to_numpy() == 1, found["score"].to_numpy().astype(np.float64)
    threshold, best = best_threshold(*scores[valid])
    return best, f1(scores[test][0], scores[test][1] >= threshold)


def run(*words: object) -> None:
    """A command of nrl-dedup; what it says is shown only if it fails."""
    ended = subprocess.run(["nrl-dedup", *map(str, words)], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"nrl-dedup {' '.join(map(str, words))}\n{ended.stdout}{ended.stderr}")


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """The threshold of the highest F1, and that F1."""
    curve = precision_recall_curve(labels, scores, np.ones(len(labels)))
    assert curve is not None
    both = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-12)
    place = int(np.argmax(both))
    return float(curve.thresholds[place]), float(both[place])


def f1(labels: np.ndarray, linked: np.ndarray) -> float:
    return float(2 * (linked & labels).sum() / max(1, linked.sum() + labels.sum()))


if __name__ == "__main__":
    main()
