"""JSON in which every value is what any reader would take it for, of a bounded size and depth."""

import json
import math
from pathlib import Path
from typing import Any

from nrl_dedup.errors import NrlDedupError
from nrl_dedup.untrusted.plain_file import read_text

MAX_LEVELS = 16  # of lists and objects in each other; a bundle has five
_MAX_DIGITS = 20  # of a whole number: one of 64 bits with its sign


def read_json(path: Path, most: int) -> Any:
    """The document in a plain file of at most `most` bytes. Its whole numbers fit 64 bits, its others are finite.

    :raises NrlDedupError: it is no such file, or no such document.
    """
    return parse_json(read_text(path, most), path.name)


def parse_json(text: str, name: str) -> Any:
    """:param name: of its place, for the message.
    :raises NrlDedupError: it is not JSON; a name is twice in an object; a number is not finite or too long; or it is
        deeper than `MAX_LEVELS`.
    """
    try:
        document = json.loads(
            text,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
            object_pairs_hook=_each_once,
        )
        _check_depth(document)
        # Half of a surrogate pair is no text.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise NrlDedupError(
            f"{name}: wanted at most {MAX_LEVELS} levels of lists and objects, found more."
        ) from None
    except ValueError as error:
        raise NrlDedupError(f"{name}: wanted JSON; {error}.") from error
    return document


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"found a whole number beyond 64 bits ({digits[:_MAX_DIGITS]}...)")
    return int(digits)


def _finite(figure: str) -> float:
    value = float(figure)
    if not math.isfinite(value):
        raise ValueError(f"found the number {figure[:_MAX_DIGITS]}, which is not finite")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("found a name twice in one object")
    return found


def _check_depth(document: Any) -> None:
    level, depth = [document], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > MAX_LEVELS:
            raise ValueError(f"found more than {MAX_LEVELS} levels of lists and objects")
        level = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
