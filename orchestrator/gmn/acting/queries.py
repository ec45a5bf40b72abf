"""What a running agent asks a language model: when, in which words, and what an answer changes.

Only labels get into a question: those of its inputs, as they are observed or believed. What is
asked is one label of the target, a closed set; a note without a target is free text. Nothing here
asks anything: `Orchestrator.run_agent` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.arrays import entropies
from orchestrator.gmn.model import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Query, Variable

    Array = NDArray[np.float64]

#: How much of a belief the answer of a set_prior query takes.
PRIOR_WEIGHT = 0.9
#: By how much a suggested action is more of a habit than the others, for one choice.
HABIT_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Question:
    """A query that is due.

    Attributes:
        step: the step at which it is, from 1.
        labels: the possible answers, in order; empty for free text.
    """

    step: int
    query: Query
    prompt: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """A question that was answered; `is_possible` is False where the beliefs rule the answer out,
    which then changes nothing."""

    question: Question
    answer: str
    is_possible: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """What the triggers of queries look at; all are indices into the model.

    Attributes:
        step: from 1.
        seen: one value per modality, None where it was not observed.
        marginals: q(s_f) of every factor after the observation.
        action: the last joint action, empty before the first.
        is_in_doubt: whether the observation was impossible, or the beliefs did not converge.
    """

    step: int
    seen: Sequence[int | None]
    marginals: Sequence[Array]
    action: Sequence[int]
    is_in_doubt: bool


def due(queries: Sequence[Query], model: Compiled, now: Situation) -> Iterator[Question]:
    """The questions whose trigger holds, in declaration order."""
    targets = {v.name: v for v in (*model.observations, *model.states, *model.actions)}
    for query in queries:
        if _holds(query, model, now):
            known = {name: label for name, label in _labels(model, now) if name in query.inputs}
            target = targets.get(query.target)
            words = _rendered(query.prompt, known)
            yield Question(now.step, query, words, target.names if target else ())


def _rendered(prompt: str, known: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), prompt)


def _holds(query: Query, model: Compiled, now: Situation) -> bool:
    match query.trigger:
        case "on_start":
            return now.step == 1
        case "on_observation":
            return any(index is not None for index in now.seen)
        case "every_n_steps":
            return now.step % max(1, int(query.trigger_value)) == 0
        case "on_uncertainty":
            spread = [entropies(q) / math.log(len(q)) for q in now.marginals if len(q) > 1]
            return bool(max(spread, default=0.0) > query.trigger_value)
        case "on_goal":
            return _is_at_goal(model, now)
        case "on_error":
            return now.is_in_doubt


def _is_at_goal(model: Compiled, now: Situation) -> bool:
    """Whether the most preferred value of something with a positive utility is there."""
    found = [
        *zip(model.C, now.seen, strict=True),
        *zip(model.V, (int(q.argmax()) for q in now.marginals), strict=True),
    ]
    return any(i is not None and u[i] > 0 and u[i] == u.max() for u, i in found)


def _labels(model: Compiled, now: Situation) -> Iterator[tuple[str, str]]:
    for v, index in zip(model.observations, now.seen, strict=True):
        yield v.name, "not observed" if index is None else v.names[index]
    for v, q in zip(model.states, now.marginals, strict=True):
        yield v.name, v.names[int(q.argmax())]
    for k, v in enumerate(model.actions):
        yield v.name, v.names[int(now.action[k])] if len(now.action) else "none yet"


def most_questions(queries: Sequence[Query], steps: int) -> list[tuple[str, int]]:
    """The name of each query, and how often it can be due in so many steps, at most."""

    def most(query: Query) -> int:
        if query.trigger == "on_start":
            return 1
        if query.trigger == "every_n_steps":
            return steps // max(1, int(query.trigger_value))
        return steps

    return [(query.name, most(query)) for query in queries]


def with_preference(model: Compiled, target: str, label: str) -> Compiled:
    """The model that prefers one label of the target over the others.

    By as much as it prefers anything, and by at least 1 nat.
    """
    paid = (one.table for one in model.action_utilities)
    most = max([1.0, *(float(np.abs(u).max()) for u in (*model.C, *model.V, *paid))])

    def changed(variables: Sequence[Variable], tables: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(
            most * (np.array(v.names) == label) if v.name == target else table
            for v, table in zip(variables, tables, strict=True)
        )

    return replace(model, C=changed(model.observations, model.C), V=changed(model.states, model.V))


def with_suggestion(model: Compiled, suggested: Mapping[str, str]) -> Compiled:
    """The model with a habit of beginning with the suggested label of each action."""
    prior = model.E
    for k, action in enumerate(model.actions):
        if action.name in suggested:
            is_it = model.policies[:, 0, k] == action.names.index(suggested[action.name])
            prior = prior * np.where(is_it, HABIT_WEIGHT, 1.0)
    return replace(model, E=prior / prior.sum())
