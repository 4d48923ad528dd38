"""How fast does stacked attention train? `fit` against the plain loop of the thesis, the same pairs in one run.

    python tests/benchmarks/attention.py [--pairs 1280] [--ads 2030] [--batch-size 64] [--device cpu]

The plain loop reads, for both ads of every pair, the 196 x 512 half-precision regions of VGG-19 from a file of their
own, pads every description to 100 words, and sends both sides of the batch through the network. `fit` is what `train`
runs: regions as `--regions` keeps them by default, mapped from one file, each distinct ad of a batch once, no padding
read, matrices multiplied in bfloat16 where the device has instructions for it, the next batch made ahead. Both make
the same kind of step (embed, score, cross-entropy, Adam) over the same random pairs. Regions are random numbers; words
are drawn by Zipf's law; lengths with a mean of 35 words, cut at 100. Ads in about as many pairs as Avito's (2,075,958
training pairs over 3.3 million ads).

Prints pairs a second of both, their ratio, bytes an ad, and the hours of an epoch over 2,075,958 pairs.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from nrl_dedup.config import ModelSettings, PhotoSettings, TrainSettings
from nrl_dedup.embedding.fusion import word_encoder as words
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.features.network_inputs import Batch, NetworkInputs
from nrl_dedup.features.photos.ad_photos import AdPhotos
from nrl_dedup.features.photos.backbones import BACKBONES
from nrl_dedup.features.photos.feature_kinds import KINDS, quantise
from nrl_dedup.features.photos.feature_store import PhotoFeatures
from nrl_dedup.features.text.vocabulary import TokenIds
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.train import fit

WORDS, WORD_SIZE, MOST_WORDS = 30_000, 300, 100
PAIRS_OF_THE_THESIS = 2_075_958
KIND = PhotoSettings().regions
ROW = BACKBONES["vgg19"]


def make_words(ads: int, draw: np.random.Generator) -> TokenIds:
    lengths = np.clip(draw.gamma(1.3, 35 / 1.3, ads), 1, MOST_WORDS).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    often = 1 / np.arange(1, WORDS + 1)
    return TokenIds(
        (4 + draw.choice(WORDS, offsets[-1], p=often / often.sum())).astype(np.int32), offsets
    )


def make_regions(folder: Path, ads: int, draw: np.random.Generator) -> np.ndarray:
    """`folder`/{ad}.npy, float16 [196, 512]; and what the store would keep of them, mapped from `folder`/store."""
    dtype, shape = KINDS[KIND].stored(KINDS[KIND].shape(ROW))
    stored = np.memmap(folder / "store", dtype, "w+", shape=(ads, 1, *shape))
    for ad in range(ads):
        regions = np.maximum(draw.standard_normal(ROW.regions, dtype=np.float32), 0)
        np.save(folder / f"{ad}.npy", regions.astype(np.float16))
        grid = regions.reshape(7, 2, 7, 2, 512).mean(axis=(1, 3)).reshape(49, 512)
        stored[ad, 0] = quantise(grid)
    stored.flush()
    return np.memmap(folder / "store", dtype, "r", shape=(ads, 1, *shape))


def make_model(image_size: int) -> SiameseModel:
    torch.manual_seed(0)
    vectors = torch.randn(WORDS, WORD_SIZE)
    return SiameseModel(ModelSettings(fusion="san"), vectors, image_size)


def plain_loop(
    folder: Path, tokens: TokenIds, pairs: pl.DataFrame, batch_size: int, device: torch.device
) -> float:
    """Seconds of one pass over `pairs`, in their order."""
    words.PACKED_ON = ()
    model = make_model(512).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)

    def side(rows: np.ndarray) -> Batch:
        padded = np.zeros((len(rows), MOST_WORDS), dtype=np.int64)
        lengths = np.diff(tokens.offsets)[rows]
        for place, row in enumerate(rows):
            padded[place, : lengths[place]] = tokens.values[
                tokens.offsets[row] : tokens.offsets[row + 1]
            ]
        image = np.stack([np.load(folder / f"{row}.npy") for row in rows]).astype(np.float32)
        there = torch.ones(len(rows), dtype=torch.bool)
        return Batch(
            torch.from_numpy(padded), torch.from_numpy(lengths), torch.from_numpy(image), there
        ).to(device)

    start = time.perf_counter()
    for part in pairs.iter_slices(batch_size):
        h_l, h_r = (model.embed(side(part[name].to_numpy())) for name in ("row_l", "row_r"))
        target = torch.from_numpy(part["is_duplicate"].to_numpy().astype(np.float32)).to(device)
        loss = binary_cross_entropy_with_logits(model.score(h_l, h_r), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    loss.item()
    return time.perf_counter() - start


def ours(
    stored: np.ndarray, tokens: TokenIds, pairs: pl.DataFrame, batch_size: int, device: torch.device
) -> float:
    """Seconds of one epoch of `fit` over `pairs`, its validation (of one batch) included."""
    kind, ads = KINDS[KIND], np.arange(len(tokens))
    names = pl.DataFrame({"photo": ads.astype(str), "row": ads})
    nothing = pl.DataFrame(schema={"photo": pl.String, "reason": pl.String})
    centre = PhotoFeatures(names, nothing, ads.astype(np.uint64) + 1, stored, kind, kind.shape(ROW))
    features = NetworkInputs(
        tokens, AdPhotos(ads, np.arange(len(ads) + 1), centre), kind.shape(ROW)
    )
    valid = pairs.head(batch_size)
    settings = TrainSettings(epochs=1, batch_size=batch_size)
    fitted = fit(make_model(512), features, pairs, valid, settings, Run(Path("unused"), device))
    return fitted.history[0].seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1280)
    parser.add_argument("--ads", type=int, default=2030)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    draw, device = np.random.default_rng(0), torch.device(options.device)
    rows = np.stack([draw.choice(options.ads, 2, replace=False) for _ in range(options.pairs)])
    pairs = pl.DataFrame(
        {
            "row_l": rows.min(1),
            "row_r": rows.max(1),
            "is_duplicate": draw.random(options.pairs) < 0.33,
        }
    ).with_columns(weight=pl.lit(1.0))
    tokens = make_words(options.ads, draw)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stored = make_regions(folder, options.ads, draw)
        fast = ours(stored, tokens, pairs, options.batch_size, device)
        slow = plain_loop(folder, tokens, pairs, options.batch_size, device)
    print(
        f"{options.pairs:,} pairs of {options.ads:,} ads in batches of {options.batch_size} on {options.device}"
    )
    for what, seconds, size in (
        ("the plain loop", slow, 2 * int(np.prod(ROW.regions))),
        (f"fit, regions {KIND}", fast, KINDS[KIND].bytes_per_photo(ROW)),
    ):
        rate = options.pairs / seconds
        hours = PAIRS_OF_THE_THESIS / rate / 3600
        print(
            f"{what:<24}{rate:8.1f} pairs/s {size:9,} bytes an ad   {hours:6.1f} h for {PAIRS_OF_THE_THESIS:,} pairs"
        )
    print(f"ratio {slow / fast:.1f}")


if __name__ == "__main__":
    main()
