"""Early stopping: which epoch is kept, and when none better is to be expected."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

from nrl_dedup.bundle.load import Epoch
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.errors import NrlDedupError

OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True)
class StoppedTraining:
    """The network of the best epoch, and how every epoch did."""

    model: SiameseModel
    history: tuple[Epoch, ...]
    best_epoch: int
    interrupted: bool


class BestEpoch:
    """Keeps the weights of the epoch of the lowest validation loss; of equal ones the first.

    :param patience: epochs without a better one after which `exhausted` is true.
    """

    def __init__(self, model: SiameseModel, patience: int) -> None:
        self._model, self._patience = model, patience
        self._history: list[Epoch] = []
        self._best: Epoch | None = None
        self._state = copy.deepcopy(model.state_dict())

    def add(self, epoch: Epoch, advice: str) -> None:
        """
        :param advice: what to do where the loss is not a number any more.
        :raises NrlDedupError: it is not.
        """
        if not math.isfinite(epoch.train_loss + epoch.valid_loss):
            raise NrlDedupError(
                f"epoch {epoch.number}: the loss is not a number any more. {advice}"
            )
        self._history.append(epoch)
        if self._best is None or epoch.valid_loss < self._best.valid_loss:
            self._best, self._state = epoch, copy.deepcopy(self._model.state_dict())

    @property
    def exhausted(self) -> bool:
        """Whether the last epochs have brought nothing better."""
        return (
            self._best is not None
            and self._history[-1].number - self._best.number >= self._patience
        )

    def fitted(self, *, interrupted: bool) -> StoppedTraining:
        """The model with the weights of the best epoch, or of the start where there was none."""
        self._model.load_state_dict(self._state)
        best = self._best.number if self._best else 0
        return StoppedTraining(self._model.eval(), tuple(self._history), best, interrupted)
