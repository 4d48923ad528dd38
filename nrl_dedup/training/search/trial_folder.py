"""The folder of a search for settings. In the end it is a bundle; until then it lies in that of its training
(`unfinished`). It also holds:

trials.json       what is tried on what: the settings of every trial, and digests of the data
trials.csv        a row for each finished trial (`trial_tables.trials_table`), the first ones of the plan
training.csv      the thesis's Tables 4.1 and 4.3 (`trial_tables.thesis_table`)
validation.csv    and 4.2 and 4.4
trials/NNN/       the bundle of each trial, without the photo network
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.bundle.load import EVIDENCE, Bundle
from nrl_dedup.bundle.save import check_bundle_target, is_whole, save_bundle, write_network
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.runtime.atomic_files import (
    folder_written_beside,
    give_usual_mode,
    reason,
    write_csv,
    write_together,
)
from nrl_dedup.runtime.hidden_parts import remove, remove_if_dead
from nrl_dedup.runtime.output_checks import check_folder_writable
from nrl_dedup.training.data import TrainingData
from nrl_dedup.training.search.grid import Trial
from nrl_dedup.training.search.trial_tables import FIGURES, Figures, thesis_table
from nrl_dedup.training.unfinished import SEARCH_PLAN, Unfinished

VERSION = 2


@dataclass(frozen=True)
class TrialFolder:
    """What is on disk of a plan of trials: now at `path`, in the end at `place`."""

    path: Path
    place: Path

    @property
    def plan(self) -> Path:
        """The plan, as it was begun with."""
        return self.path / SEARCH_PLAN

    @property
    def table(self) -> Path:
        """The finished trials."""
        return self.path / "trials.csv"

    def trial(self, number: int) -> Path:
        """The bundle of a trial."""
        return self.path / "trials" / f"{number:03d}"

    def save_trial(self, number: int, bundle: Bundle) -> None:
        """Put the bundle of a trial on disk, in place of one that a run that was killed has left."""
        folder = self.trial(number)
        save_bundle(
            bundle, None, folder, place=self.place / folder.relative_to(self.path), force=True
        )

    def write_tables(self, trials: pl.DataFrame, seeds: int) -> None:
        """trials.csv and, made from it, the thesis's two tables; all written beside, and then renamed."""
        tables = {
            self.path / "training.csv": thesis_table(trials, "train", seeds=seeds),
            self.path / "validation.csv": thesis_table(trials, "valid", seeds=seeds),
            self.table: trials,
        }
        write_together({path: partial(write_csv, table) for path, table in tables.items()})

    def keep(self, bundle: Bundle, backbone: Backbone | None) -> None:
        """Write the network of a bundle into the folder itself.

        :raises NrlDedupError: it cannot be written.
        """
        remove(self.path / EVIDENCE)  # of a run that was killed before the folder was whole
        try:
            write_network(bundle, backbone, self.path, self.place)
        except OSError as error:
            raise NrlDedupError(
                f"-o {self.place}: could not be written ({reason(error)})."
            ) from error

    def is_finished(self, planned: int) -> bool:
        """Whether all trials are done and the folder is a whole bundle."""
        return len(self.figures(planned)) == planned and is_whole(self.path)

    def figures(self, planned: int) -> list[Figures]:
        """The figures of the finished trials, in the order of the plan.

        :raises NrlDedupError: the folder is damaged.
        """
        # Of a run that was killed.
        for left_over in [
            *self.path.glob(".*.part"),
            *self.path.glob("trials/.*.part"),
        ]:
            remove_if_dead(left_over)
        if not self.table.exists():
            return []
        try:
            table = pl.read_csv(
                self.table,
                columns=["trial", *FIGURES],
                schema_overrides={"trial": pl.Int64, **FIGURES},
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise NrlDedupError(
                f"{self.table}: cannot be read ({error}). Put the file back as it was."
            ) from error
        numbers = table["trial"].to_list()
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) > planned:
            raise NrlDedupError(
                f"{self.table}: wanted the first of {planned} trials, from 1 on, a row each; found the trials "
                f"{numbers}. Put the file back as it was."
            )
        for row in table.iter_rows(named=True):
            folder = self.trial(row["trial"])
            if row["note"] is None and not (folder / "bundle.json").exists():
                raise NrlDedupError(
                    f"{folder}: the bundle of this trial is gone, but {self.table.name} has the trial as finished. Put "
                    f"it back, or remove {self.path} to begin anew."
                )
        return list(table.select(list(FIGURES)).iter_rows(named=True))


def check_search_target(output: Path, *, force: bool) -> None:
    """Find out before the hours of work that trials can be begun for `output`, or gone on with.

    :raises NrlDedupError: the folder exists, holds no trials, and `force` is not given or it is no bundle; or its
        parent cannot be written.
    """
    if (output / SEARCH_PLAN).exists():
        check_folder_writable(Path(os.path.realpath(output)).parent, f"-o {output}")
    else:
        check_bundle_target(output, force=force)


def begin_search(
    work: Unfinished, data: TrainingData, plan: Sequence[Trial], *, force: bool
) -> TrialFolder:
    """The folder of the plan's trials: the one at `work.place`, if it is finished; else one in `work`,
    where the trials that are done already are gone on with.

    :param force: throw away the trials of another plan in `work`; what is at the place is replaced in the end.
    :raises NrlDedupError: other trials are there, the folder is damaged, or it cannot be written.
    """
    check_search_target(work.output, force=force)
    wanted = _description(data, plan)
    begun, there = TrialFolder(work.bundle, work.place), TrialFolder(work.place, work.place)
    found = [begun] * work.holds_search() + [there] * there.plan.exists()
    differences = [_differences(kept.plan, wanted) for kept in found]
    if [] in differences:
        kept = found[differences.index([])]
        if kept is begun or kept.is_finished(len(plan)):
            return kept
        return _taken_up_again(work, there, begun)
    if found and not force:
        raise NrlDedupError(
            f"-o {work.output}: {found[0].path} holds other trials: {'; '.join(differences[0])}. Go on with what they "
            "were begun with, name another folder, or add --force to throw them away."
        )
    remove(begun.path)
    with folder_written_beside(begun.path) as part:
        (part / "trials").mkdir()
        (part / SEARCH_PLAN).write_text(
            json.dumps(wanted, ensure_ascii=False, indent=1) + "\n", "utf-8"
        )
        give_usual_mode(part / SEARCH_PLAN)
    return begun


def _taken_up_again(work: Unfinished, there: TrialFolder, begun: TrialFolder) -> TrialFolder:
    """Trials at the place though they are not finished go back to where they are worked at."""
    try:
        remove(begun.path)
        there.path.rename(begun.path)
    except OSError as error:
        raise NrlDedupError(
            f"-o {work.output}: cannot be moved to {begun.path} ({reason(error)})."
        ) from error
    return begun


def _description(data: TrainingData, plan: Sequence[Trial]) -> dict[str, Any]:
    description = {
        "version": VERSION,
        "seed": data.settings.train.seed,
        "data": data.identity(),
        "trials": [asdict(trial.settings) for trial in plan],
    }
    # As it will be read back: tuples are lists.
    copy: dict[str, Any] = json.loads(json.dumps(description))
    return copy


def _differences(path: Path, now: dict[str, Any]) -> list[str]:
    """What differs between the plan on disk and `now`, in words; of the trials, the first that differs."""
    try:
        then = json.loads(path.read_text("utf-8"))
        if then["version"] != VERSION:
            return [f"{path.name} is of version {then['version']}, this program's is {VERSION}"]
        said = [
            f"other {name}" for name, digest in now["data"].items() if then["data"][name] != digest
        ]
        if then["seed"] != now["seed"]:
            said.append(f"--seed was {then['seed']}, is {now['seed']}")
        if len(then["trials"]) != len(now["trials"]):
            said.append(f"there were {len(then['trials'])} trials to do, are {len(now['trials'])}")
        for number, (old, new) in enumerate(zip(then["trials"], now["trials"], strict=False), 1):
            values = [
                (name, old[part][name], new[part][name]) for part in new for name in new[part]
            ]
            changed = [
                f"{name} was {before}, is {after}"
                for name, before, after in values
                if before != after
            ]
            if changed:
                return [*said, f"trial {number}: {', '.join(changed)}"]
        return said
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{path.name} is damaged ({error!r})"]
