"""The nearest ads of each ad: among all others, or, where each ad has a source, among those of the other sources.

This is the one place where a search knows of sources: there is one index for the ads of each source, all other ads ask
it, and of what they find in several of them the nearest are kept.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int64

from nrl_dedup.blocking.faiss_indexes import WANTED_RECALL
from nrl_dedup.blocking.item_search import Held, Similar, nearest_ads, report_hubs
from nrl_dedup.blocking.neighbours import NONE, NeighbourLists, Neighbours
from nrl_dedup.runtime.progress import SILENT, Progress

Items = Int64[np.ndarray, "some_items"]
AdMask = Bool[np.ndarray, "ads"]
Sources = Int64[np.ndarray, "ads"]


@runtime_checkable
class ItemIndex(Protocol):
    """An index over items. `name`: in words. `recall`: the share of the exact nearest that it finds on a sample."""

    name: str
    recall: float

    def nearest(self, queries: Items) -> Similar:
        """As `find` of `item_search.nearest_ads`."""


# Makes the index over some items, ascending; None: over all of them.
MakeIndex = Callable[[Items | None, Progress], ItemIndex]


def nearest_lists(
    name: str,
    held: Held,
    make_index: MakeIndex,
    neighbours: int,
    equal: float,
    source_of: Sources | None,
    progress: Progress,
) -> NeighbourLists:
    """The `neighbours` nearest ads of each ad by the items that they hold, as in `nearest_ads`.

    :param source_of: the number of each ad's source, 0, 1, 2 ...: only ads of other sources are found. None: all are.
    """
    if source_of is not None:
        return _nearest_across(name, held, make_index, neighbours, equal, source_of, progress)
    index = make_index(None, progress)
    found, is_hub = nearest_ads(held, index.nearest, neighbours, equal, name, progress)
    report_hubs(name, is_hub, neighbours, progress)
    return NeighbourLists(name, found, is_hub, index.name, index.recall)


def _nearest_across(
    name: str,
    held: Held,
    make_index: MakeIndex,
    neighbours: int,
    equal: float,
    source_of: Sources,
    progress: Progress,
) -> NeighbourLists:
    """An ad is a hub if it is one for every source that has ads with its items; else its equals in a source with more
    of them than a list can name are represented by the first."""
    holders = held.holders()
    total = _no_neighbours(held.ads, 0)
    is_hub = np.zeros(held.ads, dtype=bool)
    largest: ItemIndex | None = None
    largest_count = 0
    recall = 1.0
    for source in range(int(source_of.max(initial=-1)) + 1):
        found_ads = source_of == source
        items = np.unique(held.items[found_ads[holders]])
        if not len(items):
            continue
        index = make_index(items, SILENT)
        if len(items) > largest_count:
            largest = index
            largest_count = len(items)
        recall = min(recall, index.recall)
        found, is_new_hub = nearest_ads(
            held, index.nearest, neighbours, equal, name, progress, found_ads
        )
        total, is_hub = _merged(total, is_hub, found, is_new_hub, neighbours)
    if largest is None:
        return NeighbourLists(name, total, is_hub, "nothing to search", 1.0)
    words = f"{largest.name}, one index per source"
    progress.say(f"Nearest by {name}: {words}; recall {recall:.3f} of exact search.")
    if recall < WANTED_RECALL:
        progress.warn(
            f"Blocking finds only {recall:.1%} of the {neighbours:,} nearest by {name} in one of the sources."
        )
    report_hubs(name, is_hub, neighbours, progress)
    return NeighbourLists(name, total, is_hub, words, recall)


def _merged(
    one: Neighbours,
    one_is_hub: AdMask,
    other: Neighbours,
    other_is_hub: AdMask,
    neighbours: int,
) -> tuple[Neighbours, AdMask]:
    """The nearest `neighbours` of both; at equal similarity the smaller row first. An ad that is a hub in both, or that
    finds nothing in the one and is a hub in the other, is a hub."""
    one_is_empty = (one.rows == NONE).all(axis=1)
    other_is_empty = (other.rows == NONE).all(axis=1)
    is_hub = (one_is_hub | one_is_empty) & (other_is_hub | other_is_empty)
    is_hub &= one_is_hub | other_is_hub
    first = _only_the_first(one, one_is_hub & ~is_hub)
    second = _only_the_first(other, other_is_hub & ~is_hub)
    rows = np.concatenate([first.rows, second.rows], axis=1)
    similarities = np.concatenate([first.similarities, second.similarities], axis=1)
    distance = np.where(rows == NONE, np.inf, -similarities)
    width = min(neighbours, max(len(rows) - 1, 0))
    order = np.lexsort((rows, distance))[:, :width]
    return (
        Neighbours(
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(similarities, order, axis=1),
        ),
        is_hub,
    )


def _only_the_first(lists: Neighbours, of: AdMask) -> Neighbours:
    """The lists of some ads cut to their first neighbour."""
    rows = lists.rows.copy()
    similarities = lists.similarities.copy()
    rows[of, 1:] = NONE
    similarities[of, 1:] = np.nan
    return Neighbours(rows, similarities)


def _no_neighbours(ads: int, width: int) -> Neighbours:
    return Neighbours(np.full((ads, width), NONE), np.full((ads, width), np.nan, np.float32))
