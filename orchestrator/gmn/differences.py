"""Two models side by side, in terms of what they say: factors, tables, preferences, plans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orchestrator.gmn.acting.actor import Actor
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.engine.engine import Engine
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import ActionUtility, Compiled
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

#: Probabilities and utilities this near are the same.
SAME = 1e-9
_SAME_BELIEF = 1e-6
_SHOWN = 3  # contexts of one table
_MOST_NUMBERS = 1_000_000  # of a table over the parents of both
_KINDS = {"states": "state factor", "observations": "observation", "actions": "action"}
_SETTINGS = ("horizon", "gamma", "selection", "info_gain", "discount", "inference")


class _Table(NamedTuple):
    """A table with the variables of its axes, its outcome first."""

    of: Variable
    given: tuple[Variable, ...]
    array: Array


def differences(one: Compiled, other: Compiled) -> Iterator[str]:
    """What `other` says that `one` does not, a sentence each; nothing where they are one model.

    Names of tables, their order and their spelling do not count; names of variables and labels do.
    """
    for kind in _KINDS:
        yield from _variables(kind, getattr(one, kind), getattr(other, kind))
    for kind in ("likelihood", "transition", "prior"):
        before, after = _tables(one, kind), _tables(other, kind)
        for name in (name for name in before if name in after):
            yield from _changed(f"{kind} of {name}", before[name], after[name])
    for section, before_values, after_values in (
        ("observations", one.C, other.C),
        ("states", one.V, other.V),
    ):
        yield from _utilities(
            _by_label(getattr(one, section), before_values),
            _by_label(getattr(other, section), after_values),
        )
    yield from _rest(one, other)


def _variables(kind: str, before: Sequence[Variable], after: Sequence[Variable]) -> Iterator[str]:
    old, new = ({v.name: v for v in variables} for variables in (before, after))
    word = _KINDS[kind]
    yield from (f"{word} {name} removed" for name in old if name not in new)
    yield from (
        f"{word} {name} added: {', '.join(v.names)[:80]}"
        for name, v in new.items()
        if name not in old
    )
    for name in (name for name in old if name in new):
        was, now = old[name].names, new[name].names
        gone, more = [x for x in was if x not in now], [x for x in now if x not in was]
        if gone:
            yield f"{word} {name}: {', '.join(gone)} removed"
        if more:
            yield f"{word} {name}: {', '.join(more)} added"
        if not gone and not more and was != now:
            yield f"{word} {name}: labels in another order"


def _tables(model: Compiled, kind: str) -> dict[str, _Table]:
    """The tables of a kind by the variable that they are about."""
    s, u = model.states, model.actions
    if kind == "likelihood":
        return {
            o.name: _Table(o, tuple(s[f] for f in of), a)
            for o, of, a in zip(model.observations, model.A_dependencies, model.A, strict=True)
        }
    if kind == "prior":
        return {v.name: _Table(v, (), d) for v, d in zip(s, model.D, strict=True)}
    parents = zip(model.B_dependencies, model.B_action_dependencies, strict=True)
    return {
        v.name: _Table(v, (*(s[f] for f in of), *(u[k] for k in by)), model.B[i])
        for i, (v, (of, by)) in enumerate(zip(s, parents, strict=True))
    }


def _changed(what: str, before: _Table, after: _Table) -> Iterator[str]:
    old, new = ({v.name: v for v in table.given} for table in (before, after))
    more, gone = [n for n in new if n not in old], [n for n in old if n not in new]
    if more:
        yield f"{what} depends on {', '.join(more)} too"
    if gone:
        yield f"{what} does not depend on {', '.join(gone)} any more"
    union = [*before.given, *(v for v in after.given if v.name not in old)]
    shared = [before.of, *(old[n] for n in old if n in new)]
    others = [after.of, *(new[n] for n in old if n in new)]
    if any(a.names != b.names for a, b in zip(shared, others, strict=True)):
        return  # the variables differ, which was said
    if before.of.n * math.prod(v.n for v in union) > _MOST_NUMBERS:
        yield from () if np.array_equal(before.array, after.array) else (f"{what} changed",)
        return
    look(20, numbers=before.of.n * math.prod(v.n for v in union))
    was, now = _spread(before, union), _spread(after, union)
    shape = (before.of.n, *(v.n for v in union))
    differs = np.abs(np.broadcast_to(was, shape) - np.broadcast_to(now, shape)) > SAME
    contexts = np.argwhere(differs.any(axis=0))
    if len(contexts):
        yield f"{what} changed{_where(contexts, union)}"
        for context in contexts[:_SHOWN]:
            place = (slice(None), *context)
            yield _row(before.of, union, context, np.broadcast_to(was, shape)[place],
                       np.broadcast_to(now, shape)[place])  # fmt: skip


def _spread(table: _Table, union: Sequence[Variable]) -> Array:
    """The array with an axis for every variable of `union`, of size 1 where it has none."""
    names = [v.name for v in table.given]
    kept = [names.index(v.name) + 1 for v in union if v.name in names]
    moved = table.array.transpose([0, *kept])
    sizes = iter(moved.shape[1:])
    return moved.reshape([moved.shape[0], *(next(sizes) if v.name in names else 1 for v in union)])


def _where(contexts: NDArray[np.int64], union: Sequence[Variable]) -> str:
    """The contexts in words: for action up; and how many, where they are no whole block of them."""
    if not union:
        return ""
    seen = [sorted({int(i) for i in contexts[:, axis]}) for axis in range(len(union))]
    words = [
        f"{v.name}={'|'.join(v.names[i] for i in found)}"
        for v, found in zip(union, seen, strict=True)
        if len(found) < v.n
    ]
    where = f" for {', '.join(words)}" if words else ""
    if len(contexts) == math.prod(map(len, seen)):
        return where
    return f"{where} ({len(contexts)} of {math.prod(v.n for v in union)} rows)"


def _row(
    of: Variable, union: Sequence[Variable], context: Sequence[int], was: Array, now: Array
) -> str:
    given = ", ".join(f"{v.name}={v.names[i]}" for v, i in zip(union, context, strict=True))
    changes = ", ".join(
        f"{label} {p:.4g} to {q:.4g}"
        for label, p, q in zip(of.names, was, now, strict=True)
        if abs(p - q) > SAME
    )
    return f"  {given or 'at the start'}: {changes}"


def _by_label(
    variables: Sequence[Variable], values: Sequence[Array]
) -> dict[str, dict[str, float]]:
    return {
        v.name: dict(zip(v.names, vector.tolist(), strict=True))
        for v, vector in zip(variables, values, strict=True)
    }


def _utilities(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> Iterator[str]:
    """Preferences that changed; of a variable that is on one side only, those that are not 0."""
    for name in [*before, *(n for n in after if n not in before)]:
        old, new = before.get(name, {}), after.get(name, {})
        for label in [*old, *(x for x in new if x not in old)]:
            was, now = old.get(label, 0.0), new.get(label, 0.0)
            if abs(was - now) > SAME:
                yield f"preference of {name}={label}: {was:g} to {now:g}"


def _rest(one: Compiled, other: Compiled) -> Iterator[str]:
    for key in _SETTINGS:
        was, now = getattr(one, key), getattr(other, key)
        if was != now:
            yield f"policy: {key} {was} to {now}"
    same_policies = one.policies.shape == other.policies.shape
    if same_policies and not np.allclose(one.E, other.E, rtol=0, atol=SAME):
        yield "policy: habits changed"
    yield from _ends(one, other)
    yield from _payoffs(one, other)
    if one.learned != other.learned:
        yield "what is learned changed"


def _ends(one: Compiled, other: Compiled) -> Iterator[str]:
    before, after = (
        {
            f"{v.name}={v.names[i]}"
            for v, at in zip(model.states, model.terminal, strict=False)
            for i in np.flatnonzero(at)
        }
        for model in (one, other)
    )
    yield from (f"{label} ends the episode no more" for label in sorted(before - after))
    yield from (f"{label} ends the episode" for label in sorted(after - before))


def _payoffs(one: Compiled, other: Compiled) -> Iterator[str]:
    before, after = (
        {_about(model, payoff): payoff.table for payoff in model.action_utilities}
        for model in (one, other)
    )
    for about in sorted(before.keys() | after.keys()):
        was, now = before.get(about), after.get(about)
        if was is None or now is None or not np.array_equal(was, now):
            change = "added" if was is None else "removed" if now is None else "changed"
            yield f"utility of {' and '.join(about)} together {change}"


def _about(model: Compiled, payoff: ActionUtility) -> tuple[str, ...]:
    names = [model.states[f].name for f in payoff.states]
    return (*names, *(model.actions[k].name for k in payoff.actions))


def behaviour(one: Compiled, other: Compiled, *, steps: int, seed: int) -> str:
    """Where the two first believe or do something else over the same observations.

    The observations are those of an episode of `one`. Empty where they never do.

    Raises: ValueError: the models observe something else, or have other states or actions.
    """
    for kind in _KINDS:
        if _named(getattr(one, kind)) != _named(getattr(other, kind)):
            raise ValueError(f"the {kind} differ, so that episodes cannot be compared")
    episode = simulate(one, steps=steps, seed=seed)
    agent = Actor(Engine(other))
    is_drawn = "stochastic" in (one.selection, other.selection)
    for count, step in enumerate(episode.steps, 1):
        agent.take(step.observation)
        for name, (label, was) in step.belief.items():
            now = agent.beliefs[name][label]
            if abs(now - was) > _SAME_BELIEF:
                return f"step {count}: believes {name}={label} {now:.4g} in place of {was:.4g}"
        if count == len(episode.steps) or not step.action:
            break
        done = agent.act()
        for name, label in step.action.items() if not is_drawn else ():
            if done[name] != label:
                return f"step {count}: does {name}={done[name]} in place of {label}"
    return ""


def _named(variables: Sequence[Variable]) -> list[tuple[str, tuple[str, ...]]]:
    return [(v.name, tuple(v.names)) for v in variables]
