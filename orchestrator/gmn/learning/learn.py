"""Holds a document against a log: how likely the log is, what it teaches, where it contradicts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from orchestrator.gmn.compile import Learned, compile_spec, learned_as
from orchestrator.gmn.engine.learning import table_of
from orchestrator.gmn.learning.contradictions import (
    LearnedRow,
    LearnedTable,
    contradictions,
    uniform,
)
from orchestrator.gmn.learning.smoothing import fit
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import Conditional, Entry, Table
from orchestrator.gmn.tables import context_labels
from orchestrator.gmn.words.wording import counted
from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import GMNError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.learning.smoothing import Fit, Log
    from orchestrator.gmn.model import GMNSpec, Variable
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

#: The fewest expected observations of a row that is tested, for each value it can have.
_FEWEST = 5
_ALIKE = 1.1  # rows that are worth so many times as much as others need no word
_MOST_SAID = 2000  # characters of the metadata about learning; the last logs stay
_SECTIONS = {"A": "likelihoods", "B": "transitions", "D": "priors"}
_KINDS = {"A": "likelihood", "B": "transition", "D": "prior"}


@dataclass(frozen=True, slots=True)
class Weight:
    """How many observations the rows of a learned table are worth.

    Attributes:
        title: ``transition of room``.
        before: the concentration until now.
        least, most: what its rows that can change are worth with the log.
        after: the concentration of the new document, one for all rows: the geometric mean of what
            they are worth, which is wrong by the same factor upwards and downwards.
        is_kept: False where the table is not marked, so that the document cannot say it.
    """

    title: str
    before: float
    least: float
    most: float
    after: float
    is_kept: bool

    @property
    def lost(self) -> str:
        """What the document does not keep, in words; empty where it keeps all."""
        least, most = f"{self.least:,.6g}", f"{self.most:,.6g}"
        worth = counted(most if least == most else f"{least} to {most}", "observation")
        if not self.is_kept:
            end = "which is not kept: the table is not marked learn: true"
            return f"its rows are now worth {worth}, {end}"
        if self.most <= _ALIKE * self.least:
            return ""
        return (
            f"its rows are worth {worth}, and one concentration stands for all: {self.after:,.6g}"
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a log says about a document.

    Attributes:
        spec: the document with the learned tables.
        nats_before, nats_after: log likelihood per step, before and after learning.
        nats_uniform: that of a guess that gives every recorded value the same probability.
        weights: what the learned tables are worth in observations.
        passes: how often the log was gone through.
        is_settled: whether the last pass changed nothing more.
        findings: where the log contradicts the document (908).
        is_repeated: whether the document says that it has learned from such a log before.
    """

    spec: GMNSpec
    nats_before: float
    nats_after: float
    nats_uniform: float
    passes: int
    is_settled: bool
    tables: tuple[LearnedTable, ...]
    weights: tuple[Weight, ...]
    findings: tuple[Diagnostic, ...]
    is_repeated: bool


def tables_named(spec: GMNSpec, model: Compiled, names: Sequence[str]) -> tuple[Learned, ...]:
    """The tables to learn: those marked in the document, and those of `names`.

    A name is that of an observation (its likelihood) or of a state (its transition); ``prior room``
    is the prior of the state room.

    Raises: ValueError: a name is none of these.
    """
    found = {(one.kind, one.index): one for one in model.learned}
    for name in names:
        kind, index = _place(model, name)
        _, table = _conditional(spec, model, Learned(kind, index))
        found.setdefault((kind, index), learned_as(kind, index, table))
    return tuple(found.values())


def _place(model: Compiled, name: str) -> tuple[Literal["A", "B", "D"], int]:
    states = [v.name for v in model.states]
    sensors = [v.name for v in model.observations]
    is_prior = name.startswith("prior ")
    stem = name.removeprefix("prior ").strip()
    if stem in states:
        return ("D" if is_prior else "B"), states.index(stem)
    if stem in sensors and not is_prior:
        return "A", sensors.index(stem)
    near = nearest(stem, [*states, *sensors])
    hint = f"did you mean {near!r}?" if near else f"name one of {', '.join([*sensors, *states])}"
    raise ValueError(f"{name!r} has no table to learn; {hint}, or a prior as 'prior {states[0]}'")


def learn(spec: GMNSpec, log: Log, names: Sequence[str] = (), *, source: str = "a log") -> Lesson:
    """Hold a valid document against a log and learn the tables that are marked, or named.

    `source` is what the metadata of the new document says it was learned from.

    Raises:
        ValueError: a name is not that of a table.
        GMNError: the document does not compile, or is too large to be learned from a log.
    """
    model = compile_spec(spec)
    learned = tables_named(spec, model, names)
    _require_room(spec, model, learned)
    made = fit(model, log, learned)
    tables = tuple(_compared(spec, model, made, learned))
    steps = max(1, len(log))
    weights = {one: w for one in learned if (w := _weight(spec, model, made, one))}
    origin = f"from {source}: {counted(f'{steps:,}', 'step')}"
    return Lesson(
        _rewritten(spec, made, weights, origin),
        made.before.log_likelihood / steps,
        made.after.log_likelihood / steps,
        uniform(model, log) / steps,
        len(made.objectives),
        made.is_settled,
        tables,
        tuple(weights.values()),
        tuple(contradictions(spec, log, made, tables)),
        any(e.key == "learned" and origin in e.value for e in spec.metadata),
    )


def _require_room(spec: GMNSpec, model: Compiled, learned: Sequence[Learned]) -> None:
    for one in learned:
        if one.kind == "B" and not any(
            t.of == model.states[one.index].name for t in spec.transitions
        ):
            name = model.states[one.index].name
            raise GMNError(f"{name} has no transition to learn; write one, which says what can be")
    numbers = sum(table_of(model, one).size for one in learned)
    most = DEFAULT_LIMITS.written_numbers
    if numbers > most:
        raise GMNError(
            f"the learned tables have {numbers:,} numbers, more than the {most:,} that a document"
            " may spell out; learn fewer tables, or make them smaller"
        )


# -- tables as the document lays them out


def _conditional(spec: GMNSpec, model: Compiled, one: Learned) -> tuple[int, Conditional | None]:
    """Its place in the document; None where the document leaves it out."""
    of = (model.observations if one.kind == "A" else model.states)[one.index].name
    section: tuple[Conditional, ...] = getattr(spec, _SECTIONS[one.kind])
    found = next(((i, t) for i, t in enumerate(section) if t.of == of), None)
    return found or (len(section), None)


def _given(spec: GMNSpec, model: Compiled, one: Learned) -> list[Variable]:
    _, conditional = _conditional(spec, model, one)
    found = [spec.variable(name) for name in (conditional.given if conditional else ())]
    return [variable for variable in found if variable is not None]


def _laid_out(
    spec: GMNSpec, model: Compiled, one: Learned, array: Array, *, is_sum: bool = False
) -> Array:
    """An array of the engine as the rows of the document, the first parent varying slowest."""
    if one.kind == "D":
        return array[None, :]
    axes = [model.states[f].name for f in _dependencies(model, one)]
    if one.kind == "B":
        axes += [model.actions[k].name for k in model.B_action_dependencies[one.index]]
    given = [variable.name for variable in _given(spec, model, one)]
    for name in [
        name for name in axes if name not in given
    ]:  # a row repeated for each of its values
        at = 1 + axes.index(name)
        array = np.asarray(array.sum(axis=at) if is_sum else array.take(0, axis=at))
        axes.remove(name)
    rows = array.transpose([*(1 + axes.index(name) for name in given), 0])
    return rows.reshape(-1, array.shape[0])


def _dependencies(model: Compiled, one: Learned) -> tuple[int, ...]:
    return (model.A_dependencies if one.kind == "A" else model.B_dependencies)[one.index]


def _compared(
    spec: GMNSpec, model: Compiled, made: Fit, learned: Sequence[Learned]
) -> Iterator[LearnedTable]:
    marked = {(one.kind, one.index) for one in learned}
    for one, counts in made.after.counts.items():
        place, conditional = _conditional(spec, model, one)
        if conditional is None and (one.kind, one.index) not in marked:
            continue
        before = _laid_out(spec, model, one, table_of(model, one))
        after = _laid_out(spec, model, one, table_of(made.model, one))
        seen = _laid_out(spec, model, one, counts, is_sum=True)
        under = _laid_out(spec, model, one, made.before.counts[one], is_sum=True)
        given = _given(spec, model, one)
        rows = [
            LearnedRow(
                context_labels(row, given),
                tuple(before[row].tolist()),
                tuple(after[row].tolist()),
                float(seen[row].sum()),
                _p_value(before[row], under[row]),
            )
            for row in range(len(before))
            if seen[row].any() or (one.kind, one.index) in marked
        ]
        of = (model.observations if one.kind == "A" else model.states)[one.index]
        yield LearnedTable(
            f"{_KINDS[one.kind]} of {of.name}",
            f"/{_SECTIONS[one.kind]}/{place}",
            of.names,
            (one.kind, one.index) in marked,
            tuple(sorted(rows, key=lambda row: -row.change)),
        )


def _weight(spec: GMNSpec, model: Compiled, made: Fit, one: Learned) -> Weight | None:
    """None where every row is certain, so that nothing is learned."""
    rows = _laid_out(spec, model, one, table_of(model, one))
    counts = made.after.counts[Learned(one.kind, one.index)]
    seen = np.where(rows > 0, _laid_out(spec, model, one, counts, is_sum=True), 0.0)
    worth = one.concentration + seen.sum(axis=1)[rows.max(axis=1) < 1.0]
    if not worth.size:
        return None
    _, conditional = _conditional(spec, model, one)
    is_kept = conditional is not None and conditional.learn
    after = float(f"{np.exp(np.log(worth).mean()):.6g}") if is_kept else one.concentration
    of = (model.observations if one.kind == "A" else model.states)[one.index]
    title = f"{_KINDS[one.kind]} of {of.name}"
    return Weight(title, one.concentration, float(worth.min()), float(worth.max()), after, is_kept)


def _p_value(before: Array, seen: Array) -> float | None:
    """Likelihood ratio test of the observations of one row against the document (Wilks 1938).

    `seen` are those that the document's own tables expect of the log. Where states are hidden they
    vary less than observations do, so the level is kept; those after a fit follow it and are none.
    """
    possible = before > 0
    freedom, total = int(possible.sum()) - 1, float(seen[possible].sum())
    if freedom < 1 or total < _FEWEST * (freedom + 1):
        return None
    counted, expected = seen[possible], total * before[possible]
    some = counted > 0
    ratio = 2.0 * float((counted[some] * np.log(counted[some] / expected[some])).sum())
    # Few observations make the ratio larger than chi square is (Williams 1976).
    inverse = float(np.minimum(1.0 / before[possible], total).sum())
    excess = 1.0 + (inverse - 1.0) / (6.0 * total * freedom)
    return _chi_square_tail(max(ratio, 0.0) / excess, freedom)


def _chi_square_tail(value: float, freedom: int) -> float:
    """P(chi square > value), in closed form for whole degrees of freedom."""
    half = value / 2.0
    if half <= 0.0:
        return 1.0
    start = 0.0 if freedom % 2 == 0 else 0.5
    total = math.erfc(math.sqrt(half)) if start else 0.0
    for k in range((freedom + 1) // 2 if not start else (freedom - 1) // 2):
        power = k + start
        exponent = power * math.log(half) - half - math.lgamma(power + 1.0)
        total += math.exp(exponent)
    return min(total, 1.0)


# -- the document with what was learned


def _rewritten(spec: GMNSpec, made: Fit, weights: Mapping[Learned, Weight], origin: str) -> GMNSpec:
    """The tables that changed as rows; the others, and what else is written, as they were."""
    sections = {key: list(getattr(spec, key)) for key in _SECTIONS.values()}
    before = compile_spec(spec)
    changed: list[Weight] = []
    for one, weight in weights.items():
        is_same = np.array_equal(table_of(before, one), table_of(made.model, one))
        if is_same and weight.after == weight.before:
            continue
        place, conditional = _conditional(spec, made.model, one)
        of = (made.model.observations if one.kind == "A" else made.model.states)[one.index]
        rows = _laid_out(spec, made.model, one, table_of(made.model, one))
        table = Table(kind="rows", rows=tuple(map(_written, rows)))
        if conditional is None:
            sections["priors"].append(Conditional(of=of.name, table=table))
        else:
            grown = {"table": table, "concentration": weight.after}
            sections[_SECTIONS[one.kind]][place] = conditional.model_copy(update=grown)
        changed.append(weight)
    if not changed:
        return spec
    said = f"{', '.join(weight.title for weight in changed)} {origin}"
    lost = "; ".join(f"{weight.title}: {weight.lost}" for weight in changed if weight.lost)
    earlier = [e.value for e in spec.metadata if e.key == "learned"]
    value = "; ".join([*earlier, f"{said} ({lost})" if lost else said])[-_MOST_SAID:]
    metadata = (
        *(e for e in spec.metadata if e.key != "learned"),
        Entry(key="learned", value=value),
    )
    tables = {key: tuple(tables) for key, tables in sections.items()}
    return spec.model_copy(update={**tables, "metadata": metadata})


def _written(row: Array) -> tuple[float, ...]:
    """To six decimals, summing to 1; what is possible stays so."""
    short = [round(p, 6) or float(f"{p:.3g}") for p in row.tolist()]
    largest = max(range(len(short)), key=short.__getitem__)
    short[largest] = round(1.0 - math.fsum(short[:largest] + short[largest + 1 :]), 9)
    return tuple(short)
