"""Who does what happens, where no list says what can be done: the subjects of what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.request.commitment import Commitment, TextSpan
from orchestrator.gmn.request.names import roots, roots_of
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES
from orchestrator.gmn.request.segment import CAUSE, HAPPENS, segments
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from orchestrator.gmn.request.scan import Scan

RULE = "subjects"
_LEAVES = words("it them things everything all")
_STEPS = words("step notch level floor")
#: What makes things happen and is not done by an agent.
_NATURE = words(
    "rain sun wind snow frost storm weather night day winter summer time age nature heatwave tide"
    " it this that these those he she they we i you which who everything something someone"
    " somebody each every all both one"
)


def add_subjects(scan: Scan, states: tuple[str, ...]) -> None:
    """Record ``heat moves one step up, cool one step down, off leaves it`` as three actions.

    Only where one of them is said to leave things as they are: then they are a choice.
    """
    found: dict[str, int] = {}
    own, has_idle = roots_of(" ".join(states)), False
    for begin, _ in segments(scan):
        is_another = scan.low(begin) in ARTICLES  # ``the sun makes it dry``
        word, then, third = (scan.low(begin + is_another + n) for n in range(3))
        is_idle = (then, third) == ("does", "nothing") or (then == "leaves" and third in _LEAVES)
        is_step = then in ("one", "a") and third in _STEPS
        if not (is_idle or is_step or (then in HAPPENS | CAUSE and then.endswith("s"))):
            continue
        if is_another or word in _NATURE or (word.endswith("ing") and not is_idle):
            return
        if word in BOUNDARIES - {"off"} or not roots(word).isdisjoint(own):
            continue
        found.setdefault(word, begin)
        has_idle |= is_idle
    if has_idle and len(found) > 1:
        at = sorted(found.values())
        span = TextSpan(scan.tokens[at[0]].start, scan.tokens[at[-1]].end)
        scan.found.append(Commitment("actions", tuple(found), span, RULE))
