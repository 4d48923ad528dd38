"""The command line: all commands, and the entry point of the console script.

Heavy imports stay inside the commands, so that `--help` answers at once.
"""

import os
import sys

import click

from nrl_dedup.cli.ending import run_to_its_end
from nrl_dedup.cli.evaluate_command import evaluate
from nrl_dedup.cli.explain_command import explain
from nrl_dedup.cli.link_command import link
from nrl_dedup.cli.train_command import train

COMPLETING = "_NRL_DEDUP_COMPLETE"  # set by the shell when it asks click how a line may go on

# Help is given as text, here and in each command: Python can be told to throw docstrings away.
HELP = """Finds ads that describe the same thing, from their words and their photos.

\b
nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv
nrl-dedup train ItemInfo.csv ItemPairs.csv
nrl-dedup evaluate --by-length
nrl-dedup explain weights/mine 1002 3781
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, help=HELP)
@click.version_option(package_name="nrl-dedup")
def cli() -> None:
    """All commands."""


for command in (train, link, evaluate, explain):
    cli.add_command(command)


def main() -> None:
    """The console script: whatever happens is a line on standard error and a status, never a traceback."""
    if COMPLETING in os.environ:
        cli()
    status = run_to_its_end(_invoke)
    if status:
        sys.exit(status)


def _invoke() -> object:
    """What the command returns. Not by click's own `main`, which takes every broken pipe for a reader of standard
    output who has gone, and ends without a word."""
    with cli.make_context("nrl-dedup", sys.argv[1:]) as context:
        return cli.invoke(context)
