"""Many trainings on data that is prepared once, one after another; a run that was killed goes on where it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from nrl_dedup.bundle import Bundle, load_bundle, save_bundle
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.grid import KEYS, Trial, value_of
from nrl_dedup.metrics import average_precision
from nrl_dedup.progress import SILENT, Progress
from nrl_dedup.scoring import pair_logits
from nrl_dedup.train import OnEpoch, train_one
from nrl_dedup.training_data import TrainingData
from nrl_dedup.trial_folder import TrialFolder
from nrl_dedup.trial_tables import FIGURES, Figures, best_trial, trials_table

_NO_FIGURES: Figures = dict.fromkeys(FIGURES)


@dataclass(frozen=True)
class Trials:
    """All trials of a plan (`trial_tables.trials_table`), `seeds` of each setting, and the one whose bundle is kept."""

    table: pl.DataFrame
    seeds: int
    kept: int
    bundle: Bundle


def run_trials(
    data: TrainingData,
    plan: Sequence[Trial],
    folder: Path,
    *,
    force: bool = False,
    device: torch.device,
    on_epoch: OnEpoch | None = None,
    progress: Progress = SILENT,
) -> Trials:
    """Train every trial of `plan` that `folder` does not hold yet, and keep the best by validation AP as its bundle.

    A trial is in the table once its bundle is on disk; each trial depends on its own settings alone, so a plan that
    was stopped ends with the table of one that was not. A trial whose loss diverged is in the table without figures.

    :param plan: at least one trial; settings that `train_one` accepts for `data`.
    :param force: throw away what `folder` holds before the first trial, be it a bundle or the trials of another plan.
        Finished trials of this plan are kept.
    :raises NrlDedupError: `folder` holds something else, cannot be written, or is damaged; or every trial diverged.
    :raises KeyboardInterrupt: Ctrl-C; the finished trials are kept, the one that was cut short is not.
    """
    kept_in = TrialFolder(folder)
    figures = kept_in.begin(data, plan, force=force)
    if figures:
        progress.say(f"{folder}: {len(figures)} of {len(plan)} trials are finished already.")
    seeds = len(plan) // plan[-1].setting
    for number, trial in enumerate(plan[len(figures) :], len(figures) + 1):
        progress.say(f"Trial {number} of {len(plan)}{_what_varies(plan, trial)}")
        figures.append(_run(data, trial, kept_in.trial(number), device, on_epoch, progress))
        kept_in.write_tables(trials_table(plan, figures), seeds)
    table = trials_table(plan, figures)
    kept_in.write_tables(table, seeds)
    best = best_trial(table)
    bundle = load_bundle(kept_in.trial(best), device)
    kept_in.keep(bundle, data.backbone)
    return Trials(table, seeds, best, bundle)


def _what_varies(plan: Sequence[Trial], trial: Trial) -> str:
    varied = [key for key in KEYS if len({value_of(one.settings, key) for one in plan}) > 1]
    return "".join(
        f"{', ' if place else ': '}{key} {value_of(trial.settings, key)}" for place, key in enumerate(varied)
    )


def _run(
    data: TrainingData,
    trial: Trial,
    folder: Path,
    device: torch.device,
    on_epoch: OnEpoch | None,
    progress: Progress,
) -> Figures:
    try:
        trained = train_one(data, trial.settings, device=device, on_epoch=on_epoch, progress=progress)
    except NrlDedupError as error:  # the loss diverged: that is a result too, and no reason to end the others
        progress.warn(str(error))
        return {**_NO_FIGURES, "note": str(error)}
    if trained.interrupted:
        raise KeyboardInterrupt  # its best epoch so far is there, but half a training is no row of the table
    bundle, test = trained.bundle, data.split.side("test")
    logits = pair_logits(bundle.model, data.features, test, device)
    epoch = bundle.history[bundle.best_epoch - 1]
    save_bundle(bundle, None, folder, force=True)
    return {
        **_NO_FIGURES,
        "epoch": epoch.number,
        "train_loss": epoch.train_loss,
        "train_ap": epoch.train_ap,
        "valid_loss": epoch.valid_loss,
        "valid_ap": epoch.valid_ap,
        "test_ap": average_precision(test["is_duplicate"].to_numpy(), logits, test["weight"].to_numpy()),
    }
