"""An active-inference agent in an environment, step by step.

Beliefs and plans are those of `orchestrator.gmn.engine`; docs/engine.md states the formulas.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from orchestrator.gmn.actor import Actor
from orchestrator.gmn.engine.contingent import TREE_NUMBERS
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.queries import Question
from orchestrator.gmn.why import Reason, reason
from orchestrator.gmn.world import World
from orchestrator.types.work import elsewhere, repeated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.choice import Choice
    from orchestrator.gmn.model import Query
    from orchestrator.gmn.queries import QueryAnswer
    from orchestrator.gmn.world import Environment

    Array = NDArray[np.float64]
    Episode = Generator[Question, str | None, "Run"]


#: The most numbers that the steps of one run keep beside their labels (64 MB).
KEPT_NUMBERS = 2**23
_FULL = f"a run keeps at most {KEPT_NUMBERS:,} numbers; lower the number of steps"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality, of those that were observed.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor, where the environment tells it.
        action: label by action factor, taken after the observation; empty where the episode ended.
        utility: what it gained, in nats: of what it observed, of the true state, and of the action;
            where the state is not known, of what it believed.
        seen: index of the label of every modality, None for one that was not observed.
        marginals: q(s_f) of every factor after the observation.
        choice: what was chosen and from what; None where the episode ended. Both are kept while the
            run has room for them (`KEPT_NUMBERS`) and asked to keep them: else () and None.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]
    utility: float = 0.0
    seen: tuple[int | None, ...] = field(default=(), compare=False)
    marginals: tuple[Array, ...] = field(default=(), compare=False, repr=False)
    choice: Choice | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs.

    Attributes:
        surprised: number of steps at which a modality showed what the beliefs had ruled out (904).
        unsettled: number of steps whose mean-field beliefs did not converge (904).
        shortened: number of steps whose contingent plan did not reach its horizon (904).
        model: of the agent.
        unasked: number of questions to a language model that were due and not asked.
        answers: the questions that were answered, in order.
    """

    seed: int
    steps: tuple[Step, ...]
    model: Compiled = field(compare=False, repr=False)
    surprised: int = 0
    unsettled: int = 0
    shortened: int = 0
    unasked: int = 0
    answers: tuple[QueryAnswer, ...] = ()

    def why(self, step: int) -> Reason:
        """Why the action of a step, from 1, was taken.

        Raises: ValueError: there is no such step, nothing was chosen at it, or the run did not keep
            its choice.
        """
        if not 1 <= step <= len(self.steps):
            raise ValueError(f"step {step} is not one of the {len(self.steps)} of this run")
        found = self.steps[step - 1]
        if not found.action:
            raise ValueError(f"nothing was chosen at step {step}: the episode ended there")
        if found.choice is None:
            raise ValueError(f"the choice of step {step} is not kept: {_FULL}")
        return reason(found.choice)

    def reasons(self) -> Iterator[Reason]:
        """`why` of every step whose choice is kept, in order."""
        return (reason(step.choice) for step in self.steps if step.choice is not None)

    def as_dict(self) -> dict[str, object]:
        """All that is known of it, JSON-ready; plan i of a step is ``plans[i]``.

        A plan is one index into ``actions`` for each of its steps.
        """
        model = self.model
        joint = list(itertools.product(*(range(v.n) for v in model.actions)))
        index = {tuple(action): i for i, action in enumerate(joint)}
        actions = [zip(model.actions, action, strict=True) for action in joint]
        return {
            "seed": self.seed,
            "warnings": [*doubts(self), *unasked(self), *_missing(self)],
            "utility": math.fsum(step.utility for step in self.steps),
            "actions": [{v.name: v.names[i] for v, i in action} for action in actions],
            "plans": [
                [index[tuple(action)] for action in plan] for plan in model.policies.tolist()
            ],
            "steps": [_numbered(model, step) for step in self.steps],
        }


def doubts(run: Run) -> Iterator[str]:
    """Why the beliefs of an episode cannot be relied on (904)."""
    count = len(run.steps)
    if run.surprised:
        yield (
            f"at {run.surprised} of {count} steps nothing the agent held possible explained what it"
            " observed: its beliefs had ruled it out"
        )
    if run.unsettled:
        yield f"at {run.unsettled} of {count} steps the mean-field beliefs did not converge"
    if run.shortened:
        yield (
            f"at {run.shortened} of {count} steps the contingent plan did not look as far ahead as"
            f" its horizon, for which it would need more than {TREE_NUMBERS:,} numbers; lower the"
            " horizon, or declare fewer states, observations or actions"
        )


def unasked(run: Run) -> Iterator[str]:
    """That questions to a language model were due and nobody asked them."""
    if run.unasked:
        yield (
            f"{run.unasked} questions to a language model were due and not asked:"
            " Orchestrator.run_agent asks them"
        )


def _missing(run: Run) -> Iterator[str]:
    kept = sum(bool(step.marginals) for step in run.steps)
    if kept < len(run.steps):
        yield f"from step {kept + 1} on the posterior, the plans and why are left out: {_FULL}"


def _numbered(model: Compiled, step: Step) -> dict[str, object]:
    choice = step.choice
    whole = {
        v.name: dict(zip(v.names, q.tolist(), strict=True))
        for v, q in zip(model.states, step.marginals, strict=False)
    }
    return {
        "observation": dict(step.observation),
        "state": dict(step.state),
        "action": dict(step.action),
        "utility": step.utility,
        "belief": {k: {"label": v[0], "p": v[1]} for k, v in step.belief.items()},
        "posterior": whole or None,
        "neg_efe": None if choice is None else choice.neg_efe.tolist(),
        "plan_posterior": None if choice is None else choice.posterior.tolist(),
        "action_posterior": None if choice is None else choice.first.tolist(),
        "why": None if choice is None else asdict(reason(choice)),
    }


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
    to them. What ends the episode is observed, and that is the last step, without an action.
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
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if not isinstance(cast("object", agent), Actor):  # callers without types
        raise TypeError(f"agent is {type(agent).__name__}, expected an agent: Agent(spec)")
    observation, known = _given(environment, "reset", seed=seed)
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
            marginals = agent.engine.marginals(agent.held)
            action = {} if has_ended else agent.act()
            choice = None if has_ended else agent.choice
            shortened += bool(choice and choice.depth < agent.model.horizon)
            step = _in_labels(agent, known.get("state"), marginals, action, choice)
            step = replace(step, utility=gained(agent.model, step))
            left -= _numbers(step)
            made.append(step if left >= 0 else replace(step, marginals=(), choice=None))
            if has_ended:
                break
            after = _given(environment, "step", dict(action))
            observation, _, terminated, truncated, known = after
            has_ended = terminated or truncated
    return Run(
        seed, tuple(made), agent.model, surprised, unsettled, shortened, not_asked, tuple(answers)
    )


def _numbers(step: Step) -> int:
    """How many numbers a step keeps."""
    chosen = 0
    if (choice := step.choice) is not None:
        # Of an agent that learns every choice has an engine of its own.
        chosen += choice.engine.numbers if choice.engine.model.learned else 0
        chosen += 2 * len(choice.posterior) + len(choice.first)
        # A belief is one array, or one for each factor.
        chosen += sum(
            np.size(q) if isinstance(q, np.ndarray) else sum(map(np.size, q))
            for q in choice.beliefs
        )
    return chosen + sum(len(q) for q in step.marginals)


def _given(environment: Environment, call: str, *args: Any, **kwargs: Any) -> Any:
    """What an environment gives: two parts of `reset`, five of `step`."""
    if not callable(getattr(environment, call, None)):
        raise TypeError(
            f"environment is {type(environment).__name__}, which has no {call}(): expected an"
            " orchestrator.gmn.world.Environment, such as World(agent.model)"
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


def _in_labels(
    agent: Actor,
    state: object,
    marginals: tuple[Array, ...],
    action: Mapping[str, str],
    choice: Choice | None,
) -> Step:
    """The step of an agent that has observed and, but at the end, has acted."""
    model = agent.model
    return Step(
        observation={
            v.name: v.names[i]
            for v, i in zip(model.observations, agent.seen, strict=True)
            if i is not None
        },
        belief={
            v.name: (v.names[int(q.argmax())], float(q.max()))
            for v, q in zip(model.states, marginals, strict=True)
        },
        state=dict(state) if isinstance(state, Mapping) else {},
        action=action,
        seen=tuple(agent.seen),
        marginals=marginals,
        choice=choice,
    )


def gained(model: Compiled, step: Step) -> float:
    """The utility of a step in nats, from its indices, labels and marginals."""
    truth = [
        np.eye(v.n)[v.names.index(step.state[v.name])] if v.name in step.state else q
        for v, q in zip(model.states, step.marginals, strict=True)
    ]
    seen = zip(model.C, step.seen, strict=True)
    found = [float(c[i]) for c, i in seen if i is not None]
    found += [float(v @ q) for v, q in zip(model.V, truth, strict=True)]
    for one in model.action_utilities if step.action else ():
        acts = [model.actions[k] for k in one.actions]
        at: tuple[Any, ...] = tuple(v.names.index(step.action[v.name]) for v in acts)
        table = one.table[(..., *at)]
        for f in one.states:
            table = np.tensordot(truth[f], table, 1)
        found.append(float(table))
    return math.fsum(found)
