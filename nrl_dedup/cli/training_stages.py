"""The stages of `nrl-dedup train`: one network or many, and the pair model over the one that is kept."""

import sys
from typing import TYPE_CHECKING

from nrl_dedup.cli.signals import INTERRUPTED, Terminated
from nrl_dedup.errors import NrlDedupError

if TYPE_CHECKING:
    from nrl_dedup.bundle.load import Bundle
    from nrl_dedup.config import Settings
    from nrl_dedup.runtime.run import Run
    from nrl_dedup.training.data import TrainingData
    from nrl_dedup.training.search.grid import Trial
    from nrl_dedup.training.search.trials import Trials
    from nrl_dedup.training.unfinished import Unfinished


def train_one(
    data: "TrainingData", settings: "Settings", work: "Unfinished", run: "Run", *, force: bool
) -> "Bundle":
    """The network that a run which was stopped has left in `work`, or else a new one."""
    from nrl_dedup.cli.show_training import show_epoch
    from nrl_dedup.runtime.hidden_parts import remove
    from nrl_dedup.training.train_bundle import train_network

    if work.holds_search():
        if not force:
            raise NrlDedupError(
                f"-o {work.output}: a search for settings that is not finished lies in {work.bundle}. Go on with it by "
                "its own command, name another folder, or add --force to throw it away."
            )
        remove(work.bundle)
    return train_network(data, settings, work, run, show_epoch)


def train_many(
    data: "TrainingData", plan: "tuple[Trial, ...]", work: "Unfinished", run: "Run", *, force: bool
) -> "Trials":
    """Every trial of the plan, and the best as the network of the bundle in `work`; the tables are shown."""
    from nrl_dedup.cli.show_training import show_epoch
    from nrl_dedup.cli.show_trials import show_trials
    from nrl_dedup.training.search.trials import run_trials

    try:
        trials = run_trials(data, plan, work, run, force=force, on_epoch=show_epoch)
    except (KeyboardInterrupt, Terminated) as stop:
        by = stop.args[0] if isinstance(stop, Terminated) else "Ctrl-C"
        run.progress.warn(
            f"stopped by {by}. The finished trials are kept, see {work.bundle / 'trials.csv'}; the same command goes "
            "on with the next."
        )
        sys.exit(128 + stop.number if isinstance(stop, Terminated) else INTERRUPTED)
    show_trials(trials)
    return trials
