"""What a table says, line by line, in plain English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.rules import relative_step
from orchestrator.gmn.tables import acting_axis, context_labels, labels_matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.gmn.model import (
        Condition,
        Conditional,
        GMNSpec,
        Outcome,
        Preference,
        Table,
        Variable,
    )

MOST_LABELS = 6

_EDGES = {
    "stay": "a step over the edge is not taken",
    "clamp": "a step over the edge ends at the edge",
    "wrap": "a step over the edge ends on the other side",
}
_NOISE = {
    "uniform": "a random value takes its place, each of them equally likely",
    "others": "another value takes its place, each of the others equally likely",
    "stay": "it stays as it is instead",
}


def listed(parts: Iterable[str], word: str = "and") -> str:
    """The parts as a phrase: ``a, b and c``."""
    said: Sequence[str] = list(parts)
    if len(said) < 2:
        return "".join(said)
    return f"{', '.join(said[:-1])} {word} {said[-1]}"


def number(value: float) -> str:
    """The value with as many digits as the document may have written."""
    return f"{value + 0.0:.12g}"


def counted(number: str, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {noun}{'' if number == '1' else 's'}"


def signed(value: float) -> str:
    """The value with a plus sign where it is above zero."""
    return f"{'+' if value > 0 else ''}{number(value)}"


def percent(p: float) -> str:
    """A probability in percent, never rounded to a neighbour."""
    return f"{number(p * 100)}%"


def odds(labels: Sequence[str], distribution: Iterable[float]) -> str:
    """``a 80%, b 20%``; what has the probability 0 is left out."""
    pairs = zip(labels, distribution, strict=False)
    return ", ".join(f"{label} {percent(p)}" for label, p in pairs if p)


def table_words(spec: GMNSpec, conditional: Conditional) -> tuple[str, tuple[str, ...]]:
    """What a valid table says: the rule in one phrase, and its rules, rows or moves as lines."""
    table = conditional.table
    of, *given = (v for n in (conditional.of, *conditional.given) if (v := spec.variable(n)))
    phrase, lines = _content(table, of, given)
    steps = (o.value for rule in table.rules for o in rule.then if o.value.startswith("@"))
    is_relative = any(any(relative_step(value, of, "")) for value in steps)
    if table.kind in ("shift", "grid") or is_relative:
        phrase += f"; {_EDGES[table.boundary]}"
        if table.blocked:
            phrase += f"; no step leads into {listed(labels_of(table.blocked, of), 'or')}"
    if table.noise:
        phrase += f"; with a {percent(table.noise)} chance {_NOISE[table.noise_kind]}"
    return phrase + learning(conditional), lines


def learning(conditional: Conditional) -> str:
    """Whether experience changes the table; empty where it does not."""
    if not conditional.learn:
        return ""
    weight = counted(number(conditional.concentration), "observation")
    return f"; experience changes this, which counts as {weight} in each situation"


def payoff_lines(spec: GMNSpec, preference: Preference) -> Iterator[str]:
    """What the rules of a preference say, one line each."""
    known = {v.name: v for name in preference.names if (v := spec.variable(name))}
    for rule in preference.rules:
        yield f"{_opening(rule.when, known)}: {signed(rule.utility)}"
    if all(rule.when for rule in preference.rules):
        yield "otherwise: 0"


def _content(table: Table, of: Variable, given: Sequence[Variable]) -> tuple[str, tuple[str, ...]]:
    if table.kind == "identity":
        return _identity(of, given)
    if table.kind == "uniform":
        return f"all {of.n} values are equally likely, whatever else is so", ()
    if table.kind == "rules":
        return "the first line that fits decides", tuple(_rules(table, of, given))
    if table.kind == "map":
        lines = (f"{_context(row, given)}{label}" for row, label in enumerate(table.map))
        return "one fixed value for each situation", tuple(lines)
    if table.kind == "rows":
        lines = (f"{_context(r, given)}{odds(of.names, row)}" for r, row in enumerate(table.rows))
        return "probabilities for each situation", tuple(lines)
    along = "steps on the grid" if len(of.shape) == 2 else f"steps along {_order(of)}"
    return along, tuple(_moves(table, of, given))


def _identity(of: Variable, given: Sequence[Variable]) -> tuple[str, tuple[str, ...]]:
    own = next((parent for parent in given if parent.name == of.name), None)
    if own is not None:
        return "it stays as it is", ()
    source = given[0]
    if source.names == of.names:
        return f"it has the value of {source.name}", ()
    pairs = zip(source.names, of.names, strict=False)
    lines = tuple(f"if {source.name} is {before}: {after}" for before, after in pairs)
    return f"each value of {source.name} has one of its own", lines


def _context(row: int, given: Sequence[Variable]) -> str:
    said = context_labels(row, given).replace("=", " is ").replace(", ", " and ")
    return f"if {said}: " if said else ""


def _rules(table: Table, of: Variable, given: Sequence[Variable]) -> Iterator[str]:
    parents = {parent.name: parent for parent in given}
    for rule in table.rules:
        said = (f"{_outcome(one, of, table)} {percent(one.p)}" for one in rule.then if one.p)
        then = ", ".join(said)
        yield f"{_opening(rule.when, parents)}: {then}"


def _opening(when: Sequence[Condition], parents: Mapping[str, Variable]) -> str:
    said = " and ".join(_condition(one, parents[one.var]) for one in when)
    return f"if {said}" if said else "otherwise"


def labels_of(values: Iterable[str], variable: Variable) -> list[str]:
    """The labels that labels, globs and ranges stand for."""
    found = (variable.names[i] for value in values for i in labels_matching(value, variable))
    return list(dict.fromkeys(found))


def _condition(condition: Condition, parent: Variable) -> str:
    labels = labels_of(condition.values, parent)
    if len(labels) <= MOST_LABELS:
        return f"{parent.name} is {listed(labels, 'or')}"
    return f"{parent.name} is one of the {len(labels)} that fit {listed(condition.values, 'or')}"


def _outcome(outcome: Outcome, of: Variable, table: Table) -> str:
    if outcome.value.startswith("@"):
        return _step(relative_step(outcome.value, of, ""), of, table)
    labels = labels_of((outcome.value,), of)
    if len(labels) == 1:
        return labels[0]
    shown = f" of {', '.join(labels)}" if len(labels) <= MOST_LABELS else ""
    return f"any{shown or f' of the {len(labels)} that fit {outcome.value}'}, evenly,"


def _moves(table: Table, of: Variable, given: Sequence[Variable]) -> Iterator[str]:
    axis = acting_axis(table, of, given)
    deltas = {move.action: move.delta for move in table.moves}
    if axis is not None:
        name, still = given[axis].name, (0,) * (len(of.shape) or 1)
        for label in given[axis].names:
            yield f"if {name} is {label}: {_step(deltas.get(label, still), of, table)}"


def _step(delta: Sequence[int], of: Variable, table: Table) -> str:
    """A relative step in words: rows and columns on a grid, else places along the values."""
    ahead, back = f"towards {of.names[-1]}", f"towards {of.names[0]}"
    if table.boundary == "wrap":
        ahead, back = "on", "back"
    if not any(delta):
        return "unchanged"
    if len(of.shape) == 2:
        rows, columns = delta
        parts = [_places(rows, "row", "down", "up"), _places(columns, "column", "right", "left")]
        return listed(part for part in parts if part)
    if len(delta) == 1:
        return _places(delta[0], "place", ahead, back)
    return f"a step of ({', '.join(f'{d:+d}' for d in delta)})"


def _places(step: int, unit: str, ahead: str, back: str) -> str:
    if not step:
        return ""
    plural = "" if abs(step) == 1 else "s"
    return f"{abs(step)} {unit}{plural} {ahead if step > 0 else back}"


def _order(of: Variable) -> str:
    """The values in their order, as far as a phrase holds them."""
    if of.n <= MOST_LABELS:
        return ", ".join(of.names)
    return f"{of.names[0]}, {of.names[1]}, …, {of.names[-1]}"
