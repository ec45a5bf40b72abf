"""Learns tables from a log: expectation maximisation with Dirichlet priors.

Forward and backward over every episode (Baum et al. 1970, "A maximization technique occurring in
the statistical analysis of probabilistic functions of Markov chains"), on the joint of each part.
The update divides prior plus expected counts by their sum, so that

    ln p(log | tables) + sum of (prior count * ln probability)

never falls (Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM
algorithm", with the prior as the penalty).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.compile import Learned
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.gmn.engine.learning import (
    mean_of,
    moved_counts,
    posterior_counts,
    prior_counts,
    seen_counts,
    table_of,
    with_tables,
)
from orchestrator.gmn.engine.parts import places_of
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

#: The most numbers of one array over all steps and joint states (64 MB).
MOST_NUMBERS = 2**23
#: A pass that raises the objective by no more than this, in nats per step, is the last one.
TOLERANCE = 1e-7
#: The most steps that are gone through in all passes together.
MOST_WORK = 4_000_000
MOST_PASSES = 500


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """What was observed and done, one row a step; -1 is what was not recorded.

    Attributes:
        observations: indices [steps, modalities].
        actions: indices [steps, actions], taken after the observation of the same row.
        states: indices [steps, factors] where they were recorded.
        starts: which rows begin an episode, bool [steps].
        lines: the line of each row in its file, [steps].
    """

    observations: Index
    actions: Index
    states: Index
    starts: NDArray[np.bool_]
    lines: Index

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """A log as one model explains it.

    Attributes:
        log_likelihood: ln p of all that was recorded, in nats.
        counts: expected observations, moves and starts of every table, in its shape.
        left_out: row and modality of observations that no state gives beside the others.
        broken: rows that nothing before them leads to; each begins afresh from any state.
    """

    log_likelihood: float
    counts: Mapping[Learned, Array]
    left_out: Sequence[tuple[int, int]]
    broken: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Tables learned from a log.

    Attributes:
        before, after: the log as the model explains it before and after learning.
        objectives: the penalised log likelihood of each pass, which never falls.
        is_settled: whether the last pass raised it by no more than the tolerance.
    """

    model: Compiled
    before: Smoothed
    after: Smoothed
    objectives: Sequence[float]
    is_settled: bool


def fit(model: Compiled, log: Log, learned: Sequence[Learned]) -> Fit:
    """Learn tables from a log until nothing changes; with no table it is only explained.

    Raises: GMNError: a part of the model is too large for it, or the log for the model.
    """
    priors = {one: prior_counts(model, one) for one in learned}
    passes = max(2, min(MOST_PASSES, MOST_WORK // max(1, len(log))))
    first = found = smooth(model, log)
    objectives = [_objective(model, found, priors)]
    while learned and len(objectives) < passes:
        model = with_tables(
            model,
            {
                one: mean_of(posterior_counts(model, one, prior, found.counts[_key(one)]))
                for one, prior in priors.items()
            },
        )
        found = smooth(model, log)
        objectives.append(_objective(model, found, priors))
        if objectives[-1] - objectives[-2] <= TOLERANCE * len(log):
            return Fit(model, first, found, objectives, is_settled=True)
    return Fit(model, first, found, objectives, is_settled=not learned)


def _key(one: Learned) -> Learned:
    return Learned(one.kind, one.index)


def _objective(model: Compiled, found: Smoothed, priors: Mapping[Learned, Array]) -> float:
    penalty = 0.0
    for one, prior in priors.items():
        table = table_of(model, one)
        logs = prior * np.log(np.where(prior > 0, table, 1.0))
        repeats = 1.0
        if one.is_repeated:  # each row stands there once for every value of a state
            own = model.B_dependencies[one.index].index(one.index) if one.kind == "B" else 0
            repeats = table.shape[1 + own]
        penalty += float(logs.sum()) / repeats
    return found.log_likelihood + penalty


def smooth(model: Compiled, log: Log) -> Smoothed:
    """Explain a log by a model: its likelihood and the expected counts of every table.

    Raises: GMNError: a part of the model is too large for it, or the log for the model.
    """
    engine = Engine(model, inference="auto")
    total = 0.0
    counts: dict[Learned, Array] = {}
    left_out: list[tuple[int, int]] = []
    broken: set[int] = set()
    for part in engine.parts:
        if not isinstance(part, ExactPart):
            names = _names(model, part.part)
            raise GMNError(f"a log of {names} cannot be explained exactly: {part.part.reason}")
        walk = _Walk(model, part, log)
        total += walk.log_likelihood
        counts.update(walk.counts())
        left_out += walk.left_out
        broken |= set(walk.broken)
    return Smoothed(total, counts, sorted(left_out), sorted(broken))


def _names(model: Compiled, part: Part) -> str:
    return ", ".join(model.states[f].name for f in part.factors)


@dataclass(eq=False)
class _Walk:
    """Forward and backward over the joint states of one part."""

    model: Compiled
    engine_part: ExactPart
    log: Log
    log_likelihood: float = 0.0
    left_out: list[tuple[int, int]] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.part = self.engine_part.part
        if len(self.log) * self.part.states > MOST_NUMBERS:
            raise GMNError(
                f"{len(self.log):,} steps times {self.part.states:,} joint states of"
                f" {_names(self.model, self.part)} are more than {MOST_NUMBERS:,} numbers; use at"
                f" most {MOST_NUMBERS // self.part.states:,} steps of the log"
            )
        self._choose_actions()
        self.evidence, offsets = self._evidence()
        self.log_likelihood += float(offsets.sum())
        self._forward()
        self._backward()

    def _choose_actions(self) -> None:
        """The different actions on this part, which of them each row takes, and for each of them
        the matrix p(nothing has ended, s' | s)."""
        rows = np.zeros_like(self.log.actions)
        for k in self.part.controls:
            rows[:, k] = np.maximum(self.log.actions[:, k], 0)
        self.actions, self.which = np.unique(rows, axis=0, return_inverse=True)
        self.which = self.which.reshape(-1)
        states = self.part.states
        if len(self.actions) * states**2 > MOST_NUMBERS:
            raise GMNError(
                f"{len(self.actions)} actions on {states:,} joint states are more than"
                f" {MOST_NUMBERS:,} numbers, too many to learn from a log; make the model smaller"
            )
        look(100, numbers=len(self.actions) * states**2)
        lasting = self.engine_part.lasting
        self.lasting = np.ones(states) if lasting is None else lasting
        self.matrices = []
        for place in places_of(self.model, self.part, self.actions):
            every = self.engine_part.predict_many(np.eye(states), np.full(states, place))
            self.matrices.append(every * self.lasting[:, None])

    def _evidence(self) -> tuple[Array, Array]:
        """p(what each row shows | state) over its largest, [steps, states], and ln of that."""
        steps, states = len(self.log), self.part.states
        look(100, numbers=steps * states * (2 + len(self.part.modalities)))
        logs = np.zeros((steps, states))
        at = np.array(np.unravel_index(np.arange(states), self.part.sizes))
        for axis, f in enumerate(self.part.factors):
            recorded = self.log.states[:, f]
            logs[(recorded[:, None] >= 0) & (at[axis] != recorded[:, None])] = -np.inf
        self.seen = self.log.observations.copy()
        for m in self.part.modalities:
            parents = tuple(at[self.part.factors.index(f)] for f in self.model.A_dependencies[m])
            with np.errstate(divide="ignore"):
                table = np.log(self.model.A[m])[(slice(None), *parents)]
            shown = self.seen[:, m] >= 0
            after = logs[shown] + table[self.seen[shown, m]]
            possible = after.max(axis=1) > -np.inf
            rows = np.flatnonzero(shown)
            logs[rows[possible]] = after[possible]
            self.left_out += [(int(row), m) for row in rows[~possible]]
            self.seen[rows[~possible], m] = -1
        top = logs.max(axis=1)
        return np.exp(logs - top[:, None]), top

    def _forward(self) -> None:
        """Filtered beliefs [steps, states]; a row that cannot follow begins afresh."""
        look(10 * len(self.log), numbers=len(self.log) * self.part.states**2)
        prior = self.engine_part.start()
        anywhere = np.full(self.part.states, 1.0 / self.part.states)
        self.filtered = np.empty_like(self.evidence)
        self.fresh = self.log.starts.copy()
        belief, scales = anywhere, np.empty(len(self.log))
        for row, evidence in enumerate(self.evidence):
            foreseen = prior if self.fresh[row] else belief @ self.matrices[self.which[row - 1]]
            belief = foreseen * evidence
            scale = belief.sum()
            if scale <= 0.0:
                self.broken.append(row)
                self.fresh[row] = True
                belief = anywhere * evidence
                scale = belief.sum()
            belief = belief / scale
            self.filtered[row], scales[row] = belief, scale
        self.log_likelihood += float(np.log(scales).sum())
        self.scales = scales

    def _backward(self) -> None:
        """Smoothed beliefs, and what each row and all after it say about its state."""
        self.smoothed = np.empty_like(self.filtered)
        self.said = np.empty_like(self.filtered)
        later = np.ones(self.part.states)
        for row in range(len(self.log) - 1, -1, -1):
            self.smoothed[row] = self.filtered[row] * later
            self.said[row] = self.evidence[row] * later / self.scales[row]
            if self.fresh[row]:
                later = np.ones(self.part.states)
            else:
                later = self.matrices[self.which[row - 1]] @ self.said[row]

    def counts(self) -> dict[Learned, Array]:
        """Expected counts of every table of the part."""
        model, part = self.model, self.part
        found: dict[Learned, Array] = {}
        for m in part.modalities:
            shown = self.seen[:, m] >= 0
            one_hot = np.eye(model.observations[m].n)[self.seen[shown, m]]
            counted = seen_counts(model, part, m, one_hot, self.smoothed[shown])
            found[Learned("A", m)] = counted
        begins = self.log.starts.copy()
        begins[self.broken] = False
        starts = self.engine_part.marginals(self.smoothed[begins].sum(axis=0))
        for f, counted in zip(part.factors, starts, strict=True):
            found[Learned("D", f)] = counted
            found[Learned("B", f)] = np.zeros_like(model.B[f])
        moves = np.flatnonzero(~self.fresh)
        for number, action in enumerate(self.actions):
            rows = moves[self.which[moves - 1] == number]
            if not rows.size:
                continue
            ends = self.filtered[rows - 1] * self.lasting, self.said[rows]
            for f in part.factors:
                place: tuple[Any, ...] = (
                    ...,
                    *(int(action[k]) for k in model.B_action_dependencies[f]),
                )
                found[Learned("B", f)][place] += moved_counts(
                    model, part, f, action.tolist(), ends=ends
                )
        return found
