"""The engine of a compiled model: beliefs, plans and choices of an active-inference agent."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.arrays import Means, softmax
from orchestrator.gmn.engine.contingent import Tree
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.gmn.engine.mean_field import MeanFieldPart
from orchestrator.gmn.engine.parts import parts_of, places_of, require_possible
from orchestrator.gmn.engine.plan import (
    ALIVE,
    MOVED,
    STILL,
    UTILITY,
    WORTH,
    Planned,
    stages,
    worths,
)
from orchestrator.gmn.engine.sparse import Sparse
from orchestrator.gmn.engine.transitions import transitions_of
from orchestrator.gmn.rows import as_kept, numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.choice import Choice
    from orchestrator.gmn.model import Inference

    Array = NDArray[np.float64]

#: So many possible transitions are listed for the bounds of contingent plans, sparse or not.
MOVES = 2**18
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
        depth: the fewest steps that any plan so far looked ahead.
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
        #: Whether a policy is a sequence of the actions of its only part.
        self._is_whole = len(self.parts) == 1 and np.array_equal(
            self._places[0], np.arange(len(self.parts[0].actions) ** len(model.policies[0]))
        )
        self._log_habits: tuple[Array, Array] | None = None  # of which prior over policies
        self._trees = [
            _tree(self.model, part, np.unique(place[self.model.E > 0]))
            for part, place in zip(self.parts, self._places, strict=True)
            if is_contingent and isinstance(part, ExactPart)
        ]
        self.known: dict[bytes, Choice] = {}
        self.depth = self.model.horizon
        per_step = math.prod(action.n for action in model.actions)
        self.joint_actions: NDArray[np.int64] = model.policies[:per_step, -1, :]

    def without_information(self) -> Engine:
        """The engine of the same model with `info_gain: false`, of the same arrays."""
        quiet, model = copy(self), replace(self.model, info_gain=False)
        if self._trees:
            return Engine(model)
        quiet.model, quiet.known, quiet.parts = model, {}, tuple(map(copy, self.parts))
        for part in quiet.parts:
            vars(part).update(_model=model)
            if isinstance(part, ExactPart):
                vars(part).update(_gaining=Means(part.entering[:, None]))
                vars(part).pop("_tables", None)
        return quiet

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
        tables = sum(map(numbers_of, (*self.model.A, *as_kept(self.model.B))))
        return tables + sum(part.prepared for part in self.parts if isinstance(part, ExactPart))

    def _place(self, part: Planned) -> NDArray[np.int64]:
        """For every policy, the index of the part's own sequence of actions."""
        index = np.zeros(len(self.model.policies), dtype=np.int64)
        for step in range(self.model.policies.shape[1]):
            own = places_of(self.model, part.part, self.model.policies[:, step])
            index = index * len(part.actions) + own
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
        shown = np.array([[-1 if index is None else index for index in seen]])
        after, impossible, converged = self.observe_many(self.batch(beliefs), shown)
        return Inferred(self.some(after, 0), int(impossible[0]), bool(converged[0]))

    def predict(self, beliefs: Beliefs, action: Sequence[int] | NDArray[np.int64]) -> Beliefs:
        """Beliefs of the next step, before its observation, after a joint action."""
        return self.some(self.predict_many(self.batch(beliefs), np.asarray(action)[None]), 0)

    # -- batches: the beliefs of many agents, one batch for each part

    def batch(self, beliefs: Beliefs) -> Beliefs:
        """A batch of one."""
        return tuple([part.batch(q) for part, q in zip(self.parts, beliefs, strict=True)])

    def count(self, beliefs: Beliefs) -> int:
        """Of how many agents a batch holds the beliefs."""
        return len(beliefs[0][0] if isinstance(beliefs[0], list) else beliefs[0])

    def some(self, beliefs: Beliefs, which: Any) -> Beliefs:
        """Those of a batch, or by an index one belief of it."""
        return tuple([part.some(q, which) for part, q in zip(self.parts, beliefs, strict=True)])

    def observe_many(
        self, beliefs: Beliefs, seen: NDArray[np.int64]
    ) -> tuple[Beliefs, NDArray[np.int64], NDArray[np.bool_]]:
        """Each belief after its row of `seen` [batch, modalities], where -1 was not observed.

        Also, for each, how many modalities it had ruled out, and whether it converged.
        """
        parts = zip(self.parts, beliefs, strict=True)
        found = [part.observe_many(belief, seen) for part, belief in parts]
        _, impossible, converged = found[0]
        for _, more, settled in found[1:]:
            impossible, converged = impossible + more, converged & settled
        return tuple([after for after, _, _ in found]), impossible, converged

    def predict_many(self, beliefs: Beliefs, actions: NDArray[np.int64]) -> Beliefs:
        """Each belief of the next step, after its row of joint `actions` [batch, actions]."""
        return tuple(
            part.predict_many(belief, places_of(self.model, part.part, actions))
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
        found, depth = self.plan_many(self.batch(beliefs))
        return found[0], int(depth[0])

    def plan_many(self, beliefs: Beliefs) -> tuple[Array, NDArray[np.int64]]:
        """`plan` of each of a batch, [batch, policies] and [batch]; contingent ones in turn."""
        count, total = self.count(beliefs), np.zeros(1)
        depth = np.zeros(count, dtype=np.int64) + self.model.horizon
        if self._trees:
            total = np.zeros((count, len(self.model.policies)))
            for tree, batch, place in zip(self._trees, beliefs, self._places, strict=True):
                for row, belief in enumerate(batch):
                    values, steps = tree.values(belief)
                    total[row] += values[place]
                    depth[row] = min(depth[row], steps)
            self.depth = min(self.depth, int(depth.min()))
            return total, depth
        if self.model.terminal:
            return self.by_step(beliefs, rows=ALIVE + 1)[WORTH].sum(axis=0), depth
        for part, batch, place in zip(self.parts, beliefs, self._places, strict=True):
            part.planned += count
            found = worths(part, batch, self.model.policies.shape[1], self.model.discount)
            total = found if self._is_whole else total + found.take(place, axis=1)
        return total, depth

    def by_step(
        self, beliefs: Beliefs, *, rows: int, at: Any = slice(None), which: Any = slice(None)
    ) -> Array:
        """The first `rows` of a stage of each of a batch, [rows, steps, batch, policies].

        Or, of each pair of a row `at` of the batch and a policy `which`, [rows, steps, pairs].
        Discounted, and weighed by the probability that nothing had ended before; that is a product
        over the parts, because parts stay independent.
        """
        steps, policies = self.model.policies.shape[1], len(self.model.policies)
        shape = (self.count(beliefs), policies) if isinstance(at, slice) else at.shape
        found = np.empty((len(self.parts), rows, steps, *shape))
        for p, (part, batch) in enumerate(zip(self.parts, beliefs, strict=True)):
            for t, stage in enumerate(stages(part, batch, steps, rows)):
                place = self._places[p][which] // len(part.actions) ** (steps - 1 - t)
                found[p, :, t] = stage[:, at, place]
        alive = found[:, ALIVE].copy()
        if len(self.parts) > 1 and self.model.terminal:
            for p in range(len(self.parts)):
                found[p] *= np.delete(alive, p, axis=0).prod(axis=0)
        total: Array = found[0] if len(found) == 1 else found.sum(axis=0)
        total[ALIVE] = alive.prod(axis=0)
        if self.model.discount != 1:
            later = self.model.discount ** np.arange(steps).reshape(-1, *[1] * len(shape))
            total[[WORTH, UTILITY][: 1 + (rows > UTILITY)]] *= later
        return total

    def ties(self, beliefs: Beliefs, at: NDArray[np.int64], which: NDArray[np.int64]) -> Array:
        """What decides between equal policies `which` of rows `at`, more is better, [3, pairs].

        The utility that comes early, all worth that comes early, and how few steps change anything.
        """
        if self._trees:
            total = np.zeros((3, self.count(beliefs), len(self.model.policies)))
            for tree, batch, place in zip(self._trees, beliefs, self._places, strict=True):
                for row, belief in enumerate(batch):
                    total[:, row] += tree.ties(belief)[:, place]
            return total[:, at, which]
        found = self.by_step(beliefs, rows=MOVED + 1, at=at, which=which)
        still = -(found[MOVED] > STILL).sum(axis=0, dtype=float)
        left = np.arange(len(found[WORTH]), 0, -1)  # in so many sums a step counts
        return np.stack([left @ found[UTILITY], left @ found[WORTH], still])

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
            place = int(places_of(self.model, part.part, action))
            total += part.action_utility(part.going_on(part.batch(belief))[0])[0, place]
        return total

    def utility(self, beliefs: Beliefs) -> float:
        """Expected utility in nats of states that are entered, and of what is observed there."""
        return sum(
            float(part.gains(part.batch(belief))[0][0])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def information(self, beliefs: Beliefs) -> float:
        """Information gain in nats of the observation of predicted beliefs; 0 if not asked."""
        return sum(
            float(part.gains(part.batch(belief))[1][0])
            for part, belief in zip(self.parts, beliefs, strict=True)
        )

    def outcomes(self, beliefs: Beliefs) -> tuple[Array, ...]:
        """q(o) of every modality under predicted beliefs, in declaration order."""
        found: dict[int, Array] = {}
        for part, belief in zip(self.parts, beliefs, strict=True):
            found.update(zip(part.part.modalities, part.outcomes(belief), strict=True))
        return tuple(found[m] for m in range(len(found)))

    def policy_posterior(self, neg_efe: Array) -> Array:
        """softmax(gamma * neg_efe + ln E), [..., policies]; 0 where a habit forbids it."""
        return softmax(self.scores(neg_efe))

    def scores(self, neg_efe: Array) -> Array:
        """gamma * neg_efe + ln E, shape [policies]; -inf where a habit forbids it."""
        if self._log_habits is None or self._log_habits[0] is not self.model.E:
            with np.errstate(divide="ignore"):
                self._log_habits = self.model.E, np.log(self.model.E)
        return self.model.gamma * neg_efe + self._log_habits[1]


def _tree(model: Compiled, part: ExactPart, allowed: NDArray[np.int64]) -> Tree:
    """Plans of a part that branch; over its possible states, where few transitions are possible."""
    moves = part.rows
    if moves is None:
        moves = transitions_of(model, part.part, part.actions, MOVES)
    made = Tree if part.rows is None else Sparse
    return made(part, model.horizon, model.discount, allowed, moves)
