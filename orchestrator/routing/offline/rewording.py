"""A curated model, adapted to the names and numbers of a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.routing.offline.draft import Draft, near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.examples import Example
    from orchestrator.gmn.model import GMNSpec, Variable


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
    """Prefer what the sentence wants, where it is a label of the model."""
    said = draft.first("goal")
    if said is None:
        return spec
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
    return spec
