"""Comments are not part of a model, but their author wants them back after formatting."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.syntax import remarks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.gmn.formats.source_map import SourceMap

#: Where the line ``end`` stands, and comments after the last statement go.
END = "/end"
_STATEMENT = re.compile(r"/(?:gmn|name|policy|end|[a-z]+/\d+)")


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
