"""The two consoles. What is printed on them, or put in a table's cells, is text and nothing but text."""

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.style import Style
from rich.text import Text

from nrl_dedup.cli.visible import visible


class PlainConsole(Console):
    """Takes no string for more than it says: neither `[bold]` for markup, nor `:car:` for a picture, nor an escape
    sequence for an order to the terminal. All strings come by here, those in tables and titles too."""

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        **_: object,
    ) -> Text:
        return styled(text, style, justify=justify, overflow=overflow)


def styled(
    text: str,
    style: str | Style = "",
    *,
    justify: JustifyMethod | None = None,
    overflow: OverflowMethod | None = None,
) -> Text:
    """`text` as a console shows it, in a style."""
    return Text(visible(text, lines=True), style, justify=justify, overflow=overflow)


results = PlainConsole(highlight=False, soft_wrap=True)
messages = PlainConsole(stderr=True, highlight=False, soft_wrap=True)
