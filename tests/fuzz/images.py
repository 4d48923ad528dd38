"""Mutated photos against decoding, views and sketches: `python -m tests.fuzz.images`."""

import os
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported: its threads do not outlive a fork

import numpy as np

from nrl_dedup.features.photos.crops import centre_view, training_view
from nrl_dedup.features.photos.decoding import decode, quiet_pillow
from nrl_dedup.features.photos.descriptors import describe_image
from nrl_dedup.features.photos.unreadable import UnreadablePhoto
from tests.fuzz.image_mutants import PHOTO, make_image
from tests.fuzz.judging import Fuzzer, WrongResultError, command_line


def judge_image(folder: Path) -> str:
    """Decode the photo and make of it what is kept of a photo: two views and a sketch."""
    with quiet_pillow():
        image = decode((folder / PHOTO).read_bytes())
        for view in (centre_view(image), training_view(image, 7)):
            if not bool(view.isfinite().all()):
                raise WrongResultError("a view is not finite")
        made = describe_image(image)
    if image.mode != "RGB" or not np.isfinite(np.asarray(made["layout"], np.float64)).all():
        raise WrongResultError(f"a picture of mode {image.mode}")
    return f"{image.width} x {image.height}"


IMAGES = Fuzzer("images", make_image, judge_image, (UnreadablePhoto,))

if __name__ == "__main__":
    command_line(IMAGES, 12_000)
