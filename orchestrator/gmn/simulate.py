"""An active-inference agent in a world sampled from its own model.

Beliefs and plans are those of `orchestrator.gmn.engine`; docs/engine.md states the formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.engine import Engine
from orchestrator.types.work import look, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor.
        action: label by action factor, taken after the observation.
        utility: what it gained, in nats: of what it observed, of the state, and of the action.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]
    utility: float


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs.

    Attributes:
        surprised: number of steps at which a modality showed what the beliefs had ruled out (904).
        unsettled: number of steps whose mean-field beliefs did not converge (904).
    """

    seed: int
    steps: tuple[Step, ...]
    surprised: int = 0
    unsettled: int = 0


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


def choose(engine: Engine, beliefs: Beliefs, rng: np.random.Generator) -> NDArray[np.int64]:
    """First joint action, shape [actions]: the most probable one, or a sampled one.

    Its probability is that of all policies that begin with it.
    """
    model = engine.model
    look(100, numbers=16 * len(model.policies))
    posterior = engine.policy_posterior(engine.negative_expected_free_energy(beliefs))
    # Policies are in C order, the first step varying slowest: those of one action lie together.
    first = posterior.reshape(len(engine.joint_actions), -1).sum(axis=1)
    if model.selection == "stochastic":
        index = int(rng.choice(len(first), p=first / first.sum()))
    else:
        # Rounding must not decide between equal actions, so the first one is taken.
        index = int(np.flatnonzero(first >= first.max() * (1 - 1e-9))[0])
    chosen: NDArray[np.int64] = engine.joint_actions[index]
    return chosen


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

    def _draw(self, distribution: Array) -> int:
        drawn = int(np.searchsorted(np.cumsum(distribution), self.rng.random(), side="right"))
        return min(drawn, len(distribution) - 1)


def _column(array: Array, context: Sequence[int]) -> Array:
    at: tuple[Any, ...] = (slice(None), *context)
    column: Array = array[at]
    return column


def simulate(model: Compiled | Engine, *, steps: int, seed: int) -> Run:
    """Run the agent for `steps` steps in a world sampled from its own model.

    An engine saves the preparation of the arrays where a model has several episodes.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    engine = model if isinstance(model, Engine) else Engine(model)
    rng = np.random.default_rng(seed)
    world = World(engine.model, rng)
    prior = engine.start()
    made: list[Step] = []
    surprised = unsettled = 0
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            seen = world.observe()
            inferred = engine.observe(prior, seen)
            surprised += bool(inferred.impossible)
            unsettled += not inferred.converged
            action = choose(engine, inferred.beliefs, rng)
            made.append(_in_labels(engine, world.state, seen, inferred.beliefs, action))
            world.act(action)
            prior = engine.predict(inferred.beliefs, action)
    return Run(seed, tuple(made), surprised, unsettled)


def _in_labels(
    engine: Engine,
    state: Sequence[int],
    seen: Sequence[int],
    beliefs: Beliefs,
    action: NDArray[np.int64],
) -> Step:
    model = engine.model
    return Step(
        observation={v.name: v.names[i] for v, i in zip(model.observations, seen, strict=True)},
        belief={
            v.name: (v.names[int(q.argmax())], float(q.max()))
            for v, q in zip(model.states, engine.marginals(beliefs), strict=True)
        },
        state={v.name: v.names[i] for v, i in zip(model.states, state, strict=True)},
        action={v.name: v.names[int(i)] for v, i in zip(model.actions, action, strict=True)},
        utility=_utility(model, state, seen, action),
    )


def _utility(
    model: Compiled, state: Sequence[int], seen: Sequence[int], action: NDArray[np.int64]
) -> float:
    gained = [float(c[i]) for c, i in zip(model.C, seen, strict=True)]
    gained += [float(v[i]) for v, i in zip(model.V, state, strict=True)]
    for one in model.action_utilities:
        at = (*(state[f] for f in one.states), *(int(action[k]) for k in one.actions))
        gained.append(float(one.table[at]))
    return math.fsum(gained)
