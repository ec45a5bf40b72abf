"""A model made of nothing but the names in the sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.model import (
    Condition,
    Conditional,
    GMNSpec,
    Outcome,
    Policy,
    Preference,
    Rule,
    Table,
    Variable,
)
from orchestrator.parsing.spelling import nearest
from orchestrator.routing.offline.wording import Wording, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEEPING = ("stay", "wait", "hold", "rest", "nothing", "do_nothing", "none", "idle")
SUCCESS = 0.8  # how often an action works, where the sentence does not say


def build_named(
    wording: Wording, constraints: Mapping[str, int], assumptions: list[str]
) -> GMNSpec:
    """One state factor, one modality, one action, with the names given and the rest assumed."""
    states = _fitting(
        wording.states or _from_actions(wording), "max_states", constraints, assumptions
    )
    if not states:
        states = ("off_goal", "at_goal")[: constraints.get("max_states", 2)]
        assumptions.append("the sentence names no states: off_goal and at_goal")
    observations = _fitting(wording.observations, "max_observations", constraints, assumptions)
    seen = observations or states[: constraints.get("max_observations", len(states))]
    if not observations:
        assumptions.append("no observations were named: the state itself is seen, with noise")
    actions = _actions(wording, states, constraints, assumptions)
    goal = _goal(wording, states, assumptions)
    noise = 0.1 if wording.noise is None else wording.noise
    if wording.noise is None:
        assumptions.append("sensor noise was not named: 10%")
    return GMNSpec(
        name="agent",
        states=(Variable(name="state", labels=states),),
        observations=(Variable(name="seen", labels=seen),),
        actions=(Variable(name="act", labels=actions),),
        likelihoods=(_likelihood(states, seen, noise, assumptions),),
        transitions=(_transition(states, actions, wording, assumptions),),
        priors=(_prior(wording, states, assumptions),),
        preferences=(_preference(wording, states, goal),),
        policy=Policy(horizon=min(wording.horizon or 2, constraints.get("max_horizon", 8))),
    )


def _fitting(
    names: Sequence[str], key: str, constraints: Mapping[str, int], assumptions: list[str]
) -> tuple[str, ...]:
    most = constraints.get(key, 256)
    if len(names) > most:
        assumptions.append(f"{key}={most}: {', '.join(names[most:])} left out")
    return tuple(names[:most])


def _from_actions(wording: Wording) -> tuple[str, ...]:
    """Without named states, each action has a state that it leads to."""
    return tuple(f"did_{name}"[:48] for name in wording.actions)


def _actions(
    wording: Wording,
    states: Sequence[str],
    constraints: Mapping[str, int],
    assumptions: list[str],
) -> tuple[str, ...]:
    if wording.actions:
        return _fitting(wording.actions, "max_actions", constraints, assumptions)
    assumptions.append("no actions were named: one for going to each state")
    made = tuple(f"go_{name}"[:48] for name in states)
    return _fitting(made, "max_actions", constraints, assumptions)


def _goal(wording: Wording, states: Sequence[str], assumptions: list[str]) -> str:
    for word in (wording.goal, slug(wording.goal)):
        near = _named(word, states)
        if near:
            return near
    if wording.goal:
        assumptions.append(f"goal {wording.goal!r} is not a state: {states[-1]}")
    else:
        assumptions.append(f"no goal was named: {states[-1]}")
    return states[-1]


def _named(word: str, labels: Sequence[str]) -> str:
    lowered = word.lower()
    for label in labels:
        if label.lower() in (lowered, lowered.split("_")[0]) or lowered.startswith(label.lower()):
            return label
    return nearest(word, labels) or ""


def _likelihood(
    states: Sequence[str], seen: Sequence[str], noise: float, assumptions: list[str]
) -> Conditional:
    if tuple(seen) != tuple(states):
        assumptions.append("which observation goes with which state was not said: in order")
    if len(seen) == len(states):
        kind = "others" if len(seen) > 1 else "uniform"
        table = Table(kind="identity", noise=noise, noise_kind=kind)  # type: ignore[arg-type]
    else:
        labels = tuple(seen[i * len(seen) // len(states)] for i in range(len(states)))
        table = Table(kind="map", map=labels, noise=noise)
    return Conditional(of="seen", given=("state",), table=table)


def _transition(
    states: Sequence[str], actions: Sequence[str], wording: Wording, assumptions: list[str]
) -> Conditional:
    works = SUCCESS if wording.slip is None else 1.0 - wording.slip
    rules: list[Rule] = []
    guessed: list[str] = []
    for k, action in enumerate(actions):
        target = _target(action, states)
        if target is None and _keeps(action):
            continue
        if target is None:
            target = states[k % len(states)]
            guessed.append(f"{action} leads to {target}")
        then = [Outcome(value=target, p=works)]
        if works < 1.0:
            then.append(Outcome(value="@stay", p=round(1.0 - works, 12)))
        rules.append(Rule(when=(Condition(var="act", values=(action,)),), then=tuple(then)))
    rules.append(Rule(then=(Outcome(value="@stay", p=1.0),)))
    if len(rules) > len(actions):
        rules.pop()  # every action has a rule of its own
    if guessed:
        assumptions.append(f"what the actions do was not said: {', '.join(guessed)}")
    assumptions.append(f"an action works {works:.0%} of the time")
    table = Table(kind="rules", rules=tuple(rules))
    return Conditional(of="state", given=("act", "state"), table=table)


def _target(action: str, states: Sequence[str]) -> str | None:
    parts = action.lower().split("_")
    for state in states:
        if state.lower() in (action.lower(), "_".join(parts[1:])) or state == f"did_{action}":
            return state
    return None


def _keeps(action: str) -> bool:
    return action.lower() in _KEEPING


def _prior(wording: Wording, states: Sequence[str], assumptions: list[str]) -> Conditional:
    start = _named(wording.start, states) if wording.start else ""
    if start:
        return Conditional(of="state", table=Table(kind="map", map=(start,)))
    assumptions.append("no start was named: every state is equally likely")
    return Conditional(of="state", table=Table(kind="uniform"))


def _preference(wording: Wording, states: Sequence[str], goal: str) -> Preference:
    values = [3.0 if label == goal else 0.0 for label in states]
    for word in wording.avoid:
        if (label := _named(word, states)) and label != goal:
            values[states.index(label)] = -6.0
    return Preference(on="state", values=tuple(values), reason=f"be in {goal}")
