"""What the environment says that libraries stumble over, put right before they are imported."""

import os
import re
from pathlib import Path

from nrl_dedup.errors import NrlDedupError

# A library that reads one of these and finds no number ends the process, or says so in lines of its own.
THREADS = (
    "POLARS_MAX_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
# OMP_NUM_THREADS: one for each level.
_NUMBERS = re.compile(r"\s*0*[1-9]\d{0,5}\s*(,\s*0*[1-9]\d{0,5}\s*)*", re.ASCII)


def leave_out_bad_thread_counts() -> list[str]:
    """Take those of `THREADS` that are no number of threads out of the environment.

    :return: a line about each.
    """
    said = []
    for name in THREADS:
        value = os.environ.get(name)
        if value is not None and not _NUMBERS.fullmatch(value):
            del os.environ[name]
            said.append(f"{name}={value} is no number of threads, and is not heeded.")
    return said


def check_current_folder() -> None:
    """:raises NrlDedupError: the folder that the program was started in has been deleted."""
    try:
        Path.cwd()
    except OSError as error:
        raise NrlDedupError(
            f"The current folder cannot be found ({error.strerror}); it was deleted, or may not be read. Change to "
            "another: cd."
        ) from error
