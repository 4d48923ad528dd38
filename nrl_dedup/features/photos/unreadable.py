"""The one exception of a photo that cannot be used."""


class UnreadablePhoto(Exception):
    """This photo cannot be used; the message is the reason in a few words. It never ends a run."""
