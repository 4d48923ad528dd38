"""How many partners an ad may have where ads have sources: options of `link` and `explain`."""

from typing import Any

import click
from click.core import ParameterSource

from nrl_dedup.cli.grouped_help import LINKS, Command, option
from nrl_dedup.cli.shared_options import with_options


def matching_options(command: Command) -> Command:
    """In place of `--clustering`."""
    return with_options(
        command,
        option(
            LINKS,
            "--one-to-one",
            is_flag=True,
            help="Clusters hold at most one ad of each source, in place of --clustering.",
        ),
        option(
            LINKS,
            "--one-to-many",
            metavar="SOURCE",
            help="Each ad of SOURCE may have several partners, an ad of another source one, in place of --clustering.",
        ),
    )


def check_matching(options: dict[str, Any], *, has_sources: bool) -> None:
    """:raises click.UsageError: two options contradict each other, or want sources and there are none."""
    ways = []
    if options["one_to_one"]:
        ways.append("--one-to-one")
    if options["one_to_many"] is not None:
        ways.append("--one-to-many")
    context = click.get_current_context()
    if context.get_parameter_source("clustering") is not ParameterSource.DEFAULT:
        ways.append("--clustering")
    if len(ways) > 1:
        raise click.UsageError(
            f"{' and '.join(ways)}: one of them says what clusters are. Name one."
        )
    if not has_sources and ways not in ([], ["--clustering"]):
        raise click.UsageError(
            f"{ways[0]} is about ads of different sources. Name a second file, or the column with each ad's source: "
            "--source COLUMN."
        )
