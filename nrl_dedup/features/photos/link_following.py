"""Whether links that lead out of a photo folder are followed: said once, for the whole run."""

from contextvars import ContextVar

LINKS_FOLLOWED: ContextVar[bool] = ContextVar("LINKS_FOLLOWED", default=False)
"""The default of `PhotoFolder`; the command line sets it from `--follow-links`."""
