"""Exact beliefs over one part of a model: Bayes' rule on the joint of its factors.

Filtering: q(s') is proportional to p(o | s') sum_s p(s' | s, u) q(s) (Kaelbling, Littman and
Cassandra 1998, "Planning and acting in partially observable stochastic domains", section 3.3).
Expected free energy: utility plus information gain (Da Costa et al. 2020, "Active inference on
discrete state-spaces: a synthesis", section 6); the gain is the mutual information between the
joint state and all observations of the part together.
"""

from __future__ import annotations

import math
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.parts import actions_of, elimination
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: The most numbers of one transition matrix over the joint; a larger part moves factor by factor.
DENSE_NUMBERS = 2**21
#: The most numbers of one table over all observations of a part together.
OUTCOME_NUMBERS = 2**18
#: The most numbers of beliefs that planning holds at once.
FRONT_NUMBERS = 2**21
#: The most products between two looks at whether anybody still waits.
PRODUCTS = 2**23


#: OpenBLAS shares a larger product among threads, which on a busy machine wait for each other.
_ALONE = 2**18


def product(rows: Array, table: Array) -> Array:
    """`rows` @ `table`, for small tables in slices that one thread computes."""
    at_once = _ALONE // table.size
    if at_once < 8 or len(rows) <= at_once:
        whole: Array = rows @ table
        return whole
    cuts = range(0, len(rows), at_once)
    return np.concatenate([rows[at : at + at_once] @ table for at in cuts])


def entropies(distributions: Array) -> Array:
    """Entropy in nats along the last axis; 0 ln 0 is 0."""
    logs = np.log(np.where(distributions > 0, distributions, 1.0))
    result: Array = -(distributions * logs).sum(axis=-1)
    return result


class ExactPart:
    """The joint belief over one part; a belief is an array of shape [joint states]."""

    def __init__(self, model: Compiled, part: Part) -> None:
        self.part = part
        self._model = model
        self._axis = {f: axis for axis, f in enumerate(part.factors)}
        self.actions = actions_of(model, part)
        with np.errstate(divide="ignore"):
            self._log_likelihood = {m: np.log(self._spread(m)) for m in part.modalities}
        self._order = [f for f, _ in elimination(model, part.factors)]
        dense = len(self.actions) * part.states**2 <= DENSE_NUMBERS
        self._matrix = self._joint_transition() if dense else None
        self._worth, self._outcomes = self._worths()

    def _spread(self, modality: int) -> Array:
        """Its likelihood with one axis per factor of the part, of size 1 where none depends."""
        parents = self._model.A_dependencies[modality]
        table = self._model.A[modality]
        sizes = [
            s if f in parents else 1
            for f, s in zip(self.part.factors, self.part.sizes, strict=True)
        ]
        return table.reshape([table.shape[0], *sizes])

    # -- beliefs

    def start(self) -> Array:
        """The joint prior."""
        return self.joint([self._model.D[f] for f in self.part.factors])

    def joint(self, marginals: Sequence[Array]) -> Array:
        """The product of one distribution per factor."""
        product = np.ones(1)
        for marginal in marginals:
            product = np.multiply.outer(product, marginal)
        return product.reshape(-1)

    def marginals(self, belief: Array) -> list[Array]:
        """q(s_f) of each of its factors."""
        joint = belief.reshape(self.part.sizes)
        axes = range(joint.ndim)
        return [joint.sum(axis=tuple(a for a in axes if a != axis)) for axis in axes]

    def with_marginal(self, belief: Array, axis: int, wanted: Array) -> Array:
        """The belief in which one factor has another marginal, and all else given it as before."""
        held = self.marginals(belief)[axis]
        shape = [-1 if a == axis else 1 for a in range(len(self.part.sizes))]
        ratio = np.divide(wanted, held, out=np.zeros_like(held), where=held > 0).reshape(shape)
        after: Array = (belief.reshape(self.part.sizes) * ratio).reshape(-1)
        return after

    def observe(self, belief: Array, seen: Sequence[int | None]) -> tuple[Array, int, bool]:
        """The belief after an observation, how many modalities were impossible, and True: settled.

        An observation that the belief rules out is left out: Bayes' rule has no answer to it.
        """
        look(50, numbers=8 * belief.size * (1 + len(self.part.modalities)))
        with np.errstate(divide="ignore"):
            logits = np.log(belief).reshape(self.part.sizes)
        impossible = 0
        for m in self.part.modalities:
            index = seen[m]
            if index is None:
                continue
            after = logits + self._log_likelihood[m][index]
            if after.max() == -math.inf:
                impossible += 1
            else:
                logits = after
        raised = np.exp(logits - logits.max()).reshape(-1)
        return raised / raised.sum(), impossible, True

    def predict(self, belief: Array, action: Sequence[int]) -> Array:
        """The belief after an action (one index per control of the part), before observing."""
        if self._matrix is not None:
            row = 0
            for k, index in zip(self.part.controls, action, strict=True):
                row = row * self._model.actions[k].n + index
            states = self.part.states
            moved: Array = belief @ self._matrix[:, row * states : (row + 1) * states]
            return moved
        after: Array = self._moved(belief[None], action)[0]
        return after

    def _moved(self, beliefs: Array, action: Sequence[int]) -> Array:
        """Beliefs [batch, joint states] after one action, factor by factor."""
        look(100, numbers=len(beliefs) * self.part.numbers)
        before = dict(zip(self.part.factors, ascii_lowercase, strict=False))
        after = dict(zip(self.part.factors, ascii_uppercase, strict=False))
        front, axes = beliefs.reshape(len(beliefs), *self.part.sizes), "".join(before.values())
        for at, f in enumerate(self._order):
            parents = self._model.B_dependencies[f]
            left = [g for h in self._order[at + 1 :] for g in self._model.B_dependencies[h]]
            needed = {before[g] for g in left} | set(after.values())
            kept = "".join(axis for axis in axes if axis in needed) + after[f]
            table = after[f] + "".join(before[g] for g in parents)
            path = f"...{axes},{table}->...{kept}"
            front = np.einsum(path, front, self._transition(f, action), optimize=True)
            axes = kept
        ordered: Array = np.einsum(f"...{axes}->...{''.join(after.values())}", front)
        return ordered.reshape(len(beliefs), -1)

    def _transition(self, factor: int, action: Sequence[int]) -> Array:
        """p(s_f' | parents, action), shape [|s_f|, parents…]."""
        of = dict(zip(self.part.controls, action, strict=True))
        at: tuple[Any, ...] = (..., *(of[k] for k in self._model.B_action_dependencies[factor]))
        table: Array = self._model.B[factor][at]
        return table

    def _joint_transition(self) -> Array:
        """[joint states, actions * joint states], so that one product moves a batch every way."""
        count, states = len(self.part.factors), self.part.states
        look(100, numbers=count * len(self.actions) * states**2)
        blocks = []
        for action in self.actions:
            block = np.ones([1] * (2 * count))
            for f in self.part.factors:
                shape = [1] * (2 * count)
                table = np.moveaxis(self._transition(f, list(action)), 0, -1)
                for g in self._model.B_dependencies[f]:
                    shape[self._axis[g]] = self._model.states[g].n
                shape[count + self._axis[f]] = self._model.states[f].n
                block = block * table.reshape(shape)
            blocks.append(np.broadcast_to(block, (*self.part.sizes, *self.part.sizes)))
        return np.concatenate([block.reshape(states, states) for block in blocks], axis=1)

    # -- plans

    def _worths(self) -> tuple[Array, list[Array]]:
        """What a step is worth in each joint state, and the tables whose entropy counts too.

        -G of a step is q . worth + sum of H(q @ outcomes): utilities less ambiguity, and the
        entropy of what is observed, of all modalities together where their table is small enough;
        else of each alone, which counts what two of them say alike twice.
        """
        model, sizes = self._model, self.part.sizes
        worth = np.zeros(sizes)
        for f in self.part.factors:
            shape = [1] * len(sizes)
            shape[self._axis[f]] = -1
            worth = worth + model.V[f].reshape(shape)
        spread = [self._spread(m) for m in self.part.modalities]
        for m, table in zip(self.part.modalities, spread, strict=True):
            worth = worth + np.tensordot(model.C[m], table, axes=1)
            if model.info_gain:
                worth = worth - entropies(np.moveaxis(table, 0, -1))
        return worth.reshape(-1), self._outcome_tables(spread) if model.info_gain else []

    def _outcome_tables(self, spread: Sequence[Array]) -> list[Array]:
        states = self.part.states
        flat = [
            np.broadcast_to(table, (len(table), *self.part.sizes)).reshape(len(table), states).T
            for table in spread
        ]
        together = math.prod(table.shape[1] for table in flat)
        if not flat or together * states > OUTCOME_NUMBERS:
            return [np.ascontiguousarray(table) for table in flat]
        look(100, numbers=together * states)
        joint = flat[0]
        for table in flat[1:]:
            joint = (joint[:, :, None] * table[:, None, :]).reshape(states, -1)
        return [joint[:, joint.any(axis=0)]]

    def worth(self, beliefs: Array) -> Array:
        """-G of one step for predicted beliefs [batch, joint states], in nats, [batch]."""
        products = sum(table.size for table in self._outcomes) + beliefs.shape[1]
        at_once = max(1, PRODUCTS // products)
        return np.concatenate(
            [self._worth_of(beliefs[at : at + at_once]) for at in range(0, len(beliefs), at_once)]
        )

    def _worth_of(self, beliefs: Array) -> Array:
        total = beliefs @ self._worth
        for table in self._outcomes:
            look(20, numbers=len(beliefs) * table.size)
            total = total + entropies(product(beliefs, table))
        return total

    def plan(self, belief: Array, horizon: int) -> Array:
        """-G of every sequence of its actions, in C order, shape [actions ** horizon]."""
        return self._from(belief[None], horizon)

    def _from(self, front: Array, horizon: int) -> Array:
        if not horizon:
            return np.zeros(len(front))
        states, actions = self.part.states, len(self.actions)
        moving = actions * states**2 if self._matrix is not None else self.part.numbers
        most = max(1, min(FRONT_NUMBERS // (states * actions), PRODUCTS // moving))
        if len(front) > most:
            cuts = range(0, len(front), most)
            return np.concatenate([self._from(front[at : at + most], horizon) for at in cuts])
        moved = self._every_way(front)
        worth = self.worth(moved)
        if horizon == 1:
            return worth
        moved, back = _distinct(moved)
        below = self._from(moved, horizon - 1).reshape(len(moved), -1)[back]
        return (worth[:, None] + below).reshape(-1)

    def _every_way(self, front: Array) -> Array:
        """Beliefs after every action, [batch * actions, joint states], actions fastest."""
        if self._matrix is not None:
            look(100, numbers=len(front) * self._matrix.size)
            return product(front, self._matrix).reshape(-1, self.part.states)
        ways = [self._moved(front, list(action)) for action in self.actions]
        return np.stack(ways, axis=1).reshape(-1, self.part.states)


def _distinct(beliefs: Array) -> tuple[Array, NDArray[np.int64]]:
    """The different ones among beliefs [batch, states], and for each the place of its equal.

    Plans meet: going up and right ends where going right and up does.
    """
    rounded = np.ascontiguousarray(np.round(beliefs, 12)) + 0.0
    keys = rounded.view(np.dtype((np.void, rounded.dtype.itemsize * rounded.shape[1]))).reshape(-1)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return beliefs[first], back.reshape(-1)
