"""The commands. This package is the only place that prints, exits, or knows click and rich.

Heavy imports stay inside the commands, so that `--help` answers at once.
"""

import sys

import click

from nrl_dedup.cli.ending import Commands, run_to_its_end
from nrl_dedup.cli.evaluate import evaluate
from nrl_dedup.cli.explain import explain
from nrl_dedup.cli.link import link
from nrl_dedup.cli.train import train

# Help is given as text, here and in each command: Python can be told to throw docstrings away.
HELP = """Finds ads that describe the same thing, from their words and their photos.

\b
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv
nrl-dedup train ItemInfo.csv ItemPairs.csv
nrl-dedup evaluate --by-length
nrl-dedup explain weights/mine 1002 3781
"""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, help=HELP)
@click.version_option(package_name="nrl-dedup")
def cli() -> None:
    """All commands."""


for command in (train, link, evaluate, explain):
    cli.add_command(command)


def main() -> None:
    """The console script: whatever happens is a line on standard error and a status, never a traceback."""
    status = run_to_its_end(lambda: cli(standalone_mode=False))
    if status:
        sys.exit(status)
