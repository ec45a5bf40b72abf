"""GMN701-711: bounds on sizes, in Python integers and without allocating arrays.

They run first, and where one says that a document is too large nothing else looks at it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.gmn.checks.fixes import put, safe
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.tables import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.gmn.model import Conditional
    from orchestrator.types.diagnostics import Diagnostic

_COUNTED = 10**15  # sizes beyond it are not written out
#: Constraints that a request may set, and what each counts.
CONSTRAINTS = {
    "max_states": "joint hidden states",
    "max_observations": "joint observations",
    "max_actions": "joint actions",
    "max_factors": "state factors",
    "max_horizon": "steps planned ahead",
    "max_policies": "policies",
}


def known_constraints(constraints: Mapping[str, int]) -> dict[str, int]:
    """The same constraints, checked.

    Raises: ValueError: a name is unknown, or a bound is not a whole number of at least 1.
    """
    for name, bound in constraints.items():
        if name not in CONSTRAINTS:
            raise ValueError(f"{name!r} is not a constraint; use one of {', '.join(CONSTRAINTS)}")
        if not isinstance(bound, int) or isinstance(bound, bool) or bound < 1:
            raise ValueError(f"{name} is {bound!r}, expected a whole number of at least 1")
        if bound >= _COUNTED:
            raise ValueError(f"{name} is {shown(bound)}, which bounds nothing; leave it out")
    return dict(constraints)


@check("GMN701", "GMN707", "GMN708")
def variables_are_few_and_small(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on the number of variables and on the size of each."""
    limits, spec = subject.limits, subject.spec
    for section in ("states", "observations", "actions"):
        found, most = len(getattr(spec, section)), getattr(limits, section)
        if found > most:
            words = f"{found} {section} are declared, more than {most}"
            yield finding("GMN708", words, pointer=f"/{section}", got=found, expected=most)
        for index, variable in enumerate(getattr(spec, section)):
            # Where they disagree any of them could be meant.
            size = max(variable.n, len(variable.labels), math.prod(variable.shape or (0,)))
            if size > limits.variable_size:
                words = f"|{variable.name}| = {shown(size)}, more than {limits.variable_size}"
                yield finding(
                    "GMN701",
                    words,
                    pointer=f"/{section}/{index}",
                    variable=variable.name,
                    got=shown(size),
                    expected=limits.variable_size,
                )


@check("GMN707")
def lists_are_short(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on the number of tables, preferences, goals, habits, moves and walls."""
    spec, most = subject.spec, subject.limits.parts
    sections = ("likelihoods", "transitions", "priors", "preferences", "habits", "queries")
    lists: list[tuple[str, int]] = [(f"/{name}", len(getattr(spec, name))) for name in sections]
    for section in ("states", "observations", "actions"):
        for i, variable in enumerate(getattr(spec, section)):
            lists += [(f"/{section}/{i}/terminal", len(variable.terminal))]
    for i, p in enumerate(spec.preferences):
        lists += [(f"/preferences/{i}/goals", len(p.goals))]
        lists += [(f"/preferences/{i}/goal_gradient", len(p.goal_gradient))]
    for pointer, table in subject.tables:
        lists += [(f"{pointer}/table/moves", len(table.table.moves))]
        lists += [(f"{pointer}/table/blocked", len(table.table.blocked))]
    for pointer, found in lists:
        if found > most:
            words = f"{found} entries in {pointer[1:]}, more than {most}"
            yield finding("GMN707", words, pointer=pointer, got=found, expected=most)


@check("GMN702", "GMN707", "GMN709")
def tables_are_small(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on parents, rules and the entries of expanded tables."""
    limits, total = subject.limits, 0
    for pointer, conditional in subject.tables:
        where, name = f"{pointer}/table", conditional.of
        if (found := len(conditional.given)) > limits.parents:
            words = f"{name} has {found} parents, more than {limits.parents}"
            yield finding("GMN707", words, pointer=f"{pointer}/given", variable=name)
            continue
        n_rules = len(conditional.table.rules)
        of, given = subject.variables.get(conditional.of), subject.given(conditional)
        size = subject.size(conditional) if of is not None and given is not None else 0
        total += size
        if size > limits.table_entries:
            words = f"the table of {name} would have {shown(size)} entries, more than "
            words += str(limits.table_entries)
            if conditional.of in conditional.given and pointer.startswith("/transitions"):
                words += f"; {_advice(subject, conditional)}"
            yield finding("GMN702", words, pointer=where, variable=name, got=shown(size))
        work = n_rules * math.prod(parent.n for parent in given or ())
        if n_rules > limits.rules or work > limits.rule_work:
            words = f"{n_rules} rules for {name}, more than {limits.rules} or too many contexts"
            yield finding("GMN707", words, pointer=f"{where}/rules", variable=name, got=n_rules)
    if total > limits.total_entries:
        words = f"all tables together would have {shown(total)} entries, more than "
        words += str(limits.total_entries)
        yield finding("GMN709", words, got=shown(total), expected=limits.total_entries)


def _advice(subject: Subject, transition: Conditional) -> str:
    """What makes fewer numbers of a transition from its own previous value count."""
    table, few = transition.table, "at most one in 32 is above 0, and those alone count"
    of, given = subject.variables[transition.of], subject.given(transition) or ()
    if subject.size(transition) < entries(of, given):
        return "these are its possible outcomes alone: declare fewer values, parents or actions"
    if transition.learn:
        return f"leave out learn: true where {few}"
    if table.noise != 0 and table.noise_kind != "stay":
        return f"write noise_kind: stay, or no noise, where then {few}"
    return f"write grid, shift, map or rules where {few}, or declare fewer values"


def shown(count: int) -> str:
    """A count in words: Python refuses to write out an integer of thousands of digits."""
    return str(count) if count < _COUNTED else "over 10^15"


def n_policies(subject: Subject, horizon: int) -> int:
    """Number of action sequences of `horizon` steps; of first actions where plans branch."""
    per_step = math.prod(max(action.n, 1) for action in subject.spec.actions)
    length = 1 if subject.spec.policy.selection == "contingent" else min(max(horizon, 1), 64)
    count: int = per_step**length
    return count


@check("GMN705", "GMN706")
def planning_is_bounded(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on the number of policies and on the memory that planning needs."""
    limits, horizon = subject.limits, subject.spec.policy.horizon
    count = n_policies(subject, horizon)
    where = "/policy/horizon"
    is_contingent = subject.spec.policy.selection == "contingent"
    most = limits.contingent_horizon if is_contingent else limits.horizon
    if count > limits.policies or horizon > most:
        fitting = [h for h in range(1, most + 1) if n_policies(subject, h) <= limits.policies]
        fix = safe(f"plan {max(fitting)} steps", put(where, max(fitting))) if fitting else None
        words = f"horizon {horizon} makes {shown(count)} policies, more than {limits.policies}"
        if horizon > most:
            words = f"horizon {horizon} is beyond {most} ({shown(count)} policies)"
        yield finding("GMN705", words, pointer=where, got=horizon, fix=fix)
        return
    largest = max((_per_action(subject, state.name) for state in subject.spec.states), default=0)
    memory = count * largest * 4
    if memory > limits.planning_bytes:
        words = f"planning would need about {shown(memory // 2**20)} MB, more than "
        words += f"{limits.planning_bytes // 2**20}; lower the horizon"
        yield finding("GMN706", words, pointer=where, got=shown(memory))


def _per_action(subject: Subject, state: str) -> int:
    """How many numbers are kept of the transition of one factor, for one action."""
    for table in subject.spec.transitions:
        given = subject.given(table)
        of = subject.variables.get(table.of)
        if table.of == state and given is not None and of is not None:
            actions = [v.n for v in given if subject.kinds.get(v.name) == "action"]
            return max(of.n, subject.size(table) // max(1, math.prod(actions)))
    return subject.variables[state].n


@check("GMN707", "GMN710")
def strings_are_short(subject: Subject) -> Iterator[Diagnostic]:
    """Bounds on queries and descriptions; a fix cuts long descriptions."""
    limits = subject.limits
    if len(subject.spec.queries) > limits.queries:
        words = f"{len(subject.spec.queries)} queries, more than {limits.queries}"
        yield finding("GMN707", words, pointer="/queries")
    for section in ("states", "observations", "actions"):
        for index, variable in enumerate(getattr(subject.spec, section)):
            where = f"/{section}/{index}"
            if len(variable.description) > limits.prompt_bytes:
                cut = variable.description[: limits.prompt_bytes]
                fix = safe("cut it", put(f"{where}/description", cut))
                words = f"the description of {variable.name} is too long"
                yield finding("GMN710", words, pointer=f"{where}/description", fix=fix)


@check("GMN711")
def constraints_are_met(subject: Subject) -> Iterator[Diagnostic]:
    """The bounds that the request sets."""
    spec = subject.spec
    counted = {
        "max_states": math.prod(v.n for v in spec.states),
        "max_observations": math.prod(v.n for v in spec.observations),
        "max_actions": math.prod(v.n for v in spec.actions),
        "max_factors": len(spec.states),
        "max_horizon": spec.policy.horizon,
        "max_policies": n_policies(subject, spec.policy.horizon),
    }
    places = {"max_horizon": "/policy/horizon", "max_policies": "/policy/horizon"}
    for name, bound in (subject.constraints or {}).items():
        if counted[name] > bound:
            got = shown(counted[name])
            words = f"{got} {CONSTRAINTS[name]}, but the request allows {name}={bound}"
            where = places.get(name, f"/{name.removeprefix('max_').replace('factors', 'states')}")
            yield finding("GMN711", words, pointer=where, got=got, expected=bound)
