"""Caution and curiosity as what an agent does: a few seeded episodes beside those of its twin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.acting.many import simulate_many
from orchestrator.gmn.engine.engine import Engine

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.request.labels import Label
    from orchestrator.gmn.request.worth import Held
    from orchestrator.types.fits import Outcome

_SEEDS, _STEPS = range(8), 10


def shown(temper: str, held: Held) -> tuple[Outcome, str]:
    """Whether an agent has a temper.

    A cautious one meets what hurts less often than its bold twin, to which nothing hurts; where
    nothing hurts it looks before it acts. A bold one does not. A curious one seeks information, a
    greedy one does not.
    """
    if temper in ("curious", "greedy"):
        is_so = held.model.info_gain == (temper == "curious")
        words = "counts" if held.model.info_gain else "does not count"
        return ("fulfilled" if is_so else "missing"), f"information gain {words}"
    worst = _worst(held)
    if not worst:
        is_cautious = held.model.info_gain
        words = f"nothing hurts, and information gain {'counts' if is_cautious else 'does not'}"
        return ("fulfilled" if is_cautious == (temper == "cautious") else "missing"), words
    own, twin = _met(held, held.model, worst), _met(held, _bold(held.model), worst)
    is_cautious = own < twin or own == 0
    is_so = is_cautious if temper == "cautious" else own >= twin
    words = f"what hurts is met {own:.2g} times an episode, by a bold twin {twin:.2g} times"
    return ("fulfilled" if is_so else "missing"), words


def chosen(held: Held, label: Label) -> float:
    """Share of the steps of a few episodes at which an action is chosen."""
    runs = list(simulate_many(Engine(held.model), steps=_STEPS, seeds=_SEEDS))
    name, wanted = label.variable.name, label.variable.names[label.at]
    done = [step.action.get(name) == wanted for run in runs for step in run.steps if step.action]
    return sum(done) / max(len(done), 1)


def _worst(held: Held) -> set[tuple[str, str]]:
    """The values of states that hurt: below 0, and at least half as bad as the worst."""
    return {
        (state.name, label)
        for state, worth in zip(held.model.states, held.states, strict=True)
        for label, own in zip(state.names, worth.tolist(), strict=True)
        if own < min(0.0, 0.5 * float(worth.min()))
    }


def _bold(model: Compiled) -> Compiled:
    """The same agent to which nothing hurts."""
    return replace(
        model,
        C=tuple(np.maximum(c, 0) for c in model.C),
        V=tuple(np.maximum(v, 0) for v in model.V),
        action_utilities=tuple(
            replace(one, table=np.maximum(one.table, 0)) for one in model.action_utilities
        ),
    )


def _met(held: Held, model: Compiled, worst: set[tuple[str, str]]) -> float:
    """Steps of an episode of `model`, in the world of `held`, at which something hurts."""
    runs = list(simulate_many(Engine(model), steps=_STEPS, seeds=_SEEDS, world=held.model))
    steps = [step.state for run in runs for step in run.steps]
    return sum(not worst.isdisjoint(state.items()) for state in steps) / len(runs)
