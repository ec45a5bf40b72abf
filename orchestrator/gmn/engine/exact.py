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

from orchestrator.gmn.engine.parts import EXACT_NUMBERS, actions_of, elimination, per_action
from orchestrator.gmn.engine.plan import STILL, distinct
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
        #: Utility of every joint state that is entered, and of every action in it.
        self.entering, self._ambiguity = self._worths()
        self.acting = self._action_worths()
        #: Of all observations together, or of each.
        self.tables = self._outcome_tables()
        self._gained = self.tables if model.info_gain else []
        lasting = (
            [(~model.terminal[f]).astype(float) for f in part.factors] if model.terminal else []
        )
        self.lasting = self.joint(lasting) if any((one == 0).any() for one in lasting) else None

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
        """The belief after an action (one index per control of the part), before observing.

        That there is an action says that nothing has ended.
        """
        belief = self.going_on(belief[None])[0][0]
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

    # -- planning, over batches of beliefs [batch, joint states]

    @property
    def is_curious(self) -> bool:
        """Whether information gain counts."""
        return self._model.info_gain

    def _along(self, factors: Sequence[int], table: Array) -> Array:
        """A table over some of its factors, with one axis for each factor of the part."""
        order = sorted(range(len(factors)), key=lambda axis: self._axis[factors[axis]])
        sizes = zip(self.part.factors, self.part.sizes, strict=True)
        return table.transpose(order).reshape([n if f in factors else 1 for f, n in sizes])

    def _worths(self) -> tuple[Array, Array]:
        """Utility and ambiguity of what is entered, each of shape [joint states]."""
        model, sizes = self._model, self.part.sizes
        utility, ambiguity = np.zeros(sizes), np.zeros(sizes)
        for f in self.part.factors:
            utility = utility + self._along([f], model.V[f])
        for m in self.part.modalities:
            table = self._spread(m)
            utility = utility + np.tensordot(model.C[m], table, axes=1)
            ambiguity = ambiguity + entropies(np.moveaxis(table, 0, -1))
        return utility.reshape(-1), ambiguity.reshape(-1)

    def _action_worths(self) -> Array:
        """Utility of every action, [joint states, actions]; [1, actions] where there is none."""
        total = np.zeros((self.part.states if self.part.utilities else 1, len(self.actions)))
        for one in (self._model.action_utilities[i] for i in self.part.utilities):
            look(100, numbers=total.size)
            table = per_action(self.part, self.actions, one.table, one.actions)
            for action in range(len(self.actions)):
                spread = self._along(one.states, table[..., action % table.shape[-1]])
                total[:, action] += np.broadcast_to(spread, self.part.sizes).reshape(-1)
        return total

    def _outcome_tables(self) -> list[Array]:
        """p(o | s), [joint states, outcomes], of all modalities together where that is small.

        Else of each alone: the entropies count what two of them say alike twice.
        """
        is_contingent = self._model.selection == "contingent"
        flat = [self.likelihood(m) for m in self.part.modalities]
        numbers = self.part.outcomes * self.part.states
        if not flat or numbers > (EXACT_NUMBERS if is_contingent else OUTCOME_NUMBERS):
            return flat
        look(100, numbers=numbers)
        joint = flat[0]
        for table in flat[1:]:
            joint = (joint[:, :, None] * table[:, None, :]).reshape(self.part.states, -1)
        return [joint[:, joint.any(axis=0)]]

    def likelihood(self, modality: int) -> Array:
        """p(o | s) of one of its modalities, [joint states, |o|]."""
        table = self._spread(modality)
        whole = np.broadcast_to(table, (len(table), *self.part.sizes))
        return np.ascontiguousarray(whole.reshape(len(table), -1).T)

    def batch(self, belief: Array) -> Array:
        """A batch of one belief."""
        return belief[None]

    def some(self, beliefs: Array, which: slice | NDArray[np.int64]) -> Array:
        """Those of a batch."""
        return beliefs[which]

    @property
    def at_once(self) -> int:
        """Of how many beliefs every action is planned at once."""
        moving = self.part.numbers if self._matrix is None else self._matrix.size
        held = self.part.states * len(self.actions)
        return max(1, min(FRONT_NUMBERS // held, PRODUCTS // moving))

    def going_on(self, beliefs: Array) -> tuple[Array, Array]:
        """Beliefs given that nothing has ended, and how probable that is, [batch].

        A belief that is certain of the end stays as it is.
        """
        if self.lasting is None:
            return beliefs, np.ones(len(beliefs))
        kept = beliefs * self.lasting
        alive = kept.sum(axis=1)
        possible = alive > 0
        kept[~possible] = beliefs[~possible]
        return kept / np.where(possible, alive, 1.0)[:, None], alive

    def every_way(self, front: Array) -> Array:
        """Beliefs after every action, [batch * actions, joint states], actions fastest."""
        if self._matrix is not None:
            look(100, numbers=len(front) * self._matrix.size)
            return product(front, self._matrix).reshape(-1, self.part.states)
        ways = [self._moved(front, list(action)) for action in self.actions]
        return np.stack(ways, axis=1).reshape(-1, self.part.states)

    def moves(self, front: Array, after: Array) -> Array:
        """1 for every action that changes the belief, else 0, [batch, actions]."""
        gap = np.abs(after.reshape(len(front), -1, self.part.states) - front[:, None])
        moved: Array = 1.0 * (gap.max(axis=2) > STILL)
        return moved

    def distinct(self, beliefs: Array) -> tuple[Array, NDArray[np.int64]]:
        """The different ones of a batch, and for each the place of its equal."""
        first, back = distinct(beliefs)
        return beliefs[first], back

    def action_utility(self, beliefs: Array) -> Array:
        """Expected utility of doing each of its actions, in nats, [batch, actions]."""
        if not self.part.utilities:
            return self.acting
        done: Array = beliefs @ self.acting
        return done

    def utility(self, beliefs: Array) -> Array:
        """Expected utility of what is entered, in nats, [batch]."""
        entered: Array = beliefs @ self.entering
        return entered

    def information(self, beliefs: Array) -> Array:
        """Information gain of what is then observed, in nats, [batch]; 0 where it is not asked."""
        gain = np.zeros(len(beliefs))
        for table in self._gained:
            at_once = max(1, PRODUCTS // table.size)
            for at in range(0, len(beliefs), at_once):
                look(20, numbers=table.size * len(beliefs[at : at + at_once]))
                gain[at : at + at_once] += entropies(product(beliefs[at : at + at_once], table))
        return gain - beliefs @ self._ambiguity if self._gained else gain

    def outcomes(self, belief: Array) -> list[Array]:
        """q(o) of each of its modalities."""
        return [belief @ self.likelihood(m) for m in self.part.modalities]
