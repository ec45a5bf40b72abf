"""What a sentence says that happens, as far as it says it clearly: else a question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.gmn.request.directions import orientation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.commitment import Effect
    from orchestrator.routing.offline.draft import Draft


_SLACK = 1e-9


def told_apart(draft: Draft) -> Sequence[Effect]:
    """The effects; a question for what happens by itself, nobody says how often."""
    is_open = not draft.names.actions and any(one.action for one in draft.reading.effects)
    for one in (e for e in draft.reading.effects if not (e.action or e.is_shown or e.is_alone)):
        said = draft.reading.text[one.span.start : one.span.end]
        if one.chance is None:
            way = "(or `actions: ...`, where the agent does it)" if not draft.names.actions else ""
            draft.ask(f"with which probability does this happen: {said!r} {way}".strip() + "?")
        elif is_open and said.split()[0] in draft.reading.not_understood:
            draft.ask(f"does {said!r} happen by itself, or is it an action (`actions: ...`)?")
    _ask_of_two(draft)
    states = draft.names.states
    if any(abs(one.step) == 1 for one in draft.reading.effects) and orientation(states) == 0:
        goal = next(draft.of("goal"), None)
        is_best_first = goal is not None and str(goal.value).casefold() == states[0].casefold()
        if is_best_first and any(one.step == 1 for one in draft.reading.effects):
            draft.ask(f"is up from {states[0]} towards {states[-1]}, or the other way?")
        draft.assume(f"up is from {states[0]} towards {states[-1]}")
    return [_leaving(draft, one) for one in draft.reading.effects]


def _leaving(draft: Draft, one: Effect) -> Effect:
    """``clear stays clear with 0.9`` of two states: it becomes the other with 0.1."""
    states = draft.names.states
    if one.after != "@stay" or one.chance is None or one.chance == 1 or one.before not in states:
        return one
    if len(states) != 2:
        draft.ask(f"where does {one.before} go when it does not stay?")
        return one
    other = states[1 - states.index(one.before)]
    return replace(one, after=other, chance=round(1 - one.chance, 12))


def _ask_of_two(draft: Draft) -> None:
    """A question where an action is said to do two things in one state, not how often each."""
    done: dict[tuple[str, str], dict[tuple[str, int], Effect]] = {}
    for one in (e for e in draft.reading.effects if not e.is_shown and not is_rest(e)):
        done.setdefault((one.action, one.before), {}).setdefault((one.after, one.step), one)
    for ways in (list(found.values()) for found in done.values() if len(found) > 1):
        shares = [one.chance for one in ways if one.chance is not None]
        if len(shares) < len(ways) or sum(shares) > 1 + _SLACK:
            said = [repr(draft.reading.text[e.span.start : e.span.end]) for e in ways]
            draft.ask(f"which of {' and '.join(said)} is so, or how often is each?")


def is_rest(one: Effect) -> bool:
    """``otherwise no change``, which is so of whatever is not said."""
    return one.after == "@stay" and one.chance is None
