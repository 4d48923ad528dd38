"""nrl-dedup: finds ads that describe the same thing, from their words and their photos.

The library does what the commands do, with the same settings and the same defaults:

>>> import nrl_dedup
>>> model = nrl_dedup.load_model()
>>> found = nrl_dedup.link("examples/catalogue.csv", images="examples/images", model=model)
>>> found.clusters.columns
['cluster_id', 'item_id', 'score']

Each function is imported when it is first asked for, so that `import nrl_dedup` takes no time.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nrl_dedup.api import evaluate, explain, link, load_model, train

__all__ = ["evaluate", "explain", "link", "load_model", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from nrl_dedup import api

        return getattr(api, name)
    raise AttributeError(f"module 'nrl_dedup' has no attribute {name!r}")
