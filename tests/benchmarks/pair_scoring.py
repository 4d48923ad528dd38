"""Processor seconds an ad that the pair model takes, at several sizes of a catalogue: they must not rise with it.

    python tests/benchmarks/pair_scoring.py [--ads 30000 100000] [--pairs 50] [--seed 0]

The ads are those of scale.py, without photos. Each is scored, by the shipped pair model's first look, with its nearest
ones by text. Reading and searching do not count. Ends with status 1 if an ad of the largest catalogue takes more than
1.5 times what one of the smallest takes (longer lists of rare words have to be looked up).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scale import write_ads

from nrl_dedup.blocking.text_source import fit_frequencies, read_texts, stems, text_neighbours
from nrl_dedup.bundle.load import load_bundle
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.comparison.ad_profiles import build_profiles, fit_statistics
from nrl_dedup.comparison.compared_ads import ComparedAds
from nrl_dedup.features.text.words import read_words
from nrl_dedup.scoring.score_in_chunks import score_pairs_in_chunks

MOST_GROWTH = 1.5
CPU = torch.device("cpu")


def seconds_an_ad(ads: int, pairs: int, seed: int) -> tuple[float, float, int]:
    """Processor seconds an ad of preparing the ads and of scoring the pairs, and how many pairs there are."""
    with tempfile.TemporaryDirectory() as folder:
        write_ads(Path(folder), ads, seed)
        catalogue = read_catalogue(Path(folder) / "ads.csv")
    words = read_words([catalogue.frame["title"], catalogue.frame["description"]], "none")
    texts = read_texts(catalogue.frame)
    frequencies = fit_frequencies(texts, stems(texts.words))
    space = text_neighbours(frequencies, texts, pairs, device=CPU, seed=seed)
    start = time.process_time()
    frame = catalogue.frame
    compared = ComparedAds(frame["title"], frame["description"], words, None, None, {})
    described = build_profiles(fit_statistics(compared, seed), compared, [space.neighbours])
    prepared = time.process_time() - start
    left, place = np.nonzero(space.neighbours.rows >= 0)
    model = load_bundle(None, CPU).pair_model
    assert model is not None
    start = time.process_time()
    score_pairs_in_chunks(model, described, left, space.neighbours.rows[left, place])
    return prepared / ads, (time.process_time() - start) / ads, len(left)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ads", type=int, nargs="+", default=[30_000, 100_000])
    parser.add_argument("--pairs", type=int, default=50, help="of each ad")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    scored = []
    print("ads        pairs  preparing, ms an ad  scoring, ms an ad")
    for ads in options.ads:
        preparing, scoring, pairs = seconds_an_ad(ads, options.pairs, options.seed)
        scored.append(scoring)
        print(f"{ads:7,} {pairs:9,} {1000 * preparing:20.3f} {1000 * scoring:18.3f}", flush=True)
    growth = scored[-1] / scored[0]
    print(
        f"From {options.ads[0]:,} to {options.ads[-1]:,} ads, scoring an ad takes {growth:.2f} times as long."
    )
    sys.exit(growth > MOST_GROWTH)


if __name__ == "__main__":
    main()
