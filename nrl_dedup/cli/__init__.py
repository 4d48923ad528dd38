"""The commands. This package is the only place that prints, exits, or knows click and rich.

Heavy imports stay inside the commands, so that `--help` answers at once.
"""

import sys

import click

from nrl_dedup.cli.evaluate import evaluate
from nrl_dedup.cli.explain import explain
from nrl_dedup.cli.link import link
from nrl_dedup.cli.train import train
from nrl_dedup.errors import NrlDedupError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nrl-dedup")
def cli() -> None:
    """Finds ads that describe the same thing, from their words and their photos.

    \b
    nrl-dedup link catalogue.csv --images imgs/ -o dupes.csv
    nrl-dedup train ItemInfo.csv ItemPairs.csv
    nrl-dedup evaluate --by-length
    nrl-dedup explain weights/mine 1002 3781
    """


for command in (train, link, evaluate, explain):
    cli.add_command(command)


def main() -> None:
    """The console script: a user's mistake is one line on standard error and status 1, never a traceback."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. The photos done so far are kept; the same command goes on from there.", err=True)
        sys.exit(130)
    except NrlDedupError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
