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

from orchestrator.gmn.engine.exact import FRONT_NUMBERS, PRODUCTS, entropies
from orchestrator.gmn.engine.parts import actions_of
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


def softmax(logits: Array) -> Array:
    """exp(logits), normalised."""
    raised = np.exp(logits - logits.max())
    result: Array = raised / raised.sum()
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


class MeanFieldPart:
    """A product of beliefs over one part; a belief is a list with shape [|s_f|] each."""

    def __init__(self, model: Compiled, part: Part) -> None:
        self.part = part
        self._model = model
        self._axis = {f: axis for axis, f in enumerate(part.factors)}
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

    def observe(
        self, belief: list[Array], seen: Sequence[int | None]
    ) -> tuple[list[Array], int, bool]:
        """The belief after an observation, how many modalities were impossible, if it settled."""
        evidence: list[tuple[Array, list[int]]] = []
        impossible = 0
        for m in self.part.modalities:
            index = seen[m]
            if index is None:
                continue
            table, parents = self._model.A[m][index], self._parents(m)
            before = expected(table[None], [belief[a][None] for a in parents])[0, 0]
            impossible += bool(before < EPSILON)
            evidence.append((clipped_log(table), parents))
        converged, after = ascend([clipped_log(q) for q in belief], belief, evidence)
        return after, impossible, converged

    def predict(self, belief: list[Array], action: Sequence[int]) -> list[Array]:
        """The belief after an action (one index per control of the part), before observing."""
        of = dict(zip(self.part.controls, action, strict=True))
        made = []
        for f in self.part.factors:
            at: tuple[Any, ...] = (..., *(of[k] for k in self._model.B_action_dependencies[f]))
            parents = [belief[self._axis[g]][None] for g in self._model.B_dependencies[f]]
            made.append(expected(self._model.B[f][at], parents)[0])
        return made

    def worth(self, beliefs: Sequence[Array]) -> Array:
        """-G of one step for predicted beliefs, [batch, |s_f|] each, in nats, shape [batch]."""
        model = self._model
        total = np.zeros(len(beliefs[0]))
        for m in self.part.modalities:
            parents = [beliefs[a] for a in self._parents(m)]
            predicted = expected(model.A[m], parents)
            total += predicted @ model.C[m]
            if model.info_gain:
                total += entropies(predicted) - expected(self._ambiguity[m][None], parents)[:, 0]
        for belief, f in zip(beliefs, self.part.factors, strict=True):
            total += belief @ model.V[f]
        return total

    def plan(self, belief: list[Array], horizon: int) -> Array:
        """-G of every sequence of its actions, in C order, shape [actions ** horizon]."""
        return self._from([q[None] for q in belief], horizon)

    def _from(self, front: list[Array], horizon: int) -> Array:
        if not horizon:
            return np.zeros(len(front[0]))
        largest = max(self._model.B[f].size for f in self.part.factors)
        most = max(1, FRONT_NUMBERS // (largest * len(self.actions)))
        if len(front[0]) > most:
            cuts = range(0, len(front[0]), most)
            return np.concatenate(
                [self._from([q[at : at + most] for q in front], horizon) for at in cuts]
            )
        moved = self._every_way(front)
        below = self._from(moved, horizon - 1).reshape(len(moved[0]), -1)
        return (self.worth(moved)[:, None] + below).reshape(-1)

    def _every_way(self, front: list[Array]) -> list[Array]:
        """Beliefs after every action, [batch * actions, |s_f|] each, actions fastest."""
        made = []
        for f in self.part.factors:
            table = self._model.B[f]
            at = [
                self.actions[:, self.part.controls.index(k)]
                for k in self._model.B_action_dependencies[f]
            ]
            place: tuple[Any, ...] = (..., *at) if at else (..., None)
            chosen = table[place]
            moved = np.moveaxis(chosen, -1, 0)  # [actions, next, parents...]
            parents = [front[self._axis[g]] for g in self._model.B_dependencies[f]]
            result = expected(moved, parents)
            shape = (len(front[0]), len(self.actions), table.shape[0])
            made.append(np.broadcast_to(result, shape).reshape(-1, table.shape[0]))
        return made


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
