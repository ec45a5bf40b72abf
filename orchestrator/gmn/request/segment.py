"""The parts of a clause that each say one thing at most, and the action that each is about.

A *segment* is the part of a clause between commas, semicolons and ``and``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.names import by_root, found_in, roots
from orchestrator.gmn.request.scan import ARTICLES, PARTICLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.request.names import NamedValues
    from orchestrator.gmn.request.scan import Scan

_VERBS = verbs.CAUSE | verbs.FIX | verbs.UP | verbs.DOWN | verbs.SHOWS
_AFTER_GERUNDS = (_VERBS | {"does", "has", "keeps", "is"}) - {"up"}
_UNNAMED = verbs.SILENT | verbs.HAPPENS
_APART = frozenset(",;:.!?\n")
_LONGEST = 24


@dataclass
class Segment:
    """Words `begin` to before `end`, with what was found in them.

    Attributes:
        known: the states that are named, each with the place of its first word.
        towards: the state of which a comparison is said: ``calmer``.
        action: the action that it is about, at word `at`, and whether it begins with it.
    """

    scan: Scan
    names: NamedValues
    begin: int
    end: int
    known: list[tuple[int, str]] = field(default_factory=list)
    towards: str = ""

    def __post_init__(self) -> None:
        self.low = [self.scan.low(n) for n in range(self.begin, self.end)]
        at = 0
        while at < len(self.low):
            name, length = found_in(self.low, at, self.names.states)
            is_own = self.low[at] == name.casefold()
            is_verb = length == 1 and self.low[at] in verbs.UP | verbs.DOWN and not is_own
            if length == 1 and self.low[at].endswith("er") and not is_own:
                self.towards, is_verb = name, True
            if name and not is_verb:  # ``it slows`` is not the state called slow
                self.known.append((at, name))
            at += length or 1
        self.action, self.at, self.is_first = _action_of(self)

    @property
    def is_whole(self) -> bool:
        """Whether it is an action and nothing more."""
        return self.is_first and self.at + len(self.action.split()) == len(self.low)

    def has(self, *some: frozenset[str]) -> bool:
        """Whether it has a word of one of these sets."""
        return any(word in one for word in self.low for one in some)


def segments(scan: Scan) -> Iterator[tuple[int, int]]:
    """The parts of the text between signs and ``and``, as far as no list is in them."""
    begin = 0
    for at in range(len(scan.tokens) + 1):
        is_end = at == len(scan.tokens) or scan.tokens[at].text in _APART or _is_apart(scan, at)
        if is_end or scan.low(at) in ("and", "but"):
            begin += scan.low(begin) in ("and", "but", "then")
            if begin < at <= begin + _LONGEST and scan.is_free(begin, at):
                yield begin, at
            begin = at + 1


def _is_apart(scan: Scan, at: int) -> bool:
    """Whether a stroke or an ``or`` parts what happens: ``warm 90% / hot``, ``(90%) or hot``."""
    if scan.low(at) == "or":
        before = scan.low(at - 1)
        return before in (")", "%", "percent") or before[:1].isdigit()
    return scan.low(at) == "/" and at > 0 and scan.tokens[at - 1].end < scan.tokens[at].start


def _action_of(segment: Segment) -> tuple[str, int, bool]:
    """The action that a segment is about, its place, and whether it stands at the beginning."""
    for at, word in enumerate(segment.low):
        name, _ = found_in(segment.low, at, segment.names.actions)
        if word in segment.names.states and word not in name.casefold().split():
            name = ""  # ``reviewed -> draft`` is not what ``review`` does
        if not name and word.endswith("ing"):
            heads = [n for n in segment.names.actions if roots(n.split()[0]) & roots(word)]
            name = heads[0] if len(heads) == 1 else ""
        name = name or _by_object(segment, word)
        is_first = all(w in verbs.LEADING for w in segment.low[:at])
        is_after = at > 0 and segment.low[at - 1] in ("when", "if", "by", "whenever")
        if is_first and not segment.names.actions:
            name = _unnamed(segment, at)
        if name and (is_first or is_after):
            return name, at, is_first
    return "", -1, False


def _unnamed(segment: Segment, at: int) -> str:
    """What nobody listed: ``off`` of ``off does nothing``, and what only its gerund names."""
    word = segment.low[at]
    if segment.low[at + 1 : at + 3] == ["does", "nothing"]:
        return word
    is_gerund = word.endswith("ing") and len(word) > 4 and word not in segment.names.states
    return _gerund(segment, at) if is_gerund else ""


def _by_object(segment: Segment, word: str) -> str:
    """The one action that has a word: ``a pill`` where it can take a pill."""
    names = segment.names
    by_word = by_root(names.actions)
    found = set[str]().union(*(by_word.get(root, ()) for root in roots(word)))
    is_state = not roots(word).isdisjoint(by_root(names.states))
    return found.pop() if len(found) == 1 and not is_state and word not in _UNNAMED else ""


def _gerund(segment: Segment, at: int) -> str:
    """An action that only its effect names: ``watering``, ``opening the gate``, ``turning it
    up``."""
    said, low = [segment.low[at]], segment.low
    for n in range(at + 1, min(at + 5, len(low))):
        is_part = low[n - 1] in ("it", "them") and low[n] in PARTICLES | {"down"}
        if low[n] in _AFTER_GERUNDS and not is_part:
            return " ".join(said)
        if low[n] not in ARTICLES and low[n] not in ("it", "them"):
            said.append(low[n])
    return said[0]


def is_condition(segment: Segment, at: int) -> bool:
    """Whether the state at word `at` is the one in which something happens."""
    said = [w for w in segment.low[max(0, at - 4) : at] if w not in ARTICLES]
    is_be = bool(said) and said[-1] in ("is", "are", "it", "a")
    return bool(said) and (said[-1] in verbs.WHEN or (is_be and any(w in verbs.WHEN for w in said)))
