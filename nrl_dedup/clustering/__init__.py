"""Scored pairs -> clusters: one short file per method, found by name in `METHODS`."""

from nrl_dedup.clustering.average_linkage import average_linkage
from nrl_dedup.clustering.centre import centre_clustering
from nrl_dedup.clustering.cluster import Method, find_clusters
from nrl_dedup.clustering.connected_components import connected_components
from nrl_dedup.clustering.correlation import correlation_clustering
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

__all__ = ["DEFAULT", "METHODS", "Method", "clustering_method", "find_clusters"]


def clustering_method(name: str) -> Method:
    """The method of that name.

    :raises NrlDedupError: there is none.
    """
    if name not in METHODS:
        raise NrlDedupError(f"--clustering {name}: wanted one of {', '.join(METHODS)}.")
    return METHODS[name]
