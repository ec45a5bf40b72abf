"""From a roles and its answers to a whole document: code writes every table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.generation.staged.effects import transition_of
from orchestrator.generation.staged.roles import scene_of
from orchestrator.generation.staged.sheet import figure
from orchestrator.generation.staged.wishes import avoided_in, preferences_of, wanted_in
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import (
    Conditional,
    Entry,
    GMNSpec,
    Goal,
    Outcome,
    Policy,
    Preference,
    Rule,
    Table,
)
from orchestrator.gmn.request.labels import meant_by, stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.generation.staged.roles import Answers, Roles
    from orchestrator.generation.staged.sheet import Sheet
    from orchestrator.gmn.model import Variable

NOISE = 0.1  # of what is observed, where the sentence does not say
_MOST_WORK = 200_000  # plans times values of the largest state


def document_of(
    sheet: Sheet, answers: Answers, *, instead: Answers | None = None, agent_type: str = "general"
) -> GMNSpec:
    """The document for a sentence and what was answered about it; pure.

    What `instead` says counts in place of the answers: it was found by simulation.
    """
    said, answers = answers, {**answers, **(instead or {})}
    roles = scene_of(sheet, answers)
    preferences = tuple(preferences_of(roles))
    return GMNSpec(
        name="agent",
        description=" ".join(sheet.sentence.split())[:200],
        agent_type=agent_type,
        states=roles.states,
        observations=tuple(one for one, _ in roles.observations),
        actions=roles.actions,
        likelihoods=tuple(_likelihood(roles, n) for n in range(len(roles.observations))),
        transitions=_transitions(roles, preferences),
        priors=tuple(_prior(roles, state) for state in roles.states),
        preferences=preferences + _idle(roles, preferences),
        policy=_policy(roles),
        metadata=(Entry(key="assumptions", value=_assumptions(said, instead or {})),),
    )


def _assumptions(said: Answers, instead: Answers) -> str:
    """What a model answered, and what simulation put in the place of which answer."""
    parts = [f"{key} {choice}" for key, choice in said.items()]
    found = f"a model answered: {'; '.join(parts)}" if parts else "no model was asked"
    if not instead:
        return found
    other = [f"{key} {choice or 'left to the sentence'}" for key, choice in instead.items()]
    return f"{found}. Simulation settled: {'; '.join(other)}"


def _transitions(roles: Roles, wishes: Sequence[Preference]) -> tuple[Conditional, ...]:
    """One for each state; what no action drives stays as it is."""
    found = [transition_of(roles, state) for state in roles.states]
    used = {name for one in found for name in one.given}
    used |= {name for one in wishes for name in one.names}
    idle = tuple(one.name for one in roles.actions if one.name not in used)
    if not idle or roles.is_grid:
        return tuple(found)
    first, *others = found
    stays = Rule(then=(Outcome(value="@stay", p=1.0),))
    table = first.table if first.table.kind == "rules" else Table(kind="rules", rules=(stays,))
    return (first.model_copy(update={"given": (*idle, *first.given), "table": table}), *others)


def _idle(roles: Roles, wishes: Sequence[Preference]) -> tuple[Preference, ...]:
    """Beside a grid, an action that changes nothing that is known is worth nothing, and is kept."""
    if not roles.is_grid:
        return ()
    driving = {name for state in roles.states for name in transition_of(roles, state).given}
    driving |= {name for one in wishes for name in one.names}
    return tuple(
        Preference(on=one.name, goals=(Goal(value=one.names[0], utility=0.0),))
        for one in roles.actions
        if one.name not in driving
    )


def _likelihood(roles: Roles, number: int) -> Conditional:
    """P(observation | state), with the noise that is said; of several each has its own."""
    seen, shown = roles.observations[number]
    state = next(one for one in roles.states if one.name == shown)
    said = sorted(figure(one) for one in roles.sheet.said("noise") if one.value != "some")
    said = said or [NOISE]
    noise = said[number % len(said)] if seen.n > 1 else 0.0
    if seen.names == state.names:
        table = Table(kind="identity", noise=noise, noise_kind="others")
    else:
        shows = shown_by(roles, seen, state)
        table = Table(kind="map", map=shows, noise=noise, noise_kind="others")
    return Conditional(of=seen.name, given=(shown,), table=table)


def shown_by(roles: Roles, seen: Variable, state: Variable) -> tuple[str, ...]:
    """What is seen in each value of a state: by its name, as answered, else in order."""
    found = []
    for at, label in enumerate(state.names):
        alike = [name for name in seen.names if stems(name) & stems(label)]
        said = roles.answers.get(f"show:{label}", "")
        in_order = seen.names[at * seen.n // state.n]
        found.append(said if said in seen.names else alike[0] if len(alike) == 1 else in_order)
    return tuple(found)


def _prior(roles: Roles, state: Variable) -> Conditional:
    meant = [
        label
        for one in roles.sheet.said("start")
        for label in meant_by(one, roles.stub)
        if label.kind == "state" and label.variable == state
    ]
    if meant:
        return _spread(state, [label.at for label in meant])
    for one in roles.sheet.said("prior"):
        row = tuple(float(share) for share in one.value)  # type: ignore[union-attr]  # numbers
        if state is roles.main and len(row) == state.n:
            return Conditional(of=state.name, table=Table(kind="rows", rows=(row,)))
    if len(state.shape) == 2 and (places := roles.sheet.said("goal")):
        goals = {label.at for one in places for label in meant_by(one, roles.stub)}
        return _spread(state, [next(n for n in (0, state.n - 1) if n not in goals or n)])
    chance = roles.sheet.said("chance")
    if chance and roles.is_hidden and state is roles.main and state.n > 1:
        share = figure(chance[0])
        row = (share, *[(1 - share) / (state.n - 1)] * (state.n - 1))
        return Conditional(of=state.name, table=Table(kind="rows", rows=(row,)))
    known = [*wanted_in(roles), *avoided_in(roles)]
    settled = {label.at for label in known if label.variable == state}
    others = [n for n in range(state.n) if n not in settled]
    if settled and others and not roles.is_hidden:
        return _spread(state, others)
    return Conditional(of=state.name, table=Table(kind="uniform"))


def _spread(state: Variable, values: Sequence[int]) -> Conditional:
    """A prior that shares itself among some values."""
    if len(values) == 1:
        table = Table(kind="map", map=(state.names[values[0]],))
        return Conditional(of=state.name, table=table)
    row = tuple(1 / len(values) if n in values else 0.0 for n in range(state.n))
    return Conditional(of=state.name, table=Table(kind="rows", rows=(row,)))


def _policy(roles: Roles) -> Policy:
    planning = roles.sheet.said("horizon", "precision", "discount")
    said = {str(one.kind): figure(one) for one in planning}
    tempers = {str(one.value) for one in roles.sheet.said("temper")}
    joint = math.prod(one.n for one in roles.actions)
    size = max(one.n for one in roles.states)
    fitting = [
        h
        for h in range(1, DEFAULT_LIMITS.horizon + 1)
        if joint**h <= DEFAULT_LIMITS.policies and joint**h * size <= _MOST_WORK
    ]
    most = max(fitting, default=1)
    return Policy(
        horizon=min(int(said.get("horizon", 2 if not roles.is_grid else 3)), most),
        gamma=said.get("precision", 8.0),
        discount=said.get("discount", 1.0),
        info_gain=not tempers & {"bold", "greedy"},
    )
