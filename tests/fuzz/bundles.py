"""Mutated bundles against `load_bundle` and, where that takes them, linking: `python -m tests.fuzz.bundles`.

The shipped bundle is one base; with `--small` (the default of a long run) one that is trained now is another.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch, FAISS and polars: their threads do not outlive a fork
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import torch

from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.catalogue.read import Catalogue, read_catalogue
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.pipeline import link
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.pair_model.held_out import choose_threshold
from tests.fuzz.bundle_mutants import BUNDLE, make_bundle
from tests.fuzz.commands import COMMANDS, ROOT, make_inputs, run
from tests.fuzz.judging import Fuzzer, WrongResultError, command_line

SHIPPED = ROOT / "weights" / "default"
_CPU = torch.device("cpu")
_THINGS = (
    "диван угловой",
    "велосипед горный",
    "шкаф белый",
    "гитара акустическая",
    "лампа настольная",
)


def judge_bundle(folder: Path) -> str:
    """Load the bundle, and link made-up ads by it; its photo network and its held-out pairs are asked for too."""
    bundle = load_bundle(folder / BUNDLE, _CPU)
    for name, tensor in bundle.model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WrongResultError(f"MISLINK: it loads, though {name} is not finite")
    linked = link(_ads(folder), bundle, None, Run(folder.parent, device=_CPU))
    scores = linked.links["score"].to_numpy()
    if not np.isfinite(scores).all() or ((scores < 0) | (scores > 1)).any():
        raise WrongResultError(f"MISLINK: scores of {scores[:5]}")
    for column in linked.reasons:
        if not np.isfinite(column.drop_nulls().to_numpy()).all():
            raise WrongResultError(f"MISLINK: reasons of {column.name} are not finite")
    _ask_further(bundle)
    return f"{linked.links.height} links by {'evidence' if bundle.pair_model else 'siamese'}"


def _ask_further(bundle: Bundle) -> None:
    bundle.backbone(_CPU)
    if bundle.held_out is not None:
        choose_threshold(bundle, precision=0.5)


def _ads(folder: Path) -> Catalogue:
    """20 ads, every two of one thing."""
    path = folder / "ads.csv"
    rows = []
    for number in range(20):
        thing, how = _THINGS[number // 2 % len(_THINGS)], "срочно" if number % 2 else "недорого"
        rows.append(
            f'{number},"{thing} {number // 10}","продам {thing}, {how}",{1000 + number // 2}'
        )
    path.write_text("id,title,description,price\n" + "\n".join(rows) + "\n", "utf-8")
    return read_catalogue(path)


def train_small(folder: Path) -> Path:
    """A bundle of a few seconds' training.

    :raises SystemExit: it cannot be trained.
    """
    make_inputs(folder)
    ended = run(COMMANDS["train"], folder)
    if ended.status:
        sys.exit(f"the small bundle cannot be trained:\n{ended.said[-2000:]}")
    return (folder / "model").rename(folder / "small")


def fuzzer(bases: tuple[Path, ...]) -> Fuzzer:
    """:param bases: the bundles that are damaged."""
    return Fuzzer(
        "bundles", partial(make_bundle, bases=bases), judge_bundle, (NrlDedupError,), batch=50
    )


def main() -> None:
    """With `--shipped` only the shipped bundle is damaged."""
    if "--shipped" in sys.argv:
        sys.argv.remove("--shipped")
        command_line(fuzzer((SHIPPED,)), 3_000)
    with tempfile.TemporaryDirectory(prefix="fuzz-small-") as folder:
        command_line(fuzzer((SHIPPED, train_small(Path(folder)))), 3_000)


if __name__ == "__main__":
    main()
