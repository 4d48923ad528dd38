"""The stages of `nrl-dedup train`: one network or many, and the pair model over the one that is kept."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nrl_dedup.cli.signals import INTERRUPTED, Terminated
from nrl_dedup.errors import NrlDedupError

if TYPE_CHECKING:
    import torch

    from nrl_dedup.bundle.load import Bundle
    from nrl_dedup.catalogue.read import Catalogue
    from nrl_dedup.cli.console import ConsoleProgress
    from nrl_dedup.config import Settings
    from nrl_dedup.runtime.progress import Progress
    from nrl_dedup.runtime.run import Run
    from nrl_dedup.training.data import TrainingData
    from nrl_dedup.training.search.grid import Trial
    from nrl_dedup.training.search.trials import Trials
    from nrl_dedup.training.unfinished import Unfinished


def train_one(
    data: "TrainingData",
    settings: "Settings",
    work: "Unfinished",
    device: "torch.device",
    progress: "ConsoleProgress",
    *,
    force: bool,
) -> "Bundle":
    """The network that a run which was stopped has left in `work`, or else a new one."""
    from nrl_dedup.bundle.load import load_bundle
    from nrl_dedup.cli.console import show_epoch, warn
    from nrl_dedup.runtime.hidden_parts import remove
    from nrl_dedup.training.train import identity
    from nrl_dedup.training.train import train_one as train_network

    if work.holds_search():
        if not force:
            raise NrlDedupError(
                f"-o {work.output}: a search for settings that is not finished lies in {work.bundle}. Go on with it by "
                "its own command, name another folder, or add --force to throw it away."
            )
        remove(work.bundle)
    made_of = identity(data, settings)
    differences = work.differences(made_of)
    if differences:
        progress.say(
            f"{work.folder} holds a network of other {', '.join(differences)}; training starts anew."
        )
    if differences == []:
        progress.say(
            f"{work.folder} holds the network of this training; it goes on with the pair model."
        )
    else:
        trained = train_network(
            data, settings, device=device, on_epoch=show_epoch, progress=progress
        )
        if not trained.bundle.history:
            raise NrlDedupError(
                "Stopped before the first epoch was done; there is nothing to keep."
            )
        work.keep_network(
            trained.bundle, trained.backbone, None if trained.interrupted else made_of
        )
        if trained.interrupted:
            warn("stopped by Ctrl-C; the best epoch so far is kept.")
    work.begin_bundle()
    return load_bundle(work.bundle, device)


def train_many(
    data: "TrainingData",
    plan: "tuple[Trial, ...]",
    work: "Unfinished",
    device: "torch.device",
    progress: "ConsoleProgress",
    *,
    force: bool,
) -> "Trials":
    """Every trial of the plan, and the best as the network of the bundle in `work`; the tables are shown."""
    from nrl_dedup.cli.console import show_epoch
    from nrl_dedup.cli.show_trials import show_trials
    from nrl_dedup.training.search.trials import run_trials

    try:
        trials = run_trials(
            data, plan, work, force=force, device=device, on_epoch=show_epoch, progress=progress
        )
    except (KeyboardInterrupt, Terminated) as stop:
        by = stop.args[0] if isinstance(stop, Terminated) else "Ctrl-C"
        progress.warn(
            f"stopped by {by}. The finished trials are kept, see {work.bundle / 'trials.csv'}; the same command goes "
            "on with the next."
        )
        sys.exit(128 + stop.number if isinstance(stop, Terminated) else INTERRUPTED)
    show_trials(trials)
    return trials


class _Heard:
    """Passes on what a stage says, and remembers its warnings."""

    def __init__(self, progress: "Progress") -> None:
        self.task, self.say, self._progress = progress.task, progress.say, progress
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self._progress.warn(message)


def fit_pairs_of(
    catalogue: "Catalogue", folder: Path, photo_folder: Path | None, run: "Run"
) -> None:
    """Put the pair model beside the network in `folder`, and what is held out for `link --precision`."""
    from nrl_dedup.bundle.load import load_bundle
    from nrl_dedup.bundle.save import add_pair_model
    from nrl_dedup.cli.console import show_held_out
    from nrl_dedup.training.pair_model.fit import fit_pairs

    heard = _Heard(run.progress)
    bundle = load_bundle(folder, run.device)
    fitted = fit_pairs([catalogue], bundle, photo_folder, replace(run, progress=heard))
    add_pair_model(folder, fitted.model, fitted.held_out, " ".join(heard.warnings))
    if len(fitted.held_out):
        show_held_out(fitted.held_out)
