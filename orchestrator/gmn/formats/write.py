"""The two canonical spellings: block text for people, JSON for programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.comments import END
from orchestrator.gmn.formats.shares import Written
from orchestrator.gmn.model import LABEL_PATTERN, VERSION, Rule
from orchestrator.types.visible import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.gmn.model import (
        Conditional,
        GMNSpec,
        Gradient,
        Habit,
        Outcome,
        Payoff,
        Policy,
        Preference,
        Query,
        Table,
        Variable,
    )

_BARE = re.compile(rf"(?:{LABEL_PATTERN}|[A-Za-z0-9_*?][\w.*?+]*|@[+-]?\w+|@\([-+\d, ]+\))\Z")
_NOT_BARE = {"true", "false", "True", "False", "null", "None", "inf", "nan", "Infinity", "NaN"}


def write_text(spec: GMNSpec, comments: Mapping[str, Sequence[str]] | None = None) -> str:
    """Canonical block text, one property per line, closed by the line ``end``; reads back equal.

    `comments` are lines to put above a statement, by its pointer, as `comments_of` finds them.
    What an editor or a terminal would obey or hide is an escape: in a string one that reads back
    equal, in a comment one to read.
    """
    lines: list[str] = []
    for pointer, block in (*statements(spec), (END, "end")):
        said = (comments or {}).get(pointer, ())
        lines += [*(visible(line, lines=True) for line in said), block]
    return "\n".join(lines) + "\n"


def statements(spec: GMNSpec) -> Iterator[tuple[str, str]]:
    """Every statement with its pointer into the tree."""
    yield "/gmn", f"gmn {VERSION}"
    yield "/name", _node(f"agent {word_of(spec.name)}", _agent(spec))
    for kind, variables in (
        ("state", spec.states),
        ("observation", spec.observations),
        ("action", spec.actions),
    ):
        for i, v in enumerate(variables):
            yield f"/{kind}s/{i}", _node(f"node {kind} {word_of(v.name)}", _variable(v))
    for kind, prefix, section, tables in (
        ("emission", "A", "likelihoods", spec.likelihoods),
        ("transition", "B", "transitions", spec.transitions),
        ("belief", "D", "priors", spec.priors),
    ):
        names = _names(prefix, [table.of for table in tables])
        for i, (name, table) in enumerate(zip(names, tables, strict=True)):
            yield f"/{section}/{i}", _node(f"node {kind} {name}", _conditional(table, kind))
    names = _names("C", [p.on for p in spec.preferences])
    for i, (name, preference) in enumerate(zip(names, spec.preferences, strict=True)):
        yield f"/preferences/{i}", _node(f"node preference {name}", _preference(preference))
    yield "/policy", _node("node policy pi", _policy(spec.policy, spec.habits))
    for i, query in enumerate(spec.queries):
        yield f"/queries/{i}", _node(f"node llm_query {word_of(query.name)}", _query(query))


def write_json(spec: GMNSpec, *, lean: bool = False, indent: int | None = 2) -> str:
    """Canonical JSON, ending in a newline: every key, or with `lean` only those that differ from
    their default."""
    tree = spec.model_dump(mode="json", exclude_defaults=lean)
    if lean:
        tree = {"gmn": spec.gmn, **tree}
    separators = None if indent else (",", ":")
    return json_text(tree, indent=indent, separators=separators) + "\n"


def _node(head: str, lines: Iterable[str]) -> str:
    body = list(lines)
    if not body:
        return f"{head} {{}}"
    return "\n".join([f"{head} {{", *(f"  {line}" for line in body), "}"])


def _names(prefix: str, targets: Sequence[str]) -> list[str]:
    """Node names carry no meaning; they are unique and say what the table is about."""
    made: list[str] = []
    for target in targets:
        is_shown = re.fullmatch(r"[A-Za-z_]\w*", target) and visible(target) == target
        stem = f"{prefix}_{target}" if is_shown else prefix
        name, number = stem, 2
        while name in made:
            name, number = f"{stem}_{number}", number + 1
        made.append(name)
    return made


def _agent(spec: GMNSpec) -> Iterator[str]:
    yield f"type: {word_of(spec.agent_type)}"
    if spec.description:
        yield f"description: {_quoted(spec.description)}"
    if spec.metadata:
        yield "metadata: {"
        yield from (f"  {word_of(entry.key)}: {_quoted(entry.value)}" for entry in spec.metadata)
        yield "}"


def _variable(variable: Variable) -> Iterator[str]:
    if variable.labels:
        yield f"labels: {_list(variable.labels)}"
    if variable.size:
        yield f"size: {variable.size}"
    if variable.shape:
        yield f"shape: [{', '.join(map(str, variable.shape))}]"
    if variable.terminal:
        yield f"terminal: {_list(variable.terminal)}"
    if variable.description:
        yield f"description: {_quoted(variable.description)}"


def _conditional(conditional: Conditional, kind: str) -> Iterator[str]:
    if kind == "belief":
        yield f"about: {word_of(conditional.of)}"
    if conditional.given or kind != "belief":
        yield f"from: {_list(conditional.given)}"
    if kind != "belief":
        yield f"to: {word_of(conditional.of)}"
    yield from _table(conditional.table)
    if conditional.learn:
        yield "learn: true"
    if conditional.concentration != 1:
        yield f"concentration: {_number(conditional.concentration)}"


def _table(table: Table) -> Iterator[str]:
    yield from _kind(table)
    if table.rows:
        yield from _block("rows", [f"[{', '.join(map(_number, row))}]" for row in table.rows])
    if table.map:
        yield f"map: {_list(table.map)}"
    if table.moves:
        moves = ", ".join(
            f"{word_of(m.action)}: [{', '.join(map(str, m.delta))}]" for m in table.moves
        )
        yield f"moves: {{{moves}}}"
    if table.rules:
        yield from _block("rules", [_rule(rule) for rule in table.rules])
    yield from _edges_and_noise(table)


def _kind(table: Table) -> Iterator[str]:
    """The kind, unless the one field that is filled in says it."""
    filled = {"rows": bool(table.rows), "map": bool(table.map), "rules": bool(table.rules)}
    if table.kind not in filled:
        yield table.kind
    elif not filled[table.kind] or sum(filled.values()) > 1:
        yield f"kind: {table.kind}"


def _edges_and_noise(table: Table) -> Iterator[str]:
    if table.boundary != "stay":
        yield f"boundary: {table.boundary}"
    if table.blocked:
        yield f"blocked: {_list(table.blocked)}"
    if table.noise:
        yield f"noise: {_number(table.noise)}"
    if table.noise_kind != "uniform":
        yield f"noise_kind: {table.noise_kind}"


def _block(key: str, lines: Sequence[str]) -> Iterator[str]:
    if len(lines) == 1:
        yield f"{key}: [{lines[0]}]"
        return
    yield f"{key}: ["
    yield from (f"  {line}," for line in lines)
    yield "]"


def _rule(rule: Rule | Payoff) -> str:
    said = (
        f"then: {_outcomes(rule.then)}"
        if isinstance(rule, Rule)
        else f"utility: {_number(rule.utility)}"
    )
    if not rule.when:
        return f"{{{said}}}"
    variables = [condition.var for condition in rule.when]
    if len(set(variables)) < len(variables):  # a block cannot hold one key twice
        when = ", ".join(f"{{var: {word_of(c.var)}, values: {_list(c.values)}}}" for c in rule.when)
        return f"{{when: [{when}], {said}}}"
    when = ", ".join(
        f"{word_of(c.var)}: {word_of(c.values[0]) if len(c.values) == 1 else _list(c.values)}"
        for c in rule.when
    )
    return f"{{when: {{{when}}}, {said}}}"


def _outcomes(then: Sequence[Outcome]) -> str:
    values = [outcome.value for outcome in then]
    if len(set(values)) < len(values):
        items = ", ".join(f"{{value: {word_of(o.value)}, p: {_number(o.p)}}}" for o in then)
        return f"[{items}]"
    return f"{{{', '.join(f'{word_of(o.value)}: {_number(o.p)}' for o in then)}}}"


def _preference(preference: Preference) -> Iterator[str]:
    yield f"on: {_list(preference.names) if preference.given else word_of(preference.on)}"
    if preference.values:
        yield f"values: [{', '.join(map(_number, preference.values))}]"
    if preference.goals:
        labels = [goal.value for goal in preference.goals]
        if len(set(labels)) < len(labels):
            items = ", ".join(
                f"{{value: {word_of(g.value)}, utility: {_number(g.utility)}}}"
                for g in preference.goals
            )
            yield f"goals: [{items}]"
        else:
            items = ", ".join(f"{word_of(g.value)}: {_number(g.utility)}" for g in preference.goals)
            yield f"goals: {{{items}}}"
    if gradients := list(map(_gradient, preference.goal_gradient)):
        shown = ", ".join(gradients)
        yield f"goal_gradient: {shown if len(gradients) == 1 else f'[{shown}]'}"
    if preference.rules:
        yield from _block("rules", [_rule(rule) for rule in preference.rules])
    if preference.reason:
        yield f"reason: {_quoted(preference.reason)}"


def _gradient(gradient: Gradient) -> str:
    numbers = f"utility: {_number(gradient.utility)}, decay: {_number(gradient.decay)}"
    return f"{{goal: {word_of(gradient.goal)}, {numbers}}}"


def _policy(policy: Policy, habits: Sequence[Habit]) -> Iterator[str]:
    yield f"horizon: {policy.horizon}"
    yield f"gamma: {_number(policy.gamma)}"
    if policy.selection != "deterministic":
        yield f"selection: {policy.selection}"
    if not policy.info_gain:
        yield "info_gain: false"
    if policy.discount != 1:
        yield f"discount: {_number(policy.discount)}"
    if policy.inference != "auto":
        yield f"inference: {policy.inference}"
    if habits:
        items = ", ".join(
            f"{word_of(h.action)}: [{', '.join(map(_number, h.weights))}]" for h in habits
        )
        yield f"habit: {{{items}}}"


def _query(query: Query) -> Iterator[str]:
    yield f"trigger: {query.trigger}"
    if query.trigger_value:
        yield f"trigger_value: {_number(query.trigger_value)}"
    if query.inputs:
        yield f"inputs: {_list(query.inputs)}"
    yield f"prompt: {_quoted(query.prompt)}"
    yield f"effect: {query.effect}"
    if query.target:
        yield f"target: {word_of(query.target)}"


def _number(number: float) -> str:
    """The shortest spelling that reads back equal; whole numbers without a point."""
    if isinstance(number, Written):
        return number.text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _list(words: Sequence[str]) -> str:
    return f"[{', '.join(map(word_of, words))}]"


def word_of(text: str) -> str:
    """A name or a label as block text writes it: bare, or in quotes where it needs them."""
    is_bare = _BARE.match(text) and text not in _NOT_BARE and visible(text) == text
    return text if is_bare else _quoted(text)


def _quoted(text: str) -> str:
    return json_text(text)
