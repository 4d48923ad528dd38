"""From the nearest vectors, texts or photos to the nearest ads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from nrl_dedup.blocking.neighbours import NONE, Neighbours
from nrl_dedup.features.text.words import ragged
from nrl_dedup.runtime.progress import SILENT, Progress

ADS_AT_ONCE = 4_096

Similar = tuple[Float32[np.ndarray, "queries found"], Int64[np.ndarray, "queries found"]]


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
        return cls(
            item_of[there],
            np.concatenate([[0], np.cumsum(there)]),
            int(item_of.max(initial=-1)) + 1,
        )

    def renumbered(self, number: Int64[np.ndarray, "items"]) -> "Held":
        """The same with item i called `number[i]`; what becomes one item is held once."""
        ads = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        count = int(number.max(initial=-1)) + 1
        keys = np.unique(ads * count + number[self.items])
        counts = np.bincount(keys // max(count, 1), minlength=len(self.offsets) - 1)
        return Held(keys % max(count, 1), np.concatenate([[0], np.cumsum(counts)]), count)


def nearest_ads(
    held: Held,
    find: Callable[[Int64[np.ndarray, "queries"]], Similar],
    neighbours: int,
    equal: float,
    what: str,
    progress: Progress = SILENT,
) -> tuple[Neighbours, Bool[np.ndarray, "ads"]]:
    """The `neighbours` nearest ads of each ad, and which ads are crowded.

    Two ads are as near as the nearest two of their items; an ad's neighbours are those that hold one of the items
    that `find` gives for one of its own. At equal similarity the smaller row is nearer.

    Crowds: an item that more than `neighbours` ads hold brings each of them to all the others, and no list could
    leave the crowd. Such an item is not searched for, and stands for one ad where others find it, the smallest
    row that holds it. An ad that holds nothing else is crowded: it lists others of the crowd, that one first.

    :param find: of some items, similarities and the items at that similarity (NONE: no item), the query may be
        among them.
    :param equal: the similarity of an item with itself.
    """
    ads, width = len(held.offsets) - 1, min(neighbours, max(len(held.offsets) - 2, 0))
    of_ad = np.repeat(np.arange(ads), np.diff(held.offsets))
    owner_counts = np.bincount(held.items, minlength=held.count)
    owner_starts = np.cumsum(owner_counts) - owner_counts
    by_item = np.argsort(held.items, kind="stable")
    owners = of_ad[by_item]  # item after item, the rows ascending
    hub = owner_counts > neighbours
    seen = np.where(hub, 1, owner_counts)

    rows = np.full((ads, width), NONE)
    similarities = np.full((ads, width), np.nan, np.float32)
    searched = ~hub[held.items]
    with progress.task(f"nearest by {what}", ads) as task:
        for start in range(0, ads, ADS_AT_ONCE):
            stop = min(start + ADS_AT_ONCE, ads)
            part = slice(held.offsets[start], held.offsets[stop])
            ad, item = of_ad[part][searched[part]], held.items[part][searched[part]]
            if len(ad):
                queries, place = np.unique(item, return_inverse=True)
                near, found = find(queries)
                found = np.where(found == queries[:, None], NONE, found)
                itself = np.full((len(queries), 1), equal, np.float32)
                near, found = np.hstack([itself, near]), np.hstack([queries[:, None], found])
                query, column = np.nonzero(found[place] != NONE)
                item, near = found[place][query, column], near[place][query, column]
                held_by = owners[ragged(owner_starts[item], seen[item])]
                pairs = np.repeat(ad[query], seen[item]), held_by, np.repeat(near, seen[item])
                _write_nearest(pairs, rows, similarities)
            task.advance(stop - start)

    has_searched = np.zeros(ads, dtype=bool)
    has_searched[of_ad[searched]] = True
    is_hub = (np.diff(held.offsets) > 0) & ~has_searched
    if is_hub.any():
        first = held.offsets[:-1][is_hub]
        item = held.items[first]
        place = np.empty(len(by_item), dtype=np.int64)
        place[by_item] = np.arange(len(by_item))
        own = place[first] - owner_starts[item]
        rows[is_hub] = owners[owner_starts[item][:, None] + _others(own, owner_counts[item], width)]
        similarities[is_hub] = equal
    return Neighbours(rows, similarities), is_hub


def _write_nearest(
    pairs: tuple[
        Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"], Float32[np.ndarray, "pairs"]
    ],
    rows: Int64[np.ndarray, "ads width"],
    similarities: Float32[np.ndarray, "ads width"],
) -> None:
    """Write the nearest others of each ad among `pairs` (ad, other, similarity), in which a pair may stand again."""
    ad, other, near = (column[pairs[0] != pairs[1]] for column in pairs)
    order = np.lexsort((-near, other, ad))
    ad, other, near = ad[order], other[order], near[order]
    once = np.ones(len(ad), dtype=bool)
    once[1:] = (np.diff(ad) != 0) | (np.diff(other) != 0)
    ad, other, near = ad[once], other[once], near[once]
    order = np.lexsort((-near, ad))  # stable: at equal similarity the smaller row first
    ad, other, near = ad[order], other[order], near[order]
    place = np.arange(len(ad)) - np.searchsorted(ad, ad)
    kept = place < rows.shape[1]
    rows[ad[kept], place[kept]] = other[kept]
    similarities[ad[kept], place[kept]] = near[kept]


def _others(
    own: Int64[np.ndarray, "ads"], size: Int64[np.ndarray, "ads"], width: int
) -> Int64[np.ndarray, "ads width"]:
    """Of each ad at place `own` in a crowd of `size`, larger than `width`: the first place, then those that follow
    its own, in a circle; of the first ad only those that follow."""
    own, size, step = own[:, None], size[:, None], np.arange(width)
    following = 1 + (own + step - 1) % (size - 1)
    return np.where(own == 0, step + 1, np.where(step == 0, 0, following))
