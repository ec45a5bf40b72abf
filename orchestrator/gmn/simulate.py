"""The numpy engine: an active-inference agent, and a world sampled from its model.

Inference is mean-field fixed-point iteration and policies are compared by expected free energy,
as in pymdp 1.0.4 (Heins et al. 2022, "pymdp: A Python library for active inference in discrete
state spaces"; Da Costa et al. 2020, "Active inference on discrete state-spaces: a synthesis").
Utilities of hidden states are added exactly, which pymdp cannot express.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.types.work import look, repeated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled

    Array = NDArray[np.float64]

SWEEPS = 16
MOST_NUMBERS = 2**23  # products computed between two looks at whether anybody still waits
EPSILON = 2.220446049250313e-16  # logarithms are clipped here, as pymdp does


def _log(values: Array) -> Array:
    clipped: Array = np.log(np.clip(values, EPSILON, None))
    return clipped


def _softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max())
    normalised: Array = raised / raised.sum()
    return normalised


def infer_states(
    model: Compiled, observation: Sequence[int | None], prior: Sequence[Array]
) -> tuple[Array, ...]:
    """Posterior q(s_f) of every factor, by fixed-point iteration.

    `observation` holds one index per modality, None for one that was not observed; `prior` is
    q(s_f) before the observation, shape [|s_f|] each.

    Raises: ValueError: an index is out of range (903).
    """
    evidence: list[tuple[Array, tuple[int, ...]]] = []
    for m, index in enumerate(observation):
        if index is None:
            continue
        if not 0 <= index < model.A[m].shape[0]:
            name = model.observations[m].name
            raise ValueError(f"GMN903: observation {index} is not possible for {name}")
        evidence.append((_log(model.A[m][index]), model.A_dependencies[m]))
    log_prior = [_log(p) for p in prior]
    if len(prior) == 1:  # with one factor, one sweep is exact
        total = log_prior[0] + sum((log_a for log_a, _ in evidence), np.zeros_like(log_prior[0]))
        return (_softmax(total),)
    logits = [np.zeros_like(p) for p in log_prior]
    beliefs = [_softmax(x) for x in logits]
    for _ in range(SWEEPS):
        messages = [p.copy() for p in log_prior]
        for log_a, parents in evidence:
            for axis, f in enumerate(parents):
                messages[f] += _marginal(log_a, parents, axis, beliefs)
        beliefs = [_softmax(message) for message in messages]
    return tuple(beliefs)


def _marginal(log_a: Array, parents: Sequence[int], keep: int, beliefs: Sequence[Array]) -> Array:
    """Expected log-likelihood as a function of the parent on axis `keep`."""
    result = log_a
    for axis in reversed(range(len(parents))):
        if axis != keep:
            look(10, numbers=result.size)
            belief = beliefs[parents[axis]]  # of the last axis, and before `keep` of the one before
            result = result @ belief if axis > keep else belief @ result
    return result


@dataclass(frozen=True, slots=True)
class _Planner:
    """Arrays that planning reads, computed once per model."""

    model: Compiled
    ambiguity: tuple[Array, ...]
    joint_actions: NDArray[np.int64]

    @classmethod
    def of(cls, model: Compiled) -> _Planner:
        look(100, numbers=8 * sum(a.size for a in model.A))
        ambiguity = tuple(-(a * _log(a)).sum(axis=0) for a in model.A)
        per_step = round(len(model.policies) ** (1 / model.horizon))
        joint = model.policies[:per_step, -1, :]
        return cls(model, ambiguity, joint)

    def value(self, beliefs: Sequence[Array]) -> Array:
        """Negative expected free energy of one step, shape [batch], for beliefs [batch, |s_f|]."""
        total = np.zeros(len(beliefs[0]))
        for m, a in enumerate(self.model.A):
            parents = [beliefs[f] for f in self.model.A_dependencies[m]]
            predicted = _expected(a, parents)
            total += predicted @ self.model.C[m]
            if self.model.info_gain:
                entropy = -(predicted * _log(predicted)).sum(axis=1)
                total += entropy - _expected(self.ambiguity[m][None], parents)[:, 0]
        for f, v in enumerate(self.model.V):
            total += beliefs[f] @ v
        return total

    def predict(self, beliefs: Sequence[Array]) -> tuple[Array, ...]:
        """Beliefs after every joint action, [batch * actions, |s_f|], actions varying fastest."""
        batch, n_actions = len(beliefs[0]), len(self.joint_actions)
        made: list[Array] = []
        for f, b in enumerate(self.model.B):
            parents = [beliefs[g] for g in self.model.B_dependencies[f]]
            controls = self.model.B_action_dependencies[f]
            at: tuple[Any, ...] = (..., *(self.joint_actions[:, k] for k in controls))
            chosen = b[at] if controls else b[..., None]
            moved = _expected_by_action(chosen, parents)
            made.append(
                np.broadcast_to(moved, (batch, n_actions, b.shape[0])).reshape(-1, b.shape[0])
            )
        return tuple(made)


def _expected(array: Array, parents: Sequence[Array]) -> Array:
    """Contract every axis but the first with a batch of beliefs: [batch, axis 0]."""
    return _in_slices(array, parents)


def _expected_by_action(array: Array, parents: Sequence[Array]) -> Array:
    """As `_expected`, but keeps a trailing action axis: [batch, actions, axis 0]."""
    moved = np.moveaxis(array, -1, 0)  # [actions, next, parents…]
    return _in_slices(moved, parents)


def _contracted(array: Array, parents: Sequence[Array]) -> Array:
    result = parents[-1] @ array.reshape(-1, array.shape[-1]).T
    result = result.reshape(len(result), *array.shape[:-1])
    for parent in reversed(parents[:-1]):
        result = np.einsum("b...s,bs->b...", result, parent)
    return result


def _in_slices(array: Array, parents: Sequence[Array]) -> Array:
    """The same for slices of the batch, so that each takes little memory and little time."""
    batch = len(parents[0])
    size = max(1, MOST_NUMBERS // array.size)
    made = []
    for start in range(0, batch, size):
        part = [parent[start : start + size] for parent in parents]
        look(20 * len(parents), numbers=array.size * len(part[0]))
        made.append(_contracted(array, part))
    return made[0] if len(made) == 1 else np.concatenate(made)


def negative_expected_free_energy(model: Compiled, beliefs: Sequence[Array]) -> Array:
    """-G of every policy, in nats, shape [policies]: utility plus, if asked, information gain.

    Per step: q(o).C + q(s).V + [H(q(o)) - E_q(s) H(p(o|s))]. Policies
    with the same first steps share their computation.
    """
    planner = _Planner.of(model)
    front: tuple[Array, ...] = tuple(belief[None] for belief in beliefs)
    total = np.zeros(1)
    for _ in range(model.horizon):
        front = planner.predict(front)
        total = np.repeat(total, len(planner.joint_actions)) + planner.value(front)
    return total


def policy_posterior(model: Compiled, neg_efe: Array) -> Array:
    """softmax(gamma * neg_efe + ln E), shape [policies]."""
    return _softmax(model.gamma * neg_efe + _log(model.E))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, in labels.

    Attributes:
        observation: label by modality.
        belief: most probable label and its probability by state factor.
        state: the true label by state factor.
        action: label by action factor, taken after the observation.
    """

    observation: Mapping[str, str]
    belief: Mapping[str, tuple[str, float]]
    state: Mapping[str, str]
    action: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One episode; equal seeds give equal runs.

    Attributes:
        surprised: number of steps whose observation had probability 0 under the beliefs (904).
            Mean-field beliefs can exclude a combination that is true.
    """

    seed: int
    steps: tuple[Step, ...]
    surprised: int = 0


def predicted_prior(
    model: Compiled, beliefs: Sequence[Array], action: NDArray[np.int64]
) -> tuple[Array, ...]:
    """q(s_f) of the next step, before its observation, after the joint `action`."""
    made: list[Array] = []
    for f, b in enumerate(model.B):
        at: tuple[Any, ...] = (..., *(int(action[k]) for k in model.B_action_dependencies[f]))
        chosen = b[at]
        parents = [beliefs[g][None] for g in model.B_dependencies[f]]
        made.append(_expected(chosen, parents)[0])
    return tuple(made)


def choose(
    model: Compiled, beliefs: Sequence[Array], rng: np.random.Generator
) -> NDArray[np.int64]:
    """First joint action, shape [actions], of the best policy or of a sampled one."""
    look(100, numbers=16 * len(model.policies))
    posterior = policy_posterior(model, negative_expected_free_energy(model, beliefs))
    if model.selection == "stochastic":
        index = int(rng.choice(len(posterior), p=posterior))
    else:
        # Rounding must not decide between equal policies, so the first one is taken.
        index = int(np.flatnonzero(posterior >= posterior.max() * (1 - 1e-9))[0])
    first: NDArray[np.int64] = model.policies[index, 0]
    return first


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


def simulate(model: Compiled, *, steps: int, seed: int) -> Run:
    """Run the agent for `steps` steps in a world sampled from its own model.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    rng = np.random.default_rng(seed)
    world = World(model, rng)
    prior: tuple[Array, ...] = model.D
    made: list[Step] = []
    surprised = 0
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            seen = world.observe()
            surprised += _is_impossible(model, seen, prior)
            beliefs = infer_states(model, seen, prior)
            action = choose(model, beliefs, rng)
            made.append(_in_labels(model, world.state, seen, beliefs, action))
            world.act(action)
            prior = predicted_prior(model, beliefs, action)
    return Run(seed, tuple(made), surprised)


def _is_impossible(model: Compiled, seen: Sequence[int], prior: Sequence[Array]) -> bool:
    """Whether an observation has probability 0 under the beliefs before it."""
    return any(
        _expected(a[index][None], [prior[f][None] for f in parents])[0, 0] < EPSILON
        for a, parents, index in zip(model.A, model.A_dependencies, seen, strict=True)
    )


def _in_labels(
    model: Compiled,
    state: Sequence[int],
    seen: Sequence[int],
    beliefs: Sequence[Array],
    action: NDArray[np.int64],
) -> Step:
    return Step(
        observation={v.name: v.names[i] for v, i in zip(model.observations, seen, strict=True)},
        belief={
            v.name: (v.names[int(q.argmax())], float(q.max()))
            for v, q in zip(model.states, beliefs, strict=True)
        },
        state={v.name: v.names[i] for v, i in zip(model.states, state, strict=True)},
        action={v.name: v.names[int(i)] for v, i in zip(model.actions, action, strict=True)},
    )
