"""What Python's csv module makes of a CSV file, and whether the catalogue or the pairs that were read say the same.

Judged are only files, and rows of them, on which there is nothing to argue about:

- cut by the one separator under which the header has the columns that are wanted; a header of which two columns could
  be the same thing is judged by the number of rows alone;
- a file that the strict csv reader refuses (text behind a closing quote, a quote never closed) up to that place;
- no row with a carriage return that stands alone: to the csv module it ends a row, in RFC 4180 it is text.

A row is good if it has as many fields as the header, an id, no byte that is not UTF-8 and none that is zero, and is not
the header again. A good row must be there, under its id, with the values that csv finds; each other one must be counted
as a bad row.
"""

import csv
import re
from dataclasses import dataclass
from io import StringIO

from tests.fuzz.judging import WrongResultError

_NAMES = {
    "id": ("id", "itemid", "sku"),
    "title": ("title", "name"),
    "description": ("description", "text"),
    "photos": ("image", "photos", "imagesarray"),
    "left": ("id1", "left", "l"),
    "right": ("id2", "right", "r"),
    "label": ("label", "isduplicate", "match"),
}
_LONE_CR = "\ue000"
_NOTHING = (
    "",
    "nan",
    "null",
    "none",
    "n/a",
    "#n/a",
    "<na>",
    "nat",
    "\\n",
    "-",
    "--",
    "–",
    "—",
)  # may be taken for empty
_UNDECODED = re.compile("[\udc80-\udcff\0]")
_LONGEST = 1 << 30
_LABELS = {
    "1": True,
    "true": True,
    "yes": True,
    "1.0": True,
    "0": False,
    "false": False,
    "no": False,
    "0.0": False,
}


@dataclass(frozen=True)
class Rows:
    """`good`: the rows below the header; `bad`: how many others. `whole`: whether these are all rows of the file."""

    header: list[str]
    good: list[list[str]]
    bad: int
    whole: bool

    def place(self, role: str) -> int | None:
        """The column of a role; None where there is none, or more than one."""
        places = [place for place, name in enumerate(self.header) if _plain(name) in _NAMES[role]]
        return places[0] if len(places) == 1 else None


def csv_rows(data: bytes, roles: tuple[str, ...]) -> Rows | None:
    """What the csv module finds; None where it is not clear what the file is.

    :param roles: the columns that must be there.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    text = re.sub("\r(?!\n)", _LONE_CR, text)
    named = re.match('^"?sep=(.)"?\r?\n', text)
    texts = (
        [(text[named.end() :], named[1])] if named else [(text, separator) for separator in ",;\t|"]
    )
    found = [
        rows for part, separator in texts if (rows := _cut(part, separator, roles)) is not None
    ]
    return found[0] if len(found) == 1 else None


def _cut(text: str, separator: str, roles: tuple[str, ...]) -> Rows | None:
    before = csv.field_size_limit(_LONGEST)
    rows, whole = [], _LONE_CR not in text
    try:
        for row in csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True):
            rows.append(row)
    except csv.Error:
        whole = False
    finally:
        csv.field_size_limit(before)  # what is judged must do without
    rows = [row for row in rows if row]
    if not rows or any(not any(_plain(name) in _NAMES[role] for name in rows[0]) for role in roles):
        return None
    header = rows[0]
    if _LONE_CR in "".join(header) or _UNDECODED.search("".join(header)):
        return None
    judged = [row for row in rows[1:] if _LONE_CR not in "".join(row)]
    ids = [place for place, name in enumerate(header) if _plain(name) in _NAMES[roles[0]]]
    good = [row for row in judged if _is_good(row, header, ids)]
    return Rows(header, good, len(judged) - len(good), whole)


def _is_good(row: list[str], header: list[str], ids: list[int]) -> bool:
    whole = len(row) == len(header) and row != header and not _UNDECODED.search("".join(row))
    return whole and all(row[place] != "" for place in ids)


def compare_catalogue(rows: Rows, texts: dict[str, tuple[str, str]], bad_count: int) -> str:
    """:param texts: the title and the description of each id that was read.
    :raises WrongResultError: a row is lost, moved or made up."""
    at = rows.place("id")
    if at is None or any(row[at].strip().lower() in _NOTHING for row in rows.good):
        return "not judged"
    _compare_count(rows, len(texts), bad_count)
    for role, side in (("title", 0), ("description", 1)):
        place = rows.place(role)
        for row in rows.good:
            if row[at] not in texts:
                raise WrongResultError(
                    f"lost: the ad {row[at][:50]!r} is not there, {bad_count} bad rows"
                )
            found = texts[row[at]][side]
            if place is not None and not _same(found, row[place]):
                raise WrongResultError(
                    f"shifted: the {role} of {row[at][:50]!r} is {found[:80]!r}, csv: {row[place][:80]!r}"
                )
    return "whole" if rows.whole else "in part"


def compare_pairs(
    rows: Rows, read: set[tuple[str, str, bool]], left_out: int, bad_count: int, ids: frozenset[str]
) -> str:
    """:param read: the pairs that were read. `left_out`: rows that were counted for another reason than being bad.
    :raises WrongResultError: a row is lost, moved or made up."""
    places = [rows.place(role) for role in ("left", "right", "label")]
    if None in places:
        return "not judged"
    cells = [[row[place] for place in places if place is not None] for row in rows.good]
    if any(
        not cell[1] or cell[2].strip().lower() not in _LABELS or cell[0].strip() != cell[0]
        for cell in cells
    ):
        return "not judged"
    _compare_count(rows, len(read) + left_out, bad_count)
    labels: dict[tuple[str, str], set[bool]] = {}
    for left, right, label in cells:
        if left in ids and right in ids and left != right:
            pair = (min(left, right), max(left, right))
            labels.setdefault(pair, set()).add(_LABELS[label.strip().lower()])
    expected = {(*pair, said.pop()) for pair, said in labels.items() if len(said) == 1}
    if rows.whole and expected != read:
        raise WrongResultError(
            f"pairs: csv has {sorted(expected - read)[:3]} more, and {sorted(read - expected)[:3]} less"
        )
    return "whole" if rows.whole else "in part"


def _compare_count(rows: Rows, read: int, bad_count: int) -> None:
    if rows.whole and (read, bad_count) != (len(rows.good), rows.bad):
        raise WrongResultError(
            f"count: csv has {len(rows.good)} good rows and {rows.bad} bad; read {read}, bad {bad_count}"
        )
    if not rows.whole and read + bad_count < len(rows.good) + rows.bad:
        raise WrongResultError(
            f"count: csv has {len(rows.good) + rows.bad} rows before it stops; read {read}, bad {bad_count}"
        )


def _same(found: str, wanted: str) -> bool:
    return found == wanted or (found == "" and wanted.strip().lower() in _NOTHING)


def _plain(name: str) -> str:
    return re.sub("[_ -]", "", name.lower())
