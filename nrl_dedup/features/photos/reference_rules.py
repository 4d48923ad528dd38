"""What a photo reference may mean: the table of rules by which it becomes paths below the photo folder."""

import os
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

QUOTES = " \t\"'`“”„«»‘’"
# pandas writes whole numbers as 17.0 where the column has gaps.
FLOAT_NAME = re.compile(
    r"(?P<number>(?:^|.*/)\d+)\.0+(?P<ending>(?:\.[A-Za-z]{3,4})?)", re.ASCII | re.DOTALL
)
WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
AS_IN_URL = re.compile(r"%[0-9A-Fa-f]{2}|\.\w{3,4}[?#]")


@dataclass(frozen=True)
class ReferenceContext:
    """Where the photo folder lies, by all names that it has, and where the catalogue lies, if that is known."""

    folders: tuple[str, ...]  # absolute paths
    beside: str | None = None

    @classmethod
    def of(cls, folder: Path, beside: Path | None = None) -> "ReferenceContext":
        """The folder as it is named and with its links followed; of a zip also the name without `.zip`."""
        as_written = os.path.abspath(folder)  # noqa: PTH100 - keeps links
        links_followed = os.path.realpath(folder)
        named = [as_written, links_followed]
        bare = [path.removesuffix(".zip") for path in named]
        folders = [path.rstrip("/") for path in named + bare]
        distinct = tuple(dict.fromkeys(folders))
        if beside is None:
            return cls(distinct)
        return cls(distinct, os.path.realpath(beside))

    def inside(self, path: str) -> list[str]:
        """An absolute path as one from the folder; none, if it does not lie there."""
        return [path[len(folder) + 1 :] for folder in self.folders if path.startswith(f"{folder}/")]

    @cached_property
    def names(self) -> frozenset[str]:
        """Those of the folder and of all that it lies in."""
        return frozenset(name for folder in self.folders for name in folder.split("/"))


def without_quotes(ref: str, _: ReferenceContext) -> list[str]:
    """ "a.jpg" -> a.jpg"""
    return [ref.strip(QUOTES)]


def slashes(ref: str, _: ReferenceContext) -> list[str]:
    """sub\\a.jpg -> sub/a.jpg"""
    if "\\" not in ref:
        return []
    return [ref.strip(QUOTES).replace("\\", "/")]


def absolute_inside(ref: str, around: ReferenceContext) -> list[str]:
    """/data/images/a.jpg -> a.jpg, where the folder is /data/images."""
    if not ref.startswith("/"):
        return []
    return around.inside(posixpath.normpath(ref))


def without_own_name(ref: str, around: ReferenceContext) -> list[str]:
    """images/a.jpg, data/images/a.jpg or ../images/a.jpg -> a.jpg, where the folder is /data/images."""
    parts = [part for part in posixpath.normpath(ref).split("/") if part != ".."]
    if not parts or parts[0] not in around.names:
        return []
    rests = []
    for folder in around.folders:
        own = folder.split("/")
        for length in range(len(parts) - 1, 0, -1):
            if own[-length:] == parts[:length]:
                rests.append("/".join(parts[length:]))
    return rests


def beside_catalogue(ref: str, around: ReferenceContext) -> list[str]:
    """The reference is a path from where the catalogue lies, and ends inside the folder."""
    if around.beside is None or ref.startswith("/"):
        return []
    return around.inside(posixpath.normpath(f"{around.beside}/{ref}"))


def whole_number(ref: str, _: ReferenceContext) -> list[str]:
    """17.0 -> 17, and 17.0.jpg -> 17.jpg"""
    if ".0" not in ref:  # the usual case, and faster than the pattern
        return []
    match = FLOAT_NAME.fullmatch(ref)
    if match is None:
        return []
    return [match["number"] + match["ending"]]


Rule = Callable[[str, ReferenceContext], list[str]]

# Each step takes what the step before left or made, and adds what its rules make of that: an absolute path may have
# backslashes. What a rule does not apply to, it makes nothing of.
STEPS: tuple[tuple[Rule, ...], ...] = (
    (without_quotes, slashes),
    (absolute_inside, without_own_name, beside_catalogue),
    (whole_number,),
)


def meanings(ref: str, around: ReferenceContext) -> list[str]:
    """All that the reference may mean, normalised, the likeliest first, each once: as written, then by the rules.

    What has a scheme (`https://...`) is looked for as written alone: no rule makes a file of it.
    """
    if WITH_SCHEME.match(ref):
        return [posixpath.normpath(ref)]
    meant = [ref]
    for rules in STEPS:
        extended = []
        for one in meant:
            extended.append(one)
            for rule in rules:
                extended.extend(rule(one, around))
        meant = extended
    return list(dict.fromkeys(map(posixpath.normpath, meant)))


def is_url(ref: str) -> bool:
    """Whether it looks as in a web page: with a scheme, a query, or percent-encoded letters."""
    return WITH_SCHEME.match(ref) is not None or AS_IN_URL.search(ref) is not None
