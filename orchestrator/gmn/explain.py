"""What a model says, in plain English; deterministic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.gmn.payoffs import utilities
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.gmn.model import Conditional, GMNSpec, Table, Variable

MOST_LABELS = 6


def explain(spec: GMNSpec) -> str:
    """A few short paragraphs: what it senses, believes, can do, wants, and how it plans."""
    parts = [
        _who(spec),
        _hidden(spec),
        _senses(spec),
        _moves(spec),
        _start(spec),
        _wants(spec),
        _plans(spec),
    ]
    if assumed := spec.meta("assumptions"):
        parts.append(f"Assumed: {assumed}.")
    return "\n\n".join(visible(part) for part in parts if part)


def _who(spec: GMNSpec) -> str:
    about = f" {spec.description}" if spec.description else ""
    article = "an" if spec.agent_type[:1] in "aeiou" else "a"
    kind = "" if spec.agent_type == "general" else f", {article} {spec.agent_type}"
    return f"{spec.name}{kind}.{about}"


def _hidden(spec: GMNSpec) -> str:
    total = math.prod(v.n for v in spec.states)
    listed = _and(_described(v) for v in spec.states)
    tail = f" Together that makes {total} situations." if len(spec.states) > 1 else ""
    return f"Hidden from it: {listed}.{tail}"


def _described(variable: Variable) -> str:
    if len(variable.shape) == 2:
        rows, columns = variable.shape
        return f"{variable.name}, a {rows}x{columns} grid of {variable.n} cells"
    shown = ", ".join(variable.names[:MOST_LABELS])
    more = f" and {variable.n - MOST_LABELS} more" if variable.n > MOST_LABELS else ""
    return f"{variable.name} ({shown}{more})"


def _senses(spec: GMNSpec) -> str:
    lines = []
    for table in spec.likelihoods:
        parents = _and(table.given) or "nothing"
        lines.append(f"{table.of}, which depends on {parents}: {_table(table)}")
    return "It senses " + "; ".join(lines) + "."


def _moves(spec: GMNSpec) -> str:
    actions = _and(_described(v) for v in spec.actions)
    opening = f"It can choose {actions}. " if spec.actions else "It cannot act. "
    lines = []
    for table in spec.transitions:
        others = [name for name in table.given if name != table.of]
        cause = f"driven by {_and(others)}" if others else "by itself"
        lines.append(f"{table.of} changes {cause}: {_table(table)}")
    still = [s.name for s in spec.states if s.name not in {t.of for t in spec.transitions}]
    if still:
        lines.append(f"{_and(still)} never {'changes' if len(still) == 1 else 'change'}")
    return opening + "; ".join(lines)[:1].upper() + "; ".join(lines)[1:] + "."


def _table(conditional: Conditional) -> str:
    table = conditional.table
    what = {
        "identity": "it shows the value as it is",
        "uniform": "every value is equally likely",
        "map": "one fixed value for each situation",
        "rows": "probabilities written out for each situation",
        "shift": f"steps along a line ({_edges(table)})",
        "grid": f"steps on the grid ({_edges(table)})",
        "rules": f"{len(table.rules)} rules, the first that fits decides",
    }[table.kind]
    if conditional.of in conditional.given and table.kind == "identity":
        what = "it stays as it is"
    if table.noise:
        where = {
            "uniform": "any value instead",
            "others": "another value instead",
            "stay": "staying where it is instead",
        }[table.noise_kind]
        what += f", with a {table.noise:.3g} chance of {where}"
    return what


def _edges(table: Table) -> str:
    edge = {
        "stay": "stopping at the edge",
        "clamp": "sliding along the edge",
        "wrap": "around the edge",
    }
    walls = f", {len(table.blocked)} blocked" if table.blocked else ""
    return edge[table.boundary] + walls


def _start(spec: GMNSpec) -> str:
    lines = []
    priors = {table.of: table.table for table in spec.priors}
    for state in spec.states:
        table = priors.get(state.name)
        if table is None or table.kind == "uniform":
            lines.append(f"{state.name} anywhere")
        elif table.kind == "map" and table.map:
            lines.append(f"{state.name} at {table.map[0]}")
        else:
            lines.append(f"{state.name} by given odds")
    return f"It starts with {_and(lines)}."


def _wants(spec: GMNSpec) -> str:
    targets = dict.fromkeys(p.on for p in spec.preferences if not p.rules)
    lines = []
    for name in targets:
        variable = spec.variable(name)
        if variable is None:
            continue
        total = utilities(spec.preferences, variable)
        best, worst = int(total.argmax()), int(total.argmin())
        line = f"{name}={variable.names[best]} most ({total[best]:+.3g} nats)"
        if total[worst] < 0:
            line += f" and {variable.names[worst]} least ({total[worst]:+.3g})"
        lines.append(line)
    ruled = (p for p in spec.preferences if p.rules)
    lines += [f"what {len(p.rules)} rules say of {_and(p.names)}" for p in ruled]
    if not lines:
        return "It wants nothing and only looks for information."
    return f"It wants {_and(lines)}."


def _plans(spec: GMNSpec) -> str:
    policy = spec.policy
    per_step = math.prod(v.n for v in spec.actions) if spec.actions else 1
    plans = per_step**policy.horizon
    steps = "1 step" if policy.horizon == 1 else f"{policy.horizon} steps"
    text = f"It looks {steps} ahead, comparing {plans} plan{'' if plans == 1 else 's'}"
    text += " by expected utility and information gain" if policy.info_gain else " by utility alone"
    how = "samples among them" if policy.selection == "stochastic" else "takes the best"
    return f"{text}, and {how} (precision {policy.gamma:g})."


def _and(parts: Iterable[str]) -> str:
    listed: Sequence[str] = list(parts)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"
