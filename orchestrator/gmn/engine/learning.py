"""Learns tables of a model as Dirichlet counts, step by step along an episode.

Counts grow by the expected sufficient statistics of each step under the filtering posterior (Da
Costa et al. 2020, "Active inference on discrete state-spaces: a synthesis", section 7; Heins et al.
2022, "pymdp"). Where beliefs are exact, a move counts under the joint q(s, s' | o, u); under mean
field under the product of the marginals, as in pymdp. What a table gives probability 0 has no
counts and stays impossible.
"""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.compile import Learned
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.gmn.rows import Transitions, as_kept, under
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: Numbers of beliefs that are counted at once.
_AT_ONCE = 2**20


def table_of(model: Compiled, one: Learned) -> Array:
    """The array that is learned."""
    tables: Sequence[Array] = getattr(model, one.kind)
    return tables[one.index]


def with_tables(model: Compiled, tables: Mapping[Learned, Array]) -> Compiled:
    """The model with other arrays in the place of those that are learned."""
    changed: dict[str, list[Any]] = {
        "A": list(model.A),
        "B": list(as_kept(model.B)),
        "D": list(model.D),
    }
    for one, table in tables.items():
        changed[one.kind][one.index] = table
    return replace(model, A=tuple(changed["A"]), B=Transitions(changed["B"]), D=tuple(changed["D"]))


def prior_counts(model: Compiled, one: Learned) -> Array:
    """Dirichlet counts before anything is observed: each row is worth `concentration` steps."""
    return np.asarray(one.concentration * table_of(model, one))


def posterior_counts(model: Compiled, one: Learned, prior: Array, observed: Array) -> Array:
    """Counts with what was observed; 0 where the prior has none.

    A row that the document writes once for all values of a state is one row, so the counts of its
    copies are added.
    """
    if one.is_repeated:
        own = model.B_dependencies[one.index].index(one.index) if one.kind == "B" else 0
        shared = observed.sum(axis=1 + own, keepdims=True)
        observed = np.broadcast_to(shared, prior.shape)
    return np.asarray(prior + np.where(prior > 0, observed, 0.0))


def mean_of(counts: Array) -> Array:
    """The table that Dirichlet counts say."""
    return np.asarray(counts / counts.sum(axis=0, keepdims=True))


def seen_counts(model: Compiled, part: Part, modality: int, seen: Array, beliefs: Array) -> Array:
    """Expected observations in each context, [|o_m|, parents…].

    `seen` are one-hot rows [steps, |o_m|], `beliefs` joint beliefs of the part [steps, states].
    """
    counts = (seen.T @ beliefs).reshape(seen.shape[1], *part.sizes)
    parents = model.A_dependencies[modality]
    apart = tuple(1 + axis for axis, f in enumerate(part.factors) if f not in parents)
    return np.asarray(counts.sum(axis=apart))


def moved_counts(
    model: Compiled, part: Part, factor: int, action: Sequence[int], *, ends: tuple[Array, Array]
) -> Array:
    """Expected moves of `factor` under one joint action of the model, [|s_f|, parents…].

    `ends` are, [steps, joint states] each, the beliefs before the action, and what the steps
    after it say about the state there: q(s, s') = before(s) p(s' | s, u) after(s').
    """
    old = dict(zip(part.factors, ascii_lowercase, strict=False))
    new = dict(zip(part.factors, ascii_uppercase, strict=False))
    terms, tables = [], []
    for g in part.factors:
        controls = [action[k] for k in model.B_action_dependencies[g]]
        tables.append(under(as_kept(model.B)[g], controls))
        terms.append(new[g] + "".join(old[h] for h in model.B_dependencies[g]))
    kept = terms[part.factors.index(factor)]
    # The steps are summed away as the axis z, a letter that no factor has.
    path = f"z{''.join(old.values())},{','.join(terms)},z{''.join(new.values())}->{kept}"
    at_once = max(1, _AT_ONCE // part.states)
    total = np.zeros([len(tables[part.factors.index(factor)]), *_sizes(model, factor)])
    for start in range(0, len(ends[0]), at_once):
        before, after = (end[start : start + at_once].reshape(-1, *part.sizes) for end in ends)
        look(200, numbers=4 * before.size * max(part.sizes))
        total += np.einsum(path, before, *tables, after, optimize=True)
    return total


def _sizes(model: Compiled, factor: int) -> list[int]:
    return [model.states[g].n for g in model.B_dependencies[factor]]


class Learner:
    """Counts of one agent, and the engine that knows what they say.

    Attributes:
        learned: the tables that change.
        engine: thinks with the tables as they are now; another one after each `update`.
    """

    def __init__(self, model: Compiled | Engine, learned: Sequence[Learned] | None = None) -> None:
        """`learned` replaces what the model itself says is learned."""
        self.engine = model if isinstance(model, Engine) else Engine(model)
        self.learned = tuple(self.engine.model.learned if learned is None else learned)
        self._prior = {one: prior_counts(self.engine.model, one) for one in self.learned}
        self._observed = {one: np.zeros_like(prior) for one, prior in self._prior.items()}

    def counts(self, one: Learned) -> Array:
        """The Dirichlet counts of a table now, with its prior, in the shape of the table."""
        return posterior_counts(self.engine.model, one, self._prior[one], self._observed[one])

    def update(
        self,
        seen: Sequence[int | None],
        beliefs: Beliefs,
        before: Beliefs | None = None,
        action: Sequence[int] | NDArray[np.int64] = (),
    ) -> None:
        """Learn from one step: `action`, taken in `before`, led to `seen` and so to `beliefs`.

        Without `before` it is the first step of an episode, from which the priors learn.
        """
        if not self.learned:
            return
        done = [int(index) for index in action]
        for one in self.learned:
            if one.kind == "A":
                self._observe(one, seen[one.index], beliefs)
            elif one.kind == "B" and before is not None:
                self._move(one, beliefs, before, done)
            elif one.kind == "D" and before is None:
                self._observed[one] += self.engine.marginals(beliefs)[one.index]
        means = {one: mean_of(self.counts(one)) for one in self.learned}
        self.engine = Engine(with_tables(self.engine.model, means))

    def _observe(self, one: Learned, seen: int | None, beliefs: Beliefs) -> None:
        if seen is None:
            return
        model = self.engine.model
        at = next(i for i, p in enumerate(self.engine.parts) if one.index in p.part.modalities)
        part, belief = self.engine.parts[at], beliefs[at]
        shown = np.eye(model.observations[one.index].n)[seen]
        if isinstance(part, ExactPart):
            added = seen_counts(model, part.part, one.index, shown[None], belief[None])
        else:
            added = _together([shown, *_of(part.part, belief, model.A_dependencies[one.index])])
        self._observed[one] += added

    def _move(self, one: Learned, beliefs: Beliefs, before: Beliefs, action: Sequence[int]) -> None:
        model, f = self.engine.model, one.index
        at = next(i for i, p in enumerate(self.engine.parts) if f in p.part.factors)
        part = self.engine.parts[at]
        place: tuple[Any, ...] = (..., *(action[k] for k in model.B_action_dependencies[f]))
        # That something was done says that nothing had ended.
        lasting = part.going_on(part.batch(before[at]))[0]
        if isinstance(part, ExactPart):
            foreseen = self.engine.predict(before, action)[at]
            said = np.divide(beliefs[at], foreseen, where=foreseen > 0, out=np.zeros_like(foreseen))
            added = moved_counts(model, part.part, f, action, ends=(lasting, said[None]))
        else:
            parents = _of(part.part, [q[0] for q in lasting], model.B_dependencies[f])
            added = _together([*_of(part.part, beliefs[at], (f,)), *parents])
        self._observed[one][place] += added


def _of(part: Part, marginals: Sequence[Array], factors: Sequence[int]) -> list[Array]:
    return [marginals[part.factors.index(f)] for f in factors]


def _together(distributions: Sequence[Array]) -> Array:
    """Their outer product: what independent variables do together."""
    product = np.ones(())
    for distribution in distributions:
        product = np.multiply.outer(product, distribution)
    return product
