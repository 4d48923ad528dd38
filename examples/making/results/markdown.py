"""Figures, tables, lists and commands as Markdown."""

import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence

HELD_SPACE = "\N{NO-BREAK SPACE}"


def figure(value: float | int | None) -> str:
    """A number as people read it; `-` for what is not defined."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The first column to the left, the others to the right; `-` for None."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        f"| {' | '.join('-' if cell is None else str(cell) for cell in line)} |" for line in lines
    )


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def section(title: str, *parts: str) -> str:
    """A heading and its paragraphs; an empty one is left out."""
    return "\n\n".join([f"## {title}", *filter(None, parts)])


def typed(*commands: Sequence[str]) -> str:
    """Commands as one types them in the checkout."""
    lines = []
    for words in commands:
        program = "python" if words[0].endswith(".py") else "nrl-dedup"
        line = " ".join([program, *(shlex.quote(word).replace(" ", HELD_SPACE) for word in words)])
        held = re.sub(
            r"(-[-\w]+) (?!-)", rf"\1{HELD_SPACE}", line
        )  # no line ends between an option and its value
        lines.append(
            " \\\n    ".join(
                textwrap.wrap(held, 112, break_long_words=False, break_on_hyphens=False)
            )
        )
    return "\n".join(["```sh", *lines, "```"]).replace(HELD_SPACE, " ")
