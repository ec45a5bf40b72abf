"""How large and how deep a value may be, measured before anything walks or copies it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

#: Lists and objects inside each other; what walks a value calls itself at each of them.
MOST_NESTED = 100
_NUMBERS = (int, float)


def measured(value: object, *, nested: int = MOST_NESTED, most: int | None = None) -> int:
    """The parts and characters of a value; what is reached twice counts twice.

    Raises: ValueError: there are more than `most`, or lists and objects in more than `nested`
        levels; nothing beyond either bound is looked at.
    """
    size, level = 1, [value]
    for depth in range(nested + 2):
        below: list[object] = []
        for part in level:
            held: Collection[object] = ()
            if isinstance(part, str):
                size += len(part)
            elif isinstance(part, Mapping):
                size += sum(len(key) for key in part if isinstance(key, str))
                held = part.values()
            elif isinstance(part, list | tuple):
                held = part
            size += 2 * len(held)
            if most is not None and size > most:
                raise ValueError(f"more than {most} characters and parts")
            if depth == nested and isinstance(part, Mapping | list | tuple):
                raise ValueError(f"nested in more than {nested} levels")
            # Numbers are most of a large value, and have been counted.
            below += [one for one in held if not isinstance(one, _NUMBERS)]
        if not below:
            break
        level = below
    return size


def json_value(text: str | bytes, *, takes_twice: bool = True) -> Any:
    """The value of a JSON text.

    Raises: ValueError: it is not JSON, holds a number with more digits than Python reads, is
        nested too deep, or an object in it has a key twice and not `takes_twice`: then the last
        would win.
    """
    try:
        value = json.loads(text, object_pairs_hook=None if takes_twice else each_once)
    except RecursionError:
        raise ValueError(f"nested in more than {MOST_NESTED} levels") from None
    measured(value)
    return value


def each_once(
    pairs: list[tuple[str, Any]], words: str = "is given twice in one object"
) -> dict[str, Any]:
    """The object of these keys, for `object_pairs_hook`.

    Raises: ValueError: a key is there twice; `words` say so after its name.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} {words}")
    return made
