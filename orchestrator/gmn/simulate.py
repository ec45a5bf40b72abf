"""An active-inference agent in an environment, step by step.

Beliefs and plans are those of `orchestrator.gmn.engine`; docs/engine.md states the formulas.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.choice import Choice, best
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.model import nfc
from orchestrator.gmn.queries import (
    PRIOR_WEIGHT,
    Answered,
    Question,
    Situation,
    due,
    with_preference,
    with_suggestion,
)
from orchestrator.gmn.world import World, indices, labels, unknown
from orchestrator.types.work import repeated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.gmn.model import Query
    from orchestrator.gmn.world import Environment, Observation, Seed

    Array = NDArray[np.float64]


#: The most numbers that the steps of one run keep beside their labels (64 MB).
KEPT_NUMBERS = 2**23


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality, of those that were observed.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor, where the environment tells it.
        action: label by action factor, taken after the observation; empty where the episode ended.
        seen: index of the label of every modality, None for one that was not observed.
        marginals: q(s_f) of every factor after the observation.
        choice: what was chosen and from what; None where the episode ended. Both are kept while the
            run has room for them (`KEPT_NUMBERS`) and asked to keep them: else () and None.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]
    seen: tuple[int | None, ...] = field(default=(), compare=False)
    marginals: tuple[Array, ...] = field(default=(), compare=False, repr=False)
    choice: Choice | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs.

    Attributes:
        surprised: number of steps at which a modality showed what the beliefs had ruled out (904).
        unsettled: number of steps whose mean-field beliefs did not converge (904).
        unasked: number of questions to a language model that were due and not asked.
        answers: the questions that were answered, in order.
    """

    seed: int
    steps: tuple[Step, ...]
    surprised: int = 0
    unsettled: int = 0
    unasked: int = 0
    answers: tuple[Answered, ...] = ()


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


def unasked(run: Run) -> Iterator[str]:
    """That questions to a language model were due and nobody asked them."""
    if run.unasked:
        yield (
            f"{run.unasked} questions to a language model were due and not asked:"
            " Orchestrator.run_agent asks them"
        )


def choose(engine: Engine, beliefs: Beliefs, rng: np.random.Generator) -> Choice:
    """The most probable first joint action, or with `selection: stochastic` a sampled one.

    Its probability is that of all policies that begin with it.
    """
    found = best(engine, beliefs)
    if engine.model.selection != "stochastic":
        return found
    index = int(rng.choice(len(found.first), p=found.first / found.first.sum()))
    by_action = found.posterior.reshape(len(found.first), -1)
    policy = index * by_action.shape[1] + int(by_action[index].argmax())
    return replace(found, action=engine.joint_actions[index], policy=policy, tied=(), broken_by="")


class Actor:
    """What an agent believes and does, step by step; `Agent` makes one of a document.

    A step is `observe`, then `act`. Between any two calls it can be pickled and copied, and the
    copy goes on as the original would. One thread at a time may use it.

    Attributes:
        number: how many steps have begun since the last reset.
        surprised: how many modalities showed what the beliefs had ruled out, at this step.
        settled: whether the beliefs converged at this step.
        choice: what was chosen last, and from what; None before the first action.
    """

    def __init__(self, engine: Engine, queries: Sequence[Query] = (), seed: Seed = 0) -> None:
        self.queries = tuple(queries)
        self._own = engine
        self._rng = np.random.default_rng(seed)
        self.reset()

    @property
    def model(self) -> Compiled:
        """The arrays it thinks with; an answered query may have changed its preferences."""
        return self._engine.model

    def reset(self, seed: Seed = None) -> None:
        """Begin an episode from the priors; without a seed the random generator goes on."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._engine = self._own
        self._held = self._engine.start()
        self._seen: list[int | None] = []
        self._told: dict[str, str] = {}  # by modality: answers that the next step observes
        self._suggested: dict[str, str] = {}
        self.choice: Choice | None = None
        self._answered: set[str] = set()
        self.number = self.surprised = 0
        self.settled, self._is_observed = True, False

    def observe(self, observation: Observation) -> dict[str, dict[str, float]]:
        """Take in what is observed at this step; give the beliefs after it, as `beliefs`.

        `observation` has a label or an index by modality. What it leaves out was not observed.

        Raises:
            RuntimeError: this step was observed already.
            TypeError, ValueError: a name or a value is not one of the model's (903).
        Warns: RuntimeWarning: the beliefs had ruled it out, or did not converge (904).
        """
        self._take(observation)
        if self.surprised:
            words = "the beliefs had ruled out what is observed; that part of it is left out"
            warnings.warn(f"GMN904 at step {self.number}: {words}", RuntimeWarning, stacklevel=2)
        if not self.settled:
            words = "the mean-field beliefs did not converge"
            warnings.warn(f"GMN904 at step {self.number}: {words}", RuntimeWarning, stacklevel=2)
        return self.beliefs

    def _take(self, observation: Observation) -> None:
        if self._is_observed:
            raise RuntimeError(
                f"step {self.number} is observed already: give all modalities in one call of"
                " observe(), then call act()"
            )
        variables = self.model.observations
        seen = indices("observation", variables, observation)
        for m, v in enumerate(variables):
            if v.name in self._told:
                seen[m] = v.names.index(self._told[v.name])
        inferred = self._engine.observe(self._held, seen)
        self._held, self._seen, self._is_observed = inferred.beliefs, seen, True
        self.number += 1
        self.surprised, self.settled = inferred.impossible, inferred.converged
        self._told = {}
        self._answered = set()

    def act(self) -> dict[str, str]:
        """Choose what to do now, a label by action; the beliefs become those of the next step.

        Raises: RuntimeError: this step is not observed yet.
        """
        if not self._is_observed:
            raise RuntimeError(
                "act() needs what is observed at this step: call observe() first, with {} where"
                " nothing is"
            )
        engine = self._engine
        if self._suggested:
            engine = copy(engine)
            engine.model = with_suggestion(engine.model, self._suggested)
        choice = choose(engine, self._held, self._rng)
        self._held = self._engine.predict(self._held, choice.action)
        self.choice, self._suggested, self._is_observed = choice, {}, False
        return labels(self.model.actions, choice.action)

    def step(self, observation: Observation) -> dict[str, str]:
        """`observe`, then `act`."""
        self.observe(observation)
        return self.act()

    @property
    def beliefs(self) -> dict[str, dict[str, float]]:
        """The probability of every label of every hidden state.

        After `observe` they are the posterior of this step, after `act` and `reset` the prior of
        the next one.
        """
        return {
            v.name: dict(zip(v.names, map(float, q), strict=True))
            for v, q in zip(self.model.states, self._engine.marginals(self._held), strict=True)
        }

    def questions(self) -> tuple[Question, ...]:
        """What its queries ask a language model at this step and is not answered yet.

        Nothing asks by itself: `Orchestrator.run_agent` does, or give `answer` what you know.
        """
        if not self._is_observed or not self.queries:
            return ()
        done = () if self.choice is None else tuple(map(int, self.choice.action))
        is_in_doubt = bool(self.surprised) or not self.settled
        now = Situation(
            self.number, self._seen, self._engine.marginals(self._held), done, is_in_doubt
        )
        found = due(self.queries, self.model, now)
        return tuple(q for q in found if q.query.name not in self._answered)

    def answer(self, question: Question, answer: str) -> Answered:
        """Let the answer to a question of this step have its effect.

        Raises: ValueError: it is not one of the labels.
        """
        query, label = question.query, nfc(answer)
        if question.labels and label not in question.labels:
            raise ValueError(unknown(f"the answer {answer!r} is not", label, question.labels))
        self._answered.add(query.name)
        match query.effect:
            case "observe":
                self._told[query.target] = label
            case "suggest_action":
                self._suggested[query.target] = label
            case "set_preference":
                self._engine = Engine(with_preference(self.model, query.target, label))
            case "set_prior":
                return Answered(question, label, self._believe(query.target, label))
            case "note":
                pass
        return Answered(question, label)

    def _believe(self, state: str, label: str) -> bool:
        factor = next(f for f, v in enumerate(self.model.states) if v.name == state)
        believed = self._engine.marginals(self._held)[factor]
        is_it = np.array(self.model.states[factor].names) == label
        if not believed[is_it].any():
            return False
        wanted = PRIOR_WEIGHT * is_it + (1 - PRIOR_WEIGHT) * believed
        self._held = self._engine.with_marginal(self._held, factor, wanted)
        return True

    def _step(self, state: object) -> Step:
        """This step, before its action."""
        model, marginals = self.model, self._engine.marginals(self._held)
        return Step(
            observation={
                v.name: v.names[i]
                for v, i in zip(model.observations, self._seen, strict=True)
                if i is not None
            },
            belief={
                v.name: (v.names[int(q.argmax())], float(q.max()))
                for v, q in zip(model.states, marginals, strict=True)
            },
            state=dict(state) if isinstance(state, Mapping) else {},
            action={},
            seen=tuple(self._seen),
            marginals=marginals,
        )

    def __getstate__(self) -> dict[str, object]:
        # A copy draws and is told by itself.
        own = ("_rng", "_told", "_suggested", "_answered")
        return {**self.__dict__, **{name: deepcopy(self.__dict__[name]) for name in own}}


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


def _ran(episode: Generator[Question, str | None, Run]) -> Run:
    try:
        while True:
            next(episode)
    except StopIteration as end:
        made: Run = end.value
        return made


def episode_of(
    agent: Actor, environment: Environment, steps: int, *, seed: int = 0, keep_choices: bool = True
) -> Generator[Question, str | None, Run]:
    """`run`, which stops at each question for its answer; None says that it is not asked."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    observation, known = _parts_of(environment.reset(seed=seed), 2, environment)
    has_ended = isinstance(environment, World) and environment.has_ended
    # A world of a model and its agent draw from one generator.
    agent.reset(environment.rng if isinstance(environment, World) else (seed, 1))
    made: list[Step] = []
    answers: list[Answered] = []
    surprised = unsettled = not_asked = 0
    left = KEPT_NUMBERS if keep_choices else 0
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            agent._take(observation)
            surprised += bool(agent.surprised)
            unsettled += not agent.settled
            for question in agent.questions():
                answer = yield question
                not_asked += answer is None
                if answer is not None:
                    answers.append(agent.answer(question, answer))
            step = agent._step(known.get("state"))
            if not has_ended:
                step = replace(step, action=agent.act(), choice=agent.choice)
            left -= _numbers(step)
            made.append(step if left >= 0 else replace(step, marginals=(), choice=None))
            if has_ended:
                break
            after = _parts_of(environment.step(dict(step.action)), 5, environment)
            observation, _, terminated, truncated, known = after
            has_ended = terminated or truncated
    return Run(seed, tuple(made), surprised, unsettled, not_asked, tuple(answers))


def _numbers(step: Step) -> int:
    """How many numbers a step keeps."""
    choice = 2 * len(step.choice.posterior) + len(step.choice.first) if step.choice else 0
    return choice + sum(len(q) for q in step.marginals)


def _parts_of(given: Any, count: int, environment: Environment) -> Any:
    """What an environment gives: two parts of `reset`, five of `step`."""
    if isinstance(given, tuple) and len(given) == count and isinstance(given[-1], Mapping):
        return given
    call, parts = (
        ("reset", "(observation, info)")
        if count == 2
        else ("step", "(observation, reward, terminated, truncated, info)")
    )
    raise TypeError(
        f"{type(environment).__name__}.{call} gave {type(given).__name__}, expected the tuple"
        f" {parts}, where info is a mapping"
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

    It is over earlier where the world enters a terminal state, which is observed and is the last
    step. An engine saves the preparation of the arrays where a model has several episodes;
    `keep_choices` says whether the steps keep more than labels.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    engine = model if isinstance(model, Engine) else Engine(model)
    agent, environment = Actor(engine, queries), World(world or engine.model)
    return _ran(episode_of(agent, environment, steps, seed=seed, keep_choices=keep_choices))
