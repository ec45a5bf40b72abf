"""How large and how deep a value may be, measured before anything walks or copies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: Lists and objects inside each other; what walks a value calls itself at each of them.
MOST_NESTED = 100


def measured(value: object, *, nested: int = MOST_NESTED, most: int | None = None) -> int:
    """The parts and characters of a value; what is reached twice counts twice.

    Raises: ValueError: there are more than `most`, or lists and objects in more than `nested`
        levels; nothing beyond either bound is looked at.
    """
    size, level = 0, [value]
    for depth in range(nested + 2):
        below: list[object] = []
        for part in level:
            size += 1 + (len(part) if isinstance(part, str | Mapping | list | tuple) else 0)
            if isinstance(part, Mapping):
                size += sum(len(key) for key in part if isinstance(key, str))
            if most is not None and size > most:
                raise ValueError(f"more than {most} characters and parts")
            if isinstance(part, Mapping | list | tuple):
                if depth == nested:
                    raise ValueError(f"nested in more than {nested} levels")
                below.extend(part.values() if isinstance(part, Mapping) else part)
        if not below:
            break
        level = below
    return size


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises: ValueError: it is not JSON, holds a number with more digits than Python reads, or is
        nested too deep.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested in more than {MOST_NESTED} levels") from None
    measured(value)
    return value
