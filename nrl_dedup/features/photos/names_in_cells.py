"""A cell of several photos that is one name: `Sofa, grey.jpg` is cut at its comma, unless a file is called so."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from nrl_dedup.features.photos.folder_source import ENDINGS
from nrl_dedup.features.photos.source import PhotoSource

SEPARATORS = re.compile(r"\s*[,;|]\s*")  # those at which a catalogue cuts a cell
FOLDER = r"^(.*[/\\])?"  # of a reference, with the slash at its end
ENDING = rf"(?i)(?:{'|'.join(re.escape(ending) for ending in ENDINGS)})$"


@dataclass(frozen=True)
class CutName:
    """A name with a separator in it: what a catalogue makes of it, and the name itself."""

    pieces: tuple[str, ...]  # the first with its folder
    path: str
    is_folder: bool

    def starts(self, parts: Sequence[str]) -> str | None:
        """The whole reference, if the parts begin with the pieces of this name."""
        *before, piece = self.pieces
        if len(parts) < len(self.pieces):
            return None
        if list(parts[: len(before)]) != before:
            return None
        last = parts[len(before)]
        if self.is_folder:
            if not last.startswith((f"{piece}/", f"{piece}\\")):
                return None
            return self.path + last[len(piece) :]
        without_ending = re.sub(ENDING, "", piece)
        return self.path if last in (piece, without_ending) else None


def whole_names(photos: pl.Series, source: PhotoSource) -> pl.Series:
    """The photo references of each ad; where several in a row are the parts of one name in the folder, that name.

    A cut leaves a part without an ending ahead of another, so only ads with such a part are looked at, and of the
    disk only the folders of these parts, each once.

    :param photos: a list of references for each ad, cut at separators; null counts as none.
    """
    every = pl.DataFrame({"photo": photos}).with_row_index("row")
    parts = every.filter(pl.col("photo").list.len() > 1).explode("photo")
    is_last_of_ad = pl.col("row") != pl.col("row").shift(-1)
    parts = parts.filter(~is_last_of_ad)
    parts = parts.filter(~pl.col("photo").str.contains(ENDING))
    starts = parts["photo"].str.extract(FOLDER).fill_null("")
    names = _cut_names(starts.unique().sort(), source)
    if not names:
        return photos
    starting = parts.filter(pl.col("photo").is_in(list(names)))
    rows = starting["row"].unique()
    joined = {row: _joined(photos[row].to_list(), names) for row in rows}
    changed_rows = pl.Series("row", list(joined), dtype=rows.dtype)
    whole = pl.Series("whole", list(joined.values()), dtype=photos.dtype)
    changed = pl.DataFrame([changed_rows, whole])
    every = every.join(changed, on="row", how="left", maintain_order="left")
    return every.select(pl.coalesce("whole", "photo").alias(photos.name)).to_series()


def _cut_names(starts: pl.Series, source: PhotoSource) -> dict[str, list[CutName]]:
    """The names that a separator cuts, by their first pieces, in the folders that references start with."""
    names: dict[str, list[CutName]] = {}
    for start in starts:
        for name in _in_folder(start, source):
            names.setdefault(name.pieces[0], []).append(name)
    for same_start in names.values():
        same_start.sort(key=lambda name: (-len(name.pieces), name.path))  # the longest first
    return names


def _in_folder(start: str, source: PhotoSource) -> Iterator[CutName]:
    paths = source.paths_of(f"{start}x")
    for where in dict.fromkeys(map(posixpath.dirname, paths)):
        names = source.names(where)
        for name in names:
            pieces = [piece for piece in SEPARATORS.split(name.strip()) if piece]
            if len(pieces) > 1:
                pieces[0] = start + pieces[0]
                is_folder = name in names.folders
                yield CutName(tuple(pieces), start + name, is_folder)


def _joined(parts: list[str], names: dict[str, list[CutName]]) -> list[str]:
    whole = []
    while parts:
        reference = parts[0]
        length = 1
        for name in names.get(parts[0], ()):
            found = name.starts(parts)
            if found is not None:
                reference = found
                length = len(name.pieces)
                break
        whole.append(reference)
        parts = parts[length:]
    return list(dict.fromkeys(whole))
