"""From the nearest vectors, texts or photos to the nearest ads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE, Neighbours
from nrl_dedup.features.text.words import offsets_of, ragged
from nrl_dedup.runtime.progress import SILENT, Progress

CHUNK_ADS = 4_096  # some 10 MiB of queries and answers at lists of 100 neighbours

Similar = tuple[Float32[np.ndarray, "queries found"], Int64[np.ndarray, "queries found"]]
Find = Callable[[Int64[np.ndarray, "queries"]], Similar]
Places = Int64[np.ndarray, "held"]
Items = Int64[np.ndarray, "items"]
AdMask = Bool[np.ndarray, "ads"]
Lists = Int64[np.ndarray, "ads width"]
ListsOfHubs = Int64[np.ndarray, "hubs width"]
Similarities = Float32[np.ndarray, "ads width"]
Pairs = tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"], Float32[np.ndarray, "pairs"]]


@dataclass(frozen=True)
class Held:
    """The items (vectors, texts, photos) of each ad: those of ad i are `items[offsets[i]:offsets[i + 1]]`.

    Several ads may hold one item; `count`: how many items there are.
    """

    items: Int64[np.ndarray, "held"]
    offsets: Int64[np.ndarray, "ads_plus_1"]
    count: int

    @classmethod
    def one_each(cls, item_of: Int64[np.ndarray, "ads"]) -> "Held":
        """Each ad holds one item; ads with NONE hold nothing."""
        there = item_of != NONE
        offsets = offsets_of(there)
        count = int(item_of.max(initial=-1)) + 1
        return cls(item_of[there], offsets, count)

    @property
    def ads(self) -> int:
        """How many ads there are."""
        return len(self.offsets) - 1

    def holders(self) -> Places:
        """The ad of each of `items`."""
        ads = np.arange(self.ads)
        counts = np.diff(self.offsets)
        return np.repeat(ads, counts)

    def renumbered(self, number: Items) -> "Held":
        """The same with item i called `number[i]`; what becomes one item is held once."""
        count = int(number.max(initial=-1)) + 1
        items = number[self.items]
        keys = np.unique(self.holders() * count + items)
        divisor = max(count, 1)
        ads = keys // divisor
        items = keys % divisor
        counts = np.bincount(ads, minlength=self.ads)
        offsets = offsets_of(counts)
        return Held(items, offsets, count)


@dataclass(frozen=True)
class _Owners:
    """The ads that hold each item, ascending: those of item i are `ads[starts[i]:starts[i] + counts[i]]`.

    `order`: the places in `held.items` that give `ads`. `is_hub`: of each item, whether more ads hold it than a list
    can name. `seen`: as how many of its ads it counts where others find it, 1 for a hub.
    """

    ads: Places
    order: Places
    starts: Items
    counts: Items
    is_hub: Bool[np.ndarray, "items"]
    seen: Items

    @classmethod
    def of(cls, held: Held, neighbours: int, found: AdMask | None) -> "_Owners":
        """:param found: the ads that count as owners; None: all."""
        order = np.argsort(held.items, kind="stable")
        holders = held.holders()
        if found is not None:
            order = order[found[holders[order]]]
        counts = np.bincount(held.items[order], minlength=held.count)
        starts = np.cumsum(counts) - counts
        is_hub = counts > neighbours
        return cls(
            ads=holders[order],
            order=order,
            starts=starts,
            counts=counts,
            is_hub=is_hub,
            seen=np.where(is_hub, 1, counts),
        )


def nearest_ads(
    held: Held,
    find: Find,
    neighbours: int,
    equal: float,
    what: str,
    progress: Progress = SILENT,
    found_ads: AdMask | None = None,
) -> tuple[Neighbours, AdMask]:
    """The `neighbours` nearest ads of each ad, and which ads are hubs.

    Two ads are as near as the nearest two of their items; an ad's neighbours are those that hold one of the items
    that `find` gives for one of its own. At equal similarity the smaller row is nearer.

    Hubs (hubness: Radovanovic et al. 2010): an item that more than `neighbours` ads hold brings each of them to all the
    others, and a list would name nothing else. Such an item is not searched for, and represents one ad where others
    find it, the smallest row that holds it. An ad that holds nothing else is a hub: it lists others that hold its
    first item, that one first.

    :param find: of some items, similarities and the items at that similarity (NONE: no item), the query may be
        among them.
    :param equal: the similarity of an item with itself.
    :param found_ads: the ads that are looked for, by the others; `find` then gives their items only. None: every ad is
        looked for, by all others.
    """
    ads = held.ads
    width = min(neighbours, max(ads - 1, 0))
    holders = held.holders()
    owners = _Owners.of(held, neighbours, found_ads)
    rows = np.full((ads, width), NONE)
    similarities = np.full((ads, width), np.nan, np.float32)
    asks = np.ones(ads, dtype=bool)
    if found_ads is not None:
        asks = ~found_ads
    is_searched = ~owners.is_hub[held.items] & asks[holders]
    with progress.task(f"nearest by {what}", ads) as task:
        for start in range(0, ads, CHUNK_ADS):
            stop = min(start + CHUNK_ADS, ads)
            first = held.offsets[start]
            last = held.offsets[stop]
            part = slice(first, last)
            searched = is_searched[part]
            ad = holders[part][searched]
            item = held.items[part][searched]
            if len(ad):
                pairs = _found_pairs(ad, item, find, equal, owners)
                _write_nearest(pairs, rows, similarities)
            task.advance(stop - start)

    has_searched = np.zeros(ads, dtype=bool)
    searching = holders[is_searched]
    has_searched[searching] = True
    holds_items = np.diff(held.offsets) > 0
    is_hub = holds_items & asks & ~has_searched
    if is_hub.any():
        rows[is_hub] = _mates_of_hubs(held, owners, is_hub, width, found_ads is not None)
        similarities[is_hub] = equal
    return Neighbours(rows, similarities), is_hub


def report_hubs(name: str, is_hub: AdMask, neighbours: int, progress: Progress) -> None:
    count = is_hub.sum()
    if count:
        progress.say(
            f"{name}: {count:,} ads are crowded: more than {neighbours:,} are equal to each."
        )


def _found_pairs(
    ad: Places,
    item: Places,
    find: Find,
    equal: float,
    owners: _Owners,
) -> Pairs:
    """Each `ad` with the ads that hold `item` or what is found for it: ad, other, similarity; pairs may repeat."""
    queries, place = np.unique(item, return_inverse=True)
    near, found = find(queries)
    itself = queries[:, None]
    others = np.where(found == itself, NONE, found)
    similarity_of_itself = np.full((len(queries), 1), equal, np.float32)
    near_of_query = np.hstack([similarity_of_itself, near])
    found_of_query = np.hstack([itself, others])
    near = near_of_query[place]
    found = found_of_query[place]
    query, column = np.nonzero(found != NONE)
    found_item = found[query, column]
    found_near = near[query, column]
    seen = owners.seen[found_item]
    start = owners.starts[found_item]
    other = owners.ads[ragged(start, seen)]
    of_ad = np.repeat(ad[query], seen)
    similarity = np.repeat(found_near, seen)
    return of_ad, other, similarity


def _mates_of_hubs(
    held: Held, owners: _Owners, is_hub: AdMask, width: int, are_others: bool
) -> ListsOfHubs:
    """For each hub, ads that hold its first item. `are_others`: no hub is itself among the owners."""
    starts = held.offsets[:-1]
    first = starts[is_hub]
    item = held.items[first]
    if are_others:
        start = owners.starts[item]
        return owners.ads[start[:, None] + np.arange(width)]
    count = len(owners.order)
    place_among_owners = np.empty(count, dtype=np.int64)
    place_among_owners[owners.order] = np.arange(count)
    start = owners.starts[item]
    own = place_among_owners[first] - start
    others = _others(own, owners.counts[item], width)
    return owners.ads[start[:, None] + others]


def _write_nearest(pairs: Pairs, rows: Lists, similarities: Similarities) -> None:
    """Write the nearest others of each ad among `pairs` (ad, other, similarity), in which a pair may repeat."""
    ad, other, near = pairs
    is_other = ad != other
    ad = ad[is_other]
    other = other[is_other]
    near = near[is_other]
    order = np.lexsort((-near, other, ad))
    ad = ad[order]
    other = other[order]
    near = near[order]
    new_ad = np.diff(ad) != 0
    new_other = np.diff(other) != 0
    is_first = np.ones(len(ad), dtype=bool)
    is_first[1:] = new_ad | new_other
    ad = ad[is_first]
    other = other[is_first]
    near = near[is_first]
    order = np.lexsort((-near, ad))  # stable: at equal similarity the smaller row first
    ad = ad[order]
    other = other[order]
    near = near[order]
    start = np.searchsorted(ad, ad)
    place = np.arange(len(ad)) - start
    fits = place < rows.shape[1]
    at = (ad[fits], place[fits])
    rows[at] = other[fits]
    similarities[at] = near[fits]


def _others(
    own: Int64[np.ndarray, "hubs"], size: Int64[np.ndarray, "hubs"], width: int
) -> ListsOfHubs:
    """Of each ad at place `own` among `size` equal ads, more than `width`: the first place, then those that follow its
    own, in a circle; of the first ad only those that follow."""
    own = own[:, None]
    size = size[:, None]
    step = np.arange(width)
    others = size - 1
    following = 1 + (own + step - 1) % others
    first_then_following = np.where(step == 0, 0, following)
    return np.where(own == 0, step + 1, first_then_following)
