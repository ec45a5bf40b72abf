"""Comments are not part of a model, but their author wants them back after formatting."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.syntax import remarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestrator.gmn.formats.source_map import SourceMap

#: Where the line ``end`` stands, and comments after the last statement go.
END = "/end"
#: Sections that are written inside another statement.
_INSIDE = {"habits": "/policy", "metadata": "/name"}
_STATEMENT = re.compile(r"/(?:gmn|name|policy|end|[a-z]+/\d+)")


def moved(
    comments: Mapping[str, tuple[str, ...]], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """The comments of a document for a changed one; statements are known by their names.

    Both are trees of canonical JSON. The comments of a statement that is gone go to `END`.
    """
    places = {_name(new, pointer): pointer for pointer in _pointers(new)}
    found: dict[str, tuple[str, ...]] = {}
    for pointer, lines in comments.items():
        place = pointer
        if pointer.count("/") == 2:
            section = pointer.split("/")[1]
            place = _INSIDE.get(section) or places.get(_name(old, pointer), END)
        found[place] = (*found.get(place, ()), *lines)
    return found


def _pointers(tree: Mapping[str, Any]) -> Iterator[str]:
    for section, entries in tree.items():
        if isinstance(entries, list):
            yield from (f"/{section}/{index}" for index in range(len(entries)))


def _name(tree: Mapping[str, Any], pointer: str) -> tuple[str, str]:
    """Section and name of a statement: of a variable its own, of a table that of its variable."""
    section, index = pointer[1:].split("/")
    entry = tree[section][int(index)]
    return section, next(
        str(entry[key]) for key in ("name", "of", "on", "action", "key") if key in entry
    )


def comments_of(places: SourceMap) -> Mapping[str, tuple[str, ...]]:
    """The comments of a block text by the pointer of the statement that they stand above.

    A comment inside a statement, or behind it on its last line, belongs to that statement; one
    between two belongs to the next, one above all to the whole document (``/gmn``), one below all
    to `END`. Comments in prose around a document are prose.
    """
    starts = sorted((at, p) for p, at in places.offsets.items() if _STATEMENT.fullmatch(p))
    found: dict[str, list[str]] = {}
    for remark in remarks(places.text):
        index = bisect_right(starts, (remark.offset, "\uffff"))
        if index == 0:
            owner = "/gmn" if remark.is_first else ""
        elif remark.is_inside or remark.is_behind:
            owner = starts[index - 1][1]
        elif index < len(starts):
            owner = starts[index][1]
        else:
            owner = END if remark.is_last else ""
        if owner:
            found.setdefault(owner, []).append(remark.text.rstrip())
    return {pointer: tuple(lines) for pointer, lines in found.items()}
