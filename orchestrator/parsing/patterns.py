"""Patterns of strangers: searched in bounded time, and compiled in a bounded size."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from pydantic_core import SchemaError, SchemaValidator, core_schema

_LONGEST_PATTERN = 1000
_LARGEST_PATTERN = 10_000  # with its counted repetitions written out
_LARGEST_COMPILED = 30_000  # about 100 bytes and 3 microseconds each, likewise
_CLASS_SIZE = 5  # characters that a class counts for where it is searched
_LETTERS = re.compile(r"\\[wWpP]")  # classes of thousands of characters
#: What counts for each of them, where it is compiled.
LETTERS_SIZE = 300
_PIECE = re.compile(
    r"\\(?:[pPxuU]\{[^}]{0,60}+\}|.)|\[\^?+\]?+(?:\\.|[^\]\\])*+(?:\]|\\?\Z)|\{(\d++)(?:,(\d*+))?\}|.",
    re.DOTALL,
)


@functools.lru_cache(maxsize=32)
def compiled(pattern: str) -> tuple[Callable[[str], bool], int]:
    """What finds a pattern in a text in time linear in its length, and the size of the pattern.

    Raises: ValueError: its work has no such bound.
    """
    size = size_of(pattern) if len(pattern) <= _LONGEST_PATTERN else _LARGEST_PATTERN + 1
    if size > _LARGEST_PATTERN or size_of(pattern, LETTERS_SIZE) > _LARGEST_COMPILED:
        raise ValueError(f"the pattern {pattern[:60]!r} is too large")
    try:
        found = SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError as error:
        why = str(error).splitlines()[-1].strip()
        raise ValueError(
            f"the pattern {pattern!r} cannot be searched in bounded time: {why}"
        ) from None
    return found.isinstance_python, size


def size_of(pattern: str, letters: int = _CLASS_SIZE) -> int:
    """The number of characters that a pattern stands for with its counted repetitions."""
    groups = [[1]]
    for piece in _PIECE.finditer(pattern):
        if piece[0] == "(":
            groups.append([1])
        elif piece[0] == ")" and len(groups) > 1:
            inner = sum(groups.pop())
            groups[-1].append(inner)
        elif piece[1]:
            groups[-1][-1] *= max(int(piece[1]), int(piece[2] or 0), 1)
        else:
            many = letters * len(_LETTERS.findall(piece[0]))
            groups[-1].append(max(many, _CLASS_SIZE if piece[0][0] in "\\[." else 1))
    return sum(map(sum, groups))
