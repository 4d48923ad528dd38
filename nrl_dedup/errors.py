"""The one exception that the library raises for what a user gave it."""


class NrlDedupError(Exception):
    """Something that the user can put right.

    The message says what was wanted, what was found (file, row, value) and what to do. `cli.main` prints it
    without a traceback and exits with status 1.
    """
