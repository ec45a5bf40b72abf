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
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.ahead import Ahead, ahead_of
from orchestrator.gmn.engine.arrays import WIDE, Means, entropies, product, totals
from orchestrator.gmn.engine.parts import EXACT_NUMBERS, actions_of, elimination, per_action
from orchestrator.gmn.engine.plan import STILL, by_action, distinct
from orchestrator.gmn.engine.transitions import transitions_of
from orchestrator.gmn.rows import SPARSE, Flow, Rows, as_kept, under
from orchestrator.types.cached import cached_property
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: The most numbers of one transition matrix over the joint; a larger part moves factor by factor.
DENSE_NUMBERS = 2**21
#: Where transitions are sparse, a matrix of at most so many numbers (2 MB) moves beliefs, and of
#: at most so many for each possible transition; a larger one takes longer than those alone.
MATRIX_NUMBERS = 2**18
MATRIX_FACTOR = 256
#: The most possible transitions that are kept over the joint.
SPARSE_NUMBERS = 2**21
#: The most numbers of one table over all observations of a part together.
OUTCOME_NUMBERS = 2**18
#: The most numbers of beliefs that planning holds at once.
FRONT_NUMBERS = 2**21
#: The most products between two looks at whether anybody still waits.
PRODUCTS = 2**23
#: From so many beliefs on tables of all plans take less time than they save.
OFTEN = 8
#: An observation that is less probable is taken in by logarithms: products would be zero.
UNLIKELY = 1e-30


class ExactPart:
    """The joint belief over one part; a belief is an array of shape [joint states]."""

    def __init__(self, model: Compiled, part: Part) -> None:
        self.part = part
        self._model = model
        self._axis, self.planned = {f: axis for axis, f in enumerate(part.factors)}, 0
        self.actions = actions_of(model, part)
        unseen = np.ones(part.states)
        #: p(o | s) by modality, [|o| + 1, joint states]; the last row, index -1, is nothing seen.
        self._evidence = [(m, np.vstack([self.likelihood(m).T, unseen])) for m in part.modalities]
        self._order = [f for f, _ in elimination(model, part.factors)]
        numbers, most = len(self.actions) * part.states**2, DENSE_NUMBERS
        few = min(numbers // SPARSE, SPARSE_NUMBERS)
        #: p(s' | s, u), a row for every state and action, the action fastest; None: too many.
        self.rows = transitions_of(model, part, self.actions, few)
        if self.rows is not None:
            most = min(MATRIX_NUMBERS, MATRIX_FACTOR * len(self.rows.p))
        self._matrix = self._joint_transition() if numbers <= most else None
        flows = self.rows if self._matrix is None else None
        self._flow = self._sparse_flow(flows) if flows is not None else None
        each = np.arange(part.states * len(self.actions)).reshape(part.states, -1).T
        ways = [flows.take(which) for which in each] if flows is not None else []
        self._ways = [Flow(way.row, way.state, way.p, part.states) for way in ways]
        #: Utility of every joint state that is entered, and of every action in it.
        self.entering, self._ambiguity = self._worths()
        self.acting = self._action_worths()
        #: Of all observations together, or of each.
        self.tables = self._outcome_tables()
        #: What each state adds to the outcomes that tell something, to their ambiguity and utility.
        shown = [*self.tables, self._ambiguity[:, None]] if model.info_gain and self.tables else []
        self._gaining = Means(np.hstack([*shown, self.entering[:, None]]))
        if shown:  # not held twice
            cuts = np.cumsum([table.shape[1] for table in self.tables])
            self.tables = np.split(self._gaining.table, cuts, axis=1)[:-1]
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
        """The product of one distribution per factor, each of one belief or of a batch."""
        product = np.ones((*np.shape(marginals[0])[:-1], 1))
        for marginal in marginals:
            product = product[..., None] * marginal[..., None, :]
            product = product.reshape(*product.shape[:-2], -1)
        return product

    def marginals(self, belief: Array) -> list[Array]:
        """q(s_f) of each of its factors, of one belief or of a batch."""
        joint = belief.reshape(*belief.shape[:-1], *self.part.sizes)
        axes = range(-len(self.part.sizes), 0)
        return [joint.sum(axis=tuple(a for a in axes if a != axis)) for axis in axes]

    def with_marginal(self, belief: Array, axis: int, wanted: Array) -> Array:
        """The belief in which one factor has another marginal, and all else given it as before."""
        held = self.marginals(belief)[axis]
        shape = [-1 if a == axis else 1 for a in range(len(self.part.sizes))]
        ratio = np.divide(wanted, held, out=np.zeros_like(held), where=held > 0).reshape(shape)
        after: Array = (belief.reshape(self.part.sizes) * ratio).reshape(-1)
        return after

    def observe_many(
        self, beliefs: Array, seen: NDArray[np.int64]
    ) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_]]:
        """Beliefs [batch, joint states] after `seen` [batch, modalities of the model].

        An index of -1 was not observed. Also, for each, how many modalities were impossible, and
        True: settled. An observation that a belief rules out is left out of it: Bayes' rule has no
        answer to it.
        """
        look(50, numbers=8 * beliefs.size * (1 + len(self.part.modalities)))
        weights = beliefs
        for m, chance in self._evidence:
            weights = weights * chance.take(seen[:, m], axis=0)
        total = totals(weights)
        impossible = np.zeros(len(beliefs), dtype=np.int64)
        if min(total.tolist()) < UNLIKELY:  # sooner found than by arrays, where few
            rows = np.flatnonzero(total < UNLIKELY)
            weights[rows], impossible[rows] = self._by_logarithms(beliefs[rows], seen[rows])
            total = totals(weights)
        return weights / total[:, None], impossible, impossible >= 0

    def _by_logarithms(
        self, beliefs: Array, seen: NDArray[np.int64]
    ) -> tuple[Array, NDArray[np.int64]]:
        """Weights of beliefs after one modality after another, without what is impossible."""
        impossible = np.zeros(len(beliefs), dtype=np.int64)
        with np.errstate(divide="ignore"):
            logits = np.log(beliefs)
            for m, chance in self._evidence:
                after = logits + np.log(chance.take(seen[:, m], axis=0))
                ruled_out = after.max(axis=1) == -math.inf
                impossible += ruled_out
                logits = np.where(ruled_out[:, None], logits, after)
        return np.exp(logits - logits.max(axis=1, keepdims=True)), impossible

    def predict_many(self, beliefs: Array, done: NDArray[np.int64]) -> Array:
        """Beliefs after the action of each, its place in `actions`, before observing.

        That there is an action says that nothing has ended.
        """
        if self.lasting is not None:
            beliefs, _ = self.going_on(beliefs)
        if len(done) == 1:
            return self._way(beliefs, int(done[0]))
        after = np.empty(beliefs.shape)
        for action, which in by_action(done, self.at_once):
            after[which] = self._way(beliefs[which], action)
        return after

    def _way(self, beliefs: Array, action: int) -> Array:
        """Beliefs after one action."""
        if self._matrix is not None:
            states = self.part.states
            return product(beliefs, self._matrix[:, action * states : (action + 1) * states])
        if self._ways:
            return self._ways[action](beliefs)
        return self._moved(beliefs, self.actions[action].tolist())

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
        controls = [of[k] for k in self._model.B_action_dependencies[factor]]
        return under(as_kept(self._model.B)[factor], controls)

    def _sparse_flow(self, rows: Rows) -> Flow:
        """What moves a batch every way."""
        count, states = len(self.actions), self.part.states
        state, action = np.divmod(rows.row, count)
        return Flow(state, action * states + rows.state, rows.p, count * states)

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
    def prepared(self) -> int:
        """How many numbers its transitions over the joint hold."""
        kept = 0 if self.rows is None else 4 * len(self.rows.p)
        return kept + (0 if self._matrix is None else self._matrix.size)

    @property
    def at_once(self) -> int:
        """Of how many beliefs every action is planned at once."""
        after = self.part.states * len(self.actions)
        moving = self.part.numbers if self._matrix is None else self._matrix.size
        if self._matrix is None and self.rows is not None:
            moving = 4 * max(after, len(self.rows.p))
        return max(1, min(FRONT_NUMBERS // after, PRODUCTS // moving))

    @property
    def is_wide(self) -> bool:
        """Whether finding equal beliefs takes less time than what they gain."""
        return self._gaining.numbers >= WIDE

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

    @property
    def ahead(self) -> Ahead | None:
        """What plans, or their last steps, are worth by tables; None where few are made."""
        return self._tables if self.planned > OFTEN else None

    @cached_property
    def _tables(self) -> Ahead | None:
        model, matrix, gaining = self._model, self._matrix, self._gaining.table
        if matrix is None:
            return None
        if gaining.shape[1] > 1:
            gaining = np.hstack([gaining[:, :-2], gaining[:, -1:] - gaining[:, -2:-1]])
        moves = matrix.reshape(self.part.states, -1, self.part.states)
        return ahead_of(moves, gaining, self.acting, model.policies.shape[1], model.discount)

    def every_way(self, front: Array) -> Array:
        """Beliefs after every action, [batch * actions, joint states], actions fastest."""
        if self._flow is not None and self.rows is not None:
            look(100, numbers=20 * len(front) * len(self.rows.p))
            return self._flow(front).reshape(-1, self.part.states)
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

    def gains(self, beliefs: Array) -> tuple[Array, Array]:
        """Expected utility of what is entered, and information gain of what is then observed.

        In nats, [batch] each; information is 0 where it is not asked.
        """
        if len(beliefs) > (at_once := max(1, PRODUCTS // max(1, self._gaining.numbers))):
            cuts = [beliefs[at : at + at_once] for at in range(0, len(beliefs), at_once)]
            utility, information = zip(*map(self.gains, cuts), strict=True)
            return np.concatenate(utility), np.concatenate(information)
        look(20, numbers=self._gaining.numbers * len(beliefs))
        made = self._gaining(beliefs)
        if made.shape[1] == 1:
            return made[:, 0], np.zeros(len(beliefs))
        return made[:, -1], entropies(made[:, :-2]) - made[:, -2]

    def outcomes(self, belief: Array) -> list[Array]:
        """q(o) of each of its modalities."""
        return [belief @ self.likelihood(m) for m in self.part.modalities]
