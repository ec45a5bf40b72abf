"""How a part of a clause says that something goes along a list of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.directions import orientation
from orchestrator.gmn.request.tokens import number, words

if TYPE_CHECKING:
    from orchestrator.gmn.request.segment import Segment

_TOWARDS = words("towards toward nearer closer")
_ONE = words("one a 1")
_NEXT = {"next": 1, "previous": -1}
_LOSES, _GAINS = words("away loses lose removes remove"), words("adds add gains gain")
#: What is understood where a step is said.
STEP_WORDS = _LOSES | _GAINS | _NEXT.keys()


def counted(segment: Segment) -> list[str]:
    """The words behind ``one`` and ``a``."""
    return [b for a, b in zip(segment.low, segment.low[1:], strict=False) if a in _ONE]


def step_of(segment: Segment, label: str) -> int:
    """How a segment says that it goes along the list: 1 for up or on, -1 for down or back."""
    states = segment.names.states
    low = segment.low
    said = (low[n - 1] for n, _ in segment.known if n and number(low[n]) is None)
    if label and segment.has(verbs.STEPS) and any(w in _TOWARDS | verbs.STEPS for w in said):
        return 1 if states.index(label) >= len(states) / 2 else -1
    if label:
        return 0
    if segment.has(verbs.WORSE):
        return -2
    if segment.has(verbs.BETTER):
        return 2
    is_step = segment.has(verbs.STEPS)
    if segment.towards:  # ``one mood calmer``
        place = states.index(segment.towards)
        if place in (0, len(states) - 1):
            return 1 if place else -1
    if following := next((w for w in low if w in _NEXT), ""):
        return _NEXT[following]
    up = segment.has(verbs.UP) or (is_step and segment.has(_GAINS))
    down = segment.has(verbs.DOWN) or (is_step and segment.has(_LOSES))
    return 0 if up == down else (1 if up else -1) * (orientation(states) or 1)
