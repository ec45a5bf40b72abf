"""A curated model, adapted to the names and numbers of a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.parsing.spelling import nearest
from orchestrator.routing.offline.wording import Wording, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.examples import Example
    from orchestrator.gmn.model import Condition, Conditional, GMNSpec, Preference, Variable


def adapted(
    example: Example, wording: Wording, constraints: Mapping[str, int], assumptions: list[str]
) -> GMNSpec | None:
    """The example with labels, noise, slip and horizon as asked; None when it cannot be made fit.

    A list of names fits the variable of the same number of values: its labels are renamed in
    order. A model that is larger than the constraints allow does not fit.
    """
    spec = example.spec
    if not _fits(spec, constraints):
        assumptions.append(f"the curated {example.name} is larger than the request allows")
        return None
    for names, variables in (
        (wording.actions, spec.actions),
        (wording.observations, spec.observations),
    ):
        if not names:
            continue
        target = next((v for v in variables if v.n == len(names)), None)
        if target is None:
            return None
        spec = renamed(spec, target, names, assumptions)
    assumptions.append(f"adapted from the curated {example.name}, whose structure is kept")
    spec = _noisy(spec, wording, assumptions)
    if wording.horizon:
        policy = spec.policy.model_copy(update={"horizon": min(wording.horizon, 8)})
        spec = spec.model_copy(update={"policy": policy})
    return _with_goal(spec, wording, assumptions)


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
    if set(names) == set(old):
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


def _noisy(spec: GMNSpec, wording: Wording, assumptions: list[str]) -> GMNSpec:
    """Set the noise of what is seen and the slip of what is moved, where the model has such."""
    for share, section, what in (
        (wording.noise, "likelihoods", "sensor noise"),
        (wording.slip, "transitions", "slip"),
    ):
        if share is None:
            continue
        tables: list[Conditional] = list(getattr(spec, section))
        index = next((i for i, c in enumerate(tables) if c.table.noise > 0), None)
        if index is None:
            assumptions.append(f"{what} of {share:.0%} could not be set in this model")
            continue
        table = tables[index].table.model_copy(update={"noise": share})
        tables[index] = tables[index].model_copy(update={"table": table})
        spec = spec.model_copy(update={section: tuple(tables)})
    return spec


def _with_goal(spec: GMNSpec, wording: Wording, assumptions: list[str]) -> GMNSpec:
    """Prefer the label that the sentence names, when the preferred modality has it."""
    if not wording.goal:
        return spec
    word = slug(wording.goal)
    for index, preference in enumerate(spec.preferences):
        target = spec.variable(preference.on)
        label = nearest(word, target.names) if target is not None else None
        label = label or (nearest(word.split("_")[0], target.names) if target else None)
        graded = preference.goal_gradient
        if target is None or label is None or not (preference.values or graded):
            continue
        best = max(preference.values, default=0.0)
        values = tuple(
            best if name == label else min(value, 0.0)
            for name, value in zip(target.names, preference.values, strict=False)
        )
        graded = tuple(one.model_copy(update={"goal": label}) for one in graded)
        changed = list(spec.preferences)
        changed[index] = preference.model_copy(update={"values": values, "goal_gradient": graded})
        return spec.model_copy(update={"preferences": tuple(changed)})
    assumptions.append(
        f"{wording.goal!r} is not a label that this model prefers: its own goal is kept"
    )
    return spec
