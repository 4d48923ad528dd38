"""A CSV file's columns as text.

The file is surveyed first (`csv_records.py`), because polars fills short rows with nulls and overlooks long ones where
it reads only some columns. A file in good order goes through polars; any other is read record by record, and what is
wrong in it is skipped, counted and listed by line. Either way gives the same rows.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import polars as pl

from nrl_dedup.catalogue.files.csv_records import Dialect, Records, Survey, survey
from nrl_dedup.catalogue.files.plain_text import PlainText, open_text
from nrl_dedup.catalogue.files.separators import SEPARATORS, dialect_of
from nrl_dedup.catalogue.files.table_rows import LINE, LISTED, BadRow, Table
from nrl_dedup.catalogue.files.text_encodings import UTF8, likely_encoding
from nrl_dedup.catalogue.files.wanted_columns import WantedColumn, find_columns, plain_name
from nrl_dedup.errors import NrlDedupError

_CHUNK_ROWS = 50_000  # read record by record before they become columns. Not tuned.
_CHUNK_CHARACTERS = 1 << 24  # whichever comes first, so that memory stays small. Not tuned.
_MAX_DAMAGED = 10  # rows that are not UTF-8: so many may be damage, in whatever share
_MAX_DAMAGED_SHARE = 0.01  # the same for larger files
_Positions = Mapping[str, int]


def read_csv(
    path: Path, groups: Sequence[Mapping[str, WantedColumn]], encoding: str | None
) -> Table:
    """The columns of `path` that `groups` describe. A row that repeats the header is a bad row.

    :raises NrlDedupError: what `open_text` and `find_columns` raise; a header that cannot be read; rows that are not
        UTF-8: more than half of all, or from ten and 1 % on where not one row shows that the file is UTF-8 otherwise.
    """
    with open_text(path, encoding) as text:
        dialect = dialect_of(text.file)
        header = _header(path, text, dialect)
        found = find_columns(path, header, groups, _in_words(dialect))
        positions = {}
        for key, places in found.items():
            for place in places:
                positions[f"{key}\n{place}"] = place
        layout = survey(text.file, dialect)
        frame = None
        if layout is not None and layout.width == len(header):
            frame = _read_strictly(text, dialect, header, positions, layout)
        if frame is None:
            table = _read_each_record(path, text, dialect, header, positions)
            return _choose(table, header, found)
    return _choose(Table(frame), header, found)


def _in_words(dialect: Dialect) -> str:
    return SEPARATORS.get(dialect.separator, repr(dialect.separator))


def _header(path: Path, text: PlainText, dialect: Dialect) -> list[str]:
    records = Records(text.file, dialect, text.encoding)
    _, header, reason = next(iter(records), (1, [], "no header"))
    if records.undecodable:
        raise NrlDedupError(_other_encoding(path, records, text, "the names of the columns"))
    if reason:
        raise NrlDedupError(
            f"{path}: the first row, the names of the columns, cannot be read ({reason})."
        )
    return header


def _read_strictly(
    text: PlainText, dialect: Dialect, header: Sequence[str], positions: _Positions, layout: Survey
) -> pl.DataFrame | None:
    """The columns as polars reads them; None where it cannot, finds other rows than the survey did, or finds one that
    may repeat the header."""
    line = pl.Series(LINE, layout.lines, pl.Int64)
    if not len(line):
        return pl.DataFrame(schema={**dict.fromkeys(positions, pl.String), LINE: pl.Int64})
    names = [str(place) for place in range(layout.width)]
    text.file.seek(0)
    try:
        scan = pl.scan_csv(
            text.file,
            separator=dialect.separator,
            has_header=False,
            skip_rows=1 + dialect.ahead,
            schema=dict.fromkeys(names, pl.String),
            glob=False,
        )
        columns = []
        for key, position in positions.items():
            column = pl.col(names[position]).fill_null("")
            columns.append(column.alias(key))
        frame = scan.select(columns).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    repeated = []
    for key, position in positions.items():
        name = header[position].removeprefix("\ufeff")
        repeated.append(pl.col(key).str.strip_prefix("\ufeff") == name)
    repeats = pl.all_horizontal(repeated)
    if frame.height != len(line) or frame.select(repeats.any()).item():
        return None
    return frame.with_columns(line)


def _read_each_record(
    path: Path, text: PlainText, dialect: Dialect, header: list[str], positions: _Positions
) -> Table:
    """The slow way: one record at a time, those that are malformed or of another width left out and listed."""
    schema = {**dict.fromkeys(positions, pl.String), LINE: pl.Int64}
    batches = [pl.DataFrame(schema=schema)]
    rows: list[list[str | int]] = []
    size = 0
    bad_rows: list[BadRow] = []
    bad_count = 0
    records = Records(text.file, dialect, text.encoding)
    reader = iter(records)
    next(reader)
    for line, fields, reason in reader:
        reason = reason or _wrong_with(fields, header)
        parts = [(fields, reason)]
        if reason and records.returning:
            cut = _cut_at_returns(records.returning, dialect, header)
            parts = cut or parts
        for part, wrong in parts:
            if wrong:
                bad_count += 1
                if len(bad_rows) < LISTED:
                    bad_rows.append(BadRow(line, wrong))
                continue
            row = [part[position] for position in positions.values()]
            size += sum(map(len, row))
            rows.append([*row, line])
        if len(rows) >= _CHUNK_ROWS or size > _CHUNK_CHARACTERS:
            batches.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
            size = 0
    batches.append(pl.DataFrame(rows, schema=schema, orient="row"))
    frame = pl.concat(batches)
    _check_share(path, text, records, frame.height + bad_count)
    return Table(frame, tuple(bad_rows), bad_count, notes=_note(records, text))


def _wrong_with(fields: list[str], header: list[str]) -> str:
    if len(fields) != len(header):
        return f"{len(fields)} fields where the header has {len(header)}"
    if fields == header or [fields[0].removeprefix("\ufeff"), *fields[1:]] == header:
        return "it repeats the header"
    return ""


def _cut_at_returns(
    record: bytes, dialect: Dialect, header: list[str]
) -> list[tuple[list[str], str]]:
    """A malformed record as the rows, and what is wrong with them, that it is if its carriage returns end lines as in
    old Mac files; none where that makes not one good row of it."""
    lines = record.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    cut = []
    has_good_row = False
    for _, fields, reason in Records(BytesIO(lines), Dialect(dialect.separator)):
        wrong = reason or _wrong_with(fields, header)
        cut.append((fields, wrong))
        has_good_row = has_good_row or not wrong
    if not has_good_row:
        return []
    return cut


def _check_share(path: Path, text: PlainText, records: Records, rows: int) -> None:
    bad = records.undecodable
    otherwise_utf8 = records.beyond_ascii > 0
    if 2 * bad > rows or (
        not otherwise_utf8 and bad >= max(_MAX_DAMAGED, _MAX_DAMAGED_SHARE * rows)
    ):
        raise NrlDedupError(_other_encoding(path, records, text, f"{bad:,} of its {rows:,} rows"))


def _note(records: Records, text: PlainText) -> tuple[str, ...]:
    if not records.undecodable:
        return ()
    likely = f"; these look like {likely_encoding(records.sample)}" if text.encoding == UTF8 else ""
    return (
        f"{records.undecodable:,} rows are no text in {text.encoding} and are left out{likely}. If the whole file is "
        "in another encoding, name it with --encoding.",
    )


def _other_encoding(path: Path, records: Records, text: PlainText, what: str) -> str:
    first = records.first_undecodable
    if text.encoding != UTF8:
        return f"{path}: {what}: {first}. Name the right one with --encoding."
    return (
        f"{path}: wanted text in UTF-8; {what}: {first}. It looks like {likely_encoding(records.sample)}: add "
        f"--encoding {likely_encoding(records.sample)} (or the right one), or save the file as CSV in UTF-8."
    )


def _choose(table: Table, header: Sequence[str], found: Mapping[str, tuple[int, ...]]) -> Table:
    """One column for each key: the first that has a value; of several of that name the one with the most."""
    chosen = {}
    notes = []
    columns = []
    for key, places in found.items():
        filled = {place: int((table.frame[f"{key}\n{place}"] != "").sum()) for place in places}
        first = next((place for place in places if filled[place]), places[0])
        name = plain_name(header[first])
        alike = [place for place in places if plain_name(header[place]) == name]
        taken = max(alike, key=lambda place: filled[place])
        chosen[key] = taken
        columns.append(pl.col(f"{key}\n{taken}").alias(key))
        if len(alike) > 1:
            listed = [f"column {place + 1} ({filled[place]:,} values)" for place in alike]
            notes.append(
                f'"{header[first]}" stands {len(alike)} times: {" and ".join(listed)}; {taken + 1} is taken.'
            )
    return Table(
        table.frame.select(*columns, LINE),
        table.bad_rows,
        table.bad_count,
        {key: header[place] for key, place in chosen.items()},
        tuple(header),
        (*table.notes, *dict.fromkeys(notes)),
    )
