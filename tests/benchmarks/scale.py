"""Does a million ads fit? Seconds and peak memory of each stage of `link` on generated ads without photos.

    python tests/benchmarks/scale.py [--ads 1000000] [--candidates 100] [--seed 0]

The ads are made by another process, so that their making does not count: made-up words in a Zipf
distribution over 1,000,000, half of an ad's words from its topic's own order of them, 40 words on average; one ad in
ten is a re-post of another with 15 % of the words changed; one text stands 5,000 times (0.5 %).

Reading, cleaning, lemmas, token ids, collapsing, blocking and clustering are the real code. Embedding is a stand-in,
because the text encoder would take hours on a small machine: random word vectors, weighted against frequent words
(a / (a + p)) and averaged, then two random layers with ReLU, 300 -> 128 -> 64. So is the scoring: sigmoid(b - L1).

Prints a table; of the joint and the text space the share of the exact nearest that was found (its own figure, and one
measured here on other ads); and the share of re-posts among the candidates. Ends with status 1 if that share is under
0.95 in the joint space or the peak over 8 GB.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np
import polars as pl
import torch

from nrl_dedup.blocking.exact_duplicates import collapse
from nrl_dedup.blocking.neighbours import NeighbourLists
from nrl_dedup.blocking.sources import search_sources
from nrl_dedup.blocking.text_source import fit_frequencies, piece_weights, read_texts, stems
from nrl_dedup.catalogue.read import read_catalogue
from nrl_dedup.clustering import DEFAULT, METHODS, find_clusters
from nrl_dedup.clustering.cohesion import cohesion_of
from nrl_dedup.features.text.vocabulary import TokenIds, Vocabulary, encode
from nrl_dedup.features.text.words import read_words
from nrl_dedup.runtime.progress import Silent, StageClock, peak_memory
from nrl_dedup.runtime.run import Run
from nrl_dedup.tables import catalogue_ends, distinct_ends

WORDS = 1_000_000
TOPICS = 400
MEAN_WORDS = 40
REPOSTS = 0.1
CHANGED = 0.15
COPIES = 0.005
TITLE_WORDS = 4
ADS_AT_ONCE = 50_000
MOST_BYTES = 8e9
LEAST_RECALL = 0.95
NEAREST = 20


def spellings() -> pl.Series:
    """Different made-up Russian words, the frequent ones shorter: a number in base 60 written in syllables."""
    syllables = np.array([consonant + vowel for consonant in "бвгдклмнпрст" for vowel in "аеиоу"])
    number = np.arange(WORDS) + 60
    word = syllables[number % 60]
    while (number := number // 60).any():
        word = np.where(number > 0, np.char.add(syllables[number % 60], word), word)
    return pl.Series(word)


def write_ads(folder: Path, ads: int, seed: int) -> None:
    """`folder`/ads.csv (itemID, title, description) and reposts.parquet (row_l < row_r)."""
    random = np.random.default_rng(seed)
    role = random.permutation(ads)
    reposts, copies, originals = np.split(role, [int(REPOSTS * ads), int((REPOSTS + COPIES) * ads)])
    source = np.arange(ads)
    source[reposts] = random.choice(originals, len(reposts))
    source[copies] = copies[0]
    lengths = np.clip(random.gamma(2.0, (MEAN_WORDS - TITLE_WORDS) / 2, ads), 2, 400).astype(
        np.int64
    )[source]
    topics = random.integers(0, TOPICS, ads)[source]
    starts = np.cumsum(lengths) - lengths

    chance = np.cumsum(1 / np.arange(1, WORDS + 1))
    tokens = np.empty(lengths.sum(), dtype=np.int32)
    for first in range(0, ads, ADS_AT_ONCE):
        part = slice(first, first + ADS_AT_ONCE)
        topic = np.repeat(topics[part], lengths[part])
        rank = np.searchsorted(chance, random.random(len(topic)) * chance[-1])
        own = (rank + topic * (WORDS // TOPICS) + 1_000) % WORDS
        at = starts[first]
        tokens[at : at + len(topic)] = np.where(random.random(len(topic)) < 0.5, own, rank)
    for again in (reposts, copies):
        inside = np.arange(lengths[again].sum()) - np.repeat(
            np.cumsum(lengths[again]) - lengths[again], lengths[again]
        )
        taken = tokens[np.repeat(starts[source[again]], lengths[again]) + inside]
        if again is reposts:
            change = random.random(len(taken)) < CHANGED
            taken[change] = random.integers(0, WORDS, change.sum())
        tokens[np.repeat(starts[again], lengths[again]) + inside] = taken

    words = spellings()
    with (folder / "ads.csv").open("wb") as file:
        for first in range(0, ads, ADS_AT_ONCE):
            count = lengths[first : first + ADS_AT_ONCE]
            at = starts[first]
            used = pl.DataFrame(
                {
                    "itemID": np.repeat(np.arange(first, first + len(count)), count),
                    "word": words.gather(tokens[at : at + count.sum()]),
                }
            )
            texts = used.group_by("itemID", maintain_order=True).agg(
                title=pl.col("word").head(TITLE_WORDS).str.join(" "),
                description=pl.col("word").str.join(" "),
            )
            texts.write_csv(file, include_header=first == 0)
    pairs = np.sort(np.stack([reposts, source[reposts]]), axis=0)
    pl.DataFrame({"row_l": pairs[0], "row_r": pairs[1]}).write_parquet(folder / "reposts.parquet")
    print(
        f"{ads:,} ads, {len(tokens) / ads + TITLE_WORDS:.1f} words on average, {len(np.unique(tokens)):,} distinct"
    )


def embed(tokens: TokenIds, vocabulary: int, seed: int) -> np.ndarray:
    """The stand-in for the model, f32 [ads, 64], in batches."""
    random = np.random.default_rng(seed)
    share = np.bincount(tokens.values, minlength=vocabulary) / len(tokens.values)
    table = torch.from_numpy(random.standard_normal((vocabulary, 300), dtype=np.float32))
    table *= torch.from_numpy((1e-3 / (1e-3 + share)).astype(np.float32))[:, None]
    layers = [
        torch.from_numpy(random.standard_normal(shape, dtype=np.float32))
        for shape in ((300, 128), (128, 64))
    ]
    embeddings = np.empty((len(tokens), 64), dtype=np.float32)
    for first in range(0, len(tokens), ADS_AT_ONCE):
        offsets = tokens.offsets[first : first + ADS_AT_ONCE + 1]
        values = torch.from_numpy(tokens.values[offsets[0] : offsets[-1]]).long()
        bags = torch.from_numpy(offsets[:-1] - offsets[0])
        hidden = torch.nn.functional.embedding_bag(values, table, bags, mode="mean")
        for layer in layers:
            hidden = torch.relu(hidden @ layer / len(layer) ** 0.5)
        embeddings[first : first + ADS_AT_ONCE] = hidden.numpy()
    return embeddings * random.uniform(0.2, 1.0, 64).astype(np.float32)


def scores(z: np.ndarray, left: np.ndarray, right: np.ndarray, bias: float) -> np.ndarray:
    """The stand-in for the head: sigmoid(b - sum_i |z_l - z_r|_i), f32."""
    logits = np.empty(len(left), dtype=np.float32)
    for first in range(0, len(left), ADS_AT_ONCE):
        part = slice(first, first + ADS_AT_ONCE)
        logits[part] = bias - np.abs(z[left[part]] - z[right[part]]).sum(axis=1)
    return 1 / (1 + np.exp(-logits))


def share_found(pairs: pl.DataFrame, candidates: pl.DataFrame) -> float:
    """The share of `pairs` that are among `candidates`."""
    return pairs.join(candidates, on=["distinct_l", "distinct_r"], how="semi").height / max(
        1, pairs.height
    )


def found_in_joint(space: NeighbourLists, z: np.ndarray, seed: int) -> float:
    """Of the exact nearest in L1 of 1,000 ads, the share that the space lists."""
    sample = np.random.default_rng(seed).choice(len(z), min(1_000, len(z)), replace=False)
    distances, _ = faiss.knn(z[sample], z, NEAREST + 1, metric=faiss.METRIC_L1)
    return share_as_near(space, sample, -distances[:, -1])


def found_in_text(space: NeighbourLists, catalogue: pl.DataFrame, seed: int) -> float:
    """Of the exact nearest of 200 ads by the cosine of their stems, the share that the space lists."""
    texts = read_texts(catalogue)
    pieces = stems(texts.words)
    weights = piece_weights(texts, pieces, fit_frequencies(texts, pieces))
    sample = np.random.default_rng(seed).choice(
        len(catalogue), min(200, len(catalogue)), replace=False
    )
    columns = weights.T.tocsr()
    last = [np.sort((weights[[ad]] @ columns).toarray()[0])[-NEAREST - 1] for ad in sample]
    return share_as_near(space, sample, np.array(last))


def share_as_near(space: NeighbourLists, ads: np.ndarray, last: np.ndarray) -> float:
    """How many of the first listed are as near as the last of the exact nearest; a tie is no loss."""
    near = space.neighbours.similarities[ads, :NEAREST]
    return float((near >= (last - 1e-5 * np.abs(last))[:, None]).mean())


class Clock(StageClock):
    """Notes the seconds of all cores too, which say more where other programs run beside this one."""

    def __init__(self) -> None:
        super().__init__()
        self.core_seconds: list[float] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        with super().stage(name):
            yield
        self.core_seconds.append(time.process_time() - start)


class Printed(Silent):
    """Prints what the stages say."""

    def say(self, message: str) -> None:
        print(f"  {message}")

    warn = say


def measure(folder: Path, most: int, seed: int) -> bool:
    """Run the stages, print what they took, and say whether the limits hold."""
    clock, progress = Clock(), Printed()
    imports = peak_memory()
    with clock.stage("reading"):
        catalogue = read_catalogue(folder / "ads.csv")
    with clock.stage("words"):
        words = read_words(
            [catalogue.frame["title"], catalogue.frame["description"]], "ru", progress
        )
    print(f"  {len(words.distinct):,} distinct words after cleaning and lemmas")
    with clock.stage("token ids"):
        vocabulary = Vocabulary.most_frequent(words, 30_000)
        tokens = encode(words, vocabulary, 100)
    del words
    with clock.stage("collapsing"):
        groups = collapse(catalogue.frame, np.zeros(len(catalogue), dtype=np.uint64))
    print(f"  {len(groups.representatives):,} different ads")
    with clock.stage("embedding (stand-in)"):
        z = embed(tokens, len(vocabulary), seed)[groups.representatives]
    rows = groups.representatives
    found = search_sources(
        z,
        catalogue.frame,
        None,
        rows,
        most,
        Run(Path(), torch.device("cpu"), seed, progress, clock),
    )
    candidates = found.candidates
    with clock.stage("scoring (stand-in)"):
        near = np.abs(z[::97] - np.roll(z[::97], 1, axis=0)).sum(axis=1).mean() / 6
        left, right = distinct_ends(candidates.frame)
        score = pl.Series(scores(z, left, right, near))
    with clock.stage("clustering"):
        scored = pl.DataFrame({"row_l": rows[left], "row_r": rows[right], "score": score})
        identical = groups.copy_pairs().with_columns(score=pl.lit(1.0, pl.Float32))
        links = pl.concat([scored.filter(pl.col("score") >= 0.5), identical])
        clusters = find_clusters(METHODS[DEFAULT], scored, identical, len(catalogue), 0.5)
        place = groups.group_of
        chains = cohesion_of(
            clusters, lambda left, right: scores(z, place[left], place[right], near), seed
        )

    print(f"\n{'stage':<22}{'seconds':>9}{'core s':>9}{'peak GB':>9}")
    print(f"{'imports':<40}{imports / 1e9:9.2f}")
    for cost, core_seconds in zip(clock.costs, clock.core_seconds, strict=True):
        print(f"{cost.name:<22}{cost.seconds:9.1f}{core_seconds:9.1f}{cost.peak_bytes / 1e9:9.2f}")
    peak = max(cost.peak_bytes for cost in clock.costs)
    seconds = sum(cost.seconds for cost in clock.costs)
    print(f"{'all':<22}{seconds:9.1f}{sum(clock.core_seconds):9.1f}{peak / 1e9:9.2f}\n")

    joint, text = candidates.spaces
    exact = found_in_joint(joint, z, seed + 1)
    by_text = found_in_text(text, catalogue.frame[groups.representatives], seed + 1)
    reposts = pl.read_parquet(folder / "reposts.parquet")
    left, right = (place[end] for end in catalogue_ends(reposts))
    reposts = pl.DataFrame(
        {"distinct_l": np.minimum(left, right), "distinct_r": np.maximum(left, right)}
    ).filter(pl.col("distinct_l") != pl.col("distinct_r"))
    print(
        f"candidate pairs {candidates.frame.height:,}; links {links.height:,}; chained {chains.height:,} looked at"
    )
    print(
        f"clusters {clusters['cluster_row'].n_unique():,}, the largest of {chains['size'].max() or 2:,} ads"
    )
    print(f"recall by the spaces' own samples: joint {joint.recall:.4f}, text {text.recall:.4f};")
    print(f"  of the {NEAREST} exact nearest of other ads: joint {exact:.4f}, text {by_text:.4f}")
    print(f"re-posts among the candidate pairs: {share_found(reposts, candidates.frame):.4f}")
    return min(exact, joint.recall) >= LEAST_RECALL and peak < MOST_BYTES


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ads", type=int, default=1_000_000)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="only make the ads, in this folder")
    options = parser.parse_args()
    if options.write:
        write_ads(options.write, options.ads, options.seed)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        making = [
            sys.executable,
            __file__,
            "--write",
            folder,
            "--ads",
            str(options.ads),
            "--seed",
            str(options.seed),
        ]
        subprocess.run(making, check=True)
        return 0 if measure(Path(folder), options.candidates, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
