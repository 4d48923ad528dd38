"""The output folder of a search for settings. In the end it is a bundle; it also holds:

trials.json       what is tried on what: the settings of every trial, and digests of the data
trials.csv        a row for each finished trial (`trial_tables.trials_table`), the first ones of the plan
training.csv      the thesis's Tables 4.1 and 4.3 (`trial_tables.thesis_table`)
validation.csv    and 4.2 and 4.4
trials/NNN/       the bundle of each trial, without the photo network
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nrl_dedup.bundle import Bundle, check_bundle_target, save_bundle
from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.backbones import Backbone
from nrl_dedup.grid import Trial
from nrl_dedup.tables import check_folder_writable, folder_written_beside, give_usual_mode, written_beside
from nrl_dedup.training_data import TrainingData
from nrl_dedup.trial_tables import FIGURES, Figures, thesis_table

VERSION = 2


@dataclass(frozen=True)
class TrialFolder:
    """What is on disk of a plan of trials."""

    path: Path

    @property
    def plan(self) -> Path:
        """The plan, as it was begun with."""
        return self.path / "trials.json"

    @property
    def table(self) -> Path:
        """The finished trials."""
        return self.path / "trials.csv"

    def trial(self, number: int) -> Path:
        """The bundle of a trial."""
        return self.path / "trials" / f"{number:03d}"

    def check(self, *, force: bool) -> None:
        """Find out before the hours of work that trials can be begun here, or gone on with.

        :raises NrlDedupError: the folder exists, holds no trials, and `force` is not given or it is no bundle; or it
            cannot be written.
        """
        if self.plan.exists():
            check_folder_writable(self.path, f"-o {self.path}")
        else:
            check_bundle_target(self.path, force=force)

    def begin(self, data: TrainingData, plan: Sequence[Trial], *, force: bool) -> list[Figures]:
        """The figures of the plan's finished trials, in its order; none, and a new folder, if it holds none of them.

        :param force: throw away a bundle or other trials that are here.
        :raises NrlDedupError: the folder holds something else, is damaged, or cannot be written.
        """
        self.check(force=force)
        wanted = _description(data, plan)
        if self.plan.exists():
            differences = _differences(self.plan, wanted)
            if not differences:
                return self._figures(len(plan))
            if not force:
                raise NrlDedupError(
                    f"-o {self.path}: this folder holds other trials: {'; '.join(differences)}. Go on with what they "
                    "were begun with, name another folder, or add --force to throw them away."
                )
        self._make(wanted)
        return []

    def write_tables(self, trials: pl.DataFrame, seeds: int) -> None:
        """trials.csv and, made from it, the thesis's two tables; each written beside and renamed."""
        tables = {
            self.table: trials,
            self.path / "training.csv": thesis_table(trials, "train", seeds=seeds),
            self.path / "validation.csv": thesis_table(trials, "valid", seeds=seeds),
        }
        for path, table in tables.items():
            with written_beside(path) as part:
                table.write_csv(part)

    def keep(self, bundle: Bundle, backbone: Backbone | None) -> None:
        """Make a bundle of the folder itself. `bundle.json` comes last: without it, a folder is no bundle."""
        made = self.path / ".kept"
        shutil.rmtree(made, ignore_errors=True)
        save_bundle(bundle, backbone, made)
        for file in sorted(made.iterdir(), key=lambda file: file.name == "bundle.json"):
            file.replace(self.path / file.name)
        made.rmdir()

    def _make(self, wanted: dict[str, Any]) -> None:
        with folder_written_beside(self.path) as part:
            (part / "trials").mkdir()
            (part / self.plan.name).write_text(json.dumps(wanted, ensure_ascii=False, indent=1) + "\n", "utf-8")
            give_usual_mode(part / self.plan.name)

    def _figures(self, planned: int) -> list[Figures]:
        for left_over in [*self.path.glob(".*.part"), *self.path.glob("trials/.*.part")]:  # of a run that was killed
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        if not self.table.exists():
            return []
        try:
            table = pl.read_csv(
                self.table, columns=["trial", *FIGURES], schema_overrides={"trial": pl.Int64, **FIGURES}
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise NrlDedupError(f"{self.table}: cannot be read ({error}). Put the file back as it was.") from error
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


def _description(data: TrainingData, plan: Sequence[Trial]) -> dict[str, Any]:
    description = {
        "version": VERSION,
        "seed": data.settings.train.seed,
        "data": data.identity(),
        "trials": [asdict(trial.settings) for trial in plan],
    }
    copy: dict[str, Any] = json.loads(json.dumps(description))  # as it will be read back: tuples are lists
    return copy


def _differences(path: Path, now: dict[str, Any]) -> list[str]:
    """What differs between the plan on disk and `now`, in words; of the trials, the first that differs."""
    try:
        then = json.loads(path.read_text("utf-8"))
        if then["version"] != VERSION:
            return [f"{path.name} is of version {then['version']}, this program's is {VERSION}"]
        said = [f"other {name}" for name, digest in now["data"].items() if then["data"][name] != digest]
        if then["seed"] != now["seed"]:
            said.append(f"--seed was {then['seed']}, is {now['seed']}")
        if len(then["trials"]) != len(now["trials"]):
            said.append(f"there were {len(then['trials'])} trials to do, are {len(now['trials'])}")
        for number, (old, new) in enumerate(zip(then["trials"], now["trials"], strict=False), 1):
            values = [(name, old[part][name], new[part][name]) for part in new for name in new[part]]
            changed = [f"{name} was {before}, is {after}" for name, before, after in values if before != after]
            if changed:
                return [*said, f"trial {number}: {', '.join(changed)}"]
        return said
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{path.name} is damaged ({error!r})"]
