"""An active-inference agent in a world sampled from its own model.

Beliefs and plans are those of `orchestrator.gmn.engine`; docs/engine.md states the formulas.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.choice import Choice, best
from orchestrator.gmn.engine.contingent import TREE_NUMBERS
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.why import Reason, reason
from orchestrator.types.work import look, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs

    Array = NDArray[np.float64]


#: The most numbers that the steps of one run keep beside their labels (64 MB).
KEPT_NUMBERS = 2**23
_FULL = f"a run keeps at most {KEPT_NUMBERS:,} numbers; lower the number of steps"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor.
        action: label by action factor, taken after the observation; empty where the episode ended.
        utility: what it gained, in nats: of what it observed, of the true state, and of the action;
            where the state is not known, of what it believed.
        seen: index of the label of every modality.
        marginals: q(s_f) of every factor after the observation.
        choice: what was chosen and from what; None where the episode ended. Both are kept while the
            run has room for them (`KEPT_NUMBERS`) and asked to keep them: else () and None.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]
    utility: float = 0.0
    seen: tuple[int, ...] = field(default=(), compare=False)
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
    """

    seed: int
    steps: tuple[Step, ...]
    model: Compiled = field(compare=False, repr=False)
    surprised: int = 0
    unsettled: int = 0
    shortened: int = 0

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
            "warnings": [*doubts(self), *_missing(self)],
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


class World:
    """An environment that samples states and observations from the model."""

    def __init__(self, model: Compiled, rng: np.random.Generator) -> None:
        self.model = model
        self.rng = rng
        self.state = [self._draw(d) for d in model.D]

    def observe(self) -> list[int]:
        """Sample one observation index per modality."""
        look(30 * len(self.model.A))
        return [
            self._draw(_column(a, [self.state[f] for f in parents]))
            for a, parents in zip(self.model.A, self.model.A_dependencies, strict=True)
        ]

    def act(self, action: NDArray[np.int64]) -> None:
        """Sample the next state of every factor, all from the same previous state."""
        before = list(self.state)
        for f, b in enumerate(self.model.B):
            parents = [before[g] for g in self.model.B_dependencies[f]]
            controls = [int(action[k]) for k in self.model.B_action_dependencies[f]]
            self.state[f] = self._draw(_column(b, [*parents, *controls]))

    @property
    def has_ended(self) -> bool:
        """Whether a factor is in a state in which the episode ends."""
        ends = zip(self.model.terminal, self.state, strict=False)
        return any(bool(terminal[index]) for terminal, index in ends)

    def _draw(self, distribution: Array) -> int:
        drawn = int(np.searchsorted(np.cumsum(distribution), self.rng.random(), side="right"))
        return min(drawn, len(distribution) - 1)


def _column(array: Array, context: Sequence[int]) -> Array:
    at: tuple[Any, ...] = (slice(None), *context)
    column: Array = array[at]
    return column


def simulate(model: Compiled | Engine, *, steps: int, seed: int, keep_choices: bool = True) -> Run:
    """Run the agent for `steps` steps in a world sampled from its own model.

    It is over earlier where the world enters a terminal state, which is observed and is the last
    step. An engine saves the preparation of the arrays where a model has several episodes;
    `keep_choices` says whether the steps keep more than labels.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    engine = model if isinstance(model, Engine) else Engine(model)
    rng = np.random.default_rng(seed)
    world = World(engine.model, rng)
    prior = engine.start()
    made: list[Step] = []
    surprised = unsettled = shortened = 0
    left = KEPT_NUMBERS if keep_choices else 0
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            seen = world.observe()
            inferred = engine.observe(prior, seen)
            surprised += bool(inferred.impossible)
            unsettled += not inferred.converged
            choice = None if world.has_ended else choose(engine, inferred.beliefs, rng)
            shortened += bool(choice and choice.depth < engine.model.horizon)
            step = _in_labels(engine, world.state, seen, inferred.beliefs, choice)
            step = replace(step, utility=gained(engine.model, step))
            left -= _numbers(step)
            made.append(step if left >= 0 else replace(step, marginals=(), choice=None))
            if choice is None:
                break
            world.act(choice.action)
            prior = engine.predict(inferred.beliefs, choice.action)
    return Run(seed, tuple(made), engine.model, surprised, unsettled, shortened)


def _numbers(step: Step) -> int:
    """How many numbers a step keeps."""
    chosen = 0
    if (choice := step.choice) is not None:
        chosen = 2 * len(choice.posterior) + len(choice.first)
        # A belief is one array, or one for each factor.
        chosen += sum(
            np.size(q) if isinstance(q, np.ndarray) else sum(map(np.size, q))
            for q in choice.beliefs
        )
    return chosen + sum(len(q) for q in step.marginals)


def _in_labels(
    engine: Engine,
    state: Sequence[int],
    seen: Sequence[int],
    beliefs: Beliefs,
    choice: Choice | None,
) -> Step:
    model, marginals = engine.model, engine.marginals(beliefs)
    action = () if choice is None else zip(model.actions, choice.action, strict=True)
    return Step(
        observation={v.name: v.names[i] for v, i in zip(model.observations, seen, strict=True)},
        belief={
            v.name: (v.names[int(q.argmax())], float(q.max()))
            for v, q in zip(model.states, marginals, strict=True)
        },
        state={v.name: v.names[i] for v, i in zip(model.states, state, strict=True)},
        action={v.name: v.names[int(i)] for v, i in action},
        seen=tuple(seen),
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
