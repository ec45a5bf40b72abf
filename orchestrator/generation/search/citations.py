"""Source numbers in an answer, held against the sources that were shown."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter

from orchestrator.types.pattern import pattern

# Code, images, links and their definitions have brackets of their own, and so have lists in lists.
_NOT_PROSE = (
    r"^ {0,3}(?P<fence>```+|~~~+)(?:.|\n)*?(?:^ {0,3}(?P=fence)|\Z)"
    r"|(?P<tick>`{1,9}+)[^`\n]++(?P=tick)|!?\[[^\]\n]{0,99}+\]\([^)\n]{0,399}+\)"
    r"|^ {0,3}\[[^\]\n]{1,99}+\]:\s*+(?:<|http|/|#)|\[[^\]\n\d]{1,99}\]\[\d+\]|https?://\S+"
)
_NUMBERS = r"\s*[1-9]\d{0,2}(?:\s*(?:[,;\u2013-]|and)\s*[1-9]\d{0,2})*\s*"
_GROUP = pattern(rf"\[({_NUMBERS})\]")
_PLACES = pattern(
    rf"{_NOT_PROSE}|(?P<blank>(?:(?<=\]),)?[ \t]{{0,9}})(?P<cited>(?:\[{_NUMBERS}\])+)"
    r"(?P<after>\s*=|\.\w|[(\[\]{])?",
    re.M,
)
_LISTS = pattern(r"[\d\s.,\[\]-]++")
_OPENED, _CLOSED = pattern(r"\[\s*+\["), pattern(r"\](?=\s*+(\]))")
_FAR = 200  # characters before a bracket that say what it is
# An index follows a name as code has them, a list follows a key or opens another bracket.
_CODE = pattern(
    r"(?:(?<!\w)[^\W\d]\w?|(?<!\w)[^\W\d][^\W\d_]*+[\d_]\w*+|\w\.\w++|\w\([^()\s]*+\)|[=(\[{\\]\s*+"
    r"|^\s*+(?:- )?[\"']?(?!sources?\b|references?\b|see\b)[\w.-]++[\"']?\s*+[:=]\s*+)\Z",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Cited:
    """An answer's text without unknown source numbers.

    Attributes:
        used: numbers of the sources that it names, ascending.
        notes: what was removed, a line each.
    """

    text: str
    used: tuple[int, ...]
    notes: tuple[str, ...]


def checked(text: str, known: Collection[int]) -> Cited:
    """`text` without the citations whose number is not in `known`.

    A citation is ``[1]``, ``[1, 2]``, ``[1-3]`` or ``[1][2]`` in prose, of numbers below 1000. JSON
    stays as it is, and so do code, links and lists.
    """
    if _is_json(text):
        return Cited(text, (), ())
    used: set[int] = set()
    unknown: dict[int, None] = {}
    lists = _lists_in_lists(text)

    def kept(group: re.Match[str]) -> str:
        numbers = _numbers(group[1])
        right = [n for n in numbers if n in known]
        used.update(right)
        unknown.update(dict.fromkeys(n for n in numbers if n not in known))
        return group[0] if right == numbers else f"[{', '.join(map(str, right))}]" if right else ""

    def replaced(place: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, place.start()) + 1 : place.start("cited")]
        if not place["cited"] or place["after"] or _is_code(line[-_FAR:]):
            return place[0]
        n = bisect(lists, place.start("cited"), key=itemgetter(0))
        if n and place.start("cited") < lists[n - 1][1]:
            return place[0]
        left = _GROUP.sub(kept, place["cited"])
        return f"{place['blank']}{left}" if left else ""

    made = _PLACES.sub(replaced, text)
    notes = tuple(f"removed [{number}]: no source has this number" for number in unknown)
    return Cited(made, tuple(sorted(used)), notes)


def _lists_in_lists(text: str) -> list[tuple[int, int]]:
    """Where lists of lists of numbers begin and end."""
    found = []
    for run in _LISTS.finditer(text):
        if opened := _OPENED.search(text, *run.span()):
            ends = [one.end(1) for one in _CLOSED.finditer(text, opened.end(), run.end())]
            found += [(opened.start(), ends[-1])] if ends else []
    return found


def _is_code(line: str) -> bool:
    """Whether a bracket after this belongs to code; an entry of an open brace does."""
    end = line.rstrip()
    is_entry = end.endswith((":", ",")) and end.rfind("{") > end.rfind("}")
    return is_entry or bool(_CODE.search(line))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _numbers(group: str) -> list[int]:
    """``1, 3-5`` as 1, 3, 4, 5."""
    found: list[int] = []
    for part in re.split(r"[,;]|and", group):
        first, *last = map(int, re.split(r"[\u2013-]", part))
        found += range(first, max([first, *last]) + 1)
    return found
