"""A training from prepared data to a bundle in its place: the network, and the pair model on top of it.

What is done is kept in the training's own folder (`training.unfinished`), and a later run goes on there.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nrl_dedup.bundle.load import Bundle, Epoch, load_bundle
from nrl_dedup.bundle.save import add_pair_model
from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import Settings
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.runtime.progress import Progress
from nrl_dedup.runtime.run import Run
from nrl_dedup.training.data import TrainingData
from nrl_dedup.training.pair_model.fit import FittedPairModel, fit_pairs
from nrl_dedup.training.train import identity, train_one
from nrl_dedup.training.unfinished import Unfinished


class _RememberedWarnings:
    """Passes on the messages of a stage, and remembers its warnings."""

    def __init__(self, progress: Progress) -> None:
        self.task = progress.task
        self.say = progress.say
        self._progress = progress
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self._progress.warn(message)


def train_network(
    data: TrainingData,
    settings: Settings,
    work: Unfinished,
    run: Run,
    on_epoch: Callable[[Epoch], Any] | None = None,
) -> Bundle:
    """The network that a run which was stopped has left in `work`, or else a new one.

    :raises NrlDedupError: it was stopped before its first epoch was done, or cannot be written.
    """
    made_of = identity(data, settings)
    differences = work.differences(made_of)
    if differences == []:
        run.progress.say(
            f"{work.folder} holds the network of this training; it goes on with the pair model."
        )
    else:
        if differences:
            run.progress.say(
                f"{work.folder} holds a network of other {', '.join(differences)}; training starts anew."
            )
        trained = train_one(data, settings, run, on_epoch=on_epoch)
        if not trained.bundle.history:
            raise NrlDedupError(
                "Stopped before the first epoch was done; there is nothing to keep."
            )
        goes_on_from = None if trained.interrupted else made_of
        work.keep_network(trained.bundle, trained.backbone, goes_on_from)
        if trained.interrupted:
            run.progress.warn("stopped by Ctrl-C; the best epoch so far is kept.")
    work.begin_bundle()
    return load_bundle(work.bundle, run.device)


def add_fitted_pair_model(
    catalogue: Catalogue, folder: Path, photo_folder: Path | None, run: Run
) -> FittedPairModel:
    """Fit the pair model over the network in `folder`, and write it and the held-out pairs beside it.

    :raises NrlDedupError: what `fit_pairs` raises, or it cannot be written.
    """
    heard = _RememberedWarnings(run.progress)
    bundle = load_bundle(folder, run.device)
    fitted = fit_pairs([catalogue], bundle, photo_folder, replace(run, progress=heard))
    add_pair_model(folder, fitted.model, fitted.held_out, " ".join(heard.warnings))
    return fitted
