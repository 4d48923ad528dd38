"""Making the next batch while the network is busy with this one."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them made beforehand by one thread of its own.

    What making an item raises is raised where the item is asked for. Close the iterator to end early; the items that
    were made beforehand are then dropped.
    """
    making = iter(items)
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, making, _END) for _ in range(depth))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, making, _END))
            yield item  # type: ignore[misc]
