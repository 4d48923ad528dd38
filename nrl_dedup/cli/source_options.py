"""Options about the sources of ads: two files, or a column."""

from nrl_dedup.cli.grouped_help import DATA, Command, option
from nrl_dedup.cli.shared_options import FILE, with_options


def source_options(command: Command) -> Command:
    """Where ads have a source: a column, or a second file."""
    return with_options(
        command,
        option(
            DATA,
            "--other",
            type=FILE,
            help="A second file of ads: only ads of different files are linked.",
        ),
        source_option,
    )


source_option = option(
    DATA,
    "--source",
    metavar="COLUMN",
    help="The column with each ad's source: only ads of different sources are linked.",
)


def side_options(command: Command) -> Command:
    """Which ad an id means that several sources have."""
    return with_options(
        command,
        option(
            DATA,
            "--source-l",
            metavar="NAME",
            default_in_words="the first source, for an id that two have",
            help="The source of the first id of a pair, or the column of the pairs that names it.",
        ),
        option(
            DATA,
            "--source-r",
            metavar="NAME",
            default_in_words="the second source",
            help="The same of the second id.",
        ),
    )
