"""GMN501-514, 517: warnings about valid models of poor quality; none is an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.engine.parts import parts_of
from orchestrator.gmn.model import Policy
from orchestrator.gmn.rows import Local, Rows, are_close, as_kept, under
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.types.diagnostics import Diagnostic


@check("GMN501", "GMN512")
def likelihoods_tell_something(subject: Subject) -> Iterator[Diagnostic]:
    """Likelihoods whose rows are all equal, and labels with probability 0 everywhere."""
    for index, table in enumerate(subject.spec.likelihoods):
        rows = subject.matrix(table)
        if rows is None:
            continue
        look(40, numbers=8 * rows.size)
        where = f"/likelihoods/{index}"
        if len(rows) > 1 and rows.shape[1] > 1 and are_close(rows, rows[:1]):
            parents = ", ".join(table.given)
            words = f"{table.of} tells nothing about {parents}: every row is the same"
            yield finding("GMN501", words, pointer=where, variable=table.of)
        names = subject.variables[table.of].names
        for column in np.flatnonzero(np.all(rows == 0, axis=0))[:3]:
            words = (
                f"observation label {names[column]!r} of {table.of} has probability 0 everywhere"
            )
            yield finding("GMN512", words, pointer=where, variable=table.of)


def _by_action(model: Compiled, k: int) -> Iterator[NDArray[np.float64] | list[Rows]]:
    """Every transition and utility that depends on action `k`, with its axis first."""
    for f, b in enumerate(as_kept(model.B)):
        controls = model.B_action_dependencies[f]
        if k in controls:
            axis = 1 + len(model.B_dependencies[f]) + controls.index(k)
            yield b.along(axis) if isinstance(b, Local) else np.moveaxis(b, axis, 0)
    for u in model.action_utilities:
        if k in u.actions:
            yield np.moveaxis(u.table, len(u.states) + u.actions.index(k), 0)


@check("GMN502", "GMN508")
def actions_differ(subject: Subject) -> Iterator[Diagnostic]:
    """Action labels with equal effects."""
    model = subject.compiled
    if model is None:
        return
    for k, action in enumerate(model.actions):
        tables = list(_by_action(model, k))
        if action.n < 2 or not tables:
            continue
        alike = [
            (i, j)
            for i in range(action.n)
            for j in range(i + 1, action.n)
            if all(are_close(table[i], table[j]) for table in tables)
        ]
        where = f"/actions/{k}"
        if len(alike) == action.n * (action.n - 1) // 2:
            words = f"action {action.name} has no effect: every label does the same"
            yield finding("GMN502", words, pointer=where, variable=action.name)
        elif alike:
            a, b = (action.names[i] for i in alike[0])
            words = f"labels {a} and {b} of action {action.name} do exactly the same"
            yield finding("GMN508", words, pointer=where, variable=action.name)


#: Moves that a plan may count on: their share of the most probable one's probability.
_LIKELY = 0.2


@check("GMN503", "GMN504")
def goals_are_within_reach(subject: Subject) -> Iterator[Diagnostic]:
    """Unreachable states, and single goals farther away than the horizon."""
    model = subject.compiled
    if model is None:
        return
    reach = subject.reach
    if reach.states > subject.limits.search_states:
        return
    unreachable = int(np.sum(reach.distances() < 0))
    if unreachable:
        words = f"{unreachable} of {reach.states} joint states can never be reached from the start"
        yield finding("GMN504", words, pointer="/transitions")
    yield from _far_goals(subject, model)


def _far_goals(subject: Subject, model: Compiled) -> Iterator[Diagnostic]:
    horizon, reach = model.horizon, subject.reach
    distance: NDArray[np.int64] | None = None
    for m, (observation, c) in enumerate(zip(model.observations, model.C, strict=True)):
        best = c.max()
        if len(set(c.tolist())) != 2 or best <= 0 or np.sum(c == best) > max(1, len(c) // 4):
            continue  # graded, or several goals
        distance = reach.distances(_LIKELY) if distance is None else distance
        label = int(c.argmax())
        a = model.A[m][label][tuple(reach.at[f] for f in model.A_dependencies[m])]
        likely = a >= 0.5 * a.max()
        steps = distance[likely & (distance >= 0)]
        if steps.size and steps.min() > horizon:
            words = (
                f"goal {observation.name}={observation.names[label]} is {steps.min()} steps away,"
                f" beyond the horizon {horizon}, and nothing nearer is preferred: grade the"
                " preference by distance, or plan farther ahead"
            )
            pointer = next(
                f"/preferences/{i}"
                for i, p in enumerate(subject.spec.preferences)
                if p.on == observation.name
            )
            yield finding("GMN503", words, pointer=pointer, variable=observation.name)


@check("GMN505")
def traps_are_reported(subject: Subject) -> Iterator[Diagnostic]:
    """Absorbing states with negative utility that the first action reaches from the start."""
    model = subject.compiled
    if model is None or len(model.states) != 1 or len(model.B_action_dependencies[0]) > 1:
        return
    controls = [[i] for k in model.B_action_dependencies[0] for i in range(model.actions[k].n)]
    stays = np.ones(model.states[0].n, dtype=bool)
    for chosen in controls or [[]]:
        look(20, numbers=len(stays) ** 2)
        stays &= np.diagonal(under(as_kept(model.B)[0], chosen)) > 1 - 1e-9
    first = under(as_kept(model.B)[0], (controls or [[]])[0])
    utility = model.V[0].copy()
    for m, c in enumerate(model.C):
        if model.A_dependencies[m] == (0,):
            utility = utility + c @ model.A[m]
    for s, name in enumerate(model.states[0].names):
        look(40)
        by_default = np.any(
            (model.D[0] > 1e-6) & (first[s] > 0.01) & (np.arange(len(utility)) != s)
        )
        if stays[s] and utility[s] < 0 and by_default:
            action = model.actions[0].names[0]
            words = (
                f"{model.states[0].name}={name} is never left and disliked; {action} leads there"
            )
            yield finding("GMN505", words, pointer="/transitions", variable=model.states[0].name)


@check("GMN506")
def beliefs_are_exact(subject: Subject) -> Iterator[Diagnostic]:
    """Factors that meet and have too many joint values, or are kept apart on request."""
    model = subject.compiled
    if model is None:
        return
    for part in parts_of(model):
        why = part.reason or ("inference: mean_field" if model.inference == "mean_field" else "")
        if why and len(part.factors) > 1:
            names = ", ".join(model.states[f].name for f in part.factors)
            words = f"beliefs about {names} are inferred as if independent (mean field): {why}"
            yield finding("GMN506", words, pointer="/states")


@check("GMN507")
def states_differ(subject: Subject) -> Iterator[Diagnostic]:
    """Values of a state with equal observations, transitions and utility."""
    model = subject.compiled
    if model is None:
        return
    for f, state in enumerate(model.states):
        signature = _signatures(model, f)
        if signature is None:
            continue
        seen: dict[bytes, int] = {}
        for index, row in enumerate(signature + 0.0):  # -0.0 becomes 0.0
            first = seen.setdefault(row.tobytes(), index)
            if first != index:
                a, b = state.names[first], state.names[index]
                words = f"values {a} and {b} of {state.name} look the same and move the same"
                yield finding("GMN507", words, pointer=f"/states/{f}", variable=state.name)
                break


def _signatures(model: Compiled, f: int) -> NDArray[np.float64] | None:
    """All entries that depend on factor `f`, one row per value; None when they are too many."""
    parts = [model.V[f][:, None]]
    parts += [ends[:, None].astype(float) for ends in model.terminal[f : f + 1]]
    tables = [
        *zip(model.A, model.A_dependencies, strict=True),
        *zip(as_kept(model.B), model.B_dependencies, strict=True),
    ]
    parts += [
        np.moveaxis(u.table, u.states.index(f), 0).reshape(len(parts[0]), -1)
        for u in model.action_utilities
        if f in u.states
    ]
    for array, parents in tables:
        if f not in parents:
            continue
        axis = 1 + parents.index(f)
        if isinstance(array, Local):
            parts.append(array.codes(axis))
        else:
            parts.append(np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1))
    if sum(part.shape[1] for part in parts) * len(parts[0]) > 4_000_000:
        return None
    look(40, numbers=16 * sum(part.size for part in parts))
    rounded: NDArray[np.float64] = np.concatenate(parts, axis=1).round(12)
    return rounded


@check("GMN509")
def states_matter(subject: Subject) -> Iterator[Diagnostic]:
    """States that influence neither an observation nor a utility."""
    model = subject.compiled
    if model is None:
        return
    matters = {f for parents in model.A_dependencies for f in parents}
    matters |= {f for f, v in enumerate(model.V) if np.any(v != 0)}
    matters |= {f for u in model.action_utilities for f in u.states}
    matters |= {f for f, ends in enumerate(model.terminal) if np.any(ends)}
    for _ in model.states:
        matters |= {g for f in matters for g in model.B_dependencies[f]}
    for f, state in enumerate(model.states):
        if f not in matters:
            words = f"state {state.name} is neither observed nor does it influence what is"
            yield finding("GMN509", words, pointer=f"/states/{f}", variable=state.name)


@check("GMN513")
def utility_and_curiosity_are_comparable(subject: Subject) -> Iterator[Diagnostic]:
    """Ranges of utility and information gain, in nats, of which one outweighs the other."""
    model = subject.compiled
    if model is None or not model.info_gain or not subject.spec.preferences:
        return
    acting = (u.table for u in model.action_utilities)
    utility = sum(float(np.ptp(c)) for c in (*model.C, *model.V, *acting))
    gain = sum(
        min(math.log(o.n), sum(math.log(model.states[f].n) for f in parents))
        for o, parents in zip(model.observations, model.A_dependencies, strict=True)
    )
    if utility > 0 and (utility < 0.1 * gain or gain < 0.01 * utility):
        rules = "curiosity" if utility < gain else "utility"
        words = (
            f"utilities span {utility:.3g} nats, information gain at most {gain:.3g} per step:"
            f" {rules} rules"
        )
        yield finding("GMN513", words, pointer="/preferences")


@check("GMN514")
def something_is_uncertain(subject: Subject) -> Iterator[Diagnostic]:
    """Models whose observations, transitions and priors are all certain."""
    model = subject.compiled
    if model is None:
        return
    moves = [b.rows.p if isinstance(b, Local) else b for b in as_kept(model.B)]
    if all(np.all((x == 0) | (x == 1)) for x in (*model.A, *moves, *model.D)):
        words = "observations, moves and start are certain: nothing is left to infer"
        yield finding("GMN514", words)


@check("GMN517")
def gamma_matters(subject: Subject) -> Iterator[Diagnostic]:
    """A precision that somebody set, where no choice depends on it."""
    model = subject.compiled
    if model is None or model.gamma == Policy().gamma or np.ptp(model.E) > 1e-12:
        return
    if any(query.effect == "suggest_action" for query in subject.spec.queries):
        return  # what is suggested is a habit for one choice
    count = math.prod(u.n for u in model.actions)
    if count == 1:
        why = "there is one action"
    elif model.selection == "contingent":
        why = "a contingent plan takes the best action at every branch"
    elif model.selection == "deterministic" and model.horizon == 1:
        why = "of plans of one step the best is the most probable at every gamma"
    else:
        return
    words = (
        f"gamma {model.gamma:g} changes nothing: {why}; write selection: stochastic for choices"
        " that are less sharp, or leave gamma out; how utility weighs against information is the"
        " size of the utilities"
    )
    yield finding("GMN517", words, pointer="/policy/gamma", got=model.gamma)
