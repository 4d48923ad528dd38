"""A catalogue in Chinese as it is written, without spaces: how many of its duplicates are found.

    cd examples/making && python -m measuring.unspaced OUT

It is linked by the shipped model, and by one that is trained on it without labels. Its words are made up, two signs
each: what is tested is that words are found where no space shows them, not that anyone knows them.
"""

import argparse
import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

import nrl_dedup
from nrl_dedup.api import Duplicates
from nrl_dedup.evaluation.cluster_quality import ClusterQuality, pairwise_quality

THINGS = 150  # posted twice
SINGLE = 300  # ads of things that are posted once
WORDS_OF_AD = 10
IN_COMMON = 8  # of them, in another order
WORDS_OF_TITLE = 4
SIGNS = 700  # that words are made of; a thousand signs are nine tenths of a newspaper
WORDS = 2_000  # of the language of these ads
CANDIDATES = 10
_FIRST_SIGN = 0x4E00  # of the block of Han signs


def made_up_ads(seed: int = 0) -> tuple[list[tuple[str, str]], list[int]]:
    """Title and description of each ad, in a random order, and the number of the thing that it offers."""
    draw = np.random.default_rng(seed)
    signs = [chr(_FIRST_SIGN + 7 * number) for number in range(SIGNS)]
    chosen = draw.integers(SIGNS, size=(WORDS, 2))
    words = [signs[first] + signs[second] for first, second in chosen]
    ads = []
    things = []
    for thing in range(THINGS + SINGLE):
        drawn = draw.choice(WORDS, 2 * WORDS_OF_AD - IN_COMMON, replace=False)
        postings = [drawn[:WORDS_OF_AD]]
        if thing < THINGS:
            postings.append(drawn[-WORDS_OF_AD:])
        for numbers in postings:
            order = draw.permutation(numbers)
            title = "".join(words[number] for number in order[:WORDS_OF_TITLE])
            description = "".join(words[number] for number in order[WORDS_OF_TITLE:])
            ads.append((title, description + "。"))
            things.append(thing)
    mixed = draw.permutation(len(ads))
    return [ads[ad] for ad in mixed], [things[ad] for ad in mixed]


def write_ads(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """The catalogue, and its truth: itemID, entity."""
    ads, things = made_up_ads(seed)
    items = folder / "items.csv"
    truth = folder / "truth.csv"
    with items.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["itemID", "title", "description"])
        for number, (title, description) in enumerate(ads, 1):
            writer.writerow([number, title, description])
    with truth.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["itemID", "entity"])
        writer.writerows(enumerate(things, 1))
    return items, truth


@dataclass(frozen=True)
class Found:
    """`completeness`: the share of the duplicates that blocking brings together; `clusters`: pairs of ads in one."""

    completeness: float
    clusters: ClusterQuality


def quality(found: Duplicates, things: list[int]) -> Found:
    """How good a linked catalogue is; `things`: of its ads, by row."""
    entity = np.array(things)
    left, right = _duplicates(entity)
    is_found = found.result.blocked.finds(left, right)
    cluster = np.arange(len(entity))
    clusters = found.result.clusters
    cluster[clusters["row"].to_numpy()] = clusters["cluster_row"].to_numpy()
    return Found(float(is_found.mean()), pairwise_quality(cluster, entity))


def _duplicates(
    entity: Int64[np.ndarray, "ads"],
) -> tuple[Int64[np.ndarray, "things"], Int64[np.ndarray, "things"]]:
    """The rows of the two ads of each thing that is posted twice."""
    order = np.argsort(entity, kind="stable")
    sorted_entity = entity[order]
    is_same = sorted_entity[1:] == sorted_entity[:-1]
    return order[:-1][is_same], order[1:][is_same]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    items, _ = write_ads(folder)
    _, things = made_up_ads()
    own = folder / "model"
    train = ["nrl-dedup", "train", items, "--language", "none", "-o", own, "--force"]
    subprocess.run([*map(str, train)], check=True)
    print("| model | pairs completeness | precision | recall | F1 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, model in (("shipped", None), ("trained on it", own)):
        bundle = nrl_dedup.load_model(model)
        linked = nrl_dedup.link(items, model=bundle, candidates_per_ad=CANDIDATES)
        found = quality(linked, things)
        figures = (found.clusters.precision, found.clusters.recall, found.clusters.f1)
        shown = " | ".join(f"{figure:.3f}" for figure in figures)
        print(f"| {name} | {found.completeness:.3f} | {shown} |")


if __name__ == "__main__":
    main()
