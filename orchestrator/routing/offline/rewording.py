"""A curated model, adapted to the names and numbers of a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.gmn.request.labels import meant_by, variables_of
from orchestrator.routing.offline.draft import Draft, near, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.examples import Example
    from orchestrator.gmn.model import Condition, Conditional, GMNSpec, Preference, Variable


def adapted(example: Example, draft: Draft) -> GMNSpec | None:
    """The example with the names and numbers of a sentence; None where they are not its own.

    A list of names is that of the variable whose values are called so, or nearly.
    """
    spec = example.spec
    if not _fits(spec, draft.constraints):
        draft.assume(f"the curated {example.name} is larger than the request allows")
        return None
    names = draft.names
    for said, variables in (
        (names.states, spec.states),
        (names.actions, spec.actions),
        (names.observations, spec.observations),
        *((other, (*spec.states, *spec.observations, *spec.actions)) for other in names.others),
    ):
        if not said:
            continue
        if not any(_is_of(v, said) for v in variables):
            return None
    spec = _noisy(spec, draft)
    if horizon := draft.number("horizon"):
        policy = spec.policy.model_copy(update={"horizon": min(int(horizon), 8)})
        spec = spec.model_copy(update={"policy": policy})
    return _with_goal(spec, draft)


def _is_of(variable: Variable, said: Sequence[str]) -> bool:
    """Whether names are those of the values of a variable, each of another."""
    alike = {near(name, variable.names) for name in said}
    return "" not in alike and len(alike) == len(said)


def _fits(spec: GMNSpec, constraints: Mapping[str, int]) -> bool:
    sizes = {
        "max_states": math.prod(v.n for v in spec.states),
        "max_observations": math.prod(v.n for v in spec.observations),
        "max_actions": math.prod(v.n for v in spec.actions),
        "max_factors": len(spec.states),
    }
    return all(size <= constraints.get(key, size) for key, size in sizes.items())


def renamed(
    spec: GMNSpec, variable: Variable, names: Sequence[str], assumptions: list[str]
) -> GMNSpec:
    """The spec with the labels of one variable replaced, wherever they are used."""
    old = variable.names
    if tuple(names) == old:
        return spec
    new = dict(zip(old, names, strict=True))
    assumptions.append(
        f"labels of {variable.name} renamed in order: "
        + ", ".join(f"{a} is {b}" for a, b in new.items() if a != b)
    )

    def tables(conditionals: Sequence[Conditional]) -> tuple[Conditional, ...]:
        return tuple(_relabelled(c, variable.name, new) for c in conditionals)

    def variables(found: Sequence[Variable]) -> tuple[Variable, ...]:
        ends = tuple(new.get(label, label) for label in variable.terminal)
        update = {"labels": tuple(names), "terminal": ends}
        return tuple(v.model_copy(update=update) if v.name == variable.name else v for v in found)

    preferences = tuple(_preferred(p, variable.name, new) for p in spec.preferences)
    return spec.model_copy(
        update={
            "states": variables(spec.states),
            "observations": variables(spec.observations),
            "actions": variables(spec.actions),
            "likelihoods": tables(spec.likelihoods),
            "transitions": tables(spec.transitions),
            "priors": tables(spec.priors),
            "preferences": preferences,
        }
    )


def _preferred(preference: Preference, variable: str, new: Mapping[str, str]) -> Preference:
    is_on = preference.on == variable
    goals = tuple(
        goal.model_copy(update={"value": new.get(goal.value, goal.value)}) if is_on else goal
        for goal in preference.goals
    )
    gradients = tuple(
        g.model_copy(update={"goal": new.get(g.goal, g.goal)}) if is_on else g
        for g in preference.goal_gradient
    )
    rules = tuple(
        rule.model_copy(update={"when": _asked(rule.when, variable, new)})
        for rule in preference.rules
    )
    return preference.model_copy(
        update={"goals": goals, "goal_gradient": gradients, "rules": rules}
    )


def _asked(
    when: Sequence[Condition], variable: str, new: Mapping[str, str]
) -> tuple[Condition, ...]:
    return tuple(
        c.model_copy(update={"values": tuple(new.get(v, v) for v in c.values)})
        if c.var == variable
        else c
        for c in when
    )


def _relabelled(conditional: Conditional, variable: str, new: Mapping[str, str]) -> Conditional:
    table = conditional.table
    is_of = conditional.of == variable
    rules = tuple(
        rule.model_copy(
            update={
                "when": _asked(rule.when, variable, new),
                "then": tuple(
                    o.model_copy(update={"value": new.get(o.value, o.value)}) if is_of else o
                    for o in rule.then
                ),
            }
        )
        for rule in table.rules
    )
    moves = table.moves
    if variable in conditional.given and not is_of:
        moves = tuple(m.model_copy(update={"action": new.get(m.action, m.action)}) for m in moves)
    labels = tuple(new.get(label, label) for label in table.map) if is_of else table.map
    changed = table.model_copy(update={"rules": rules, "moves": moves, "map": labels})
    return conditional.model_copy(update={"table": changed})


def _noisy(spec: GMNSpec, draft: Draft) -> GMNSpec:
    """Set the noise of what is seen, where the model has such a number."""
    share = draft.number("noise")
    index = next((i for i, c in enumerate(spec.likelihoods) if c.table.noise > 0), None)
    if share is None or index is None:
        return spec
    tables = list(spec.likelihoods)
    table = tables[index].table.model_copy(update={"noise": share})
    tables[index] = tables[index].model_copy(update={"table": table})
    return spec.model_copy(update={"likelihoods": tuple(tables)})


def _with_goal(spec: GMNSpec, draft: Draft) -> GMNSpec:
    """Prefer what the sentence wants: a label of the model, else its preferred one renamed."""
    said = draft.first("goal")
    if said is None:
        return spec
    is_known = meant_by(said, spec) or variables_of(spec, str(said.value))
    for index, preference in enumerate(spec.preferences):
        target = spec.variable(preference.on)
        values = list(preference.values)
        if target is None or len(values) != target.n or values.count(max(values)) > 1:
            continue
        best = values.index(max(values))
        label = near(str(said.value), target.names)
        if label:
            other = target.names.index(label)
            values[best], values[other] = values[other], values[best]
            changed = list(spec.preferences)
            changed[index] = preference.model_copy(update={"values": tuple(values)})
            return spec.model_copy(update={"preferences": tuple(changed)})
        if not is_known and target.names[best].casefold() not in draft.words:
            return _called(spec, target.names[best], slug(str(said.value)), draft)
    return spec


def _called(spec: GMNSpec, old: str, new: str, draft: Draft) -> GMNSpec:
    """The model with a label of its states and observations renamed."""
    for kind, variable in list(spec.variables()):
        if kind != "action" and old in variable.names:
            names = [new if name == old else name for name in variable.names]
            spec = renamed(spec, variable, names, draft.assumptions)
    return spec
