"""What a person sees: progress on standard error, results on standard output."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from nrl_dedup.cli.failure import doing
from nrl_dedup.cli.plain_console import messages, results
from nrl_dedup.cli.visible import visible
from nrl_dedup.runtime.progress import Task

if TYPE_CHECKING:
    import polars as pl

    from nrl_dedup.bundle.load import Bundle
    from nrl_dedup.catalogue.files.table_rows import BadRow
    from nrl_dedup.catalogue.labelled_pairs import LabelledPairs
    from nrl_dedup.catalogue.read import Catalogue

LISTED = 10


class _Bar:
    def __init__(self, bars: Progress, number: int) -> None:
        self._bars, self._number = bars, number

    def advance(self, steps: int = 1) -> None:
        self._bars.advance(self._number, steps)  # type: ignore[arg-type]


class ConsoleProgress:
    """Draws `progress.Progress` with bars and the time left; a bar goes when its task is done."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Task]:
        description = TextColumn("{task.description}", markup=False)
        columns = (
            SpinnerColumn(),
            description,
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with (
            doing(what),
            Progress(
                *columns, console=messages, transient=True, disable=not messages.is_terminal
            ) as bars,
        ):
            yield _Bar(bars, bars.add_task(visible(what), total=total))

    def say(self, message: str) -> None:
        say(message)

    def warn(self, message: str) -> None:
        warn(message)


def show_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output: the first column to the left, figures to the right."""
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else figure(cell) for cell in row))
    results.print(table)


def figure(value: object) -> str:
    """A number as people read it; `-` for what is not defined."""
    if value is None:
        return "-"
    return (
        f"{value:.3f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def size(count: int) -> str:
    """Bytes in the unit that suits them."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def show_bad_rows(path: Path, count: int, rows: Iterable["BadRow"]) -> None:
    """The rows of a file that were skipped."""
    if count:
        warn(f"{path}: {count:,} rows were skipped:")
        for row in rows:
            say(f"  line {row.line}: {row.reason}")


def show_dropped_pairs(path: Path, pairs: "LabelledPairs") -> None:
    """The labelled pairs that cannot be used."""
    if pairs.dropped_unknown:
        ids = ", ".join(pairs.unknown_ids)
        warn(
            f"{path}: {pairs.dropped_unknown:,} pairs name an ad that the catalogue lacks ({ids} ...); left out."
        )
    if pairs.dropped_self:
        warn(f"{path}: {pairs.dropped_self:,} pairs of an ad with itself; left out.")
    if pairs.dropped_one_source:
        warn(
            f"{path}: {pairs.dropped_one_source:,} pairs are of two ads of one source, which nothing links; left out."
        )
    if pairs.dropped_repeated:
        warn(
            f"{path}: {pairs.dropped_repeated:,} rows repeat the pair of another row; each pair is taken once."
        )
    if pairs.dropped_contradicting:
        warn(
            f"{path}: {pairs.dropped_contradicting:,} rows are of pairs that are labelled both ways; left out:"
        )
        for left, right in pairs.contradicting:
            say(f"  {left} and {right}")


def show_photos_not_seen(who: str, ads: "Catalogue") -> None:
    """Where there is no photo folder: how many of the ads have photos all the same."""
    count = int((ads.frame["photos"].list.len() > 0).sum())
    if count:
        warn(
            f"{count:,} ads have photos, but there is no photo folder beside {ads.path}, so {who} sees none of them. "
            "Name the folder with --images."
        )


def show_photo_use(
    bundle: "Bundle", ads: "Catalogue", folder: Path | None, images: Path | None
) -> None:
    """Where a model does not see the photos that it could, or not those that the user named (`images`)."""
    if bundle.backbone_fingerprint is None:
        if images is not None:
            warn(
                f"--images {images}: {bundle.folder} was trained without photos, and looks at none."
            )
    elif folder is None and bundle.model.fusion.reads_photos:
        show_photos_not_seen(str(bundle.folder), ads)


def show_missing_pair_model(bundle: "Bundle", scorer: str | None) -> None:
    """Where a bundle has no pair model and the network's score alone was not asked for: why, and what that means."""
    if bundle.pair_model is None and scorer is None:
        why = (bundle.no_pair_model or "").rstrip(".")
        warn(
            f"{bundle.folder} has no pair model ({why}), so pairs are scored by the network alone (--scorer siamese), "
            "which is wrong far more often."
        )


def show_unreadable(
    unreadable: "pl.DataFrame", folder: Path | None = None, wanted: int | None = None
) -> None:
    """The photos that could not be read: the count, the first ten of those that are there, and of those that are not
    how many there are for each reason, with one whole path that was tried.

    :param folder: the photo folder.
    :param wanted: how many photos the ads have, where that is known.
    """
    from nrl_dedup.features.photos.photo_folder import ABSENCES

    if unreadable.is_empty():
        return
    none_of = "none of " if len(unreadable) == wanted else ""
    warn(f"{none_of}{len(unreadable):,} photos could {'' if none_of else 'not '}be read:")
    absent = unreadable["reason"].is_in(list(ABSENCES.values()))
    for (reason,), photos in unreadable.filter(absent).group_by("reason", maintain_order=True):
        example = photos["photo"][0]
        tried = (
            ""
            if folder is None
            else f" (looked for as {os.path.normpath(folder.absolute() / example)})"
        )
        more = f"; {len(photos) - 1:,} more like it" if len(photos) > 1 else ""
        say(f"  {example}: {reason}{tried}{more}")
    for photo, reason in unreadable.filter(~absent).head(LISTED).iter_rows():
        say(f"  {photo}: {reason}")


def say(message: str) -> None:
    """A line on standard error."""
    messages.print(visible(message))


def warn(message: str) -> None:
    """A line in yellow on standard error."""
    messages.print(visible(f"Warning: {message}"), style="yellow")
