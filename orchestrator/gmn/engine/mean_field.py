"""Beliefs over one part that is too large to be exact: one distribution per factor.

Coordinate ascent on the variational free energy, one factor after the other until nothing moves:
Blei, Kucukelbir and McAuliffe 2017, "Variational inference: a review for statisticians", algorithm
1. Each step can only lower the free energy, so it always converges; to a local optimum, which may
miss what the factors have in common. Expected free energy as in pymdp 1.0.4: beliefs of the factors
are multiplied, and the information gain of each modality counts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.engine.arrays import entropies, softmax
from orchestrator.gmn.engine.exact import FRONT_NUMBERS, PRODUCTS
from orchestrator.gmn.engine.parts import actions_of, per_action
from orchestrator.gmn.engine.plan import STILL, by_action, distinct
from orchestrator.gmn.rows import Local, as_kept, numbers_of, under
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: Logarithms of probabilities are cut here, as pymdp does: a product has no room for -infinity.
EPSILON = 2.220446049250313e-16
#: A sweep that moves no probability by more than this ends the ascent.
TOLERANCE = 1e-9
#: The most sweeps; beyond it the result says that it did not converge.
SWEEPS = 1000


def clipped_log(values: Array) -> Array:
    """Natural logarithm, of at least EPSILON."""
    result: Array = np.log(np.clip(values, EPSILON, None))
    return result


def expected(table: Array, parents: Sequence[Array]) -> Array:
    """Every axis but the first ones weighed by a batch of beliefs: [batch, first axes].

    In slices of the batch, so that each takes little memory and little time.
    """
    batch = len(parents[0])
    at_once = max(1, PRODUCTS // table.size)
    made = []
    for at in range(0, batch, at_once):
        look(20 * len(parents), numbers=table.size * min(at_once, batch - at))
        result = np.tensordot(parents[-1][at : at + at_once], table, axes=([1], [table.ndim - 1]))
        for parent in reversed(parents[:-1]):
            result = np.einsum("b...s,bs->b...", result, parent[at : at + at_once])
        made.append(result)
    return made[0] if len(made) == 1 else np.concatenate(made)


def moved(table: Local, parents: Sequence[Array], actions: NDArray[np.int64]) -> Array:
    """A batch of beliefs about the parents under each of the actions, [batch, actions, next]."""
    joint = parents[0]
    for parent in parents[1:]:
        joint = (joint[:, :, None] * parent[:, None, :]).reshape(len(joint), -1)
    ways = {}
    for controls in set(map(tuple, actions.tolist())):  # most depend on few of the actions
        look(20, numbers=20 * len(joint) * numbers_of(table))
        ways[controls] = table.flow(controls)(joint)
    return np.stack([ways[controls] for controls in map(tuple, actions.tolist())], axis=1)


class MeanFieldPart:
    """A product of beliefs over one part; a belief is a list with shape [|s_f|] each."""

    def __init__(self, model: Compiled, part: Part) -> None:
        self.part = part
        self._model = model
        self._axis = {f: axis for axis, f in enumerate(part.factors)}
        self.planned = 0
        self.actions = actions_of(model, part)
        self._ambiguity = {m: entropies(np.moveaxis(model.A[m], 0, -1)) for m in part.modalities}

    def start(self) -> list[Array]:
        """The priors."""
        return [self._model.D[f] for f in self.part.factors]

    def joint(self, marginals: Sequence[Array]) -> list[Array]:
        """The marginals themselves."""
        return list(marginals)

    def marginals(self, belief: list[Array]) -> list[Array]:
        """q(s_f) of each of its factors."""
        return belief

    def with_marginal(self, belief: list[Array], axis: int, wanted: Array) -> list[Array]:
        """The belief in which one factor has another marginal."""
        return [wanted if a == axis else q for a, q in enumerate(belief)]

    def _parents(self, modality: int) -> list[int]:
        return [self._axis[f] for f in self._model.A_dependencies[modality]]

    def observe_many(
        self, beliefs: list[Array], seen: NDArray[np.int64]
    ) -> tuple[list[Array], NDArray[np.int64], NDArray[np.bool_]]:
        """A batch of beliefs after `seen` [batch, modalities of the model]; -1 was not observed.

        Also, for each, how many modalities were impossible, and whether it settled. Every belief
        ascends alone: each needs another number of sweeps.
        """
        found = [self._observe(self.some(beliefs, i), row) for i, row in enumerate(seen.tolist())]
        after, impossible, settled = zip(*found, strict=True)
        stacked = [np.stack(one) for one in zip(*after, strict=True)]
        return stacked, np.array(impossible), np.array(settled)

    def _observe(self, belief: list[Array], seen: Sequence[int]) -> tuple[list[Array], int, bool]:
        evidence: list[tuple[Array, list[int]]] = []
        impossible = 0
        for m in self.part.modalities:
            index = seen[m]
            if index < 0:
                continue
            table, parents = self._model.A[m][index], self._parents(m)
            before = expected(table[None], [belief[a][None] for a in parents])[0, 0]
            impossible += bool(before < EPSILON)
            evidence.append((clipped_log(table), parents))
        converged, after = ascend([clipped_log(q) for q in belief], belief, evidence)
        return after, impossible, converged

    def predict_many(self, beliefs: list[Array], done: NDArray[np.int64]) -> list[Array]:
        """Beliefs after the action of each, its place in `actions`, before observing.

        That there is an action says that nothing has ended.
        """
        beliefs, _ = self.going_on(beliefs)
        after = [np.empty(q.shape) for q in beliefs]
        for action, which in by_action(done, self.at_once):
            of = dict(zip(self.part.controls, self.actions[action].tolist(), strict=True))
            for axis, f in enumerate(self.part.factors):
                controls = [of[k] for k in self._model.B_action_dependencies[f]]
                parents = [beliefs[self._axis[g]][which] for g in self._model.B_dependencies[f]]
                table = as_kept(self._model.B)[f]
                after[axis][which] = (
                    moved(table, parents, np.array([controls], dtype=np.int64))[:, 0]
                    if isinstance(table, Local)
                    else expected(under(table, controls), parents)
                )
        return after

    # -- planning, over batches of beliefs: a list with shape [batch, |s_f|] each

    def batch(self, belief: list[Array]) -> list[Array]:
        """A batch of one belief."""
        return [q[None] for q in belief]

    def some(self, beliefs: list[Array], which: Any) -> list[Array]:
        """Those of a batch."""
        return [q[which] for q in beliefs]

    @property
    def at_once(self) -> int:
        """Of how many beliefs every action is planned at once."""
        largest = max(numbers_of(as_kept(self._model.B)[f]) for f in self.part.factors)
        return max(1, FRONT_NUMBERS // (largest * len(self.actions)))

    #: Nothing is linear in a product of beliefs.
    ahead: None = None

    @property
    def is_wide(self) -> bool:
        """Whether finding equal beliefs takes less time than what they gain."""
        return True

    def going_on(self, beliefs: list[Array]) -> tuple[list[Array], Array]:
        """Beliefs given that nothing has ended, and how probable that is, [batch].

        A belief that is certain of the end stays as it is.
        """
        alive, made = np.ones(len(beliefs[0])), list(beliefs)
        for axis, f in enumerate(self.part.factors if self._model.terminal else ()):
            kept = beliefs[axis] * ~self._model.terminal[f]
            weight = kept.sum(axis=1)
            possible = weight > 0
            kept[~possible] = beliefs[axis][~possible]
            made[axis] = kept / np.where(possible, weight, 1.0)[:, None]
            alive *= weight
        return made, alive

    def every_way(self, front: list[Array]) -> list[Array]:
        """Beliefs after every action, [batch * actions, |s_f|] each, actions fastest."""
        made = []
        for f in self.part.factors:
            table, controls = as_kept(self._model.B)[f], self._model.B_action_dependencies[f]
            parents = [front[self._axis[g]] for g in self._model.B_dependencies[f]]
            if isinstance(table, Local):
                places = [self.part.controls.index(k) for k in controls]
                result = moved(table, parents, self.actions[:, places])
            else:
                chosen = np.moveaxis(per_action(self.part, self.actions, table, controls), -1, 0)
                result = expected(chosen, parents)  # [batch, actions or 1, next]
            shape = (len(front[0]), len(self.actions), table.shape[0])
            made.append(np.broadcast_to(result, shape).reshape(-1, table.shape[0]))
        return made

    def moves(self, front: list[Array], after: list[Array]) -> Array:
        """1 for every action that changes the belief, else 0, [batch, actions]."""
        gaps = [
            np.abs(moved.reshape(len(q), -1, q.shape[1]) - q[:, None]).max(axis=2)
            for q, moved in zip(front, after, strict=True)
        ]
        moved: Array = 1.0 * (np.max(gaps, axis=0) > STILL)
        return moved

    def distinct(self, beliefs: list[Array]) -> tuple[list[Array], NDArray[np.int64]]:
        """The different ones of a batch, and for each the place of its equal."""
        first, back = distinct(np.concatenate(beliefs, axis=1))
        return self.some(beliefs, first), back

    def action_utility(self, beliefs: list[Array]) -> Array:
        """Expected utility of doing each of its actions, in nats, [batch, actions]."""
        total = np.zeros((len(beliefs[0]), len(self.actions)))
        for one in (self._model.action_utilities[i] for i in self.part.utilities):
            table = per_action(self.part, self.actions, one.table, one.actions)
            parents = [beliefs[self._axis[f]] for f in one.states]
            total += expected(np.moveaxis(table, -1, 0)[None], parents)[:, 0] if parents else table
        return total

    def gains(self, beliefs: list[Array]) -> tuple[Array, Array]:
        """Expected utility of what is entered, and information gain of what is then observed.

        In nats, [batch] each; information is 0 where it is not asked.
        """
        utility, information = np.zeros((2, len(beliefs[0])))
        for q, f in zip(beliefs, self.part.factors, strict=True):
            utility += q @ self._model.V[f]
        for m, q in zip(self.part.modalities, self._predicted(beliefs), strict=True):
            utility += q @ self._model.C[m]
            if self._model.info_gain:
                parents = [beliefs[a] for a in self._parents(m)]
                information += entropies(q) - expected(self._ambiguity[m][None], parents)[:, 0]
        return utility, information

    def _predicted(self, beliefs: list[Array]) -> list[Array]:
        return [
            expected(self._model.A[m], [beliefs[a] for a in self._parents(m)])
            for m in self.part.modalities
        ]

    def outcomes(self, belief: list[Array]) -> list[Array]:
        """q(o) of each of its modalities."""
        return [q[0] for q in self._predicted(self.batch(belief))]


def ascend(
    log_prior: Sequence[Array],
    start: Sequence[Array],
    evidence: Sequence[tuple[Array, Sequence[int]]],
    sweeps: int | None = None,
) -> tuple[bool, list[Array]]:
    """Whether it converged, and q(s_f) that no change of one factor improves.

    `evidence` holds the log-likelihood of what was observed and, for each axis, its factor.
    """
    beliefs = list(start)
    for _ in range(SWEEPS if sweeps is None else sweeps):
        moved = 0.0
        for f, prior in enumerate(log_prior):
            logits = prior.copy()
            for log_a, parents in evidence:
                if f in parents:
                    logits += message(log_a, parents, f, beliefs)
            after = softmax(logits)
            moved = max(moved, float(np.abs(after - beliefs[f]).max()))
            beliefs[f] = after
        if moved <= TOLERANCE:
            return True, beliefs
    return False, beliefs


def message(log_a: Array, parents: Sequence[int], to: int, beliefs: Sequence[Array]) -> Array:
    """Expected log-likelihood as a function of the factor `to`; `parents` names the axes."""
    result = log_a
    for axis in reversed(range(len(parents))):
        if parents[axis] != to:
            look(10, numbers=result.size)
            result = np.tensordot(result, beliefs[parents[axis]], axes=([axis], [0]))
    return result


def free_energy(
    log_prior: Sequence[Array],
    beliefs: Sequence[Array],
    evidence: Sequence[tuple[Array, Sequence[int]]],
) -> float:
    """Variational free energy in nats: complexity less accuracy."""
    complexity = sum(
        float(q @ -p) - float(entropies(q)) for q, p in zip(beliefs, log_prior, strict=True)
    )
    accuracy = 0.0
    for log_a, parents in evidence:
        accuracy += float(beliefs[parents[0]] @ message(log_a, parents, parents[0], beliefs))
    return complexity - accuracy
