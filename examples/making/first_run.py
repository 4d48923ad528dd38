"""What a newcomer's first command finds on catalogues that the model has not seen, and what it expects of itself.

    python examples/making/first_run.py DATA          # DATA: see fit_words.py; some minutes

For each of six open catalogues the forest of texts is fitted to the other five (`fit_words.py --leave-out`); then
`link` runs on all of its ads with the model so made, as on one catalogue and as on two shops of which each ad has one
partner at most (`--source source --one-to-one`). Truth: all pairs that labelled duplicates of the three files join; of
two shops the labelled pairs themselves. Beside it: the shipped model as it is, and what is found by hand, the pairs of
ads that are each other's best by tf-idf of words.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from fit_words import CATALOGUES, CPU, Part, fit_words, groups_of, put_words, read_parts
from sklearn.feature_extraction.text import TfidfVectorizer

import nrl_dedup
from nrl_dedup.bundle.load import load_bundle

DEFAULT = Path(__file__).parents[2] / "weights" / "default"
THRESHOLDS = (0.3, 0.5, 0.8, 0.95)
Pair = tuple[str, str]


@dataclass(frozen=True)
class Found:
    """Pairs of some clusters against the truth."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def __str__(self) -> str:
        return f"{self.precision:.2f}  {self.recall:.2f}  {self.f1:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=CATALOGUES, action="append", default=[])
    arguments = parser.parse_args()
    bundle = load_bundle(DEFAULT, CPU)
    parts = {name: read_parts(arguments.data / name, bundle) for name in CATALOGUES}
    for name in arguments.only or CATALOGUES:
        with tempfile.TemporaryDirectory() as work:
            model = leave_out(name, parts, Path(work) / "model")
            for shops in (False, True):
                measure(arguments.data / name, model, Path(work), shops)


def leave_out(name: str, parts: dict[str, list[Part]], folder: Path) -> Path:
    """A bundle whose forest of texts has not seen a catalogue."""
    shutil.copytree(DEFAULT, folder)
    others: list[Part] = []
    for other in CATALOGUES:
        if other != name:
            others += parts[other]
    put_words(folder, fit_words(others))
    return folder


def measure(data: Path, model: Path, work: Path, shops: bool) -> None:
    """Print what is found in one catalogue."""
    items = data / "items.csv"
    ids = pl.read_csv(items, infer_schema=False)["item_id"]
    source = "source" if shops else None
    truth = labelled_pairs(data) if shops else joined_pairs(groups_of(data, ids), ids)
    kind = "two" if shops else "one"
    print(f"{data.name}, {len(ids):,} ads as {kind}: {len(truth):,} pairs   P     R     F1")
    bundle = nrl_dedup.load_model(model)
    for called, adapt in (("first command", True), ("as it is", False)):
        began = time.monotonic()
        found = nrl_dedup.link(
            items, model=bundle, adapt=adapt, source=source, one_to_one=shops, work_dir=work
        )
        seconds = time.monotonic() - began
        pairs = pairs_of(found.clusters)
        print(f"  {called:32} {against(pairs, truth)}   {seconds:.0f} s")
        if adapt:
            show_expected(found.links, truth)
    for called, columns in (
        ("by hand, titles", ["title"]),
        ("by hand, titles and descriptions", ["title", "description"]),
    ):
        print(f"  {called:32} {against(by_hand(items, columns, shops), truth)}", flush=True)


def show_expected(links: pl.DataFrame, truth: set[Pair]) -> None:
    """The mean score of the links from some thresholds on, and how many of them are right."""
    is_right = np.array([pair in truth for pair in ordered(links)], dtype=bool)
    scores = links["score"].to_numpy()
    shown = []
    for threshold in THRESHOLDS[1:]:
        some = scores >= threshold
        if some.any():
            expected = float(scores[some].mean())
            shown.append(f"{threshold}: {expected:.2f}, {is_right[some].mean():.2f}")
    print(f"  expected and true precision from {'; '.join(shown)}")


def ordered(pairs: pl.DataFrame) -> list[Pair]:
    return [ordered_pair(*row) for row in pairs.select("item_id_l", "item_id_r").iter_rows()]


def ordered_pair(left: str, right: str) -> Pair:
    return min(left, right), max(left, right)


def labelled_pairs(data: Path) -> set[Pair]:
    found: set[Pair] = set()
    for part in ("train", "valid", "test"):
        pairs = pl.read_csv(data / f"pairs_{part}.csv", infer_schema=False)
        found.update(ordered(pairs.filter(pl.col("is_duplicate") == "1")))
    return found


def joined_pairs(groups: Iterable[int], ids: pl.Series) -> set[Pair]:
    frame = pl.DataFrame({"cluster_id": list(groups), "item_id": ids})
    return pairs_of(frame)


def pairs_of(clusters: pl.DataFrame) -> set[Pair]:
    """All pairs of ads of one cluster."""
    some = clusters.select("cluster_id", "item_id")
    pairs = some.join(some, on="cluster_id").filter(pl.col("item_id") < pl.col("item_id_right"))
    return set(pairs.select("item_id", "item_id_right").iter_rows())


def against(pairs: set[Pair], truth: set[Pair]) -> Found:
    right = len(pairs & truth)
    return Found(right / max(1, len(pairs)), right / max(1, len(truth)))


def by_hand(items: Path, columns: list[str], shops: bool) -> set[Pair]:
    """Each other's best by tf-idf of the words of some columns, of the other shop if there are two."""
    frame = pl.read_csv(items, infer_schema=False).fill_null("")
    texts = frame.select(pl.concat_str(columns, separator=" ")).to_series()
    vectors = TfidfVectorizer().fit_transform(texts.to_list())
    cosines = (vectors @ vectors.T).toarray()
    np.fill_diagonal(cosines, -1)
    if shops:
        shop = frame["source"].to_numpy()
        cosines[shop[:, None] == shop[None, :]] = -1
    best = cosines.argmax(axis=1)
    ids = frame["item_id"]
    pairs = set()
    for ad, other in enumerate(best.tolist()):
        if best[other] == ad and ad < other:
            pairs.add(ordered_pair(ids[ad], ids[other]))
    return pairs


if __name__ == "__main__":
    main()
