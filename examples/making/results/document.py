"""One document with the reports of several scripts: each script replaces its own part, which lies between two comments.

A part is the script's report with every heading one level lower, since the document has a title of its own.
"""

import re
import sys
from pathlib import Path


def put_part(document: Path, script: str, report: str) -> None:
    """Replace the part of `script` (its file name) by its report; all else in the document stays as it is."""
    text = document.read_text("utf-8")
    place = find_part(text, script)
    if place is None:
        start, end = markers(script)
        sys.exit(f"{document} has no part of {script}: no line {start} with a line {end} below it.")
    document.write_text(f"{text[: place.start]}\n{lowered(report)}\n{text[place.stop :]}", "utf-8")


def find_part(text: str, script: str) -> slice | None:
    """Where the part between the two comments of a script is; None if they are not there."""
    start, end = markers(script)
    found = re.search(
        f"^{re.escape(start)}\n(.*?)^{re.escape(end)}$", text, re.DOTALL | re.MULTILINE
    )
    return slice(*found.span(1)) if found else None


def markers(script: str) -> tuple[str, str]:
    return f"<!-- written by {script} -->", f"<!-- end of what {script} wrote -->"


def lowered(report: str) -> str:
    """The report with every heading one level lower."""
    return re.sub("^#", "##", report, flags=re.MULTILINE)
