"""Photo features as a product of the photo pass: views through the network in batches, shard by shard."""

import hashlib
import shutil
import time

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from PIL import Image
from torch import Tensor

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.features.photos.backbones import Backbone
from nrl_dedup.features.photos.crops import centre_view, training_view
from nrl_dedup.features.photos.feature_kinds import Kind
from nrl_dedup.features.photos.shards import ShardStore
from nrl_dedup.runtime.progress import Progress

LONG_WORK_HOURS = 1.0  # shorter work is not worth a warning. Not tuned.
# For fewer images no forecast is made: it costs some seconds itself. Not tuned.
MIN_MEASURED_IMAGES = 2000
MEASURED_IMAGES = 8  # of zeros, that the forecast times: a fraction of a batch. Not tuned.


class NetworkProduct:
    """The features of photos by one network, in one kind: of the centre view, or of several augmented views.

    `planned_views`: 0 for the centre view, or how many augmented views of each photo, drawn from `seed`.
    """

    label = "photos"

    def __init__(
        self,
        store: ShardStore,
        backbone: Backbone,
        kind: Kind,
        planned_views: int,
        seed: int,
        batch_size: int,
    ) -> None:
        self.store = store
        self.backbone = backbone
        self.kind = kind
        self.views = max(1, planned_views)
        self._planned_views = planned_views
        self._seed = seed
        self._batch_size = batch_size
        self._waiting: list[Tensor] = []  # views that no batch has taken yet
        self._batches: list[Shaped[np.ndarray, "batch ..."]] = []

    def check_before(self, photos: int, progress: Progress) -> None:
        """Warns of long work. :raises NrlDedupError: the disk has no room for the features of so many photos."""
        needed = photos * self.store.row_bytes
        free = shutil.disk_usage(self.store.folder).free
        if needed > free:
            raise NrlDedupError(
                f"{self.store.folder}: the features of {photos:,} photos need {needed / 1e9:,.1f} GB, and "
                f"{free / 1e9:,.1f} GB are free. Make room, or name another folder with --work-dir."
            )
        self._forecast(photos, progress)

    def prepare(self, photo: str, image: Image.Image) -> list[Float32[Tensor, "3 224 224"]]:
        """The views of a photo; the augmented ones depend on the seed, the reference and the number of the view."""
        if self._planned_views == 0:
            return [centre_view(image)]
        seeds = [_view_seed(self._seed, view, photo) for view in range(self._planned_views)]
        return [training_view(image, seed) for seed in seeds]

    def add(self, prepared: list[Float32[Tensor, "3 224 224"]]) -> None:
        """The views of the next photo of the shard; full batches go through the network at once."""
        self._waiting.extend(prepared)
        while len(self._waiting) >= self._batch_size:
            self._batches.append(self._through_network(self._waiting[: self._batch_size]))
            del self._waiting[: self._batch_size]

    def take_rows(self) -> Shaped[np.ndarray, "readable views ..."]:
        """The features of the photos added since the last call."""
        if self._waiting:
            self._batches.append(self._through_network(self._waiting))
        shape = self.store.shape
        none = np.empty((0, *shape[1:]), self.store.dtype)
        features = np.concatenate([none, *self._batches])
        self.discard()
        return features.reshape(-1, *shape)

    def discard(self) -> None:
        """Forget the photos added since the last `take_rows`: a pass that failed has left them."""
        self._waiting = []
        self._batches = []

    def _through_network(self, images: list[Tensor]) -> Shaped[np.ndarray, "batch ..."]:
        features = self.kind.features(self.backbone, torch.stack(images))
        if not torch.isfinite(features).all():
            raise NrlDedupError(
                f"{self.backbone.row.name}: its weights give features that are not finite numbers. Name other weights "
                "with --backbone-weights FILE."
            )
        return self.kind.encode(features.float().cpu().numpy())

    def _forecast(self, photos: int, progress: Progress) -> None:
        """Warns of the hours ahead, if it is one or more, by the time that the network takes on this device."""
        images = photos * self.views
        if images < MIN_MEASURED_IMAGES:
            return
        sample = [torch.zeros(3, 224, 224)] * MEASURED_IMAGES
        self._through_network(sample)  # the first time is slower
        start = time.perf_counter()
        self._through_network(sample)
        hours = (time.perf_counter() - start) / MEASURED_IMAGES * images / 3600
        if hours >= LONG_WORK_HOURS:
            progress.warn(
                f"{images:,} views of {photos:,} photos through {self.backbone.row.name} on "
                f"{self.backbone.device.type}: about {hours:,.1f} hours. What is finished is kept if you stop it."
            )


def _view_seed(seed: int, view: int, ref: str) -> int:
    digest = hashlib.blake2b(f"{seed} {view} {ref}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
