"""Where a log contradicts a document (GMN908)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.learning.smoothing import Fit, Log
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.diagnostics import Diagnostic

#: A row contradicts the log where chance alone makes it differ so much with this probability,
#: shared among all rows that are tested (Bonferroni).
SIGNIFICANCE = 0.01
_MOST_NAMED = 5  # findings of one kind in one table


@dataclass(frozen=True, slots=True)
class LearnedRow:
    """One row of a table, before and after a log.

    Attributes:
        context: labels of the parents, empty for a prior.
        before, after: its distribution in the document, and with the log.
        observed: how many observations it rests on; expected ones where states are hidden.
        p_value: how likely chance alone moves the observations so far from `before` (likelihood
            ratio test); None where too few of them, or a certain row, leave nothing to test.
    """

    context: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    observed: float
    p_value: float | None

    @property
    def change(self) -> float:
        """The largest change of a probability."""
        return max(abs(a - b) for a, b in zip(self.after, self.before, strict=True))


@dataclass(frozen=True, slots=True)
class LearnedTable:
    """A table, its rows by how much they changed.

    Attributes:
        title: ``transition of room``.
        pointer: its place in the document.
        labels: the columns.
        is_learned: False where it was only held against the log.
    """

    title: str
    pointer: str
    labels: tuple[str, ...]
    is_learned: bool
    rows: tuple[LearnedRow, ...]


def uniform(model: Compiled, log: Log) -> float:
    """ln of the probability of every recorded observation and state, all values alike."""
    total = 0.0
    for variables, recorded in ((model.observations, log.observations), (model.states, log.states)):
        for column, variable in enumerate(variables):
            total -= math.log(variable.n) * int((recorded[:, column] >= 0).sum())
    return total


def contradictions(
    spec: GMNSpec, log: Log, made: Fit, tables: Sequence[LearnedTable]
) -> Iterator[Diagnostic]:
    """What the log holds against the document, worst rows first in each table."""
    model = made.model
    yield from _impossible(spec, model, log, made)
    tested = sum(row.p_value is not None for table in tables for row in table.rows)
    for table in tables:
        worst = [
            r for r in table.rows if r.p_value is not None and r.p_value < SIGNIFICANCE / tested
        ]
        for row in sorted(worst, key=lambda row: row.p_value or 0.0)[:_MOST_NAMED]:
            yield finding("GMN908", _differing(table, row, tested), pointer=table.pointer)
        if len(worst) > _MOST_NAMED:
            words = (
                f"{table.title}: {len(worst) - _MOST_NAMED} more rows differ from the log as much"
            )
            yield finding("GMN908", words, pointer=table.pointer)
        if table.is_learned and all(max(row.before) == 1.0 for row in table.rows):
            words = (
                f"{table.title} is certain, so a log cannot change it: what has probability 0 stays"
                " impossible; give it noise, such as noise: 0.05, and learn it again"
            )
            yield finding("GMN908", words, pointer=table.pointer)
    if made.after.log_likelihood < uniform(model, log):
        words = (
            "the log is less likely under the document than under a uniform guess; its tables, or"
            " the order of observation and action in the log, are wrong"
        )
        yield finding("GMN908", words)
    for k, action in enumerate(model.actions):
        never = [name for i, name in enumerate(action.names) if i not in log.actions[:, k]]
        if action.n > 1 and never:
            names = ", ".join(never[:8]) + (", …" if len(never) > 8 else "")
            words = f"the log never does {action.name}={names}: nothing is learned about it"
            yield finding("GMN908", words, pointer=f"/actions/{k}", variable=action.name)


def _differing(table: LearnedTable, row: LearnedRow, tested: int) -> str:
    where = f"{table.title}: row ({row.context})" if row.context else table.title
    change = f"p = {row.p_value:.2g} by a likelihood ratio test, below {SIGNIFICANCE:g} / {tested}"
    if not table.is_learned:
        return (
            f"{where} differs from the log's {row.observed:.0f} observations ({change}); mark it"
            " learn: true to learn it"
        )
    at = max(range(len(row.before)), key=lambda i: abs(row.after[i] - row.before[i]))
    return (
        f"{where} says {row.before[at]:.3g} for {table.labels[at]}; with the log's"
        f" {row.observed:.0f} observations it is {row.after[at]:.3g} ({change})"
    )


def _impossible(spec: GMNSpec, model: Compiled, log: Log, made: Fit) -> Iterator[Diagnostic]:
    """What the document gives probability 0, and the log holds."""
    by_sensor: dict[int, list[int]] = {}
    for row, m in made.before.left_out:
        by_sensor.setdefault(m, []).append(row)
    for m, rows in by_sensor.items():
        sensor = model.observations[m]
        label = sensor.names[int(log.observations[rows[0], m])]
        words = (
            f"{len(rows)} observations of {sensor.name} are impossible beside what else their row"
            f" holds, the first at line {log.lines[rows[0]]}: {label}; they are left out. Give the"
            " likelihood some noise where sensors can be wrong"
        )
        place = [table.of for table in spec.likelihoods].index(sensor.name)
        yield finding("GMN908", words, pointer=f"/likelihoods/{place}", variable=sensor.name)
    if made.before.broken:
        first = made.before.broken[0]
        are = "row is" if (count := len(made.before.broken)) == 1 else "rows are"
        words = (
            f"{count} {are} impossible after those before them, the first at"
            f" line {log.lines[first]} ({_row(model, log, first)}): no state leads there. Each"
            " counts as another beginning. Give the transition or the prior some noise"
        )
        if model.terminal:
            words += "; nothing follows a terminal label: begin another episode after it"
        yield finding("GMN908", words, pointer="/transitions")


def _row(model: Compiled, log: Log, row: int) -> str:
    said = []
    if row and not log.starts[row]:
        did = zip(model.actions, log.actions[row - 1], strict=True)
        said += [f"after {u.name}={u.names[i]}" for u, i in did if i >= 0]
    for variables, recorded in ((model.states, log.states), (model.observations, log.observations)):
        held = zip(variables, recorded[row], strict=True)
        said += [f"{v.name}={v.names[i]}" for v, i in held if i >= 0]
    return ", ".join(said)
