"""Which way an action goes, by its name or along a list of states, and which way a list goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.tokens import number, words

if TYPE_CHECKING:
    from orchestrator.gmn.request.segment import Segment

#: What an action may be called that goes along any list.
_UPWARDS = words("up raise raises higher increase increases lift forward forwards ahead next")
_DOWNWARDS = words("down lower lowers decrease decreases reduce back backward backwards previous")
_ANTICLOCKWISE = words("anticlockwise counterclockwise anti-clockwise counter-clockwise")
#: Ends of lists, by what their labels mean: the first is the low end.
_LOW = words(
    "cold cool low empty slow dry off dark small weak quiet none behind still poor few short"
    " shallow thin"
)
_HIGH = words(
    "hot warm high full fast wet on bright large strong loud many ahead rich soggy tall deep thick"
)
_TOWARDS = words("towards toward nearer closer")
_ONE = words("one a 1")
_NEXT = {"next": 1, "previous": -1}
_LOSES, _GAINS = words("away loses lose removes remove"), words("adds add gains gain")
#: What is understood where a step is said.
STEP_WORDS = _LOSES | _GAINS | _NEXT.keys()


def _parts(name: str) -> frozenset[str]:
    return words(name.casefold().replace("_", " "))


def level_step(name: str) -> int:
    """1 where an action goes up by its name (``raise``, ``go up``), -1 where it goes down."""
    said = _parts(name)
    return (not said.isdisjoint(_UPWARDS)) - (not said.isdisjoint(_DOWNWARDS))


def ring_step(name: str) -> int:
    """1 where an action goes round clockwise by its name, -1 for the other way."""
    said = _parts(name)
    return ("clockwise" in said) - (not said.isdisjoint(_ANTICLOCKWISE))


def orientation(states: tuple[str, ...]) -> int:
    """1 where a list goes from low to high by its labels, -1 from high to low, 0 if they do not
    say."""
    up, down = _place_of(_HIGH, states), _place_of(_LOW, states)
    return (up > down) - (up < down)


def _place_of(end: frozenset[str], states: tuple[str, ...]) -> float:
    """Where in a list the labels of one end are; the middle where there are none."""
    found = [n for n, name in enumerate(states) if not _parts(name).isdisjoint(end)]
    return sum(found) / len(found) if found else (len(states) - 1) / 2


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
