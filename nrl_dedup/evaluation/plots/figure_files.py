"""A figure on disk: PNG for the screen, SVG for print."""

import warnings
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.evaluation.plots.style import house_style
from nrl_dedup.runtime.atomic_files import write_together
from nrl_dedup.runtime.output_checks import check_folder_writable

DPI = 150


def make_folder(folder: Path) -> None:
    """Make `folder`, with those above it, and find out before the work that pictures can be written there.

    :raises NrlDedupError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NrlDedupError(
            f"--plots {folder}: the folder cannot be made ({error.strerror}). Name another one."
        ) from error
    check_folder_writable(folder, f"--plots {folder}")


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `folder`/`name`.png (150 dots an inch) and .svg, each whole or not at all; the same figure gives the same
    bytes.

    :return: the two paths, PNG first.
    :raises NrlDedupError: the folder cannot be made or written.
    """
    make_folder(folder)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with house_style(), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; a warning would say no more.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        write_together(
            {
                png: partial(figure.savefig, format="png", dpi=DPI),
                svg: partial(figure.savefig, format="svg", dpi=DPI, metadata={"Date": None}),
            }
        )
    return png, svg
