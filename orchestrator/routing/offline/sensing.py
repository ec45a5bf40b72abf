"""What is seen of the state of a model: always, or when an action looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.model import Conditional, GMNSpec, Rule, Table, Variable
from orchestrator.gmn.request.directions import orientation
from orchestrator.gmn.request.names import roots, roots_of
from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.tokens import words
from orchestrator.routing.offline.draft import UNSAID, labelled, near, then, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.commitment import Effect
    from orchestrator.routing.offline.draft import Draft

SENSES = words(
    "hear smell taste feel interview ask asks look looks inspect check test tests listen measure"
    " probe scan watch observe peek sniff phone consult query examine sample weigh investigate"
    " survey"
)


def looking(draft: Draft, actions: Sequence[str]) -> tuple[str, ...]:
    """The actions that show something; a question where nobody says how well they do."""
    done = {one.action for one in draft.reading.effects}
    said = roots_of(" ".join(draft.part(one.span) for one in draft.of("noise")))
    named = [a for a in actions if said & content(a)]
    found = tuple(
        a
        for a in actions
        if (is_sense(a) or named == [a]) and not any(near(e, (a,)) for e in done if e)
    )
    if found and draft.first("noise") is None:
        for action in found:
            draft.ask(f"what does `{action}` show, and how often is it right?")
    return found


def content(action: str) -> frozenset[str]:
    """The roots of the words of an action that mean something."""
    said = [word for word in action.split("_") if len(word) > 2 and word not in ARTICLES]
    return roots_of(" ".join(said))


def is_sense(action: str) -> bool:
    """Whether an action is to look, to ask, to test."""
    return any(roots(word) & SENSES for word in action.split("_"))


def seen(draft: Draft, spec: GMNSpec, look: Sequence[str], effects: Sequence[Effect]) -> GMNSpec:
    """The model with its observation; where actions look, it shows something after them alone."""
    states = spec.states[0].labels
    if look and not draft.names.observations:
        return with_look(draft, spec, look)
    listed = draft.fitting(labelled(draft.names.observations), "max_observations")
    labels = listed or draft.fitting(states, "max_observations")
    table = _table(draft, states, labels, effects) if listed else _shown(draft, labels, states)
    return spec.model_copy(
        update={
            "observations": (Variable(name="seen", labels=labels),),
            "likelihoods": (Conditional(of="seen", given=("state",), table=table),),
        }
    )


def _shown(draft: Draft, labels: Sequence[str], states: Sequence[str]) -> Table:
    """The state itself, wrong as often as the sentence says."""
    if len(labels) < len(states):
        return Table(kind="map", map=tuple(labels[min(n, len(labels) - 1)] for n in
                     range(len(states))))  # fmt: skip
    noise = draft.noise(0.0, "what is seen of the state") if len(labels) > 1 else 0.0
    return Table(kind="identity", noise=noise, noise_kind="others" if noise else "uniform")


def _table(
    draft: Draft, states: Sequence[str], labels: Sequence[str], effects: Sequence[Effect]
) -> Table:
    """What is observed at each state: as it is said, called alike, or in the order of the lists."""
    shown = {near(e.before, states): e for e in effects if e.is_shown}
    if not shown and set(labels) == set(states):
        return _shown(draft, labels, states)
    alike = {state: near(state, labels) for state in states}
    if not shown and all(alike.values()) and len(set(alike.values())) == len(labels):
        return Table(kind="map", map=tuple(alike.values()), noise=draft.noise(0.0, "what is seen"))
    is_ordered = orientation(tuple(states)) * orientation(tuple(labels)) > 0
    if not shown and len(labels) == len(states) and (is_ordered or _is_announced(draft)):
        noise = draft.noise(0.0, "what is seen")
        draft.assume("which observation goes with which state was not said: in order")
        return Table(kind="identity", noise=noise, noise_kind="others" if noise else "uniform")
    rules = []
    if UNSAID in states:
        return Table(kind="uniform")
    for state in states:
        effect = shown.get(state)
        if effect is None:
            draft.ask(f"which of {', '.join(labels)} is seen at {state}, and how often?")
            continue
        label, chance = near(effect.after, labels), 1.0 if effect.chance is None else effect.chance
        rest = (1.0 - chance) / max(len(labels) - 1, 1)
        row = [(name, chance if name == label else rest) for name in labels]
        rules.append(Rule(when=when(("state", state)), then=then(*row)))
    if len(rules) < len(states):
        return Table(kind="uniform")
    return Table(kind="rules", rules=tuple(rules))


def _is_announced(draft: Draft) -> bool:
    lists = [*draft.of("states", "options"), *draft.of("observations")]
    lists = [o for o in lists if o.value in (draft.names.states, draft.names.observations)]
    return all(one.rule == "list after a noun" for one in lists)


def with_look(draft: Draft, spec: GMNSpec, look: Sequence[str]) -> GMNSpec:
    """The model with a reading of its first state that is there after the actions `look` alone."""
    states = spec.states[0].labels
    nothing = "nothing" if "nothing" not in states else "no_reading"
    noise = draft.noise(0.0, "what is shown") if len(states) > 1 else 0.0
    rest = noise / max(len(states) - 1, 1)
    rules = [Rule(when=when(("looked", "no")), then=then((nothing, 1.0)))]
    for state in states:
        row = [(name, 1.0 - noise if name == state else rest) for name in states]
        rules.append(Rule(when=when((spec.states[0].name, state)), then=then(*row)))
    moved = (
        Rule(when=when(("act", look)), then=then(("yes", 1.0))),
        Rule(then=then(("no", 1.0))),
    )
    given = (spec.states[0].name, "looked")
    reading = Variable(name="reading", labels=(nothing, *states))
    table = Table(kind="rules", rules=tuple(rules))
    return spec.model_copy(
        update={
            "states": (*spec.states, Variable(name="looked", labels=("no", "yes"))),
            "observations": (reading, *spec.observations),
            "likelihoods": (Conditional(of="reading", given=given, table=table), *spec.likelihoods),
            "transitions": (
                *spec.transitions,
                Conditional(of="looked", given=("act",), table=Table(kind="rules", rules=moved)),
            ),
            "priors": (
                *spec.priors,
                Conditional(of="looked", table=Table(kind="map", map=("no",))),
            ),
        }
    )
