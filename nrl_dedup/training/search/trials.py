"""Many trainings on data that is prepared once, one after another; a run that was killed goes on where it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from nrl_dedup.bundle.load import Bundle, load_bundle
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.metrics import average_precision
from nrl_dedup.runtime.run import Run
from nrl_dedup.scoring.siamese import pair_logits
from nrl_dedup.training.data import TrainingData
from nrl_dedup.training.search.grid import KEYS, Trial, value_of
from nrl_dedup.training.search.trial_folder import TrialFolder, begin_search
from nrl_dedup.training.search.trial_tables import FIGURES, Figures, best_trial, trials_table
from nrl_dedup.training.train import OnEpoch, train_one
from nrl_dedup.training.unfinished import Unfinished

_NO_FIGURES: Figures = dict.fromkeys(FIGURES)


@dataclass(frozen=True)
class Trials:
    """All trials of a plan (`trial_tables.trials_table`), `seeds` of each setting, and the one whose bundle is kept.

    `was_finished`: all this stood at its place already, with its pair model.
    """

    table: pl.DataFrame
    seeds: int
    kept: int
    bundle: Bundle
    was_finished: bool


def run_trials(
    data: TrainingData,
    plan: Sequence[Trial],
    work: Unfinished,
    run: Run,
    *,
    force: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Trials:
    """Train every trial of `plan` that is not done yet, and make the best by validation AP the bundle of `work`.

    The validation AP is that of the network's own score: pair models are not fitted but to the one that is kept.

    A trial is in the table once its bundle is on disk; each trial depends on its own settings alone, so a plan that
    was stopped ends with the table of one that was not. A trial whose loss diverged is in the table without figures.

    :param plan: at least one trial; settings that `train_one` accepts for `data`.
    :param force: throw away what is there, be it a bundle or the trials of another plan. Finished trials of this plan
        are kept.
    :raises NrlDedupError: something else is there, or it cannot be written or is damaged; or every trial diverged.
    :raises KeyboardInterrupt: Ctrl-C; the finished trials are kept, the one that was cut short is not.
    """
    kept_in = begin_search(work, data, plan, force=force)
    figures = kept_in.figures(len(plan))
    if figures:
        run.progress.say(
            f"{work.output}: {len(figures)} of {len(plan)} trials are finished already."
        )
    seeds = len(plan) // plan[-1].setting
    for number, trial in enumerate(plan[len(figures) :], len(figures) + 1):
        run.progress.say(f"Trial {number} of {len(plan)}{_what_varies(plan, trial)}")
        figures.append(_run(data, trial, kept_in, number, on_epoch, run))
        kept_in.write_tables(trials_table(plan, figures), seeds)
    table = trials_table(plan, figures)
    best = best_trial(table)
    bundle = replace(load_bundle(kept_in.trial(best), run.device), data=data.source)
    was_finished = kept_in.path == work.place
    if not was_finished:
        kept_in.write_tables(table, seeds)
        kept_in.keep(bundle, data.backbone)
    return Trials(table, seeds, best, bundle, was_finished)


def _what_varies(plan: Sequence[Trial], trial: Trial) -> str:
    varied = [key for key in KEYS if len({value_of(one.settings, key) for one in plan}) > 1]
    return "".join(
        f"{', ' if place else ': '}{key} {value_of(trial.settings, key)}"
        for place, key in enumerate(varied)
    )


def _run(
    data: TrainingData,
    trial: Trial,
    kept_in: TrialFolder,
    number: int,
    on_epoch: OnEpoch | None,
    run: Run,
) -> Figures:
    try:
        trained = train_one(data, trial.settings, run, on_epoch=on_epoch)
    except (
        NrlDedupError
    ) as error:  # the loss diverged: that is a result too, and no reason to end the others
        run.progress.warn(str(error))
        return {**_NO_FIGURES, "note": str(error)}
    if trained.interrupted:
        raise KeyboardInterrupt  # its best epoch so far is there, but half a training is no row of the table
    bundle, test = trained.bundle, data.split.side("test")
    logits = pair_logits(bundle.model, data.features, test, run.device)
    epoch = bundle.history[bundle.best_epoch - 1]
    kept_in.save_trial(number, bundle)
    return {
        **_NO_FIGURES,
        "epoch": epoch.number,
        "train_loss": epoch.train_loss,
        "train_ap": epoch.train_ap,
        "valid_loss": epoch.valid_loss,
        "valid_ap": epoch.valid_ap,
        "test_ap": average_precision(
            test["is_duplicate"].to_numpy(), logits, test["weight"].to_numpy()
        ),
    }
