"""What every stage of one run shares: where it computes, where it keeps things, from which seed, and who listens."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nrl_dedup.runtime.progress import SILENT, Progress, StageClock


@dataclass(frozen=True)
class Run:
    """One run of a command, or one call of the library.

    `work_dir`: the folder of photo features, which later runs find again. `seed`: of whatever a stage draws at random.
    `progress`: hears what the stages do. `clock`: hears what they cost. `opened`: what is slow to open and is used by
    several stages, such as the photo folder, by the key of whoever opens it.
    """

    work_dir: Path
    device: torch.device
    seed: int = 0
    progress: Progress = SILENT
    clock: StageClock = field(default_factory=StageClock)
    opened: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
