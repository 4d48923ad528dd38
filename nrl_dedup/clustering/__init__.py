"""Scored pairs -> clusters: one short file per method, found by name in `METHODS`."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Int64

from nrl_dedup.clustering.average_linkage import average_linkage
from nrl_dedup.clustering.centre import centre_clustering
from nrl_dedup.clustering.cluster import Method, find_clusters
from nrl_dedup.clustering.connected_components import connected_components
from nrl_dedup.clustering.correlation import correlation_clustering
from nrl_dedup.clustering.matching import one_to_many, one_to_one
from nrl_dedup.errors import NrlDedupError

# Each takes the scored pairs (`tables.SCORED_PAIRS`, those below the threshold too), the number of ads and the
# threshold from which a pair is a link, and returns one label per ad, which the ads of one cluster share. Clusters lie
# inside the connected components of the links.
METHODS: dict[str, Method] = {
    "average-linkage": average_linkage,
    "centre": centre_clustering,
    "connected-components": connected_components,
    "correlation": correlation_clustering,
}
DEFAULT = "average-linkage"

__all__ = [
    "DEFAULT",
    "METHODS",
    "Method",
    "clustering_method",
    "find_clusters",
    "method_across",
]


def clustering_method(name: str) -> Method:
    """The method of that name.

    :raises NrlDedupError: there is none.
    """
    if name not in METHODS:
        raise NrlDedupError(f"--clustering {name}: wanted one of {', '.join(METHODS)}.")
    return METHODS[name]


def method_across(
    source_of: Int64[np.ndarray, "ads"] | None, names: Sequence[str], many: str | None
) -> Method:
    """The method for `--one-to-one`; or for `--one-to-many`, where `many` is a source.

    :param source_of: the number of each ad's source, which is its place in `names`; None without sources.
    :raises NrlDedupError: there are no sources, or `many` is none of them.
    """
    if source_of is None:
        flag = "--one-to-one" if many is None else "--one-to-many"
        raise NrlDedupError(
            f"{flag} is about ads of different sources. Name a second file, or the column with each ad's source: "
            "--source COLUMN."
        )
    if many is None:
        return partial(one_to_one, source_of=source_of)
    if many not in names:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise NrlDedupError(
            f"--one-to-many {many}: there is no such source; wanted one of {shown}."
        )
    return partial(one_to_many, source_of=source_of, source=list(names).index(many))
