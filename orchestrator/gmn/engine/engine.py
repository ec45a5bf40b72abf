"""The engine of a compiled model: beliefs, plans and choices of an active-inference agent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.contingent import Tree
from orchestrator.gmn.engine.exact import DENSE_NUMBERS, ExactPart
from orchestrator.gmn.engine.mean_field import MeanFieldPart, softmax
from orchestrator.gmn.engine.parts import parts_of, require_possible
from orchestrator.gmn.engine.plan import ALIVE, MOVED, STILL, WORTH, Planned, stages, summed
from orchestrator.gmn.engine.sparse import Sparse, transitions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.choice import Choice
    from orchestrator.gmn.model import Inference

    Array = NDArray[np.float64]

#: One belief per part of the model: a joint distribution, or one distribution per factor.
Beliefs = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Inferred:
    """Beliefs after an observation.

    Attributes:
        impossible: how many modalities showed what the beliefs before had ruled out.
        converged: False where mean-field beliefs were still moving.
    """

    beliefs: Beliefs
    impossible: int
    converged: bool


class Engine:
    """Prepares a model's arrays once; holds no beliefs of its own.

    Attributes:
        known: what was chosen, by the bytes of the beliefs; equal beliefs are planned once.
    """

    def __init__(self, model: Compiled, *, inference: Inference | None = None) -> None:
        """`inference` overrides the model's own.

        Raises: GMNError: exact inference is asked for and a part is too large for it.
        """
        self.model = model if inference is None else replace(model, inference=inference)
        require_possible(self.model)
        is_exact = self.model.inference != "mean_field"
        self.parts: tuple[Planned, ...] = tuple(
            (ExactPart if is_exact and not part.reason else MeanFieldPart)(model, part)
            for part in parts_of(model)
        )
        is_contingent = self.model.selection == "contingent"
        self._places = [self._place(part) for part in self.parts]
        self._trees = [
            _tree(self.model, part, np.unique(place[self.model.E > 0]))
            for part, place in zip(self.parts, self._places, strict=True)
            if is_contingent and isinstance(part, ExactPart)
        ]
        self.known: dict[bytes, Choice] = {}
        per_step = math.prod(action.n for action in model.actions)
        self.joint_actions: NDArray[np.int64] = model.policies[:per_step, -1, :]

    def __getstate__(self) -> dict[str, object]:
        # A copy may get another prior over policies; what is pickled stays small.
        return {**self.__dict__, "known": {}}

    @property
    def is_exact(self) -> bool:
        """Whether every belief is the exact posterior."""
        return all(isinstance(part, ExactPart) for part in self.parts)

    @property
    def numbers(self) -> int:
        """About how many numbers its arrays hold."""
        tables = sum(table.size for table in (*self.model.A, *self.model.B))
        dense = (len(part.actions) * part.part.states**2 for part in self.parts)
        return tables + sum(size for size in dense if size <= DENSE_NUMBERS)

    def _place(self, part: Planned) -> NDArray[np.int64]:
        """For every policy, the index of the part's own sequence of actions."""
        index = np.zeros(len(self.model.policies), dtype=np.int64)
        for step in range(self.model.policies.shape[1]):
            for k in part.part.controls:
                index = index * self.model.actions[k].n + self.model.policies[:, step, k]
        return index

    def start(self) -> Beliefs:
        """The priors."""
        return tuple(part.start() for part in self.parts)

    def from_marginals(self, marginals: Sequence[Array]) -> Beliefs:
        """Beliefs in which the factors are independent, from q(s_f) of every factor."""
        return tuple(part.joint([marginals[f] for f in part.part.factors]) for part in self.parts)

    def marginals(self, beliefs: Beliefs) -> tuple[Array, ...]:
        """q(s_f) of every factor, in declaration order."""
        found: dict[int, Array] = {}
        for part, belief in zip(self.parts, beliefs, strict=True):
            found.update(zip(part.part.factors, part.marginals(belief), strict=True))
        return tuple(found[f] for f in range(len(found)))

    def with_marginal(self, beliefs: Beliefs, factor: int, wanted: Array) -> Beliefs:
        """Beliefs in which q(s_factor) is `wanted`, and everything else given it as before.

        This is Jeffrey's rule; `wanted` is 0 wherever the belief is.
        """
        return tuple(
            part.with_marginal(belief, part.part.factors.index(factor), wanted)
            if factor in part.part.factors
            else belief
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def observe(self, beliefs: Beliefs, seen: Sequence[int | None]) -> Inferred:
        """Beliefs after one index per modality, None for one that was not observed.

        Raises: ValueError: an index is out of range (903).
        """
        for variable, index in zip(self.model.observations, seen, strict=True):
            if index is not None and not 0 <= index < variable.n:
                raise ValueError(f"GMN903: observation {index} is not possible for {variable.name}")
        found = [
            part.observe(belief, seen) for part, belief in zip(self.parts, beliefs, strict=True)
        ]
        beliefs, impossible, converged = zip(*found, strict=True)
        return Inferred(beliefs, sum(impossible), all(converged))

    def predict(self, beliefs: Beliefs, action: Sequence[int] | NDArray[np.int64]) -> Beliefs:
        """Beliefs of the next step, before its observation, after a joint action."""
        return tuple(
            part.predict(belief, [int(action[k]) for k in part.part.controls])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def negative_expected_free_energy(self, beliefs: Beliefs) -> Array:
        """-G of every policy in nats, shape [policies]: utility plus, if asked, information gain.

        Parts do not meet, so it is a sum over them, each planned over its own actions. Where plans
        are contingent a policy is a first action, and the best follows on what is observed.
        """
        return self.plan(beliefs)[0]

    def plan(self, beliefs: Beliefs) -> tuple[Array, int]:
        """-G of every policy, and how many steps it looks ahead; see `Tree.values`."""
        if self._trees:
            found = [tree.values(b) for tree, b in zip(self._trees, beliefs, strict=True)]
            placed = (q[place] for (q, _), place in zip(found, self._places, strict=True))
            return sum(placed, np.zeros(len(self.model.policies))), min(d for _, d in found)
        return self._open(beliefs), self.model.horizon

    def _open(self, beliefs: Beliefs) -> Array:
        if self.model.terminal:
            total: Array = self.by_step(beliefs, rows=ALIVE + 1)[WORTH].sum(axis=0)
            return total
        total = np.zeros(len(self.model.policies))
        for part, belief, place in zip(self.parts, beliefs, self._places, strict=True):
            found = stages(part, part.batch(belief), self.model.policies.shape[1], rows=1)
            total += summed(found, self.model.discount)[place]
        return total

    def by_step(self, beliefs: Beliefs, *, rows: int, gain: bool = True) -> Array:
        """The first `rows` of WORTH, ALIVE and MOVED, [rows, steps, policies]; see `stages`.

        Discounted, and weighed by the probability that nothing had ended before; that is a product
        over the parts, because parts stay independent.
        """
        steps = self.model.policies.shape[1]
        found = np.zeros((len(self.parts), rows, steps, len(self.model.policies)))
        for p, (part, belief) in enumerate(zip(self.parts, beliefs, strict=True)):
            for t, stage in enumerate(stages(part, part.batch(belief), steps, rows, gain=gain)):
                place = self._places[p] // len(part.actions) ** (steps - 1 - t)
                found[p, :, t] = stage[:, 0, place]
        alive = found[:, ALIVE].copy()
        if len(self.parts) > 1 and self.model.terminal:
            for p in range(len(self.parts)):
                found[p] *= np.delete(alive, p, axis=0).prod(axis=0)
        total: Array = found.sum(axis=0)
        total[ALIVE] = alive.prod(axis=0)
        total[WORTH] *= self.model.discount ** np.arange(steps)[:, None]
        return total

    def ties(self, beliefs: Beliefs) -> Array:
        """What decides between equal policies, more is better, shape [3, policies].

        The utility that comes early, all worth that comes early, and how few steps change anything.
        """
        if self._trees:
            scores = [tree.ties(b) for tree, b in zip(self._trees, beliefs, strict=True)]
            placed = [one[:, place] for one, place in zip(scores, self._places, strict=True)]
            return np.asarray(np.sum(placed, axis=0))
        found = self.by_step(beliefs, rows=MOVED + 1, gain=False)
        still = -(found[MOVED] > STILL).sum(axis=0, dtype=float)
        utility = worth = found[WORTH]
        if self.model.info_gain:
            worth = self.by_step(beliefs, rows=ALIVE + 1)[WORTH]
        return np.stack([np.cumsum(one, axis=0).sum(axis=0) for one in (utility, worth)] + [still])

    def going_on(self, beliefs: Beliefs) -> float:
        """How probable it is that nothing has ended."""
        return math.prod(
            float(part.going_on(part.batch(belief))[1][0])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def action_utility(self, beliefs: Beliefs, action: NDArray[np.int64]) -> float:
        """Expected utility in nats of doing something, given that nothing has ended."""
        total = 0.0
        for part, belief in zip(self.parts, beliefs, strict=True):
            place = int((part.actions == action[list(part.part.controls)]).all(axis=1).argmax())
            total += part.action_utility(part.going_on(part.batch(belief))[0])[0, place]
        return total

    def utility(self, beliefs: Beliefs) -> float:
        """Expected utility in nats of states that are entered, and of what is observed there."""
        return sum(
            float(part.utility(part.batch(belief))[0])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def information(self, beliefs: Beliefs) -> float:
        """Information gain in nats of the observation of predicted beliefs; 0 if not asked."""
        return sum(
            float(part.information(part.batch(belief))[0])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def outcomes(self, beliefs: Beliefs) -> tuple[Array, ...]:
        """q(o) of every modality under predicted beliefs, in declaration order."""
        found: dict[int, Array] = {}
        for part, belief in zip(self.parts, beliefs, strict=True):
            found.update(zip(part.part.modalities, part.outcomes(belief), strict=True))
        return tuple(found[m] for m in range(len(found)))

    def policy_posterior(self, neg_efe: Array) -> Array:
        """softmax(gamma * neg_efe + ln E), shape [policies]; 0 where a habit forbids it."""
        return softmax(self.scores(neg_efe))

    def scores(self, neg_efe: Array) -> Array:
        """gamma * neg_efe + ln E, shape [policies]; -inf where a habit forbids it."""
        with np.errstate(divide="ignore"):
            scores: Array = self.model.gamma * neg_efe + np.log(self.model.E)
        return scores


def _tree(model: Compiled, part: ExactPart, allowed: NDArray[np.int64]) -> Tree:
    """Plans of a part that branch; over its possible states, where few transitions are possible."""
    transitions = transitions_of(model, part)
    if transitions is None:
        return Tree(part, model.horizon, model.discount, allowed)
    return Sparse(part, model.horizon, model.discount, allowed, transitions)
