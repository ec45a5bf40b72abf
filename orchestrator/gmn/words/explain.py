"""What a model says, in plain English; deterministic, and whole down to the single number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.gradient import with_gradients
from orchestrator.gmn.payoffs import utilities
from orchestrator.gmn.tables import matrix
from orchestrator.gmn.words.drawing import drawn, is_grid, landmarks, legend
from orchestrator.gmn.words.wording import (
    MOST_LABELS,
    labels_of,
    learning,
    listed,
    number,
    odds,
    payoff_lines,
    percent,
    signed,
    table_words,
)
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import Conditional, GMNSpec, Policy, Query, Variable

MOST_LINES = 16  # of one passage, unless all are asked for

_TRIGGERS = {
    "on_start": "at the start",
    "on_observation": "after each observation",
    "on_uncertainty": "when it is uncertain (its beliefs have an entropy above {})",
    "every_n_steps": "every {} steps",
    "on_goal": "when it reaches what it wants",
    "on_error": "when something fails",
}
_EFFECTS = {
    "observe": "is taken as an observation of {}",
    "set_preference": "sets what it wants of {}",
    "set_prior": "sets what it believes of {}",
    "suggest_action": "suggests an action of {}",
    "note": "is written down",
}


_WHERE = {"state": ", though it is hidden", "observation": "", "action": ", by doing it"}


@dataclass(frozen=True, slots=True)
class Passage:
    """One statement about a model.

    Attributes:
        about: agent, hidden, senses, acts, changes, ends, starts, wants, plans, asks, expects or
            assumed.
        text: the statement, a sentence or two.
        lines: what it consists of, one rule, row, number or line of a drawing each.
    """

    about: str
    text: str
    lines: tuple[str, ...] = ()


def passages(spec: GMNSpec) -> tuple[Passage, ...]:
    """All that a valid document says: what it senses, believes, can do, wants, and how it plans."""
    return (
        Passage("agent", _who(spec)),
        *_hidden(spec),
        *_senses(spec),
        *_acts(spec),
        *_starts(spec),
        *_wants(spec),
        _plans(spec),
        *_habits(spec),
        *(_asks(query) for query in spec.queries),
        *_told(spec),
    )


def explain(spec: GMNSpec, *, is_whole: bool = False) -> str:
    """`passages` as text; with more than 16 lines each only if `is_whole`, else with their number.

    The document is valid.
    """
    return "\n\n".join("\n".join(_shown(one, is_whole=is_whole)) for one in passages(spec))


def _shown(passage: Passage, *, is_whole: bool) -> Iterator[str]:
    yield visible(passage.text)
    lines = passage.lines
    is_long = len(lines) > MOST_LINES + 1 and not is_whole
    for line in lines[:MOST_LINES] if is_long else lines:
        yield f"  {visible(line)}"
    if is_long:
        yield f"  … and {len(lines) - MOST_LINES} more lines; --all shows them"


def _who(spec: GMNSpec) -> str:
    about = f" {spec.description}" if spec.description else ""
    article = "an" if spec.agent_type[:1] in "aeiou" else "a"
    kind = "" if spec.agent_type == "general" else f", {article} {spec.agent_type}"
    return f"{spec.name}{kind}.{about}"


def _hidden(spec: GMNSpec) -> Iterator[Passage]:
    total = math.prod(v.n for v in spec.states)
    names = listed(_described(v) for v in spec.states)
    tail = f" Together that makes {total} situations." if len(spec.states) > 1 else ""
    lines = tuple(f"{v.name}: {v.description}" for v in spec.states if v.description)
    yield Passage("hidden", f"Hidden from it: {names}.{tail}", lines)
    grids = [f for f, v in enumerate(spec.states) if is_grid(v)]
    if not grids:
        return
    model = compile_spec(spec)
    for factor in grids:
        variable = spec.states[factor]
        marks = landmarks(spec, model, variable)
        start = np.flatnonzero(model.D[factor])
        if len(start) < variable.n:
            marks |= dict.fromkeys(start.tolist(), "S")
        if lines := tuple(line.strip() for line in drawn(variable, marks)):
            key = f": {legend(marks)}" if marks else ""
            yield Passage("hidden", f"{variable.name}, drawn with its row 0 on top{key}.", lines)


def _described(variable: Variable) -> str:
    if len(variable.shape) == 2:
        rows, columns = variable.shape
        ends = f"{variable.names[0]} to {variable.names[-1]}"
        return f"{variable.name}, a {rows}x{columns} grid of {variable.n} cells, {ends}"
    if variable.names == tuple(map(str, range(variable.n))) and variable.n > MOST_LABELS:
        return f"{variable.name} (0 to {variable.n - 1})"
    return f"{variable.name} ({', '.join(variable.names)})"


def _senses(spec: GMNSpec) -> Iterator[Passage]:
    for table in spec.likelihoods:
        variable = spec.variable(table.of)
        shown = _described(variable) if variable is not None else table.of
        depends = f"which depends on {listed(table.given)}" if table.given else "whatever is so"
        phrase, lines = table_words(spec, table)
        text = f"It senses {shown}, {depends}: {phrase}."
        about = f" {variable.description}" if variable is not None and variable.description else ""
        yield Passage("senses", text + about, lines)


def _acts(spec: GMNSpec) -> Iterator[Passage]:
    actions = listed(_described(v) for v in spec.actions)
    lines = tuple(f"{v.name}: {v.description}" for v in spec.actions if v.description)
    yield Passage("acts", f"It can choose {actions}." if spec.actions else "It cannot act.", lines)
    for table in spec.transitions:
        others = [name for name in table.given if name != table.of]
        cause = f"driven by {listed(others)}" if others else "by itself"
        phrase, lines = table_words(spec, table)
        yield Passage("changes", f"At each step {table.of} changes {cause}: {phrase}.", lines)
    for state in (s for s in spec.states if s.terminal):
        text = f"All ends where {state.name} is {listed(labels_of(state.terminal, state), 'or')}."
        yield Passage("ends", text)
    still = [s.name for s in spec.states if s.name not in {t.of for t in spec.transitions}]
    if still:
        verb = "changes" if len(still) == 1 else "change"
        yield Passage("changes", f"{listed(still)} never {verb}.")


def _starts(spec: GMNSpec) -> Iterator[Passage]:
    priors: dict[str, Conditional] = {table.of: table for table in spec.priors}
    lines = []
    for state in spec.states:
        prior = priors.get(state.name)
        row = matrix(spec, prior)[0] if prior is not None else np.full(state.n, 1 / state.n)
        said = odds(state.names, row.tolist())
        if np.ptp(row) == 0 and state.n > 1:
            said = f"any of its {state.n} values, all equally likely"
        elif said.endswith(" 100%"):
            said = said.removesuffix(" 100%")
        lines.append(f"{state.name}: {said}" + (learning(prior) if prior is not None else ""))
    yield Passage("starts", "It starts with what it believes of the first situation:", tuple(lines))


def _wants(spec: GMNSpec) -> Iterator[Passage]:
    lines, spec = [], with_gradients(spec)
    for kind, variable in spec.variables():
        said = [p for p in spec.preferences if p.on == variable.name and not p.rules]
        if not said:
            continue
        by_value: dict[float, list[str]] = {}
        for label, value in zip(variable.names, utilities(said, variable).tolist(), strict=True):
            by_value.setdefault(value, []).append(label)
        name = f"{variable.name}{_WHERE[kind]}"
        worth = [_worth(value, by_value[value]) for value in sorted(by_value, reverse=True)]
        together = ["; ".join(worth)] if len(worth) <= MOST_LABELS else worth
        lines += [f"{name}: {one}" for one in together]
        lines += [f'{variable.name}: because "{one.reason}"' for one in said if one.reason]
    if lines:
        yield Passage("wants", "What it wants, as utility in nats; more is better:", tuple(lines))
    for ruled in (p for p in spec.preferences if p.rules):
        names, verb = listed(ruled.names), "are" if ruled.given else "is"
        kinds = {kind for kind, v in spec.variables() if v.name in ruled.names}
        when = ", for the state that a step enters" if kinds == {"state"} else ""
        when = ", for the state before the step" if kinds == {"state", "action"} else when
        text = f"What {names} {verb} worth, in nats{when}: the first line that fits decides."
        lines = [*payoff_lines(spec, ruled)]
        lines += [f'because "{ruled.reason}"'] if ruled.reason else []
        yield Passage("wants", text, tuple(lines))
    if not spec.preferences:
        yield Passage("wants", "It wants nothing and only looks for information.")


def _worth(value: float, labels: list[str]) -> str:
    shown = "all others" if value == 0 and len(labels) > MOST_LABELS else ", ".join(labels)
    return f"{shown} {signed(value)}"


def _plans(spec: GMNSpec) -> Passage:
    policy = spec.policy
    per_step = math.prod(v.n for v in spec.actions) if spec.actions else 1
    steps = "1 step" if policy.horizon == 1 else f"{policy.horizon} steps"
    by = "expected utility and information gain" if policy.info_gain else "utility alone"
    if policy.selection == "contingent":
        text = (
            f"It looks {steps} ahead, with a plan for whatever it may observe on its way, by {by}"
        )
        return Passage("plans", f"{text}, and takes the best action.{_infers(policy)}")
    plans = per_step**policy.horizon
    text = f"It looks {steps} ahead, comparing {plans:,} plan{'' if plans == 1 else 's'} by {by}"
    how = "takes the first action that is most probable over all plans"
    if policy.selection == "stochastic":
        how = "samples among them"
    gamma = number(policy.gamma)
    weight = f"a plan that is 1 nat better is e^{gamma} times as probable"
    return Passage("plans", f"{text}, and {how} (precision {gamma}: {weight}).{_infers(policy)}")


def _infers(policy: Policy) -> str:
    said = ""
    if policy.discount != 1:
        said = f" A nat is worth {percent(policy.discount)} of it one step later."
    if policy.inference == "auto":
        return said
    how = "exactly" if policy.inference == "exact" else "by mean field, an approximation"
    return f"{said} It infers the hidden states {how}."


def _habits(spec: GMNSpec) -> Iterator[Passage]:
    lines = []
    for habit in spec.habits:
        action = spec.variable(habit.action)
        total = math.fsum(habit.weights)
        if action is not None and 0 < total < math.inf:
            shares = [f"{n} {percent(w / total)}" for n, w in zip(action.names, habit.weights)]  # noqa: B905
            lines.append(f"{habit.action}: {', '.join(shares)}")
    if lines:
        yield Passage(
            "plans", "Before it compares them it is inclined, by habit, to:", tuple(lines)
        )


def _asks(query: Query) -> Passage:
    when = _TRIGGERS[query.trigger].format(number(query.trigger_value))
    about = f" with {listed(query.inputs)}" if query.inputs else ""
    effect = _EFFECTS[query.effect].format(query.target)
    text = f"{query.name}: {when} it asks a language model{about}; the answer {effect}."
    return Passage("asks", text, (f'"{query.prompt}"',))


def _told(spec: GMNSpec) -> Iterator[Passage]:
    if expected := spec.meta("expect"):
        yield Passage("expects", f"Expected of it: {expected}.")
    if assumed := spec.meta("assumptions"):
        yield Passage("assumed", f"Assumed: {assumed}.")
