"""An active-inference agent in an environment, step by step.

Beliefs and plans are those of `orchestrator.gmn.engine`; docs/engine.md states the formulas.
"""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from orchestrator.gmn.acting.actor import Actor
from orchestrator.gmn.acting.episode import KEPT_NUMBERS, Run, Step, gained, numbers, unasked
from orchestrator.gmn.acting.queries import Question
from orchestrator.gmn.acting.world import World, indices, whole
from orchestrator.gmn.engine.engine import Engine
from orchestrator.types.work import elsewhere, repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.acting.queries import QueryAnswer
    from orchestrator.gmn.acting.world import Environment
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Query

#: An episode that stops at each question to a language model.
Episode = Generator[Question, str | None, Run]


def run(
    agent: Actor,
    environment: Environment,
    steps: int,
    *,
    seed: int = 0,
    keep_choices: bool = True,
) -> Run:
    """Let an agent act for `steps` steps, or until the environment ends the episode.

    Both are reset with `seed` first; equal seeds give equal runs wherever the environment keeps
    to them and the agent has learned nothing in between, which `reset` keeps; a new agent has
    learned nothing. What ends the episode is observed: the last step, without an action.
    `keep_choices` says whether the steps keep more than labels.

    Raises: ValueError: steps below 1, or what is observed is not one of the model's (903).
    Warns: RuntimeWarning: the model has queries that were due, and nobody asked them.
    """
    made = _ran(episode_of(agent, environment, steps, seed=seed, keep_choices=keep_choices))
    for words in unasked(made):
        warnings.warn(words, RuntimeWarning, stacklevel=2)
    return made


def advance(episode: Episode, answer: str | None = None) -> Question | Run:
    """The next question of an episode, or the run that it was."""
    try:
        return episode.send(answer)
    except StopIteration as end:
        made: Run = end.value
        return made


def _ran(episode: Episode) -> Run:
    while isinstance(found := advance(episode), Question):
        pass
    return found


def episode_of(
    agent: Actor, environment: Environment, steps: int, *, seed: int = 0, keep_choices: bool = True
) -> Episode:
    """`run`, which stops at each question for its answer; None says that it is not asked."""
    steps, seed = whole("steps", steps, 1), whole("seed", seed, 0)
    if not isinstance(cast("object", agent), Actor):  # callers without types
        raise TypeError(f"agent is {type(agent).__name__}, expected an agent: Agent(spec)")
    observation, known = _given(environment, "reset", seed=seed)
    state = _true_state(environment, "reset", agent.model, known)
    has_ended = isinstance(environment, World) and environment.has_ended
    # A `World` and its agent draw from one generator.
    agent.reset(environment.rng if isinstance(environment, World) else (seed, 1))
    made: list[Step] = []
    answers: list[QueryAnswer] = []
    surprised = unsettled = shortened = not_asked = 0
    left = KEPT_NUMBERS if keep_choices else 0
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            agent.take(observation)
            surprised += bool(agent.surprised)
            unsettled += not agent.settled
            for question in agent.questions():
                answer = yield question
                not_asked += answer is None
                if answer is not None:
                    answers.append(agent.answer(question, answer))
            step = _acted(agent, state, has_ended=has_ended)
            shortened += bool(step.choice and step.choice.depth < agent.model.horizon)
            left -= numbers(step)
            made.append(step if left >= 0 else replace(step, marginals=(), choice=None))
            if has_ended:
                break
            after = _given(environment, "step", dict(step.action))
            observation, _, terminated, truncated, known = after
            ends = {"terminated": terminated, "truncated": truncated}
            has_ended = True in [_is_so(environment, *end) for end in ends.items()]
            state = _true_state(environment, "step", agent.model, known)
    return Run(
        seed, tuple(made), agent.model, surprised, unsettled, shortened, not_asked, tuple(answers)
    )


def _given(environment: Environment, call: str, *args: Any, **kwargs: Any) -> Any:
    """What an environment gives: two parts of `reset`, five of `step`."""
    if not callable(getattr(environment, call, None)):
        raise TypeError(
            f"environment is {type(environment).__name__}, which has no {call}(): expected an"
            " orchestrator.gmn.acting.world.Environment, such as World(agent.model)"
        )
    with nullcontext() if isinstance(environment, World) else elsewhere():
        given = getattr(environment, call)(*args, **kwargs)
    parts = "observation, reward, terminated, truncated, info"
    parts = "observation, info" if call == "reset" else parts
    count = parts.count(",") + 1
    if isinstance(given, tuple) and len(given) == count and isinstance(given[-1], Mapping):
        return given
    raise TypeError(
        f"{type(environment).__name__}.{call} gave {type(given).__name__}, expected the tuple"
        f" ({parts}), where info is a mapping"
    )


def _is_so(environment: Environment, name: str, value: object) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    said = f"{type(environment).__name__}.step gave {name} = {reprlib.repr(value)}"
    raise TypeError(f"{said}, expected a bool")


def _true_state(
    environment: Environment, call: str, model: Compiled, known: Mapping[str, Any]
) -> dict[str, str]:
    """The true label of each factor that the environment tells."""
    state = known.get("state")
    if state is None:
        return {}
    said = f"{type(environment).__name__}.{call} gave info['state']"
    try:
        found = indices("state", model.states, state)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{said}: {error}") from None
    for v in model.states:
        if not isinstance(label := state.get(v.name), str | None):
            shown = f"{v.name} is {reprlib.repr(label)}, expected a label"
            raise TypeError(f"{said}: {shown}: {', '.join(v.names[:9])}")
    pairs = zip(model.states, found, strict=True)
    return {v.name: v.names[i] for v, i in pairs if i is not None}


def simulate(
    model: Compiled | Engine,
    *,
    steps: int,
    seed: int,
    world: Compiled | None = None,
    queries: Sequence[Query] = (),
    keep_choices: bool = True,
) -> Run:
    """Run the agent for `steps` steps in a world sampled from its own model, or from `world`.

    What the model marks as learned changes in the agent after each observation, not in the world.

    It is over earlier where the world enters a terminal state, which is observed and is the last
    step. An engine saves the preparation of the arrays where a model has several episodes;
    `keep_choices` says whether the steps keep more than labels.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    engine = model if isinstance(model, Engine) else Engine(model)
    agent, environment = Actor(engine, queries), World(world or engine.model)
    return _ran(episode_of(agent, environment, steps, seed=seed, keep_choices=keep_choices))


def _acted(agent: Actor, state: Mapping[str, str], *, has_ended: bool) -> Step:
    """The step of an agent that has observed: it acts now, unless the episode has ended."""
    model, marginals = agent.model, agent.engine.marginals(agent.held)
    action = {} if has_ended else agent.act()
    step = Step(
        observation={
            v.name: v.names[i]
            for v, i in zip(model.observations, agent.seen, strict=True)
            if i is not None
        },
        belief={
            v.name: (v.names[int(q.argmax())], float(q.max()))
            for v, q in zip(model.states, marginals, strict=True)
        },
        state=state,
        action=action,
        seen=tuple(agent.seen),
        marginals=marginals,
        choice=None if has_ended else agent.choice,
    )
    return replace(step, utility=gained(model, step))
