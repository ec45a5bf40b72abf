"""GMN401-415: preferences, policy and habits."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.checks.fixes import drop, put, safe, suggested
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.gradient import graded, state_behind
from orchestrator.gmn.tables import TableError
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import Goal, Gradient, Payoff, Preference
    from orchestrator.types.diagnostics import Diagnostic, Fix

LARGE_UTILITY = 20.0  # nats; a larger one outweighs all others in every plan


@check("GMN401")
def something_is_preferred(subject: Subject) -> Iterator[Diagnostic]:
    """An agent without preferences only explores."""
    if not subject.spec.preferences:
        words = "no preferences: the agent wants nothing and only gathers information"
        yield finding("GMN401", words, pointer="/preferences", missing="/preferences")


@check("GMN402", "GMN405", "GMN203")
def values_fit_their_target(subject: Subject) -> Iterator[Diagnostic]:
    """One finite utility per label, in nats."""
    for index, preference in enumerate(subject.spec.preferences):
        target = subject.variables.get(preference.on)
        where = f"/preferences/{index}"
        weighed: tuple[Goal | Gradient | Payoff, ...] = (
            *preference.goals, *preference.goal_gradient, *preference.rules,
        )  # fmt: skip
        utilities = [*preference.values, *(one.utility for one in weighed)]
        if not all(math.isfinite(u) for u in utilities):
            words = f"a utility on {preference.on} is not finite; write a number of nats"
            yield finding("GMN203", words, pointer=where, variable=preference.on)
        elif utilities and max(map(abs, utilities)) > LARGE_UTILITY:
            most = max(utilities, key=abs)
            words = f"utility {most:g} on {preference.on} is beyond {LARGE_UTILITY:g} nats"
            yield finding("GMN405", words, pointer=where, variable=preference.on, got=most)
        if target is None or not preference.values or len(preference.values) == target.n:
            continue
        words = f"{len(preference.values)} values for the {target.n} labels of {preference.on}"
        yield finding(
            "GMN402",
            words,
            pointer=f"{where}/values",
            variable=preference.on,
            got=len(preference.values),
            expected=target.n,
            fix=_padded(where, preference, target.n),
        )


def _padded(where: str, preference: Preference, n: int) -> Fix | None:
    """A fix that pads a short list of utilities with 0, if 0 occurs in it."""
    short = n - len(preference.values)
    if short <= 0 or 0.0 not in preference.values or preference.goals:
        return None
    return safe("pad with 0", put(f"{where}/values", [*preference.values, *([0.0] * short)]))


@check("GMN409")
def goal_gradients_can_be_written_out(subject: Subject) -> Iterator[Diagnostic]:
    """A gradient needs a state that moves; what is wrong with a label or a table has own codes."""
    transitions = {table.of: table for table in subject.spec.transitions}
    for index, preference in enumerate(subject.spec.preferences):
        where = f"/preferences/{index}/goal_gradient"
        for number, gradient in enumerate(preference.goal_gradient):
            if not 0 <= gradient.decay <= 1:
                words = (
                    f"decay is {gradient.decay:g}, expected 0 to 1: utilities fall with distance"
                )
                place, on = f"{where}/{number}/decay", preference.on
                yield finding("GMN409", words, pointer=place, variable=on, got=gradient.decay)
        state = state_behind(subject.spec, preference.on)
        table = transitions.get(state)
        if not preference.goal_gradient or (table and subject.known(table) is None):
            continue
        try:
            graded(subject.spec, preference, subject.known)
        except TableError as error:
            if error.code == "GMN409":
                yield finding("GMN409", str(error), pointer=where, variable=preference.on)


@check("GMN404")
def state_preferences_are_reported(subject: Subject) -> Iterator[Diagnostic]:
    """A preference on a hidden state, which pymdp cannot express."""
    for index, preference in enumerate(subject.spec.preferences):
        if subject.kinds.get(preference.on) != "state" or preference.rules:
            continue
        seen_by = next(
            (
                table.of
                for table in subject.spec.likelihoods
                if table.given == (preference.on,) and table.table.kind == "identity"
            ),
            None,
        )
        where = f"/preferences/{index}/on"
        fix = suggested(f"prefer {seen_by} instead", put(where, seen_by)) if seen_by else None
        words = f"preference on hidden state {preference.on}: its exact utility is used"
        yield finding("GMN404", words, pointer=where, variable=preference.on, fix=fix)


@check("GMN406", "GMN407")
def values_make_a_difference(subject: Subject) -> Iterator[Diagnostic]:
    """Equal utilities have no effect; values that sum to 1 look like probabilities."""
    is_endless = not any(state.terminal for state in subject.spec.states)
    for index, preference in enumerate(subject.spec.preferences):
        where, values = f"/preferences/{index}", np.array(preference.values)
        if preference.given or preference.rules:
            continue
        # Where everything can end, a utility that is the same for all is that of going on.
        alike = not values.size or (np.all(values == values[0]) and (is_endless or not values[0]))
        if not (preference.goals or preference.goal_gradient) and alike:
            words = f"every value of {preference.on} is preferred alike: no effect"
            fix = safe("drop it", drop(where))
            yield finding("GMN406", words, pointer=where, variable=preference.on, fix=fix)
        elif values.size > 1 and np.all(values >= 0) and abs(values.sum() - 1) < 1e-6:
            logs = np.log(np.maximum(values, 1e-3) / values.max()).round(6).tolist()
            fix = suggested("take logarithms", put(f"{where}/values", logs))
            words = f"values of {preference.on} sum to 1 like probabilities; utilities are in nats"
            place = f"{where}/values"
            yield finding("GMN407", words, pointer=place, variable=preference.on, fix=fix)


@check("GMN408")
def goals_can_be_seen(subject: Subject) -> Iterator[Diagnostic]:
    """A preferred observation must have a probability above 0 in some state."""
    for index, preference in enumerate(subject.spec.preferences):
        table = next((t for t in subject.spec.likelihoods if t.of == preference.on), None)
        rows = subject.matrix(table) if table is not None else None
        target = subject.variables.get(preference.on)
        if rows is None or target is None:
            continue
        for number, goal in enumerate(preference.goals):
            look(4, numbers=4 * len(rows))
            if goal.utility <= 0 or goal.value not in target.names:
                continue
            if np.all(rows[:, target.names.index(goal.value)] == 0):
                words = f"preferred label {goal.value!r} of {preference.on} can never be observed"
                place = f"/preferences/{index}/goals/{number}"
                yield finding("GMN408", words, pointer=place, variable=preference.on)


@check("GMN413", "GMN414")
def repeated_preferences_are_reported(subject: Subject) -> Iterator[Diagnostic]:
    """Preferences on one target add up; equal positive and negative utilities cancel."""
    counts = Counter(preference.names for preference in subject.spec.preferences)
    for target, count in counts.items():
        if count > 1:
            words = f"{count} preferences on {' and '.join(target)} are added up"
            yield finding("GMN413", words, pointer="/preferences", variable=target[0])
    for index, preference in enumerate(subject.spec.preferences):
        by_label: dict[str, set[float]] = {}
        for goal in preference.goals:
            by_label.setdefault(goal.value, set()).add(goal.utility)
        for label, utilities in by_label.items():
            if any(-u in utilities for u in utilities if u > 0):
                words = f"label {label!r} of {preference.on} is both wanted and avoided equally"
                yield finding("GMN414", words, pointer=f"/preferences/{index}/goals")


@check("GMN410", "GMN411", "GMN415")
def policy_is_usable(subject: Subject) -> Iterator[Diagnostic]:
    """The horizon is at least 1, the precision above 0, and the discount in (0, 1]."""
    policy = subject.spec.policy
    if policy.horizon < 1:
        words = f"horizon is {policy.horizon}, expected at least 1"
        fix = safe("plan one step", put("/policy/horizon", 1))
        yield finding("GMN410", words, pointer="/policy/horizon", got=policy.horizon, fix=fix)
    if not (policy.gamma > 0 and math.isfinite(policy.gamma)):
        words = f"gamma is {policy.gamma!r}, expected a number above 0"
        yield finding("GMN411", words, pointer="/policy/gamma", got=policy.gamma)
    if not 0 < policy.discount <= 1:
        words = (
            f"discount is {policy.discount!r}, expected a number above 0 and at most 1; leave it"
            " out where later utilities count in full"
        )
        yield finding("GMN415", words, pointer="/policy/discount", got=policy.discount)


@check("GMN412")
def habits_are_weights(subject: Subject) -> Iterator[Diagnostic]:
    """One weight per label, each at least 0, not all 0."""
    for index, habit in enumerate(subject.spec.habits):
        action = subject.variables.get(habit.action)
        if action is None:
            continue
        where, weights = f"/habits/{index}/weights", habit.weights
        if len(weights) != action.n:
            words = f"habit of {habit.action} has {len(weights)} weights for {action.n} labels"
        elif not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
            words = f"weights of habit {habit.action} must be at least 0 and not all 0"
        else:
            continue
        yield finding("GMN412", words, pointer=where, variable=habit.action, got=list(weights))
