"""What a CSV file's fields are separated by: the sign that cuts its header and its first rows alike."""

import re
from io import BytesIO
from itertools import islice

from nrl_dedup.catalogue.files.csv_records import BOM, ByteFile, Dialect, Records

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_MAX_ROWS = 50  # that are compared. Not tuned.
_MAX_BYTES = 1 << 20  # that are read for them
_NAMED = re.compile(rb'"?sep=(.)"?\r?\n', re.IGNORECASE)


def dialect_of(file: ByteFile) -> Dialect:
    """The separator that the file names in a first line such as `sep=;`, as Excel writes it, or else the likeliest.

    That is the one that makes the most of the first 50 rows: rows with as many fields as the header, each counting for
    its fields beyond the first. Of two that are equal, the one with fewer names that begin with a space (`Price, EUR`),
    then the comma, the semicolon, the tab, the vertical bar.
    """
    file.seek(0)
    start = file.read(_MAX_BYTES).removeprefix(BOM)
    if named := _NAMED.match(start):
        return Dialect(named[1].decode("latin-1"), 1)
    if len(start) >= _MAX_BYTES - len(BOM):
        start = start[: start.rfind(b"\n") + 1]  # a row cut short is cut into other fields
    return Dialect(max(SEPARATORS, key=lambda separator: _alike(start, separator)))


def _alike(start: bytes, separator: str) -> tuple[int, int]:
    records = Records(BytesIO(start), Dialect(separator))
    rows = [fields for _, fields, _ in islice(records, _MAX_ROWS + 1)]
    header = rows[0] if rows else []
    alike = sum(len(fields) == len(header) for fields in rows)
    begin_with_space = sum(name.startswith(" ") for name in header)
    return alike * (len(header) - 1), -begin_with_space
