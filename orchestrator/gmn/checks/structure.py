"""GMN101-120: variables are declared once, connected, and referred to by their names."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.gmn.checks.fixes import drop, insert, put, safe
from orchestrator.gmn.checks.look_alike import skeleton, told_apart
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.model import NAME_PATTERN
from orchestrator.gmn.rules import ends_beyond
from orchestrator.gmn.tables import labels_matching
from orchestrator.parsing.spelling import nearest
from orchestrator.types.visible import visible
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.model import Condition, Conditional, GMNSpec, Payoff, Rule, Variable
    from orchestrator.types.diagnostics import Diagnostic

SECTIONS = {"state": "states", "observation": "observations", "action": "actions"}


def pointers(spec: GMNSpec) -> Iterator[tuple[str, str, Variable]]:
    """Kind, pointer and variable of every declaration."""
    for kind, section in SECTIONS.items():
        for index, variable in enumerate(getattr(spec, section)):
            yield kind, f"/{section}/{index}", variable


@check("GMN101", "GMN102")
def has_states_and_observations(subject: Subject) -> Iterator[Diagnostic]:
    """A model has at least one state factor and one observation modality."""
    if not subject.spec.states:
        words = "no state factor is declared; add a node state"
        yield finding("GMN101", words, pointer="/states", missing="/states")
    if not subject.spec.observations:
        words = "no observation modality is declared; add a node observation"
        yield finding("GMN102", words, pointer="/observations", missing="/observations")


@check("GMN103")
def names_are_unique(subject: Subject) -> Iterator[Diagnostic]:
    """Names are unique over states, observations and actions together."""
    counts = Counter(variable.name for _, variable in subject.spec.variables())
    seen: set[str] = set()
    for kind, pointer, variable in pointers(subject.spec):
        if counts[variable.name] > 1 and variable.name in seen:
            words = f"{kind} {variable.name!r} is already declared; names are shared by all kinds"
            yield finding("GMN103", words, pointer=f"{pointer}/name", variable=variable.name)
        seen.add(variable.name)


@check("GMN115")
def names_hold_what_is_seen(subject: Subject) -> Iterator[Diagnostic]:
    """The names of the agent and of queries, its type, and keys hold no hidden character."""
    spec = subject.spec
    names = [("/name", spec.name), ("/agent_type", spec.agent_type)]
    names += [(f"/queries/{i}/name", query.name) for i, query in enumerate(spec.queries)]
    names += [(f"/metadata/{i}/key", entry.key) for i, entry in enumerate(spec.metadata)]
    for pointer, name in names:
        if visible(name) != name:
            clean = "".join(c if visible(c) == c else "_" for c in name)
            fix = safe(f"rename to {clean!r}", put(pointer, clean))
            words = f"{name!r} holds characters that are not seen"
            yield finding("GMN115", words, pointer=pointer, got=name, fix=fix)


@check("GMN115")
def names_are_well_formed(subject: Subject) -> Iterator[Diagnostic]:
    """Names consist of at most 48 letters, digits and underscores."""
    taken = set(subject.variables)
    named: dict[str, list[str]] = {}
    for where, name in references(subject.spec):
        named.setdefault(name, []).append(where)
    for _, pointer, variable in pointers(subject.spec):
        if re.fullmatch(NAME_PATTERN, variable.name):
            continue
        clean = re.sub(r"\W", "_", variable.name, flags=re.ASCII)[:48].strip("_") or "x"
        clean = clean if re.match(r"[A-Za-z_]", clean) else f"_{clean}"[:48]
        fix = None
        if clean not in taken:
            taken.add(clean)  # two names that differ in a sign do not become one
            places = named.get(variable.name, ())
            look(len(places))
            operations = [put(where, clean) for where in (f"{pointer}/name", *places)]
            fix = safe(f"rename to {clean!r}", *operations)
        yield finding(
            "GMN115",
            f"{variable.name!r} is not a name: a letter or _, then letters, digits and _",
            pointer=f"{pointer}/name",
            variable=variable.name,
            got=variable.name,
            expected=NAME_PATTERN,
            fix=fix,
        )


def references(spec: GMNSpec) -> Iterator[tuple[str, str]]:
    """Pointer and name of every reference to a variable."""
    for section in ("likelihoods", "transitions", "priors"):
        for index, conditional in enumerate(getattr(spec, section)):
            yield f"/{section}/{index}/of", conditional.of
            for i, name in enumerate(conditional.given):
                yield f"/{section}/{index}/given/{i}", name
            for where, condition in _asked(
                f"/{section}/{index}/table/rules", conditional.table.rules
            ):
                yield f"{where}/var", condition.var
    for index, preference in enumerate(spec.preferences):
        yield f"/preferences/{index}/on", preference.on
        for i, name in enumerate(preference.given):
            yield f"/preferences/{index}/given/{i}", name
        for where, condition in _asked(f"/preferences/{index}/rules", preference.rules):
            yield f"{where}/var", condition.var
    for index, habit in enumerate(spec.habits):
        yield f"/habits/{index}/action", habit.action


@check("GMN105", "GMN403")
def references_are_defined(subject: Subject) -> Iterator[Diagnostic]:
    """Every reference names a declared variable."""
    for pointer, name in references(subject.spec):
        look()
        if name in subject.variables:
            continue
        near = nearest(name, subject.variables)
        code = "GMN403" if pointer.startswith("/preferences") and near is None else "GMN105"
        hint = f"; did you mean {near!r}?" if near else f"; known: {', '.join(subject.variables)}"
        fix = safe(f"read as {near!r}", put(pointer, near)) if near else None
        words = f"{name!r} is not defined{hint}"
        yield finding(code, words, pointer=pointer, variable=name, got=name, fix=fix)


@check("GMN106")
def labels_are_known(subject: Subject) -> Iterator[Diagnostic]:
    """Labels in maps, rules, moves, walls and goals belong to their variable."""
    for pointer, label, variable in labels_used(subject):
        look()
        found = labels_matching(label, variable)
        if (found and not ends_beyond(label, variable)) or label.startswith("@"):
            continue
        near = f"{found[0]}..{found[-1]}" if found else nearest(label, variable.names)
        shown = ", ".join(variable.names[:12]) + (", …" if variable.n > 12 else "")
        fix = safe(f"read as {near!r}", put(pointer, near)) if near else None
        words = f"label {label!r} is not in {variable.name}: {shown}"
        if twin := next((n for n in variable.names if skeleton(n) == skeleton(label)), None):
            words += "; {} only looks like {}".format(*told_apart(label, twin))
        yield finding(
            "GMN106",
            words,
            pointer=pointer,
            variable=variable.name,
            got=label,
            expected=shown,
            fix=fix,
        )


def labels_used(subject: Subject) -> Iterator[tuple[str, str, Variable]]:
    """Pointer, label and variable of every label in tables and preferences."""
    for _, where, owner in pointers(subject.spec):
        ends = owner.terminal if subject.bounded(owner.name) is not None else ()
        yield from ((f"{where}/terminal/{i}", label, owner) for i, label in enumerate(ends))
    for pointer, conditional in subject.tables:
        yield from _table_labels(subject, f"{pointer}/table", conditional)
    for index, preference in enumerate(subject.spec.preferences):
        if target := subject.bounded(preference.on):
            for g, goal in enumerate(preference.goals):
                yield f"/preferences/{index}/goals/{g}/value", goal.value, target
            for g, one in enumerate(preference.goal_gradient):
                yield f"/preferences/{index}/goal_gradient/{g}/goal", one.goal, target
        known = {n: v for n in preference.names if (v := subject.bounded(n)) is not None}
        yield from _conditions(f"/preferences/{index}/rules", preference.rules, known)


def _table_labels(
    subject: Subject, pointer: str, conditional: Conditional
) -> Iterator[tuple[str, str, Variable]]:
    table, of = conditional.table, subject.bounded(conditional.of)
    if of is not None:
        yield from ((f"{pointer}/map/{i}", label, of) for i, label in enumerate(table.map))
        yield from ((f"{pointer}/blocked/{i}", label, of) for i, label in enumerate(table.blocked))
        for r, rule in enumerate(table.rules):
            for t, outcome in enumerate(rule.then):
                yield f"{pointer}/rules/{r}/then/{t}/value", outcome.value, of
    parents = {n: v for n in conditional.given if (v := subject.bounded(n)) is not None}
    movers = [name for name in conditional.given if name != conditional.of]
    if len(movers) == 1 and movers[0] in parents:
        for i, move in enumerate(table.moves):
            yield f"{pointer}/moves/{i}/action", move.action, parents[movers[0]]
    yield from _conditions(f"{pointer}/rules", table.rules, parents)


def _conditions(
    pointer: str, rules: Sequence[Rule | Payoff], known: Mapping[str, Variable]
) -> Iterator[tuple[str, str, Variable]]:
    for where, when in _asked(pointer, rules):
        for n, value in enumerate(when.values if when.var in known else ()):
            yield f"{where}/values/{n}", value, known[when.var]


def _asked(pointer: str, rules: Sequence[Rule | Payoff]) -> Iterator[tuple[str, Condition]]:
    """Pointer and condition of every condition of a list of rules."""
    for r, rule in enumerate(rules):
        for c, condition in enumerate(rule.when):
            yield f"{pointer}/{r}/when/{c}", condition


@check("GMN107")
def every_observation_has_one_likelihood(subject: Subject) -> Iterator[Diagnostic]:
    """Every observation has exactly one likelihood."""
    counts = Counter(table.of for table in subject.spec.likelihoods)
    for index, observation in enumerate(subject.spec.observations):
        if counts[observation.name] != 1:
            count, name = counts[observation.name], observation.name
            words = f"{name} has {count} likelihoods, needs exactly 1; "
            words += "keep one" if count else f"add an emission to {name}"
            yield finding(
                "GMN107",
                words,
                pointer=f"/observations/{index}",
                variable=name,
                got=count,
                expected=1,
                missing="" if count else f"/likelihoods/{name}",
            )


@check("GMN113")
def no_state_has_two_tables(subject: Subject) -> Iterator[Diagnostic]:
    """At most one transition and one prior for each state; a fix drops an equal repetition."""
    for section in ("transitions", "priors"):
        first: dict[str, Conditional] = {}
        for index, conditional in enumerate(getattr(subject.spec, section)):
            pointer = f"/{section}/{index}"
            if conditional.of not in first:
                first[conditional.of] = conditional
                continue
            same = conditional == first[conditional.of]
            fix = safe("drop the repetition", drop(pointer)) if same else None
            words = f"{conditional.of} has a second {section[:-1]}"
            words += ", equal" if same else "; keep one"
            yield finding("GMN113", words, pointer=pointer, variable=conditional.of, fix=fix)


@check("GMN108", "GMN120")
def defaults_are_reported(subject: Subject) -> Iterator[Diagnostic]:
    """States without transition, which are static, and without prior, which start uniform."""
    moved = {table.of for table in subject.spec.transitions}
    started = {table.of for table in subject.spec.priors}
    for index, state in enumerate(subject.spec.states):
        pointer = f"/states/{index}"
        if state.name not in moved:
            words = f"state {state.name} has no transition: it never changes"
            yield finding("GMN108", words, pointer=pointer, variable=state.name)
        if state.name not in started:
            words = f"state {state.name} has no prior: every value is equally likely at the start"
            yield finding("GMN120", words, pointer=pointer, variable=state.name)


@check("GMN109", "GMN110")
def actions_do_something(subject: Subject) -> Iterator[Diagnostic]:
    """Every action is a parent of a transition, or has a utility."""
    if not subject.spec.actions and subject.spec.states:
        words = "no action is declared: the model is passive and only infers"
        action = {"name": "none", "description": "", "labels": ["none"], "size": 1, "shape": []}
        fix = None
        if "none" not in subject.variables:
            fix = safe("add the one-label action none", insert("/actions/-", action))
        yield finding("GMN110", words, pointer="/actions", fix=fix)
    driving = {name for table in subject.spec.transitions for name in table.given}
    driving |= {name for preference in subject.spec.preferences for name in preference.names}
    named = {habit.action for habit in subject.spec.habits}
    named |= {name for q in subject.spec.queries for name in (*q.inputs, q.target)}
    for index, action_ in enumerate(subject.spec.actions):
        if action_.name in driving or action_.n == 1:
            continue
        unused = action_.name not in named and len(subject.spec.actions) > 1
        fix = safe("drop it, nothing uses it", drop(f"/actions/{index}")) if unused else None
        words = f"action {action_.name} drives no state: no transition has it among its parents"
        yield finding("GMN109", words, pointer=f"/actions/{index}", variable=action_.name, fix=fix)


_A = {"state": "a state", "observation": "an observation", "action": "an action"}
_PARENTS = {
    "likelihoods": "its parents are states",
    "transitions": "its parents are states and actions",
    "priors": "it has none",
}


@check("GMN111", "GMN112", "GMN114")
def parents_are_allowed(subject: Subject) -> Iterator[Diagnostic]:
    """Parents are states for likelihoods, states and actions for transitions, none for priors."""
    allowed = {"likelihoods": ("state",), "transitions": ("state", "action"), "priors": ()}
    wanted = {"likelihoods": "observation", "transitions": "state", "priors": "state"}
    for pointer, conditional in subject.tables:
        section = pointer.split("/")[1]
        of_kind = subject.kinds.get(conditional.of)
        if of_kind is not None and of_kind != wanted[section]:
            words = f"a {section[:-1]} is about {_A[wanted[section]]}, "
            words += f"{conditional.of} is {_A[of_kind]}"
            yield finding("GMN111", words, pointer=f"{pointer}/of", variable=conditional.of)
        for i, name in enumerate(conditional.given):
            kind = subject.kinds.get(name)
            if kind is not None and kind not in allowed[section]:
                words = f"{kind} {name} cannot be a parent of {conditional.of} in a {section[:-1]};"
                words += f" {_PARENTS[section]}"
                yield finding("GMN111", words, pointer=f"{pointer}/given/{i}", variable=name)
            if name in conditional.given[:i]:
                fix = safe("list it once", drop(f"{pointer}/given/{i}"))
                words = f"parent {name} of {conditional.of} is listed twice"
                yield finding(
                    "GMN112", words, pointer=f"{pointer}/given/{i}", variable=name, fix=fix
                )
        if section == "transitions" and conditional.of not in conditional.given:
            words = f"the next {conditional.of} ignores its previous value"
            yield finding("GMN114", words, pointer=f"{pointer}/given", variable=conditional.of)


@check("GMN117")
def variables_are_used(subject: Subject) -> Iterator[Diagnostic]:
    """States that no table, preference or query uses."""
    used = {name for _, table in subject.tables for name in table.given if name != table.of}
    used |= {state.name for state in subject.spec.states if state.terminal}
    used |= {name for preference in subject.spec.preferences for name in preference.names}
    used |= {name for query in subject.spec.queries for name in (*query.inputs, query.target)}
    for index, state in enumerate(subject.spec.states):
        if state.name not in used:
            words = f"state {state.name} influences nothing that is observed, moved or preferred"
            yield finding("GMN117", words, pointer=f"/states/{index}", variable=state.name)
