"""A command whose `--help` shows its options in sections with headings."""

from collections.abc import Callable, Sequence
from typing import Any

import click

DATA = "Data"
PHOTOS = "Photos"
MODEL = "Model"
TRAINING = "Training"
SEARCH = "Search for settings"
LINKS = "Links"
FIGURES = "Figures"
CLUSTERS = "Clusters"
OUTPUT = "Output"
OTHER = "Other"
# In the order of `--help`.
SECTIONS = (DATA, PHOTOS, MODEL, TRAINING, SEARCH, LINKS, FIGURES, CLUSTERS, OUTPUT, OTHER)

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class GroupedOption(click.Option):
    """An option that belongs to one of `SECTIONS`.

    `default_in_words`: what happens without the option, where that is no single value.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        section: str,
        help: str,
        default_in_words: str | None = None,
        **attributes: Any,
    ) -> None:
        if default_in_words is not None:
            help = f"{help}  [default: {default_in_words}]"
        super().__init__(names, help=help, **attributes)
        self.section = section


class GroupedCommand(click.Command):
    """Shows its options under the headings of `SECTIONS`; those of no section, such as `--help`, under the last.

    Arguments are shown in the usage line, and the command's help says what they are.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if line is not None:
                lines[getattr(parameter, "section", OTHER)].append(line)
        for section in SECTIONS:
            if lines[section]:
                with formatter.section(section):
                    formatter.write_dl(lines[section])


def option(section: str, *names: str, **attributes: Any) -> Decorator:
    """`click.option` in one of `SECTIONS`, with its default shown where it has one."""
    attributes.setdefault("show_default", True)
    return click.option(*names, cls=GroupedOption, section=section, **attributes)
