"""Reading ahead changes neither what comes nor in which order."""

import threading
from collections.abc import Iterator

import pytest

from nrl_dedup.runtime.prefetch import ahead


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_same_items_in_the_same_order(count: int) -> None:
    assert list(ahead(iter(range(count)))) == list(range(count))


def test_the_next_items_are_made_before_they_are_asked_for() -> None:
    made, two_are_made = [], threading.Event()

    def items() -> Iterator[int]:
        for item in range(9):
            made.append(item)
            if len(made) == 3:
                two_are_made.set()
            yield item

    stream = ahead(items(), depth=2)
    assert next(stream) == 0
    assert two_are_made.wait(10)
    stream.close()
    assert len(made) <= 4


def test_an_error_comes_where_its_item_would() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("second")

    stream = ahead(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="second"):
        next(stream)
