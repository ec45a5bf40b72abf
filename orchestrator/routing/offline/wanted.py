"""What the agent of a sentence wants and avoids, and what things cost it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.model import Goal, Payoff, Preference
from orchestrator.gmn.request.names import roots_of
from orchestrator.routing.offline.draft import AVERSION, GOAL, UNSAID, labelled, near, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.commitment import Commitment
    from orchestrator.routing.offline.draft import Draft


def preferences(
    draft: Draft, states: Sequence[str], actions: Sequence[str]
) -> tuple[Preference, ...]:
    """Goals, what is avoided and utilities; a question where nothing is wanted at all."""
    seen = labelled(draft.names.observations)
    on: dict[str, dict[str, float]] = {"state": {}, "seen": {}, "act": {}}
    labels = {"state": states, "seen": seen, "act": actions}
    lost = False
    for one in draft.of("goal", "avoid"):
        places = [(name, near(str(one.value), labels[name])) for name in labels]
        name, label = next(((n, found) for n, found in places if found), ("", ""))
        if not label:
            lost = True
            if UNSAID not in states:
                ways = ", ".join(states)
                draft.ask(f"which of {ways} is meant by {draft.reading.said(one)!r}?")
        else:
            on[name][label] = GOAL if one.kind == "goal" else AVERSION
    rules = [rule for one in draft.of("utility") for rule in _paid(draft, one, on, labels)]
    if not rules and not lost and not any(on.values()) and not list(draft.of("utility")):
        draft.ask("what does the agent want, and what does it avoid?")
    found = [
        Preference(on=name, goals=tuple(Goal(value=v, utility=u) for v, u in worth.items()))
        for name, worth in on.items()
        if worth and not (name == "act" and rules)
    ]
    if rules:
        rules += [Payoff(when=when(("act", v)), utility=worth) for v, worth in on["act"].items()]
        found.append(Preference(on="act", given=("state",), rules=tuple(rules)))
    return tuple(found)


def _paid(
    draft: Draft, one: Commitment, on: dict[str, dict[str, float]], labels: dict[str, Sequence[str]]
) -> list[Payoff]:
    """A rule for an action in a state; what is of one of them alone goes to `on`."""
    value = float(one.value)  # type: ignore[arg-type]  # a utility is a number
    said = roots_of(one.about)
    state = _mentioned(said, labels["state"])
    action = _mentioned(said, labels["act"])
    if state and action:
        return [Payoff(when=when(("act", action), ("state", state)), utility=value)]
    seen = _mentioned(said, labels["seen"])
    if state or action or seen:
        name = "state" if state else "act" if action else "seen"
        on[name][state or action or seen] = value
    else:
        draft.ask(f"what does {draft.reading.said(one)!r} count for: which state or action?")
    return []


def _mentioned(said: frozenset[str], labels: Sequence[str]) -> str:
    found = [label for label in labels if roots_of(label) <= said] or [
        label for label in labels if roots_of(label) & said
    ]
    return found[0] if len(found) == 1 else ""
