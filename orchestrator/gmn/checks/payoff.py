"""Utilities of states and actions that rules give: GMN105, 112, 215, 403, 406, 416; 702, 707."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.bounds import shown
from orchestrator.gmn.checks.fixes import capped, drop, insert, safe
from orchestrator.gmn.checks.registry import MOST_SHOWN, Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.payoffs import payoff
from orchestrator.gmn.rules import assign
from orchestrator.gmn.tables import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import Preference, Variable
    from orchestrator.types.diagnostics import Diagnostic

_RULES = "rules: [{when: {…}, utility: …}]"


def _ruled(subject: Subject) -> Iterator[tuple[str, Preference]]:
    """Pointer and preference of each that has rules."""
    for index, preference in enumerate(subject.spec.preferences):
        if preference.rules:
            yield f"/preferences/{index}", preference


def _variables(subject: Subject, preference: Preference) -> list[Variable]:
    """What it is about, in its order; empty where a name is not defined or stands twice."""
    found = [v for name in preference.names if (v := subject.bounded(name)) is not None]
    whole = len({v.name for v in found}) == len(preference.names)
    return found if whole else []


def _is_said_by_label(preference: Preference) -> bool:
    return bool(preference.values or preference.goals or preference.goal_gradient)


@check("GMN702", "GMN707")
def payoffs_are_small(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on the variables and rules of a preference, and on its expanded table."""
    limits = subject.limits
    for index, preference in enumerate(subject.spec.preferences):
        where = f"/preferences/{index}"
        names, n_rules = preference.names, len(preference.rules)
        if len(names) > limits.parents:
            words = f"a preference is on {len(names)} variables, more than {limits.parents}"
            yield finding("GMN707", words, pointer=f"{where}/given", variable=preference.on)
            continue
        size = math.prod(v.n for v in _variables(subject, preference))
        spread = max(size, _spread(subject, preference))
        if spread > limits.table_entries:
            words = f"the utilities of {' and '.join(names)} would have {shown(spread)} entries,"
            words += f" more than {limits.table_entries}"
            yield finding("GMN702", words, pointer=where, variable=preference.on, got=shown(spread))
        elif n_rules > limits.rules or size * n_rules > limits.rule_work:
            words = f"{n_rules} rules of a preference, more than {limits.rules} or too many labels"
            yield finding("GMN707", words, pointer=f"{where}/rules", got=n_rules)


def _spread(subject: Subject, preference: Preference) -> int:
    """Most numbers at once when utilities of several states are spread over what moves them."""
    left = {v.name: v for v in _variables(subject, preference)}
    if len(left) < 2 or any(subject.kinds[name] != "state" for name in left):
        return 0
    most = 0
    moving: dict[str, Variable] = {}
    for name in list(left):
        moved = next((t.given for t in subject.spec.transitions if t.of == name), ())
        moving |= {n: v for n in (name, *moved) if (v := subject.bounded(n)) is not None}
        del left[name]
        most = max(most, math.prod(v.n for v in (*left.values(), *moving.values())))
    return most


@check("GMN105", "GMN112", "GMN403", "GMN416")
def payoffs_are_of_states_and_actions(subject: Subject) -> Iterator[Diagnostic]:
    """Rules ask for states and actions that their preference is on, and stand alone in it."""
    for index, preference in enumerate(subject.spec.preferences):
        where, names = f"/preferences/{index}", preference.names
        for i, name in enumerate(preference.given):
            if name in names[: i + 1]:
                fix = safe("list it once", drop(f"{where}/given/{i}"))
                words = f"{name} is listed twice in a preference"
                at = f"{where}/given/{i}"
                yield finding("GMN112", words, pointer=at, variable=name, fix=fix)
        if preference.rules and _is_said_by_label(preference):
            words = f"a preference on {preference.on} has rules beside goals or values; write two"
            words += " preferences, they add up"
            yield finding("GMN416", words, pointer=where, variable=preference.on)
        elif preference.given and not preference.rules:
            words = f"a preference on {' and '.join(names)} has no rules; write {_RULES}, or goals"
            words += " in a preference on one of them"
            yield finding("GMN416", words, pointer=where, variable=preference.on)
        asked = [(f"{where}/on", preference.on)]
        asked += [(f"{where}/given/{i}", name) for i, name in enumerate(preference.given)]
        for pointer, name in asked if preference.rules else ():
            if subject.kinds.get(name) == "observation":
                yield _observed(pointer, name)
        yield from capped(list(_conditions(subject, where, preference)), MOST_SHOWN, where)


def _observed(pointer: str, name: str) -> Diagnostic:
    words = f"rules of a preference cannot ask for observation {name}; write what it is worth as"
    words += f" goals of a preference on {name}, or rules about the states that it shows"
    return finding("GMN403", words, pointer=pointer, variable=name)


def _conditions(subject: Subject, where: str, preference: Preference) -> Iterator[Diagnostic]:
    """Conditions on what the preference is not on; one fix adds each name once."""
    added = set(preference.names)
    if not added <= set(subject.kinds):
        return  # a name that is repaired may be the one that is asked for
    for r, rule in enumerate(preference.rules):
        for c, condition in enumerate(rule.when):
            name, pointer = condition.var, f"{where}/rules/{r}/when/{c}/var"
            if name in preference.names or name not in subject.kinds:
                continue  # references_are_defined reports what is not defined
            if subject.kinds[name] == "observation":
                yield _observed(pointer, name)
            elif name not in added:
                added.add(name)
                fix = safe(f"put it on {name} too", insert(f"{where}/given/-", name))
                words = f"condition on {name!r}, which the preference is not on"
                yield finding("GMN105", words, pointer=pointer, variable=name, fix=fix)


@check("GMN215", "GMN406")
def payoffs_make_a_difference(subject: Subject) -> Iterator[Diagnostic]:
    """Rules that never apply, and preferences whose rules all come to the same utility."""
    is_endless = not any(state.terminal for state in subject.spec.states)
    for where, preference in _ruled(subject):
        variables = _variables(subject, preference)
        if not variables or _is_said_by_label(preference):
            continue
        try:
            unused = assign(preference.rules, variables[0], variables).unused(len(preference.rules))
            worth = payoff(preference, variables)
        except TableError:
            continue  # labels_are_known or another check reports it
        on, found = " and ".join(preference.names), []
        for number in unused:
            words = f"rule {number + 1} of the preference on {on} never applies"
            fix = safe("drop the rule", drop(f"{where}/rules/{number}"))
            at = f"{where}/rules/{number}"
            found.append(finding("GMN215", words, pointer=at, variable=preference.on, fix=fix))
        yield from capped(found, MOST_SHOWN, f"{where}/rules")
        first = worth.flat[0]
        if np.all(worth == first) and (is_endless or not first):
            words = f"every case of {on} is preferred alike: no effect"
            fix = safe("drop it", drop(where))
            yield finding("GMN406", words, pointer=where, variable=preference.on, fix=fix)
